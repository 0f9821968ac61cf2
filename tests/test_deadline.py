"""
Tests for :mod:`sttproxy.deadline`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.deadline import Deadline


class DeadlineTests(SynchronousTestCase):
    """A deadline that is set, moved, cleared and cancelled."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[float] = []
        self.deadline = Deadline(self.clock, lambda: self.expired.append(self.clock.seconds()))

    def step(self, seconds: float) -> None:
        """Advance the clock in steps of 0.125 seconds."""
        self.clock.pump([0.125] * round(seconds / 0.125))

    def test_once(self) -> None:
        """It expires once, at its moment, and leaves no delayed call."""
        self.deadline.set(2)
        self.step(10)
        self.assertEqual(self.expired, [2])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unset(self) -> None:
        """A deadline that was never set schedules nothing."""
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.deadline.clear()
        self.deadline.cancel()

    def test_later(self) -> None:
        """It can be moved later many times, with a single delayed call."""
        for _ in range(50):
            self.deadline.set(2)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            self.step(1)
        self.assertEqual(self.expired, [])
        self.step(2)
        self.assertEqual(self.expired, [51])

    def test_earlier(self) -> None:
        """It can be moved earlier."""
        self.deadline.set(10)
        self.step(1)
        self.deadline.set(2)
        self.step(20)
        self.assertEqual(self.expired, [3])

    def test_back_and_forth(self) -> None:
        """Only the last move counts."""
        for seconds in (10, 1, 5, 2, 4):
            self.deadline.set(seconds)
        self.step(20)
        self.assertEqual(self.expired, [4])

    def test_never(self) -> None:
        """After it is set to None, it does not expire."""
        self.deadline.set(2)
        self.deadline.set(None)
        self.step(10)
        self.assertEqual(self.expired, [])

    def test_clear(self) -> None:
        """After it is cleared, it does not expire, and it can be set again, earlier or later than before."""
        for seconds in (1, 5):
            self.deadline.set(3)
            self.deadline.clear()
            began = self.clock.seconds()
            self.deadline.set(seconds)
            self.step(10)
            self.assertEqual(self.expired.pop(), began + seconds)
            self.assertEqual(self.expired, [])

    def test_cancel(self) -> None:
        """After it is cancelled, no delayed call is pending, and it can be set again."""
        self.deadline.set(3)
        self.deadline.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.deadline.set(1)
        self.step(5)
        self.assertEqual(self.expired, [1])

    def test_set_when_expired(self) -> None:
        """The function that it calls can set or cancel it."""
        steps = [lambda: self.deadline.set(1), lambda: self.deadline.set(0), self.deadline.cancel]
        deadline = self.deadline = Deadline(
            self.clock, lambda: (self.expired.append(self.clock.seconds()), steps.pop(0)())
        )
        deadline.set(1)
        self.step(10)
        self.assertEqual(self.expired, [1, 2, 2])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_late_clock(self) -> None:
        """It expires even if the clock jumps far beyond its moment."""
        self.deadline.set(2)
        self.deadline.set(5)
        self.clock.advance(100)
        self.assertEqual(self.expired, [100])
