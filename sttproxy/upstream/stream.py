"""
One stream of an HTTP/2 connection to the upstream: one request and its response.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol

from ..errors import Header
from ..http2.outbound import MAX_WAITING, Outbound
from .exchange import Exchange
from .interfaces import IOutgoing
from .response import Response

if TYPE_CHECKING:
    from .session import Session


class Stream:
    """
    One request on a connection: what the pool gives out, and the `Wire` of the exchange.

    :ivar number: the stream identifier; 0 before the request.
    :ivar outbound: the request's body.
    :ivar trailers: the trailer section of the response.
    """

    #: An HTTP/1 connection has these too.
    upgradable = False
    unanswered = False
    announced_s: float | None = None

    def __init__(self, session: Session) -> None:
        self.number = 0
        self.outbound = Outbound()
        self.trailers: Sequence[Header] = ()
        self.exchange: Exchange | None = None
        self._session = session
        self._paused_sending = False
        self._paused_reading = False
        self._unacknowledged = 0

    # What the pool and the agent ask of a connection.

    def request(self, outgoing: IOutgoing) -> Deferred[Response]:
        """Send a request; as `UpstreamConnection.request`."""
        return self._session.request(self, outgoing)

    def fresh(self) -> bool:
        """A stream is used as soon as it is given out."""
        return True

    def close(self) -> None:
        """Give the stream back without a request; the connection goes on."""
        self._session.released(self)

    @property
    def carried(self) -> Exchange:
        """The exchange; only after the request."""
        assert self.exchange is not None, "the request begins it"
        return self.exchange

    # The wire.

    def send_body(self, data: bytes) -> None:
        self.outbound.add(data)
        self._session.mux.send(self)

    def end_body(self, trailers: Sequence[Header] = ()) -> None:
        self.outbound.end(trailers)
        self._session.mux.send(self)

    @property
    def unsent(self) -> int:
        return self.outbound.waiting

    def pause_reading(self) -> None:
        self._paused_reading = True

    def resume_reading(self) -> None:
        self._paused_reading = False
        self.taken(0)

    def taken(self, flow: int) -> None:
        """
        Bytes of the response have arrived, or may arrive again: give the window back, unless reading is paused.

        :param flow: how many bytes of the window they took.
        """
        self._unacknowledged += flow
        if not self._paused_reading:
            self._unacknowledged = self._session.mux.give_window(self.number, self._unacknowledged)

    def abort(self) -> None:
        self._session.cancel(self)

    def tunnel(self, end: Protocol) -> bytes:
        raise RuntimeError("HTTP/2 has no 101")

    def pace(self) -> None:
        """Pause or resume the source of the request."""
        waiting = self.outbound.waiting
        full = waiting > MAX_WAITING or (waiting > 0 and self._session.mux.write_buffer_full)
        if self.exchange is not None and full != self._paused_sending:
            self._paused_sending = full
            if full:
                self.exchange.pause()
            else:
                self.exchange.resume()
