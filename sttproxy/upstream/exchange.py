"""
One request to the upstream and its response, whatever carries them.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from ..deadline import Deadline
from ..errors import ProxyError, UpstreamTimeout
from ..http1.responses import ResponseHead
from .interfaces import IOutgoing, Wire
from .response import Response

#: Bytes of a request that an upstream is expected to take within each period of the time for it.
SEND_PROGRESS = 64 * 1024

#: What tells the receiver of every complete body; it has no traceback, so one will do.
_DONE = Failure(ResponseDone())


class Exchange:
    """
    Has a request's body sent at the upstream's pace, and tells its source of the response.

    It has three endings: `done`, `fail`, and that the wire is aborted, of which only the source of the body is told.

    :ivar outgoing: the request.
    :ivar answer: fires with the `Response` when its head has come; cancelling it aborts the wire.
    :ivar sent: the request is complete, or nothing more of it will be sent.
    :ivar response: once its head has come.
    """

    def __init__(self, outgoing: IOutgoing, wire: Wire, clock: IReactorTime, send_s: float | None) -> None:
        """
        :param send_s: seconds that the upstream may need to take `SEND_PROGRESS` bytes of a request; None: any time.
        """
        self.outgoing = outgoing
        self.answer: Deferred[Response] = Deferred(lambda _: wire.abort())
        self.sent = False
        self.response: Response | None = None
        self._wire = wire
        self._clock = clock
        self._send_s = send_s
        #: Runs while the upstream takes less than it is given; made when that happens first.
        self._stalled: Deadline | None = None
        #: Bytes of the request's body that were sent, and how many of all were unsent when the time began.
        self._written = 0
        self._unsent = 0

    # The request's body.

    def body_received(self, data: bytes) -> None:
        """Take bytes of the request's body; never none."""
        assert not self.sent, "nothing comes after the end"
        self._written += len(data)
        self._wire.send_body(data)

    def body_ended(self) -> None:
        """The request is complete."""
        assert not self.sent, "it ends once"
        self.sent = True
        self._wire.end_body()

    def body_failed(self, error: ProxyError) -> None:
        """The body failed.  Abort, so that the upstream cannot mistake a partial body for a complete one."""
        self.fail(error)

    def pause(self) -> None:
        """The write buffer is full: let the source of the body pause, and the upstream not take for ever."""
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
        """The upstream has had its time for some bytes; if it has taken them, it gets as much for the next ones."""
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
        """Send no more of the request; a response may come all the same."""
        if not self.sent:
            self.sent = True
            self.outgoing.stopProducing()

    # The response.

    def respond(self, head: ResponseHead) -> None:
        """The head of the response has come."""
        self.response = Response(head, self._wire)
        self.answer.callback(self.response)

    # The endings.

    def forget(self) -> None:
        """The wire carries this exchange no more."""
        self.stop_sending()
        if self._stalled is not None:
            self._stalled.cancel()

    def done(self) -> None:
        """The response is complete."""
        assert self.response is not None, "a response ends after its head"
        self.response.body_ended(_DONE)

    def fail(self, error: ProxyError) -> None:
        """Abort the wire, and tell the source of the request why there is no response, or no more of it."""
        response, answered = self.response, self.answer.called
        self._wire.abort()
        if not answered:
            self.answer.errback(error)
        elif response is not None:
            response.body_ended(Failure(error))
