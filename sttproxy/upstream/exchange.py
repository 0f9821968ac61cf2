"""
One request to the upstream and its response, independent of what carries them.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from ..deadline import Deadline
from ..errors import Header, ProxyError, UpstreamRefused, UpstreamTimeout
from ..http1.responses import ResponseHead
from .interfaces import IOutgoing, Wire
from .response import Response

#: Bytes of a request that the upstream must take within each period of the send timeout.
SEND_PROGRESS = 64 * 1024

#: Tells the receiver that a body is complete.  It has no traceback, so all bodies share it.
_DONE = Failure(ResponseDone())


def refusal(again: bool) -> UpstreamRefused:
    """
    The error of a request that the upstream has not processed.

    :param again: whether its source can send it again.
    """
    error = UpstreamRefused(
        "The upstream refused the request without processing it.", headers=((b"Retry-After", b"1"),)
    )
    error.again = again
    return error


class Exchange:
    """
    Sends a request's body at the upstream's pace, and passes the response to the request's source.

    It has four endings: `done`, `fail`, `refuse`, and an abort of the wire, which notifies only the source of the body.

    :ivar outgoing: the request.
    :ivar responded: fires with the `Response` when its head has arrived.  Cancelling it aborts the wire.
    :ivar sent: the request is complete, or nothing more of it will be sent.
    :ivar response: None until its head has arrived.
    """

    def __init__(self, outgoing: IOutgoing, wire: Wire, clock: IReactorTime, send_s: float | None) -> None:
        """
        :param send_s: seconds that the upstream may need for each `SEND_PROGRESS` bytes of a request; None: any time.
        """
        self.outgoing = outgoing
        self.responded: Deferred[Response] = Deferred(lambda _: wire.abort())
        self.sent = False
        self.response: Response | None = None
        self._wire = wire
        self._clock = clock
        self._send_s = send_s
        #: Runs while the write buffer is full; made at the first time.
        self._stalled: Deadline | None = None
        #: Bytes of the request's body that were written, and how many of all were unsent when the period began.
        self._written = 0
        self._unsent = 0

    # The request's body.

    @property
    def unsent(self) -> int:
        return self._wire.unsent

    def body_received(self, data: bytes) -> None:
        """Take bytes of the request's body; never empty."""
        assert not self.sent, "no bytes come after the end"
        self._written += len(data)
        self._wire.send_body(data)

    def body_ended(self, trailers: Sequence[Header] = ()) -> None:
        """The request is complete."""
        assert not self.sent, "it ends once"
        self.sent = True
        self._wire.end_body(trailers)

    def body_failed(self, error: ProxyError) -> None:
        """The body failed.  Abort, so that the upstream cannot mistake a partial body for a complete one."""
        self.fail(error)

    def pause(self) -> None:
        """The write buffer is full: pause the source of the body, and start the send timeout."""
        if self._send_s is not None:
            if self._stalled is None:
                self._stalled = Deadline(self._clock, self._stalls)
            self._unsent = self._wire.unsent
            self._stalled.set(self._send_s)
        if not self.sent:
            self.outgoing.pauseProducing()

    def resume(self) -> None:
        """The write buffer has room again."""
        if self._stalled is not None:
            self._stalled.clear()
        if not self.sent:
            self.outgoing.resumeProducing()

    def _stalls(self) -> None:
        """A period of the send timeout has ended: begin the next one, or fail if the upstream took too few bytes."""
        unsent = self._wire.unsent
        if self._unsent - unsent >= SEND_PROGRESS:
            self._unsent = unsent
            assert self._stalled is not None, "it has just expired"
            self._stalled.set(self._send_s)
            return
        taken = max(0, self._written - unsent)
        message = f"The upstream took {taken} bytes of the request's body, and then less than {SEND_PROGRESS} in "
        self.fail(UpstreamTimeout(f"{message}{self._send_s:g} s.", headers=((b"x-should-retry", b"false"),)))

    def stop_sending(self) -> None:
        """Send no more of the request.  A response may still arrive."""
        if not self.sent:
            self.sent = True
            self.outgoing.stopProducing()

    # The response.

    def respond(self, head: ResponseHead) -> None:
        """The head of the response has arrived."""
        self.response = Response(head, self._wire)
        self.responded.callback(self.response)

    # The endings.

    def forget(self) -> None:
        """The wire no longer carries this exchange."""
        self.stop_sending()
        if self._stalled is not None:
            self._stalled.cancel()

    def done(self, trailers: Sequence[Header] = ()) -> None:
        """The response is complete, with its trailer section."""
        assert self.response is not None, "a response ends after its head"
        self.response.trailers = trailers
        self.response.body_ended(_DONE)

    def refuse(self) -> None:
        """The wire no longer carries this exchange: the upstream has not processed the request."""
        again = self.response is None and self.outgoing.recall()
        if again:
            self.sent = True  # by this exchange; the source keeps it for another one
        self.forget()
        self.fail(refusal(again))

    def fail(self, error: ProxyError) -> None:
        """Abort the wire.  The error goes to the source of the request, or to the receiver of the response's body."""
        response, responded = self.response, self.responded.called
        self._wire.abort()
        if not responded:
            self.responded.errback(error)
        elif response is not None:
            response.body_ended(Failure(error))
