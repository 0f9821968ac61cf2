"""
The commands ``sttproxy check``, ``clean``, ``explain``, ``health``, ``schema``, ``service`` and ``upgrade``, which
start no daemon.
"""

from __future__ import annotations

import importlib.resources
import os
import sys
from collections.abc import Iterator
from typing import Any, ClassVar, TextIO

import attrs
from twisted.python import usage

from .asking import ImaginedRequest
from .clean import CleanOptions, clean
from .config import REMOVED, SESSION_FIELDS, Config, Rules, Text, names_of
from .errors import MalformedForm, ProxyError, shown
from .forms.evaluation import Evaluation
from .forms.plans import DEPENDS, PASSES, Settled
from .handover.command import UpgradeOptions, upgrade
from .health import HealthOptions, health
from .options import BY_NAME
from .outcome import ERRORS, GOOD, USAGE, WARNINGS, read_config
from .profiles import Selection
from .service.options import ServiceOptions
from .settings import Sources, source_of
from .usage import HelpfulOptions, parameter


class CheckOptions(HelpfulOptions):
    """``sttproxy check``."""

    synopsis = "sttproxy check [options] [FILE]"
    longdesc = (
        "Prints the errors and the warnings of a configuration, and the fields of each profile. The exit status is "
        f"{GOOD} for a configuration that can be used, {ERRORS} for one with errors, and with --strict {WARNINGS} for "
        "one with warnings only."
    )
    example = "sttproxy check --strict stt_config.json"
    optParameters: ClassVar[list[list[Any]]] = [parameter(BY_NAME["profile-by-key"])]
    optFlags: ClassVar[list[list[Any]]] = [["strict", None, "Treat warnings as a failure."]]

    def parseArgs(self, file: str = "") -> None:
        self["config"] = file or None


class ExplainOptions(HelpfulOptions):
    """``sttproxy explain``."""

    synopsis = "sttproxy explain [options] [-F name=value …]"
    longdesc = (
        "Prints what the proxy would make of a form, field by field, each with the rule that applies. With --header, "
        "--address and --path it chooses the profile as for such a request; without them, --profile names the profile."
    )
    example = "sttproxy explain --header 'User-Agent: OpenWebUI' -F language=en -F file=@a.wav"
    optParameters: ClassVar[list[list[Any]]] = [
        parameter(BY_NAME[name]) for name in ("config", "profile", "profile-by-key")
    ]

    def __init__(self) -> None:
        super().__init__()
        self["form"] = []
        self.request = ImaginedRequest()
        self.describes_request = False

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

    def opt_header(self, line: str) -> None:
        """A header that the client sends, as 'Name: value'. May be repeated."""
        try:
            self.request.add_header(line)
        except ValueError as error:
            raise usage.UsageError(f"--header: {error}") from None
        self.describes_request = True

    opt_H = opt_header

    def opt_address(self, address: str) -> None:
        """The client's address, or unix for a client on a Unix socket."""
        try:
            self.request.set_address(address)
        except ValueError as error:
            raise usage.UsageError(f"--address: {error}") from None
        self.describes_request = True

    def opt_path(self, path: str) -> None:
        """The path of the request. Without it: /v1/audio/transcriptions"""
        self.request.path = path
        self.describes_request = True


def check(options: CheckOptions, out: TextIO) -> int:
    """
    Check a configuration and print the result.

    :return: the exit status.
    """
    config = read_config(source_of(Sources(options, os.environ)), out)
    if config is None:
        return ERRORS
    for warning in config.warnings:
        out.write(f"{warning} (warning)\n")
    out.writelines(_reached(config))
    for name, rules in [("", config.base), *config.profiles.items()]:
        out.write(f"\n{f'profile {name}' if name else 'without a profile'}:\n")
        out.writelines(f"  {line}\n" for line in _effective(rules))
    return WARNINGS if config.warnings and options["strict"] else GOOD


def explain(options: ExplainOptions, out: TextIO) -> int:
    """
    Print what the proxy makes of a form.

    :return: the exit status.
    """
    source = source_of(Sources(options, os.environ))
    config = read_config(attrs.evolve(source, profile=""), out)
    if config is None:
        return ERRORS
    profile = source.profile
    if profile and profile not in config.profiles:
        out.write(f"There is no profile {profile!r}; {names_of(config.profiles)}.\n")
        return ERRORS
    is_session = False
    try:
        if options.describes_request or not profile:
            selection = options.request.selection(config, profile)
            out.writelines(_selected(selection, config, options.describes_request))
            if not selection.is_ruled:
                return GOOD
            profile, is_session = selection.chosen.profile, selection.is_session
        rules = config.rules(profile)
        lines = list(explained(rules.of_sessions if is_session else rules, options["form"]))
    except ProxyError as error:
        out.write(f"The proxy would respond with {error.status}: {error.message}\n")
        return ERRORS
    width = max((len(name) for name, _, _ in lines), default=0)
    for name, value, why in lines:
        out.write(f"{name:{width}}  {value}  ({why})\n")
    return GOOD


def explained(rules: Rules, fields: list[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """
    Apply rules to a form.

    :param fields: the names and the values that the client sends.
    :return: the name, the value and the reason of each field, in the order in which the proxy sends them; a dropped
        field has a dash instead of a value.
    :raises MalformedForm: when the daemon would refuse the form.
    """
    evaluation = Evaluation(rules)
    for field in rules.forced:
        yield from ((name, _shown(value), "forced") for name, value in field.parts)
    for sent, value in fields:
        name = evaluation.sent_as(sent)
        more = "" if name == sent else f", renamed from {_shown(sent)}"
        name, shown_value, why = _explained_field(evaluation, name, value)
        yield name, shown_value, why + more
    alone = {rule.name for rule in rules.joined}
    for field in evaluation.missing():
        why = "alone: there is no value to join it to" if field.name in alone else "default"
        yield from ((name, _shown(value), why) for name, value in field.parts)


def _explained_field(evaluation: Evaluation, name: str, value: str) -> tuple[str, str, str]:
    """
    Apply rules to one field of a client.

    :param name: the name under which the field is sent.
    :return: the name, the value and the reason, as `explained` returns them.
    :raises MalformedForm: when the daemon would refuse the form.
    """
    rules, key = evaluation.rules, evaluation.key(name)
    decision: Settled = evaluation.decide(name)
    ruled = rules.forced_by_name.get(key)
    dropped = "dropped: the forced field replaces it" if ruled and ruled.parts else "removed"
    if decision is DEPENDS:
        # The content of a file is not known here; it is treated like a value that no table has.
        known = None if value.startswith("@") else value.encode()
        table = rules.maps_by_name.get(key)
        if known is None and evaluation.joins(name):
            raise MalformedForm(f"{shown(name)} is a file; send the field as text, without a file name.")
        if table and table.replacement(known) is REMOVED:
            dropped = f"removed: the table has null for {_shown(value)}"
        elif ruled is None:
            dropped = "dropped: it is empty, and the default replaces it"
        decision = evaluation.settle(name, known)
    if isinstance(decision, Text):
        joined = rules.joined_by_name.get(key)
        if joined is not None:
            cut = joined.fitting(value) != value
            return name, _shown(decision.text), f"joined to {'the end of ' * cut}{_shown(value)}"
        return name, _shown(decision.text), f"mapped from {_shown(value)}"
    if decision is PASSES:
        return name, _shown(value), "as sent"
    return name, "-", dropped


def _selected(selection: Selection, config: Config, asked: bool) -> Iterator[str]:
    """
    The lines that tell which profile a request gets.

    :param asked: whether the command line describes a request.  If not, only a profile is worth a line.
    """
    chosen = selection.chosen
    if selection.is_session:
        yield "This is a realtime session. Its updates carry these fields of the transcription; one is sent first.\n"
    elif not selection.has_rules:
        yield f"The proxy passes this request unchanged: no rules are for {selection.target.decode()}.\n"
        return
    if chosen.profile:
        reasons = {"url": "the URL", "key": "the API key"}
        reasons |= {f"$choose[{number}]": f"$choose[{number}] ({each})" for number, each in enumerate(config.choices)}
        yield f"The profile is {chosen.profile!r}, chosen by {reasons.get(chosen.by, chosen.by)}.\n"
    elif asked:
        yield "The request has no profile.\n"


def _reached(config: Config) -> Iterator[str]:
    """The listed paths, those of realtime sessions and the choices, one line for each."""
    reach = config.reach
    forms = [listed for listed in reach.listed if not listed.realtime]
    if forms:
        yield "\nmore paths with rules:\n"
    for listed in forms:
        yield f"  {listed.path}{', with the fields in the query, too' if listed.in_query else ''}\n"
    if reach.realtime:
        yield f"\npaths of realtime sessions, with the rules for {', '.join(SESSION_FIELDS)}:\n"
    for path in reach.session_paths:
        yield f"  {path}\n"
    if config.choices:
        yield "\nprofiles of requests whose URL and API key choose none, the first that fits:\n"
    for choice in config.choices:
        yield f"  {choice}: {f'profile {choice.profile}' if choice.profile else 'no profile'}\n"


def _effective(rules: Rules) -> Iterator[str]:
    """The rules of one profile, one line for each rule."""
    if not rules.translations:
        yield "translations pass unchanged"
    for field in rules.forced:
        if not field.parts:
            yield f"{field.name}: removed"
        for name, value in field.parts:
            yield f"{name} = {_shown(value)}"
    for joined in rules.joined:
        texts = [_shown(text) for text in (joined.before, joined.after) if text]
        texts.insert(bool(joined.before), "the client's value")
        most = "" if joined.max_tokens is None else f", of at most {joined.max_tokens} tokens (estimated)"
        yield f"{joined.name} = {' + '.join(texts)}{most}"
    for rename in rules.renames:
        yield f"{rename.name}: renamed to {rename.new}"
    for rule in rules.maps_by_name.values():
        for old, new in rule.table.items():
            result = f"becomes {_shown(new.text)}" if isinstance(new, Text) else "is removed"
            yield f"{rule.name}: {_matched(old, len(rule.table))} {result}"
    for default in rules.defaults_by_name.values():
        when = "not sent or empty" if default.when_empty else "not sent"
        for name, value in default.field.parts:
            yield f"{name} = {_shown(value)}, if it is {when}"
    if rules.transcript:
        yield f"rules for transcripts: {', '.join(rules.transcript.values)}"


def _matched(key: str, keys: int) -> str:
    """
    The values that a key of a table is for.

    :param keys: how many keys the table has.
    """
    if key == "*":
        return "any other value" if keys > 1 else "any value"
    return f"any value like {_shown(key)}" if key.endswith("*") else _shown(key)


def _shown(value: str) -> str:
    """A value on one line, cut after 100 characters."""
    return repr(value) if len(value) <= 100 else repr(value[:100]) + f"… ({len(value)} characters)"


class SchemaOptions(HelpfulOptions):
    """``sttproxy schema``."""

    synopsis = "sttproxy schema > stt_config.schema.json"
    longdesc = (
        "Prints the JSON Schema of the configuration. Put it next to the configuration, and add the member "
        '"$schema": "./stt_config.schema.json": then an editor completes and checks the configuration as you type.'
    )
    example = "sttproxy schema > stt_config.schema.json"


def schema(options: SchemaOptions, out: TextIO) -> int:
    """
    Print the schema of configurations.

    :return: the exit status.
    """
    out.write(importlib.resources.files(__package__).joinpath("stt_config.schema.json").read_text("utf-8"))
    return GOOD


def service(options: ServiceOptions, out: TextIO) -> int:
    """
    Install, remove or show the service of the system that runs the daemon.

    :return: the exit status.
    """
    # The daemon imports this module, and needs nothing of this.
    from .service import command

    return command.service(options, out)


COMMANDS: dict[str, tuple[type[usage.Options], Any]] = {
    "check": (CheckOptions, check),
    "clean": (CleanOptions, clean),
    "explain": (ExplainOptions, explain),
    "health": (HealthOptions, health),
    "schema": (SchemaOptions, schema),
    "service": (ServiceOptions, service),
    "upgrade": (UpgradeOptions, upgrade),
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
