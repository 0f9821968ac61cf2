"""
Responses on one HTTP/1 connection: their framing (RFC 9112 §6), and backpressure for what produces them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IAddress

from ..errors import Header
from ..http1.framing import chunk, last_chunk
from ..http1.requests import RequestHead
from ..http1.responses import write_response
from ..peers import Peer
from ..transport import IStreamTransport
from ..writer import BufferedWriter
from .addresses import Addresses
from .interfaces import ResponseConnection, Serving, TunnelProtocol


class ResponseWriter:
    """
    Writes the responses of a connection, one after the other: the `Carrier` of each of its requests.

    :ivar write_buffer_full: the client takes no more for now; what produces the response is paused.
    """

    multiplexed = False

    def __init__(
        self,
        connection: ResponseConnection,
        transport: IStreamTransport,
        site: Serving,
        writer: BufferedWriter,
        addresses: Addresses,
        secure: bool,
    ) -> None:
        """
        :param secure: whether the connection is encrypted.
        """
        self.site = site
        self.transport = transport
        self.write_buffer_full = False
        self._connection = connection
        self._writer = writer
        self._addresses = addresses
        self._secure = secure
        self._version = b"HTTP/1.1"
        self._chunked = False
        self._producer: Any = None

    def begin(self, head: RequestHead) -> None:
        """Begin the response to a request."""
        self._version = head.version
        self._chunked = False

    # The framing.

    def send_head(
        self, status: int, phrase: bytes | None, headers: list[Header], length: int | None, *, bodiless: bool
    ) -> None:
        if length is None and not bodiless:
            if self._version == b"HTTP/1.1":
                self._chunked = True
                headers.append((b"Transfer-Encoding", b"chunked"))
            else:
                self._connection.make_last()
        if self._connection.last():
            headers.append((b"Connection", b"close"))
        elif self._version == b"HTTP/1.0":
            headers.append((b"Connection", b"keep-alive"))
        self._writer.write(write_response(status, phrase, headers))

    def send_informational(self, status: int, phrase: bytes | None, headers: list[Header]) -> None:
        if self._version == b"HTTP/1.1":
            self._writer.write(write_response(status, phrase, headers))

    def send_body(self, data: bytes) -> None:
        self._writer.write(chunk(data) if self._chunked else data)

    def end_body(self, trailers: Sequence[Header] = ()) -> None:
        if self._chunked:
            # Also to a client that has not sent "TE: trailers": a recipient of chunks must be able to skip them.
            self._writer.write(last_chunk(trailers))

    def requestDone(self, request: object) -> None:
        self._connection.response_done()

    def tunnel(self, phrase: bytes | None, headers: list[Header], end: TunnelProtocol) -> bytes:
        self._writer.write(write_response(101, phrase, headers))
        return self._connection.tunnel(end)

    def abort(self) -> None:
        self._connection.abort()

    def loseConnection(self) -> None:
        self._writer.flush()
        self.transport.loseConnection()

    # Backpressure.

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming and self._producer is None, "only one push producer is possible"
        self._producer = producer
        if self.write_buffer_full:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    def pause(self) -> None:
        """The write buffer is full: pause what produces the response."""
        self.write_buffer_full = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def resume(self) -> None:
        """The write buffer has room again."""
        self.write_buffer_full = False
        if self._producer is not None:
            self._producer.resumeProducing()

    # Addresses.

    def peer(self) -> Peer:
        return self._addresses.peer

    def getPeer(self) -> IAddress:
        return self._addresses.there

    def getHost(self) -> IAddress:
        return self._addresses.here

    def isSecure(self) -> bool:
        return self._secure
