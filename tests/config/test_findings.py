"""
Tests for :mod:`sttproxy.config.findings`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import Finding
from sttproxy.config.findings import MAX_FINDINGS, Findings


class FindingsTests(SynchronousTestCase):
    """Errors or warnings of one reading."""

    def test_full(self) -> None:
        """Once the largest number is reached it stays reached, although some are added without a look at it."""
        findings = Findings()
        for number in range(MAX_FINDINGS + 2):
            self.assertEqual(findings.full, number >= MAX_FINDINGS)
            findings.add(Finding(str(number), "f"))
            findings.add(Finding(str(number), "f"))
        self.assertTrue(findings.full)

    def test_counted(self) -> None:
        """Those that were only counted are told as a number."""
        findings = Findings()
        findings.add(Finding("a", "f"))
        for _ in range(3):
            findings.count()
        self.assertEqual([str(each) for each in findings.sorted("errors")][-1], "f: and 3 more errors")
