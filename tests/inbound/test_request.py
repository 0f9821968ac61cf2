"""
Tests for :mod:`sttproxy.inbound.request`: a request's attributes, and its responses on the wire.
"""

from __future__ import annotations

from twisted.internet.protocol import Protocol
from twisted.web.iweb import IRequest
from zope.interface.verify import verifyObject

from sttproxy.errors import BadRequest
from sttproxy.http1.responses import parse_response
from sttproxy.inbound.request import Request

from ..support.fakes import Ending, Peer
from ..support.stage import ScriptedTestCase, chunked, get, message, ok, post


class RequestTestCase(ScriptedTestCase):
    """Base class for tests of single requests."""

    def begin(self, data: bytes = get()) -> tuple[Peer, Request]:
        """Return a client that has sent a request, and the request."""
        client = self.client(data)
        return client, self.requests[-1]


class ViewTests(RequestTestCase):
    """A request's attributes."""

    def test_interface(self) -> None:
        """It implements Twisted's request interface."""
        self.assertTrue(verifyObject(IRequest, self.begin()[1]))

    def test_line(self) -> None:
        """Method and target are byte for byte as the client sent them; the path is the target without its query."""
        _, request = self.begin(get(b"/a%2Fb//?q=1?&x", method=b"sTrange"))
        self.assertEqual((request.method, request.uri, request.path), (b"sTrange", b"/a%2Fb//?q=1?&x", b"/a%2Fb//"))
        self.assertEqual(request.clientproto, b"HTTP/1.1")

    def test_headers(self) -> None:
        """Headers can be read through Twisted's interface; repeated ones return all their values."""
        _, request = self.begin(get(b"/x", b"x-one: 1", b"X-One: 2"))
        self.assertEqual(request.requestHeaders.getRawHeaders("X-One"), ["1", "2"])
        self.assertEqual(request.getHeader("host"), "h")
        self.assertIsNone(request.getHeader("x-two"))

    def test_nothing_stored(self) -> None:
        """The body is not stored."""
        _, request = self.begin(post(4, body=b"abcd"))
        self.assertIsNone(request.content)

    def test_began(self) -> None:
        """It knows the time at which its head was complete."""
        self.reactor.advance(5)
        self.assertEqual(self.begin()[1].record.began, 5)

    def test_states(self) -> None:
        """It knows whether a response has begun, and whether the client is still connected."""
        _, request = self.begin()
        self.assertEqual((request.responded, request.over), (False, False))
        request.write(b"a")
        self.assertEqual((request.responded, request.over), (True, False))
        request.finish()
        self.assertEqual((request.responded, request.over), (True, True))


class OwnResponseTests(RequestTestCase):
    """Responses written through Twisted's interface."""

    def test_nothing_added(self) -> None:
        """Exactly the fields that were set are sent, with all their values; no other field is added."""
        client, request = self.begin()
        request.setResponseCode(201)
        request.setHeader(b"Content-Length", b"3")
        request.responseHeaders.addRawHeader(b"X", b"1")
        request.responseHeaders.addRawHeader(b"X", b"2")
        request.write(b"abc")
        request.finish()
        self.reactor.settle()
        fields = (b"Content-Length: 3", b"X: 1", b"X: 2")
        self.assertEqual(client.received, message(b"HTTP/1.1 201 Created", *fields, body=b"abc"))

    def test_chunked(self) -> None:
        """A response without a length is chunked; writing an empty string does not end it."""
        client, request = self.begin()
        for data in (b"ab", b"", b"c"):
            request.write(data)
        request.finish()
        self.reactor.settle()
        head = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")
        self.assertEqual(client.received, head + chunked(b"ab", b"c"))

    def test_empty(self) -> None:
        """Finishing without writing sends an empty response."""
        client, request = self.begin()
        request.finish()
        self.reactor.settle()
        self.assertEqual(client.received, message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", body=chunked()))

    def test_http10(self) -> None:
        """HTTP/1.0 has no chunked coding: without a length the body ends with the connection."""
        client, request = self.begin(get(b"/x", b"Connection: keep-alive", version=b"HTTP/1.0"))
        request.write(b"abc")
        request.finish()
        self.reactor.settle()
        self.assertEqual(client.received, message(b"HTTP/1.1 200 OK", b"Connection: close", body=b"abc"))
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_unknown_status(self) -> None:
        """A status without a known reason phrase is sent without one."""
        client, request = self.begin()
        request.setResponseCode(299)
        request.finish()
        self.reactor.settle()
        self.assertTrue(client.received.startswith(b"HTTP/1.1 299 \r\n"))


class BodilessTests(RequestTestCase):
    """Responses that have no body, whatever their head says."""

    def test_head(self) -> None:
        """HEAD gets the same head as GET."""
        for fields, length in (([(b"Content-Length", b"3")], 3), ([], None)):
            client, request = self.begin(get(method=b"HEAD"))
            request.send_head(200, b"OK", fields, length)
            request.write(b"abc")
            request.finish()
            client.send(get(b"/now"))
            self.assertTrue(client.received.startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertTrue(client.received.endswith(b"\r\n\r\n" + ok(b"/now")), client.received)

    def test_head_error(self) -> None:
        """An error response to HEAD has no body either."""
        client, request = self.begin(get(method=b"HEAD"))
        request.fail(BadRequest("no"))
        self.reactor.settle()
        self.assertRegex(client.received, rb"\AHTTP/1.1 400 [^{]*\r\n\r\n\Z")

    def test_statuses(self) -> None:
        """204 and 304 have no body, and the connection persists."""
        for status in (204, 304):
            for version in (b"HTTP/1.0", b"HTTP/1.1"):
                client, request = self.begin(get(b"/x", b"Connection: keep-alive", version=version))
                request.send_head(status, b"-", [], None)
                request.finish()
                self.reactor.settle()
                self.assertNotIn(b"Transfer-Encoding", client.received)
                self.assertTrue(client.received.endswith(b"\r\n\r\n"))
                self.assertEqual(client.ending, Ending.OPEN)


class RelayedResponseTests(RequestTestCase):
    """Relaying another server's response."""

    def test_as_it_came(self) -> None:
        """Its head keeps the order and spelling of the fields; a missing reason phrase stays missing."""
        fields = [(b"sErVer", b"uvicorn"), (b"X", b""), (b"content-length", b"2"), (b"X", b"\xe4")]
        for phrase, line in ((b"OK", b"200 OK"), (b"", b"200 "), (None, b"200"), (b"\xc3\xa4 b", b"200 \xc3\xa4 b")):
            client, request = self.begin()
            request.send_head(200, phrase, fields, 2)
            request.write(b"hi")
            request.finish()
            self.reactor.settle()
            lines = (b"sErVer: uvicorn", b"X: ", b"content-length: 2", b"X: \xe4")
            self.assertEqual(client.received, message(b"HTTP/1.1 " + line, *lines, body=b"hi"))

    def test_informational(self) -> None:
        """Interim responses are sent before the final head, not after it, and not to HTTP/1.0 clients."""
        client, request = self.begin()
        request.send_informational(103, b"Early Hints", [(b"Link", b"</s>")])
        self.reactor.settle()
        self.assertEqual(client.news(), message(b"HTTP/1.1 103 Early Hints", b"Link: </s>"))
        request.send_head(200, b"OK", [(b"Content-Length", b"2")], 2)
        request.send_informational(103, b"Early Hints", [])
        request.write(b"hi")
        request.finish()
        request.send_informational(103, b"Early Hints", [])
        self.reactor.settle()
        self.assertEqual(client.news(), ok())
        client, request = self.begin(get(version=b"HTTP/1.0"))
        request.send_informational(103, b"Early Hints", [])
        self.reactor.settle()
        self.assertEqual(client.received, b"")

    def test_tunnel(self) -> None:
        """A 101 hands over the connection with the bytes that have already arrived, and ends the request."""
        client, request = self.begin(get() + b"early")
        end = Protocol()
        received: list[bytes] = []
        end.dataReceived = received.append  # type: ignore[method-assign]
        head = parse_response(b"HTTP/1.1 101 Switching\r\n\r\n", b"GET")
        early = request.tunnel(head, [(b"Upgrade", b"x")], end)
        self.reactor.settle()
        self.assertEqual(client.received, message(b"HTTP/1.1 101 Switching", b"Upgrade: x"))
        client.send(get())
        self.assertEqual((early, received, len(self.requests)), (b"early", [get()], 1))
        self.assertEqual(self.stats.in_flight, 1)
        client.close()
        self.assertEqual((self.stats.in_flight, self.stats.clients_gone), (0, 0))
        self.assertEqual(self.stats.answers, {"1xx": 1})
