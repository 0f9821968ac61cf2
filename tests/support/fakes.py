"""
A reactor, sockets and a server that exist in memory only.

The transports on them are Twisted's own: buffering, pausing of producers and closing work as in the daemon.  Nothing
happens in the background: when a peer's action returns, all its consequences have happened.
"""

from __future__ import annotations

import enum
import errno
import functools
import os
import re
import socket
from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Server
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

_MADE_ID = re.compile(rb"X-Request-ID: [0-9a-f]{16}\r\n")


def without_made_ids(data: bytes | bytearray) -> bytes:
    """Remove the identifiers of requests that the proxy has made, which are random, from heads of HTTP/1."""
    return _MADE_ID.sub(b"", data)


class Ending(enum.Enum):
    """How the other side ended the connection, as seen by a peer."""

    OPEN = enum.auto()
    HALF = enum.auto()  #: it sends no more, but still reads
    CLOSED = enum.auto()
    RESET = enum.auto()  #: sent bytes that were not yet read may be lost


@functools.cache
def _handle(arrived: bool, gone: bool) -> int:
    """A file descriptor that polls like a socket with unread bytes, or with a peer that has closed."""
    reading, writing = os.pipe()
    if arrived:
        os.write(writing, b"x")
    if gone:
        os.close(writing)
    return reading


class FakeSocket:
    """
    A connected socket, from the side of its process.

    :ivar arriving: unread segments; ``b""`` is the peer's close, an OSError its reset.
    :ivar sent: all bytes that were sent.
    :ivar room: how many bytes the peer and the network still accept; None: any number.
    :ivar write_error: the error of all later writes.
    :ivar ending: how it was closed.
    :ivar options: the socket options that were set.
    """

    def __init__(self) -> None:
        self.arriving: deque[bytes | OSError] = deque()
        self.sent = bytearray()
        self.room: int | None = None
        self.write_error: OSError | None = None
        self.ending = Ending.OPEN
        self.options: dict[tuple[int, int], Any] = {}

    def setblocking(self, flag: bool) -> None:
        assert not flag

    def fileno(self) -> int:
        gone = any(not isinstance(segment, bytes) or not segment for segment in self.arriving)
        return _handle(bool(self.arriving), gone)

    def recv(self, size: int) -> bytes:
        if not self.arriving:
            raise BlockingIOError(errno.EWOULDBLOCK, "nothing to read")
        segment = self.arriving.popleft()
        if isinstance(segment, OSError):
            raise segment
        if len(segment) > size:
            self.arriving.appendleft(segment[size:])
        return segment[:size]

    def send(self, data: memoryview) -> int:
        if self.write_error is not None:
            raise self.write_error
        size = len(data) if self.room is None else min(len(data), self.room)
        if data and not size:
            raise BlockingIOError(errno.EWOULDBLOCK, "no room")
        if self.room is not None:
            self.room -= size
        self.sent += data[:size]
        return size

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        self.options[level, option] = value

    def shutdown(self, how: int) -> None:
        if how == socket.SHUT_WR:
            self.ending = Ending.HALF

    def close(self) -> None:
        # A kernel resets a connection that is closed with unread bytes.
        over_unread = any(isinstance(segment, bytes) and segment for segment in self.arriving)
        reset = over_unread or (socket.SOL_SOCKET, socket.SO_LINGER) in self.options
        self.ending = Ending.RESET if reset else Ending.CLOSED

    def getsockname(self) -> tuple[str, int]:
        return "192.0.2.1", 10241


class FakeThreadPool:
    """A thread pool that calls at once."""

    def callInThreadWithCallback(self, report: Any, call: Any, *arguments: Any) -> None:
        """Report whether a call succeeded, and its result."""
        try:
            result = call(*arguments)
        except BaseException:
            report(False, Failure())
        else:
            report(True, result)


class FakeReactor(MemoryReactorClock):
    """A clock, and the transports that are registered for reading or writing."""

    def settle(self) -> None:
        """Run everything that is due, until nothing is left."""
        for _ in range(1_000_000):
            MemoryReactorClock.advance(self, 0)
            if not self._read_and_write():
                return
        raise AssertionError("it never comes to rest")

    def advance(self, amount: float) -> None:
        """Advance the clock at once, and settle."""
        MemoryReactorClock.advance(self, amount)
        self.settle()

    def pass_time(self, amount: float, step: float = 0.1) -> None:
        """Advance the clock step by step."""
        for _ in range(round(amount / step)):
            self.advance(step)

    def callFromThread(self, call: Any, *args: Any) -> None:
        """Call the function in a reactor iteration."""
        self.callLater(0, call, *args)

    def getThreadPool(self) -> FakeThreadPool:
        """Return a thread pool whose calls take no time."""
        return FakeThreadPool()

    def pending(self) -> list[Any]:
        """Delayed calls that are still active."""
        return list(self.getDelayedCalls())

    def _read_and_write(self) -> bool:
        moved = False
        # A transport that registers during this iteration waits for the next one, as in any reactor.
        readers, writers = sorted(self.readers, key=id), sorted(self.writers, key=id)
        for transport in readers:
            if transport in self.readers and transport.socket.arriving:
                moved = True
                self._did(transport, transport.doRead())
        for transport in writers:
            if transport in self.writers and (transport.socket.room != 0 or not _unsent(transport)):
                moved = True
                self._did(transport, transport.doWrite())
        return moved or not self.writers <= set(writers)

    def _did(self, transport: Server, why: Exception | None) -> None:
        """Do what a reactor does after a read or a write."""
        if why is None:
            return
        self.removeReader(transport)
        if isinstance(why, ConnectionDone):
            transport.readConnectionLost(Failure(why))
        else:
            self.removeWriter(transport)
            transport.connectionLost(Failure(why))


def _unsent(transport: Server) -> int:
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


class Peer:
    """
    The far side of a connection whose near side is a protocol under test.

    :ivar transport: the protocol's transport.
    :ivar left: whether this peer has closed or reset the connection.
    """

    def __init__(
        self,
        reactor: FakeReactor,
        protocol: Any,
        address: tuple[str, int] = ("192.0.2.7", 50000),
        socket: FakeSocket | None = None,
    ) -> None:
        """
        :param socket: the near side's socket; for one with events before the protocol is connected.
        """
        self._reactor = reactor
        self.socket = socket or FakeSocket()
        self.protocol = protocol
        self.transport = Server(self.socket, protocol, address, None, 0, reactor)  # type: ignore[arg-type]
        self.transport.repstr = f"<the transport of {protocol!r}>"
        self._seen = 0
        self.left = False
        protocol.makeConnection(self.transport)

    # Actions.

    def send(self, *segments: bytes) -> None:
        """Send bytes; each segment arrives separately."""
        for segment in segments:
            if self.ending in (Ending.CLOSED, Ending.RESET):
                self.socket.ending = Ending.RESET
            elif segment:
                self.socket.arriving.append(segment)
                self._reactor.settle()

    def close(self) -> None:
        """Close, once."""
        if self.left:
            return
        self.left = True
        self.socket.arriving.append(b"")
        self._reactor.settle()

    def reset(self) -> None:
        """Reset the connection."""
        self.left = True
        error = ConnectionResetError(errno.ECONNRESET, "reset by peer")
        self.socket.arriving.append(error)
        self.socket.write_error = error
        self._reactor.settle()

    def refuse_to_read(self) -> None:
        """Let all writes of the near side fail, as after a close by us; our bytes can still be read."""
        self.socket.write_error = BrokenPipeError(errno.EPIPE, "broken pipe")

    def stall(self) -> None:
        """Stop reading."""
        self.socket.room = 0

    def read(self, size: int | None = None) -> None:
        """Read this many waiting bytes, or resume reading."""
        self.socket.room = None if size is None else (self.socket.room or 0) + size
        self._reactor.settle()

    # Observations of the peer.

    @property
    def received_all(self) -> bytes:
        """All bytes received."""
        return bytes(self.socket.sent)

    @property
    def received(self) -> bytes:
        """All bytes received, without the identifiers that the proxy has made: they are random."""
        return without_made_ids(self.socket.sent)

    def news(self) -> bytes:
        """Return the bytes received since the last call, without identifiers like `received`."""
        seen, self._seen = self._seen, len(self.socket.sent)
        return without_made_ids(self.socket.sent[seen:])

    @property
    def ending(self) -> Ending:
        """How the near side has ended the connection."""
        return self.socket.ending

    # State that a real peer cannot see.

    @property
    def heard(self) -> bool:
        """Whether the near side reads at this moment."""
        return self.transport in self._reactor.readers

    @property
    def unsent(self) -> int:
        """Return the number of bytes that wait in the near side's memory because this peer does not read."""
        return _unsent(self.transport)


class FakeUpstream:
    """
    A server, and its connections.

    :ivar at_once: whether it accepts connections immediately.
    :ivar attempts: pending connection attempts.
    :ivar peers: accepted connections, in order.
    """

    def __init__(self, reactor: FakeReactor) -> None:
        self._reactor = reactor
        self.at_once = True
        self.attempts: list[tuple[Deferred[Protocol], IProtocolFactory]] = []
        self.peers: list[Peer] = []

    def connect(self, factory: IProtocolFactory) -> Deferred[Protocol]:
        """Connect, as a `Dialer` does."""
        factory.doStart()
        connecting: Deferred[Protocol] = Deferred(self._cancelled)
        self.attempts.append((connecting, factory))
        if self.at_once:
            self._accept()
        return connecting

    def _cancelled(self, connecting: Deferred[Protocol]) -> None:
        self.attempts = [attempt for attempt in self.attempts if attempt[0] is not connecting]

    def accept(self) -> Peer:
        """Accept the oldest pending attempt."""
        peer = self._accept()
        self._reactor.settle()
        return peer

    def _accept(self) -> Peer:
        connecting, factory = self.attempts.pop(0)
        protocol = factory.buildProtocol(None)  # type: ignore[arg-type]
        peer = Peer(self._reactor, protocol)
        self.peers.append(peer)
        connecting.callback(protocol)  # type: ignore[arg-type]
        return peer

    def refuse(self, error: Exception) -> None:
        """Fail the oldest pending attempt."""
        self.attempts.pop(0)[0].errback(error)
        self._reactor.settle()
