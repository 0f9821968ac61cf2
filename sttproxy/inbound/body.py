"""
A request's body while it arrives.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from ..deadline import Deadline
from ..errors import BadRequest, BodyTooLarge, Header, ProxyError, RequestTimeout
from ..http1.framing import Decoder
from ..http1.requests import RequestHead
from .interfaces import BodyConnection, BodyReceiver

#: Bytes of a body that must arrive within each period of the body timeout: a thousandth of what a slow line carries.
BODY_PROGRESS = 4096


@implementer(IPushProducer)
class RequestBody:
    """
    The body of one request, pushed to a receiver as it arrives.

    The client is paused while there is no receiver, and while the receiver pauses: at most the bytes of one read are
    buffered.

    :ivar length: in bytes; None for a chunked body.
    :ivar complete: all of it has arrived.
    :ivar received: how many bytes of it have arrived.
    :ivar paused: reading it from the client is paused.
    """

    def __init__(
        self,
        connection: BodyConnection,
        head: RequestHead,
        decoder: Decoder,
        most: int | None,
        deadline: Deadline,
        period_s: float | None,
    ) -> None:
        """
        :param decoder: finds the body's end.
        :param most: most bytes that are accepted; None: any number.
        :param deadline: calls `too_slow`.
        :param period_s: seconds that the client may take for each `BODY_PROGRESS` bytes, not counted while it is
            paused; None: any time.
        """
        self.length = head.length
        self.paused = False
        self._connection = connection
        self._deadline = deadline
        self._period_s = period_s
        #: Bytes received in the current period.
        self._progress = 0
        #: The request has ended.
        self._detached = False
        self._decoder = decoder
        self._expects_continue = head.expects_continue
        self._most = most
        self.received = 0
        self._receiver: BodyReceiver | None = None
        self._held: list[bytes] = []
        self._error: ProxyError | None = None
        self._stopped = False
        self.complete = decoder.done

    def deliver(self, receiver: BodyReceiver) -> None:
        """Push the body to a receiver, from its first byte on.  Sends 100 (Continue) if the client expects it."""
        if self._stopped:
            return
        self._receiver = receiver
        if self._expects_continue and not self.complete and not self._held:
            self._connection.send_continue()
        self._expects_continue = False
        self.resumeProducing()
        held, self._held = self._held, []
        self._push(held)

    def feed(self, data: bytes) -> bytes:
        """
        Take bytes from the connection; return those after the body's end.

        :raises BadRequest: when the framing is malformed or the body is too long; the receiver has been notified.
        """
        try:
            slices, rest = self._decoder.feed(data)
            self.received += sum(map(len, slices))
            if self._most is not None and self.received > self._most:
                raise BodyTooLarge(f"The body is longer than {self._most} bytes; no more are accepted.")
        except BadRequest as error:
            self.fail(error)
            raise
        self.complete = self._decoder.done
        if self.complete:
            self.paused = False
            self._deadline.clear()
        if self._receiver is not None:
            self._push(slices)
        elif not self._stopped:
            self._held += slices
            self.pauseProducing()
        if not (self.complete or self._detached):
            self._progress += len(data)
            if self._progress >= BODY_PROGRESS and not self.paused:
                self._begin_period()
        return rest

    def _begin_period(self) -> None:
        self._progress = 0
        self._deadline.set(self._period_s)

    def too_slow(self) -> None:
        """The client has sent less than `BODY_PROGRESS` bytes in a period."""
        message = f"{BODY_PROGRESS} bytes are expected in each {self._period_s:g} s."
        headers = ((b"x-should-retry", b"false"),)
        self.fail(RequestTimeout(f"The request's body came too slowly: {message}", headers=headers))

    def fail(self, error: ProxyError) -> None:
        """The body ends with an error."""
        self._error = error
        self._conclude()

    def detach(self) -> None:
        """The request has ended: what still arrives of the body is dropped."""
        self._detached = True
        self.paused = False
        self._deadline.clear()

    def _push(self, pieces: list[bytes]) -> None:
        """Pass bytes to the receiver, until it stops."""
        for piece in pieces:
            if self._receiver is not None:
                self._receiver.body_received(piece)
        self._conclude()

    def _conclude(self) -> None:
        """Notify the receiver of the end, once."""
        receiver = self._receiver
        if receiver is None or not (self.complete or self._error):
            return
        self._stopped = True
        self._receiver = None
        if self._error is not None:
            receiver.body_failed(self._error)
        else:
            receiver.body_ended(self._decoder.trailers)

    @property
    def unsent(self) -> int:
        """Bytes that the receiver has not sent on yet."""
        return 0 if self._receiver is None else self._receiver.unsent

    @property
    def awaited(self) -> bool:
        """Whether a receiver waits for more of the body."""
        return self._receiver is not None

    def pauseProducing(self) -> None:
        if not (self.complete or self._detached):
            self.paused = True
            self._deadline.clear()
            self._connection.update_reading()

    def resumeProducing(self) -> None:
        if not (self.complete or self._detached):
            self.paused = False
            self._begin_period()
            self._connection.update_reading()

    def stopProducing(self) -> None:
        """The rest is not needed.  It is read and dropped after the response."""
        self._stopped = True
        self._receiver = None
        self._held = []
        self.resumeProducing()


class WholeBody:
    """
    A body that is complete already.

    :ivar length: in bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.length = len(data)
        self._data = data

    def deliver(self, receiver: BodyReceiver) -> None:
        """Pass all of it at once."""
        if self._data:
            receiver.body_received(self._data)
        receiver.body_ended()

    def pauseProducing(self) -> None:
        """Does nothing: the body is delivered at once."""

    def resumeProducing(self) -> None:
        """Does nothing."""

    def stopProducing(self) -> None:
        """Does nothing."""


class Collected:
    """
    Collects a small body.

    :ivar whole: fires with the body, or fails with a `ProxyError`.
    """

    #: What it keeps has a limit of its own.
    unsent = 0

    def __init__(self, body: RequestBody, most: int) -> None:
        """
        :param most: most bytes that are collected.
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

    def body_ended(self, trailers: Sequence[Header] = ()) -> None:
        self.whole.callback(b"".join(self._pieces))

    def body_failed(self, error: ProxyError) -> None:
        self._pieces.clear()
        self.whole.errback(error)
