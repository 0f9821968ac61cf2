"""
The interfaces between a request, its body, the connection that carries them, and the site.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from typing import Protocol as Structure

import attrs
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.web.resource import IResource

from ..cors import CrossOrigin
from ..errors import Header, ProxyError
from ..monitor.registry import Registry
from ..peers import Peer, TrustedPeers
from ..transport import IStreamTransport, ReadAhead
from ..writer import FlushScheduler
from .accesslog import AccessLog
from .addresses import Addresses

if TYPE_CHECKING:
    from ..http2.multiplexer import Multiplexer


@attrs.frozen
class Timeouts:
    """
    How long clients may take, in seconds; None: any time.

    :ivar head: from a request's first byte to the end of its head.  Browsers and proxies need well under one.
    :ivar body: for each `BODY_PROGRESS` bytes of body, not counted while the client is paused.
    :ivar idle: between two requests of a connection; 75 is nginx's default.
    :ivar drain: after a response that came before the end of the upload, for the client to take it and stop sending.
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
    :ivar advice: says in the log where `clients` comes from.
    """

    body: int | None = None
    clients: int | None = None
    advice: str = "--max-clients and the limit on open files (ulimit -n) say how many there may be."


#: The defaults of `Site`.
DEFAULT_TIMEOUTS, NO_LIMITS = Timeouts(), Limits()


class BodyReceiver(Structure):
    """Takes a body: any number of calls of `body_received`, then one of the other two."""

    @property
    def unsent(self) -> int:
        """Bytes that were taken and are still in this process; 0 if that is not known."""

    def body_received(self, data: bytes) -> None:
        """Take bytes; never empty."""

    def body_ended(self, trailers: Sequence[Header] = ()) -> None:
        """
        The body is complete.

        :param trailers: its trailer section, as it was received.
        """

    def body_failed(self, error: ProxyError) -> None:
        """The body ends before it is complete: its framing is malformed, or it came too slowly."""


class BodySource(Structure):
    """Something that pushes a body to a receiver, and can be paused."""

    def deliver(self, receiver: BodyReceiver) -> None:
        """Push the body to a receiver, from its first byte on."""

    def pauseProducing(self) -> None:
        """Pause."""

    def resumeProducing(self) -> None:
        """Resume."""

    def stopProducing(self) -> None:
        """The rest is not needed."""


class TunnelProtocol(Protocol):
    """A protocol that takes a connection over."""

    def go_away(self) -> None:
        """The daemon stops: close, after a close message to both sides if the protocol has one."""


class BodyConnection(Structure):
    """What a request's body asks of its connection."""

    def send_continue(self) -> None:
        """Send 100 (Continue), which asks the client to upload the body (RFC 9110 §10.1.1)."""

    def update_reading(self) -> None:
        """Pause or resume reading, as `RequestBody.paused` says."""


class Serving(Structure):
    """
    What connections and requests ask of the site.

    :ivar registry: the numbers of all requests.
    :ivar trusted: the peers whose forwarded headers are trusted.
    :ivar cors: the pages of other origins that may read responses; None: the upstream decides.
    :ivar scheduler: runs work at the end of each reactor iteration: sending, and logging.
    :ivar read_ahead: how much may be read ahead from paused clients.
    :ivar access: writes the lines of requests.
    :ivar server_timing: whether responses tell how long the phases of their request took.
    :ivar draining: connections are closed after their next response.
    :ivar refusals: rejected connections that are not closed yet.
    """

    clock: IReactorTime
    registry: Registry
    timeouts: Timeouts
    limits: Limits
    trusted: TrustedPeers
    cors: CrossOrigin | None
    scheduler: FlushScheduler
    read_ahead: ReadAhead
    access: AccessLog
    server_timing: bool
    draining: bool
    refusals: set[Any]

    def getResourceFor(self, request: Any) -> IResource:
        """The Resource for a request."""

    def opened(self, channel: Any) -> None:
        """A connection is made."""

    def lost(self, channel: Any) -> None:
        """A connection is lost."""


class Carrier(Structure):
    """
    What a request asks of what carries it: an HTTP/1 connection, or one stream of a connection that has many.

    It is also the channel of a ``twisted.web.http.Request``, which asks for the methods in camelCase and the
    attributes.

    :ivar multiplexed: whether it is a stream of an HTTP/2 connection.
    """

    multiplexed: bool
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
            What concerns this connection may be added to the list.
        :param length: of the body that follows, in bytes; None if it ends with `end_body`.
        :param bodiless: no body follows, whatever the headers say.
        """

    def send_body(self, data: bytes) -> None:
        """Send bytes of the response's body; never empty."""

    def end_body(self, trailers: Sequence[Header] = ()) -> None:
        """
        The body is complete.

        :param trailers: sent behind it if the response's framing has trailers.
        """

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


class StreamConnection(Structure):
    """
    What a stream asks of its HTTP/2 connection.

    :ivar mux: the connection's streams, and what is sent on them.
    """

    site: Serving
    transport: IStreamTransport
    addresses: Addresses
    secure: bool
    mux: Multiplexer[Any]

    def request_done(self, stream: Any) -> None:
        """The exchange is over; the stream is when all of the response is sent."""

    def reset(self, stream: Any) -> None:
        """Reset a stream, so that the client cannot mistake a partial response for a complete one."""


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
