"""
Tests for :mod:`sttproxy.http1.responses`, and for written request heads.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import BadRequest, HeadTooLarge
from sttproxy.http1.heads import MAX_FIELDS
from sttproxy.http1.requests import write_request
from sttproxy.http1.responses import ResponseHead, parse_response, write_response


def response(lines: bytes = b"", first: bytes = b"HTTP/1.1 200 OK", method: bytes = b"GET") -> ResponseHead:
    """Parse a response head from its status line and its field lines."""
    return parse_response(first + b"\r\n" + lines + b"\r\n", method)


class StatusLineTests(SynchronousTestCase):
    """The status line."""

    def test_read(self) -> None:
        """The status and the phrase are read; an empty phrase differs from a missing one."""
        for line, status, phrase in (
            (b"HTTP/1.1 200 OK", 200, b"OK"),
            (b"HTTP/1.0 404 Not Found", 404, b"Not Found"),
            (b"HTTP/1.1 200 ", 200, b""),
            (b"HTTP/1.1 200", 200, None),
            (b"HTTP/1.1 200  two\t ", 200, b" two\t "),
            (b"HTTP/1.1 599 \xe4\xbc\x9a", 599, b"\xe4\xbc\x9a"),
            (b"HTTP/1.1 101 Switching Protocols", 101, b"Switching Protocols"),
            (b"HTTP/1.1 999 ?", 999, b"?"),
        ):
            head = response(first=line)
            self.assertEqual((head.status, head.phrase, head.version), (status, phrase, line[:8]), line)

    def test_refused(self) -> None:
        """A malformed status line is rejected."""
        for line in (
            b"",
            b"HTTP/1.1",
            b"HTTP/1.1 ",
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 2x0 OK",
            b"HTTP/1.1 099 Low",
            b"HTTP/1.1 +20 OK",
            b"HTTP/1.1  200 OK",
            b"HTTP/1.1\t200 OK",
            b"HTTP/1.1 200\tOK",
            b"HTTP/1.1 200OK",
            b" HTTP/1.1 200 OK",
            b"http/1.1 200 OK",
            b"HTTP/1.2 200 OK",
            b"HTTP/2 200 OK",
            b"HTTP/2.0 200 OK",
            b"HTTP/0.9 200 OK",
            b"HTTP/11 200 OK",
            b"ICY 200 OK",
            b"200 OK",
            b"HTTP/1.1 200 O\x00K",
            b"HTTP/1.1 200 O\x7fK",
            b"HTTP/1.1 200 O\rK",
            b"HTTP/1.1 200 O\nK",
            b"HTTP/1.1 \xb2\xb2\xb2 OK",
            b"GET / HTTP/1.1",
        ):
            self.assertRaises(BadRequest, response, first=line)


class FramingTests(SynchronousTestCase):
    """The fields and the body framing of responses."""

    def test_fields(self) -> None:
        """Fields keep their order, their spelling and their repetitions."""
        head = response(b"Set-Cookie: a=1\r\nset-cookie:b=2; x\r\nX-Empty:\r\nServer: \xff\r\n")
        self.assertEqual(
            head.headers,
            [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2; x"), (b"X-Empty", b""), (b"Server", b"\xff")],
        )
        self.assertEqual(head.values(b"set-cookie"), [b"a=1", b"b=2; x"])

    def test_body(self) -> None:
        """A response body has a length, is chunked, or ends when the connection closes."""
        for lines, length, chunked in (
            (b"", None, False),
            (b"Content-Length: 0\r\n", 0, False),
            (b"Content-Length: 5\r\n", 5, False),
            (b"Transfer-Encoding: chunked\r\n", None, True),
            (b"Connection: close\r\n", None, False),
        ):
            head = response(lines)
            self.assertEqual((head.length, head.chunked), (length, chunked), lines)

    def test_bodiless(self) -> None:
        """Some responses never have a body, whatever their fields say (RFC 9112 §6.3); the fields are kept."""
        for first, method in (
            (b"HTTP/1.1 200 OK", b"HEAD"),
            (b"HTTP/1.1 404 No", b"HEAD"),
            (b"HTTP/1.1 100 Continue", b"POST"),
            (b"HTTP/1.1 103 Early Hints", b"POST"),
            (b"HTTP/1.1 204 No Content", b"POST"),
            (b"HTTP/1.1 304 Not Modified", b"GET"),
        ):
            for line in (b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""):
                head = response(line, first, method)
                self.assertEqual((head.length, head.chunked, len(head.headers)), (0, False, bool(line)), (first, line))

    def test_refused(self) -> None:
        """Ambiguous framing is rejected, as in a request."""
        for lines in (
            b"Content-Length: 5\r\nContent-Length: 5\r\n",
            b"Content-Length: 5\r\nContent-Length: 6\r\n",
            b"Content-Length: 5, 5\r\n",
            b"Content-Length: -5\r\n",
            b"Content-Length: 0x5\r\n",
            b"Content-Length: " + b"9" * 19 + b"\r\n",
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            b"Transfer-Encoding: gzip, chunked\r\n",
            b"Transfer-Encoding: chunked, chunked\r\n",
            b"Transfer-Encoding: identity\r\n",
            b"Transfer_Encoding: chunked\r\n",
            b"Content_Length: 5\r\n",
            b"A : b\r\n",
            b"A: b\r\n c\r\n",
            b"A: b\nContent-Length: 5\r\n",
            b"A: b\rContent-Length: 5\r\n",
            b"A: \x00\r\n",
        ):
            self.assertRaises(BadRequest, response, lines)
        self.assertRaises(BadRequest, response, b"Transfer-Encoding: chunked\r\n", b"HTTP/1.0 200 OK")

    def test_most(self) -> None:
        """As many fields as the limit allows are accepted, and one more is rejected."""
        self.assertEqual(len(response(b"A: b\r\n" * MAX_FIELDS).headers), MAX_FIELDS)
        self.assertRaises(HeadTooLarge, response, b"A: b\r\n" * (MAX_FIELDS + 1))

    def test_keeps_alive(self) -> None:
        """HTTP/1.1 is persistent without close, HTTP/1.0 only with keep-alive; close has precedence."""
        for version, lines, keeps in (
            (b"1.1", b"", True),
            (b"1.1", b"Connection: x\r\nconnection:CLOSE\r\n", False),
            (b"1.0", b"", False),
            (b"1.0", b"Connection: Keep-Alive\r\n", True),
            (b"1.0", b"Connection: keep-alive, close\r\n", False),
        ):
            head = response(lines, b"HTTP/" + version + b" 200 OK")
            self.assertEqual(head.keeps_alive(), keeps, (version, lines))


class WriteTests(SynchronousTestCase):
    """Written heads."""

    def test_request(self) -> None:
        """A request head has its request line, its fields and an empty line; its version is always HTTP/1.1."""
        self.assertEqual(
            write_request(b"GET", b"/a?b", [(b"Host", b"h"), (b"x-Y", b""), (b"x-Y", b"1")]),
            b"GET /a?b HTTP/1.1\r\nHost: h\r\nx-Y: \r\nx-Y: 1\r\n\r\n",
        )

    def test_response(self) -> None:
        """A response head keeps the phrase as received, also an empty or a missing one."""
        for phrase, line in ((b"OK", b"HTTP/1.1 200 OK"), (b"", b"HTTP/1.1 200 "), (None, b"HTTP/1.1 200")):
            self.assertEqual(write_response(200, phrase, [(b"A", b"b")]), line + b"\r\nA: b\r\n\r\n")
            self.assertEqual(write_response(200, phrase, []), line + b"\r\n\r\n")
