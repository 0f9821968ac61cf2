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
    upgrade_of,
)
from sttproxy.http1.heads import Head

#: Headers of one connection, none of which may reach the next one.
CONNECTION_HEADERS = (
    b"Connection",
    b"Expect",
    b"Keep-Alive",
    b"Proxy-Authenticate",
    b"Proxy-Authorization",
    b"Proxy-Connection",
    b"TE",
    b"Trailer",
    b"Transfer-Encoding",
    b"Upgrade",
)

TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12).map(str.encode)
HEADERS = st.lists(st.tuples(st.sampled_from(CONNECTION_HEADERS) | TOKENS, st.binary(max_size=8)), max_size=12)


def head_of(headers: list[Header], connection: Iterable[bytes] = ()) -> Head:
    """A head with these headers; Connection, where it has options, is not among them."""
    index: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        index.setdefault(name.lower(), []).append(value)
    options = frozenset(connection)
    if options:
        index[b"connection"] = list(options)
    return Head(b"HTTP/1.1", headers, index, options, 0, False)


class EndToEndTests(SynchronousTestCase):
    """Which headers are passed on."""

    def test_hop_by_hop(self) -> None:
        """Each header of a connection stops here, in any spelling of its name."""
        for name in CONNECTION_HEADERS:
            for spelling in (name, name.lower(), name.upper(), name.swapcase()):
                headers = [(b"A", b"1"), (spelling, b"x"), (b"B", b"2"), (spelling, b"y")]
                self.assertEqual(end_to_end(head_of(headers)), [(b"A", b"1"), (b"B", b"2")], spelling)
                self.assertEqual(end_to_end(head_of(headers, {b"close"})), [(b"A", b"1"), (b"B", b"2")], spelling)

    def test_untouched(self) -> None:
        """Everything else keeps its order, its spelling and its repetitions."""
        headers = [(b"x-B", b"1"), (b"Set-Cookie", b"a"), (b"X-b", b" 2"), (b"set-cookie", b"b"), (b"TEa", b"")]
        self.assertEqual(end_to_end(head_of(headers)), headers)

    def test_named_by_connection(self) -> None:
        """What Connection names stops here too, every line of it."""
        headers = [(b"X-Secret", b"1"), (b"x-SECRET", b"2"), (b"X-Other", b"3")]
        self.assertEqual(end_to_end(head_of(headers, {b"close", b"x-secret"})), [(b"X-Other", b"3")])

    def test_protected(self) -> None:
        """Connection cannot take off what a message needs to be understood and permitted."""
        for name in (b"Host", b"Content-Length", b"Content-Type", b"Authorization"):
            headers = [(name, b"x")]
            self.assertEqual(end_to_end(head_of(headers, {name.lower(), b"close"})), headers, name)

    def test_empty_option(self) -> None:
        """The empty element of a Connection line such as ``close,`` names nothing."""
        self.assertEqual(end_to_end(head_of([(b"A", b"1")], {b"", b"close"})), [(b"A", b"1")])

    def test_argument_untouched(self) -> None:
        """The caller's own list stays as it was."""
        headers = [(b"Connection", b"close"), (b"A", b"1")]
        end_to_end(head_of(headers, {b"close"}))
        self.assertEqual(headers, [(b"Connection", b"close"), (b"A", b"1")])

    @given(HEADERS, st.frozensets(TOKENS.map(bytes.lower)))
    def test_subsequence(self, headers: list[Header], connection: frozenset[bytes]) -> None:
        """What is passed on are the client's own lines in their order, less exactly those that had to stop."""
        passed = end_to_end(head_of(headers, connection))
        protected = {b"host", b"content-length", b"content-type", b"authorization"}
        stop = {name.lower() for name in CONNECTION_HEADERS} | connection - protected
        self.assertEqual(passed, [header for header in headers if header[0].lower() not in stop])


class ForwardedTests(SynchronousTestCase):
    """What the forwarded headers say."""

    CLAIMED: tuple[Header, ...] = (
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"A", b"1"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-FORWARDED-HOST", b"public.example"),
        (b"X-Forwarded-For", b"10.0.0.2, 10.0.0.3"),
        (b"forwarded", b"for=10.0.0.1;proto=https"),
    )

    def told(self, claimed: list[Header], trusted: bool, host: bytes | None = b"h:1") -> list[Header]:
        """What is passed on from a client at 192.0.2.1 over HTTP."""
        came = head_of(claimed if host is None else [(b"Host", host), *claimed])
        return forwarded(came, claimed, b"192.0.2.1", b"http", trusted)

    def test_written(self) -> None:
        """All three are written, behind the client's headers."""
        for trusted in (False, True):
            self.assertEqual(
                self.told([(b"A", b"1")], trusted),
                [
                    (b"A", b"1"),
                    (b"X-Forwarded-For", b"192.0.2.1"),
                    (b"X-Forwarded-Proto", b"http"),
                    (b"X-Forwarded-Host", b"h:1"),
                ],
            )

    def test_untrusted(self) -> None:
        """Claims of a client that nobody trusts are replaced, in every spelling and repetition."""
        self.assertEqual(self.told(list(self.CLAIMED), False), self.told([(b"A", b"1")], False))
        for name, _ in self.told([], False):
            for spelling in (
                name,
                name.replace(b"-", b"_"),
                name.replace(b"-", b"_", 1),
                name[::-1].replace(b"-", b"_", 1)[::-1],
            ):
                self.assertEqual(self.told([(spelling, b"x")], False), self.told([], False), spelling)

    def test_trusted(self) -> None:
        """A trusted proxy's For is added to, from all its lines; its Proto and Host stand."""
        self.assertEqual(
            self.told(list(self.CLAIMED), True),
            [
                (b"A", b"1"),
                (b"X-Forwarded-For", b"10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.1"),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Host", b"public.example"),
                (b"Forwarded", b'for=10.0.0.1;proto=https, for=192.0.2.1;proto=http;host="h:1"'),
            ],
        )

    def test_forwarded(self) -> None:
        """An element is added to all that a trusted proxy tells; quotes stand around what holds a colon."""
        claimed = [(b"Forwarded", b"for=a"), (b"FORWARDED", b"for=b, for=c")]
        for peer, host, element in (
            (b"192.0.2.1", None, b"for=192.0.2.1;proto=https"),
            (b"2001:db8::1", b"[::1]:80", b'for="[2001:db8::1]";proto=https;host="[::1]:80"'),
            (b"unknown", b"h", b'for=unknown;proto=https;host="h"'),
        ):
            came = head_of(claimed if host is None else [(b"Host", host), *claimed])
            told = forwarded(came, claimed, peer, b"https", True)
            self.assertEqual(told[-1], (b"Forwarded", b"for=a, for=b, for=c, " + element))
            self.assertNotIn(
                b"forwarded", [name.lower() for name, _ in forwarded(came, claimed, peer, b"https", False)]
            )

    def test_trusted_in_part(self) -> None:
        """What a trusted proxy leaves out is written from the connection."""
        self.assertEqual(
            self.told([(b"X-Forwarded-Proto", b"https")], True),
            [
                (b"X-Forwarded-For", b"192.0.2.1"),
                (b"X-Forwarded-Proto", b"https"),
                (b"X-Forwarded-Host", b"h:1"),
            ],
        )

    def test_no_host(self) -> None:
        """Without a Host none is made up, and an untrusted claim goes all the same."""
        names = [name for name, _ in self.told(list(self.CLAIMED), False, host=None)]
        self.assertEqual(names, [b"A", b"X-Forwarded-For", b"X-Forwarded-Proto"])

    def test_trusted_without_host(self) -> None:
        """A trusted proxy's Host stands also where the request itself had none."""
        self.assertIn((b"X-Forwarded-Host", b"public.example"), self.told(list(self.CLAIMED), True, host=None))

    def test_no_address(self) -> None:
        """A peer without an address is told of as unknown, but not where it is a trusted proxy that tells of others."""
        for trusted, claimed, written in (
            (False, [], b"unknown"),
            (True, [], b"unknown"),
            (False, [(b"X-Forwarded-For", b"203.0.113.9")], b"unknown"),
            (True, [(b"X-Forwarded-For", b"203.0.113.9")], b"203.0.113.9"),
        ):
            told = forwarded(head_of(claimed), claimed, b"unknown", b"http", trusted)
            self.assertEqual(told[0], (b"X-Forwarded-For", written), (trusted, claimed))

    def test_argument_untouched(self) -> None:
        """The caller's own list stays as it was."""
        for trusted in (False, True):
            headers = list(self.CLAIMED)
            self.told(headers, trusted)
            self.assertEqual(headers, list(self.CLAIMED))


class TrustedPeersTests(SynchronousTestCase):
    """Whose forwarded headers are believed."""

    def test_members(self) -> None:
        """Addresses in one of the networks are, also an IPv4 one that came mapped into IPv6; all others are not."""
        peers = TrustedPeers(map(ip_network, ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32")))
        for address in ("10.0.0.0", "10.255.255.255", "192.0.2.7", "::ffff:10.1.2.3", "2001:db8::1", "2001:DB8:0:0::f"):
            self.assertTrue(address in peers, address)
        for address in ("9.255.255.255", "11.0.0.0", "192.0.2.8", "::ffff:11.1.2.3", "2001:db9::1", "::1", "127.0.0.1"):
            self.assertFalse(address in peers, address)

    def test_no_address(self) -> None:
        """A peer without an address, as on a Unix socket, is never one of them."""
        everybody = TrustedPeers(map(ip_network, ("0.0.0.0/0", "::/0")))
        self.assertTrue("203.0.113.9" in everybody)
        for address in ("", "unknown", "localhost", "10.0.0", "10.0.0.0/8", "/run/socket", "010.0.0.1"):
            self.assertFalse(address in everybody, address)

    def test_nobody(self) -> None:
        """Without networks nobody is trusted."""
        for address in ("127.0.0.1", "::1", "unknown"):
            self.assertFalse(address in TrustedPeers(), address)

    def test_generator(self) -> None:
        """The networks may come from an iterator that runs only once."""
        peers = TrustedPeers(ip_network(text) for text in ("10.0.0.0/8",))
        self.assertTrue("10.0.0.1" in peers and "10.0.0.1" in peers)

    def test_unix(self) -> None:
        """The word stands for the peers at Unix sockets, and for no others."""
        peers = TrustedPeers([UNIX, ip_network("10.0.0.0/8")])
        self.assertTrue(UNIX in peers and "10.0.0.1" in peers)
        self.assertFalse(UNIX in TrustedPeers([ip_network("0.0.0.0/0")]) or UNKNOWN in peers)
        self.assertTrue(UNIX in TrustedPeers([UNIX]))
        self.assertFalse("10.0.0.1" in TrustedPeers([UNIX]))


class PeerTests(SynchronousTestCase):
    """What is told of a connection's other end, and of clients behind it."""

    TRUSTED = TrustedPeers([ip_network("10.0.0.0/8"), ip_network("fd00::/8"), UNIX])

    def client(self, *lines: bytes, peer: str = "10.0.0.1") -> str:
        """What the log calls the client of a request with these lines of X-Forwarded-For."""
        headers = [(b"X-Forwarded-For", line) for line in lines]
        return Peer(peer, self.TRUSTED).client(head_of(headers))

    def test_names(self) -> None:
        """The log has one name for each address; the upstream is told of it as it came."""
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
        """What a peer tells that is not trusted is not believed."""
        for peer in ("192.0.2.7", UNKNOWN):
            self.assertEqual(self.client(b"203.0.113.9", peer=peer), peer)

    def test_last_untrusted(self) -> None:
        """The client is the last hop that is no trusted proxy; what stands before it could be anybody's words."""
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
        """Where all hops are trusted, the first one is the client, or the peer, if there are none."""
        self.assertEqual(self.client(b"10.0.0.3, 10.0.0.2"), "10.0.0.3")
        self.assertEqual(self.client(), "10.0.0.1")
        self.assertEqual(self.client(peer=UNIX), "unix")

    def test_no_address(self) -> None:
        """What is no address is not shown, and nothing before it is believed: the hop behind it is the client."""
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
        """Not more hops are followed than any chain of proxies has."""
        for hops in (MAX_HOPS, MAX_HOPS + 2):
            told = b", ".join([b"203.0.113.9", *[b"10.0.0.2"] * hops])
            self.assertEqual(self.client(told), "203.0.113.9" if hops == MAX_HOPS else "10.0.0.2")


class KeepAliveTests(SynchronousTestCase):
    """What a server says of its idle connections."""

    def test_timeouts(self) -> None:
        """The time-out is found among other parameters; nonsense is none."""
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
    """Which requests ask to switch protocols."""

    def test_asked(self) -> None:
        """One Upgrade that Connection names is taken as it was written."""
        for value in (b"websocket", b"WebSocket", b"a/1, b/2", b"TLS/1.3"):
            self.assertEqual(upgrade_of({b"upgrade", b"keep-alive"}, [value]), value)

    def test_not_asked(self) -> None:
        """Without the option, without a protocol, or with two lines nothing is asked for."""
        for options, values in (
            (set(), [b"websocket"]),
            ({b"close"}, [b"websocket"]),
            ({b"upgrade"}, []),
            ({b"upgrade"}, [b""]),
            ({b"upgrade"}, [b"websocket", b"websocket"]),
        ):
            self.assertEqual(upgrade_of(options, values), None, (options, values))

    def test_no_http2(self) -> None:
        """HTTP/2 is not taken up, alone or among others, in whatever spelling."""
        for value in (b"h2c", b"H2C", b"websocket, h2c", b"h2c,websocket", b"websocket,\th2c ", b"h2c-14"):
            self.assertEqual(upgrade_of({b"upgrade"}, [value]), None, value)
