"""
Transport helpers for both sides: socket options, and half-close detection while reading is paused.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import deque
from typing import Any

from twisted.internet.interfaces import IConsumer, IPushProducer, IReactorTime, ITCPTransport

from .deadline import Deadline

#: Seconds between two looks at whether a peer that is held back has left.
LOOK_EVERY_S = 0.5
#: Bytes of one read ahead, and how many there are at one look: some milliseconds' worth.
_READ_SIZE, _READS = 64 * 1024, 32

#: What is set on sockets.  A silent peer is asked after a minute whether it is there, then every 15 s, four times;
#: systems wait two hours by themselves.  macOS has a name of its own for the first, which not every Python knows.
_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", 0x10)), 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)

#: Linux tells of a peer that has closed while bytes of it are still unread by an event of its own; elsewhere POLLHUP
#: says it.
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class IStreamTransport(ITCPTransport, IConsumer, IPushProducer):
    """
    A TCP transport as Twisted's reactors make it: it can be written to at its own pace and told not to read.
    """

    def fileno() -> int:
        """The socket's descriptor; -1 once it is closed."""


def tune(transport: Any) -> None:
    """
    Send small writes at once, and find out within two minutes about a peer that vanished without a word.

    :param transport: an `IStreamTransport`; one for TLS passes the attributes of the one below it on.
    """
    # A Unix socket knows few of these; macOS refuses them on a connection that the peer has reset already.  The
    # transport's own methods would log that.
    with contextlib.suppress(OSError):
        for level, option, value in _OPTIONS:
            transport.socket.setsockopt(level, option, value)


def disconnected(transport: Any) -> bool:
    """
    Whether a transport's peer has closed, although nothing is read from it at the moment.

    A reactor learns of a close by reading, so it does not notice one while reading is paused.
    """
    return _polled(transport, _GONE)


def readable(transport: Any) -> bool:
    """
    Whether something has arrived that the reactor has not read yet, be it the peer's close.

    :param transport: or a listening port, where what has arrived is a client.
    """
    return _polled(transport, select.POLLIN | _GONE)


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
    What may be read of peers that are held back, all together.

    A peer that closes is seen to have closed only behind all that its system still had to send, and that may be
    megabytes.
    """

    def __init__(self, each: int = 8 << 20, total: int = 64 << 20) -> None:
        """
        :param each: bytes of one peer, at most; about what systems keep for a connection at both ends.
        :param total: of all.
        """
        self.each = each
        self.left = total


class Hold:
    """
    Holds a peer back, and notices when it leaves meanwhile: then the connection is broken off.
    """

    def __init__(self, transport: Any, clock: IReactorTime, ahead: ReadAhead | None = None) -> None:
        """
        :param transport: an `IStreamTransport`.
        :param ahead: what may be read meanwhile, to find a close behind it; None: nothing.
        """
        self._transport = transport
        self._look = Deadline(clock, self._look_for_peer)
        self._held = False
        self._ahead = ahead
        #: Read and not delivered.
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._delivery = Deadline(clock, self._deliver)

    def set(self, held: bool) -> None:
        """Hold it back, or let it go on."""
        if held == self._held:
            return
        self._held = held
        if held:
            self._transport.pauseProducing()
            self._look.set(LOOK_EVERY_S)
            return
        self._look.clear()
        if self._pieces:
            # Like bytes from the socket they come when whoever lets them has done the rest.
            self._delivery.set(0)
        else:
            self._transport.resumeProducing()

    def cancel(self) -> None:
        """The connection is gone."""
        self._look.cancel()
        self._delivery.cancel()
        self._forget()

    def _look_for_peer(self) -> None:
        if disconnected(self._transport) or (self._ahead is not None and self._read_ahead(self._ahead)):
            self._forget()
            self._transport.abortConnection()
        else:
            self._look.set(LOOK_EVERY_S)

    def _read_ahead(self, ahead: ReadAhead) -> bool:
        """Read what is there; return whether the peer's close is behind it."""
        bottom = _bottom(self._transport)
        for _ in range(_READS):
            if bottom is None or not readable(bottom) or min(ahead.left, ahead.each - self._size) < _READ_SIZE:
                return False
            try:
                data = bottom.socket.recv(_READ_SIZE)
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
        """Give the protocol what was read, one read at a time, as long as it wants it."""
        if self._held or not self._pieces:
            return
        data = self._pieces.popleft()
        self._account(-len(data))
        # With TLS the protocol below the wrapper is the one that takes bytes as they are on the wire.
        _bottom(self._transport).protocol.dataReceived(data)
        if self._held:
            return
        if self._pieces:
            self._delivery.set(0)
        else:
            self._transport.resumeProducing()

    def _account(self, size: int) -> None:
        self._size += size
        if self._ahead is not None:
            self._ahead.left -= size

    def _forget(self) -> None:
        self._account(-self._size)
        self._pieces.clear()


def _bottom(transport: Any) -> Any:
    """The transport with the socket below those that write through another one; None where there is none."""
    while transport is not None and not hasattr(type(transport), "doRead"):
        transport = getattr(transport, "transport", None)
    return transport
