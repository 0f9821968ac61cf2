"""
Headers that are forwarded, dropped or added.
"""

from __future__ import annotations

from ...e2e.message import Header, counted, head, request
from .tools import FaultTestCase

OK = b"HTTP/1.1 200 OK"

#: Forwarded unchanged: order, spelling, repetition, empty values, bytes beyond ASCII.
PASSED: list[Header] = [
    (b"X-First", b"1"),
    (b"x-first", b"2"),
    (b"X-EMPTY", b""),
    (b"Cookie", b"a=b; c=d"),
    (b"Authorization", b"Bearer sk-1"),
    (b"X-Underscore_d", b"e"),
    (b"Accept-Encoding", b"gzip, br"),
    (b"X-Bytes", "ä".encode()),
    (b"X-Commas", b"a,b , c"),
    (b"Via", b"1.1 other"),
    (b"Trailer", b"X-T"),
    (b"Set-Cookie", b"a=1"),
    (b"Set-Cookie", b"b=2"),
]
#: Dropped even if Connection does not name them.
HOP: list[Header] = [
    (b"Keep-Alive", b"timeout=5"),
    (b"Proxy-Connection", b"keep-alive"),
    (b"TE", b"gzip"),
    (b"Proxy-Authorization", b"Basic x"),
    (b"Proxy-Authenticate", b"Basic"),
]
#: Named by Connection, in any of its lines, in any spelling.
NAMED: list[Header] = [
    (b"Connection", b"X-One, x-TWO"),
    (b"X-One", b"1"),
    (b"connection", b"X-Three ,,"),
    (b"x-two", b"2"),
    (b"X-THREE", b"3"),
    (b"X-Three", b"3"),
]
FORWARDED = [b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host"]


class HopByHop(FaultTestCase):
    """Hop-by-hop fields in both directions."""

    def test_request(self) -> None:
        """A request is forwarded with its end-to-end headers, in their order and spelling, and the proxy's own ones."""
        sent = request("GET", "/", *PASSED, *HOP, *NAMED)
        received, _ = self.exchange(sent, head(OK, [counted(b""), (b"Connection", b"close")]))
        written = [(b"X-Forwarded-For", b"127.0.0.1"), (b"X-Forwarded-Proto", b"http")]
        written.append((b"X-Forwarded-Host", b"stt.test"))
        self.assertRegex(received.values(b"CDN-Loop")[0], rb"\Asttproxy-[0-9a-f]{16}\Z")
        self.assertEqual(received.passed[:-1], [(b"Host", b"stt.test"), *PASSED, *written])

    def test_response(self) -> None:
        """A response is relayed with its end-to-end headers, and no other."""
        headers = [*PASSED, *HOP, *NAMED, (b"Server", b"other/1"), counted(b"ok"), (b"Date", b"then")]
        _, answer = self.exchange(request("GET", "/"), head(OK, headers) + b"ok")
        self.assertEqual(answer.passed, [*PASSED, (b"Server", b"other/1"), counted(b"ok"), (b"Date", b"then")])

    def test_nothing_is_added(self) -> None:
        """No header is added to a response that has only its length."""
        _, answer = self.exchange(request("GET", "/"), head(OK, [counted(b"ok")]) + b"ok")
        self.assertEqual(answer.passed, [counted(b"ok")])

    def test_what_may_not_be_named(self) -> None:
        """Connection cannot remove headers that are essential to the request."""
        named = (b"Connection", b"close, Host, Content-Length, Content-Type, Authorization")
        kept = [(b"Content-Type", b"text/plain"), (b"Authorization", b"Bearer sk-1"), counted(b"whole")]
        received, _ = self.exchange(
            request("POST", "/", named, *kept) + b"whole", head(OK, [counted(b""), (b"Connection", b"close")])
        )
        self.assertEqual(received.headers[:4], [(b"Host", b"stt.test"), *kept])
        self.assertEqual(received.body, b"whole")

    def test_phrases(self) -> None:
        """Status lines are relayed unchanged, also without a phrase or with an unknown status."""
        for start in (
            b"HTTP/1.1 200 Fine by me",
            b"HTTP/1.1 299 ",
            b"HTTP/1.1 599 What?",
            b"HTTP/1.1 418 Ich bin \xc3\xa4",
        ):
            _, answer = self.exchange(request("GET", "/"), head(start, [counted(b""), (b"Connection", b"close")]))
            self.assertEqual(answer.start, start)


class Forwarded(FaultTestCase):
    """The forwarded headers of a client."""

    forwarded = ((b"X-Forwarded-For", b"1.2.3.4"), (b"x-forwarded-for", b"5.6.7.8"))
    options = ("--trust-forwarded", "10.0.0.0/8")
    expected: tuple[list[bytes], ...] = ([b"127.0.0.1"], [b"http"], [b"stt.test"])

    def test_told(self) -> None:
        """Values of trusted peers are kept; values of other peers are replaced."""
        others = ((b"X-Forwarded-Proto", b"https"), (b"X-FORWARDED-HOST", b"outer.test"))
        sent = request("GET", "/", *self.forwarded, *others)
        received, _ = self.exchange(sent, head(OK, [counted(b""), (b"Connection", b"close")]))
        self.assertEqual(tuple(received.values(name) for name in FORWARDED), self.expected)

    def test_not_told(self) -> None:
        """Without such values, the observed ones are written."""
        received, _ = self.exchange(request("GET", "/"), head(OK, [counted(b""), (b"Connection", b"close")]))
        self.assertEqual(tuple(received.values(name) for name in FORWARDED), ([b"127.0.0.1"], [b"http"], [b"stt.test"]))


class ForwardedByTrusted(Forwarded):
    """The same from a trusted peer."""

    options = ("--trust-forwarded", "10.0.0.0/8", "--trust-forwarded", "127.0.0.1")
    expected = ([b"1.2.3.4, 5.6.7.8, 127.0.0.1"], [b"https"], [b"outer.test"])


class Targets(FaultTestCase):
    """Request targets."""

    def arrives(self, line: bytes, host: bytes | None = b"stt.test") -> tuple[bytes, list[bytes]]:
        """The request line and the Host of a request as forwarded."""
        headers = [] if host is None else [(b"Host", host)]
        received, _ = self.exchange(head(line, headers), head(OK, [counted(b""), (b"Connection", b"close")]))
        return received.start, received.values(b"Host")

    def test_untouched(self) -> None:
        """A target is forwarded byte for byte: nothing is decoded, merged or dropped."""
        for target in (
            b"/",
            b"//",
            b"/a//b/../c/./d",
            b"/%2F%2e%2E/%41%zz?%2F=%20&a&&=b?c",
            b"/?",
            b"/a;b=c,d:e@f!$&'()*+~",
            b'/"<>\\^`{|}',
            b"/http://x/",
        ):
            self.assertEqual(self.arrives(b"GET %b HTTP/1.1" % target)[0], b"GET %b HTTP/1.1" % target)

    def test_absolute_form(self) -> None:
        """A target in absolute form is reduced to its path, and its host becomes the Host."""
        for url, target, host in (
            (b"http://other.test/a?b=http://c/", b"/a?b=http://c/", b"other.test"),
            (b"HTTP://Other.test:81", b"/", b"Other.test:81"),
            (b"https://[::1]:8/a", b"/a", b"[::1]:8"),
            (b"http://other.test?a=b", b"/?a=b", b"other.test"),
        ):
            self.assertEqual(self.arrives(b"GET %b HTTP/1.1" % url), (b"GET %b HTTP/1.1" % target, [host]))

    def test_options(self) -> None:
        """``OPTIONS *`` is forwarded, in both of its forms."""
        self.assertEqual(self.arrives(b"OPTIONS * HTTP/1.1")[0], b"OPTIONS * HTTP/1.1")
        start, host = self.arrives(b"OPTIONS http://other.test HTTP/1.1")
        self.assertEqual((start, host), (b"OPTIONS * HTTP/1.1", [b"other.test"]))

    def test_http_1_0(self) -> None:
        """HTTP/1.0 is forwarded as HTTP/1.1 and, if it had no Host, with the upstream's."""
        self.assertEqual(self.arrives(b"GET /a HTTP/1.0"), (b"GET /a HTTP/1.1", [b"stt.test"]))
        upstream = b"127.0.0.1:%d" % self.listener.port
        self.assertEqual(self.arrives(b"GET /a HTTP/1.0", None), (b"GET /a HTTP/1.1", [upstream]))

    def test_methods(self) -> None:
        """Known and unknown methods are forwarded, in their case."""
        for method in (b"GET", b"PROPFIND", b"get", b"X-OWN!", b"TRACE"):
            self.assertEqual(self.arrives(method + b" /a HTTP/1.1")[0], method + b" /a HTTP/1.1")
