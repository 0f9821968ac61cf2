"""
A reactor, sockets and a server that exist in memory only.

The transports on them are Twisted's own: what they buffer, when they pause a producer and how they close is as it is in
the daemon.  Nothing happens by itself: a test lets its peers act, and all that follows has happened when they are done.
"""

from __future__ import annotations

import enum
import errno
import functools
import os
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


class Ending(enum.Enum):
    """What a peer has seen of the other side's end of the connection."""

    OPEN = enum.auto()
    HALF = enum.auto()  #: it will send no more, but still listens
    CLOSED = enum.auto()
    RESET = enum.auto()  #: what was sent and not yet read may be lost


@functools.cache
def _handle(arrived: bool, gone: bool) -> int:
    """A file descriptor that polls as a socket does on which bytes wait, or whose peer has closed."""
    reading, writing = os.pipe()
    if arrived:
        os.write(writing, b"x")
    if gone:
        os.close(writing)
    return reading


class FakeSocket:
    """
    A connected socket as its process sees it.

    :ivar arriving: what has arrived and was not read yet; ``b""`` is the peer's close, an OSError its reset.
    :ivar sent: all bytes that were sent.
    :ivar room: how many bytes the peer and the network still take; None: any number.
    :ivar write_error: what sending fails with from now on.
    :ivar ending: how it has been closed.
    :ivar options: what was set on it.
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
        # A kernel resets a connection that is closed over bytes nobody has read.
        over_unread = any(isinstance(segment, bytes) and segment for segment in self.arriving)
        reset = over_unread or (socket.SOL_SOCKET, socket.SO_LINGER) in self.options
        self.ending = Ending.RESET if reset else Ending.CLOSED

    def getsockname(self) -> tuple[str, int]:
        return "192.0.2.1", 10241


class FakeThreadPool:
    """Calls at once."""

    def callInThreadWithCallback(self, told: Any, call: Any, *arguments: Any) -> None:
        """Tell whether a call succeeded, and what came of it."""
        try:
            result = call(*arguments)
        except BaseException:
            told(False, Failure())
        else:
            told(True, result)


class FakeReactor(MemoryReactorClock):
    """A clock, and the transports that want to read or to write."""

    def settle(self) -> None:
        """Let happen whatever is due, until nothing is."""
        for _ in range(1_000_000):
            MemoryReactorClock.advance(self, 0)
            if not self._read_and_write():
                return
        raise AssertionError("it never comes to rest")

    def advance(self, amount: float) -> None:
        """Let so many seconds pass at once, and settle."""
        MemoryReactorClock.advance(self, amount)
        self.settle()

    def pass_time(self, amount: float, step: float = 0.1) -> None:
        """Let so many seconds pass as they do: step by step."""
        for _ in range(round(amount / step)):
            self.advance(step)

    def callFromThread(self, call: Any, *args: Any) -> None:
        """Do it in the reactor's own time."""
        self.callLater(0, call, *args)

    def getThreadPool(self) -> FakeThreadPool:
        """Threads that need no time."""
        return FakeThreadPool()

    def pending(self) -> list[Any]:
        """Delayed calls that are left."""
        return list(self.getDelayedCalls())

    def _read_and_write(self) -> bool:
        moved = False
        # Who begins to want something while others have their turn waits for the next one, as in any reactor.
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
        """What a reactor does after a read or a write."""
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
    The other side of a connection whose near end is a protocol under test.

    :ivar transport: the protocol's.
    :ivar left: whether it has closed or reset the connection itself.
    """

    def __init__(
        self,
        reactor: FakeReactor,
        protocol: Any,
        address: tuple[str, int] = ("192.0.2.7", 50000),
        socket: FakeSocket | None = None,
    ) -> None:
        """
        :param socket: the near end's; one to which something has happened before the protocol got it.
        """
        self._reactor = reactor
        self.socket = socket or FakeSocket()
        self.protocol = protocol
        self.transport = Server(self.socket, protocol, address, None, 0, reactor)  # type: ignore[arg-type]
        self.transport.repstr = f"<the transport of {protocol!r}>"
        self._seen = 0
        self.left = False
        protocol.makeConnection(self.transport)

    # What it does.

    def send(self, *segments: bytes) -> None:
        """Send bytes; each segment arrives by itself."""
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
        """Break the connection."""
        self.left = True
        error = ConnectionResetError(errno.ECONNRESET, "reset by peer")
        self.socket.arriving.append(error)
        self.socket.write_error = error
        self._reactor.settle()

    def refuse_to_read(self) -> None:
        """Have everything fail that the near end writes, as after a close of ours; what we sent can still be read."""
        self.socket.write_error = BrokenPipeError(errno.EPIPE, "broken pipe")

    def stall(self) -> None:
        """Read no more."""
        self.socket.room = 0

    def read(self, size: int | None = None) -> None:
        """Read so many bytes that wait, or go on reading whatever comes."""
        self.socket.room = None if size is None else (self.socket.room or 0) + size
        self._reactor.settle()

    # What it sees.

    @property
    def received(self) -> bytes:
        """All that came."""
        return bytes(self.socket.sent)

    def news(self) -> bytes:
        """What came since this was asked last."""
        seen, self._seen = self._seen, len(self.socket.sent)
        return bytes(self.socket.sent[seen:])

    @property
    def ending(self) -> Ending:
        """How the near end has ended the connection."""
        return self.socket.ending

    # What nobody sees.

    @property
    def heard(self) -> bool:
        """Whether the near end reads at this moment."""
        return self.transport in self._reactor.readers

    @property
    def unsent(self) -> int:
        """Bytes that wait in the near end's memory because we do not read."""
        return _unsent(self.transport)


class FakeUpstream:
    """
    A server, and what connects to it.

    :ivar at_once: whether it takes connections as soon as they are asked for.
    :ivar attempts: connections asked for and not yet made.
    :ivar peers: connections made, in their order.
    """

    def __init__(self, reactor: FakeReactor) -> None:
        self._reactor = reactor
        self.at_once = True
        self.attempts: list[tuple[Deferred[Protocol], IProtocolFactory]] = []
        self.peers: list[Peer] = []

    def connect(self, factory: IProtocolFactory) -> Deferred[Protocol]:
        """What a `Dialer` offers."""
        factory.doStart()
        connecting: Deferred[Protocol] = Deferred(self._cancelled)
        self.attempts.append((connecting, factory))
        if self.at_once:
            self._accept()
        return connecting

    def _cancelled(self, connecting: Deferred[Protocol]) -> None:
        self.attempts = [attempt for attempt in self.attempts if attempt[0] is not connecting]

    def accept(self) -> Peer:
        """Take the connection that was asked for first."""
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
        """Fail the connection that was asked for first."""
        self.attempts.pop(0)[0].errback(error)
        self._reactor.settle()
