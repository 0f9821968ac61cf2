"""
Write batching: the writes of one reactor iteration are sent at its end, in one call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from .transport import bottom

#: Most bytes that wait for the end of the reactor iteration.  More than that is sent at once: Twisted pauses a producer
#: only when the transport's own buffer has more than 64 KiB.
MAX_PIECES = 64 * 1024


class FlushScheduler:
    """
    Runs callbacks at the end of the current reactor iteration, in the order in which they were added: sending, logging.

    Twisted's transports wait for the reactor to report that a socket takes bytes.  For a small message this means two
    changes to what the reactor waits for and one more event: a tenth of the cost of relaying it.  Sockets nearly always
    take all bytes, so a send is tried first.  It is tried at the end of the iteration: the pieces of a message are one
    packet then, and a busy reactor wakes the other side once for many messages.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._work: deque[Callable[[], None]] = deque()
        self._running = False

    def add(self, work: Callable[[], None]) -> None:
        """Run work at the end of the iteration, after what was added before.  Work may add work."""
        if not self._work and not self._running:
            self._clock.callLater(0, self.end)
        self._work.append(work)

    def end(self) -> None:
        """Run it now; called by the reactor, and when the reactor stops."""
        self._running = True
        try:
            while self._work:
                self._work.popleft()()
        finally:
            self._running = False
            if self._work:  # something raised an exception
                self._clock.callLater(0, self.end)


class BufferedWriter:
    """
    Writes a connection's bytes to its socket at the end of the reactor iteration.  Bytes that the socket does not take
    go to the transport, with its buffer and its backpressure.

    This is the only place that replaces an attribute of a Twisted transport: ``writeSomeData``, which sends bytes and
    returns how many were taken, or an exception.  Where a transport's class has no such method, all bytes go to the
    transport's `write`; if it writes through another transport, as TLS does, write errors are handled there.
    """

    def __init__(self, transport: Any, scheduler: FlushScheduler, broken: Callable[[], None] | None = None) -> None:
        """
        :param broken: called once, when a write fails.  Unsent bytes are dropped, and reading continues, so that an
            early response can still be read: a server that rejects an upload responds and closes.  None: Twisted closes
            the connection.
        """
        self._transport = transport
        self._scheduler = scheduler
        self._broken = broken
        self._pieces: list[bytes] = []
        self._size = 0
        #: Bytes that the transport was given and has not sent.
        self._waiting = 0
        #: Nothing can be written any more.
        self._failed = False
        self._write_some_data: Callable[[bytes], int | Exception] | None = None
        lowest = bottom(transport)
        #: The transport writes to the socket itself.
        self._direct = lowest is transport
        if lowest is not None and (self._direct or broken is not None):
            self._write_some_data = lowest.writeSomeData
            lowest.writeSomeData = self._write_some

    def write(self, data: bytes) -> None:
        """Buffer bytes.  They are sent at the end of the reactor iteration, in the order of the calls."""
        if not self._pieces:
            self._scheduler.add(self.flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MAX_PIECES:
            self.flush()

    def flush(self) -> None:
        """Send what was written.  To be called before the transport is closed."""
        if not self._pieces:
            return
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        self._size = 0
        if self._failed:
            return
        if self._direct:
            if not self._waiting and self._transport.connected:
                try:
                    sent = self._transport.socket.send(data)
                except OSError:
                    sent = 0  # the socket is full or broken; the transport will try again
                if sent == len(data):
                    return
                data = data[sent:]
            self._waiting += len(data)
        self._transport.write(data)

    @property
    def waiting(self) -> int:
        """Bytes that the socket has not accepted yet; 0 if that is not known."""
        return self._waiting

    def drop(self) -> None:
        """Drop what was written, because the connection is aborted."""
        self._pieces = []
        self._size = 0

    def _write_some(self, data: bytes) -> int | Exception:
        """Called by the transport when the socket takes bytes again."""
        assert self._write_some_data is not None, "it is installed only if the transport has the method"
        sent = len(data) if self._failed else self._write_some_data(data)
        if self._broken is not None and (isinstance(sent, Exception) or sent < 0):
            self._failed = True
            self._broken()
            sent = len(data)
        if self._direct and not isinstance(sent, Exception):
            self._waiting -= sent
        return sent
