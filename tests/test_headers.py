"""
Tests for :mod:`sttproxy.headers`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import Header
from sttproxy.headers import end_to_end, keep_alive_timeout, upgrade_asked, upgrade_of
from sttproxy.http1.requests import parse_request

from .support.requests import head_of

#: Hop-by-hop headers, which the proxy must not forward.
CONNECTION_HEADERS = (
    b"Connection",
    b"Expect",
    b"Keep-Alive",
    b"Proxy-Authenticate",
    b"Proxy-Authorization",
    b"Proxy-Connection",
    b"TE",
    b"Transfer-Encoding",
    b"Upgrade",
)

TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12).map(str.encode)
HEADERS = st.lists(st.tuples(st.sampled_from(CONNECTION_HEADERS) | TOKENS, st.binary(max_size=8)), max_size=12)


class EndToEndTests(SynchronousTestCase):
    """The headers that the proxy forwards."""

    def test_hop_by_hop(self) -> None:
        """Hop-by-hop headers are removed, in any spelling of their names."""
        for name in CONNECTION_HEADERS:
            for spelling in (name, name.lower(), name.upper(), name.swapcase()):
                headers = [(b"A", b"1"), (spelling, b"x"), (b"B", b"2"), (spelling, b"y")]
                self.assertEqual(end_to_end(head_of(headers)), [(b"A", b"1"), (b"B", b"2")], spelling)
                self.assertEqual(end_to_end(head_of(headers, {b"close"})), [(b"A", b"1"), (b"B", b"2")], spelling)

    def test_untouched(self) -> None:
        """All other headers keep their order, their spelling and their repetitions."""
        headers = [(b"x-B", b"1"), (b"Set-Cookie", b"a"), (b"X-b", b" 2"), (b"set-cookie", b"b"), (b"TEa", b"")]
        self.assertEqual(end_to_end(head_of(headers)), headers)

    def test_named_by_connection(self) -> None:
        """All headers that Connection names are removed."""
        headers = [(b"X-Secret", b"1"), (b"x-SECRET", b"2"), (b"X-Other", b"3")]
        self.assertEqual(end_to_end(head_of(headers, {b"close", b"x-secret"})), [(b"X-Other", b"3")])

    def test_protected(self) -> None:
        """Headers that the upstream relies on are forwarded even if Connection names them."""
        for name in (b"Host", b"Content-Length", b"Content-Type", b"Authorization"):
            headers = [(name, b"x")]
            self.assertEqual(end_to_end(head_of(headers, {name.lower(), b"close"})), headers, name)

    def test_empty_option(self) -> None:
        """An empty element of Connection, as in ``close,``, has no effect."""
        self.assertEqual(end_to_end(head_of([(b"A", b"1")], {b"", b"close"})), [(b"A", b"1")])

    def test_argument_untouched(self) -> None:
        """The list of the caller does not change."""
        headers = [(b"Connection", b"close"), (b"A", b"1")]
        end_to_end(head_of(headers, {b"close"}))
        self.assertEqual(headers, [(b"Connection", b"close"), (b"A", b"1")])

    @given(HEADERS, st.frozensets(TOKENS.map(bytes.lower)))
    def test_subsequence(self, headers: list[Header], connection: frozenset[bytes]) -> None:
        """The forwarded headers are the headers of the client in their order, without the hop-by-hop ones."""
        passed = end_to_end(head_of(headers, connection))
        protected = {b"host", b"content-length", b"content-type", b"authorization"}
        stop = {name.lower() for name in CONNECTION_HEADERS} | connection - protected
        self.assertEqual(passed, [header for header in headers if header[0].lower() not in stop])


class KeepAliveTests(SynchronousTestCase):
    """The idle timeout in Keep-Alive."""

    def test_timeouts(self) -> None:
        """The timeout is found among other parameters; an invalid one is ignored."""
        for values, seconds in (
            ([b"timeout=5"], 5.0),
            ([b"timeout=5, max=100"], 5.0),
            ([b"max=100,Timeout = 15"], 15.0),
            ([b"max=1", b"timeout=7"], 7.0),
            ([b"timeout=0"], 0.0),
            ([b""], None),
            ([b"max=100"], None),
            ([b"timeout=-1"], None),
            ([b"timeout=1.5"], None),
            ([b"timeout=x"], None),
            ([b"xtimeout=5"], None),
            ([b"timeout=" + b"9" * 10], None),
        ):
            self.assertEqual(keep_alive_timeout(values), seconds, values)


class UpgradeTests(SynchronousTestCase):
    """Requests that ask to switch protocols."""

    def test_asked(self) -> None:
        """A single Upgrade that Connection names is returned as received."""
        for value in (b"websocket", b"WebSocket", b"a/1, b/2", b"TLS/1.3"):
            self.assertEqual(upgrade_of({b"upgrade", b"keep-alive"}, [value]), value)

    def test_not_asked(self) -> None:
        """Upgrade is ignored without the option in Connection, without a protocol, or if it is repeated."""
        for options, values in (
            (set(), [b"websocket"]),
            ({b"close"}, [b"websocket"]),
            ({b"upgrade"}, []),
            ({b"upgrade"}, [b""]),
            ({b"upgrade"}, [b"websocket", b"websocket"]),
        ):
            self.assertEqual(upgrade_of(options, values), None, (options, values))

    def test_of_request(self) -> None:
        """A request of HTTP/1.0, or with a body, cannot switch protocols."""
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        for line, fields, expected in (
            ("GET / HTTP/1.1", upgrade, b"websocket"),
            ("GET / HTTP/1.1", "", None),
            ("GET / HTTP/1.0", upgrade, None),
            ("POST / HTTP/1.1", upgrade + "Content-Length: 1\r\n", None),
            ("POST / HTTP/1.1", upgrade + "Transfer-Encoding: chunked\r\n", None),
        ):
            head = parse_request(f"{line}\r\nHost: h\r\n{fields}\r\n".encode())
            self.assertEqual(upgrade_asked(head), expected, (line, fields))

    def test_no_http2(self) -> None:
        """An upgrade to HTTP/2 is ignored, alone or in a list, in any spelling."""
        for value in (b"h2c", b"H2C", b"websocket, h2c", b"h2c,websocket", b"websocket,\th2c ", b"h2c-14"):
            self.assertEqual(upgrade_of({b"upgrade"}, [value]), None, value)
