"""
Command lines: converts the table of options for Twisted's parser, prints the help in groups, suggests names for typos.
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
    A command line that prints the version of sttproxy, not Twisted's, and suggests an option for an unknown one.
    """

    #: An example command line, which the help shows at the end.
    example: ClassVar[str] = ""

    def parseOptions(self, options: list[str] | None = None) -> None:
        """
        Read a command line.

        :raises UsageError: when the command line is wrong.  The message suggests a name for an unknown option.
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
    A command line whose options come from a table.

    A subclass sets `table`.  This class converts it for Twisted's parser and for shell completion.  An option that is
    not given has the value None, so that the environment or the default can supply it.
    """

    table: ClassVar[tuple[Option, ...]] = ()
    #: The paragraphs at the beginning of the help, separated by blank lines.
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
        """The help: the description, and the options in their groups."""
        width = width or int(os.environ.get("COLUMNS", "80"))
        paragraphs = ["", *(textwrap.fill(each, width) for each in self.longdesc.split("\n\n"))]
        for group in dict.fromkeys(option.group for option in self.table):
            rows = [_described(option, width) for option in self.table if option.group is group]
            paragraphs.append("\n".join([f"{group.title}:", *rows]))
        others = [_row("--help", "Print this help.", width), _row("--version", "Print the version.", width)]
        paragraphs.append("\n".join(["Other:", *others]))
        return "\n\n".join([*paragraphs, ""])


def parameter(option: Option) -> list[Any]:
    """An option with a value, as an element of Twisted's `optParameters`."""
    return [option.name, None, None, option.plain_help]


def _appender(option: Option) -> Callable[[Any, str], None]:
    """The method that Twisted's parser calls for each occurrence of an option that repeats."""

    def append(self: Any, text: str) -> None:
        self[option.name].append(text)

    append.__doc__ = option.plain_help
    return append


def _described(option: Option, width: int) -> str:
    """The lines of one option in the help."""
    shown = f"--{option.name}={option.placeholder}" if option.placeholder else f"--{option.name}"
    default = f"default: {option.default}; " if option.default else ""
    variables = " or ".join(filter(None, (option.variable, option.also)))
    return _row(shown, f"{option.plain_help} [{default}environment: {variables}]", width)


def _row(left: str, right: str, width: int) -> str:
    """Two columns.  The second one wraps, and begins on a new line if the first one is too wide."""
    indent = " " * _HELP_COLUMN
    lines = textwrap.wrap(right, max(width - _HELP_COLUMN, 20), break_long_words=False, break_on_hyphens=False)
    text = "\n".join(indent + line for line in lines)
    first = f"  {left}"
    if len(first) < _HELP_COLUMN - 1:
        return first.ljust(_HELP_COLUMN) + text[_HELP_COLUMN:]
    return f"{first}\n{text}"


def suggestion(wrong: str, known: Iterable[str], before: str = "") -> str:
    """
    The end of a message that suggests the most similar of some names; empty if no name is similar.

    :param wrong: the unknown name.
    :param known: the valid names, without ``before``.
    :param before: a prefix of the valid names, which is shown and not compared.
    """
    by_spelling = {name.lower().replace("_", "-"): name for name in known}
    close = difflib.get_close_matches(wrong.lower().replace("_", "-"), by_spelling, 1, 0.6)
    return f"; did you mean {before}{by_spelling[close[0]]}?" if close else ""
