"""
One stream of an HTTP/2 connection: one request and its response.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from ..deadline import Deadline
from ..errors import BadRequest, Header
from ..http1.requests import RequestHead
from ..http2.heads import response_fields, trailer_section
from ..http2.outbound import MAX_WAITING, Outbound
from ..peers import Peer
from .body import RequestBody
from .interfaces import StreamConnection, TunnelProtocol
from .request import Request


class Frames:
    """The body of a request as DATA frames: `Receiver` counts them against the Content-Length (RFC 9113 §8.1.1)."""

    def __init__(self, done: bool) -> None:
        self.done = done
        self.trailers: Sequence[Header] = ()

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        return [data] if data else [], b""

    def end(self) -> bool:
        return self.done


class Stream:
    """
    The `Carrier` of one request, and the connection of its body.

    :ivar number: the stream identifier.
    :ivar outbound: the response's body.
    """

    multiplexed = True

    def __init__(self, connection: StreamConnection, number: int, head: RequestHead, ended: bool) -> None:
        self.site = connection.site
        self.transport = connection.transport
        self.number = number
        self.outbound = Outbound()
        self._connection = connection
        self._mux = connection.mux
        self._decoder = Frames(ended)
        site = self.site
        self._deadline = Deadline(site.clock, self._too_slow)
        self.body = RequestBody(
            self,
            head,
            self._decoder,
            site.limits.body,
            self._deadline,
            site.timeouts.body,
        )
        self.request: Request | None = Request(self, head, self.body)
        self._producer: Any = None
        self._paused = False
        #: Bytes of the body that the client's window has not been given back for.
        self._unacknowledged = 0
        self._window_due = False

    # The request's body.

    def received(self, data: bytes, flow: int, ends: bool) -> None:
        """
        Bytes of the body have arrived.

        :param flow: how many bytes of the window they took, padding included.
        :param ends: whether the body ends with them.
        """
        self._unacknowledged += flow
        self._decoder.done = ends
        if self.request is not None:
            try:
                self.body.feed(data)
            except BadRequest:
                return  # too long; the request has been notified
        if not (ends or self._window_due):
            # At the end of the reactor iteration, when it is known what the upstream's socket has not taken.
            self._window_due = True
            self.site.scheduler.add(self._give_window)

    def trailers_received(self, fields: list[Header]) -> None:
        """The trailers behind the body have arrived; `ended` follows."""
        try:
            self._decoder.trailers = trailer_section(fields)
        except BadRequest as error:
            if self.request is not None:
                self.body.fail(error)

    def ended(self) -> None:
        """The client has ended the stream behind the body, by its trailers."""
        self._decoder.done = True
        if self.request is not None:
            self.body.feed(b"")

    def send_continue(self) -> None:
        self.send_informational(100, None, [])

    def update_reading(self) -> None:
        """
        Give the window back for what has left this process, unless the body is paused.

        So the window limits the bytes of the body that are here, and those that can still come.
        """
        body = self.body
        if self._unacknowledged and not body.paused and not body.complete:
            unsent = body.unsent
            self._unacknowledged = unsent + self._mux.give_window(self.number, self._unacknowledged - unsent)

    def _give_window(self) -> None:
        self._window_due = False
        self.update_reading()

    def _too_slow(self) -> None:
        self.body.too_slow()

    # The response.

    def send_informational(self, status: int, phrase: bytes | None, headers: list[Header]) -> None:
        self._send_headers(status, headers)

    def send_head(
        self, status: int, phrase: bytes | None, headers: list[Header], length: int | None, *, bodiless: bool
    ) -> None:
        self._send_headers(status, headers)

    def _send_headers(self, status: int, headers: list[Header]) -> None:
        if self.number in self._mux.streams:
            self._mux.send_headers(self.number, response_fields(status, headers))

    def send_body(self, data: bytes) -> None:
        self.outbound.add(data)
        self._mux.send(self)

    def end_body(self, trailers: Sequence[Header] = ()) -> None:
        self.outbound.end(trailers)
        self._mux.send(self)

    def requestDone(self, request: object) -> None:
        self.request = None
        self.body.detach()
        self._deadline.cancel()
        self._connection.request_done(self)

    def tunnel(self, phrase: bytes | None, headers: list[Header], end: TunnelProtocol) -> bytes:
        raise RuntimeError("a request over HTTP/2 asks for no other protocol")

    def abort(self) -> None:
        self._connection.reset(self)

    def loseConnection(self) -> None:
        self.abort()

    def lost(self) -> None:
        """The stream or its connection has ended before the response was complete."""
        request, self.request = self.request, None
        self.body.detach()
        self._deadline.cancel()
        if request is not None:
            request.connectionLost(Failure(ConnectionAborted()))

    # Backpressure.

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming and self._producer is None, "only one push producer is possible"
        self._producer = producer
        self._paused = False
        self.pace()

    def unregisterProducer(self) -> None:
        self._producer = None

    def pace(self) -> None:
        """Pause or resume what produces the response."""
        full = self.outbound.waiting > MAX_WAITING or self._mux.write_buffer_full
        if self._producer is not None and full != self._paused:
            self._paused = full
            if full:
                self._producer.pauseProducing()
            else:
                self._producer.resumeProducing()

    # Addresses.

    def peer(self) -> Peer:
        return self._connection.addresses.peer

    def getPeer(self) -> IAddress:
        return self._connection.addresses.there

    def getHost(self) -> IAddress:
        return self._connection.addresses.here

    def isSecure(self) -> bool:
        return self._connection.secure
