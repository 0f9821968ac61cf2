"""
Requests through the pool and treq to a server of HTTP/2 in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from sttproxy.upstream.agent import UpstreamAgent
from sttproxy.upstream.client import Upstream
from sttproxy.upstream.dial import PriorKnowledge
from sttproxy.upstream.pool import Pool, PoolLimits
from sttproxy.upstream.response import Response
from sttproxy.writer import FlushScheduler

from ..support.fakes import FakeUpstream, Peer
from ..support.http2 import Server
from ..support.stage import MemoryTestCase
from .exchange import FakeOutgoing


class HTTP2TestCase(MemoryTestCase):
    """Requests through treq to a server of HTTP/2."""

    limits = PoolLimits()

    def setUp(self) -> None:
        super().setUp()
        self.upstream = FakeUpstream(self.reactor)
        self.pool = Pool(
            self.reactor,
            PriorKnowledge(self.upstream).connect,
            self.limits,
            FlushScheduler(self.reactor),  # type: ignore[arg-type]
        )
        self.client = Upstream(UpstreamAgent(self.pool), self.reactor, "http://upstream:1")
        self.servers: dict[Peer, Server] = {}

    @property
    def server(self) -> Server:
        """The most recent connection."""
        peer = self.upstream.peers[-1]
        if peer not in self.servers:
            self.servers[peer] = Server(peer, self.reactor)
        self.servers[peer].exchange()
        return self.servers[peer]

    def ask(self, **settings: Any) -> tuple[FakeOutgoing, Deferred[Response]]:
        """Send a request."""
        outgoing = FakeOutgoing(**settings)
        answering = self.client.request(outgoing)
        self.reactor.settle()
        return outgoing, answering

    def tearDown(self) -> None:
        self.pool.close()
        for peer in self.upstream.peers:
            peer.close()
        self.reactor.settle()
        self.assertFalse(self.pool.busy)
        self.assert_nothing_left()
