"""
What both sides ask of a transport, and what Twisted's do not tell by themselves.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IConsumer, IPushProducer, IReactorTime, ITCPTransport

from .deadline import Deadline

#: Seconds between two looks at whether a peer that is held back has left.
LOOK_EVERY_S = 0.5

#: Linux tells of a peer that has closed while bytes of it are still unread by an event of its own; elsewhere POLLHUP
#: says it.
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class IStreamTransport(ITCPTransport, IConsumer, IPushProducer):
    """
    A TCP transport as Twisted's reactors make it: it can be written to at its own pace and told not to read.
    """

    def fileno() -> int:
        """The socket's descriptor; -1 once it is closed."""


def tune(transport: IStreamTransport) -> None:
    """Send small writes at once, and find out in the end about a peer that vanished without a word."""
    # A Unix socket knows neither; macOS refuses both on a connection that the peer has reset already.
    with contextlib.suppress(OSError):
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)


def departed(transport: Any) -> bool:
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


class Hold:
    """
    Holds a peer back, and notices when it leaves meanwhile: then the connection is broken off.
    """

    def __init__(self, transport: IStreamTransport, clock: IReactorTime) -> None:
        self._transport = transport
        self._look = Deadline(clock, self._look_for_peer)
        self._held = False

    def set(self, held: bool) -> None:
        """Hold it back, or let it go on."""
        if held == self._held:
            return
        self._held = held
        if held:
            self._transport.pauseProducing()
            self._look.set(LOOK_EVERY_S)
        else:
            self._transport.resumeProducing()
            self._look.clear()

    def cancel(self) -> None:
        """The connection is gone."""
        self._look.cancel()

    def _look_for_peer(self) -> None:
        if departed(self._transport):
            self._transport.abortConnection()
        else:
            self._look.set(LOOK_EVERY_S)


def outlive_write_errors(transport: Any, broken: Callable[[], None]) -> None:
    """
    Keep reading when writing fails.

    A server that refuses an upload answers and closes; the bytes still being sent then fail, and Twisted would end the
    connection there and then, with the answer unread in the socket.

    :param broken: called once, when nothing can be written any more; what was to be written is dropped.
    """
    write_some = getattr(transport, "writeSomeData", None)
    if write_some is None:
        return  # it writes through another transport

    def write_some_data(data: bytes) -> int | Exception:
        result: int | Exception = write_some(data)
        if isinstance(result, Exception) or result < 0:
            transport.writeSomeData = len
            broken()
            return len(data)
        return result

    transport.writeSomeData = write_some_data
