"""
Tests for :mod:`sttproxy.admission`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.admission import RETRY_AFTER_S, Admission
from sttproxy.errors import UpstreamBusy


class AdmissionTests(SynchronousTestCase):
    """The limit and the queue."""

    def ask(self, admission: Admission, count: int) -> list[Deferred[None]]:
        """Let a number of requests ask for admission."""
        return [admission.enter() for _ in range(count)]

    def inside(self, turns: list[Deferred[None]]) -> list[bool]:
        """Whether each request is admitted."""
        return [turn.called for turn in turns]

    def test_without_limit(self) -> None:
        """Without a limit all requests are admitted at once."""
        admission = Admission(0, 0)
        turns = self.ask(admission, 1000)
        self.assertEqual((set(self.inside(turns)), admission.waiting), ({True}, 0))
        for turn in turns:
            admission.leave(turn)

    def test_order(self) -> None:
        """Requests over the limit wait, and are admitted in their order when others leave."""
        admission = Admission(2, 10)
        turns = self.ask(admission, 5)
        self.assertEqual((self.inside(turns), admission.waiting), ([True, True, False, False, False], 3))
        admission.leave(turns[1])
        self.assertEqual((self.inside(turns), admission.waiting), ([True, True, True, False, False], 2))
        turns.append(admission.enter())
        admission.leave(turns[2])
        self.assertEqual((self.inside(turns), admission.waiting), ([True, True, True, True, False, False], 2))

    def test_room(self) -> None:
        """After all requests have left, the limit is available in full again."""
        admission = Admission(2, 10)
        for _ in range(3):
            turns = self.ask(admission, 6)
            for turn in turns:
                admission.leave(turn)
            self.assertEqual(admission.waiting, 0)
        self.assertEqual(self.inside(self.ask(admission, 3)), [True, True, False])

    def test_leaving_the_queue(self) -> None:
        """A request that leaves while it waits is never admitted."""
        admission = Admission(1, 10)
        turns = self.ask(admission, 4)
        admission.leave(turns[1])
        admission.leave(turns[3])
        self.assertEqual(admission.waiting, 1)
        admission.leave(turns[0])
        self.assertEqual(self.inside(turns), [True, False, True, False])
        admission.leave(turns[2])
        self.assertTrue(admission.enter().called)

    def test_full(self) -> None:
        """With a full queue a request is rejected with Retry-After; a freed place is available again."""
        for queue in (0, 2):
            admission = Admission(1, queue)
            turns = self.ask(admission, 1 + queue)
            error = self.assertRaises(UpstreamBusy, admission.enter)
            self.assertEqual((error.status, error.headers), (503, ((b"Retry-After", b"%d" % RETRY_AFTER_S),)))
            self.assertEqual(admission.waiting, queue)
            admission.leave(turns[-1])
            admission.enter()

    def test_leaving_at_once(self) -> None:
        """Thousands of requests that leave as soon as they are admitted do not cause recursion."""
        admission = Admission(1, 2000)
        first = admission.enter()
        turns = self.ask(admission, 2000)
        for turn in turns:
            turn.addCallback(lambda _, turn=turn: admission.leave(turn))
        admission.leave(first)
        self.assertEqual((set(self.inside(turns)), admission.waiting), ({True}, 0))
        self.assertTrue(admission.enter().called)
