"""
TLS between a socket and a protocol, for both sides, with few calls of the layers above and below.

A TLS record has at most 16 KiB, so one read from a socket brings several, which Twisted delivers one by one.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.protocols.tls import TLSMemoryBIOProtocol


class Connection(SSL.Connection):
    """
    The TLS side of a connection that is read until nothing is left, as Twisted does.

    `recv` returns all bytes that have arrived, however many records they came in.
    """

    #: Why there are no more bytes than those that `recv` returned last.
    _end: SSL.Error | None = None

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """
        All bytes that have arrived, which may be more than ``bufsiz``.

        :param bufsiz: most bytes of one record.
        :raises SSL.Error: as ``SSL.Connection.recv`` does, when there are none.
        """
        if self._end is not None:
            # A local variable would keep it, with the bytes of the last call, until the next garbage collection.
            try:
                raise self._end
            finally:
                self._end = None
        pieces = [super().recv(bufsiz, flags)]
        try:
            while True:
                pieces.append(super().recv(bufsiz, flags))
        except SSL.Error as error:
            self._end = error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class TLSTransport(TLSMemoryBIOProtocol):
    """
    A transport that encrypts.  Bytes are sent at once, as far as the socket takes them.

    It does not gather small writes, because a `BufferedWriter` above it does.
    """

    def write(self, data: bytes) -> None:
        super().write(data)
        below: Any = self.transport
        # If earlier bytes wait for the socket, the reactor sends all of them.
        if hasattr(type(below), "doWrite") and below.connected and not below.dataBuffer:
            ended = below.doWrite()
            if ended is not None:
                below.startWriting()  # the reactor tries again, and closes the connection
