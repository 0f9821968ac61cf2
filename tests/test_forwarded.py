"""
Tests for :mod:`sttproxy.forwarded`.
"""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import Header
from sttproxy.forwarded import forwarded
from sttproxy.peers import NOBODY, UNIX, Peer, TrustedPeers

from .support.requests import head_of


def peer_of(address: str, trusted: bool) -> Peer:
    """The peer at an address."""
    return Peer(address, TrustedPeers([UNIX, ip_network("0.0.0.0/0")]) if trusted else NOBODY)


class XForwardedTests(SynchronousTestCase):
    """X-Forwarded-For, -Proto and -Host."""

    CLAIMED: tuple[Header, ...] = (
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"A", b"1"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-FORWARDED-HOST", b"public.example"),
        (b"X-Forwarded-For", b"10.0.0.2, 10.0.0.3"),
    )

    def forward(self, claimed: list[Header], trusted: bool, host: bytes | None = b"h:1") -> list[Header]:
        """The headers forwarded for a client at 192.0.2.1 over HTTP."""
        received = head_of(claimed if host is None else [(b"Host", host), *claimed])
        return forwarded(received, claimed, peer_of("192.0.2.1", trusted), b"http")

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
            ],
        )

    def test_named_by_connection(self) -> None:
        """A client cannot make the proxy drop what a trusted proxy tells, by naming it in Connection."""
        received = head_of([(b"X-Forwarded-For", b"203.0.113.9")], {b"x-forwarded-for"})
        sent = forwarded(received, [], peer_of("192.0.2.1", True), b"http")
        self.assertIn((b"X-Forwarded-For", b"203.0.113.9, 192.0.2.1"), sent)

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
            sent = forwarded(head_of(claimed), claimed, peer_of("unix" if trusted else "unknown", trusted), b"http")
            self.assertEqual(sent[0], (b"X-Forwarded-For", written), (trusted, claimed))

    def test_argument_untouched(self) -> None:
        """The list of the caller does not change."""
        for trusted in (False, True):
            headers = list(self.CLAIMED)
            self.forward(headers, trusted)
            self.assertEqual(headers, list(self.CLAIMED))


class ForwardedTests(SynchronousTestCase):
    """Forwarded, and that it agrees with the other three."""

    def sent(
        self, *claimed: Header, peer: str = "10.0.0.1", host: bytes | None = b"h:1", always: bool = True
    ) -> dict[bytes, bytes]:
        """What is sent of a request over HTTP, by name; the peers in 10.0.0.0/8 and at Unix sockets are trusted."""
        trusted = Peer(peer, TrustedPeers([UNIX, ip_network("10.0.0.0/8")]))
        received = head_of([*claimed] if host is None else [(b"Host", host), *claimed])
        return {
            name.removeprefix(b"X-Forwarded-"): value
            for name, value in forwarded(received, list(claimed), trusted, b"http", always)
        }

    def test_direct(self) -> None:
        """The element of a client that comes directly; an IPv6 address is in brackets, and quoted like a host."""
        for peer, host, element in (
            ("192.0.2.1", None, b"for=192.0.2.1;proto=http"),
            ("2001:db8::1", b"[::1]:80", b'for="[2001:db8::1]";proto=http;host="[::1]:80"'),
            ("unix", b"h", b'for=unknown;proto=http;host="h"'),
        ):
            self.assertEqual(self.sent(peer=peer, host=host)[b"Forwarded"], element)
            self.assertNotIn(b"Forwarded", self.sent(peer=peer, host=host, always=False))

    def test_untrusted(self) -> None:
        """What a client writes is dropped."""
        claimed = (b"Forwarded", b"for=10.0.0.9;proto=https;host=evil")
        self.assertEqual(self.sent(claimed, peer="192.0.2.1"), self.sent(peer="192.0.2.1"))

    def test_derived(self) -> None:
        """What a trusted proxy tells in X-Forwarded-* is told in Forwarded, too; ports and odd hops are left out."""
        hops = b"what?, 203.0.113.9:4711, 10.0.0.7"
        sent = self.sent((b"X-Forwarded-For", hops), (b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Host", b'a"b'))
        self.assertEqual(
            sent,
            {
                b"For": hops + b", 10.0.0.1",
                b"Proto": b"https",
                b"Host": b'a"b',
                b"Forwarded": b'for=unknown, for=203.0.113.9;proto=https;host="a\\"b", for=10.0.0.7, '
                b'for=10.0.0.1;proto=http;host="h:1"',
            },
        )
        sent = self.sent((b"X-Forwarded-For", b"2001:DB8::1"), (b"X-Forwarded-Proto", b"a b"))
        self.assertTrue(sent[b"Forwarded"].startswith(b'for="[2001:db8::1]";proto="a b";host="h:1", '))
        sent = self.sent((b"X-Forwarded-Proto", b"https"))
        self.assertEqual(sent[b"Forwarded"], b'for=10.0.0.1;proto=https;host="h:1"')

    def test_believed(self) -> None:
        """A trusted proxy's Forwarded is extended as it is, and told in X-Forwarded-*, too."""
        told = b'for=evil;proto=ftp;host=evil, For="[2001:db8::1]:4711";PROTO=https;host="a:1";by=_x, for=10.0.0.7'
        for always in (False, True):
            self.assertEqual(
                self.sent((b"Forwarded", told), always=always),
                {
                    b"For": b"unknown, 2001:db8::1, 10.0.0.7, 10.0.0.1",
                    b"Proto": b"https",
                    b"Host": b"a:1",
                    b"Forwarded": told + b', for=10.0.0.1;proto=http;host="h:1"',
                },
            )
        self.assertEqual(self.sent((b"Forwarded", b"for=203.0.113.9"), peer=UNIX)[b"Forwarded"], b"for=203.0.113.9")

    def test_left_over(self) -> None:
        """X-Forwarded-Proto and -Host beside Forwarded may be the client's; Forwarded tells about both."""
        sent = self.sent(
            (b"Forwarded", b"for=203.0.113.9"), (b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Host", b"evil")
        )
        self.assertEqual((sent[b"Proto"], sent[b"Host"]), (b"http", b"h:1"))

    def test_agreeing(self) -> None:
        """If both name the same client, X-Forwarded-* tell the rest."""
        sent = self.sent(
            (b"X-Forwarded-For", b"203.0.113.9"), (b"Forwarded", b"for=203.0.113.9;proto=https"), always=False
        )
        self.assertEqual(sent[b"For"], b"203.0.113.9, 10.0.0.1")
        own = b'for=10.0.0.1;proto=http;host="h:1"'
        self.assertEqual(sent[b"Forwarded"], b'for=203.0.113.9;proto=http;host="h:1", ' + own)

    def test_contradicting(self) -> None:
        """If one of the two is the client's invention, or Forwarded is malformed, nothing of them is passed on."""
        expected = {
            b"For": b"unknown, 10.0.0.1",
            b"Proto": b"http",
            b"Host": b"h:1",
            b"Forwarded": b'for=unknown, for=10.0.0.1;proto=http;host="h:1"',
        }
        rest = ((b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Host", b"evil"))
        for claimed in (
            ((b"X-Forwarded-For", b"203.0.113.9"), (b"Forwarded", b"for=198.51.100.1;proto=https")),
            ((b"X-Forwarded-For", b"203.0.113.9"), (b"Forwarded", b'for="')),
            ((b"Forwarded", b'for="203.0.113.9, for="[2001:db8::1]"'),),
            ((b"Forwarded", b'for="203.0.113.9'), (b"Forwarded", b'for="[2001:db8::1]"')),
        ):
            self.assertEqual(self.sent(*claimed, *rest), expected, claimed)
