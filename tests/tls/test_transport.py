"""
Tests for :mod:`sttproxy.tls.transport`, with clients that use another TLS implementation, in memory.
"""

from __future__ import annotations

import gc
import ssl

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from sttproxy.tls.server import ServerFactory
from sttproxy.transport import close

from ..support.fakes import Ending
from .test_server import Client, ServerTestCase

#: More than one TLS record has room for.
LONG = bytes(range(256)) * 160


class Recorder(Protocol):
    """Records what it receives, each call's bytes for themselves."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.reason: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason


class TransportTests(ServerTestCase):
    """The server's side of a connection, below a protocol."""

    def setUp(self) -> None:
        super().setUp()
        self.protocol = Recorder()
        wrapped = Factory.forProtocol(lambda: self.protocol)  # type: ignore[arg-type]
        wrapped.trusted = self.site.trusted  # type: ignore[attr-defined]  # for the log
        self.factory = ServerFactory(self.tls, False, wrapped, self.reactor)
        self.client: Client = self.client_with()

    def write(self, data: bytes) -> None:
        assert self.protocol.transport is not None
        self.protocol.transport.write(data)

    def test_records(self) -> None:
        """The records of one read are delivered together."""
        self.client.send(LONG)
        self.assertEqual(self.protocol.received, [LONG])

    def test_cut_records(self) -> None:
        """A record that is cut is delivered when it is complete."""
        self.client.tls.write(LONG)
        data = self.client.outgoing.read()
        self.client.peer.send(data[:-1], data[-1:])
        self.assertEqual(len(self.protocol.received), 2)
        self.assertEqual(b"".join(self.protocol.received), LONG)

    def test_end(self) -> None:
        """Bytes before the end of TLS are delivered before the end."""
        self.client.tls.write(LONG)
        with self.assertRaises(ssl.SSLWantReadError):
            self.client.tls.unwrap()
        self.client.send(b"")
        self.assertEqual(self.protocol.received, [LONG])
        self.assertEqual(self.client.peer.ending, Ending.CLOSED)
        self.assertIsNotNone(self.protocol.reason)

    def test_broken(self) -> None:
        """Bytes before a malformed record are delivered, and the connection is closed."""
        self.client.tls.write(LONG)
        self.client.peer.send(self.client.outgoing.read() + b"\x17\x03\x03\x00\x20" + bytes(32))
        self.assertEqual(self.protocol.received, [LONG])
        self.assertEqual(self.client.peer.ending, Ending.CLOSED)

    def test_released(self) -> None:
        """What was delivered is freed without a garbage collection."""
        gc.collect()
        for _ in range(10):
            self.client.send(LONG)
        self.assertEqual(gc.collect(), 0)

    def test_at_once(self) -> None:
        """Bytes go to the socket in the same iteration of the reactor."""
        self.write(b"now")
        self.client.read()
        self.assertEqual(self.client.received, b"now")

    def test_full(self) -> None:
        """Bytes that the socket does not take follow in order."""
        self.client.peer.socket.room = 10
        self.write(b"first")
        self.write(b"second")
        self.client.peer.read()
        self.client.read()
        self.assertEqual(self.client.received, b"firstsecond")

    def test_last(self) -> None:
        """Bytes before a close are sent before the close."""
        self.write(LONG)
        assert self.protocol.transport is not None
        self.protocol.transport.loseConnection()
        self.client.send(b"")
        self.assertEqual(self.client.received, LONG)

    def test_after_close(self) -> None:
        """Bytes after a close do not keep the connection open."""
        self.write(LONG)
        close(self.protocol.transport)
        self.write(b"late")
        self.client.send(b"")
        self.assertEqual(self.client.received, LONG)
        self.assertEqual(self.client.peer.ending, Ending.CLOSED)

    def test_refused(self) -> None:
        """A connection that takes no bytes any more is closed by the reactor."""
        self.client.peer.refuse_to_read()
        self.write(b"lost")
        self.assertIsNone(self.protocol.reason)
        self.reactor.settle()
        self.assertIsNotNone(self.protocol.reason)

    def test_lost(self) -> None:
        """Bytes for a lost connection are dropped."""
        self.client.peer.reset()
        self.assertIsNotNone(self.protocol.reason)
        self.write(b"lost")
        self.assertEqual(self.client.peer.news(), b"")
