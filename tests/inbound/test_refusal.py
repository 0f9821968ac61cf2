"""
Tests for :mod:`sttproxy.inbound.refusal` and the limit on clients in :mod:`sttproxy.inbound.site`.
"""

from __future__ import annotations

import errno

from twisted.internet.interfaces import IProtocol
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from zope.interface.verify import verifyObject

from sttproxy.inbound.interfaces import Limits
from sttproxy.inbound.refusal import MOST, TAKE_S, Refusal, response
from sttproxy.inbound.site import SAY_AGAIN_S

from ..support.fakes import Ending, FakeSocket, Peer
from ..support.stage import ScriptedTestCase, error_of, get
from .test_tls import TLSTestCase


class RefusalTestCase(ScriptedTestCase):
    """Base class: a site that accepts two clients."""

    def setUp(self) -> None:
        super().setUp()
        self.site.limits = Limits(clients=2)
        self.first, self.second = self.client(), self.client(get())

    def tearDown(self) -> None:
        self.assertEqual(self.site.refusals, set())
        super().tearDown()


class RefusalTests(RefusalTestCase):
    """A client over the limit."""

    def test_interface(self) -> None:
        """The refusing object implements the protocol interface."""
        self.assertTrue(verifyObject(IProtocol, Refusal(self.site, response(2))))

    def test_at_once(self) -> None:
        """It gets 503 before it sends a request, and its socket is closed before anything else happens."""
        peer = Peer(self.reactor, self.site.buildProtocol(None))
        self.assertEqual(error_of(peer.received), (503, "out_of_descriptors"))
        self.assertIn(b"\r\nRetry-After: 1\r\n", peer.received)
        self.assertIn(b"\r\nConnection: close\r\n", peer.received)
        self.assertEqual(peer.ending, Ending.CLOSED)
        self.assertEqual((self.stats.clients_refused, self.stats.connections, self.stats.total_requests), (1, 2, 1))

    def test_has_asked(self) -> None:
        """
        The bytes it has sent are read first: closing with unread bytes would send a reset, which could lose the
        response.
        """
        for sent in (get(), b""):
            socket = FakeSocket()
            socket.arriving.append(sent)
            peer = Peer(self.reactor, self.site.buildProtocol(None), socket=socket)
            self.assertEqual((peer.received, peer.ending), (response(2), Ending.CLOSED))

    def test_unwilling(self) -> None:
        """A client that reads nothing, or has disconnected, is closed too."""
        stalled, broken = FakeSocket(), FakeSocket()
        stalled.room = 0
        broken.write_error = BrokenPipeError(errno.EPIPE, "broken pipe")
        broken.arriving.append(ConnectionResetError(errno.ECONNRESET, "reset by peer"))
        for socket in (stalled, broken):
            self.assertEqual(Peer(self.reactor, self.site.buildProtocol(None), socket=socket).ending, Ending.CLOSED)

    def test_others(self) -> None:
        """The other clients are served, and so is the next one after one of them disconnects."""
        self.client()
        self.first.send(get(b"/now"))
        self.assertIn(b" 200 OK\r\n", self.first.received)
        self.first.close()
        self.assertIn(b" 200 OK\r\n", self.client(get(b"/now")).received)
        self.assertEqual(self.stats.clients_refused, 1)

    def test_no_limit(self) -> None:
        """Without a limit all clients are accepted."""
        self.site.limits = Limits()
        for _ in range(50):
            self.client()
        self.assertEqual(self.stats.connections, 52)

    def test_log(self) -> None:
        """Refusals are logged once a minute, with their number."""
        with capturedLogs() as logs:
            for _ in range(100):
                self.client()
            self.reactor.pass_time(SAY_AGAIN_S - 1, 1)
            self.client()
            self.reactor.pass_time(1, 1)
            self.client()
        said = [formatEvent(event).partition(". ")[0] for event in logs if "log_level" in event]
        full = "2 clients are connected and there is room for no more: new ones get 503"
        self.assertEqual(said, [f"{full} (1 so far)", f"{full} (102 so far)"])


class SecureRefusalTests(RefusalTestCase, TLSTestCase):
    """A client over the limit that speaks TLS."""

    def test_told(self) -> None:
        """It gets the response as soon as possible, and is closed."""
        client = self.secure_client()
        self.assertEqual(error_of(client.received), (503, "out_of_descriptors"))
        self.assertTrue(client.got_close_alert)
        client.peer.close()
        self.assertNotEqual(client.peer.ending, Ending.OPEN)

    def test_wrapped(self) -> None:
        """
        On a wrapped connection, as with the PROXY protocol, 503 is sent through the lower transport, but not below
        TLS.
        """
        wrapping = HAProxyWrappingFactory(self.site)
        peer = Peer(self.reactor, wrapping.buildProtocol(None))
        self.assertEqual((peer.received, peer.ending), (response(2), Ending.CLOSED))
        secure = self.secure()
        secure.wrappedProtocol = wrapping.buildProtocol(None)
        peer = Peer(self.reactor, secure)
        self.assertEqual((peer.received, peer.ending), (b"", Ending.OPEN))
        self.reactor.advance(TAKE_S)

    def test_silent(self) -> None:
        """A client that does not complete the handshake is closed soon."""
        peer = Peer(self.reactor, self.secure())
        self.reactor.advance(TAKE_S - 0.1)
        self.assertEqual(peer.ending, Ending.OPEN)
        self.reactor.advance(0.2)
        self.assertEqual(peer.ending, Ending.RESET)

    def test_many(self) -> None:
        """Only a few refused clients keep their sockets; the others are closed at once."""
        endings = [Peer(self.reactor, self.secure()).ending for _ in range(MOST + 5)]
        self.assertEqual(endings, [Ending.OPEN] * MOST + [Ending.RESET] * 5)
        self.reactor.advance(TAKE_S + 0.1)
