"""
A short, deterministic run of the strategies.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from twisted.trial.unittest import SynchronousTestCase

from .long import Tally
from .strategies import Attempt, attempts


class ShortTests(SynchronousTestCase):
    """The same as a long run, for seconds."""

    def test_attempts(self) -> None:
        """A form is refused, or every parser reads only the configured values of ruled fields."""
        tally = Tally()

        @settings(
            max_examples=500,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(attempts())
        def check(attempt: Attempt) -> None:
            tally.check(attempt)

        check()
        self.assertGreater(tally.accepted, 100, "the strategies reach nothing but refusals")
        self.assertGreater(tally.bodies - tally.accepted, 50, "the strategies reach no refusal")
