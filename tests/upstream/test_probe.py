"""
Tests for :mod:`sttproxy.upstream.probe`.
"""

from __future__ import annotations

from twisted.logger import capturedLogs

from sttproxy.errors import UpstreamUnreachable
from sttproxy.upstream.pool import Pool, PoolLimits
from sttproxy.upstream.probe import EVERY_S, Probe
from sttproxy.writer import FlushScheduler

from ..support.fakes import Ending, FakeUpstream
from ..support.stage import MemoryTestCase


class ProbeTests(MemoryTestCase):
    """Whether the upstream accepts connections."""

    def setUp(self) -> None:
        super().setUp()
        self.upstream = FakeUpstream(self.reactor)
        self.pool = Pool(self.reactor, self.upstream.connect, PoolLimits(), FlushScheduler(self.reactor))
        self.probe = Probe(self.upstream.connect, self.pool, self.reactor.seconds)

    def test_there(self) -> None:
        """A server that accepts a connection is reachable; the connection is closed at once, without any byte."""
        self.assertEqual(self.successResultOf(self.probe()), "")
        self.reactor.settle()
        peer = self.upstream.peers[0]
        self.assertEqual((peer.ending, peer.received), (Ending.CLOSED, b""))

    def test_not_there(self) -> None:
        """A server that does not accept is unreachable, and the reason is returned."""
        self.upstream.at_once = False
        asking = self.probe()
        self.assertNoResult(asking)
        self.upstream.refuse(UpstreamUnreachable("Nobody is there."))
        self.assertEqual(self.successResultOf(asking), "Nobody is there.")

    def test_busy(self) -> None:
        """While a request of ours is in flight the server counts as reachable, without a probe."""
        connection = self.successResultOf(self.pool.acquire())
        self.upstream.at_once = False
        self.assertEqual(self.successResultOf(self.probe()), "")
        self.assertEqual(self.upstream.attempts, [])
        connection.abort()
        self.reactor.settle()
        self.assertNoResult(self.probe())
        self.upstream.accept()
        self.reactor.settle()

    def test_shared(self) -> None:
        """All who ask within a second share one check, those who come during it and those who come after it."""
        self.upstream.at_once = False
        asking = [self.probe() for _ in range(3)]
        self.assertEqual(len(self.upstream.attempts), 1)
        self.upstream.refuse(UpstreamUnreachable("Nobody is there."))
        asking.append(self.probe())
        self.assertEqual({self.successResultOf(result) for result in asking}, {"Nobody is there."})
        self.reactor.advance(EVERY_S)
        asking = [self.probe() for _ in range(3)]
        self.assertEqual(len(self.upstream.attempts), 1, "the next check")
        self.upstream.accept()
        self.assertEqual({self.successResultOf(result) for result in asking}, {""})
        self.reactor.settle()

    def test_busy_at_once(self) -> None:
        """A request in flight makes the server count as reachable, also within a second after a failed check."""
        self.upstream.at_once = False
        asking = self.probe()
        self.upstream.refuse(UpstreamUnreachable("Nobody is there."))
        self.successResultOf(asking)
        self.upstream.at_once = True
        connection = self.successResultOf(self.pool.acquire())
        self.assertEqual(self.successResultOf(self.probe()), "")
        connection.abort()
        self.reactor.settle()

    def test_quiet(self) -> None:
        """A monitor that asks every second does not fill the log."""
        with capturedLogs() as logs:
            self.probe()
            self.reactor.settle()
        self.assertEqual(list(logs), [])
