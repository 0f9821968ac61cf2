"""
``sttproxy check``, ``explain`` and ``schema``: what a configuration says and may say, without a daemon.
"""

from __future__ import annotations

import difflib
import importlib.resources
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, TextIO

from twisted.python import usage

from . import __version__
from .config import Config, Rules, Text, names_of
from .errors import ConfigError, MalformedForm
from .forms.evaluation import DEPENDS, PASSES, Decision, Evaluation
from .watch import Source

DEFAULT_CONFIG = "stt_config.json"

#: Exit statuses; Python's own for a crash is 1.
GOOD, ERRORS, WARNINGS, USAGE = 0, 2, 3, 64


_UNKNOWN_OPTION = re.compile(r"option (--[^ ]+) not recognized")


def source_of(named: str | None, keys: str | None = None, profile: str | None = None) -> Source:
    """
    Where the configuration is: named by an option, by the environment (``STT_CONFIG_PATH``) or by default.

    Paths become absolute, for twistd changes directory when it goes into the background.
    """
    named = named or os.environ.get("STT_CONFIG_PATH")
    path = os.path.abspath(named or DEFAULT_CONFIG)
    return Source(path, os.path.abspath(keys) if keys else "", profile or "", required=bool(named))


class HelpfulOptions(usage.Options):
    """Options that tell the version of sttproxy, where Twisted's would tell its own, and what a wrong one may mean."""

    def parseOptions(self, options: list[str] | None = None) -> None:
        """
        Read a command line.

        :raises UsageError: when it is wrong, with the name that is probably meant.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            unknown = _UNKNOWN_OPTION.fullmatch(str(error))
            names = [f"--{name.rstrip('=')}" for name in self.longOpt]
            raise usage.UsageError(f"{error}{suggestion(unknown.group(1), names) if unknown else ''}") from None

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"sttproxy {__version__}")
        raise SystemExit(0)


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """Which of some names is probably meant, as the end of a message; empty where none is."""
    close = difflib.get_close_matches(wrong.lower().replace("_", "-"), [*known], 1, 0.6)
    return f"; did you mean {close[0]}?" if close else ""


class _Options(HelpfulOptions):
    """What the commands that read a configuration know."""

    optParameters: ClassVar[list[list[Any]]] = [
        ["profile-by-key", None, None, "The JSON file of API keys and their profiles."],
    ]


class CheckOptions(_Options):
    """``sttproxy check``."""

    synopsis = "sttproxy check [options] [FILE]"
    longdesc = (
        "Prints what is wrong with a configuration, what is probably wrong, and the fields of each profile. The exit "
        f"status is {GOOD} for one that can be used, {ERRORS} where there are errors, and with --strict {WARNINGS} "
        "where there are warnings only."
    )
    optFlags: ClassVar[list[list[Any]]] = [["strict", None, "Let warnings fail."]]

    def parseArgs(self, file: str = "") -> None:
        self["file"] = file


class ExplainOptions(_Options):
    """``sttproxy explain``."""

    synopsis = "sttproxy explain [options] [-F name=value …]"
    longdesc = "Prints what a form would become, field by field, with the rule that did it."
    optParameters: ClassVar[list[list[Any]]] = [
        ["config", None, None, f"The configuration [default: {DEFAULT_CONFIG}]"],
        ["profile", None, None, "The profile that the request asks for."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["form"] = []

    def opt_form(self, field: str) -> None:
        """A field that the client sends, as name=value; a value that begins with @ stands for a file, which is not
        read. May be repeated."""
        name, equals, value = field.partition("=")
        if not equals:
            raise usage.UsageError(f"--form: {field!r} is not a field; it must be name=value")
        try:
            field.encode()
        except UnicodeEncodeError:
            raise usage.UsageError(f"--form: {field!r} is not UTF-8") from None
        self["form"].append((name, value))

    opt_F = opt_form


def check(options: CheckOptions, out: TextIO) -> int:
    """
    Judge a configuration.

    :return: the exit status.
    """
    source = source_of(options["file"], options["profile-by-key"])
    config = _read(source, out)
    if config is None:
        return ERRORS
    for warning in config.warnings:
        out.write(f"{warning} (warning)\n")
    for name, rules in [("", config.base), *config.profiles.items()]:
        out.write(f"\n{f'profile {name}' if name else 'without a profile'}:\n")
        out.writelines(f"  {line}\n" for line in _effective(rules))
    return WARNINGS if config.warnings and options["strict"] else GOOD


def explain(options: ExplainOptions, out: TextIO) -> int:
    """
    Show what becomes of a form.

    :return: the exit status.
    """
    config = _read(source_of(options["config"], options["profile-by-key"]), out)
    if config is None:
        return ERRORS
    profile = options["profile"] or ""
    if profile and profile not in config.profiles:
        out.write(f"There is no profile {profile!r}; {names_of(config.profiles)}.\n")
        return ERRORS
    try:
        lines = list(explained(config.rules(profile), options["form"]))
    except MalformedForm as error:
        out.write(f"The proxy would answer 400: {error.message}\n")
        return ERRORS
    width = max((len(name) for name, _, _ in lines), default=0)
    for name, value, why in lines:
        out.write(f"{name:{width}}  {value}  ({why})\n")
    return GOOD


def explained(rules: Rules, fields: list[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """
    What becomes of a form: name, value and reason of each field, in the order in which they leave; a dash stands for
    the value of one that is dropped.

    :raises MalformedForm: as the daemon would refuse it.
    """
    evaluation = Evaluation(rules)
    for field in rules.forced:
        yield from ((name, _shown(value), "forced") for name, value in field.parts)
    for name, value in fields:
        decision: Decision | Text = evaluation.decide(name)
        ruled = rules.forced_by_name.get(evaluation.key(name))
        dropped = "dropped: the forced one replaces it" if ruled and ruled.parts else "removed"
        if decision is DEPENDS:
            # What is in a file is not known here; it is treated like a value that is in no table.
            known = None if value.startswith("@") else value.encode()
            decision, dropped = evaluation.settle(name, known), "dropped: it is empty, and there is a default"
        if isinstance(decision, Text):
            yield name, _shown(decision.text), f"mapped from {_shown(value)}"
        elif decision is PASSES:
            yield name, _shown(value), "as sent"
        else:
            yield name, "-", dropped
    for field in evaluation.missing():
        yield from ((name, _shown(value), "default") for name, value in field.parts)


def _effective(rules: Rules) -> Iterator[str]:
    """The rules of one profile, a line each."""
    for field in rules.forced:
        if not field.parts:
            yield f"{field.name}: removed"
        for name, value in field.parts:
            yield f"{name} = {_shown(value)}"
    for rule in rules.maps_by_name.values():
        for old, text in rule.table.items():
            yield f"{rule.name}: {_shown(old)} becomes {_shown(text.text)}"
        if rule.other is not None:
            yield f"{rule.name}: {'any other' if rule.table else 'any'} value becomes {_shown(rule.other.text)}"
    for default in rules.defaults_by_name.values():
        when = "not sent or empty" if default.when_empty else "not sent"
        for name, value in default.field.parts:
            yield f"{name} = {_shown(value)}, where it is {when}"


def _shown(value: str) -> str:
    """A value on one line, bounded."""
    return repr(value) if len(value) <= 100 else repr(value[:100]) + f"… ({len(value)} characters)"


def _read(source: Source, out: TextIO) -> Config | None:
    """The configuration; None where it is wrong, which is then said."""
    found = source.read()[0].found
    if isinstance(found, ConfigError):
        out.writelines(f"{finding} (error)\n" for finding in found.findings)
        return None
    return found


class SchemaOptions(HelpfulOptions):
    """``sttproxy schema``."""

    synopsis = "sttproxy schema > stt_config.schema.json"
    longdesc = (
        "Prints the JSON Schema of the configuration. An editor that finds it beside the configuration, by the member "
        '"$schema": "./stt_config.schema.json", completes and checks as you type.'
    )


def schema(options: SchemaOptions, out: TextIO) -> int:
    """
    Print the schema of configurations.

    :return: the exit status.
    """
    out.write(importlib.resources.files(__package__).joinpath("stt_config.schema.json").read_text("utf-8"))
    return GOOD


COMMANDS: dict[str, tuple[type[usage.Options], Any]] = {
    "check": (CheckOptions, check),
    "explain": (ExplainOptions, explain),
    "schema": (SchemaOptions, schema),
}


def run(name: str, arguments: list[str]) -> int:
    """
    Run a command.

    :return: its exit status.
    """
    options_of, command = COMMANDS[name]
    options = options_of()
    try:
        options.parseOptions(arguments)
    except usage.UsageError as error:
        sys.stderr.write(f"sttproxy {name}: {error} (see --help)\n")
        return USAGE
    status: int = command(options, sys.stdout)
    return status
