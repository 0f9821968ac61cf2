"""
Tests for trailers over :mod:`sttproxy.upstream.session`, with h2 as the server, in memory.
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from hyperframe.frame import HeadersFrame

from sttproxy.errors import Header, UpstreamClosed, UpstreamError

from .exchange import Body
from .http2 import HTTP2TestCase


class TrailerTests(HTTP2TestCase):
    """Trailers of requests and responses."""

    def test_sent(self) -> None:
        """Trailers of a request end its stream, behind the body and without one, in lower case."""
        for number, body in ((1, b"ab"), (3, b"")):
            outgoing, answering = self.ask(method=b"POST", length=None, whole=False)
            if body:
                outgoing.send(body)
            outgoing.end([(b"X-Sum", b"A"), (b"x", b"")])
            server = self.server
            self.assertEqual(server.bodies.get(number, b""), body)
            self.assertEqual(server.trailers[number], [(b"x-sum", b"A"), (b"x", b"")])
            self.assertIn(number, server.ended)
            server.respond(number)
            self.assertTrue(Body(self.successResultOf(answering)).whole)

    def test_behind_window(self) -> None:
        """They wait until the server's window has taken the body."""
        outgoing, answering = self.ask(method=b"POST", length=None, whole=False)
        server = self.server
        server.acknowledges = False
        outgoing.send(bytes(100_000))
        outgoing.end([(b"X", b"a")])
        server.exchange()
        self.assertEqual((len(server.bodies[1]), server.trailers, server.ended), (65_535, {}, set()))
        server.h2.acknowledge_received_data(65_535, 1)
        server.exchange()
        self.assertEqual((len(server.bodies[1]), server.trailers[1], server.ended), (100_000, [(b"x", b"a")], {1}))
        server.respond(1)
        self.successResultOf(answering)

    def test_received(self) -> None:
        """Trailers of a response are there when its body ends, with and without bytes before them."""
        for number, body in ((1, b"hi"), (3, b"")):
            _, answering = self.ask()
            server = self.server
            server.respond(number, body, ends=False)
            response = self.successResultOf(answering)
            collected = Body(response)
            server.trail(number, (b"x-sum", b"1"), (b"grpc-status", b"0"))
            self.assertEqual((collected.data, collected.whole), (body, True))
            self.assertEqual(response.trailers, [(b"x-sum", b"1"), (b"grpc-status", b"0")])

    def test_undelivered(self) -> None:
        """They are kept until the body has a receiver."""
        _, answering = self.ask()
        self.server.respond(1, ends=False)
        self.server.trail(1, (b"x", b"1"))
        response = self.successResultOf(answering)
        self.assertTrue(Body(response).whole)
        self.assertEqual(response.trailers, [(b"x", b"1")])

    def test_malformed(self) -> None:
        """A malformed trailer section fails its response, and costs no other stream anything."""
        _, other = self.ask()
        server = self.server
        server.h2.config.validate_outbound_headers = False
        server.h2.config.normalize_outbound_headers = False
        fields: list[Header] = [
            (b"x", b"a\r\nset-cookie: b"),
            (b"x y", b"a"),
            (b"x", b"\0"),
            (b"content-length", b"2"),
            (b"te", b"trailers"),
            (b"te", b"gzip"),
            (b":status", b"200"),
            (b"X", b"a"),
            (b"connection", b"close"),
        ]
        for number, field in enumerate(fields, 1):
            _, answering = self.ask()
            self.server.respond(1 + 2 * number, ends=False)
            collected = Body(self.successResultOf(answering))
            server.trail(1 + 2 * number, field)
            self.assertTrue(collected.reason and collected.reason.check(UpstreamError), field)
        server.respond(1)
        self.assertTrue(Body(self.successResultOf(other)).whole)

    def test_truncated(self) -> None:
        """Trailers that do not end the stream, or do not end, are no end of the response."""
        for flags in (["END_HEADERS"], ["END_STREAM"]):
            _, answering = self.ask()
            server = self.server
            server.respond(1, ends=False)
            collected = Body(self.successResultOf(answering))
            server.raw(HeadersFrame(1, b"", flags=flags).serialize())
            server.peer.close()
            self.assertTrue(collected.reason and collected.reason.check(UpstreamError, UpstreamClosed), flags)

    def test_early(self) -> None:
        """After an early response the trailers of the request are not needed."""
        outgoing, answering = self.ask(method=b"POST", length=None, whole=False)
        server = self.server
        server.respond(1, b"no", status=b"413", ends=False)
        server.trail(1, (b"x", b"1"))
        response = self.successResultOf(answering)
        self.assertEqual((Body(response).data, response.trailers), (b"no", [(b"x", b"1")]))
        self.assertEqual(outgoing.stopped, 1)
        server.exchange()
        self.assertEqual((server.resets, server.trailers), ({1: ErrorCodes.CANCEL}, {}))
