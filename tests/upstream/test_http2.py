"""
Tests for :mod:`sttproxy.upstream.session` under the pool and treq, with h2 as the server, in memory.
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame
from twisted.internet.defer import CancelledError
from twisted.web.client import ResponseDone

from sttproxy.errors import UpstreamClosed, UpstreamError, UpstreamTimeout
from sttproxy.http2.outbound import MAX_WAITING, STREAM_WINDOW
from sttproxy.upstream.pool import PoolLimits

from ..support.fakes import Ending
from .exchange import Body
from .http2 import HTTP2TestCase


class ExchangeTests(HTTP2TestCase):
    """Requests and their responses."""

    def test_request(self) -> None:
        """A request has its pseudo-header fields and its own fields in lower case, and no framing of HTTP/1.1."""
        _, answering = self.ask(method=b"POST", target=b"/x?y", length=None)
        server = self.server
        (fields,) = server.requests.values()
        head = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", b"/x?y")]
        self.assertEqual(fields, head)
        server.respond(1)
        response = self.successResultOf(answering)
        body = Body(response)
        self.assertEqual((response.head.status, response.head.values(b"x-a"), body.data), (200, [b"1"], b"hi"))
        self.assertTrue(body.reason and body.reason.check(ResponseDone))

    def test_shared(self) -> None:
        """Requests at a time share one connection, and get their own responses in any order."""
        _, first = self.ask()
        _, second = self.ask()
        server = self.server
        self.assertEqual((len(self.upstream.peers), list(server.requests)), (1, [1, 3]))
        server.respond(3, b"second")
        server.respond(1, b"first")
        self.assertEqual(Body(self.successResultOf(first)).data, b"first")
        self.assertEqual(Body(self.successResultOf(second)).data, b"second")

    def test_room(self) -> None:
        """More requests than the server allows get one more connection."""
        self.ask()[1].addErrback(lambda _: None)
        self.server.h2.update_settings({3: 1})
        self.server.exchange()
        self.ask()[1].addErrback(lambda _: None)
        self.assertEqual(len(self.upstream.peers), 2)

    def test_upload(self) -> None:
        """A body larger than the server's windows pauses its source, and arrives whole."""
        outgoing, answering = self.ask(method=b"POST", length=1_000_000, whole=False)
        server = self.server
        server.acknowledges = False
        data = bytes(range(250)) * 4000
        for at in range(0, 500_000, 50_000):
            outgoing.send(data[at : at + 50_000])
            server.exchange()
        self.assertTrue(outgoing.paused)
        self.assertLessEqual(len(server.bodies[1]), 65_535)
        server.acknowledges = True
        server.h2.acknowledge_received_data(len(server.bodies[1]), 1)
        server.exchange()
        self.assertFalse(outgoing.paused)
        outgoing.send(data[500_000:])
        outgoing.end()
        server.exchange()
        self.assertEqual((server.bodies[1] == data, server.ended), (True, {1}))
        server.respond(1)
        self.assertEqual(self.successResultOf(answering).code, 200)
        self.assertLess(MAX_WAITING, 500_000)

    def test_download(self) -> None:
        """A response that is not read stops the server at its window, and others go on."""
        _, answering = self.ask()
        _, other = self.ask()
        server = self.server
        server.respond(1, bytes(2 * STREAM_WINDOW), ends=False)
        response = self.successResultOf(answering)
        self.assertEqual(server.h2.local_flow_control_window(1), 0)
        server.respond(3)
        self.assertEqual(Body(self.successResultOf(other)).data, b"hi")
        body = Body(response)
        self.reactor.settle()
        server.exchange()
        self.assertGreater(server.h2.local_flow_control_window(1), 0)
        self.assertEqual(len(body.data), STREAM_WINDOW)
        server.send(1, b"", ends=True)

    def test_interim(self) -> None:
        """An interim response is passed on."""
        outgoing, answering = self.ask()
        server = self.server
        server.h2.send_headers(1, [(b":status", b"103"), (b"link", b"a")])
        server.respond(1)
        self.assertEqual([head.status for head in outgoing.hints], [103])
        self.assertEqual(self.successResultOf(answering).code, 200)

    def test_early(self) -> None:
        """A response that rejects an upload stops it, and the stream is reset behind it."""
        outgoing, answering = self.ask(method=b"POST", length=1000, whole=False)
        server = self.server
        server.respond(1, b"no", status=b"413")
        self.assertEqual(Body(self.successResultOf(answering)).data, b"no")
        self.assertEqual(outgoing.stopped, 1)
        server.exchange()
        self.assertEqual(server.resets, {1: ErrorCodes.CANCEL})
        self.ask()[1].addErrback(lambda _: None)
        self.assertEqual(len(self.upstream.peers), 1)

    def test_upgrade(self) -> None:
        """A request for another protocol gets an HTTP/1 connection of its own, as the first one too."""
        for _ in range(2):
            _, answering = self.ask(upgrades=True)
            peer = self.upstream.peers[-1]
            self.assertTrue(peer.received.startswith(b"GET /x HTTP/1.1\r\n"), peer.received)
            peer.send(b"HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.assertEqual(self.successResultOf(answering).code, 426)


class EndingTests(HTTP2TestCase):
    """Ends of streams and connections."""

    def test_reset(self) -> None:
        """A reset fails its request only."""
        _, first = self.ask()
        _, second = self.ask()
        server = self.server
        server.h2.reset_stream(1, ErrorCodes.INTERNAL_ERROR)
        server.respond(3)
        self.failureResultOf(first, UpstreamClosed)
        self.assertEqual(self.successResultOf(second).code, 200)

    def test_premature(self) -> None:
        """A reset in the middle of a response tells its receiver."""
        _, answering = self.ask()
        server = self.server
        server.respond(1, b"part", ends=False)
        body = Body(self.successResultOf(answering))
        server.h2.reset_stream(1)
        server.exchange()
        self.assertTrue(body.reason and body.reason.check(UpstreamClosed))

    def test_stopped(self) -> None:
        """A receiver that stops a response at its last bytes ends its stream once."""

        class Stopping(Body):
            def dataReceived(self, data: bytes) -> None:
                response.abort()

        for ends in (True, False):
            _, answering = self.ask()
            server = self.server
            number = max(server.requests)
            server.h2.send_headers(number, [(b":status", b"200")])
            server.exchange()
            response = self.successResultOf(answering)
            Stopping(response)
            server.h2.send_data(number, b"last", end_stream=ends)
            server.exchange()
            self.assertFalse(self.pool.busy)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(len(self.upstream.peers), 1)

    def test_cancelled(self) -> None:
        """A cancelled request resets its stream, and the connection goes on."""
        _, answering = self.ask()
        server = self.server
        answering.cancel()
        self.failureResultOf(answering, CancelledError)
        server.exchange()
        self.assertEqual(server.resets, {1: ErrorCodes.CANCEL})
        _, second = self.ask()
        self.server.respond(3)
        self.assertEqual(self.successResultOf(second).code, 200)

    def test_lost(self) -> None:
        """A lost connection fails what was in flight; the next request gets a new one."""
        _, first = self.ask()
        self.server.peer.close()
        self.failureResultOf(first, UpstreamClosed)
        _, second = self.ask()
        self.server.respond(1)
        self.assertEqual((len(self.upstream.peers), self.successResultOf(second).code), (2, 200))

    def test_malformed(self) -> None:
        """What is not HTTP/2, or not HTTP, fails with an error that says so."""
        for data in (b"HTTP/1.1 200 OK\r\n\r\n", DataFrame(1, bytes(70_000)).serialize()):
            _, answering = self.ask()
            self.server.raw(data)
            error = self.failureResultOf(answering, UpstreamError).value
            self.assertIn("not valid HTTP/2", str(error))
        _, answering = self.ask()
        server = self.server
        server.h2.config.validate_outbound_headers = False
        server.h2.config.normalize_outbound_headers = False
        server.h2.send_headers(1, [(b":status", b"200"), (b"content-length", b"a")])
        server.exchange()
        self.assertIn("not valid HTTP", str(self.failureResultOf(answering, UpstreamError).value))

    def test_idle(self) -> None:
        """An idle connection is closed after its time; one with a request is not."""
        _, answering = self.ask()
        server = self.server
        self.reactor.pass_time(60, 1)
        server.respond(1)
        self.successResultOf(answering)
        self.reactor.pass_time(self.limits.idle_s + 1, 1)
        self.assertEqual(server.peer.ending, Ending.CLOSED)

    def test_slow(self) -> None:
        """A server that takes nothing of an upload fails the request after the send timeout."""
        outgoing, answering = self.ask(method=b"POST", length=1_000_000, whole=False)
        server = self.server
        server.acknowledges = False
        outgoing.send(bytes(300_000))
        server.exchange()
        self.reactor.pass_time(61, 1)
        self.failureResultOf(answering, UpstreamTimeout)


class QueueTests(HTTP2TestCase):
    """The pool's limit on what is in flight."""

    limits = PoolLimits(total=1)

    def test_total(self) -> None:
        """A request that waits is sent when the one before has ended."""
        _, first = self.ask()
        _, second = self.ask()
        server = self.server
        server.respond(1)
        self.successResultOf(first)
        server.exchange()
        server.respond(3)
        self.assertEqual(self.successResultOf(second).code, 200)
