"""
Tests for :mod:`sttproxy.headers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import Header
from sttproxy.headers import (
    MAX_HOPS,
    UNIX,
    UNKNOWN,
    Peer,
    TrustedPeers,
    end_to_end,
    forwarded,
    keep_alive_timeout,
    upgrade_asked,
    upgrade_of,
)
from sttproxy.http1.heads import Head
from sttproxy.http1.requests import parse_request

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


def head_of(headers: list[Header], connection: Iterable[bytes] = ()) -> Head:
    """A head with the given headers and, separately, the options of Connection."""
    index: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        index.setdefault(name.lower(), []).append(value)
    options = frozenset(connection)
    if options:
        index[b"connection"] = list(options)
    return Head(b"HTTP/1.1", headers, index, options, 0, False)


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


class ForwardedTests(SynchronousTestCase):
    """The forwarded headers."""

    CLAIMED: tuple[Header, ...] = (
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"A", b"1"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-FORWARDED-HOST", b"public.example"),
        (b"X-Forwarded-For", b"10.0.0.2, 10.0.0.3"),
        (b"forwarded", b"for=10.0.0.1;proto=https"),
    )

    def forward(self, claimed: list[Header], trusted: bool, host: bytes | None = b"h:1") -> list[Header]:
        """The headers forwarded for a client at 192.0.2.1 over HTTP."""
        received = head_of(claimed if host is None else [(b"Host", host), *claimed])
        return forwarded(received, claimed, b"192.0.2.1", b"http", trusted)

    def test_written(self) -> None:
        """The three X-Forwarded headers are added after the headers of the client."""
        for trusted in (False, True):
            self.assertEqual(
                self.forward([(b"A", b"1")], trusted),
                [
                    (b"A", b"1"),
                    (b"X-Forwarded-For", b"192.0.2.1"),
                    (b"X-Forwarded-Proto", b"http"),
                    (b"X-Forwarded-Host", b"h:1"),
                ],
            )

    def test_untrusted(self) -> None:
        """The forwarded headers of an untrusted client are replaced, in every spelling and repetition."""
        self.assertEqual(self.forward(list(self.CLAIMED), False), self.forward([(b"A", b"1")], False))
        for name, _ in self.forward([], False):
            for spelling in (
                name,
                name.replace(b"-", b"_"),
                name.replace(b"-", b"_", 1),
                name[::-1].replace(b"-", b"_", 1)[::-1],
            ):
                self.assertEqual(self.forward([(spelling, b"x")], False), self.forward([], False), spelling)

    def test_trusted(self) -> None:
        """All For values of a trusted proxy are kept and extended; its Proto and Host are kept."""
        self.assertEqual(
            self.forward(list(self.CLAIMED), True),
            [
                (b"A", b"1"),
                (b"X-Forwarded-For", b"10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.1"),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Host", b"public.example"),
                (b"Forwarded", b'for=10.0.0.1;proto=https, for=192.0.2.1;proto=http;host="h:1"'),
            ],
        )

    def test_forwarded(self) -> None:
        """An element is added to the Forwarded of a trusted proxy; values with a colon are quoted."""
        claimed = [(b"Forwarded", b"for=a"), (b"FORWARDED", b"for=b, for=c")]
        for peer, host, element in (
            (b"192.0.2.1", None, b"for=192.0.2.1;proto=https"),
            (b"2001:db8::1", b"[::1]:80", b'for="[2001:db8::1]";proto=https;host="[::1]:80"'),
            (b"unknown", b"h", b'for=unknown;proto=https;host="h"'),
        ):
            received = head_of(claimed if host is None else [(b"Host", host), *claimed])
            sent = forwarded(received, claimed, peer, b"https", True)
            self.assertEqual(sent[-1], (b"Forwarded", b"for=a, for=b, for=c, " + element))
            self.assertNotIn(
                b"forwarded", [name.lower() for name, _ in forwarded(received, claimed, peer, b"https", False)]
            )

    def test_trusted_in_part(self) -> None:
        """Headers that a trusted proxy does not send are derived from the connection."""
        self.assertEqual(
            self.forward([(b"X-Forwarded-Proto", b"https")], True),
            [
                (b"X-Forwarded-For", b"192.0.2.1"),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Host", b"h:1"),
            ],
        )

    def test_no_host(self) -> None:
        """Without Host, no X-Forwarded-Host is added, and an untrusted one is still removed."""
        names = [name for name, _ in self.forward(list(self.CLAIMED), False, host=None)]
        self.assertEqual(names, [b"A", b"X-Forwarded-For", b"X-Forwarded-Proto"])

    def test_trusted_without_host(self) -> None:
        """The X-Forwarded-Host of a trusted proxy is kept if the request has no Host."""
        self.assertIn((b"X-Forwarded-Host", b"public.example"), self.forward(list(self.CLAIMED), True, host=None))

    def test_no_address(self) -> None:
        """A peer without an address is written as unknown, unless it is a trusted proxy that names a client."""
        for trusted, claimed, written in (
            (False, [], b"unknown"),
            (True, [], b"unknown"),
            (False, [(b"X-Forwarded-For", b"203.0.113.9")], b"unknown"),
            (True, [(b"X-Forwarded-For", b"203.0.113.9")], b"203.0.113.9"),
        ):
            sent = forwarded(head_of(claimed), claimed, b"unknown", b"http", trusted)
            self.assertEqual(sent[0], (b"X-Forwarded-For", written), (trusted, claimed))

    def test_argument_untouched(self) -> None:
        """The list of the caller does not change."""
        for trusted in (False, True):
            headers = list(self.CLAIMED)
            self.forward(headers, trusted)
            self.assertEqual(headers, list(self.CLAIMED))


class TrustedPeersTests(SynchronousTestCase):
    """The peers whose forwarded headers are trusted."""

    def test_members(self) -> None:
        """Addresses in the networks are trusted, also IPv4-mapped IPv6 ones; other addresses are not."""
        peers = TrustedPeers(map(ip_network, ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32")))
        for address in ("10.0.0.0", "10.255.255.255", "192.0.2.7", "::ffff:10.1.2.3", "2001:db8::1", "2001:DB8:0:0::f"):
            self.assertTrue(address in peers, address)
        for address in ("9.255.255.255", "11.0.0.0", "192.0.2.8", "::ffff:11.1.2.3", "2001:db9::1", "::1", "127.0.0.1"):
            self.assertFalse(address in peers, address)

    def test_no_address(self) -> None:
        """A peer without an address is in no network."""
        everybody = TrustedPeers(map(ip_network, ("0.0.0.0/0", "::/0")))
        self.assertTrue("203.0.113.9" in everybody)
        for address in ("", "unknown", "localhost", "10.0.0", "10.0.0.0/8", "/run/socket", "010.0.0.1"):
            self.assertFalse(address in everybody, address)

    def test_no_networks(self) -> None:
        """Without networks no peer is trusted."""
        for address in ("127.0.0.1", "::1", "unknown"):
            self.assertFalse(address in TrustedPeers(), address)

    def test_generator(self) -> None:
        """The networks may be an iterator."""
        peers = TrustedPeers(ip_network(text) for text in ("10.0.0.0/8",))
        self.assertTrue("10.0.0.1" in peers and "10.0.0.1" in peers)

    def test_unix(self) -> None:
        """`UNIX` stands for peers on Unix sockets only."""
        peers = TrustedPeers([UNIX, ip_network("10.0.0.0/8")])
        self.assertTrue(UNIX in peers and "10.0.0.1" in peers)
        self.assertFalse(UNIX in TrustedPeers([ip_network("0.0.0.0/0")]) or UNKNOWN in peers)
        self.assertTrue(UNIX in TrustedPeers([UNIX]))
        self.assertFalse("10.0.0.1" in TrustedPeers([UNIX]))


class PeerTests(SynchronousTestCase):
    """The names of a peer, and of clients that it names."""

    TRUSTED = TrustedPeers([ip_network("10.0.0.0/8"), ip_network("fd00::/8"), UNIX])

    def client(self, *lines: bytes, peer: str = "10.0.0.1") -> str:
        """The name in the log for the client of a request with these X-Forwarded-For fields."""
        headers = [(b"X-Forwarded-For", line) for line in lines]
        return Peer(peer, self.TRUSTED).client(head_of(headers))

    def test_names(self) -> None:
        """The log has one name for each address; the upstream gets the address as received."""
        for name, shown, node in (
            ("192.0.2.7", "192.0.2.7", b"192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7", b"::ffff:192.0.2.7"),
            ("2001:db8::1", "2001:db8::1", b"2001:db8::1"),
            ("fe80::1%eth0", "fe80::1%eth0", b"fe80::1%eth0"),
            (UNIX, "unix", b"unknown"),
            (UNKNOWN, "unknown", b"unknown"),
        ):
            peer = Peer(name, self.TRUSTED)
            self.assertEqual((peer.name, peer.node, peer.trusted), (shown, node, name == UNIX), name)

    def test_untrusted(self) -> None:
        """X-Forwarded-For of an untrusted peer is ignored."""
        for peer in ("192.0.2.7", UNKNOWN):
            self.assertEqual(self.client(b"203.0.113.9", peer=peer), peer)

    def test_last_untrusted(self) -> None:
        """The client is the last hop that is not a trusted proxy."""
        for lines, client in (
            ((b"203.0.113.9",), "203.0.113.9"),
            ((b"198.51.100.1, 203.0.113.9",), "203.0.113.9"),
            ((b"198.51.100.1,203.0.113.9 ,\t10.0.0.2, fd00::1",), "203.0.113.9"),
            ((b"198.51.100.1", b"203.0.113.9", b"10.0.0.2"), "203.0.113.9"),
            ((b"<script>, 203.0.113.9",), "203.0.113.9"),
            ((b"2001:DB8:0::1",), "2001:db8::1"),
            ((b"::ffff:203.0.113.9",), "203.0.113.9"),
            ((b"203.0.113.9:4711",), "203.0.113.9"),
            ((b"[2001:db8::1]:4711",), "2001:db8::1"),
            ((b"[2001:db8::1]",), "2001:db8::1"),
            ((b"203.0.113.9, 10.0.0.2:4711",), "203.0.113.9"),
        ):
            for peer in ("10.0.0.1", UNIX):
                self.assertEqual(self.client(*lines, peer=peer), client, lines)

    def test_only_trusted(self) -> None:
        """If all hops are trusted, the client is the first one; without hops it is the peer."""
        self.assertEqual(self.client(b"10.0.0.3, 10.0.0.2"), "10.0.0.3")
        self.assertEqual(self.client(), "10.0.0.1")
        self.assertEqual(self.client(peer=UNIX), "unix")

    def test_no_address(self) -> None:
        """If a hop is not an address, the client is the hop after it; earlier hops are ignored."""
        for odd in (
            b"",
            b"unknown",
            b"_hidden",
            b"a b",
            b"\x1b[0m",
            b"1.2.3",
            b"[1",
            b"9" * 5000,
            b"\xff",
            b"::1%eth0",
        ):
            self.assertEqual(self.client(b"203.0.113.9, " + odd), "10.0.0.1", odd)
            self.assertEqual(self.client(b"203.0.113.9, " + odd + b", 10.0.0.2"), "10.0.0.2", odd)

    def test_bounded(self) -> None:
        """At most `MAX_HOPS` hops are evaluated."""
        for hops in (MAX_HOPS, MAX_HOPS + 2):
            line = b", ".join([b"203.0.113.9", *[b"10.0.0.2"] * hops])
            self.assertEqual(self.client(line), "203.0.113.9" if hops == MAX_HOPS else "10.0.0.2")


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
