"""
Tests for :mod:`sttproxy.upstream.client`: treq does not change a request or its response.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from sttproxy.errors import UpstreamClosed, UpstreamError, UpstreamUnreachable
from sttproxy.upstream.agent import UpstreamAgent
from sttproxy.upstream.client import Upstream
from sttproxy.upstream.pool import Pool, PoolLimits
from sttproxy.upstream.response import Response
from sttproxy.writer import FlushScheduler

from ..support.fakes import Ending, FakeUpstream, Peer
from ..support.stage import MemoryTestCase, message, ok
from .exchange import Body, FakeOutgoing, upload


class UpstreamTestCase(MemoryTestCase):
    """Base class: treq, with the test as the server."""

    def setUp(self) -> None:
        super().setUp()
        self.upstream = FakeUpstream(self.reactor)
        self.pool = Pool(self.reactor, self.upstream.connect, PoolLimits(), FlushScheduler(self.reactor))
        self.client = Upstream(UpstreamAgent(self.pool), self.reactor, "http://upstream:1")

    @property
    def server(self) -> Peer:
        """The most recent connection."""
        return self.upstream.peers[-1]

    def exchange(self, outgoing: FakeOutgoing, answer: bytes) -> tuple[bytes, Response, Body]:
        """Return what the server receives of a request, and the result of its response."""
        answering = self.client.request(outgoing)
        self.reactor.settle()
        received = self.server.news()
        self.server.send(answer)
        response = self.successResultOf(answering)
        return received, response, Body(response)

    def tearDown(self) -> None:
        self.pool.close()
        for peer in self.upstream.peers:
            peer.close()
        self.assert_nothing_left()


class TransparencyTests(UpstreamTestCase):
    """The features of treq that must be off."""

    def test_request(self) -> None:
        """The request is sent as it was given: no header is added, method and target are not changed."""
        for method, target in (
            (b"get", b"/"),
            (b"sTrange", b"/%2e%2E/a%2fb//../c?x=%00&&y#z"),
            (b"OPTIONS", b"*"),
            (b"POST", b'/{}|\\^`"<>'),
            (b"GET", b"/:80[]@"),
            (b"GET", b"//other.example/x"),
        ):
            received, _, _ = self.exchange(FakeOutgoing(method, target), ok())
            line = method + b" " + target + b" HTTP/1.1"
            self.assertEqual(received, message(line, b"hOst: h", b"Content-Length: 0"))

    def test_cookies(self) -> None:
        """A cookie is passed to its own client only."""
        cookie = b"Set-Cookie: session=secret; Path=/"
        _, response, _ = self.exchange(FakeOutgoing(), ok(b"", cookie))
        self.assertIn((b"Set-Cookie", b"session=secret; Path=/"), response.head.headers)
        received, _, _ = self.exchange(FakeOutgoing(), ok())
        self.assertNotIn(b"secret", received)
        self.assertNotIn(b"ookie", received)

    def test_redirects(self) -> None:
        """Redirects are not followed."""
        for status in (301, 302, 303, 307, 308):
            head = b"HTTP/1.1 %d -" % status
            answer = message(head, b"Location: http://other.example/", b"Content-Length: 2", body=b"go")
            _, response, body = self.exchange(FakeOutgoing(), answer)
            self.assertEqual((response.head.status, body.data), (status, b"go"))
        self.assertEqual((len(self.upstream.peers), self.server.news()), (1, b""))

    def test_codings(self) -> None:
        """Content codings are not decoded, and Content-Encoding is kept."""
        packed = b"\x1f\x8b not really gzip"
        _, response, body = self.exchange(FakeOutgoing(), ok(packed, b"Content-Encoding: gzip"))
        self.assertEqual(body.data, packed)
        self.assertEqual(response.head.values(b"content-encoding"), [b"gzip"])
        self.assertEqual(response.head.length, len(packed))

    def test_credentials(self) -> None:
        """A 401 response is passed on to the caller."""
        answer = message(b"HTTP/1.1 401 -", b'WWW-Authenticate: Basic realm="x"', b"Content-Length: 0")
        _, response, body = self.exchange(FakeOutgoing(), answer)
        self.assertEqual((response.head.status, body.whole), (401, True))

    def test_streams(self) -> None:
        """Request and response bodies are streamed."""
        outgoing = upload()
        answering = self.client.request(outgoing)
        outgoing.send(b"ab")
        self.reactor.settle()
        self.assertTrue(self.server.received.endswith(b"\r\n\r\nab"))
        self.server.send(ok(b"hello")[:-2])
        body = Body(self.successResultOf(answering))
        self.assertEqual((body.data, body.reason), (b"hel", None))
        outgoing.send(b"cd")
        outgoing.end()
        self.server.send(b"lo")
        self.assertEqual((body.data, body.whole, self.pool.busy), (b"hello", True, False))


class FailureTests(UpstreamTestCase):
    """Failures are our own exceptions, not treq's."""

    def test_unreachable(self) -> None:
        """A connection failure reaches the caller."""
        self.upstream.at_once = False
        outgoing = upload()
        answering = self.client.request(outgoing)
        self.upstream.refuse(UpstreamUnreachable("nobody there"))
        self.failureResultOf(answering, UpstreamUnreachable)
        self.assertIsNone(outgoing.sink)

    def test_not_before_connected(self) -> None:
        """The body is not requested before the connection is made."""
        self.upstream.at_once = False
        outgoing = upload()
        answering = self.client.request(outgoing)
        self.assertIsNone(outgoing.sink)
        self.upstream.accept()
        self.assertIsNotNone(outgoing.sink)
        self.server.close()
        self.failureResultOf(answering, UpstreamClosed)

    def test_broken(self) -> None:
        """A failure of an established connection reaches the caller."""
        for said, error in ((b"garbage\r\n\r\n", UpstreamError), (b"", UpstreamClosed)):
            answering = self.client.request(FakeOutgoing())
            self.server.send(said)
            self.server.close()
            self.failureResultOf(answering, error)

    def cancel(self, answering: Deferred[Response]) -> None:
        """Cancel a request, in any state."""
        answering.cancel()
        self.failureResultOf(answering, CancelledError)
        self.reactor.settle()
        self.assertFalse(self.pool.busy)

    def test_cancel_connecting(self) -> None:
        """Cancelling aborts a connection attempt."""
        self.upstream.at_once = False
        self.cancel(self.client.request(upload()))
        self.assertEqual(self.upstream.attempts, [])

    def test_cancel_waiting(self) -> None:
        """Cancelling removes the request from the pool's queue."""
        self.pool = Pool(self.reactor, self.upstream.connect, PoolLimits(total=1), FlushScheduler(self.reactor))
        client = Upstream(UpstreamAgent(self.pool), self.reactor, "http://upstream:1")
        first, second = client.request(upload()), client.request(upload())
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.cancel(first)
        self.assertEqual(len(self.upstream.peers), 1)

    def test_cancel_sent(self) -> None:
        """Cancelling aborts the connection that carries the request."""
        outgoing = upload()
        self.cancel(self.client.request(outgoing))
        self.assertEqual((self.server.ending, outgoing.stopped), (Ending.RESET, 1))
