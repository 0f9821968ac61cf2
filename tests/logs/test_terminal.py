"""
Tests for :mod:`sttproxy.logs.terminal`, on a pseudo-terminal.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.logs.terminal import Terminal, fitted, width


class Screen:
    """
    What a terminal shows after some output: the lines, and the cursor.

    :ivar lines: complete lines and the one of the cursor, without blanks at the end.
    :ivar column: of the cursor.
    """

    def __init__(self, output: str) -> None:
        self.lines = [""]
        self.column = 0
        for part in re.findall(r"\x1b\[J|[\r\n]|[^\x1b\r\n]+", output):
            if part == "\x1b[J":
                self.lines[-1] = self.lines[-1][: self.column]
            elif part == "\r":
                self.column = 0
            elif part == "\n":
                self.lines.append("")
                self.column = 0
            else:
                line = self.lines[-1]
                self.lines[-1] = line[: self.column] + part + line[self.column + len(part) :]
                self.column += len(part)


class TerminalTests(SynchronousTestCase):
    """The status below the log."""

    def setUp(self) -> None:
        self.master, slave = pty.openpty()
        self.addCleanup(os.close, self.master)
        self.addCleanup(os.close, slave)
        os.set_blocking(self.master, False)
        self.clock = Clock()
        self.terminal = Terminal(self.clock, slave)
        self.addCleanup(os.close, self.terminal._fd)
        self.patch(Terminal, "_in_foreground", lambda self: True)
        self.resize(80)
        self.output = ""

    def resize(self, columns: int) -> None:
        """Change the size of the terminal."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def screen(self) -> Screen:
        """What the terminal shows."""
        while True:
            try:
                self.output += os.read(self.master, 65536).decode().replace("\r\n", "\n")
            except BlockingIOError:
                return Screen(self.output)

    def test_below(self) -> None:
        """The log scrolls above the status; no line of it changes, and the status is the last line."""
        self.terminal.write("before\n")
        self.terminal.show("a status that is longer than a line of the log")
        for number in range(3):
            self.terminal.write(f"line {number}\n")
            self.terminal.show(f"status {number}")
        screen = self.screen()
        self.assertEqual(screen.lines, ["before", "line 0", "line 1", "line 2", "status 2"])
        self.assertEqual(screen.column, 0, "the cursor must be where erasing begins, also if the terminal wraps")

    def test_cleared(self) -> None:
        """An empty status shows nothing, and neither does a terminal at the end."""
        for clear in (lambda: self.terminal.show(""), self.terminal.close):
            self.terminal.show("status")
            clear()
            self.terminal.write("line\n")
        self.assertEqual(self.screen().lines, ["line", "line", ""])

    def test_nothing(self) -> None:
        """Without a status, nothing but the log is written."""
        self.terminal.show("")
        self.terminal.write("line\n")
        self.screen()
        self.assertEqual(self.output, "line\n")

    def test_narrow(self) -> None:
        """The status is cut to the width that the terminal has at this moment."""
        for columns, shown in ((80, "0123456789"), (8, "012345…"), (2, "…"), (1, "")):
            self.resize(columns)
            self.terminal.show("0123456789")
            self.assertEqual(self.screen().lines, [shown])

    def test_background(self) -> None:
        """A process in the background leaves the terminal alone."""
        self.patch(Terminal, "_in_foreground", lambda self: False)
        self.terminal.show("status")
        self.assertEqual(self.screen().lines, [""])

    def test_full(self) -> None:
        """A terminal that takes no bytes gets no status."""
        self.patch(Terminal, "_put", lambda self, data, start: 0)
        self.terminal.write("line\n")
        self.terminal.show("status")
        self.assertEqual(len(self.terminal._pending), 1)


class WidthTests(SynchronousTestCase):
    """How many columns texts take."""

    def test_width(self) -> None:
        """Chinese characters and emoji take two columns, combining marks and joiners none."""
        for text, columns in (("", 0), ("abc", 3), ("中文", 4), ("ｆ", 2), ("e\u0301", 1), ("👩\u200d🚀", 4), ("…", 1)):
            self.assertEqual(width(text), columns, text)

    def test_fitted(self) -> None:
        """A text is cut between characters, and never takes more columns than there are."""
        for columns in range(12):
            for text in ("中文中文", "a中b文", "e\u0301" * 9, "x" * 20):
                cut = fitted(text, columns)
                self.assertLessEqual(width(cut), columns)
                self.assertTrue(text.startswith(cut.removesuffix("…")))
        self.assertEqual(fitted("中文中", 5), "中文…")
        self.assertEqual(fitted("中文中", 4), "中…")
        self.assertEqual(fitted("中文", 4), "中文")
