"""
Tests for :mod:`sttproxy.tls.server`, with clients that use another TLS implementation, in memory.
"""

from __future__ import annotations

import contextlib
import ssl
from datetime import datetime, timezone
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IStreamServerEndpoint
from twisted.logger import LogLevel, capturedLogs, formatEvent
from zope.interface.verify import verifyObject

from sttproxy.tls.certificates import CertificateError
from sttproxy.tls.server import ServerFactory, ServerFiles, ServerTLS, TLSListening

from ..support.certificates import authority_pem, pem
from ..support.fakes import Ending, Peer, without_made_ids
from ..support.stage import ScriptedTestCase, get, ok


class Client:
    """
    A client that speaks TLS.

    :ivar received: the decrypted bytes from the server.
    :ivar error: why TLS failed; None if it did not.
    :ivar outgoing: encrypted bytes that are not sent yet.
    """

    def __init__(self, peer: Peer, reactor: Any, name: str | None, cert: str = "", **settings: Any) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if cert:
            context.load_cert_chain(cert)
        for setting, value in settings.items():
            if setting == "alpn":
                context.set_alpn_protocols(value)
            else:
                setattr(context, setting, value)
        self.peer = peer
        self.received = b""
        self.error: ssl.SSLError | None = None
        self._reactor = reactor
        self._incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self.outgoing, server_hostname=name)
        try:
            for _ in range(3):
                with contextlib.suppress(ssl.SSLWantReadError):
                    self.tls.do_handshake()
                self._exchange()
            self.send(b"")
        except ssl.SSLError as error:
            self.error = error

    def send(self, data: bytes) -> None:
        """Send some bytes, and read the reply."""
        if data:
            self.tls.write(data)
        self._exchange()
        self._decrypt()

    def read(self) -> None:
        """Read what was sent, without a further iteration of the reactor."""
        self._incoming.write(self.peer.news())
        self._decrypt()

    def _decrypt(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while piece := self.tls.read(65_536):
                self.received += without_made_ids(piece)

    def end(self) -> None:
        """End TLS."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self._exchange()

    def _exchange(self) -> None:
        self.peer.send(self.outgoing.read())
        self._reactor.settle()
        self._incoming.write(self.peer.news())

    @property
    def served(self) -> list[str]:
        """The names in the certificate of the server."""
        from cryptography import x509

        from sttproxy.tls.certificates import names_of

        found = self.tls.getpeercert(True)
        assert found is not None
        return names_of(x509.load_der_x509_certificate(found))


class ServerTestCase(ScriptedTestCase):
    """Tests of a site with TLS."""

    client_ca = ""

    def setUp(self) -> None:
        super().setUp()
        self.contents: dict[str, bytes | str] = {
            "/a.pem": pem("a.example"),
            "/b.pem": pem("b.example", "*.b.example"),
            "/ca.pem": authority_pem(),
        }
        self.files = ServerFiles((("/a.pem", "/a.pem"), ("/b.pem", "/b.pem")), self.client_ca)
        self.tls = ServerTLS(self.files, lambda: 1.7e9)
        self.tls.adopt(self.contents)
        self.factory = ServerFactory(self.tls, False, self.site, self.reactor)

    def peer(self) -> Peer:
        """A connection without TLS on the client's side."""
        peer = Peer(self.reactor, self.factory.buildProtocol(None))  # type: ignore[arg-type]
        self.peers.append(peer)
        return peer

    def client_with(self, name: str | None = None, cert: str = "", **settings: Any) -> Client:
        """A client that has tried a handshake."""
        return Client(self.peer(), self.reactor, name, cert, **settings)


class ServerTests(ServerTestCase):
    """What clients get."""

    def test_interfaces(self) -> None:
        """It is what Twisted makes TLS connections with, and an endpoint."""
        self.assertTrue(verifyObject(IOpenSSLServerConnectionCreator, self.tls))
        endpoint = TLSListening(TCP4ServerEndpoint(self.reactor, 0), self.tls, self.reactor)
        self.assertTrue(verifyObject(IStreamServerEndpoint, endpoint))

    def test_names(self) -> None:
        """A client gets the certificate for the name that it asks for, and the first one for any other name."""
        for name, served in (
            (None, "a.example"),
            ("a.example", "a.example"),
            ("B.example", "b.example"),
            ("x.b.example", "b.example"),
            ("c.example", "a.example"),
        ):
            client = self.client_with(name)
            self.assertEqual(client.served[0], served, name)
            client.send(get(b"/now"))
            self.assertEqual(client.received, ok(b"/now"), name)

    def test_protocols(self) -> None:
        """HTTP/2 is preferred; a client that offers only others gets no protocol."""
        for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), (["spdy/1"], None)):
            self.assertEqual(self.client_with(alpn=offered).tls.selected_alpn_protocol(), chosen)

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3 are spoken, with ciphers that have forward secrecy."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client = self.client_with(maximum_version=version)
            self.assertIsNone(client.error)
            cipher = client.tls.cipher()
            assert cipher is not None
            self.assertRegex(cipher[0], "ECDHE|TLS_")

    def test_plain(self) -> None:
        """A plain request gets a 400 that names HTTPS, and is counted and logged."""
        peer = self.peer()
        with capturedLogs() as captured:
            peer.send(get(b"/x"))
            self.reactor.settle()
        self.assertIn(b"HTTP/1.1 400 Bad Request\r\n", peer.received)
        self.assertIn(b"This port speaks HTTPS; use an https:// URL.", peer.received)
        self.assertEqual(peer.ending, Ending.CLOSED)
        self.assertEqual(self.requests, [])
        self.assertEqual(self.stats.refused_requests, 1)
        self.assertIn("GET /x - 400", str(formatEvent(captured[-1])))

    def test_rejected(self) -> None:
        """A rejected request gets its response, also after a time limit, and the connection ends with the client's."""
        two_hosts = get(b"/x", b"Host: other")
        for beginning, seconds, status in ((two_hosts, 0, 400), (two_hosts[:5], self.site.timeouts.head, 408)):
            client = self.client_with()
            client.send(beginning)
            self.reactor.advance(seconds)
            client.send(b"")
            self.assertIn(b"HTTP/1.1 %d " % status, client.received)
            self.assertTrue(client.received.endswith(b"}\n"))
            self.assertNotEqual(client.peer.ending, Ending.CLOSED)
            client.end()
            self.assertEqual(client.peer.ending, Ending.CLOSED)

    def test_closed(self) -> None:
        """The proxy closes idle connections, and those that a client wants closed, also if the client never does."""
        idle = self.client_with()
        self.reactor.advance(self.site.timeouts.idle)
        last = self.client_with()
        last.send(get(b"/now", b"Connection: close"))
        self.assertTrue(last.received.endswith(b"/now"), last.received)
        for client in (idle, last):
            self.assertEqual(client.peer.ending, Ending.CLOSED)

    def test_closed_late(self) -> None:
        """A client that reads slowly gets all of a response before the connection is closed."""
        client = self.client_with()
        client.send(get(b"/x", b"Connection: close"))
        client.peer.stall()
        self.requests[0].write(b"x" * 300_000)
        self.requests[0].finish()
        self.reactor.advance(1000)
        self.assertNotEqual(client.peer.ending, Ending.CLOSED)
        client.peer.read()
        self.assertEqual(client.peer.ending, Ending.CLOSED)
        client.send(b"")
        self.assertEqual(client.received.count(b"x"), 300_000)

    def test_failed(self) -> None:
        """A failed handshake is logged with the client and OpenSSL's reason."""
        peer = self.peer()
        with capturedLogs() as captured:
            peer.send(b"\x16\x03\x01\x00\x05hello")
            self.reactor.settle()
            peer.close()
        (line,) = [str(formatEvent(event)) for event in captured if event["log_namespace"] == "sttproxy.tls.server"]
        self.assertRegex(line, r"The TLS connection of \S+ failed: \w")


class ReloadTests(ServerTestCase):
    """Certificates that change while the site runs."""

    def test_replaced(self) -> None:
        """New connections get the new certificate; established ones go on."""
        before = self.client_with()
        self.contents["/a.pem"] = pem("new.example")
        self.tls.adopt(self.contents)
        self.assertEqual(self.client_with().served, ["new.example"])
        before.send(get(b"/now"))
        self.assertEqual(before.received, ok(b"/now"))

    def test_refused(self) -> None:
        """Contents that cannot be used change nothing; the statistics show why until they can be used."""
        good = self.contents["/a.pem"]
        for bad, error in ((b"", "contains no certificate"), ("permission denied", "/a.pem: permission denied")):
            self.contents["/a.pem"] = bad
            self.assertRaises(CertificateError, self.tls.adopt, self.contents)
            self.assertIn(error, self.tls.snapshot()["error"])
            self.assertEqual(self.client_with().served, ["a.example"])
        self.contents["/a.pem"] = good
        self.tls.adopt(self.contents)
        self.assertIsNone(self.tls.snapshot()["error"])

    def test_logged(self) -> None:
        """The log has each certificate with its expiry date, and a warning if it has expired."""
        end = datetime(2022, 1, 1, tzinfo=timezone.utc)
        self.contents["/b.pem"] = pem("b.example", expires=end)
        with capturedLogs() as captured:
            self.tls.adopt(self.contents)
        self.assertEqual([event["log_level"] for event in captured], [LogLevel.info, LogLevel.info, LogLevel.warn])
        self.assertIn("/b.pem for b.example is in force until 2022-01-01", str(formatEvent(captured[1])))
        self.assertIn("/b.pem has expired", str(formatEvent(captured[2])))
        self.assertEqual(self.tls.snapshot()["certificates"][1]["expires"], "2022-01-01T00:00:00+00:00")


class ClientCertificateTests(ServerTestCase):
    """Clients that must present a certificate."""

    client_ca = "/ca.pem"

    def test_presented(self) -> None:
        """A client with a certificate of the authority gets in, also where it asks for another name."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(pem("client@example.org"))
        for name in ("a.example", "b.example"):
            client = self.client_with(name, path)
            client.send(get(b"/now"))
            self.assertEqual(client.received, ok(b"/now"))

    def test_without(self) -> None:
        """A client without one does not get in: no request is read."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client = self.client_with(maximum_version=version)
            self.assertIsNotNone(client.error)
        self.assertEqual(self.requests, [])

    def test_authority(self) -> None:
        """A file without authorities is an error."""
        self.contents["/ca.pem"] = b""
        error = self.assertRaises(CertificateError, self.tls.adopt, self.contents)
        self.assertIn("/ca.pem contains no certificate", str(error))
