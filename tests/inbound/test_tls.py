"""
Tests for :mod:`sttproxy.inbound` below TLS, as with an ``ssl:…`` endpoint: the transport is not a socket then.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import ssl
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import crypto
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory

from sttproxy.errors import UpstreamError
from sttproxy.inbound.interfaces import Timeouts

from ..support.fakes import Ending, FakeReactor, Peer, without_made_ids
from ..support.stage import ScriptedTestCase, Taken, error_of, get, ok, post


@functools.cache
def server_side() -> CertificateOptions:
    """Return the server's context: a key and a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "h")])
    began = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, began, began.replace(year=2100))
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = builder.sign(key, hashes.SHA256()).public_bytes(pem)
    return CertificateOptions(
        privateKey=crypto.load_privatekey(crypto.FILETYPE_PEM, secret),
        certificate=crypto.load_certificate(crypto.FILETYPE_PEM, public),
    )


class SecureClient:
    """
    A client that speaks TLS, with another implementation than the server's.

    :ivar received: the decrypted bytes from the server.
    :ivar got_close_alert: whether the server has sent the TLS close alert.
    """

    def __init__(self, reactor: FakeReactor, protocol: Any, first: bytes = b"") -> None:
        """
        :param first: sent before TLS begins.
        """
        self.peer = Peer(reactor, protocol)
        self.peer.send(first)
        self.received = b""
        self.got_close_alert = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)
        self._reactor = reactor
        for _ in range(3):
            with contextlib.suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
            self._exchange()
        self.send(b"")

    def send(self, data: bytes) -> None:
        """Send some bytes, and read the reply."""
        if data:
            self._tls.write(data)
        self._exchange()
        try:
            while piece := self._tls.read(65_536):
                self.received += piece
            self.got_close_alert = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.got_close_alert = True

    def _exchange(self) -> None:
        self.peer.send(self._outgoing.read())
        self._reactor.settle()
        self._incoming.write(self.peer.news())


class TLSTestCase(ScriptedTestCase):
    """Tests with clients that speak TLS."""

    def secure(self) -> Any:
        """Return the server's end of a new connection."""
        return TLSMemoryBIOFactory(server_side(), False, self.site, self.reactor).buildProtocol(None)  # type: ignore[arg-type]

    def secure_client(self, data: bytes = b"") -> SecureClient:
        """Return a new client that sends these bytes at once."""
        client = SecureClient(self.reactor, self.secure())
        self.peers.append(client.peer)
        client.send(data)
        return client


class TLSTests(TLSTestCase):
    """Behaviour on a transport that is not a socket."""

    def setUp(self) -> None:
        super().setUp()
        self.serve_with(Timeouts(head=10, body=30, idle=75, drain=20))

    def test_answered(self) -> None:
        """Requests are answered one after the other, and are marked as secure."""
        client = self.secure_client(get(b"/now"))
        client.send(get(b"/now"))
        self.assertEqual(without_made_ids(client.received), ok(b"/now") * 2)
        client.send(get())
        self.assertTrue(self.requests[2].isSecure())

    def test_idle(self) -> None:
        """An idle connection is closed at the timeout."""
        client = self.secure_client(get(b"/now"))
        self.reactor.pass_time(74, 1)
        self.assertEqual(client.peer.ending, Ending.OPEN)
        self.reactor.pass_time(2)
        client.send(b"")
        self.assertTrue(client.got_close_alert)

    def test_drained(self) -> None:
        """When the daemon stops, idle connections do not delay it."""
        client = self.secure_client(get(b"/now"))
        self.site.drain(30)
        self.reactor.pass_time(2)
        client.send(b"")
        self.assertTrue(client.got_close_alert)

    def test_last_answer(self) -> None:
        """The TLS close alert is sent after the last response."""
        client = self.secure_client(get(b"/now", b"Connection: close"))
        self.assertTrue(client.received.endswith(b"\r\n\r\n/now"))
        self.assertTrue(client.got_close_alert)

    def test_refused(self) -> None:
        """A refusal reaches the client, and what the client does after it logs no error."""
        client = self.secure_client(b"GARBAGE\r\n\r\n")
        self.assertEqual(error_of(client.received), (400, "bad_request"))
        self.assertTrue(client.got_close_alert)
        client.send(b"more garbage")
        client.peer.close()

    def test_early_answer(self) -> None:
        """
        A response before the end of the upload reaches the client, with the close alert after it; the rest of the
        upload is dropped, until the timeout.
        """
        client = self.secure_client(post(1_000_000, body=b"x" * 1000))
        self.requests[0].fail(UpstreamError("nobody there"))
        client.send(b"x")
        self.assertTrue(client.got_close_alert)
        for _ in range(10):
            client.send(b"x" * 10_000)
        self.assertEqual(error_of(client.received), (502, "bad_gateway"))
        self.assertEqual(client.peer.ending, Ending.OPEN)
        self.reactor.pass_time(21)
        self.assertNotEqual(client.peer.ending, Ending.OPEN)

    def test_held_back(self) -> None:
        """A paused client that disconnects is noticed; a paused client that stays is resumed later."""
        staying = self.secure_client(post(1_000_000, body=b"x" * 1000))
        leaving = self.secure_client(post(1_000_000, body=b"x" * 1000))
        leaving.peer.close()
        self.reactor.pass_time(2)
        self.assertEqual(self.stats.in_flight, 1)
        taken = Taken(self.requests[0].body)
        staying.send(b"x" * 1000)
        self.assertEqual(len(taken.data), 2000)
