"""
Tests for request heads that :mod:`sttproxy.http1.requests` accepts.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.http1.requests import MAX_REQUEST_LINE

from .reading import HOST, request


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


class FieldTests(SynchronousTestCase):
    """The fields that only requests have."""

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


class BodyTests(SynchronousTestCase):
    """The body framing of requests."""

    def test_framing(self) -> None:
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

    def test_upgrade(self) -> None:
        """A request for an upgrade is parsed to its end and has the same framing as any other request."""
        for lines in (b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n"):
            head = request(HOST + lines + b"Content-Length: 5\r\nA: b\r\n")
            self.assertEqual((len(head.headers), head.headers[-1], head.length), (5, (b"A", b"b"), 5))
            self.assertTrue(request(HOST + lines + b"Transfer-Encoding: chunked\r\n").chunked)
