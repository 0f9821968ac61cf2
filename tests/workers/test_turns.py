"""
Tests for :mod:`sttproxy.workers.turns`: both sides, with messages that arrive when the test says so.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.admission import Admission
from sttproxy.errors import UpstreamBusy
from sttproxy.workers.turns import MemberTurns, SharedAdmission


class Worker:
    """A worker, and what the supervisor has of it."""

    def __init__(self, admission: Admission) -> None:
        self.sent: deque[tuple[Any, ...]] = deque()
        self.received: deque[tuple[Any, ...]] = deque()
        self.shared = SharedAdmission(lambda *message: self.sent.append(message))
        self.turns = MemberTurns(admission, lambda *message: self.received.append(message))

    def settle(self) -> None:
        """Deliver all messages."""
        while self.sent or self.received:
            if self.sent:
                name, number = self.sent.popleft()
                getattr(self.turns, name)(number)
            if self.received:
                name, *arguments = self.received.popleft()
                getattr(self.shared, name)(*arguments)


class TurnsTests(SynchronousTestCase):
    """Two workers with one turn, and room for one that waits."""

    def setUp(self) -> None:
        self.admission = Admission(1, 1)
        self.first, self.second = Worker(self.admission), Worker(self.admission)

    def settle(self) -> None:
        """Deliver all messages of both."""
        for worker in (self.first, self.second, self.first):
            worker.settle()

    def test_order(self) -> None:
        """The second waits until the first has ended, whichever worker they are in; a third is rejected."""
        held, waits = self.first.shared.enter(), self.second.shared.enter()
        self.settle()
        self.assertTrue(held.called)
        self.assertFalse(waits.called)
        self.assertEqual((self.first.shared.waiting, self.second.shared.waiting), (0, 1))
        rejected = self.first.shared.enter()
        self.settle()
        error = self.failureResultOf(rejected, UpstreamBusy).value
        self.assertEqual(error.headers, ((b"Retry-After", b"10"),))
        self.first.shared.leave(rejected)
        self.first.shared.leave(held)
        self.settle()
        self.assertTrue(waits.called)
        self.second.shared.leave(waits)
        self.settle()
        self.assertEqual((len(self.admission._inside), self.admission.waiting), (0, 0))

    def test_leaves_first(self) -> None:
        """A request that ends before its turn has arrived gives it back."""
        turn = self.first.shared.enter()
        self.first.turns.enter(*self.first.sent.popleft()[1:])
        self.first.shared.leave(turn)
        self.settle()
        self.assertFalse(turn.called)
        self.assertEqual(len(self.admission._inside), 0)

    def test_worker_ends(self) -> None:
        """A worker that ends gives all of its turns back."""
        self.first.shared.enter()
        waits = self.second.shared.enter()
        self.settle()
        self.first.turns.leave_all()
        self.settle()
        self.assertTrue(waits.called)
