"""
Tests for :mod:`sttproxy.upstream.pool`: which connection is acquired, and for how long each may be idle.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import CancelledError

from sttproxy.errors import UpstreamClosed, UpstreamUnreachable
from sttproxy.upstream.connection import UpstreamConnection
from sttproxy.upstream.pool import Pool, PoolLimits
from sttproxy.writer import FlushScheduler

from ..support.fakes import Ending, FakeUpstream, Peer
from ..support.stage import MemoryTestCase, ok
from .exchange import Body, FakeOutgoing


class PoolTestCase(MemoryTestCase):
    """Base class: one pool, and the upstream that it connects to."""

    def setUp(self) -> None:
        super().setUp()
        self.set_up(PoolLimits())

    def set_up(self, limits: PoolLimits) -> None:
        """Create another pool, and check that the one before has no work left."""
        self.upstream = FakeUpstream(self.reactor)
        self.pool = Pool(self.reactor, self.upstream.connect, limits, FlushScheduler(self.reactor))

    def acquire(self) -> UpstreamConnection:
        """Return a connection that is available at once."""
        return self.successResultOf(self.pool.acquire())

    def peer(self, connection: UpstreamConnection) -> Peer:
        """Return the upstream's end of a connection."""
        return next(peer for peer in self.upstream.peers if peer.protocol is connection)

    def use_and_release(self, *connections: UpstreamConnection) -> None:
        """Let each connection carry a request, so that it is released."""
        for connection in connections:
            connection.request(FakeOutgoing()).addCallback(Body)
            self.peer(connection).send(ok())

    def open_peers(self) -> int:
        """Return the number of connections that the upstream has."""
        return len([peer for peer in self.upstream.peers if peer.ending is Ending.OPEN])

    def tearDown(self) -> None:
        self.pool.close()
        for peer in self.upstream.peers:
            peer.close()
        self.assertFalse(self.pool.busy)
        self.assert_nothing_left()


class AcquireTests(PoolTestCase):
    """Which connection is acquired."""

    def test_new(self) -> None:
        """If no connection is idle, a new one is made."""
        connections = {self.acquire(), self.acquire()}
        self.assertEqual({peer.protocol for peer in self.upstream.peers}, connections)
        self.assertTrue(self.pool.busy)

    def test_again(self) -> None:
        """A released connection is acquired again."""
        connection = self.acquire()
        self.use_and_release(connection)
        self.assertFalse(self.pool.busy)
        self.assertIs(self.acquire(), connection)
        self.assertEqual(len(self.upstream.peers), 1)

    def test_at_once(self) -> None:
        """acquire_idle returns only an idle connection that is still usable."""
        self.assertIsNone(self.pool.acquire_idle())
        connection = self.acquire()
        self.assertIsNone(self.pool.acquire_idle())
        self.use_and_release(connection)
        self.assertIs(self.pool.acquire_idle(), connection)
        self.assertTrue(self.pool.busy)
        self.use_and_release(connection)
        self.peer(connection).socket.arriving.append(b"")
        self.assertIsNone(self.pool.acquire_idle())
        self.assertEqual(len(self.upstream.peers), 1)

    def test_most_recent(self) -> None:
        """The most recently used connection is acquired first: the others are closer to their timeout."""
        one, two, three = (self.acquire() for _ in range(3))
        for connection in (two, three, one):
            self.use_and_release(connection)
            self.reactor.advance(0.1)
        self.assertEqual([self.acquire(), self.acquire(), self.acquire()], [one, three, two])

    def test_lost_in_use(self) -> None:
        """A connection that is lost while in use is not released."""
        connection = self.acquire()
        self.peer(connection).close()
        self.assertFalse(self.pool.busy)
        self.assertIsNot(self.acquire(), connection)

    def test_closed_by_upstream(self) -> None:
        """A connection that the upstream closed while idle is not acquired, whether or not the close has been read."""
        for read in (True, False):
            connection = self.acquire()
            self.use_and_release(connection)
            self.reactor.advance(2)
            if read:
                self.peer(connection).close()
            else:
                self.peer(connection).socket.arriving.append(b"")
            other = self.acquire()
            self.assertIsNot(other, connection)
            self.reactor.settle()
            self.assertEqual(self.open_peers(), 1)
            self.peer(other).close()

    def test_spoken_to(self) -> None:
        """A connection with unsolicited bytes is not acquired."""
        connection = self.acquire()
        self.use_and_release(connection)
        self.peer(connection).socket.arriving.append(ok())
        other = self.acquire()
        self.assertIsNot(other, connection)
        self.reactor.settle()
        self.assertNotEqual(self.peer(connection).ending, Ending.OPEN)

    def test_only_the_bad_ones(self) -> None:
        """A usable connection below unusable ones is found."""
        one, two = self.acquire(), self.acquire()
        self.use_and_release(one, two)
        self.peer(two).socket.arriving.append(b"")
        self.assertIs(self.acquire(), one)

    def test_unreachable(self) -> None:
        """A connection failure fails the request, and the connection is not counted."""
        self.set_up(PoolLimits(total=1))
        self.upstream.at_once = False
        for _ in range(3):
            acquiring = self.pool.acquire()
            self.upstream.refuse(UpstreamUnreachable("nobody there"))
            self.failureResultOf(acquiring, UpstreamUnreachable)
        self.assertFalse(self.pool.busy)

    def test_cancelled_connecting(self) -> None:
        """A request that is cancelled during its connection attempt leaves no state."""
        self.set_up(PoolLimits(total=1))
        self.upstream.at_once = False
        acquiring = self.pool.acquire()
        acquiring.cancel()
        self.failureResultOf(acquiring, CancelledError)
        self.assertEqual(self.upstream.attempts, [])
        self.upstream.at_once = True
        self.acquire()


class IdleTests(PoolTestCase):
    """How long connections are idle, and how many."""

    def test_defaults(self) -> None:
        """By default they are idle for less than uvicorn's five seconds, and their total number is unlimited."""
        self.assertEqual(attrs.astuple(PoolLimits()), (32, 4.0, 0, 30.0, 60.0))

    def test_expiry(self) -> None:
        """Each connection is closed after its idle timeout."""
        one, two = self.acquire(), self.acquire()
        self.use_and_release(one)
        self.reactor.advance(2)
        self.use_and_release(two)
        self.reactor.advance(1.9)
        self.assertEqual(self.open_peers(), 2)
        self.reactor.advance(0.2)
        self.assertEqual((self.open_peers(), self.peer(one).ending), (1, Ending.CLOSED))
        self.reactor.advance(1.8)
        self.assertEqual(self.open_peers(), 1)
        self.reactor.advance(0.2)
        self.assertEqual(self.open_peers(), 0)
        self.assertEqual(self.reactor.pending(), [])

    def test_announced(self) -> None:
        """
        If the upstream announces its timeout, the connection is closed a second earlier, but never later than usual.
        """
        for announced, idle_for_s in ((b"timeout=3", 2), (b"timeout=60, max=9", 4), (b"max=5", 4), (b"timeout=1", 0)):
            self.set_up(PoolLimits())
            one, two = self.acquire(), self.acquire()
            self.use_and_release(one)
            two.request(FakeOutgoing()).addCallback(Body)
            self.peer(two).send(ok(b"", b"Keep-Alive: " + announced))
            if idle_for_s:
                self.reactor.advance(idle_for_s - 0.1)
                self.assertEqual(self.open_peers(), 2, announced)
                self.reactor.advance(0.2)
            self.assertEqual((self.open_peers(), self.pool.acquire_idle()), (0, None), announced)
            self.pool.close()

    def test_announced_anew(self) -> None:
        """The last announcement counts."""
        connection = self.acquire()
        for announced, idle_for_s in ((b"timeout=2", 1), (b"timeout=4", 3)):
            connection.request(FakeOutgoing()).addCallback(Body)
            self.peer(connection).send(ok(b"", b"Keep-Alive: " + announced))
            self.reactor.advance(idle_for_s - 0.1)
            self.assertIs(self.acquire(), connection)
        self.use_and_release(connection)

    def test_expiry_again(self) -> None:
        """The idle time starts at the last use."""
        connection = self.acquire()
        for _ in range(5):
            self.use_and_release(connection)
            self.reactor.advance(3.9)
            self.assertIs(self.acquire(), connection)

    def test_too_old(self) -> None:
        """A connection past its timeout is not acquired, even if its timer has not fired."""
        connection = self.acquire()
        self.use_and_release(connection)
        self.reactor.rightNow += 4.1
        self.assertIsNot(self.acquire(), connection)
        self.reactor.settle()
        self.assertEqual(self.peer(connection).ending, Ending.CLOSED)

    def test_size(self) -> None:
        """The number of idle connections is limited; the one that was idle for longest is closed for another one."""
        self.set_up(PoolLimits(size=2))
        one, two, three = (self.acquire() for _ in range(3))
        self.use_and_release(one, two, three)
        self.reactor.settle()
        self.assertEqual(self.peer(one).ending, Ending.CLOSED)
        self.assertEqual([self.acquire(), self.acquire()], [three, two])

    def test_none_rests(self) -> None:
        """With a size of zero each request has its own connection."""
        self.set_up(PoolLimits(size=0))
        connection = self.acquire()
        self.use_and_release(connection)
        self.assertEqual(self.peer(connection).ending, Ending.CLOSED)
        self.assertIsNot(self.acquire(), connection)

    def test_close(self) -> None:
        """Closing the pool closes idle connections at once, and those in use when they are released."""
        idling, used = self.acquire(), self.acquire()
        self.use_and_release(idling)
        self.pool.close()
        self.reactor.settle()
        self.assertEqual((self.peer(idling).ending, self.peer(used).ending), (Ending.CLOSED, Ending.OPEN))
        self.assertEqual(self.reactor.pending(), [])
        self.use_and_release(used)
        self.assertEqual(self.peer(used).ending, Ending.CLOSED)


class LearningTests(PoolTestCase):
    """The pool learns the upstream's idle timeout."""

    def idle(self, seconds: float) -> Peer:
        """Return the upstream's end of a connection that was idle for this time."""
        connection = self.acquire()
        self.use_and_release(connection)
        self.reactor.advance(seconds)
        return self.peer(connection)

    def used_after(self, seconds: float) -> bool:
        """Return whether a connection that was idle for this time is reused."""
        idle = self.idle(seconds)
        used = self.acquire() is idle.protocol
        self.peer(self.upstream.peers[-1].protocol).close()
        return used

    def test_learns(self) -> None:
        """After the upstream closed a connection that was idle for a second, none is reused after nearly that time."""
        self.assertTrue(self.used_after(3.9))
        self.idle(1.0).close()
        self.assertTrue(self.used_after(0.7))
        self.assertFalse(self.used_after(0.85))

    def test_learns_less(self) -> None:
        """The shortest observed idle time counts; a longer one changes nothing."""
        self.idle(0.5).close()
        self.idle(0.39).close()
        self.assertFalse(self.used_after(0.35))
        self.idle(0.1).close()
        self.assertTrue(self.used_after(0.07))
        self.assertFalse(self.used_after(0.09))

    def test_our_own_close(self) -> None:
        """The pool does not learn from the connections that it closed itself."""
        self.idle(4.1)
        self.assertTrue(self.used_after(3.9))

    def test_lost_in_use(self) -> None:
        """It does not learn from a close on a connection's first request, or in the middle of a response."""
        self.peer(self.acquire()).close()
        idle = self.idle(1.0)
        self.acquire().request(FakeOutgoing()).addCallback(Body)
        idle.send(ok()[:-1])
        idle.close()
        self.assertTrue(self.used_after(3.9))

    def test_lost_unanswered(self) -> None:
        """It learns from a close that crosses the next request on an idle connection."""
        idle = self.idle(1.0)
        answer = self.acquire().request(FakeOutgoing())
        idle.close()
        self.failureResultOf(answer, UpstreamClosed)
        self.assertFalse(self.used_after(0.85))

    def test_noticed_by_asking(self) -> None:
        """It learns from a close that is noticed when the connection is about to be acquired."""
        self.idle(1.0).socket.arriving.append(b"")
        self.acquire()
        self.reactor.settle()
        self.assertFalse(self.used_after(0.85))

    def test_at_once(self) -> None:
        """
        An upstream that closes after each response, without announcing it, gets no second request on a connection.
        """
        self.idle(0.0).close()
        self.assertFalse(self.used_after(0.0))

    def test_forgets(self) -> None:
        """The learned timeout is forgotten after some minutes: perhaps the upstream was only restarted."""
        self.reactor.advance(1000)
        self.idle(1.0).close()
        self.reactor.advance(30)
        self.assertFalse(self.used_after(0.85))
        self.reactor.advance(600)
        self.assertTrue(self.used_after(3.5))
