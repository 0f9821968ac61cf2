"""
Tests for :mod:`sttproxy.clock`.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.selectreactor import SelectReactor
from twisted.python import runtime
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.clock import make_monotonic


class MonotonicTests(SynchronousTestCase):
    """A reactor of Twisted that does not run."""

    def setUp(self) -> None:
        self.reactor: Any = SelectReactor()
        self.addCleanup(self.reactor.removeAll)

    def test_needed(self) -> None:
        """Twisted uses the wall clock on POSIX.  If this fails, `sttproxy.clock` is no longer needed."""
        self.assertIs(runtime.seconds, time.time)
        self.assertIs(self.reactor.seconds, time.time)

    def test_monotonic(self) -> None:
        """The times of new delayed calls come from the monotonic clock."""
        make_monotonic(self.reactor)
        before = time.monotonic()
        call: DelayedCall = self.reactor.callLater(5, int)
        after = time.monotonic()
        self.assertTrue(before <= call.getTime() - 5 <= after, call.getTime())
        self.assertTrue(4 < self.reactor.timeout() <= 5)

    def test_pending(self) -> None:
        """Pending delayed calls keep their order and their remaining time."""
        calls = [self.reactor.callLater(seconds, int) for seconds in (30, 10, 0, 20)]
        self.reactor._insertNewDelayedCalls()
        calls.append(self.reactor.callLater(15, int))
        for _ in range(2):
            make_monotonic(self.reactor)
            left = [call.getTime() - time.monotonic() for call in calls]
            for found, wanted in zip(left, (30, 10, 0, 20, 15), strict=True):
                self.assertTrue(wanted - 5 < found <= wanted, (found, wanted))
        self.assertLessEqual(self.reactor.timeout(), 0)
