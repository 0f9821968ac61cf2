"""
Tests for :mod:`sttproxy.console`.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from twisted.scripts import twistd
from twisted.trial.unittest import SynchronousTestCase

from sttproxy import commands, console
from sttproxy.signals import ENDING, signals


class ConsoleTests(SynchronousTestCase):
    """The command ``sttproxy``."""

    def setUp(self) -> None:
        self.handlers: dict[int, Any] = {}
        self.patch(signal, "signal", self.handlers.__setitem__)
        self.addCleanup(signals.release)

    def test_signals(self) -> None:
        """Signal handlers are installed before the daemon starts; commands run with the default handlers."""
        before = signal.getsignal(signal.SIGINT)
        self.patch(sys, "argv", ["sttproxy"])
        self.patch(twistd, "run", lambda: None)
        console.main()
        self.assertTrue(all(self.handlers[number] == signals._caught for number in ENDING))
        self.patch(sys, "argv", ["sttproxy", "check"])
        self.patch(commands, "run", lambda *_: self.assertEqual(self.handlers[signal.SIGINT], before))
        self.assertRaises(SystemExit, console.main)

    def test_same_as_twistd(self) -> None:
        """Without a command it runs ``twistd -n sttproxy`` with the same options."""
        seen: list[list[str]] = []
        self.patch(sys, "argv", ["/somewhere/bin/sttproxy", "--port", "1", "--config", "a b.json"])
        self.patch(twistd, "run", lambda: seen.append(sys.argv))
        console.main()
        arguments = ["--port", "1", "--config", "a b.json"]
        self.assertEqual(seen, [["twistd", "--nodaemon", "sttproxy", *arguments]])

    def test_commands(self) -> None:
        """The first argument may name a command; it gets the other arguments, and its result is the exit status."""
        seen: list[tuple[str, list[str]]] = []

        def run(name: str, arguments: list[str]) -> int:
            seen.append((name, arguments))
            return 40 + len(seen)

        self.patch(commands, "run", run)
        self.patch(twistd, "run", lambda: self.fail("the daemon was started"))
        for number, name in enumerate(("check", "explain", "schema"), 41):
            self.patch(sys, "argv", ["/somewhere/bin/sttproxy", name, "--config", "check"])
            self.assertEqual(self.assertRaises(SystemExit, console.main).code, number)
            self.assertEqual(seen[-1], (name, ["--config", "check"]))

    def test_not_commands(self) -> None:
        """The name of a command in any other place does not run it."""
        self.patch(commands, "run", lambda *_: self.fail("a command was run"))
        for arguments in ([], ["--config", "check"], ["checks"], ["--help"], [""]):
            self.patch(sys, "argv", ["sttproxy", *arguments])
            seen: list[list[str]] = []
            self.patch(twistd, "run", lambda seen=seen: seen.append(sys.argv))
            console.main()
            self.assertEqual(seen, [["twistd", "--nodaemon", "sttproxy", *arguments]])
