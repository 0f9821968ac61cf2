"""
Tests for :mod:`sttproxy.console`.
"""

from __future__ import annotations

import sys

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import console


class ConsoleTests(SynchronousTestCase):
    """The command ``sttproxy``."""

    def test_same_as_twistd(self) -> None:
        """It is ``twistd -n sttproxy`` with the same options, and leaves no pidfile."""
        seen: list[list[str]] = []
        self.patch(sys, "argv", ["/somewhere/bin/sttproxy", "--port", "1", "--config", "a b.json"])
        self.patch(console, "run", lambda: seen.append(sys.argv))
        console.main()
        arguments = ["--port", "1", "--config", "a b.json"]
        self.assertEqual(seen, [["twistd", "--nodaemon", "--pidfile=", "sttproxy", *arguments]])
