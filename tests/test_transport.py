"""
Tests for :mod:`sttproxy.transport`.
"""

from __future__ import annotations

import errno
import socket

from sttproxy.transport import CHECK_EVERY_S, ReadAhead, ReadPause, disconnected, readable, tune

from .support.fakes import Ending
from .support.stage import TransportTestCase


class TuneTests(TransportTestCase):
    """Socket options."""

    def test_probes(self) -> None:
        """Keepalive probes start after a minute of silence, and a dead peer is detected within two minutes."""
        tune(self.transport)
        options = self.peer.socket.options
        self.assertEqual(options[socket.SOL_SOCKET, socket.SO_KEEPALIVE], 1)
        self.assertEqual(options[socket.IPPROTO_TCP, socket.TCP_NODELAY], 1)
        first = getattr(socket, "TCP_KEEPIDLE", 0x10)
        every, count = (options[socket.IPPROTO_TCP, name] for name in (socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT))
        self.assertEqual(options[socket.IPPROTO_TCP, first], 60)
        self.assertLessEqual(60 + every * count, 120)

    def test_unix(self) -> None:
        """A socket without these options is left unchanged."""

        def refuse(*arguments: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "not supported")

        self.patch(self.peer.socket, "setsockopt", refuse)
        tune(self.transport)


class PollTests(TransportTestCase):
    """Polling the socket for what the reactor has not read."""

    def test_quiet(self) -> None:
        """A quiet connection has no unread bytes, and its peer is connected."""
        self.assertFalse(disconnected(self.transport.getHandle()))
        self.assertFalse(readable(self.transport.getHandle()))

    def test_arrived(self) -> None:
        """Unread bytes alone do not mean a disconnect."""
        self.peer.socket.arriving.append(b"x")
        self.assertFalse(disconnected(self.transport.getHandle()))
        self.assertTrue(readable(self.transport.getHandle()))

    def test_departed(self) -> None:
        """A close or a reset is detected, also after unread bytes."""
        for ending in (b"", ConnectionResetError(errno.ECONNRESET, "reset")):
            for before in ([], [b"x"]):
                self.peer.socket.arriving.clear()
                self.peer.socket.arriving.extend([*before, ending])
                self.assertTrue(disconnected(self.transport.getHandle()))
                self.assertTrue(readable(self.transport.getHandle()))

    def test_tune(self) -> None:
        """Small writes are sent at once, and vanished peers are detected."""
        tune(self.transport)
        self.assertTrue(self.peer.socket.options[socket.IPPROTO_TCP, socket.TCP_NODELAY])
        self.assertTrue(self.peer.socket.options[socket.SOL_SOCKET, socket.SO_KEEPALIVE])


class ReadPauseTests(TransportTestCase):
    """Pausing a peer."""

    def setUp(self) -> None:
        super().setUp()
        self.pause = ReadPause(self.transport, self.reactor)
        self.addCleanup(self.assert_nothing_left)
        self.addCleanup(self.pause.cancel)
        self.addCleanup(self.peer.close)

    def test_ahead(self) -> None:
        """
        With read-ahead, a close after megabytes is detected; all that was read is delivered in order after the
        resume.
        """
        for ending in (b"", ConnectionResetError(errno.ECONNRESET, "reset"), None):
            self.setUp()
            ahead = ReadAhead(each=1 << 20, total=1 << 20)
            self.pause = ReadPause(self.transport, self.reactor, ahead)
            self.pause.set(True)
            # A close behind a full socket buffer cannot be detected.
            self.peer.socket.arriving.extend([b"x" * 65536] * 8 + ([] if ending is None else [ending]))
            self.reactor.pass_time(2 * CHECK_EVERY_S)
            if ending is not None:
                self.assertEqual((self.protocol.lost, ahead.left), (1, 1 << 20))
                continue
            self.assertEqual((self.protocol.data, ahead.left, self.protocol.lost), (b"", (1 << 20) - 8 * 65536, 0))
            self.pause.set(False)
            self.peer.send(b"end")
            self.assertEqual(self.protocol.data, b"x" * 65536 * 8 + b"end")
            self.assertEqual(ahead.left, 1 << 20)
            self.pause.cancel()

    def test_ahead_limits(self) -> None:
        """Read-ahead is limited, for each peer and for all peers together."""
        for each, total in ((200_000, 1 << 20), (1 << 20, 200_000)):
            self.setUp()
            ahead = ReadAhead(each, total)
            self.pause = ReadPause(self.transport, self.reactor, ahead)
            self.pause.set(True)
            self.peer.socket.arriving.extend([b"x" * 65536] * 8)
            self.reactor.pass_time(4 * CHECK_EVERY_S)
            self.assertEqual(len(self.peer.socket.arriving), 5)
            self.pause.cancel()
            self.assertEqual(ahead.left, total)

    def test_ahead_held_again(self) -> None:
        """A protocol that takes a part of the bytes and pauses again, twice, gets the rest later, each byte once."""
        self.pause = ReadPause(self.transport, self.reactor, ReadAhead())
        self.pause.set(True)
        pieces = [bytes([number]) * 1000 for number in range(6)]
        self.peer.socket.arriving.extend(pieces)
        self.reactor.pass_time(CHECK_EVERY_S)
        taken: list[bytes] = []

        def take(data: bytes) -> None:
            taken.append(data)
            self.pause.set(True)
            if len(taken) % 2:
                self.pause.set(False)
                self.pause.set(True)

        self.patch(self.protocol, "dataReceived", take)
        for count in range(1, 7):
            self.pause.set(False)
            # A protocol that resumes the peer first delivers the rest.
            self.assertEqual(taken, pieces[: count - 1])
            self.reactor.settle()
            self.assertEqual(taken, pieces[:count])
        self.pause.set(False)
        self.peer.send(b"end")
        self.assertEqual(taken, [*pieces, b"end"])
        self.pause.cancel()

    def test_held(self) -> None:
        """The bytes of a paused peer stay in the socket until it is resumed; then all of them are delivered."""
        self.pause.set(True)
        self.peer.send(b"a", b"b")
        self.assertEqual(self.protocol.data, b"")
        self.pause.set(False)
        self.peer.send(b"c")
        self.assertEqual(self.protocol.data, b"abc")

    def test_again(self) -> None:
        """Pausing or resuming twice has no effect."""
        self.pause.set(False)
        self.pause.set(True)
        self.pause.set(True)
        self.pause.set(False)
        self.pause.set(False)
        self.peer.send(b"a")
        self.assertEqual(self.protocol.data, b"a")

    def test_leaves(self) -> None:
        """A paused peer that disconnects is noticed within a second, even after unread bytes, and is aborted."""
        self.pause.set(True)
        self.reactor.pass_time(60)
        self.peer.send(b"a")
        self.peer.close()
        self.assertEqual((self.peer.ending, self.protocol.lost), (Ending.OPEN, 0))
        self.reactor.pass_time(CHECK_EVERY_S)
        self.assertLess(CHECK_EVERY_S, 1)
        self.assertEqual((self.peer.ending, self.protocol.lost), (Ending.RESET, 1))

    def test_stays(self) -> None:
        """A paused peer that stays connected is not aborted."""
        self.pause.set(True)
        self.peer.send(b"a")
        self.reactor.pass_time(60)
        self.assertEqual(self.peer.ending, Ending.OPEN)

    def test_let_go(self) -> None:
        """Polling stops when the peer is resumed: its last bytes are read before its close."""
        self.pause.set(True)
        self.peer.send(b"a")
        self.peer.close()
        self.pause.set(False)
        self.reactor.settle()
        self.assertEqual((self.protocol.data, self.peer.ending), (b"a", Ending.CLOSED))
        self.reactor.pass_time(2)

    def test_cancel(self) -> None:
        """Polling stops after the connection is lost."""
        self.pause.set(True)
        self.pause.cancel()
        self.assertEqual(self.reactor.pending(), [])
