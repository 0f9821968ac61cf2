"""
Tests for :mod:`sttproxy.http1.heads`: the common part of request and response heads.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.http1.heads import MAX_FIELDS, options, parse_fields
from sttproxy.http1.responses import parse_response

from .reading import HOST, request


class FieldTests(SynchronousTestCase):
    """Field lines."""

    def test_pairs(self) -> None:
        """Names keep their spelling; values lose only the surrounding white space."""
        for line, pair in (
            (b"A: b", (b"A", b"b")),
            (b"A:b", (b"A", b"b")),
            (b"a:\t b \t", (b"a", b"b")),
            (b"A:", (b"A", b"")),
            (b"A: \t ", (b"A", b"")),
            (b"A: b  c\td", (b"A", b"b  c\td")),
            (b"A: b:c: d", (b"A", b"b:c: d")),
            (b'A: "b\\"', (b"A", b'"b\\"')),
            (b"A: \xff\x80", (b"A", b"\xff\x80")),
            (b"!#$%&'*+-.^_`|~09: x", (b"!#$%&'*+-.^_`|~09", b"x")),
            (b"A: " + b"b" * 60000, (b"A", b"b" * 60000)),
            (b"A" * 60000 + b": b", (b"A" * 60000, b"b")),
        ):
            self.assertEqual(parse_fields(b"\r\n" + line + b"\r\n\r\n")[0], [pair], line[:40])
            self.assertEqual(request(HOST + line + b"\r\n").headers, [(b"Host", b"h"), pair], line[:40])

    def test_order(self) -> None:
        """Fields keep their order and their repetitions; the index has all values of a name."""
        head = request(b"x-A: 1\r\nHost: h\r\nX-a: 2\r\nB: 3\r\nX-A: \r\n")
        self.assertEqual(head.headers, [(b"x-A", b"1"), (b"Host", b"h"), (b"X-a", b"2"), (b"B", b"3"), (b"X-A", b"")])
        self.assertEqual(head.index, {b"x-a": [b"1", b"2", b""], b"host": [b"h"], b"b": [b"3"]})
        self.assertEqual((head.values(b"x-a"), list(head.values(b"c"))), ([b"1", b"2", b""], []))

    def test_none(self) -> None:
        """A head may have no field lines."""
        self.assertEqual(parse_fields(b"\r\n\r\n"), ([], {}))
        self.assertEqual(request(b"", b"GET / HTTP/1.0").headers, [])

    def test_most(self) -> None:
        """As many fields as the limit allows are accepted."""
        self.assertEqual(len(request(HOST + b"A: b\r\n" * (MAX_FIELDS - 1)).headers), MAX_FIELDS)


class FramingTests(SynchronousTestCase):
    """Body framing."""

    def test_length(self) -> None:
        """Leading zeros of a length are removed, in requests and in responses; the other fields do not change."""
        for sent, left in ((b"005", b"5"), (b"00", b"0"), (b"0", b"0"), (b"10", b"10"), (b"0" * 17 + b"7", b"7")):
            line = b"X-A: 05\r\ncontent-LENGTH: " + sent + b"\r\n"
            pairs = [(b"X-A", b"05"), (b"content-LENGTH", left)]
            for head in (request(HOST + line), parse_response(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n", b"GET")):
                self.assertEqual((head.length, head.values(b"content-length")), (int(left), [left]))
                self.assertEqual([pair for pair in head.headers if pair[0] != b"Host"], pairs)


class ConnectionTests(SynchronousTestCase):
    """The Connection header."""

    def test_options(self) -> None:
        """The options come from all lines and all list elements, in lower case; empty elements are ignored."""
        for values, expected in (
            ([], set()),
            ([b"close"], {b"close"}),
            ([b"Close, \tTE"], {b"close", b"te"}),
            ([b"a,b", b"c"], {b"a", b"b", b"c"}),
            ([b"a,,b, ,"], {b"a", b"b"}),
            ([b""], set()),
        ):
            self.assertEqual(options(values), expected, values)

    def test_keeps_alive(self) -> None:
        """HTTP/1.1 is persistent without close, HTTP/1.0 only with keep-alive; close has precedence."""
        for version, lines, keeps in (
            (b"1.1", b"", True),
            (b"1.1", b"Connection: close\r\n", False),
            (b"1.1", b"Connection: CLOSE\r\n", False),
            (b"1.1", b"Connection: keep-alive\r\nConnection: x, Close\r\n", False),
            (b"1.1", b"Connection: closed\r\n", True),
            (b"1.1", b"Proxy-Connection: close\r\n", True),
            (b"1.0", b"", False),
            (b"1.0", b"Connection: Keep-Alive\r\n", True),
            (b"1.0", b"Connection: keep-alive, close\r\n", False),
        ):
            head = request(HOST + lines, b"GET / HTTP/" + version)
            self.assertEqual(head.keeps_alive(), keeps, (version, lines))
