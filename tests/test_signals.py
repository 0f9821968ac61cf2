"""
Tests for :mod:`sttproxy.signals`, with a fake of `signal.signal`.
"""

from __future__ import annotations

import signal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.signals import ALL, ENDING, Signals


class SignalsTests(SynchronousTestCase):
    """Signals before and after the callback is set."""

    def setUp(self) -> None:
        self.handlers: dict[int, Any] = dict.fromkeys(ALL, signal.SIG_DFL)
        self.patch(signal, "signal", self.handlers.__setitem__)
        self.patch(signal, "getsignal", self.handlers.__getitem__)
        self.signals = Signals()
        self.signals.catch()

    def receive(self, number: int) -> None:
        """Deliver a signal to its handler."""
        self.assertTrue(callable(self.handlers[number]), f"{number} kills")
        self.handlers[number](number, None)

    def test_early(self) -> None:
        """The callback is called for signals that came before it was set, in their order, and for later ones."""
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
        """The second equal stop signal ends a start that hangs."""
        for number in ENDING:
            self.receive(number)
            self.assertEqual(self.handlers[number], signal.SIG_DFL)
        self.signals.act(lambda _: None)
        for number in ENDING:
            self.receive(number)

    def test_others_handlers(self) -> None:
        """Handlers that other code has installed are replaced when the callback is set."""
        self.handlers[signal.SIGTERM] = signal.SIG_IGN
        acted: list[int] = []
        self.signals.act(acted.append)
        self.receive(signal.SIGTERM)
        self.assertEqual(acted, [signal.SIGTERM])

    def test_release(self) -> None:
        """Release restores the previous handlers and drops stored signals."""
        self.receive(signal.SIGHUP)
        self.signals.catch()
        self.signals.release()
        self.assertEqual(set(self.handlers.values()), {signal.SIG_DFL})
        acted: list[int] = []
        self.signals.act(acted.append)
        self.assertEqual(acted, [])
