"""
The relay: a request is forwarded and its response returned, with backpressure in both directions.

Each transfer has three endings, in both directions: done, upstream failed, client disconnected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from typing import Protocol as Structure

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from . import requestid
from .deadline import Deadline
from .errors import Header, UpstreamError, UpstreamTimeout
from .headers import end_to_end
from .http1.responses import ResponseHead
from .inbound.request import Request
from .monitor.record import WAITING
from .monitor.server import Server
from .routes import Mount
from .trailers import forwardable
from .tunnel import TunnelEnd, connect, ends
from .upload import Upload
from .upstream.client import Upstream
from .upstream.interfaces import OutgoingHead
from .upstream.response import Response

log = Logger()

#: Returns additional headers for a response when it begins.
Notes = Callable[[], "list[Header]"]

#: Makes the two ends of the tunnel after a 101, at the client and at the server; raises `UpstreamError` when the 101
#: must not be relayed.
Tunnels = Callable[[IReactorTime, ResponseHead], "tuple[TunnelEnd, TunnelEnd]"]


def unread(clock: IReactorTime, head: ResponseHead) -> tuple[TunnelEnd, TunnelEnd]:
    """The ends of a tunnel for any protocol."""
    websocket = [value.lower() for value in head.values(b"upgrade")] == [b"websocket"]
    return ends(clock, websocket)


@attrs.define  # a frozen one takes four times as long to be made
class Hop:
    """
    A server that a request may go to.

    :ivar server: what is known of it.
    :ivar head: the head of the request for it.
    :ivar mount: under which path the client sees it; None: the same.
    :ivar response_s: seconds from the end of the upload to the head of the response; None: any time.
    """

    upstream: Upstream
    server: Server
    head: OutgoingHead
    mount: Mount | None
    response_s: float | None


class Answer(Structure):
    """What a response is written to: the request, or what changes it on its way there."""

    def send_head(self, status: int, phrase: bytes | None, headers: list[Header], length: int | None) -> None:
        """As `Request.send_head`."""

    def write(self, data: bytes) -> None:
        """Take bytes of the body."""

    def finish(self) -> None:
        """The body is complete."""

    def refuse(self, failure: Failure) -> None:
        """The body ends before it is complete."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pause and resume what produces the body."""

    def unregisterProducer(self) -> None:
        """Nothing produces the body any more."""


#: Returns what a response is written to.
Answers = Callable[[Request, ResponseHead], Answer]


def unchanged(request: Request, head: ResponseHead) -> Answer:
    """The response passes as it comes."""
    return request


class Relay(Protocol):
    """
    Sends a request, and relays the response to the client as it arrives, at the client's pace.

    A request of which no byte was sent moves on to the next server if there is one.
    """

    def __init__(
        self,
        request: Request,
        hops: Iterator[Hop],
        upload: Upload,
        notes: Notes = list,
        tunnels: Tunnels = unread,
        answers: Answers = unchanged,
    ) -> None:
        """
        :param hops: the servers to try, at least one; the next is asked for when the previous one took no connection.
        :param notes: returns additional headers when the response begins.
        :param tunnels: makes the tunnel if the server switches to another protocol.
        :param answers: returns what the response is written to.
        """
        self._request = request
        self._answer: Answer = request
        self._answers = answers
        self._sample = request.record.sample
        self._server: Server
        self._response_s: float | None = None
        self._notes = notes
        self._tunnels = tunnels
        self._hops = hops
        self._mount: Mount | None = None
        self._deadline: Deadline | None = None
        self._upload = upload
        self._responding: Deferred[Response] | None = None
        self._response: Response | None = None

    def start(self) -> None:
        """Send the request."""
        self._request.when_disconnected(self._client_disconnected)
        self._send(next(self._hops))

    def _send(self, hop: Hop) -> None:
        self._upload.head, self._mount, self._response_s = hop.head, hop.mount, hop.response_s
        self._server = self._request.record.server = hop.server
        if hop.response_s is not None:
            self._upload.when_ended(self._uploaded)
        self._responding = hop.upstream.request(self._upload)
        self._responding.addCallbacks(self._relay_response, self._failed)
        self._responding.addErrback(self._crashed)

    def _uploaded(self) -> None:
        if self._response is None and not self._request.over:
            self._deadline = Deadline(self._request.site.clock, self._too_late)
            self._deadline.set(self._response_s)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _relay_response(self, response: Response) -> None:
        self._stop_waiting()
        self._response = response
        head = response.head
        headers = end_to_end(head)
        self._request.record.server_request_id = requestid.stated(head)
        if self._mount is not None:
            headers = self._mount.amended(headers)
        if head.status == 101:
            self._tunnel(response, headers)
            return
        headers += self._notes()
        self._answer = self._answers(self._request, head)
        self._answer.send_head(head.status, head.phrase, headers, head.length)
        self._server.last_success = self._request.record.since
        response.deliverBody(self)

    def _tunnel(self, response: Response, headers: list[Header]) -> None:
        """The upstream has accepted the upgrade: from now on the connection carries another protocol."""
        self._response = None
        head = response.head
        try:
            near, far = self._tunnels(self._request.site.clock, head)
        except UpstreamError:
            response.abort()
            self._failed(Failure())
            return
        upgrade = [(b"Connection", b"Upgrade"), *((b"Upgrade", value) for value in head.values(b"upgrade"))]
        early = self._request.tunnel(head, headers + upgrade, near)
        self._server.last_success = self._request.record.since
        connect(near, early, response.tunnel(far))

    # The three endings.

    def _done(self, response: Response) -> None:
        if response.trailers:
            self._request.trailers = forwardable(response.head, response.trailers)
        self._answer.unregisterProducer()
        self._answer.finish()

    def _failed(self, failure: Failure) -> None:
        """The request failed: an error of the upstream, a timeout, or an error in the client's body."""
        self._stop_waiting()
        if self._request.over:
            return
        error = failure.value
        if isinstance(error, UpstreamError | UpstreamTimeout):
            self._server.failed(error.code, self._request.site.clock.seconds())
            hop = None if self._upload.begun else next(self._hops, None)
            if hop is not None:
                self._request.site.registry.moved_on += 1
                self._request.record.enter(WAITING, self._request.site.clock.seconds())
                self._send(hop)
                return
        self._answer.refuse(failure)

    def _too_late(self) -> None:
        """The response timeout has expired.  The upstream may still be computing, so SDKs must not retry."""
        error = UpstreamTimeout(
            f"The upstream did not answer within {self._response_s:g} s.", headers=((b"x-should-retry", b"false"),)
        )
        self._failed(Failure(error))
        if self._responding is not None:
            self._responding.cancel()

    def _client_disconnected(self) -> None:
        self._stop_waiting()
        if self._response is not None:
            self._response.abort()
        elif self._responding is not None:
            self._responding.cancel()

    # The response's body.

    def connectionMade(self) -> None:
        self._answer.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        try:
            if self._sample is not None:
                self._sample.add(data)
            self._answer.write(data)
        except Exception:
            self._crashed(Failure())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        response, self._response = self._response, None  # the two refer to each other
        if self._request.over:
            return
        try:
            if isinstance(reason.value, ResponseDone):
                assert response is not None, "its body ends once"
                self._done(response)
            else:
                self._answer.unregisterProducer()
                self._failed(reason)
        except Exception:
            self._crashed(Failure())

    def _crashed(self, failure: Failure) -> None:
        """An unexpected exception: end both sides, so that neither waits for the other."""
        if self._response is not None:
            self._response.abort()
        self._request.refuse(failure)
