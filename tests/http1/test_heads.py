"""
Tests for request heads that :mod:`sttproxy.http1.heads` accepts.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.http1.heads import (
    MAX_FIELDS,
    MAX_REQUEST_LINE,
    RequestHead,
    options,
    parse_fields,
    parse_request,
    parse_response,
)

HOST = b"Host: h\r\n"


def request(lines: bytes = HOST, first: bytes = b"POST /x HTTP/1.1") -> RequestHead:
    """Parse a request head from its request line and its field lines."""
    return parse_request(first + b"\r\n" + lines + b"\r\n")


class RequestLineTests(SynchronousTestCase):
    """The request line."""

    def test_methods(self) -> None:
        """Any token is accepted as a method, known or unknown."""
        for method in (b"GET", b"POST", b"PROPFIND", b"M-SEARCH", b"get", b"X", b"!#$%&'*+-.^_`|~09azAZ", b"PRI"):
            self.assertEqual(request(first=method + b" / HTTP/1.1").method, method)

    def test_targets(self) -> None:
        """A target in origin form is kept byte for byte."""
        for target in (
            b"/",
            b"//",
            b"//evil.example/x",
            b"/v1/audio/transcriptions",
            b"/v1%2faudio/%74ranscriptions%0a",
            b"/a/../b/./c",
            b"/a;b=c?d=e&f",
            b"/?",
            b"/a?http://b/",
            b"/a:b@c",
            b'/{}|^`\\"<>[]',
            b"/http://a",
            b"/*",
        ):
            head = request(first=b"GET " + target + b" HTTP/1.1")
            self.assertEqual((head.target, head.headers), (target, [(b"Host", b"h")]), target)

    def test_versions(self) -> None:
        """HTTP/1.1 and HTTP/1.0 are accepted."""
        for version in (b"HTTP/1.1", b"HTTP/1.0"):
            self.assertEqual(request(first=b"GET / " + version).version, version)

    def test_absolute(self) -> None:
        """A target in absolute form is reduced to origin form, and its authority replaces the Host."""
        for target, reduced, host in (
            (b"http://a/b?c", b"/b?c", b"a"),
            (b"http://a", b"/", b"a"),
            (b"http://a/", b"/", b"a"),
            (b"HTTPS://A:443/b", b"/b", b"A:443"),
            (b"http://a?b", b"/?b", b"a"),
            (b"http://a//b", b"//b", b"a"),
            (b"http://[::1]:8/b", b"/b", b"[::1]:8"),
            (b"http://a/http://c/", b"/http://c/", b"a"),
        ):
            head = request(b"A: 1\r\nHOST: h\r\nB: 2\r\n", b"GET " + target + b" HTTP/1.1")
            self.assertEqual(head.target, reduced, target)
            self.assertEqual(head.headers, [(b"Host", host), (b"A", b"1"), (b"B", b"2")], target)
            self.assertEqual(head.values(b"host"), [host], target)

    def test_absolute_without_host(self) -> None:
        """In HTTP/1.0 a request with an absolute target needs no Host."""
        head = request(b"", b"GET http://a/b HTTP/1.0")
        self.assertEqual((head.target, head.headers, head.values(b"host")), (b"/b", [(b"Host", b"a")], [b"a"]))

    def test_asterisk(self) -> None:
        """A server-wide OPTIONS has the target ``*``, also when it was absolute and had no path."""
        for target in (b"*", b"http://a"):
            self.assertEqual(request(first=b"OPTIONS " + target + b" HTTP/1.1").target, b"*")
        for target, reduced in ((b"http://a/", b"/"), (b"http://a?", b"/?"), (b"/*", b"/*")):
            self.assertEqual(request(first=b"OPTIONS " + target + b" HTTP/1.1").target, reduced)

    def test_longest(self) -> None:
        """A request line of exactly the limit is accepted."""
        target = b"/".ljust(MAX_REQUEST_LINE - len(b"GET  HTTP/1.1"), b"a")
        self.assertEqual(request(first=b"GET " + target + b" HTTP/1.1").target, target)

    def test_shown(self) -> None:
        """For a log line a target is one line of limited length, without the query."""
        for target, shown in (
            (b"/v1/x?key=secret", "/v1/x"),
            (b"/" + b"a" * 199, "/" + "a" * 199),
            (b"/" + b"a" * 5000, "/" + "a" * 199 + "…"),
            (b"/%0a", "/%0a"),
        ):
            self.assertEqual(request(first=b"GET " + target + b" HTTP/1.1").shown_target(), shown)

    def test_raw_utf_8(self) -> None:
        """Raw UTF-8 in a target, as curl sends it, is percent-encoded; the other bytes do not change."""
        for target, encoded in (
            ("/会议?问=答&a=%E4", b"/%E4%BC%9A%E8%AE%AE?%E9%97%AE=%E7%AD%94&a=%E4"),
            ("http://a/é", b"/%C3%A9"),
            ("/a\x80\x85\u2028\u202e", b"/a%C2%80%C2%85%E2%80%A8%E2%80%AE"),
            ("/\U0001f600", b"/%F0%9F%98%80"),
        ):
            found = request(first=b"GET " + target.encode() + b" HTTP/1.1")
            self.assertEqual(found.target, encoded)
            self.assertTrue(found.shown_target().isprintable())

    def test_length(self) -> None:
        """Leading zeros of a length are removed, in requests and in responses; the other fields do not change."""
        for sent, left in ((b"005", b"5"), (b"00", b"0"), (b"0", b"0"), (b"10", b"10"), (b"0" * 17 + b"7", b"7")):
            line = b"X-A: 05\r\ncontent-LENGTH: " + sent + b"\r\n"
            pairs = [(b"X-A", b"05"), (b"content-LENGTH", left)]
            for head in (request(HOST + line), parse_response(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n", b"GET")):
                self.assertEqual((head.length, head.values(b"content-length")), (int(left), [left]))
                self.assertEqual([pair for pair in head.headers if pair[0] != b"Host"], pairs)


class FieldTests(SynchronousTestCase):
    """The field lines."""

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

    def test_upgrade(self) -> None:
        """A request for an upgrade is parsed to its end and has the same framing as any other request."""
        for lines in (b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n"):
            head = request(HOST + lines + b"Content-Length: 5\r\nA: b\r\n")
            self.assertEqual((len(head.headers), head.headers[-1], head.length), (5, (b"A", b"b"), 5))
            self.assertTrue(request(HOST + lines + b"Transfer-Encoding: chunked\r\n").chunked)

    def test_hosts(self) -> None:
        """Names, addresses and ports of RFC 3986 §3.2 are accepted in Host."""
        for host in (
            b"",
            b"localhost",
            b"example.com:80",
            b"example.com:",
            b"EXAMPLE.com.",
            b"127.0.0.1:65535",
            b"[::1]",
            b"[2001:DB8::1]:10240",
            b"[::ffff:127.0.0.1]",
            b"under_score.example",
            b"a%20b",
            b"~!$&'()*+,;=-",
        ):
            self.assertEqual(request(b"Host: " + host + b"\r\n").values(b"host"), [host])


class FramingTests(SynchronousTestCase):
    """The body framing of requests."""

    def test_requests(self) -> None:
        """A request body has the length of Content-Length or is chunked; otherwise it is empty."""
        for lines, length, chunked in (
            (b"", 0, False),
            (b"Content-Length: 0\r\n", 0, False),
            (b"Content-Length: 5\r\n", 5, False),
            (b"content-length:\t005 \r\n", 5, False),
            (b"Content-Length: " + b"9" * 18 + b"\r\n", 10**18 - 1, False),
            (b"Transfer-Encoding: chunked\r\n", None, True),
            (b"transfer-encoding:CHUNKED\r\n", None, True),
            (b"X-Content-Length: 5\r\nContentLength: 6\r\n", 0, False),
        ):
            head = request(HOST + lines)
            self.assertEqual((head.length, head.chunked), (length, chunked), lines)

    def test_continue(self) -> None:
        """100-continue is recognized in HTTP/1.1; in HTTP/1.0 every Expect is ignored."""
        for first, line, expects in (
            (b"POST / HTTP/1.1", b"", False),
            (b"POST / HTTP/1.1", b"Expect: 100-continue\r\n", True),
            (b"POST / HTTP/1.1", b"expect:100-CONTINUE\r\n", True),
            (b"POST / HTTP/1.1", b"Expect: 100-continue\r\nExpect: 100-continue\r\n", True),
            (b"POST / HTTP/1.1", b"Expect: 100-continue, \r\n", True),
            (b"POST / HTTP/1.0", b"Expect: 100-continue\r\n", False),
            (b"POST / HTTP/1.0", b"Expect: tea\r\n", False),
        ):
            self.assertEqual(request(HOST + line, first).expects_continue, expects, (first, line))


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
