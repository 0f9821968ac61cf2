"""
What both sides ask of a transport, and what Twisted's do not tell by themselves.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IConsumer, IPushProducer, IReactorTime, ITCPTransport

from .deadline import Deadline

#: Seconds between two looks at whether a peer that is held back has left.
LOOK_EVERY_S = 0.5
#: Bytes of one read ahead, and how many there are at one look: some milliseconds' worth.
_READ_SIZE, _READS = 64 * 1024, 32
#: Most bytes that wait for the end of the reactor iteration.  The transport must see more than that at once, or its
#: backpressure comes late.
MAX_PIECES = 64 * 1024

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


class FlushScheduler:
    """
    Runs work at the end of the current reactor iteration: sends what was written in it, and then logs.

    Twisted's transports have the reactor tell them that a socket takes bytes, and a small message pays for that with
    two changes to what the reactor waits for and one more event: a tenth of all that relaying it costs.  Sockets nearly
    always take what there is, so they are simply tried.  They are tried at the end of the iteration, since the
    pieces of a message are one packet then, and a busy reactor wakes the other side once for many messages.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._work: deque[Callable[[], None]] = deque()

    def add(self, work: Callable[[], None]) -> None:
        """Run work at the end of the iteration, after what was added before."""
        if not self._work:
            self._clock.callLater(0, self.end)
        self._work.append(work)

    def end(self) -> None:
        """Run it now; called by the reactor, and when the reactor stops."""
        waiting, self._work = self._work, deque()
        try:
            while waiting:
                waiting.popleft()()
        finally:
            for work in waiting:  # what came before raised something
                self.add(work)


class BufferedWriter:
    """
    Writes a connection's bytes to its socket at the end of the reactor iteration.  Bytes that the socket does not take
    go to the transport, with its buffer and its backpressure.
    """

    def __init__(self, transport: Any, scheduler: FlushScheduler, broken: Callable[[], None] | None = None) -> None:
        """
        :param broken: called once, when nothing can be written any more; what was to be written is dropped, and reading
            goes on.  A server that refuses an upload answers and closes; the bytes still being sent then fail, and
            Twisted would end the connection there and then, with the answer unread in the socket.  None: let it.
        """
        self._transport = transport
        self._scheduler = scheduler
        self._broken = broken
        self._pieces: list[bytes] = []
        self._size = 0
        #: Bytes that the transport was given and has not sent.
        self._waiting = 0
        self._send: Callable[[bytes], int | Exception] | None = None
        # Its class is asked: a transport that writes through another one, as for TLS, passes that one's attributes on.
        if hasattr(type(transport), "writeSomeData"):
            self._send = transport.writeSomeData
            transport.writeSomeData = self._write_some

    def write(self, data: bytes) -> None:
        """Send bytes, after all that was written before."""
        if not self._pieces:
            self._scheduler.add(self.flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MAX_PIECES:
            self.flush()

    def flush(self) -> None:
        """Send what was written.  Called at the end of the iteration, and before the transport is closed."""
        if not self._pieces:
            return
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        self._size = 0
        if self._send is not None:
            if not self._waiting and self._transport.connected:
                sent = self._try(self._send, data)
                if sent == len(data):
                    return
                # A failure is left to the transport, which will meet it too.
                if not isinstance(sent, Exception) and sent > 0:
                    data = data[sent:]
            self._waiting += len(data)
        self._transport.write(data)

    @property
    def waiting(self) -> int:
        """Bytes that wait in the transport until the peer takes them, as far as that can be told."""
        return self._waiting

    def drop(self) -> None:
        """Forget what was written: the connection breaks."""
        self._pieces = []
        self._size = 0

    def _write_some(self, data: bytes) -> int | Exception:
        """What the transport calls when the socket takes bytes again."""
        assert self._send is not None, "else the transport's own is in place"
        sent = self._try(self._send, data)
        if not isinstance(sent, Exception):
            self._waiting -= sent
        return sent

    def _try(self, send: Callable[[bytes], int | Exception], data: bytes) -> int | Exception:
        sent = send(data)
        if self._broken is None or not (isinstance(sent, Exception) or sent < 0):
            return sent
        self._send = len
        self._broken()
        return len(data)
