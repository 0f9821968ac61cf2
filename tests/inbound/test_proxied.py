"""
Tests for :mod:`sttproxy.inbound.proxied`.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.interfaces import (
    IAddress,
    ILoggingContext,
    IProtocol,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface.verify import verifyObject

from sttproxy.inbound.interfaces import Limits
from sttproxy.inbound.proxied import HeaderReader, NoAddress, ProxiedFactory, ProxiedListening
from sttproxy.inbound.refusal import response
from sttproxy.peers import UNIX, TrustedPeers
from sttproxy.proxyheader import SIGNATURE

from ..support.fakes import Ending, Peer
from ..support.stage import ScriptedTestCase, error_of, get
from ..test_proxyheader import TCP4, TCP6, binary, ends
from .test_tls import SecureClient, server_side

#: What the header may take, in seconds.
LIMIT_S = 10.0
PROXY = IPv4Address("TCP", "10.0.0.1", 50000)
LOCAL = binary(0x00, b"", command=0x20)


class ProxiedTestCase(ScriptedTestCase):
    """Base class: a site behind the proxies in 10.0.0.0/8."""

    def setUp(self) -> None:
        super().setUp()
        self.factory = self.proxied(self.site)

    def proxied(self, above: IProtocolFactory) -> ProxiedFactory:
        """The factory around another one."""
        proxies = TrustedPeers([ip_network("10.0.0.0/8"), UNIX])
        return ProxiedFactory(above, proxies, self.reactor, LIMIT_S)

    def connect(self, *segments: bytes, peer: IAddress = PROXY) -> Peer:
        """A connection that sends these bytes."""
        address = ("10.0.0.1", 50000) if peer is PROXY else ("203.0.113.5", 50000)
        client = Peer(self.reactor, self.factory.buildProtocol(peer), address)
        self.peers.append(client)
        client.send(*segments)
        return client

    def clients(self) -> Sequence[str]:
        """The clients of all requests."""
        return [request.record.client for request in self.requests]


class ProxiedTests(ProxiedTestCase):
    """Connections that begin with a header."""

    def test_interfaces(self) -> None:
        """Everything implements its interface."""
        self.assertTrue(verifyObject(IProtocolFactory, self.factory))
        self.assertTrue(verifyObject(ILoggingContext, self.factory))
        self.assertTrue(verifyObject(IProtocol, self.factory.buildProtocol(PROXY)))
        self.assertTrue(verifyObject(IAddress, NoAddress()))
        endpoint = ProxiedListening(None, TrustedPeers(), self.reactor, LIMIT_S)  # type: ignore[arg-type]
        self.assertTrue(verifyObject(IStreamServerEndpoint, endpoint))

    def test_name(self) -> None:
        """Log lines about the listener tell what it expects."""
        self.assertEqual(self.factory.logPrefix(), "Site (PROXY)")
        self.assertEqual(
            self.proxied(TLSMemoryBIOFactory(server_side(), False, self.site)).logPrefix(), "Site (TLS) (PROXY)"
        )

    def test_named(self) -> None:
        """The client that the header names is the one of all requests on the connection."""
        for header, client in (
            (TCP4, "192.0.2.7"),
            (TCP6, "2001:db8::7"),
            (binary(0x11, ends("192.0.2.7")), "192.0.2.7"),
        ):
            self.requests.clear()
            connection = self.connect(header + get(b"/now/1") + get(b"/now/2"))
            self.assertEqual(self.clients(), [client, client])
            self.assertEqual(connection.received.count(b" 200 OK\r\n"), 2)
            self.assertEqual(self.requests[0].getClientAddress().host, client)
            self.assertEqual(self.requests[0].getClientAddress().port, 56324)

    def test_unnamed(self) -> None:
        """A client without an address is unknown; it does not get the proxy's name, which may have rights."""
        for header in (b"PROXY UNKNOWN\r\n", binary(0x00, b""), binary(0x31, bytes(216))):
            self.requests.clear()
            self.connect(header, get(b"/now"))
            self.assertEqual(self.clients(), ["unknown"])

    def test_health_check(self) -> None:
        """A connection that the proxy makes for itself has the proxy's name."""
        self.connect(LOCAL, get(b"/now"))
        self.assertEqual(self.clients(), ["10.0.0.1"])

    def test_any_cut(self) -> None:
        """What arrives does not depend on where the network cuts the header."""
        for header in (TCP4, binary(0x11, ends("192.0.2.7"), more=b"\x04\0\x02ab")):
            data = header + get(b"/now")
            for cut in range(len(data) + 1):
                self.requests.clear()
                connection = self.connect(data[:cut], data[cut:])
                self.assertEqual(self.clients(), ["192.0.2.7"], cut)
                connection.close()
            self.requests.clear()
            self.connect(*[data[at : at + 1] for at in range(len(data))])
            self.assertEqual(self.clients(), ["192.0.2.7"])

    def test_no_layer(self) -> None:
        """Behind the header, the transport calls the connection directly."""
        connection = self.connect(TCP4)
        self.assertNotIsInstance(connection.transport.protocol, HeaderReader)
        self.assertIn(connection.transport.protocol, self.site.channels)

    def test_others(self) -> None:
        """Other peers are served without a header; a header of theirs is an error, and names no client."""
        other = IPv4Address("TCP", "203.0.113.5", 50000)
        self.connect(get(b"/now"), peer=other)
        self.assertEqual(self.clients(), ["203.0.113.5"])
        for header in (TCP4, b"PROXY UNKNOWN\r\n", binary(0x11, ends("192.0.2.7")), LOCAL):
            self.requests.clear()
            connection = self.connect(header + get(b"/now"), peer=other)
            self.assertEqual((error_of(connection.received), connection.ending), ((400, "bad_request"), Ending.HALF))
            self.assertIn(b"--proxy-protocol-from", connection.received)
            self.assertEqual(self.requests, [])

    def test_unix(self) -> None:
        """The peers at Unix sockets can be proxies, too."""
        self.assertIsInstance(self.factory.buildProtocol(UNIXAddress(None)), HeaderReader)

    def test_refused(self) -> None:
        """A request without a header, or with a malformed one, is not served, and the log tells why."""
        for data, why in (
            (get(b"/now"), "its first bytes are not a PROXY header"),
            (b"PROXY TCP4 192.0.2.7\r\n", "the line is malformed"),
            (SIGNATURE + b"\x21\x99\0\0", "the family and transport 0x99 are not known"),
        ):
            with capturedLogs() as logs:
                connection = self.connect(data, get(b"/now"))
            self.assertEqual((connection.received, connection.ending), (b"", Ending.RESET))
            (said,) = [formatEvent(event) for event in logs if "log_level" in event and "PROXY" in formatEvent(event)]
            self.assertEqual(said, f"A connection of 10.0.0.1 was closed, which needs a PROXY header: {why}.")
        self.assertEqual(self.requests, [])

    def test_too_late(self) -> None:
        """A header that does not come, or not to its end, has a time limit."""
        for part in (b"", TCP4[:-1], SIGNATURE):
            connection = self.connect(part)
            self.reactor.advance(LIMIT_S - 0.1)
            self.assertEqual(connection.ending, Ending.OPEN)
            self.reactor.advance(0.2)
            self.assertEqual(connection.ending, Ending.RESET)

    def test_no_limit_after(self) -> None:
        """The limit is over when the header has come."""
        connection = self.connect(TCP4, get())
        self.reactor.advance(LIMIT_S * 2)
        self.assertEqual(connection.ending, Ending.OPEN)

    def test_silent_close(self) -> None:
        """A peer that closes before its header is no event: health checks do so."""
        with capturedLogs() as logs:
            self.connect().close()
        self.assertEqual([event for event in logs if "log_level" in event and "PROXY" in formatEvent(event)], [])

    def test_full(self) -> None:
        """Above the limit on clients, the connection gets 503 before it has sent its header."""
        self.site.limits = Limits(clients=1)
        self.connect(TCP4, get())
        connection = Peer(self.reactor, self.factory.buildProtocol(PROXY))
        self.assertEqual((connection.received, connection.ending), (response(1), Ending.CLOSED))

    def test_drained(self) -> None:
        """A connection whose header has not come is waited for, so that its request is not lost."""
        connection = self.connect()
        self.assertEqual(self.stats.connections, 1)
        done = self.site.drain(None)
        connection.send(TCP4 + get(b"/now"))
        self.assertIn(b" 200 OK\r\n", connection.received)
        self.successResultOf(done)


class SecureTests(ProxiedTestCase):
    """Headers before TLS."""

    def setUp(self) -> None:
        super().setUp()
        self.factory = self.proxied(TLSMemoryBIOFactory(server_side(), False, self.site, self.reactor))  # type: ignore[arg-type]

    def test_named(self) -> None:
        """The client that the header names is the one of the requests over TLS."""
        for header in (TCP4, binary(0x11, ends("192.0.2.7"), more=b"\x20\0\x05\1\0\0\0\0")):
            self.requests.clear()
            client = SecureClient(self.reactor, self.factory.buildProtocol(PROXY), header)
            self.peers.append(client.peer)
            client.send(get())
            self.assertEqual((self.clients(), self.requests[0].isSecure()), (["192.0.2.7"], True))
