"""
Turning clients away that there is no room for.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ..errors import OutOfDescriptors
from ..http1.responses import write_response

if TYPE_CHECKING:
    from .site import Site

#: Seconds that a client has to take the answer, where it cannot be sent at once.
TAKE_S = 1.0
#: Most clients that take it at a time, further ones get none: each has a descriptor, and there are few left.
MOST = 8
#: Most bytes of a request that are read and dropped: closing over bytes that nobody has read may take the answer away.
_DROPPED = 65536


def answer(clients: int) -> bytes:
    """
    What a client is told.

    :param clients: how many there are.
    """
    error = OutOfDescriptors(
        f"{clients} clients are connected, and there is room for no more; try again later.",
        headers=((b"Retry-After", b"1"),),
    )
    headers, body = error.answer()
    return write_response(error.status, error.phrase(), [*headers, (b"Connection", b"close")]) + body


class Refusal(Protocol):
    """
    A connection too many: it gets an answer without having asked, and is closed.
    """

    transport: Any

    def __init__(self, site: Site, said: bytes) -> None:
        """
        :param said: the answer.
        """
        self._site = site
        self._said = said
        self._limit: IDelayedCall | None = None

    def connectionMade(self) -> None:
        transport, taking = self.transport, self._site.refusals
        socket, encrypted = transport, False
        while not hasattr(type(socket), "writeSomeData"):
            encrypted = encrypted or ISSLTransport.providedBy(socket)
            socket = socket.transport
        # Hundreds of clients may be accepted in one iteration of the reactor, and Twisted would close their sockets at
        # its end only; until then each has a descriptor.
        if not encrypted:
            socket.writeSomeData(self._said)  # it is less than the buffer of a new socket takes
            with suppress(OSError):
                socket.socket.recv(_DROPPED)
            socket.connectionLost(Failure(ConnectionDone()))
        elif len(taking) < MOST:
            # TLS has to shake hands before it can say anything.
            taking.add(self)
            transport.write(self._said)
            transport.loseConnection()
            self._limit = self._site.clock.callLater(TAKE_S, transport.abortConnection)
        else:
            transport.abortConnection()
            socket.connectionLost(Failure(ConnectionAborted()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._site.refusals.discard(self)
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
