"""
Tests for :mod:`sttproxy.forms.boundary`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.forms.boundary import MIN_BOUNDARY, new_boundary


class BoundaryTests(SynchronousTestCase):
    """Boundaries that no file contains by guessing."""

    def test_new(self) -> None:
        """Each has the given length, only characters that RFC 2046 allows without quotes, and is new."""
        found = set()
        for size in (MIN_BOUNDARY, MIN_BOUNDARY + 1, 70):
            for _ in range(300):
                boundary = new_boundary(size)
                self.assertRegex(boundary, rb"\A[A-Za-z0-9_-]{%d}\Z" % size)
                found.add(boundary[-MIN_BOUNDARY:])
        self.assertEqual(len(found), 900)
