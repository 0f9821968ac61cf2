"""
Tests for :mod:`sttproxy.http2.heads`: heads of requests, and what must not get through a downgrade to HTTP/1.1.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import BadRequest, Header, HeadTooLarge, NotImplementedHere, ProxyError, TargetTooLong
from sttproxy.http1.heads import MAX_FIELDS, MAX_HEAD
from sttproxy.http2.heads import (
    request_fields,
    request_head,
    response_fields,
    response_head,
    trailer_fields,
    trailer_section,
)

GET: list[Header] = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"h"), (b":path", b"/x?y")]
POST: list[Header] = [(b":method", b"POST"), *GET[1:]]


def changed(name: bytes, value: bytes | None) -> list[Header]:
    """A request with another pseudo-header field, or without it."""
    return [(each, value if each == name else old) for each, old in GET if each != name or value is not None]  # type: ignore[misc]


class AcceptedTests(SynchronousTestCase):
    """Heads that become requests."""

    def test_request(self) -> None:
        """Method, path and fields are kept, and the authority is the Host."""
        head = request_head([*GET, (b"x-a", b"1"), (b"x-A".lower(), b"2"), (b"te", b"trailers")], True)
        self.assertEqual((head.method, head.target, head.version), (b"GET", b"/x?y", b"HTTP/1.1"))
        self.assertEqual(head.headers, [(b"host", b"h"), (b"x-a", b"1"), (b"x-a", b"2"), (b"te", b"trailers")])
        self.assertEqual((head.length, head.chunked), (0, False))

    def test_body(self) -> None:
        """A body has its length, or is chunked without one."""
        counted = request_head([*POST, (b"content-length", b"5")], False)
        self.assertEqual((counted.length, counted.chunked), (5, False))
        unknown = request_head(POST, False)
        self.assertEqual((unknown.length, unknown.chunked), (None, True))

    def test_no_body(self) -> None:
        """A length without a body is rejected; an upstream would take the next request for it."""
        self.assertEqual(request_head([*POST, (b"content-length", b"0")], True).length, 0)
        with self.assertRaises(BadRequest):
            request_head([*POST, (b"content-length", b"5")], True)

    def test_cookies(self) -> None:
        """Cookie crumbs are joined (RFC 9113 §8.2.3)."""
        head = request_head([*GET, (b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")], True)
        self.assertEqual(head.values(b"cookie"), [b"a=1; b=2"])

    def test_host(self) -> None:
        """A Host that is the authority is dropped, and one without an authority is used."""
        self.assertEqual(request_head([*GET, (b"host", b"h")], True).values(b"host"), [b"h"])
        without = [*changed(b":authority", None), (b"host", b"other")]
        self.assertEqual(request_head(without, True).values(b"host"), [b"other"])

    def test_options(self) -> None:
        """``*`` is a target of OPTIONS."""
        fields = [(b":method", b"OPTIONS"), *GET[1:3], (b":path", b"*")]
        self.assertEqual(request_head(fields, True).target, b"*")

    def test_response(self) -> None:
        """Names of a response are in lower case, after the status."""
        fields = response_fields(200, [(b"X-A", b"B")])
        self.assertEqual(fields, [(b":status", b"200"), (b"x-a", b"B")])


class RejectedTests(SynchronousTestCase):
    """Heads that must not get through."""

    def test_pseudo(self) -> None:
        """Pseudo-header fields are known, complete, single, and first."""
        for fields in (
            changed(b":method", None),
            changed(b":path", None),
            changed(b":scheme", None),
            changed(b":path", b""),
            changed(b":scheme", b"ftp"),
            [*GET, (b":path", b"/z")],
            [*GET, (b":status", b"200")],
            [*GET[:3], (b"x", b"y"), GET[3]],
            [*GET, (b":protocol", b"websocket")],
            [*changed(b":authority", None)],
        ):
            self.assertRaises(BadRequest, request_head, fields, True)

    def test_smuggled(self) -> None:
        """Line breaks, spaces and NUL do not make a second line or request, wherever they stand."""
        for name, value in (
            (b"x", b"a\r\nhost: evil"),
            (b"x", b"a\nb"),
            (b"x", b"a\rb"),
            (b"x", b"a\0b"),
            (b"x\r\nhost", b"evil"),
            (b"x: y\r\nz", b"a"),
            (b"x y", b"a"),
            (b"x:", b"a"),
            (b"", b"a"),
        ):
            self.assertRaises(BadRequest, request_head, [*GET, (name, value)], True)
        for name, value in (
            (b":method", b"GET / HTTP/1.1\r\nhost: evil\r\n\r\nGET"),
            (b":method", b"GET /admin"),
            (b":method", b""),
            (b":path", b"/ HTTP/1.1\r\nhost: evil"),
            (b":path", b"/a b"),
            (b":path", b"/a#b"),
            (b":path", b"a"),
            (b":path", b"*"),
            (b":path", b"http://evil/"),
            (b":path", b"/a\tb"),
            (b":authority", b"h\r\nx: y"),
            (b":authority", b"user@h"),
            (b":authority", b"h, evil"),
            (b":authority", b""),
            (b":scheme", b"https\r\nx: y"),
        ):
            fields = changed(name, value)
            if (name, value) == (b":authority", b""):
                self.assertEqual(request_head(fields, True).values(b"host"), [b""])
            else:
                self.assertRaises(BadRequest, request_head, fields, True)

    def test_framing(self) -> None:
        """The length is one number; a transfer coding, or a field that resembles one, is rejected."""
        for field in (
            (b"transfer-encoding", b"chunked"),
            (b"transfer_encoding", b"chunked"),
            (b"content_length", b"1"),
            (b"content-length", b"1, 1"),
            (b"content-length", b"+1"),
            (b"content-length", b"0x1"),
            (b"content-length", b""),
            (b"content-length", b"1" * 19),
        ):
            self.assertRaises(BadRequest, request_head, [*POST, field], False)
        twice = [*POST, (b"content-length", b"1"), (b"content-length", b"2")]
        self.assertRaises(BadRequest, request_head, twice, False)

    def test_connection(self) -> None:
        """Fields of one connection are rejected, and CONNECT is."""
        for field in (
            (b"connection", b"close"),
            (b"proxy-connection", b"keep-alive"),
            (b"keep-alive", b"5"),
            (b"upgrade", b"websocket"),
            (b"te", b"gzip"),
        ):
            self.assertRaises(BadRequest, request_head, [*GET, field], True)
        self.assertRaises((BadRequest, NotImplementedHere), request_head, changed(b":method", b"CONNECT"), True)

    def test_host(self) -> None:
        """A Host that is not the authority is rejected, and several are."""
        self.assertRaises(BadRequest, request_head, [*GET, (b"host", b"evil")], True)
        two = [*changed(b":authority", None), (b"host", b"a"), (b"host", b"b")]
        self.assertRaises(BadRequest, request_head, two, True)

    def test_sizes(self) -> None:
        """The limits of HTTP/1.1 hold."""
        self.assertRaises(TargetTooLong, request_head, changed(b":path", b"/" + b"x" * 9000), True)
        self.assertRaises(HeadTooLarge, request_head, [*GET, *[(b"x", b"y")] * 101], True)

    def test_any_byte(self) -> None:
        """No byte in a value makes another field than the one that it is in."""
        for byte in range(256):
            for fields in ([*GET, (b"x", b"a%cb" % byte)], changed(b":path", b"/a%cb" % byte)):
                try:
                    head = request_head(fields, True)
                except ProxyError:
                    continue
                self.assertEqual([name for name, _ in head.headers if name != b"x"], [b"host"], byte)


class TrailerTests(SynchronousTestCase):
    """Trailer sections, in both directions."""

    def test_accepted(self) -> None:
        """Fields keep their order and repetitions, and names leave in lower case."""
        fields: list[Header] = [(b"x-sum", b"a"), (b"grpc-status", b"0"), (b"x-sum", b""), (b"x", b"\xff b")]
        self.assertEqual(trailer_section(fields), fields)
        self.assertEqual(trailer_section([]), [])
        self.assertEqual(trailer_fields([(b"X-Sum", b"A")]), [(b"x-sum", b"A")])

    def test_rejected(self) -> None:
        """What frames or routes a message is rejected, and what HTTP/1.1 could read in another way."""
        for name, value in (
            (b":status", b"200"),
            (b":path", b"/"),
            (b":", b"x"),
            (b"", b"x"),
            (b"X", b"a"),
            (b"x y", b"a"),
            (b"x:", b"a"),
            (b"x\r\ny", b"a"),
            (b"x", b"a\r\ny: b"),
            (b"x", b"a\nb"),
            (b"x", b"a\rb"),
            (b"x", b"a\0b"),
            (b"x", b"a\x7fb"),
            (b"content-length", b"0"),
            (b"content_length", b"0"),
            (b"transfer-encoding", b"chunked"),
            (b"transfer_encoding", b"chunked"),
            (b"connection", b"close"),
            (b"keep-alive", b"5"),
            (b"proxy-connection", b"close"),
            (b"upgrade", b"websocket"),
            (b"te", b"trailers"),
        ):
            self.assertRaises(BadRequest, trailer_section, [(b"a", b"b"), (name, value)])

    def test_sizes(self) -> None:
        """The limits of heads hold: how many fields, and how many bytes."""
        self.assertEqual(len(trailer_section([(b"x", b"y")] * MAX_FIELDS)), MAX_FIELDS)
        self.assertRaises(HeadTooLarge, trailer_section, [(b"x", b"y")] * (MAX_FIELDS + 1))
        fits = MAX_HEAD - len(b"x: \r\n\r\n")
        self.assertEqual(len(trailer_section([(b"x", b"y" * fits)])), 1)
        self.assertRaises(HeadTooLarge, trailer_section, [(b"x", b"y" * (fits + 1))])

    def test_any_byte(self) -> None:
        """No byte in a name or a value makes another field than the one that it is in."""
        for byte in range(256):
            for field in ((b"x", b"a%cb" % byte), (b"x%cy" % byte, b"a")):
                try:
                    self.assertEqual(trailer_section([field]), [field])
                except ProxyError:
                    continue


class UpstreamTests(SynchronousTestCase):
    """Heads on the way to a server and back."""

    def test_request(self) -> None:
        """The Host is the authority; names are in lower case, and framing of HTTP/1.1 is left out."""
        headers = [(b"hOst", b"h"), (b"X-A", b"1"), (b"Transfer-Encoding", b"chunked"), (b"Connection", b"x")]
        fields = request_fields(b"POST", b"https", b"/x", headers)
        pseudo = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"h"), (b":path", b"/x")]
        self.assertEqual(fields, [*pseudo, (b"x-a", b"1")])

    def test_response(self) -> None:
        """A response has its status, and its fields as over HTTP/1.1."""
        head = response_head([(b":status", b"200"), (b"content-length", b"5"), (b"set-cookie", b"a")], b"GET")
        self.assertEqual((head.status, head.length, head.phrase), (200, 5, b"OK"))
        self.assertEqual(response_head([(b":status", b"200"), (b"content-length", b"5")], b"HEAD").length, 0)

    def test_malformed(self) -> None:
        """What HTTP/1.1 would read in another way is rejected."""
        for fields in (
            [],
            [(b"x", b"y")],
            [(b":status", b"20")],
            [(b":status", b"200 OK\r\nx: y")],
            [(b":status", b"200"), (b":status", b"200")],
            [(b"x", b"y"), (b":status", b"200")],
            [(b":status", b"200"), (b":path", b"/")],
            [(b":status", b"101")],
            [(b":status", b"200"), (b"x", b"a\r\nb: c")],
            [(b":status", b"200"), (b"X", b"a")],
            [(b":status", b"200"), (b"x:", b"a")],
            [(b":status", b"200"), (b"transfer-encoding", b"chunked")],
            [(b":status", b"200"), (b"connection", b"close")],
            [(b":status", b"200"), (b"content-length", b"1"), (b"content-length", b"2")],
        ):
            self.assertRaises(ProxyError, response_head, fields, b"GET")
