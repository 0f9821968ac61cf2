"""
The soak in its short form.
"""

from __future__ import annotations

import shutil
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.system import LINUX

from .run import soak
from .year import year


class Soak(SynchronousTestCase):
    """Some hundred requests."""

    def test_short(self) -> None:
        """After requests with random faults the daemon is in the same state as at the start."""
        report = soak(500, 1)
        self.assertGreaterEqual(report.requests, 500)
        self.assertEqual(report.faults, [], str(report))

    def test_days(self) -> None:
        """After some days of edits, rotations, renewals and restarts the daemon is as it was."""
        folder = tempfile.mkdtemp(prefix="stt-year-")
        self.addCleanup(shutil.rmtree, folder)
        report = year(folder, 5)
        self.assertEqual(report.faults, [], str(report))

    if not LINUX:
        skip = "only Linux tells a process's memory and files"
