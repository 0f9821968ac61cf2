"""
A request's body while it arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from ..errors import BadRequest, BodyTooLarge, ProxyError
from ..http1.framing import Decoder
from ..http1.heads import RequestHead

if TYPE_CHECKING:
    from .channel import HTTPChannel


class BodyReceiver(Protocol):
    """Takes a body: any number of `body_received`, then one of the other two, once."""

    def body_received(self, data: bytes) -> None:
        """Take bytes; never empty."""

    def body_ended(self) -> None:
        """The body is complete."""

    def body_failed(self, error: ProxyError) -> None:
        """The body will never be complete: its framing is broken or it took too long."""


class BodySource(Protocol):
    """Something that pushes a body to a receiver, and can be paced."""

    def deliver(self, receiver: BodyReceiver) -> None:
        """Push the body to a receiver, from its first byte on."""

    def pauseProducing(self) -> None:
        """No more for now."""

    def resumeProducing(self) -> None:
        """Go on."""

    def stopProducing(self) -> None:
        """Nobody wants the rest."""


@implementer(IPushProducer)
class RequestBody:
    """
    The body of one request, pushed to a receiver as it arrives.

    Until a receiver is there, and while it has paused, the client is held back: nothing is stored beyond what one read
    brought.

    :ivar length: in bytes; None for a chunked body.
    :ivar complete: all of it has arrived.
    """

    def __init__(self, channel: HTTPChannel, head: RequestHead, decoder: Decoder, most: int | None) -> None:
        """
        :param decoder: finds the body's end.
        :param most: bytes that are accepted; None: any number.
        """
        self.length = head.length
        self._channel = channel
        self._decoder = decoder
        self._expects_continue = head.expects_continue
        self._most = most
        self._received = 0
        self._receiver: BodyReceiver | None = None
        self._held: list[bytes] = []
        self._error: ProxyError | None = None
        self._stopped = False
        self.complete = decoder.done

    def deliver(self, receiver: BodyReceiver) -> None:
        """Push the body to a receiver, from its first byte on; a client that asked whether to go on is told so."""
        if self._stopped:
            return
        self._receiver = receiver
        if self._expects_continue and not self.complete and not self._held:
            self._channel.send_continue()
        self._expects_continue = False
        self.resumeProducing()
        held, self._held = self._held, []
        self._push(held)

    def feed(self, data: bytes) -> bytes:
        """
        Take bytes from the connection; return those behind the body's end.

        :raises BadRequest: when the framing is broken or the body too long; the receiver has been told.
        """
        try:
            slices, rest = self._decoder.feed(data)
            self._received += sum(map(len, slices))
            if self._most is not None and self._received > self._most:
                raise BodyTooLarge(f"The body is longer than {self._most} bytes; no more are accepted.")
        except BadRequest as error:
            self.fail(error)
            raise
        self.complete = self._decoder.done
        if self._receiver is not None:
            self._push(slices)
        elif not self._stopped:
            self._held += slices
            if not self.complete:
                self._channel.hold_body(True)
        return rest

    def fail(self, error: ProxyError) -> None:
        """The rest will not come."""
        self._error = error
        self._conclude()

    def _push(self, pieces: list[bytes]) -> None:
        """Give a receiver what there is, as long as it wants it."""
        for piece in pieces:
            if self._receiver is not None:
                self._receiver.body_received(piece)
        self._conclude()

    def _conclude(self) -> None:
        """Tell a receiver of the end, once."""
        receiver = self._receiver
        if receiver is None or not (self.complete or self._error):
            return
        self._stopped = True
        self._receiver = None
        if self._error is not None:
            receiver.body_failed(self._error)
        else:
            receiver.body_ended()

    @property
    def awaited(self) -> bool:
        """Whether the rest of the body is wanted from the client at this moment."""
        return self._receiver is not None

    def pauseProducing(self) -> None:
        if not self.complete:
            self._channel.hold_body(True)

    def resumeProducing(self) -> None:
        if not self.complete:
            self._channel.hold_body(False)

    def stopProducing(self) -> None:
        """Nobody wants the rest; it is read and dropped once the answer is out."""
        self._stopped = True
        self._receiver = None
        self._held = []
        self.resumeProducing()


class WholeBody:
    """
    A body that is at hand.

    :ivar length: in bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.length = len(data)
        self._data = data

    def deliver(self, receiver: BodyReceiver) -> None:
        """Give all of it at once."""
        if self._data:
            receiver.body_received(self._data)
        receiver.body_ended()

    def pauseProducing(self) -> None:
        """There is nothing to hold back."""

    def resumeProducing(self) -> None:
        """Nor to go on with."""

    def stopProducing(self) -> None:
        """Nor to stop."""


class Collected:
    """
    Takes a small body whole.

    :ivar whole: fires with the body; fails with the `ProxyError` for which there will be none.
    """

    def __init__(self, body: RequestBody, most: int) -> None:
        """
        :param most: bytes that are taken.
        """
        self.whole: Deferred[bytes] = Deferred()
        self._body = body
        self._most = most
        self._pieces: list[bytes] = []
        self._size = 0
        body.deliver(self)

    def body_received(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._most:
            self._pieces.append(data)
        else:
            self._body.stopProducing()
            self.body_failed(BodyTooLarge(f"A body of this kind may have {self._most} bytes; send a multipart form."))

    def body_ended(self) -> None:
        self.whole.callback(b"".join(self._pieces))

    def body_failed(self, error: ProxyError) -> None:
        self._pieces.clear()
        self.whole.errback(error)
