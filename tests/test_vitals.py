"""
Tests for :mod:`sttproxy.vitals`.
"""

from __future__ import annotations

import sys
from unittest import skipUnless

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sttproxy import vitals
from sttproxy.vitals import BEAT_S, Pulse, memory, memory_peak

_MIB = 1 << 20


class MemoryTests(SynchronousTestCase):
    """The memory of the process that runs the tests."""

    @skipUnless(sys.platform == "linux", "/proc shows it on Linux only")
    def test_now(self) -> None:
        """The memory is in bytes, and follows what is in use."""
        before = memory()
        held = b"x" * (64 * _MIB)
        after = memory()
        assert before is not None and after is not None
        self.assertGreater(before, 4 * _MIB)
        self.assertGreater(after - before, 32 * _MIB)
        self.assertEqual(len(held), 64 * _MIB)

    def test_peak(self) -> None:
        """The peak is in bytes, too, and never below the memory of this moment."""
        self.assertGreater(memory_peak(), 4 * _MIB)
        self.assertLess(memory_peak(), 1 << 40)
        self.patch(vitals, "memory", lambda: 1 << 41)  # the system may show more than its peak
        self.assertEqual(memory_peak(), 1 << 41)
        self.patch(vitals, "memory", lambda: None)
        self.assertLess(memory_peak(), 1 << 40)


class PulseTests(SynchronousTestCase):
    """A pulse."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.beats: list[float] = []
        self.pulse = Pulse(self.clock, self.beats.append)

    def test_beats(self) -> None:
        """It beats once a second, from its start to its stop."""
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.pulse.startService()
        self.clock.pump([BEAT_S] * 3)
        self.assertEqual(self.beats, [0.0] * 3)
        self.pulse.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(10)
        self.assertEqual(len(self.beats), 3)

    def test_again(self) -> None:
        """It can be started again, and stopped without a start."""
        self.pulse.stopService()
        for _ in range(2):
            self.pulse.startService()
            self.clock.advance(BEAT_S)
            self.pulse.stopService()
        self.assertEqual(self.beats, [0.0, 0.0])

    def test_late(self) -> None:
        """A beat tells by how much it is late; missed ones are not made up for, and the next comes a second later."""
        self.pulse.startService()
        self.clock.advance(BEAT_S + 2.5)
        self.clock.advance(BEAT_S)
        self.assertEqual(self.beats, [2.5, 0.0])

    def test_error(self) -> None:
        """An error is logged, and the pulse goes on."""

        def fail(late: float) -> None:
            self.beats.append(late)
            raise ZeroDivisionError

        pulse = Pulse(self.clock, fail)
        pulse.startService()
        self.clock.pump([BEAT_S] * 2)
        self.assertEqual(len(self.beats), 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        pulse.stopService()

    def test_stopped_by_beat(self) -> None:
        """A beat may stop the pulse."""
        pulse = Pulse(self.clock, lambda late: pulse.stopService())
        pulse.startService()
        self.clock.advance(BEAT_S)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])
