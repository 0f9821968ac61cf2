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

from .support.fakes import Ending
from .support.stage import Recorder, TransportTestCase


class WriteErrorTests(TransportTestCase):
    """Reading on when writing fails."""

    def setUp(self) -> None:
        super().setUp()
        self.broken = 0
        self.writer = BufferedWriter(self.transport, FlushScheduler(self.reactor), self.breaks)
        self.addCleanup(self.peer.close)

    def breaks(self) -> None:
        """Count the calls."""
        self.broken += 1

    def test_good(self) -> None:
        """While writing works nothing changes, also where it is slow."""
        self.peer.stall()
        self.writer.write(b"abc")
        self.peer.read(2)
        self.assertEqual((self.peer.received, self.broken), (b"ab", 0))
        self.peer.read()
        self.assertEqual((self.peer.received, self.broken), (b"abc", 0))

    def test_read_on(self) -> None:
        """After a failure, told of once, what the peer has sent is still read, and the end of it is the end."""
        self.peer.refuse_to_read()
        for _ in range(3):
            self.writer.write(b"abc")
            self.reactor.settle()
        self.assertEqual((self.broken, self.peer.unsent, self.peer.ending), (1, 0, Ending.OPEN))
        self.peer.send(b"answer")
        self.assertEqual((self.protocol.data, self.protocol.lost), (b"answer", 0))
        self.peer.close()
        self.assertEqual(self.protocol.lost, 1)

    def test_close(self) -> None:
        """A connection that cannot be written to can still be closed."""
        self.peer.refuse_to_read()
        self.writer.write(b"abc")
        self.transport.loseConnection()
        self.reactor.settle()
        self.assertEqual(self.protocol.lost, 1)


class BufferedWriterTests(TransportTestCase):
    """Sending at the end of the turn."""

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
        """What is written in one turn leaves at its end, in one piece, and the reactor is told of nothing."""
        for _ in range(2):
            self.sent.clear()
            self.writer.write(b"ab")
            self.writer.write(b"c")
            self.assertEqual(self.sent, [])
            self.reactor.callLater(0, lambda: self.assertNotIn(self.transport, self.reactor.writers))
            self.reactor.settle()
            self.assertEqual(self.sent, [b"abc"])

    def test_slow(self) -> None:
        """What the socket does not take waits in the transport, and all that comes later waits behind it."""
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
        """A transport learns at once of what it would pause a producer for."""
        self.peer.stall()
        self.writer.write(bytes(MAX_PIECES))
        self.assertEqual(self.peer.unsent, 0)
        self.writer.write(b"x")
        self.assertEqual(self.peer.unsent, MAX_PIECES + 1)

    def test_flush(self) -> None:
        """Whoever closes the transport sends first what was written; then nothing is left for the end of the turn."""
        self.writer.write(b"ab")
        self.writer.flush()
        self.assertEqual(self.sent, [b"ab"])
        self.reactor.settle()
        self.assertEqual(self.sent, [b"ab"])

    def test_drop(self) -> None:
        """What is dropped never leaves."""
        self.writer.write(b"ab")
        self.writer.drop()
        self.reactor.settle()
        self.assertEqual(self.sent, [])

    def test_lost(self) -> None:
        """After the connection nothing is sent."""
        self.writer.write(b"ab")
        self.peer.reset()
        self.assertEqual((self.sent, self.protocol.lost), ([], 1))
        self.writer.write(b"c")
        self.reactor.settle()
        self.assertEqual(self.sent, [])

    def test_error(self) -> None:
        """A write that fails ends the connection, as it does in Twisted."""
        self.peer.refuse_to_read()
        self.writer.write(b"ab")
        self.reactor.settle()
        self.assertEqual(self.protocol.lost, 1)

    def test_without_a_socket(self) -> None:
        """A transport that writes through another one, whose attributes it passes on, gets all that is written."""
        above = ProtocolWrapper(WrappingFactory(Factory()), Recorder())
        above.transport = self.transport
        written: list[bytes] = []
        above.write = written.append  # type: ignore[method-assign]
        writer = BufferedWriter(above, self.scheduler)
        writer.write(b"ab")
        self.reactor.settle()
        self.assertEqual((written, self.sent), ([b"ab"], []))

    def test_unexpected_transport(self) -> None:
        """A transport without the method that is replaced gets all that is written, and keeps its attributes."""
        transport = StringTransport()
        before = dict(vars(transport))
        writer = BufferedWriter(transport, self.scheduler)
        self.assertEqual(vars(transport), before)
        writer.write(b"ab")
        writer.write(b"c")
        self.reactor.settle()
        self.assertEqual((transport.value(), writer.waiting), (b"abc", 0))

    def test_twisted(self) -> None:
        """Twisted's transports send through the method that is replaced, and through it alone, as is expected here."""
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
        """Work that raises something keeps no outlet from being flushed."""

        def raises() -> None:
            raise ZeroDivisionError

        self.scheduler.add(raises)
        self.writer.write(b"ab")
        self.assertRaises(ZeroDivisionError, self.reactor.settle)
        self.reactor.settle()
        self.assertEqual(self.sent, [b"ab"])
