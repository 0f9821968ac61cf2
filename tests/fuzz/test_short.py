"""
A short run of the strategies; of those for forms, a deterministic one.
"""

from __future__ import annotations

import random

from hypothesis import HealthCheck, given, settings
from twisted.trial.unittest import SynchronousTestCase

from . import connections
from .long import Tally, run_round
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
        self.assertGreater(tally.examples - tally.accepted, 50, "the strategies reach no refusal")


class ConnectionTests(SynchronousTestCase):
    """Sequences of HTTP/2 frames, others in each run."""

    def check(self, of_client: bool) -> None:
        """Run one short round; the message of a failure has its seed."""
        tally = connections.Tally(of_client)
        number = random.SystemRandom().randrange(1 << 32)
        try:
            run_round(tally, number, 200)
        except Exception as error:
            attackers = "clients" if of_client else "servers"
            command = f"python -m tests.fuzz.long {attackers} --seed {number} --examples 200"
            raise AssertionError(f"{command}: {error!r}") from error
        self.assertGreater(tally.heads, 30, "the strategies reach no responses")
        self.assertGreater(tally.ended, 10, "the strategies reach no errors")

    def test_clients(self) -> None:
        """Clients of any kind leave nothing behind and hurt no other one."""
        self.check(of_client=True)

    def test_servers(self) -> None:
        """So do servers."""
        self.check(of_client=False)
