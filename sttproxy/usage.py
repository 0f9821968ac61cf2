"""
Command lines: options of the table in Twisted's form, help in groups, and suggestions for what is misspelt.
"""

from __future__ import annotations

import difflib
import os
import re
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from twisted.python import usage

from . import __version__
from .options import Option

_UNKNOWN_OPTION = re.compile(r"option (--[^ ]+) not recognized")
#: The column at which the help of each option begins.
_HELP_COLUMN = 30


class HelpfulOptions(usage.Options):
    """
    A command line that prints the version of sttproxy, where Twisted's would print its own, and names what a wrong
    option probably means.
    """

    #: An invocation, for the end of the help.
    example: ClassVar[str] = ""

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

    def getUsage(self, width: int | None = None) -> str:
        example = f"\nExample: {self.example}\n" if self.example else ""
        return f"{super().getUsage(width)}{example}"


class TableOptions(HelpfulOptions):
    """
    A command line whose options stand in a table.

    A subclass names its `table`; Twisted's parser and the completion of shells are given it in their form.  None is the
    value of an option that is not given, so that the environment can say something about it.
    """

    table: ClassVar[tuple[Option, ...]] = ()
    #: Paragraphs for the beginning of the help.
    longdesc: ClassVar[str] = ""
    optParameters: ClassVar[list[list[Any]]] = []
    optFlags: ClassVar[list[list[Any]]] = []
    compData: ClassVar[usage.Completions]

    def __init_subclass__(cls) -> None:
        single = [option for option in cls.table if not option.repeats]
        cls.optParameters = [parameter(each) for each in single if not each.is_flag]
        cls.optFlags = [[each.name, None, each.plain_help] for each in single if each.is_flag]
        for option in cls.table:
            if option.repeats:
                setattr(cls, f"opt_{option.attribute}", _appender(option))
        cls.compData = usage.Completions(
            multiUse=[each.name for each in cls.table if each.repeats],
            optActions={
                each.name: usage.CompleteFiles(descr=each.placeholder) for each in cls.table if each.kind.files
            },
        )

    def __init__(self) -> None:
        super().__init__()
        for option in self.table:
            if option.repeats:
                self[option.name] = []

    def getUsage(self, width: int | None = None) -> str:
        """The help: what it is for, and the options in their groups."""
        width = width or int(os.environ.get("COLUMNS", "80"))
        paragraphs = ["", *(textwrap.fill(each, width) for each in self.longdesc.split("\n\n"))]
        for group in dict.fromkeys(option.group for option in self.table):
            rows = [_described(option, width) for option in self.table if option.group is group]
            paragraphs.append("\n".join([f"{group.title}:", *rows]))
        others = [_row("--help", "Print this help.", width), _row("--version", "Print the version.", width)]
        paragraphs.append("\n".join(["Other:", *others]))
        return "\n\n".join([*paragraphs, ""])


def parameter(option: Option) -> list[Any]:
    """An option with a value, as Twisted's `optParameters` hold it."""
    return [option.name, None, None, option.plain_help]


def _appender(option: Option) -> Callable[[Any, str], None]:
    """The method by which Twisted's parser tells that an option was given."""

    def append(self: Any, text: str) -> None:
        self[option.name].append(text)

    append.__doc__ = option.plain_help
    return append


def _described(option: Option, width: int) -> str:
    """An option in the help."""
    shown = f"--{option.name}={option.placeholder}" if option.placeholder else f"--{option.name}"
    default = f"default: {option.default}; " if option.default else ""
    variables = " or ".join(filter(None, (option.variable, option.also)))
    return _row(shown, f"{option.plain_help} [{default}environment: {variables}]", width)


def _row(left: str, right: str, width: int) -> str:
    """Two columns, of which the second wraps; it begins on a line of its own where the first is too wide."""
    indent = " " * _HELP_COLUMN
    lines = textwrap.wrap(right, max(width - _HELP_COLUMN, 20), break_long_words=False, break_on_hyphens=False)
    text = "\n".join(indent + line for line in lines)
    first = f"  {left}"
    if len(first) < _HELP_COLUMN - 1:
        return first.ljust(_HELP_COLUMN) + text[_HELP_COLUMN:]
    return f"{first}\n{text}"


def suggestion(wrong: str, known: Iterable[str], before: str = "") -> str:
    """
    Which of some names is probably meant, as the end of a message; empty where none is.

    :param before: what all names begin with, and is not compared.
    """
    by_spelling = {name.lower().replace("_", "-"): name for name in known}
    close = difflib.get_close_matches(wrong.lower().replace("_", "-"), by_spelling, 1, 0.6)
    return f"; did you mean {before}{by_spelling[close[0]]}?" if close else ""
