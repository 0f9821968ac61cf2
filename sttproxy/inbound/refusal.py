"""
Rejecting connections above the limit on clients.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ..errors import OutOfDescriptors
from ..http1.responses import write_response
from .interfaces import Serving

#: Seconds that a client has to take the response, if it cannot be sent at once.
TAKE_S = 1.0
#: Most clients that take the response at a time; further ones are closed without one.  Each needs a descriptor, and few
#: are left.
MOST = 8
#: Most bytes of a request that are read and dropped.  A close with unread bytes resets the connection, and the client
#: may lose the response.
_DROPPED = 65536


def response(clients: int) -> bytes:
    """
    The response to a rejected client.

    :param clients: how many are connected.
    """
    error = OutOfDescriptors(
        f"{clients} clients are connected, and there is room for no more; try again later.",
        headers=((b"Retry-After", b"1"),),
    )
    headers, body = error.answer()
    return write_response(error.status, error.phrase(), [*headers, (b"Connection", b"close")]) + body


class Refusal(Protocol):
    """
    A connection above the limit.  It gets a response before it has sent a request, and is closed.
    """

    transport: Any

    def __init__(self, site: Serving, response: bytes) -> None:
        """
        :param response: what it gets.
        """
        self._site = site
        self._response = response
        self._limit: IDelayedCall | None = None

    def connectionMade(self) -> None:
        transport, taking = self.transport, self._site.refusals
        socket, encrypted = transport, False
        while not hasattr(type(socket), "writeSomeData"):
            encrypted = encrypted or ISSLTransport.providedBy(socket)
            socket = socket.transport
        # Hundreds of clients may be accepted in one reactor iteration.  Twisted would close their sockets at its end;
        # until then each would have a descriptor.
        if not encrypted:
            socket.writeSomeData(self._response)  # a new socket's buffer has room for it
            with suppress(OSError):
                socket.socket.recv(_DROPPED)
            socket.connectionLost(Failure(ConnectionDone()))
        elif len(taking) < MOST:
            # TLS needs its handshake before it can send a response.
            taking.add(self)
            transport.write(self._response)
            transport.loseConnection()
            self._limit = self._site.clock.callLater(TAKE_S, transport.abortConnection)
        else:
            transport.abortConnection()
            socket.connectionLost(Failure(ConnectionAborted()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._site.refusals.discard(self)
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
