"""
Tests for :mod:`sttproxy.forms.reserve`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.forms.reserve import Reserve


class ReserveTests(SynchronousTestCase):
    """The bytes that are kept."""

    def test_released(self) -> None:
        """Each share is released once, and what is kept to the end never is."""
        reserve = Reserve(100, {"a": 10, "b": 20}, {"a": [1], "c": [2, 2]})
        self.assertEqual(reserve.size, 135)
        for release, name, size in (
            (reserve.release_value, "a", 125),
            (reserve.release_value, "a", 125),
            (reserve.release_value, "c", 125),
            (reserve.release_name, "c", 123),
            (reserve.release_name, "a", 122),
            (reserve.release_name, "c", 120),
            (reserve.release_name, "c", 120),
            (reserve.release_name, "b", 120),
            (reserve.release_value, "b", 100),
        ):
            release(name)
            self.assertEqual(reserve.size, size, name)

    def test_each_form(self) -> None:
        """Two forms under the same rules share nothing."""
        names = {"a": [1, 1]}
        Reserve(0, {}, names).release_name("a")
        self.assertEqual(Reserve(0, {}, names).size, 2)
