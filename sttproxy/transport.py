"""
Transport helpers for both sides: socket options, and half-close detection while reading is paused.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import deque
from typing import Any

from twisted.internet.interfaces import IConsumer, IPushProducer, IReactorTime, ISSLTransport, ITCPTransport

from .deadline import Deadline

#: Seconds between two checks whether a paused peer has disconnected.
CHECK_EVERY_S = 0.5
#: Bytes of one read ahead, and reads of one check: together they take some milliseconds.
_READ_SIZE, _READS = 64 * 1024, 32

#: Socket options.  The first keepalive probe is sent after 60 s of silence and repeated every 15 s, four times; the
#: systems' own default is two hours.  macOS calls TCP_KEEPIDLE TCP_KEEPALIVE, a name that not every Python has.
_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", 0x10)), 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)

#: Linux reports a peer that has closed, while bytes of it are still unread, as POLLRDHUP; other systems as POLLHUP.
_CLOSED = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class IStreamTransport(ITCPTransport, IConsumer, IPushProducer):
    """
    A TCP transport of a Twisted reactor: a consumer for writing, a push producer for reading.
    """

    def fileno() -> int:
        """The socket's descriptor; -1 once it is closed."""


def tune(transport: Any) -> None:
    """
    Send small writes at once, and detect within two minutes a peer that vanished without closing.

    :param transport: an `IStreamTransport`; for TLS, the outer one, which has the inner one's attributes.
    """
    # A Unix socket supports few of these, and macOS rejects them on a connection that was reset.  The transport's own
    # methods would log an error then.
    with contextlib.suppress(OSError):
        for level, option, value in _OPTIONS:
            transport.socket.setsockopt(level, option, value)


def end_writing(transport: Any) -> None:
    """
    Close the near side's half of a connection, after what was written; the peer's bytes still arrive.

    TLS ends its half with an alert, close_notify, and then waits for the peer's (RFC 8446 §6.1).  A half-closed socket
    below it would lose what TLS has not written yet.
    """
    if ISSLTransport.providedBy(transport):
        transport.loseConnection()
    else:
        transport.loseWriteConnection()


def close(transport: Any) -> None:
    """
    Close a connection when what was written is sent.

    Twisted's TLS sends close_notify and then keeps the socket until the peer closes, however long that takes.
    """
    transport.loseConnection()
    if ISSLTransport.providedBy(transport):
        bottom(transport).loseConnection()


def disconnected(transport: Any) -> bool:
    """
    Whether a transport's peer has closed the connection.

    For paused transports: a reactor detects a close by reading.
    """
    return _polled(transport, _CLOSED)


def readable(transport: Any) -> bool:
    """
    Whether bytes, or the peer's close, have arrived that the reactor has not read yet.

    :param transport: a transport, or a listening port; for a port: whether a client waits to be accepted.
    """
    return _polled(transport, select.POLLIN | _CLOSED)


def _polled(transport: Any, events: int) -> bool:
    # A TLS transport has its socket's descriptor, but its handle is not a socket.
    descriptor = transport.fileno()
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, events)
    return bool(poll.poll(0))


class ReadAhead:
    """
    How many bytes may be read ahead from paused peers.

    A peer's close comes after all bytes that it has sent, which may be megabytes.
    """

    def __init__(self, each: int = 8 << 20, total: int = 64 << 20) -> None:
        """
        :param each: most bytes of one peer; about what systems buffer for a connection at both ends.
        :param total: most bytes of all peers.
        """
        self.each = each
        self.left = total


class ReadPause:
    """
    Pauses reading from a peer.  Aborts the connection if the peer disconnects meanwhile.
    """

    def __init__(self, transport: Any, clock: IReactorTime, ahead: ReadAhead | None = None) -> None:
        """
        :param transport: an `IStreamTransport`.
        :param ahead: how much may be read meanwhile, to find a close after it; None: nothing.
        """
        self._transport = transport
        self._check = Deadline(clock, self._check_peer)
        self._paused = False
        self._ahead = ahead
        #: Read and not delivered.
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._delivery = Deadline(clock, self._deliver)

    def set(self, paused: bool) -> None:
        """Pause or resume reading."""
        if paused == self._paused:
            return
        self._paused = paused
        if paused:
            self._transport.pauseProducing()
            self._check.set(CHECK_EVERY_S)
            return
        self._check.clear()
        if self._pieces:
            # In a later iteration, so that dataReceived is not called re-entrantly.
            self._delivery.set(0)
        else:
            self._transport.resumeProducing()

    def cancel(self) -> None:
        """The connection is lost."""
        self._check.cancel()
        self._delivery.cancel()
        self._drop()

    def _check_peer(self) -> None:
        if disconnected(self._transport) or (self._ahead is not None and self._read_ahead(self._ahead)):
            self._drop()
            self._transport.abortConnection()
        else:
            self._check.set(CHECK_EVERY_S)

    def _read_ahead(self, ahead: ReadAhead) -> bool:
        """Read what has arrived; return whether the peer's close comes after it."""
        lowest = bottom(self._transport)
        for _ in range(_READS):
            if lowest is None or not readable(lowest) or min(ahead.left, ahead.each - self._size) < _READ_SIZE:
                return False
            try:
                data = lowest.socket.recv(_READ_SIZE)
            except BlockingIOError:
                return False
            except OSError:
                return True
            if not data:
                return True
            self._pieces.append(data)
            self._account(len(data))
        return False

    def _deliver(self) -> None:
        """Deliver what was read ahead, one read at a time, until reading is paused again."""
        if self._paused or not self._pieces:
            return
        data = self._pieces.popleft()
        self._account(-len(data))
        # With TLS, the inner transport's protocol takes bytes as they are on the wire.
        bottom(self._transport).protocol.dataReceived(data)
        if self._paused:
            return
        if self._pieces:
            self._delivery.set(0)
        else:
            self._transport.resumeProducing()

    def _account(self, size: int) -> None:
        self._size += size
        if self._ahead is not None:
            self._ahead.left -= size

    def _drop(self) -> None:
        self._account(-self._size)
        self._pieces.clear()


def bottom(transport: Any) -> Any:
    """The innermost transport, which has the socket; None if no transport has one."""
    while transport is not None and not hasattr(type(transport), "doRead"):
        transport = getattr(transport, "transport", None)
    return transport
