"""
Tests for :mod:`sttproxy.signals`, the system's handlers in the test's hands.
"""

from __future__ import annotations

import signal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.signals import ENDING, MEANINGLESS, REOPENING, Signals

ALL = (*ENDING, *REOPENING, *MEANINGLESS)


class SignalsTests(SynchronousTestCase):
    """Signals that come at any time."""

    def setUp(self) -> None:
        self.handlers: dict[int, Any] = dict.fromkeys(ALL, signal.SIG_DFL)
        self.patch(signal, "signal", self.handlers.__setitem__)
        self.patch(signal, "getsignal", self.handlers.__getitem__)
        self.signals = Signals()
        self.signals.catch()

    def receive(self, number: int) -> None:
        """Have a signal come."""
        self.assertTrue(callable(self.handlers[number]), f"{number} kills")
        self.handlers[number](number, None)

    def test_early(self) -> None:
        """Those that come early are acted on in their order as soon as somebody does, and those that come later too."""
        acted: list[int] = []
        early = [signal.SIGHUP, signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM]
        for number in early:
            self.receive(number)
        self.signals.act(acted.append)
        self.assertEqual(acted, early)
        for number in ALL:
            self.receive(number)
        self.assertEqual(acted, [*early, *ALL])

    def test_impatience(self) -> None:
        """A start that hangs can be ended: the second signal of those that end does it."""
        for number in ENDING:
            self.receive(number)
            self.assertEqual(self.handlers[number], signal.SIG_DFL)
        self.signals.act(lambda _: None)
        for number in ENDING:
            self.receive(number)

    def test_others_handlers(self) -> None:
        """What others have put in place meanwhile is replaced when somebody acts."""
        self.handlers[signal.SIGTERM] = signal.SIG_IGN
        acted: list[int] = []
        self.signals.act(acted.append)
        self.receive(signal.SIGTERM)
        self.assertEqual(acted, [signal.SIGTERM])

    def test_release(self) -> None:
        """All can be as it was before."""
        self.receive(signal.SIGHUP)
        self.signals.catch()
        self.signals.release()
        self.assertEqual(set(self.handlers.values()), {signal.SIG_DFL})
        acted: list[int] = []
        self.signals.act(acted.append)
        self.assertEqual(acted, [])
