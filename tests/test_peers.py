"""
Tests for :mod:`sttproxy.peers`.
"""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.peers import MAX_HOPS, UNIX, UNKNOWN, Peer, TrustedPeers

from .support.requests import head_of


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

    def told(self, *headers: tuple[bytes, bytes], peer: str = "10.0.0.1") -> str:
        """The name in the log for the client of a request with these headers."""
        return Peer(peer, self.TRUSTED).client(head_of(list(headers)))

    def test_forwarded(self) -> None:
        """Forwarded names the client like X-Forwarded-For."""
        for value, client in (
            (b"for=203.0.113.9", "203.0.113.9"),
            (b"for=198.51.100.1, for=203.0.113.9 ,\tproto=http;FOR=10.0.0.2;", "203.0.113.9"),
            (b'for="[2001:DB8::1]:4711"', "2001:db8::1"),
            (b"for=[2001:db8::1]", "2001:db8::1"),
            (b'for="203.0.113.9:_port"', "203.0.113.9"),
            (b'For="203.0.113.9:80";by="a\\"b, for=10.0.0.9"', "203.0.113.9"),
            (b"for=10.0.0.3, for=10.0.0.2", "10.0.0.3"),
            (b", ;,", "10.0.0.1"),
            (b"", "10.0.0.1"),
        ):
            self.assertEqual(self.told((b"Forwarded", value)), client, value)
            self.assertEqual(self.told((b"Forwarded", value), peer="192.0.2.7"), "192.0.2.7")

    def test_hidden(self) -> None:
        """A client that a proxy hides has not the proxy's name, which may have rights."""
        for node in (b"for=unknown", b"for=_hidden", b"proto=https", b'for=""'):
            self.assertEqual(self.told((b"Forwarded", b"for=203.0.113.9, " + node)), "unknown", node)
            self.assertEqual(self.told((b"Forwarded", node + b", for=10.0.0.2")), "unknown", node)

    def test_malformed(self) -> None:
        """A malformed Forwarded names no client, since a client's part may have swallowed the proxy's."""
        for value in (
            b"for",
            b"for=",
            b"for =10.0.0.2",
            b'for="203.0.113.9, for=10.0.0.2',
            b'for="203.0.113.9, for="[2001:db8::1]"',
            b"for=203.0.113.9;for=10.0.0.2",
            b"for=203.0.113.9 for=10.0.0.2",
            b"for=\xff",
            b'for="a\\',
        ):
            self.assertEqual(self.told((b"Forwarded", value)), "unknown", value)
        self.assertEqual(self.told((b"Forwarded", b'for="a'), (b"Forwarded", b'for="[2001:db8::1]"')), "unknown")

    def test_contradicting(self) -> None:
        """Of X-Forwarded-For and Forwarded, a client may have written the one that its proxy does not write."""
        for address, node, client in (
            (b"203.0.113.9", b"for=203.0.113.9", "203.0.113.9"),
            (b"198.51.100.1, 203.0.113.9", b"for=203.0.113.9, for=10.0.0.2", "203.0.113.9"),
            (b"10.0.0.9", b"for=203.0.113.9", "unknown"),
            (b"203.0.113.9", b"for=10.0.0.9", "unknown"),
            (b"203.0.113.9", b"for=unknown", "unknown"),
            (b"203.0.113.9", b"", "unknown"),
            (b"unknown", b"for=203.0.113.9", "unknown"),
        ):
            headers = ((b"X-Forwarded-For", address), (b"Forwarded", node))
            self.assertEqual(self.told(*headers), client, headers)

    def test_bounded_elements(self) -> None:
        """At most `MAX_HOPS` elements are evaluated."""
        for hops, client in ((MAX_HOPS - 1, "203.0.113.9"), (MAX_HOPS, "10.0.0.2")):
            value = b", ".join([b"for=203.0.113.9", *[b"for=10.0.0.2"] * hops])
            self.assertEqual(self.told((b"Forwarded", value)), client)
