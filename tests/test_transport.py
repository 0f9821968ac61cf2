"""
Tests for :mod:`sttproxy.transport`.
"""

from __future__ import annotations

import errno
import socket

from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from sttproxy.transport import (
    LOOK_EVERY_S,
    MAX_PIECES,
    BufferedWriter,
    FlushScheduler,
    Hold,
    ReadAhead,
    disconnected,
    readable,
    tune,
)

from .support.fakes import Ending, Peer
from .support.stage import MemoryTestCase


class Recorder(Protocol):
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = 0

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: object = None) -> None:
        self.lost += 1


class TransportTestCase(MemoryTestCase):
    """Tests of a transport and its peer."""

    def setUp(self) -> None:
        super().setUp()
        self.protocol = Recorder()
        self.peer = Peer(self.reactor, self.protocol)
        self.transport = self.peer.transport


class TuneTests(TransportTestCase):
    """What is set on sockets."""

    def test_probes(self) -> None:
        """A silent peer is asked after a minute whether it is there, and is given up within two."""
        tune(self.transport)
        options = self.peer.socket.options
        self.assertEqual(options[socket.SOL_SOCKET, socket.SO_KEEPALIVE], 1)
        self.assertEqual(options[socket.IPPROTO_TCP, socket.TCP_NODELAY], 1)
        first = getattr(socket, "TCP_KEEPIDLE", 0x10)
        every, count = (options[socket.IPPROTO_TCP, name] for name in (socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT))
        self.assertEqual(options[socket.IPPROTO_TCP, first], 60)
        self.assertLessEqual(60 + every * count, 120)

    def test_unix(self) -> None:
        """A socket that knows none of it is left alone."""

        def refuse(*arguments: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "not supported")

        self.patch(self.peer.socket, "setsockopt", refuse)
        tune(self.transport)


class PollTests(TransportTestCase):
    """Asking the socket what the reactor has not read."""

    def test_quiet(self) -> None:
        """On a quiet connection nothing has arrived and nobody has left."""
        self.assertFalse(disconnected(self.transport.getHandle()))
        self.assertFalse(readable(self.transport.getHandle()))

    def test_arrived(self) -> None:
        """Bytes are no departure."""
        self.peer.socket.arriving.append(b"x")
        self.assertFalse(disconnected(self.transport.getHandle()))
        self.assertTrue(readable(self.transport.getHandle()))

    def test_departed(self) -> None:
        """A close or a reset is one, also behind bytes that nobody has read."""
        for ending in (b"", ConnectionResetError(errno.ECONNRESET, "reset")):
            for before in ([], [b"x"]):
                self.peer.socket.arriving.clear()
                self.peer.socket.arriving.extend([*before, ending])
                self.assertTrue(disconnected(self.transport.getHandle()))
                self.assertTrue(readable(self.transport.getHandle()))

    def test_tune(self) -> None:
        """Small writes leave at once, and vanished peers are found out."""
        tune(self.transport)
        self.assertTrue(self.peer.socket.options[socket.IPPROTO_TCP, socket.TCP_NODELAY])
        self.assertTrue(self.peer.socket.options[socket.SOL_SOCKET, socket.SO_KEEPALIVE])


class HoldTests(TransportTestCase):
    """Holding a peer back."""

    def setUp(self) -> None:
        super().setUp()
        self.hold = Hold(self.transport, self.reactor)
        self.addCleanup(self.assert_nothing_left)
        self.addCleanup(self.hold.cancel)
        self.addCleanup(self.peer.close)

    def test_ahead(self) -> None:
        """With leave to read ahead a close behind megabytes is found; what was read is delivered in order otherwise."""
        for ending in (b"", ConnectionResetError(errno.ECONNRESET, "reset"), None):
            self.setUp()
            ahead = ReadAhead(each=1 << 20, total=1 << 20)
            self.hold = Hold(self.transport, self.reactor, ahead)
            self.hold.set(True)
            # What waits behind a full socket is seen by nobody.
            self.peer.socket.arriving.extend([b"x" * 65536] * 8 + ([] if ending is None else [ending]))
            self.reactor.pass_time(2 * LOOK_EVERY_S)
            if ending is not None:
                self.assertEqual((self.protocol.lost, ahead.left), (1, 1 << 20))
                continue
            self.assertEqual((self.protocol.data, ahead.left, self.protocol.lost), (b"", (1 << 20) - 8 * 65536, 0))
            self.hold.set(False)
            self.peer.send(b"end")
            self.assertEqual(self.protocol.data, b"x" * 65536 * 8 + b"end")
            self.assertEqual(ahead.left, 1 << 20)
            self.hold.cancel()

    def test_ahead_limits(self) -> None:
        """No more is read than one peer may have, nor than all may."""
        for each, total in ((200_000, 1 << 20), (1 << 20, 200_000)):
            self.setUp()
            ahead = ReadAhead(each, total)
            self.hold = Hold(self.transport, self.reactor, ahead)
            self.hold.set(True)
            self.peer.socket.arriving.extend([b"x" * 65536] * 8)
            self.reactor.pass_time(4 * LOOK_EVERY_S)
            self.assertEqual(len(self.peer.socket.arriving), 5)
            self.hold.cancel()
            self.assertEqual(ahead.left, total)

    def test_ahead_held_again(self) -> None:
        """A protocol that takes a part of it, and a part of that again, gets the rest later, each byte once."""
        self.hold = Hold(self.transport, self.reactor, ReadAhead())
        self.hold.set(True)
        pieces = [bytes([number]) * 1000 for number in range(6)]
        self.peer.socket.arriving.extend(pieces)
        self.reactor.pass_time(LOOK_EVERY_S)
        taken: list[bytes] = []

        def take(data: bytes) -> None:
            taken.append(data)
            self.hold.set(True)
            if len(taken) % 2:
                self.hold.set(False)
                self.hold.set(True)

        self.patch(self.protocol, "dataReceived", take)
        for count in range(1, 7):
            self.hold.set(False)
            # Whoever lets it go on does the rest first.
            self.assertEqual(taken, pieces[: count - 1])
            self.reactor.settle()
            self.assertEqual(taken, pieces[:count])
        self.hold.set(False)
        self.peer.send(b"end")
        self.assertEqual(taken, [*pieces, b"end"])
        self.hold.cancel()

    def test_held(self) -> None:
        """What a peer sends stays in its socket until it may go on; then all of it comes."""
        self.hold.set(True)
        self.peer.send(b"a", b"b")
        self.assertEqual(self.protocol.data, b"")
        self.hold.set(False)
        self.peer.send(b"c")
        self.assertEqual(self.protocol.data, b"abc")

    def test_again(self) -> None:
        """Saying the same twice means nothing."""
        self.hold.set(False)
        self.hold.set(True)
        self.hold.set(True)
        self.hold.set(False)
        self.hold.set(False)
        self.peer.send(b"a")
        self.assertEqual(self.protocol.data, b"a")

    def test_leaves(self) -> None:
        """A peer that leaves meanwhile is noticed within a second, although it had sent more, and broken off."""
        self.hold.set(True)
        self.reactor.pass_time(60)
        self.peer.send(b"a")
        self.peer.close()
        self.assertEqual((self.peer.ending, self.protocol.lost), (Ending.OPEN, 0))
        self.reactor.pass_time(LOOK_EVERY_S)
        self.assertLess(LOOK_EVERY_S, 1)
        self.assertEqual((self.peer.ending, self.protocol.lost), (Ending.RESET, 1))

    def test_stays(self) -> None:
        """One that stays is not."""
        self.hold.set(True)
        self.peer.send(b"a")
        self.reactor.pass_time(60)
        self.assertEqual(self.peer.ending, Ending.OPEN)

    def test_let_go(self) -> None:
        """Nobody looks any more when it is let go: what it sent last is read before its close."""
        self.hold.set(True)
        self.peer.send(b"a")
        self.peer.close()
        self.hold.set(False)
        self.reactor.settle()
        self.assertEqual((self.protocol.data, self.peer.ending), (b"a", Ending.CLOSED))
        self.reactor.pass_time(2)

    def test_cancel(self) -> None:
        """Nor when the connection is gone."""
        self.hold.set(True)
        self.hold.cancel()
        self.assertEqual(self.reactor.pending(), [])


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
        outlet = BufferedWriter(above, self.scheduler)
        outlet.write(b"ab")
        self.reactor.settle()
        self.assertEqual((written, self.sent), ([b"ab"], []))

    def test_one_of_many(self) -> None:
        """Work that raises something keeps no outlet from being flushed."""

        def raises() -> None:
            raise ZeroDivisionError

        self.scheduler.add(raises)
        self.writer.write(b"ab")
        self.assertRaises(ZeroDivisionError, self.reactor.settle)
        self.reactor.settle()
        self.assertEqual(self.sent, [b"ab"])
