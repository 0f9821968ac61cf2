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

from ..errors import ProxyError
from ..headers import Peer, TrustedPeers
from ..stats import Stats
from ..transport import ReadAhead
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

    It is also what `twisted.web.http.Request` takes for its channel.
    """

    site: Serving

    def peer(self) -> Peer:
        """The other end, as the log and the upstream are told of it."""

    def write(self, data: bytes) -> None:
        """Send bytes as they are on the wire."""

    def last(self) -> bool:
        """Decide, with the head of an answer, whether it is the connection's last one; its head has to say so."""

    def make_last(self) -> None:
        """The answer ends with the connection."""

    def tunnel(self, end: TunnelProtocol) -> bytes:
        """
        Give everything that arrives to a protocol of its own, which also gets the transport.

        :return: what has arrived for it already.
        """

    def abort(self) -> None:
        """Abort the connection, so that the client cannot mistake a partial answer for a complete one."""

    def requestDone(self, request: Any) -> None:
        """The answer is complete."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pause and resume what produces the answer."""

    def unregisterProducer(self) -> None:
        """The producer of the answer is done."""

    def getPeer(self) -> IAddress:
        """The address of the other end."""

    def getHost(self) -> IAddress:
        """The address of this end."""

    def isSecure(self) -> bool:
        """Whether the connection is encrypted."""
