"""
Tests for :mod:`sttproxy.workers.team`: a worker gathers the numbers of all.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.monitor.merging import dump
from sttproxy.monitor.registry import Registry
from sttproxy.monitor.report import report
from sttproxy.workers.inquiry import ANSWER_S
from sttproxy.workers.team import Team

from ..support.requests import finished
from .test_facts import facts


class TeamTests(SynchronousTestCase):
    """A worker that is asked for the numbers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.sent: list[tuple[Any, ...]] = []
        self.team = Team(self.clock, lambda *message: self.sent.append(message))
        self.registry = self.counted(2)
        self.team.shows(self.registry, lambda: facts(1, True))

    def counted(self, requests: int) -> Registry:
        """A registry with some requests."""
        registry = Registry(self.clock.seconds)
        for _ in range(requests):
            ended = finished(self.clock.seconds())
            registry.begin(ended)
            registry.end(ended)
        return registry

    def total(self) -> int:
        """How many requests are shown."""
        total: int = report(self.team.numbers)["total_requests"]
        return total

    def test_gather(self) -> None:
        """All who ask at one time share one answer: the sum, what has ended, and what the supervisor knows."""
        numbers = self.team.numbers
        gathered = [self.team.gather() for _ in range(3)]
        self.assertEqual(self.sent, [("collect", 0)])
        answers = [(dump(self.counted(3)), facts(1, True)), (dump(self.counted(4)), facts(2, True))]
        self.team.whole(0, answers, dump(self.counted(5)), {"config": {"generation": 7}})
        for each in gathered:
            self.successResultOf(each)
        self.assertIs(self.team.numbers, numbers)
        self.assertEqual((self.total(), self.team.facts()["max_clients"]), (12, 3))
        self.assertEqual(self.team.facts()["config"], {"generation": 7})
        self.team.gather()
        self.assertEqual(len(self.sent), 2)

    def test_silent(self) -> None:
        """If the supervisor does not answer, the last numbers are shown; at first, those of this worker."""
        for _ in range(2):
            gathered = self.team.gather()
            self.clock.advance(2 * ANSWER_S)
            self.successResultOf(gathered)
            self.assertEqual(self.total(), 2)

    def test_tell(self) -> None:
        """A worker tells its own numbers."""
        self.team.tell(9)
        ((name, number, data, told),) = self.sent
        self.assertEqual((name, number, told), ("numbers", 9, facts(1, True)))
        self.assertEqual(data, dump(self.registry))

    def test_state(self) -> None:
        """How many workers there are is kept where ``/health`` looks."""
        state = self.team.state
        self.team.changed({"serving": 2})
        self.assertEqual(state, {"serving": 2})
