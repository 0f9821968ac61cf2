"""
Tests for :mod:`sttproxy.upstream.pool`: the limit on the total number of connections.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from sttproxy.errors import UpstreamBusy, UpstreamUnreachable
from sttproxy.upstream.connection import UpstreamConnection
from sttproxy.upstream.pool import PoolLimits

from ..support.stage import ok
from .exchange import Body, FakeOutgoing
from .test_pool import PoolTestCase


class TotalTests(PoolTestCase):
    """The number of connections is limited; further requests wait."""

    def setUp(self) -> None:
        super().setUp()
        self.set_up(PoolLimits(total=2, wait_s=30.0))

    def test_waits(self) -> None:
        """Over the limit a request waits for the next connection that is released."""
        _, two = self.acquire(), self.acquire()
        waiting = self.pool.acquire()
        self.assertNoResult(waiting)
        self.use_and_release(two)
        self.assertIs(self.successResultOf(waiting), two)
        self.assertEqual(len(self.upstream.peers), 2)

    def test_nobody_pushes_in(self) -> None:
        """While a request waits, acquire_idle returns no connection, whatever happens meanwhile."""
        one, _ = self.acquire(), self.acquire()
        taken: list[UpstreamConnection | None] = []
        waiting = [self.pool.acquire() for _ in range(2)]
        waiting[0].addCallback(lambda _: taken.append(self.pool.acquire_idle()))
        self.use_and_release(one)
        self.assertEqual(taken, [None])
        waiting[1].addErrback(lambda _: None).cancel()

    def test_handed_over(self) -> None:
        """A released connection goes to a waiting request also if the pool keeps no idle connections."""
        self.set_up(PoolLimits(size=0, total=1))
        connection = self.acquire()
        waiting = self.pool.acquire()
        self.use_and_release(connection)
        self.assertIs(self.successResultOf(waiting), connection)

    def test_order(self) -> None:
        """Waiting requests are served in the order of arrival, before new ones."""
        connections = [self.acquire(), self.acquire()]
        waiting = [self.pool.acquire() for _ in range(4)]
        for number in range(4):
            self.use_and_release(connections[number % 2])
            for turn, acquiring in enumerate(waiting):
                self.assertEqual(acquiring.called, turn <= number)

    def test_connecting_counts(self) -> None:
        """A connection attempt counts."""
        self.upstream.at_once = False
        acquirings = [self.pool.acquire() for _ in range(3)]
        self.assertEqual(len(self.upstream.attempts), 2)
        self.upstream.accept()
        self.successResultOf(acquirings[0])
        self.assertEqual(len(self.upstream.attempts), 1)
        self.upstream.accept()
        self.successResultOf(acquirings[1])
        self.assertNoResult(acquirings[2])
        acquirings[2].addErrback(lambda _: None)
        acquirings[2].cancel()

    def test_lost(self) -> None:
        """If a connection is lost, or an attempt fails, the next waiting request may make one."""
        one, _ = self.acquire(), self.acquire()
        waiting, further = self.pool.acquire(), self.pool.acquire()
        self.upstream.at_once = False
        self.peer(one).close()
        self.assertEqual(len(self.upstream.attempts), 1)
        self.upstream.refuse(UpstreamUnreachable("nobody there"))
        self.failureResultOf(waiting, UpstreamUnreachable)
        self.upstream.accept()
        self.successResultOf(further)

    def test_spoiled(self) -> None:
        """If a connection is closed after its request, the next waiting request may make one."""
        one, _ = self.acquire(), self.acquire()
        waiting = self.pool.acquire()
        one.request(FakeOutgoing()).addCallback(Body)
        self.peer(one).send(ok(b"hi", b"Connection: close"))
        self.assertIs(self.successResultOf(waiting), self.upstream.peers[2].protocol)

    def test_too_long(self) -> None:
        """A request that has waited too long gets 503 with Retry-After; the others go on waiting."""
        connections = [self.acquire(), self.acquire()]
        first = self.pool.acquire()
        self.reactor.advance(10)
        second = self.pool.acquire()
        self.reactor.advance(19.9)
        self.assertNoResult(first)
        self.reactor.advance(0.2)
        error = self.failureResultOf(first, UpstreamBusy).value
        self.assertEqual((error.status, error.headers), (503, ((b"Retry-After", b"1"),)))
        self.assertNoResult(second)
        self.use_and_release(connections[0])
        self.assertIs(self.successResultOf(second), connections[0])

    def test_for_ever(self) -> None:
        """The wait can be unlimited."""
        self.set_up(PoolLimits(total=1, wait_s=None))
        connection = self.acquire()
        waiting = self.pool.acquire()
        self.reactor.advance(1e6)
        self.assertNoResult(waiting)
        self.use_and_release(connection)
        self.successResultOf(waiting)

    def test_limit_does_not_count_connecting(self) -> None:
        """The limit on waiting does not cover the connection attempt after it, or the request."""
        one, _ = self.acquire(), self.acquire()
        waiting = self.pool.acquire()
        self.upstream.at_once = False
        self.peer(one).close()
        self.reactor.advance(60)
        self.assertNoResult(waiting)
        self.upstream.accept()
        self.successResultOf(waiting)

    def test_leaves(self) -> None:
        """A cancelled request in the queue is skipped."""
        connections = [self.acquire(), self.acquire()]
        waiting: list[Deferred[UpstreamConnection]] = [self.pool.acquire() for _ in range(3)]
        waiting[1].cancel()
        self.failureResultOf(waiting[1], CancelledError)
        self.assertEqual(len(self.reactor.pending()), 2)
        self.use_and_release(connections[0])
        self.use_and_release(connections[1])
        self.assertEqual([self.successResultOf(waiting[0]), self.successResultOf(waiting[2])], connections)

    def test_leaves_while_connecting(self) -> None:
        """If a request is cancelled during its connection attempt, the next one takes its place."""
        one, _ = self.acquire(), self.acquire()
        waiting, further = self.pool.acquire(), self.pool.acquire()
        self.upstream.at_once = False
        self.peer(one).close()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(len(self.upstream.attempts), 1)
        self.upstream.accept()
        self.successResultOf(further)

    def test_resting_ones_make_room(self) -> None:
        """Idle connections count towards the total: they are used before new ones are made."""
        one, two = self.acquire(), self.acquire()
        self.use_and_release(one, two)
        self.assertEqual({self.acquire(), self.acquire()}, {one, two})
        self.assertEqual(self.open_peers(), 2)

    def test_many(self) -> None:
        """Hundreds of waiting requests whose connection attempts fail at once fail without recursion."""
        self.set_up(PoolLimits(total=1))
        connection = self.acquire()

        def refuse(_: object) -> Deferred[UpstreamConnection]:
            failed: Deferred[UpstreamConnection] = Deferred()
            failed.errback(UpstreamUnreachable("nobody there"))
            return failed

        waiting = [self.pool.acquire() for _ in range(1000)]
        self.pool._connect = refuse  # type: ignore[assignment]
        self.peer(connection).close()
        for acquiring in waiting:
            self.failureResultOf(acquiring, UpstreamUnreachable)
