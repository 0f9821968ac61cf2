"""
The simulation of `bench.capacity` beside a real run.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench import replay
from bench.capacity import Demand


class ReplayTests(SynchronousTestCase):
    """A real sttproxy with a queue."""

    def test_compared(self) -> None:
        """All recordings of the simulation pass a real queue, and both waits are shown."""
        self.patch(replay, "COUNT", 30)
        lines = list(replay.compare(Demand(100, 10), 20, [1, 2], 2))
        self.assertIn("30 recordings", lines[0])
        self.assertEqual([line.count("|") for line in lines[2:]], [6] * 4)
