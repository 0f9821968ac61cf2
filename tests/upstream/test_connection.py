"""
Tests for :mod:`sttproxy.upstream.connection`: successful requests and responses, and the interfaces.
"""

from __future__ import annotations

from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface.verify import verifyClass, verifyObject

from sttproxy.upstream.connection import UpstreamConnection
from sttproxy.upstream.interfaces import IOutgoing
from sttproxy.upstream.response import Response

from ..support.fakes import Ending
from ..support.stage import chunked, message, ok
from .exchange import Body, ConnectionTestCase, FakeOutgoing, upload

#: Responses to GET in each framing, and the body of each.
FRAMINGS = {
    "counted": (ok(b"hello"), b"hello"),
    "empty": (ok(b""), b""),
    "chunked": (message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", body=chunked(b"hel", b"lo")), b"hello"),
    "no content": (message(b"HTTP/1.1 204 No Content"), b""),
    "not modified": (message(b"HTTP/1.1 304 Not Modified", b"Content-Length: 10"), b""),
}


class InterfaceTests(ConnectionTestCase):
    """Interfaces."""

    def test_connection(self) -> None:
        """A connection implements the protocol interface, and passes on the pauses of its transport."""
        self.assertTrue(verifyObject(IProtocol, self.connection))
        self.assertTrue(verifyClass(IPushProducer, UpstreamConnection))

    def test_response(self) -> None:
        """A response implements treq's interface, and can pause its body."""
        answer, _ = self.exchange(ok())
        self.assertTrue(verifyClass(IResponse, Response))
        self.assertTrue(verifyObject(IResponse, self.successResultOf(answer)))
        self.assertTrue(verifyClass(IPushProducer, Response))

    def test_outgoing(self) -> None:
        """A request implements the interface that a connection expects; so does the one of these tests."""
        self.assertTrue(verifyObject(IOutgoing, FakeOutgoing()))


class RequestTests(ConnectionTestCase):
    """Sending requests."""

    def test_head(self) -> None:
        """The head is sent byte for byte as it was given."""
        self.request(FakeOutgoing(b"sTrange", b"/a%2Fb//?q=\xe4&x"))
        head = message(b"sTrange /a%2Fb//?q=\xe4&x HTTP/1.1", b"hOst: h", b"Content-Length: 0")
        self.assertEqual(self.server.received, head)

    def test_head_first(self) -> None:
        """The head is sent before any byte of the body."""
        outgoing = upload()
        self.request(outgoing)
        self.assertTrue(self.server.news().endswith(b"\r\n\r\n"))
        for data in (b"ab", b"cd"):
            outgoing.send(data)
            self.reactor.settle()
            self.assertEqual(self.server.news(), data)
        outgoing.end()
        self.reactor.settle()
        self.assertEqual(self.server.news(), b"")

    def test_trailers(self) -> None:
        """Trailers follow a chunked body, and not one with a length; those of the response come with its end."""
        for length, end in ((None, b"0\r\nX: a\r\n\r\n"), (0, b"")):
            outgoing = upload(length)
            answer = self.request(outgoing)
            self.server.news()
            outgoing.end([(b"X", b"a")])
            self.reactor.settle()
            self.assertEqual(self.server.news(), end)
            self.server.send(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", body=b"0\r\nx:b\r\n\r\n"))
            response = self.successResultOf(answer)
            self.assertTrue(Body(response).whole)
            self.assertEqual(response.trailers, [(b"x", b"b")])

    def test_chunked(self) -> None:
        """A body without a length is sent chunked, and the last chunk is sent only after its end."""
        outgoing = upload(None)
        self.request(outgoing)
        self.server.news()
        outgoing.send(b"ab")
        outgoing.send(b"cdefghijklmno")
        self.reactor.settle()
        self.assertEqual(self.server.news(), chunked(b"ab", b"cdefghijklmno", last=False))
        outgoing.end()
        self.reactor.settle()
        self.assertEqual(self.server.news(), chunked())

    def test_pace(self) -> None:
        """The upload is paused while the server does not read."""
        outgoing = upload(1_000_000)
        self.request(outgoing)
        self.server.stall()
        sent = 0
        while not outgoing.paused:
            outgoing.send(b"x" * 10_000)
            sent += 10_000
            self.reactor.settle()
        self.assertLess(sent, 200_000)
        self.server.read(sent - 1)
        self.assertTrue(outgoing.paused)
        self.server.read(1)
        self.assertFalse(outgoing.paused)

    def test_pace_ends(self) -> None:
        """A complete request gets no pauses any more, although the server may still be reading it."""
        outgoing = upload(100_000)
        self.request(outgoing)
        self.server.stall()
        outgoing.send(b"x" * 100_000)
        outgoing.end()
        self.assertTrue(outgoing.paused)
        self.server.read()
        self.assertTrue(self.server.received.endswith(b"x" * 100_000))
        self.assertTrue(outgoing.paused)

    def test_paced_from_the_start(self) -> None:
        """A request waits until the bytes of the one before it are sent."""
        outgoing = upload(100_000)
        self.request(outgoing)
        self.server.stall()
        outgoing.send(b"x" * 100_000)
        outgoing.end()
        self.server.send(ok())
        self.assertEqual(self.released, [self.connection])
        outgoing = upload()
        self.request(outgoing)
        self.assertTrue(outgoing.paused)
        self.server.read()
        self.assertFalse(outgoing.paused)


class ResponseTests(ConnectionTestCase):
    """Receiving responses."""

    def test_head(self) -> None:
        """A response has its head as the server sent it, and gives treq no headers to act on."""
        fields = (b"sEt-Cookie: a=b", b"Content-Encoding: gzip", b"Location: /y")
        answer, bodies = self.exchange(message(b"HTTP/1.1 302  Over there", b"Content-Length: 3", *fields, body=b"abc"))
        response = self.successResultOf(answer)
        self.assertEqual((response.head.status, response.head.phrase), (302, b" Over there"))
        self.assertEqual(response.head.headers[1:3], [(b"sEt-Cookie", b"a=b"), (b"Content-Encoding", b"gzip")])
        self.assertEqual((response.code, response.phrase, response.length), (302, b" Over there", 3))
        self.assertEqual(list(response.headers.getAllRawHeaders()), [])
        self.assertEqual(bodies[0].data, b"abc")

    def test_unknown_length(self) -> None:
        """A response without a length has an unknown length."""
        answer, _ = self.exchange(FRAMINGS["chunked"][0])
        self.assertEqual(self.successResultOf(answer).length, UNKNOWN_LENGTH)

    def test_any_cut(self) -> None:
        """However the network cuts a response, it is the same, and the connection can be reused."""
        for name, (data, expected) in FRAMINGS.items():
            for cut in range(1, len(data)):
                answer, bodies = self.exchange(data[:cut], data[cut:])
                self.assertEqual(self.successResultOf(answer).head.phrase, data.split(b"\r\n")[0][13:])
                self.assertEqual((bodies[0].data, bodies[0].whole), (expected, True), (name, cut))
        self.assertEqual((self.server.ending, self.lost), (Ending.OPEN, []))

    def test_byte_by_byte(self) -> None:
        """The same holds for segments of one byte."""
        for name, (data, expected) in FRAMINGS.items():
            _, bodies = self.exchange(*(data[at : at + 1] for at in range(len(data))))
            self.assertEqual((bodies[0].data, bodies[0].whole), (expected, True), name)

    def test_streamed(self) -> None:
        """A body is passed on as it arrives, without delay."""
        _, bodies = self.exchange(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"))
        for number, piece in enumerate((b"a", b"b", b"c"), 1):
            self.server.send(chunked(piece, last=False))
            self.assertEqual(bodies[0].data, b"abc"[:number])
        self.assertIsNone(bodies[0].reason)

    def test_head_has_no_body(self) -> None:
        """A response to HEAD is complete with its head, whatever length it announces."""
        for field in (b"Content-Length: 10", b"Transfer-Encoding: chunked", b"X: y"):
            _, bodies = self.exchange(message(b"HTTP/1.1 200 OK", field), method=b"HEAD")
            self.assertTrue(bodies[0].whole, field)
        self.assertEqual(len(self.released), 3)

    def test_until_close(self) -> None:
        """A body without framing ends with its connection."""
        for head in (b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK"):
            self.connect()
            _, bodies = self.exchange(message(head), b"hel", b"lo")
            self.assertEqual((bodies[0].data, bodies[0].reason), (b"hello", None))
            self.server.close()
            self.assertTrue(bodies[0].whole)
            self.assertEqual(self.released, [])

    def test_held(self) -> None:
        """The server is paused until a receiver takes the body."""
        answer = self.request(FakeOutgoing())
        self.server.send(ok(b"x" * 200_000)[:50_000])
        self.assertFalse(self.server.heard)
        body = self.body(answer)
        self.server.send(b"x" * 1000)
        self.assertTrue(self.server.heard)
        self.assertGreater(len(body.data), 50_000)
        self.assertEqual(set(body.data), {ord("x")})

    def test_held_to_its_end(self) -> None:
        """A body that ended before a receiver takes it is delivered completely, and so is its error if it failed."""
        for ending in (True, False):
            self.connect()
            answer = self.request(FakeOutgoing())
            self.server.send(ok(b"hello")[: None if ending else -1])
            self.server.transport.resumeProducing()
            self.server.close()
            body = self.body(answer)
            self.assertEqual((body.data, body.whole), (b"hello"[: None if ending else -1], ending))

    def test_delivered_once(self) -> None:
        """A body can be delivered only once."""
        answer, _ = self.exchange(ok())
        self.assertRaises(AssertionError, self.successResultOf(answer).deliverBody, None)


class InterimTests(ConnectionTestCase):
    """Interim responses."""

    def test_swallowed_and_passed(self) -> None:
        """
        However they are cut, 100 is dropped, and other interim responses are passed on in order before the final one.
        """
        hint = message(b"HTTP/1.1 103 Early Hints", b"Link: </s>")
        data = message(b"HTTP/1.1 100 Continue") + hint + message(b"HTTP/1.1 199 -") + ok()
        for cut in range(1, len(data)):
            outgoing = FakeOutgoing()
            answer = self.request(outgoing)
            self.server.send(data[:cut], data[cut:])
            self.assertEqual([head.status for head in outgoing.hints], [103, 199])
            self.assertEqual(outgoing.hints[0].headers, [(b"Link", b"</s>")])
            self.assertEqual(self.body(answer).data, b"hi")

    def test_not_yet_answered(self) -> None:
        """An interim response does not count as the response."""
        answer = self.request(FakeOutgoing())
        self.server.send(message(b"HTTP/1.1 103 Early Hints"))
        self.assertNoResult(answer)
        self.server.send(ok())
        self.body(answer)


class ReuseTests(ConnectionTestCase):
    """Whether a connection can be reused."""

    def test_again(self) -> None:
        """A connection carries one request after the other."""
        for number in range(3):
            _, bodies = self.exchange(ok(b"%d" % number))
            self.assertEqual(bodies[0].data, b"%d" % number)
            self.assertTrue(self.connection.fresh())
        self.assertEqual(self.released, [self.connection] * 3)

    def test_one_at_a_time(self) -> None:
        """A connection does not carry two requests at once."""
        self.request(upload())
        self.assertFalse(self.connection.fresh())
        self.assertRaises(AssertionError, self.connection.request, FakeOutgoing())

    def test_close(self) -> None:
        """After ``Connection: close``, in any spelling, or HTTP/1.0 without keep-alive, it is not reused."""
        for data, reused in (
            (ok(b"hi", b"Connection: close"), 0),
            (ok(b"hi", b"connection: x, ClOsE"), 0),
            (ok(b"hi", b"Connection: x\r\nConnection: close"), 0),
            (ok().replace(b"1.1", b"1.0"), 0),
            (ok(b"hi", b"Connection: keep-alive").replace(b"1.1", b"1.0"), 1),
        ):
            self.connect()
            _, bodies = self.exchange(data)
            self.assertTrue(bodies[0].whole)
            self.assertEqual(len(self.released), reused, data)
            self.assertEqual(self.server.ending is Ending.OPEN, bool(reused))

    def test_paused_at_the_end(self) -> None:
        """A connection that was paused at its last bytes is resumed for the next request."""
        _, bodies = self.exchange(ok(b"hello")[:-1])
        bodies[0].dataReceived = lambda _: bodies[0].transport.pauseProducing()  # type: ignore[method-assign]
        self.server.send(b"o")
        self.assertEqual(self.released, [self.connection])
        _, bodies = self.exchange(ok(b"again"))
        self.assertEqual([body.data for body in bodies], [b"again"])

    def test_stale(self) -> None:
        """A connection with unread bytes or an unread close is not fresh."""
        for arrived in (b"HTTP/1.1 408 \r\n\r\n", b"", ConnectionResetError(104, "reset")):
            self.connect()
            self.assertTrue(self.connection.fresh())
            self.server.socket.arriving.append(arrived)
            self.assertFalse(self.connection.fresh())
            self.reactor.settle()
            self.assertFalse(self.connection.fresh())

    def test_closed(self) -> None:
        """A closed connection is not fresh."""
        self.connection.close()
        self.assertFalse(self.connection.fresh())
