"""
The relay: a request is forwarded and its response returned, with backpressure in both directions.

Each transfer has three endings, in both directions: done, upstream failed, client disconnected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol as Structure

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from zope.interface import implementer

from . import requestid
from .deadline import Deadline
from .errors import Header, ProxyError, UpstreamError, UpstreamTimeout
from .headers import end_to_end
from .http1.responses import ResponseHead
from .inbound.interfaces import BodyReceiver, BodySource
from .inbound.request import Request
from .monitor.record import RECEIVING, SENDING, WAITING, WORKING
from .monitor.server import Server
from .routes import Mount
from .trailers import forwardable
from .tunnel import TunnelEnd, connect, ends
from .upstream.client import Upstream
from .upstream.interfaces import IOutgoing, OutgoingHead
from .upstream.response import Response

log = Logger()

#: Most bytes of a body that are kept, so that they can be sent again after the upstream has refused the request.  Most
#: spoken commands are shorter.
MAX_KEPT = 64 * 1024

#: Returns additional headers for a response when it begins.
Notes = Callable[[], "list[Header]"]


#: Makes the two ends of the tunnel after a 101, at the client and at the server; raises `UpstreamError` when the 101
#: must not be relayed.
Tunnels = Callable[[IReactorTime, ResponseHead], "tuple[TunnelEnd, TunnelEnd]"]


def unread(clock: IReactorTime, head: ResponseHead) -> tuple[TunnelEnd, TunnelEnd]:
    """The ends of a tunnel for any protocol."""
    websocket = [value.lower() for value in head.values(b"upgrade")] == [b"websocket"]
    return ends(clock, websocket)


class Rewriter(Structure):
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
    ) -> None:
        """
        :param hops: the servers to try, at least one; the next is asked for when the previous one took no connection.
        :param notes: returns additional headers when the response begins.
        :param tunnels: makes the tunnel if the server switches to another protocol.
        """
        self._request = request
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
        headers = requestid.without(head, end_to_end(head))
        self._request.record.server_request_id = requestid.server_id(head)
        if self._mount is not None:
            headers = self._mount.amended(headers)
        if head.status == 101:
            self._tunnel(response, headers)
            return
        self._request.send_head(head.status, head.phrase, headers + self._notes(), head.length)
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
        self._request.unregisterProducer()
        self._request.finish()

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
        self._request.refuse(failure)

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
        self._request.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        try:
            if self._sample is not None:
                self._sample.add(data)
            self._request.write(data)
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
                self._request.unregisterProducer()
                self._failed(reason)
        except Exception:
            self._crashed(Failure())

    def _crashed(self, failure: Failure) -> None:
        """An unexpected exception: end both sides, so that neither waits for the other."""
        if self._response is not None:
            self._response.abort()
        self._request.refuse(failure)
