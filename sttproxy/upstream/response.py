"""
A response of the upstream, as an ``IResponse``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface import implementer

from ..errors import Header
from ..http1.responses import ResponseHead
from .interfaces import Wire


class OpaqueHeaders(Headers):
    """
    Headers that the layers above can neither read nor change.  What they are is in the head of the request or response.

    treq's layers ask for three things: whether a Cookie is set already (yes, so that they add none), a copy to add an
    Accept-Encoding to, and the value of Content-Encoding, which they remove.
    """

    def hasHeader(self, name: Any) -> bool:
        return True

    def getRawHeaders(self, name: Any, default: Any = None) -> Any:
        return default

    def copy(self) -> OpaqueHeaders:
        return self

    def addRawHeader(self, name: Any, value: Any) -> None:
        """Does nothing."""

    def setRawHeaders(self, name: Any, values: Any) -> None:
        """Does nothing."""

    def removeHeader(self, name: Any) -> None:
        """Does nothing."""


@implementer(IResponse, IPushProducer)
class Response:
    """
    A response whose head has arrived; it paces its body.

    :ivar head: as the upstream sent it.
    :ivar length: of the body, in bytes, or ``UNKNOWN_LENGTH``.
    :ivar headers: for clients that do not know `head`; see `UpstreamAgent`.
    :ivar trailers: the trailer section, as it was received; complete when the body is.
    :ivar previousResponse: the redirect that led here, if a client above followed one.
    """

    version = (b"HTTP", 1, 1)
    request = None
    previousResponse: IResponse | None = None
    headers: Headers = OpaqueHeaders()
    trailers: Sequence[Header] = ()

    def __init__(self, head: ResponseHead, wire: Wire) -> None:
        self.head = head
        # An attribute, because Twisted's decoders change it.
        self.length: Any = UNKNOWN_LENGTH if head.length is None else head.length
        self._wire = wire
        self._receiver: IProtocol | None = None
        #: What arrived before there was a receiver; None after that.
        self._early: list[bytes] | None = []
        self._reason: Failure | None = None
        #: Reading from the upstream is paused.
        self.paused = False

    @property
    def code(self) -> int:
        """The status."""
        return self.head.status

    @property
    def phrase(self) -> bytes:
        """The reason phrase."""
        return self.head.phrase or b""

    def abort(self) -> None:
        """The rest is not needed: abort the exchange."""
        if self._reason is None:
            self._wire.abort()

    def deliverBody(self, protocol: IProtocol) -> None:
        """
        Push the body to a protocol.  Its ``connectionLost`` gets ``ResponseDone``, or the reason why the body is
        incomplete.

        Until this is called, reading from the upstream is paused.
        """
        assert self._early is not None, "the body is delivered once"
        self._receiver = protocol
        early, self._early = self._early, None
        self.resumeProducing()
        protocol.makeConnection(self)  # type: ignore[arg-type]  # a transport as twisted.web's own responses have one
        for data in early:
            protocol.dataReceived(data)
        if self._reason is not None:
            self._conclude(self._reason)

    def tunnel(self, end: Protocol) -> bytes:
        """
        After a 101, give everything that arrives to a protocol of its own, which also gets the transport.

        :return: what has arrived for it already.
        """
        return self._wire.tunnel(end)

    def setPreviousResponse(self, response: IResponse) -> None:
        self.previousResponse = response

    def pauseProducing(self) -> None:
        if self._reason is None and not self.paused:
            self.paused = True
            self._wire.pause_reading()

    def resumeProducing(self) -> None:
        if self._reason is None and self.paused:
            self.paused = False
            self._wire.resume_reading()

    def stopProducing(self) -> None:
        self.abort()

    def body_received(self, data: bytes) -> None:
        """Take bytes of the body."""
        if self._early is not None:
            self._early.append(data)
            self.pauseProducing()
        elif self._receiver is not None:
            self._receiver.dataReceived(data)

    def body_ended(self, reason: Failure) -> None:
        """The body has ended, complete or not; called once."""
        self._reason = reason
        self._conclude(reason)

    def _conclude(self, reason: Failure) -> None:
        """Notify the receiver of the end, once, and drop it: the two refer to each other."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.connectionLost(reason)
