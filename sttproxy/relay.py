"""
A request passed on and its response passed back, with backpressure both ways.

Each transfer has three endings, whichever way it goes: done, upstream failed, client gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol as Structure

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from zope.interface import implementer

from .deadline import Deadline
from .errors import Header, ProxyError, UpstreamError, UpstreamTimeout
from .headers import end_to_end
from .http1.responses import ResponseHead
from .inbound.interfaces import BodyReceiver, BodySource
from .inbound.request import Request
from .routes import Mount
from .tunnel import connect, ends
from .upstream.client import Upstream
from .upstream.interfaces import IOutgoing, OutgoingHead
from .upstream.response import Response

log = Logger()


#: Gives further headers of a response, when it begins.
Notes = Callable[[], "list[Header]"]


class Rewriter(Structure):
    """What rewrites a body on its way; `forms` has them."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return those that go on."""

    def finish(self) -> list[bytes]:
        """End; return the last bytes."""


class Untouched:
    """The rewriter of everything else."""

    def feed(self, data: bytes) -> list[bytes]:
        return [data]

    def finish(self) -> list[bytes]:
        return []


@implementer(IOutgoing)
class Upload:
    """
    A request's body on its way from the client to the upstream, and the head that goes before it.

    The client is not asked for its body before the upstream connection stands: nobody uploads a gigabyte to hear 502.
    """

    def __init__(
        self, request: Request, body: BodySource, head: OutgoingHead, rewriter: Rewriter, length: int | None
    ) -> None:
        """
        :param body: what is sent, after the rewriter; usually the request's own.
        :param length: of what is sent, in bytes; None for a chunked body.
        """
        self.head = head
        self.length = length
        self._request = request
        self._body = body
        self._rewriter = rewriter
        self._receiver: BodyReceiver | None = None
        self._ended: Callable[[], None] | None = None

    def when_ended(self, ended: Callable[[], None]) -> None:
        """Have it called when no more is sent, whether it was all or not."""
        self._ended = ended

    def deliver(self, receiver: BodyReceiver) -> None:
        """Begin."""
        self._receiver = receiver
        self._body.deliver(self)

    def body_received(self, data: bytes) -> None:
        try:
            pieces = self._rewriter.feed(data)
        except ProxyError as error:
            self.body_failed(error)
        else:
            self._send(pieces)

    def body_ended(self) -> None:
        try:
            pieces = self._rewriter.finish()
        except ProxyError as error:
            self.body_failed(error)
        else:
            self._send(pieces)
            receiver = self._end()
            if receiver is not None:
                receiver.body_ended()

    def body_failed(self, error: ProxyError) -> None:
        receiver = self._end()
        self._body.stopProducing()
        if receiver is not None:
            receiver.body_failed(error)

    def _send(self, pieces: list[bytes]) -> None:
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if data and self._receiver is not None:
            self._receiver.body_received(data)

    def _end(self) -> BodyReceiver | None:
        receiver, self._receiver = self._receiver, None
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()
        return receiver

    def pauseProducing(self) -> None:
        self._body.pauseProducing()

    def resumeProducing(self) -> None:
        self._body.resumeProducing()

    def stopProducing(self) -> None:
        self._end()
        self._body.stopProducing()

    def informed(self, head: ResponseHead) -> None:
        """Pass an interim response on."""
        headers = end_to_end(head)
        self._request.send_informational(head.status, head.phrase, headers)


class Relay(Protocol):
    """
    Brings a response to the client, as it comes and at the client's pace.
    """

    def __init__(
        self,
        request: Request,
        upstream: Upstream,
        upload: Upload,
        answer_s: float | None,
        notes: Notes = list,
        mount: Mount | None = None,
    ) -> None:
        """
        :param mount: where the server's paths appear to the client; None: where they are.
        :param notes: further headers of the response, asked for when it begins.
        :param answer_s: seconds that the upstream may take from the end of the upload to the head of its response.
        """
        self._request = request
        self._answer_s = answer_s
        self._notes = notes
        self._mount = mount
        self._deadline: Deadline | None = None
        self._upload = upload
        self._upstream = upstream
        self._answer: Deferred[Response] | None = None
        self._response: Response | None = None

    def start(self) -> None:
        """Send the request."""
        self._request.when_gone(self._client_gone)
        if self._answer_s is not None:
            self._upload.when_ended(self._uploaded)
        self._answer = self._upstream.request(self._upload)
        self._answer.addCallbacks(self._answered, self._failed)
        self._answer.addErrback(self._crashed)

    def _uploaded(self) -> None:
        if self._response is None and not self._request.over:
            self._deadline = Deadline(self._request.site.clock, self._too_late)
            self._deadline.set(self._answer_s)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _answered(self, response: Response) -> None:
        self._stop_waiting()
        self._response = response
        head = response.head
        headers = end_to_end(head)
        if self._mount is not None:
            headers = self._mount.amended(headers)
        if head.status == 101:
            self._tunnel(response, headers)
            return
        self._request.send_head(head.status, head.phrase, headers + self._notes(), head.length)
        response.deliverBody(self)

    def _tunnel(self, response: Response, headers: list[Header]) -> None:
        """The upstream has taken the upgrade: from now on the connection speaks another protocol."""
        self._response = None
        head = response.head
        websocket = [value.lower() for value in head.values(b"upgrade")] == [b"websocket"]
        near, far = ends(self._request.site.clock, websocket)
        upgrade = [(b"Connection", b"Upgrade"), *((b"Upgrade", value) for value in head.values(b"upgrade"))]
        early = self._request.tunnel(head, headers + upgrade, near)
        connect(near, early, response.tunnel(far))

    # The three endings.

    def _done(self) -> None:
        self._request.unregisterProducer()
        self._request.finish()

    def _failed(self, failure: Failure) -> None:
        """The upstream failed, or the client's own body did; or nobody is there any more to hear of it."""
        self._stop_waiting()
        if self._request.over:
            return
        error = failure.value
        if isinstance(error, UpstreamError | UpstreamTimeout):
            self._request.site.stats.upstream_errors[error.code] += 1
        self._request.refuse(failure)

    def _too_late(self) -> None:
        """The upstream takes longer than it may.  It may still be at work, so the SDKs are told not to ask again."""
        error = UpstreamTimeout(
            f"The upstream did not answer within {self._answer_s:g} s.", headers=((b"x-should-retry", b"false"),)
        )
        self._failed(Failure(error))
        if self._answer is not None:
            self._answer.cancel()

    def _client_gone(self) -> None:
        self._stop_waiting()
        if self._response is not None:
            self._response.abort()
        elif self._answer is not None:
            self._answer.cancel()

    # The response's body.

    def connectionMade(self) -> None:
        self._request.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        try:
            self._request.write(data)
        except Exception:
            self._crashed(Failure())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._response = None  # which has this as its receiver
        if self._request.over:
            return
        try:
            if isinstance(reason.value, ResponseDone):
                self._done()
            else:
                self._request.unregisterProducer()
                self._failed(reason)
        except Exception:
            self._crashed(Failure())

    def _crashed(self, failure: Failure) -> None:
        """An exception that was not foreseen: neither side may be left waiting for the other."""
        if self._response is not None:
            self._response.abort()
        self._request.refuse(failure)
