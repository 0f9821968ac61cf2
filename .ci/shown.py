"""
The command lines of sttproxy, as manual and shell completion show them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs

from sttproxy.commands import COMMANDS
from sttproxy.options import BY_NAME, OPTIONS, Option


@attrs.frozen
class ShownOption:
    """
    An option.

    :ivar names: with the dashes, the long one first.
    :ivar placeholder: stands for its value; empty: it has none.
    :ivar help: one paragraph.
    :ivar files: whether the value is the name of a file.
    :ivar words: all values that there are; empty: any.
    :ivar repeats: it may be given several times.
    """

    names: tuple[str, ...]
    placeholder: str
    help: str
    files: bool = False
    words: tuple[str, ...] = ()
    repeats: bool = False

    @property
    def brief(self) -> str:
        """The first sentence of the help, without its full stop."""
        return re.split(r"(?<=[^.])\.(?= [A-Z]|\Z)", self.help)[0]


@attrs.frozen
class ShownCommand:
    """
    A command.

    :ivar name: empty for the daemon.
    :ivar files: whether it takes the name of a file.
    """

    name: str
    synopsis: str
    text: str
    options: tuple[ShownOption, ...]
    files: bool = False


HELP = ShownOption(("--help",), "", "Print the help.")
VERSION = ShownOption(("--version",), "", "Print the version.")


def of_table(option: Option) -> ShownOption:
    """An option of the table."""
    kind = option.kind
    names = (f"--{option.name}",)
    return ShownOption(names, option.placeholder, option.plain_help, kind.files, kind.words, option.repeats)


def daemon() -> ShownCommand:
    """The daemon."""
    return ShownCommand("", "sttproxy [options]", "", (*map(of_table, OPTIONS), HELP, VERSION))


def commands() -> Iterator[ShownCommand]:
    """The commands that need no daemon."""
    for name, (options_of, _) in COMMANDS.items():
        options: Any = options_of()
        valued = {word.rstrip("=") for word in options.longOpt if word.endswith("=")}
        shown = []
        for long in (word.rstrip("=") for word in options.longOpt):
            if long in ("help", "version"):
                continue
            if long in BY_NAME:
                shown.append(of_table(BY_NAME[long]))
                continue
            names = [
                f"--{long}",
                *(f"-{each}" for each in options.synonyms if options.synonyms[each] == long and len(each) == 1),
            ]
            text = " ".join(options.docs[long].split())
            shown.append(
                ShownOption(tuple(names), "VALUE" if long in valued else "", text, repeats="May be repeated" in text)
            )
        synopsis = options.synopsis
        takes_file = bool(re.search(r"\bFILE\b", synopsis))
        yield ShownCommand(name, synopsis, options.longdesc, (*shown, HELP, VERSION), takes_file)
