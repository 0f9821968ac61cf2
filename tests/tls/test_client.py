"""
Tests for :mod:`sttproxy.tls.client`: both ends in memory.
"""

from __future__ import annotations

import ssl
from datetime import datetime, timezone
from typing import Any
from unittest import mock

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sttproxy.errors import UpstreamCertificate, UpstreamUnreachable
from sttproxy.tls.certificates import authorities, identity
from sttproxy.tls.client import ClientTLS, Fault, TLSConnecting
from sttproxy.tls.server import ServerFiles, ServerTLS

from ..support.certificates import authority_pem, pem
from ..support.stage import Recorder


@implementer(IStreamClientEndpoint)
class Wired:
    """
    An endpoint that connects to a protocol in memory.

    :ivar pump: moves the bytes.
    """

    def __init__(self, server: Any) -> None:
        self.server = server

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        client: Any = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 443))
        near = FakeTransport(client, isServer=False)
        far = FakeTransport(self.server, isServer=True)
        self.pump: IOPump = connect(self.server, far, client, near)
        return succeed(client)


class ClientTestCase(SynchronousTestCase):
    """Tests of one connection to a server with a certificate."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.inner = Recorder()
        self.trusted = authorities("/ca.pem", authority_pem())

    def server(self, data: bytes, client_ca: bool = False) -> Any:
        """A server's end with a certificate; it keeps what arrives in `far`."""
        files = ServerFiles((("/s.pem", "/s.pem"),), "/ca.pem" if client_ca else "")
        tls = ServerTLS(files)
        tls.adopt({"/s.pem": data, "/ca.pem": authority_pem()})
        self.far = Recorder()
        factory = Factory.forProtocol(lambda: self.far)
        return TLSMemoryBIOFactory(tls, False, factory, self.clock).buildProtocol(None)  # type: ignore[arg-type]

    def connect(self, tls: ClientTLS, server: Any) -> Deferred[Any]:
        """Connect, and move bytes until nothing happens any more."""
        wired = Wired(server)
        endpoint = TLSConnecting(wired, tls, self.clock)
        self.assertTrue(verifyObject(IStreamClientEndpoint, endpoint))
        connecting = endpoint.connect(Factory.forProtocol(lambda: self.inner))
        self.pump = wired.pump
        self.settle()
        return connecting

    def settle(self) -> None:
        """Let both ends do all that they can."""
        for _ in range(5):
            self.clock.advance(0)
            self.pump.flush()

    def failure(self, tls: ClientTLS, server: Any, kind: type[Exception]) -> str:
        """The message of a connection that fails."""
        failure = self.failureResultOf(self.connect(tls, server), kind)
        self.assertEqual((self.inner.transport, self.inner.lost), (None, 0))
        return str(failure.value)


class VerifiedTests(ClientTestCase):
    """Connections that are made."""

    def test_interfaces(self) -> None:
        """It is what Twisted makes TLS connections with."""
        self.assertTrue(verifyObject(IOpenSSLClientConnectionCreator, ClientTLS("h", [])))

    def test_data(self) -> None:
        """The connection is made after the handshake; data and its end arrive at both ends."""
        for host in ("stt.example", "192.0.2.1"):
            self.setUp()
            made = self.connect(ClientTLS(host, self.trusted), self.server(pem("stt.example", "192.0.2.1")))
            self.assertIs(self.successResultOf(made), self.inner)
            assert self.inner.transport is not None and self.far.transport is not None
            self.inner.transport.write(b"request")
            self.settle()
            self.far.transport.write(b"response")
            self.settle()
            self.assertEqual((self.far.data, self.inner.data), (b"request", b"response"))
            self.far.transport.loseConnection()
            self.settle()
            self.assertEqual(self.inner.lost, 1)

    def test_presented(self) -> None:
        """A server that asks for a certificate gets it."""
        both = pem("client")
        presented = identity("/c.pem", both, "/c.pem", both)
        made = self.connect(ClientTLS("h", self.trusted, presented), self.server(pem("h"), client_ca=True))
        self.assertIs(self.successResultOf(made), self.inner)
        assert self.inner.transport is not None
        self.inner.transport.write(b"request")
        self.settle()
        self.assertEqual(self.far.data, b"request")

    def test_insecure(self) -> None:
        """Without verification any certificate is accepted."""
        made = self.connect(ClientTLS("other", insecure=True), self.server(pem("h")))
        self.assertIs(self.successResultOf(made), self.inner)

    def test_platform(self) -> None:
        """By default the authorities of the platform are trusted, and those of this Python."""
        with mock.patch("OpenSSL.SSL.Context.set_default_verify_paths") as system:
            ClientTLS("h")
        system.assert_called_once_with()
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(authority_pem())
        paths = mock.Mock(cafile=path, capath=None)
        with mock.patch.object(ssl, "get_default_verify_paths", return_value=paths):
            made = self.connect(ClientTLS("h"), self.server(pem("h")))
        self.assertIs(self.successResultOf(made), self.inner)


class RejectedTests(ClientTestCase):
    """Connections that are not made, and why."""

    def test_name(self) -> None:
        """The message has the names in the certificate, and the one that was expected."""
        for host in ("other.example", "192.0.2.7"):
            self.setUp()
            error = self.failure(ClientTLS(host, self.trusted), self.server(pem("h", "192.0.2.1")), UpstreamCertificate)
            self.assertIn(f"is issued for h, 192.0.2.1, not for {host}", error)

    def test_authority(self) -> None:
        """An unknown authority is named, with the option that would help."""
        error = self.failure(ClientTLS("h", []), self.server(pem("h")), UpstreamCertificate)
        self.assertIn("is signed by ", error)
        self.assertIn("O=Tests, which is not trusted here", error)
        self.assertIn("--target-ca", error)

    def test_dates(self) -> None:
        """The message has the date from which on a certificate is not valid any more, or until which it is not yet."""
        end = datetime(2021, 1, 1, tzinfo=timezone.utc)
        error = self.failure(ClientTLS("h", self.trusted), self.server(pem("h", expires=end)), UpstreamCertificate)
        self.assertIn("expired on 2021-01-01T00:00:00+00:00", error)
        later = datetime(2999, 1, 1, tzinfo=timezone.utc)
        self.setUp()
        error = self.failure(ClientTLS("h", self.trusted), self.server(pem("h", expires=later)), UpstreamCertificate)
        self.assertIn("is valid from 2998-01-01T00:00:00+00:00 on", error)

    def test_other_faults(self) -> None:
        """Any other fault has OpenSSL's number."""
        self.assertIn("verification error 23", Fault(23).explained())

    def test_no_tls(self) -> None:
        """A server without TLS is named as such."""
        plain = Recorder()
        plain.dataReceived = lambda data: plain.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")  # type: ignore[union-attr, method-assign]
        error = self.failure(ClientTLS("h", self.trusted), plain, UpstreamUnreachable)
        self.assertEqual(error, "The upstream h does not speak TLS; is its URL http://… ?")

    def test_closed(self) -> None:
        """A server that closes during the handshake is unreachable."""
        plain = Recorder()
        plain.dataReceived = lambda data: plain.transport.loseConnection()  # type: ignore[union-attr, method-assign]
        error = self.failure(ClientTLS("h", self.trusted), plain, UpstreamUnreachable)
        self.assertIn("The TLS handshake with the upstream h failed", error)

    def test_cancelled(self) -> None:
        """Cancelling it during the handshake ends the connection."""
        silent = Recorder()
        connecting = self.connect(ClientTLS("h", self.trusted), silent)
        self.assertNoResult(connecting)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.settle()
        self.assertEqual(silent.lost, 1)
