"""
Tests for :mod:`sttproxy.writer`.
"""

from __future__ import annotations

import inspect

from twisted.internet import abstract, tcp, unix
from twisted.internet.protocol import Factory
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from sttproxy.writer import MAX_PIECES, BufferedWriter, FlushScheduler

from .support.fakes import Ending, Peer
from .support.stage import Recorder, TransportTestCase


class WriteErrorTests(TransportTestCase):
    """Reading on after a write error."""

    def setUp(self) -> None:
        super().setUp()
        self.broken = 0
        self.writer = BufferedWriter(self.transport, FlushScheduler(self.reactor), self.breaks)
        self.addCleanup(self.peer.close)

    def breaks(self) -> None:
        """Count the calls."""
        self.broken += 1

    def test_good(self) -> None:
        """While writes succeed nothing changes, also when they are slow."""
        self.peer.stall()
        self.writer.write(b"abc")
        self.peer.read(2)
        self.assertEqual((self.peer.received, self.broken), (b"ab", 0))
        self.peer.read()
        self.assertEqual((self.peer.received, self.broken), (b"abc", 0))

    def test_read_on(self) -> None:
        """After a write error, reported once, the peer's bytes are still read until its close."""
        self.peer.refuse_to_read()
        for _ in range(3):
            self.writer.write(b"abc")
            self.reactor.settle()
        self.assertEqual((self.broken, self.peer.unsent, self.peer.ending), (1, 0, Ending.OPEN))
        self.peer.send(b"answer")
        self.assertEqual((self.protocol.data, self.protocol.lost), (b"answer", 0))
        self.peer.close()
        self.assertEqual(self.protocol.lost, 1)

    def test_below(self) -> None:
        """The same for a transport that writes through another one, as TLS does."""
        peer = Peer(self.reactor, Recorder())
        self.addCleanup(peer.close)
        above = ProtocolWrapper(WrappingFactory(Factory()), Recorder())
        above.transport = peer.transport
        writer = BufferedWriter(above, FlushScheduler(self.reactor), self.breaks)
        peer.refuse_to_read()
        for _ in range(3):
            writer.write(b"abc")
            self.reactor.settle()
        self.assertEqual((self.broken, peer.unsent, peer.ending), (1, 0, Ending.OPEN))

    def test_close(self) -> None:
        """After a write error the connection can still be closed."""
        self.peer.refuse_to_read()
        self.writer.write(b"abc")
        self.transport.loseConnection()
        self.reactor.settle()
        self.assertEqual(self.protocol.lost, 1)


class BufferedWriterTests(TransportTestCase):
    """Sending at the end of the reactor iteration."""

    def setUp(self) -> None:
        super().setUp()
        self.scheduler = FlushScheduler(self.reactor)
        self.writer = BufferedWriter(self.transport, self.scheduler)
        self.sent: list[bytes] = []
        send = self.peer.socket.send

        def recorded(data: memoryview) -> int:
            size = send(data)
            self.sent.append(bytes(data[:size]))
            return size

        self.peer.socket.send = recorded  # type: ignore[method-assign]
        self.addCleanup(self.assert_nothing_left)
        self.addCleanup(self.peer.close)

    def test_together(self) -> None:
        """
        All writes of one reactor iteration are sent at its end, in one piece, without registering a writer at the
        reactor.
        """
        for _ in range(2):
            self.sent.clear()
            self.writer.write(b"ab")
            self.writer.write(b"c")
            self.assertEqual(self.sent, [])
            self.reactor.callLater(0, lambda: self.assertNotIn(self.transport, self.reactor.writers))
            self.reactor.settle()
            self.assertEqual(self.sent, [b"abc"])

    def test_slow(self) -> None:
        """Bytes that the socket does not accept wait in the transport, and later writes wait behind them."""
        self.peer.stall()
        self.peer.read(2)
        self.writer.write(b"abcd")
        self.reactor.settle()
        self.assertEqual((self.peer.received, self.peer.unsent), (b"ab", 2))
        self.writer.write(b"ef")
        self.reactor.settle()
        self.assertEqual((self.peer.received, self.peer.unsent), (b"ab", 4))
        self.peer.read()
        self.assertEqual(self.peer.received, b"abcdef")
        self.sent.clear()
        self.writer.write(b"gh")
        self.reactor.settle()
        self.assertEqual((self.sent, self.peer.unsent), ([b"gh"], 0))

    def test_much(self) -> None:
        """The transport gets a write at once if it would pause its producer because of it."""
        self.peer.stall()
        self.writer.write(bytes(MAX_PIECES))
        self.assertEqual(self.peer.unsent, 0)
        self.writer.write(b"x")
        self.assertEqual(self.peer.unsent, MAX_PIECES + 1)

    def test_flush(self) -> None:
        """A close first flushes the buffered bytes; then nothing remains for the end of the iteration."""
        self.writer.write(b"ab")
        self.writer.flush()
        self.assertEqual(self.sent, [b"ab"])
        self.reactor.settle()
        self.assertEqual(self.sent, [b"ab"])

    def test_drop(self) -> None:
        """Dropped bytes are never sent."""
        self.writer.write(b"ab")
        self.writer.drop()
        self.reactor.settle()
        self.assertEqual(self.sent, [])

    def test_lost(self) -> None:
        """After the connection is lost nothing is sent."""
        self.writer.write(b"ab")
        self.peer.reset()
        self.assertEqual((self.sent, self.protocol.lost), ([], 1))
        self.writer.write(b"c")
        self.reactor.settle()
        self.assertEqual(self.sent, [])

    def test_error(self) -> None:
        """A write error closes the connection, as in Twisted."""
        self.peer.refuse_to_read()
        self.writer.write(b"ab")
        self.reactor.settle()
        self.assertEqual(self.protocol.lost, 1)

    def test_without_a_socket(self) -> None:
        """A transport that wraps another one, and passes on its attributes, gets all writes."""
        above = ProtocolWrapper(WrappingFactory(Factory()), Recorder())
        above.transport = self.transport
        written: list[bytes] = []
        above.write = written.append  # type: ignore[method-assign]
        writer = BufferedWriter(above, self.scheduler)
        writer.write(b"ab")
        self.reactor.settle()
        self.assertEqual((written, self.sent), ([b"ab"], []))

    def test_unexpected_transport(self) -> None:
        """A transport without the replaced method gets all writes, and keeps its attributes."""
        transport = StringTransport()
        before = dict(vars(transport))
        writer = BufferedWriter(transport, self.scheduler)
        self.assertEqual(vars(transport), before)
        writer.write(b"ab")
        writer.write(b"c")
        self.reactor.settle()
        self.assertEqual((transport.value(), writer.waiting), (b"abc", 0))

    def test_twisted(self) -> None:
        """Twisted's transports send only through the replaced method; the buffered writer depends on this."""
        for transport in (tcp.Server, tcp.Client, unix.Server, unix.Client):
            sending = {
                name
                for each in transport.__mro__
                for name, method in vars(each).items()
                if inspect.isfunction(method) and "send" in method.__code__.co_names
            }
            self.assertEqual(sending - {"sendFileDescriptor"}, {"writeSomeData"}, transport)
            self.assertIn("writeSomeData", abstract.FileDescriptor.doWrite.__code__.co_names)
            self.assertEqual(list(inspect.signature(transport.writeSomeData).parameters), ["self", "data"])

    def test_one_of_many(self) -> None:
        """An exception in one buffered writer does not prevent the flush of the others."""

        def raises() -> None:
            raise ZeroDivisionError

        self.scheduler.add(raises)
        self.writer.write(b"ab")
        self.assertRaises(ZeroDivisionError, self.reactor.settle)
        self.reactor.settle()
        self.assertEqual(self.sent, [b"ab"])
