"""
A terminal: the lines of the log, and below them one line about what happens now.
"""

from __future__ import annotations

import os
import unicodedata

from .destination import Clock, Own, Stream, text_line

#: Erases everything from the cursor on.
_ERASE = "\x1b[J"
#: Zero-width joiners and variation selectors have no width of their own.
_ZERO_WIDTH = frozenset({"Mn", "Me", "Cf"})


def width(text: str) -> int:
    """How many columns a text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(char: str) -> int:
    if unicodedata.category(char) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def fitted(text: str, columns: int) -> str:
    """A text that takes at most this many columns; an ellipsis stands for what is cut off."""
    if width(text) <= columns:
        return text
    taken = 0
    for index, char in enumerate(text):
        taken += _width(char)
        if taken > columns - 1:
            return text[:index] + "…" if columns > 0 else ""
    return text


class Terminal(Stream):
    """
    A terminal whose last line shows a status.

    The cursor rests at the beginning of the status.  Before a line of the log, everything from the cursor on is erased,
    so the log scrolls above the status and stays as it is.  When the terminal becomes narrower, it may wrap the status;
    the cursor still rests at its beginning.
    """

    def __init__(self, clock: Clock, fd: int, own: Own = text_line) -> None:
        super().__init__(clock, fd, own)
        self._status = ""

    def show(self, status: str) -> None:
        """
        Show a status in place of the one before; an empty one shows nothing.

        Does nothing while the terminal takes no bytes, or belongs to another process.
        """
        if self._pending or not self._in_foreground():
            return
        status = fitted(status, self._columns() - 1)
        if status or self._status:
            self._status = status
            super().write(self._drawn())

    def write(self, lines: str) -> None:
        if self._status:
            super().write(_ERASE + lines + self._drawn())
        else:
            super().write(lines)

    def close(self) -> None:
        if self._status:
            self._status = ""
            super().write(_ERASE)
        super().close()

    def _drawn(self) -> str:
        return f"{_ERASE}{self._status}\r" if self._status else _ERASE

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._fd).columns or 80
        except OSError:
            return 80

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return False
