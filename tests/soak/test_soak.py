"""
The soak in its short form.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.system import LINUX

from .run import soak


class Soak(SynchronousTestCase):
    """Some hundred requests."""

    def test_short(self) -> None:
        """After requests with random faults the daemon is in the same state as at the start."""
        report = soak(500, 1)
        self.assertGreaterEqual(report.requests, 500)
        self.assertEqual(report.faults, [], str(report))

    if not LINUX:
        test_short.skip = "only Linux tells a process's memory and files"  # type: ignore[attr-defined]
