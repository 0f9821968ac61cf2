"""
What a request, its body, the connection that carries them and the site ask of each other.
"""

from __future__ import annotations

from typing import Any
from typing import Protocol as Structure

import attrs
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.web.resource import IResource

from ..errors import Header, ProxyError
from ..headers import Peer, TrustedPeers
from ..stats import Stats
from ..transport import IStreamTransport, ReadAhead
from ..writer import FlushScheduler


@attrs.frozen
class Timeouts:
    """
    How long clients may take, in seconds; None: for ever.

    :ivar head: from a request's first byte to the end of its head.  Browsers and proxies need well under one.
    :ivar body: for each `BODY_PROGRESS` bytes of body, not counted while the client is paused.
    :ivar idle: between two requests of a connection; nginx's default.
    :ivar drain: for a client to stop uploading and to take an answer that came before its upload ended.
    """

    head: float | None = 10.0
    body: float | None = 30.0
    idle: float | None = 75.0
    drain: float | None = 30.0


@attrs.frozen
class Limits:
    """
    How much clients may send.

    :ivar body: bytes of a request's body; None: any number.
    :ivar clients: connections of clients; None: any number.
    """

    body: int | None = None
    clients: int | None = None


#: What `Site` has unless it is told otherwise.
DEFAULT_TIMEOUTS, NO_LIMITS = Timeouts(), Limits()


class BodyReceiver(Structure):
    """Takes a body: any number of `body_received`, then one of the other two, once."""

    def body_received(self, data: bytes) -> None:
        """Take bytes; never empty."""

    def body_ended(self) -> None:
        """The body is complete."""

    def body_failed(self, error: ProxyError) -> None:
        """The body will never be complete: its framing is broken or it took too long."""


class BodySource(Structure):
    """Something that pushes a body to a receiver, and can be paused."""

    def deliver(self, receiver: BodyReceiver) -> None:
        """Push the body to a receiver, from its first byte on."""

    def pauseProducing(self) -> None:
        """No more for now."""

    def resumeProducing(self) -> None:
        """Go on."""

    def stopProducing(self) -> None:
        """Nobody wants the rest."""


class TunnelProtocol(Protocol):
    """A protocol that a connection is given away to."""

    def go_away(self) -> None:
        """The daemon stops: say so to both sides, if there are words for it."""


class BodyConnection(Structure):
    """What a request's body asks of the connection that brings it."""

    def send_continue(self) -> None:
        """Tell the client to go on with its upload (RFC 9110 §10.1.1)."""

    def update_reading(self) -> None:
        """Read on, or do not, as `RequestBody.paused` says."""


class Serving(Structure):
    """
    What connections and requests ask of the site.

    :ivar trusted: the peers whose forwarded headers are believed.
    :ivar scheduler: has them send, and log, at the end of each reactor iteration.
    :ivar read_ahead: what may be read of clients that are paused.
    :ivar draining: no connection is kept alive any more.
    """

    clock: IReactorTime
    stats: Stats
    timeouts: Timeouts
    limits: Limits
    trusted: TrustedPeers
    scheduler: FlushScheduler
    read_ahead: ReadAhead
    draining: bool

    def getResourceFor(self, request: Any) -> IResource:
        """The Resource for a request."""

    def opened(self, channel: Any) -> None:
        """A connection is there."""

    def lost(self, channel: Any) -> None:
        """A connection is gone."""


class Carrier(Structure):
    """
    What a request asks of what carries it: an HTTP/1 connection, or one stream of a connection that has many.

    It is also the channel of a `twisted.web.http.Request`, which asks for the methods in camelCase and the attributes.
    """

    site: Serving
    transport: IStreamTransport

    def send_informational(self, status: int, phrase: bytes | None, headers: list[Header]) -> None:
        """Send an interim response (RFC 9110 §15.2), if the client's version of HTTP has them."""

    def send_head(
        self, status: int, phrase: bytes | None, headers: list[Header], length: int | None, *, bodiless: bool
    ) -> None:
        """
        Send the head of the response, with what concerns this connection.

        :param headers: end-to-end headers, sent as they are; a Content-Length is among them if `length` is known.
        :param length: of the body that follows, in bytes; None if it ends with `end_body`.
        :param bodiless: no body follows, whatever the headers say.
        """

    def send_body(self, data: bytes) -> None:
        """Send bytes of the response's body; never empty."""

    def end_body(self) -> None:
        """The body is complete."""

    def requestDone(self, request: Any) -> None:
        """The exchange is over; the next one may begin."""

    def tunnel(self, phrase: bytes | None, headers: list[Header], end: TunnelProtocol) -> bytes:
        """
        Send a 101, and give everything that arrives to a protocol of its own, which also gets the transport.

        :return: what has arrived for it already.
        """

    def abort(self) -> None:
        """End the exchange so that the client cannot mistake a partial response for a complete one."""

    def loseConnection(self) -> None:
        """Close the connection after what was written."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pause and resume what produces the response."""

    def unregisterProducer(self) -> None:
        """Nothing produces the response any more."""

    def peer(self) -> Peer:
        """The client, as log lines and forwarded headers name it."""

    def getPeer(self) -> IAddress:
        """The address of the client's end."""

    def getHost(self) -> IAddress:
        """The address of this end."""

    def isSecure(self) -> bool:
        """Whether the connection is encrypted."""


class ResponseConnection(Structure):
    """What the responses of an HTTP/1 connection ask of it."""

    def last(self) -> bool:
        """Decide, when the head of a response is sent, whether it is the connection's last one."""

    def make_last(self) -> None:
        """The response ends when the connection is closed."""

    def response_done(self) -> None:
        """The response is complete."""

    def tunnel(self, end: TunnelProtocol) -> bytes:
        """As `Carrier.tunnel`, after the 101."""

    def abort(self) -> None:
        """Abort the connection."""
