"""
Tests for :mod:`bench.capacity`, with what the theory of queues says.
"""

from __future__ import annotations

import contextlib
import io
import math
import random
from statistics import mean, pstdev

from twisted.trial.unittest import SynchronousTestCase

from bench.capacity import Demand, Job, busy, jobs, longest_queue, main, quantile, shown, waits

from ..support.documents import Document


def erlang_c(servers: int, load: float) -> float:
    """
    The share of jobs that wait, for exponential times (Erlang's C formula).

    :param load: mean number of servers that are busy.
    """
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(load**number / math.factorial(number) for number in range(servers)) + last)


class QueueTests(SynchronousTestCase):
    """The queue."""

    def test_order(self) -> None:
        """The first job of the queue gets the first server that is free."""
        arrived = [Job(0, 10), Job(1, 2), Job(2, 5), Job(3, 1), Job(20, 1)]
        self.assertEqual(waits(arrived, 1), [0, 9, 10, 14, 0])
        self.assertEqual(waits(arrived, 2), [0, 0, 1, 5, 0])
        self.assertEqual(waits(arrived, 5), [0] * 5)

    def test_longest(self) -> None:
        """The longest queue counts those that wait, not those that are served."""
        arrived = [Job(0, 10), Job(1, 2), Job(2, 5), Job(3, 1)]
        self.assertEqual(longest_queue(arrived, waits(arrived, 1)), 3)
        self.assertEqual(longest_queue(arrived, waits(arrived, 4)), 0)
        after = [Job(0, 1), Job(0, 1), Job(1, 1), Job(1, 1)]
        self.assertEqual(longest_queue(after, waits(after, 1)), 2)

    def test_theory(self) -> None:
        """With exponential times, the waits are those of Erlang's formula."""
        chance = random.Random(7)
        for servers, load in ((1, 0.7), (2, 1.5), (5, 4.0)):
            moment, arrived = 0.0, []
            for _ in range(200_000):
                moment += chance.expovariate(load)
                arrived.append(Job(moment, chance.expovariate(1)))
            waited = waits(arrived, servers)
            expected = erlang_c(servers, load)
            self.assertApproximates(sum(wait > 0 for wait in waited) / len(waited), expected, 0.02)
            self.assertApproximates(mean(waited) / (expected / (servers - load)), 1, 0.1)
            self.assertApproximates(busy(arrived, servers), load / servers, 0.02)

    def test_lengths(self) -> None:
        """The lengths have the mean and the spread that were asked for, and the same seed brings the same jobs."""
        for spread in (0.0, 0.5, 1.0):
            arrived = jobs(Demand(3600, 10, spread), 20, 100_000)
            takes = [job.takes for job in arrived]
            self.assertApproximates(mean(takes), 30, 0.5)
            self.assertApproximates(pstdev(takes) / 30, spread, 0.1)
            self.assertApproximates(arrived[-1].arrives, 100_000, 2000)
        self.assertEqual(jobs(Demand(60, 10), 20, 9), jobs(Demand(60, 10), 20, 9))

    def test_quantile(self) -> None:
        """A quantile is one of the values."""
        self.assertEqual([quantile([3.0, 1.0, 2.0, 4.0], share) for share in (0, 0.5, 0.99, 1)], [1, 3, 4, 4])

    def test_shown(self) -> None:
        """Times are in seconds or minutes."""
        self.assertEqual([shown(0.4), shown(119.4), shown(150)], ["0 s", "119 s", "2 min"])


class CommandTests(SynchronousTestCase):
    """The command."""

    def test_table(self) -> None:
        """One row for each number of servers; too few servers have no waits, but a queue without end."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            main(["--per-hour", "300", "--servers", "1", "3", "--count", "2000"])
        lines = output.getvalue().splitlines()
        self.assertEqual(len(lines), 4)
        self.assertEqual({line.count("|") for line in lines}, {9})
        self.assertIn("∞", lines[2])
        self.assertNotIn("∞", lines[3])


class DocumentTests(SynchronousTestCase):
    """docs/scaling.md"""

    def test_tables(self) -> None:
        """The commands print the tables that the document shows."""
        shown = [block.text for block in Document("docs/scaling.md").blocks if "bench.capacity" in block.text]
        self.assertEqual(len(shown), 2)
        for text in shown:
            command, _, table = text.partition("\n")
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                main(command.removeprefix("$ python -m bench.capacity ").split())
            self.assertEqual(output.getvalue(), table)
