"""
Tests for :mod:`sttproxy.handover.outcome`.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.handover.outcome import Outcome


class OutcomeTests(SynchronousTestCase):
    """The file beside the pidfile."""

    def setUp(self) -> None:
        self.outcome = Outcome(os.path.abspath(self.mktemp()))

    def test_not_expected(self) -> None:
        """Without a command that waits, nothing is written."""
        self.outcome.write("text")
        self.assertFalse(os.path.exists(self.outcome.path))
        self.outcome.forget()

    def test_expected(self) -> None:
        """A command reads what was written, and only when it is complete; what an earlier one has left is removed."""
        for text in ("why", ""):
            self.outcome.expect(os.geteuid())
            self.assertIsNone(self.outcome.read())
            self.outcome.write(text)
            self.assertEqual(self.outcome.read(), text)
        self.outcome.forget()
        self.assertIsNone(self.outcome.read())
