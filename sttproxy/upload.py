"""
The upload: a request's body on its way from the client to the upstream, rewritten in transit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from zope.interface import implementer

from .errors import Header, ProxyError
from .headers import end_to_end
from .http1.responses import ResponseHead
from .inbound.interfaces import BodyReceiver, BodySource
from .inbound.request import Request
from .monitor.record import RECEIVING, SENDING, WORKING
from .trailers import forwardable
from .upstream.interfaces import IOutgoing, OutgoingHead

#: Most bytes of a body that are kept, so that they can be sent again after the upstream has refused the request.  Most
#: spoken commands are shorter.
MAX_KEPT = 64 * 1024


class Rewriter(Protocol):
    """Rewrites a body in transit; see `forms`."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return those to send."""

    def finish(self) -> list[bytes]:
        """The body is complete; return the last bytes to send."""


class Untouched:
    """The rewriter that changes nothing."""

    def feed(self, data: bytes) -> list[bytes]:
        return [data]

    def finish(self) -> list[bytes]:
        return []


@implementer(IOutgoing)
class Upload:
    """
    A request in transit from the client to the upstream: its head and its body.

    :ivar head: for the server that it goes to.
    :ivar begun: whether a server has got any of it.

    A streamed body is read only when the upstream is connected.  If the upstream is down, the client gets its 502
    before the upload.
    """

    def __init__(
        self,
        request: Request,
        body: BodySource,
        rewriter: Rewriter,
        length: int | None,
        *,
        keeps_trailers: bool = False,
    ) -> None:
        """
        :param body: what is rewritten and sent; usually the request's own body.
        :param length: of the rewritten body, in bytes; None for a chunked one.
        :param keeps_trailers: whether the body's trailers are forwarded.
        """
        self.head: OutgoingHead
        self.length = length
        self._request = request
        self._record = request.record
        self._body = body
        self._rewriter = rewriter
        self._keeps_trailers = keeps_trailers
        self._receiver: BodyReceiver | None = None
        self._ended: Callable[[], None] | None = None
        self.begun = False
        #: What was sent, from the first byte on; None if it is too much to be kept.
        self._kept: list[bytes] | None = []
        self._kept_size = 0
        self._complete = False
        self._trailers: Sequence[Header] = ()
        self._error: ProxyError | None = None

    def when_ended(self, ended: Callable[[], None]) -> None:
        """Set a callback for the end of the body, complete or not."""
        self._ended = ended

    def connected(self, reused: bool) -> None:
        self._record.reused = reused
        if not self._request.body.complete:
            self._enter(RECEIVING)

    def _enter(self, phase: int) -> None:
        self._record.enter(phase, self._request.site.clock.seconds())

    def deliver(self, receiver: BodyReceiver) -> None:
        """Begin to send the body, or send it again after `recall`."""
        self._receiver = receiver
        if not self.begun:
            self.begun = True
            self._body.deliver(self)
            return
        for data in self._kept or ():
            if self._receiver is receiver:
                receiver.body_received(data)
        if self._receiver is not receiver:
            return
        if self._error is not None or self._complete:
            self._receiver = None
        if self._error is not None:
            receiver.body_failed(self._error)
        elif self._complete:
            receiver.body_ended(self._trailers)
        else:
            self._body.resumeProducing()

    def recall(self) -> bool:
        if self._kept is None:
            return False
        self._receiver = None
        self._body.pauseProducing()
        return True

    @property
    def unsent(self) -> int:
        return 0 if self._receiver is None else self._receiver.unsent

    def body_received(self, data: bytes) -> None:
        try:
            pieces = self._rewriter.feed(data)
        except ProxyError as error:
            self.body_failed(error)
        else:
            self._send(pieces)

    def body_ended(self, trailers: Sequence[Header] = ()) -> None:
        try:
            pieces = self._rewriter.finish()
        except ProxyError as error:
            self.body_failed(error)
        else:
            self._send(pieces)
            self._complete = True
            self._enter(WORKING)
            if trailers and self._keeps_trailers:
                self._trailers = forwardable(self._request.head, trailers)
            receiver = self._end()
            if receiver is not None:
                receiver.body_ended(self._trailers)

    def body_failed(self, error: ProxyError) -> None:
        self._error = error
        receiver = self._end()
        self._body.stopProducing()
        if receiver is not None:
            receiver.body_failed(error)

    def _send(self, pieces: list[bytes]) -> None:
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if not data:
            return
        self._record.sent_bytes += len(data)
        if self._kept is not None:
            self._kept.append(data)
            self._kept_size += len(data)
            if self._kept_size > MAX_KEPT and self._receiver is not None:
                self._kept = None
        if self._receiver is not None:
            self._receiver.body_received(data)

    def _end(self) -> BodyReceiver | None:
        receiver, self._receiver = self._receiver, None
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()
        return receiver

    def pauseProducing(self) -> None:
        self._enter(SENDING)
        self._body.pauseProducing()

    def resumeProducing(self) -> None:
        self._enter(RECEIVING)
        self._body.resumeProducing()

    def stopProducing(self) -> None:
        self._kept = None
        self._end()
        self._body.stopProducing()

    def informed(self, head: ResponseHead) -> None:
        """Relay an interim response."""
        headers = end_to_end(head)
        self._request.send_informational(head.status, head.phrase, headers)
