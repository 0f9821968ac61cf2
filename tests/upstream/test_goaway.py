"""
Tests for :mod:`sttproxy.upstream.session` and its agent: what the server does not process, and what is sent again.
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, GoAwayFrame, HeadersFrame
from twisted.internet.defer import CancelledError

from sttproxy.errors import UpstreamClosed, UpstreamError, UpstreamRefused

from ..support.fakes import Ending
from ..support.http2 import Server
from .exchange import Body, FakeOutgoing
from .http2 import HTTP2TestCase

LARGEST = 2**31 - 1


class GoAwayTests(HTTP2TestCase):
    """A server that ends its connections."""

    def go_away(self, server: Server, last: int, code: int = ErrorCodes.NO_ERROR) -> None:
        """Send a GOAWAY, and go on."""
        server.raw(GoAwayFrame(0, last_stream_id=last, error_code=code))

    def test_in_flight(self) -> None:
        """Requests up to the last number go on to their end; the connection takes no more and closes after them."""
        for code in (ErrorCodes.NO_ERROR, ErrorCodes.ENHANCE_YOUR_CALM):
            outgoing, answering = self.ask(method=b"POST", length=8, whole=False)
            server = self.server
            outgoing.send(b"half")
            self.go_away(server, 1, code)
            self.assertNoResult(answering)
            _, other = self.ask()
            successor = self.server
            self.assertIsNot(successor, server)
            successor.respond(1, b"new")
            self.assertEqual(Body(self.successResultOf(other)).data, b"new")
            outgoing.send(b"half")
            outgoing.end()
            server.exchange()
            self.assertEqual((server.bodies[1], server.ended), (b"halfhalf", {1}))
            server.respond(1, b"old")
            self.assertEqual(Body(self.successResultOf(answering)).data, b"old")
            self.assertNotEqual(server.peer.ending, Ending.OPEN)
            self.go_away(successor, 1)
            self.assertEqual(successor.peer.ending, Ending.CLOSED)

    def test_reads_no_more(self) -> None:
        """A server that has responded and closed reads no more: its responses still arrive, and others go elsewhere."""
        outgoing, answering = self.ask(method=b"POST", length=8, whole=False)
        server = self.server
        server.peer.refuse_to_read()
        outgoing.send(b"half")
        self.reactor.settle()
        self.assertTrue(outgoing.stopped)
        _, other = self.ask()
        self.assertIsNot(self.server, server)
        self.server.respond(1, b"new")
        self.assertEqual(Body(self.successResultOf(other)).data, b"new")
        server.respond(1, b"early")
        self.assertEqual(Body(self.successResultOf(answering)).data, b"early")
        server.peer.close()

    def test_closing(self) -> None:
        """An idle connection on which something has come is not used until it is read: the server may be closing it."""
        _, first = self.ask()
        server = self.server
        server.respond(1, b"old")
        self.assertEqual(Body(self.successResultOf(first)).data, b"old")
        server.peer.socket.arriving.append(b"")
        outgoing = FakeOutgoing()
        second = self.client.request(outgoing)
        self.reactor.settle()
        self.assertIsNot(self.server, server)
        self.server.respond(1, b"new")
        self.assertEqual(Body(self.successResultOf(second)).data, b"new")

    def test_two_steps(self) -> None:
        """The first GOAWAY of a graceful end has the largest number; the second one says what is not processed."""
        _, first = self.ask()
        _, second = self.ask()
        server = self.server
        self.go_away(server, LARGEST)
        self.assertEqual((len(self.upstream.peers), server.resets), (1, {}))
        self.go_away(server, 1)
        successor = self.server
        successor.respond(1, b"second")
        server.respond(1, b"first")
        self.assertEqual(Body(self.successResultOf(first)).data, b"first")
        self.assertEqual(Body(self.successResultOf(second)).data, b"second")
        self.assertNotEqual(server.peer.ending, Ending.OPEN)

    def test_lost(self) -> None:
        """A connection that is lost after its GOAWAY fails what the server had begun."""
        _, answering = self.ask()
        server = self.server
        self.go_away(server, 1)
        server.peer.close()
        self.failureResultOf(answering, UpstreamClosed)

    def test_closed(self) -> None:
        """A pool that is closed meanwhile lets the rest finish."""
        _, answering = self.ask()
        server = self.server
        self.go_away(server, 1)
        self.pool.close()
        server.respond(1)
        self.assertEqual(self.successResultOf(answering).code, 200)
        self.assertNotEqual(server.peer.ending, Ending.OPEN)

    def test_malformed(self) -> None:
        """A GOAWAY on a stream ends the connection."""
        _, answering = self.ask()
        frame = bytearray(GoAwayFrame(0, last_stream_id=1).serialize())
        frame[8] = 1
        self.server.raw(bytes(frame))
        self.failureResultOf(answering, UpstreamError)


class RefusedTests(HTTP2TestCase):
    """Requests that the server has not processed."""

    def test_again(self) -> None:
        """A refused request is sent once more."""
        outgoing, answering = self.ask()
        server = self.server
        server.h2.reset_stream(1, ErrorCodes.REFUSED_STREAM)
        server.exchange()
        self.assertNoResult(answering)
        server.respond(3, b"again")
        self.assertEqual(Body(self.successResultOf(answering)).data, b"again")
        self.assertEqual(outgoing.stopped, 0)

    def test_twice(self) -> None:
        """One that is refused a second time fails."""
        outgoing, answering = self.ask()
        server = self.server
        for number in (1, 3):
            server.h2.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            server.exchange()
        self.failureResultOf(answering, UpstreamRefused)
        self.assertEqual((outgoing.stopped, list(server.requests)), (1, [1, 3]))

    def test_body(self) -> None:
        """One whose body cannot be delivered again fails."""
        outgoing, answering = self.ask(method=b"POST", length=8, whole=False)
        server = self.server
        outgoing.send(b"half")
        server.h2.reset_stream(1, ErrorCodes.REFUSED_STREAM)
        server.exchange()
        self.failureResultOf(answering, UpstreamRefused)
        self.assertEqual((outgoing.stopped, list(server.requests)), (1, [1]))

    def test_upload(self) -> None:
        """A body that can be delivered again is, from its first byte on, and its rest follows."""
        outgoing, answering = self.ask(method=b"POST", length=8, whole=False)
        outgoing.recallable = True
        server = self.server
        server.raw(GoAwayFrame(0))
        successor = self.server
        outgoing.send(b"complete")
        outgoing.end()
        successor.respond(1)
        self.assertEqual((self.successResultOf(answering).code, successor.bodies), (200, {1: b"complete"}))

    def test_cancelled(self) -> None:
        """A request can be cancelled while it waits to be sent again."""
        self.upstream.at_once = False
        _, answering = self.ask()
        self.upstream.accept()
        self.server.raw(GoAwayFrame(0))
        self.assertNoResult(answering)
        answering.cancel()
        self.failureResultOf(answering, CancelledError)


class LengthTests(HTTP2TestCase):
    """Responses whose Content-Length is wrong."""

    def test_wrong(self) -> None:
        """
        A body that is too long or too short fails its request, and no other one.

        Trailers end the stream on both sides, so that no reset can follow.
        """
        _, other = self.ask()
        server = self.server
        for number, frames in (
            (3, [DataFrame(3, b"abc", flags=["END_STREAM"])]),
            (5, [DataFrame(5, b"abcdef")]),
            (7, [DataFrame(7, b"abc"), DataFrame(7, b"", flags=["END_STREAM"])]),
            (9, [DataFrame(9, b"abc"), HeadersFrame(9, b"\0\1x\1y", flags=["END_HEADERS", "END_STREAM"])]),
        ):
            _, answering = self.ask()
            server.exchange()
            server.h2.send_headers(number, [(b":status", b"200"), (b"content-length", b"5")])
            server.exchange()
            body = Body(self.successResultOf(answering))
            server.raw(b"".join(frame.serialize() for frame in frames))
            self.assertTrue(body.reason and body.reason.check(UpstreamError), frames)
            server.exchange()
        self.assertEqual(server.resets, dict.fromkeys((3, 5, 7), ErrorCodes.PROTOCOL_ERROR))
        server.respond(1)
        self.assertEqual(self.successResultOf(other).code, 200)

    def test_without_body(self) -> None:
        """A response that ends with its head although it has a length is not valid; those to HEAD, and 304, are."""
        for method, status, valid in ((b"GET", b"200", False), (b"HEAD", b"200", True), (b"GET", b"304", True)):
            _, answering = self.ask(method=method)
            server = self.server
            server.h2.send_headers(
                max(server.requests), [(b":status", status), (b"content-length", b"5")], end_stream=True
            )
            server.exchange()
            if valid:
                self.assertTrue(Body(self.successResultOf(answering)).whole)
            else:
                self.failureResultOf(answering, UpstreamError)

    def test_head(self) -> None:
        """A response to HEAD may end in a frame of its own."""
        _, answering = self.ask(method=b"HEAD")
        server = self.server
        server.h2.send_headers(1, [(b":status", b"200"), (b"content-length", b"5")])
        server.raw(server.h2.data_to_send() + DataFrame(1, b"", flags=["END_STREAM"]).serialize())
        self.assertTrue(Body(self.successResultOf(answering)).whole)
        self.assertEqual(server.peer.ending, Ending.OPEN)
