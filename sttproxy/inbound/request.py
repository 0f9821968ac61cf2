"""
One request and its response, as the Resource tree sees them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import cast

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.error import UnsupportedMethod
from twisted.web.http import RESPONSES
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET

from .. import requestid
from ..errors import Header, MethodNotAllowed, ProxyError, ShuttingDown, UpstreamError, UpstreamTimeout
from ..http1.requests import RequestHead
from ..http1.responses import ResponseHead
from ..monitor.entry import server_timing
from ..monitor.record import ANSWERING, CLIENT_GONE, DONE, FAILED, REFUSED, STOPPED, UPSTREAM_FAILED, Ending, Record
from . import accesslog
from .body import RequestBody
from .interfaces import Carrier, Serving, TunnelProtocol

log = Logger()

_NO_BODY = frozenset({204, 304})


class Request(server.Request):
    """
    A twisted.web Request that is rendered when its head is complete, while its body still arrives.

    A Resource responds as to any other (it returns bytes, or calls `write` and `finish`), or relays a server's response
    with `send_head`, which adds only the headers of this connection.

    :ivar head: its head, as the client sent it.
    :ivar body: its body.  It is not stored: ``content`` stays None.
    :ivar target: the request target for the upstream; a Resource may shorten it.
    :ivar prefix: what a Resource has removed from the beginning of the path.
    :ivar profile: the profile that the path names, or that a Resource chooses; empty: none.
    :ivar chosen_by: what has chosen the profile; empty: none is chosen yet.
    :ivar peer: the client's end of the connection.
    :ivar why: the reason in its log line, if a page of the proxy's own has one.
    :ivar trailers: sent behind the response's body, if its framing has trailers.
    :ivar changes: if given, the request is logged and kept only if its outcome differs from the one before.
    :ivar record: what is known of it, for the log and the statistics.
    """

    site: Serving  # type: ignore[assignment]  # the stock one names its own class
    #: None once the response is complete or the client has disconnected.
    channel: Carrier | None = None  # type: ignore[assignment]  # the stock one names its own class
    defaultContentType = None
    changes: accesslog.Changes | None = None
    trailers: Sequence[Header] = ()

    def __init__(self, channel: Carrier, head: RequestHead, body: RequestBody) -> None:
        self._headers: Headers | None = None
        super().__init__(channel)
        self.head = head
        self.peer = channel.peer()
        self.body = body
        self.method = head.method
        self.uri = head.target
        self.path = head.target.partition(b"?")[0]
        self.clientproto = head.version
        self.target = head.target
        self.prefix = b""
        self.profile = ""
        self.chosen_by = ""
        version = b"HTTP/2" if channel.multiplexed else head.version
        client = self.peer.client(head)
        self.record = Record(channel.site.clock.seconds(), head.method, self.path, version, client)
        self.record.request_id = requestid.request_id(head)
        self._on_disconnect: Callable[[], None] | None = None
        self.why = ""
        self._error: ProxyError | None = None
        self._tunnelled = False
        self._aborted = False
        self._stopped = False

    @property
    def requestHeaders(self) -> Headers:
        """The headers as Twisted's Headers; made on first use."""
        if self._headers is None:
            self._headers = Headers()
            for name, value in self.head.headers:
                self._headers.addRawHeader(name, value)
        return self._headers

    @requestHeaders.setter
    def requestHeaders(self, headers: Headers) -> None:
        """`Request.__init__` assigns an empty one."""

    @property
    def responded(self) -> bool:
        """Whether the head of a response has been sent."""
        return bool(self.startedWriting)

    @property
    def over(self) -> bool:
        """Whether the response is complete, or the client has disconnected."""
        return bool(self.finished or self._disconnected)

    def when_disconnected(self, call: Callable[[], None]) -> None:
        """
        Have it called when the client disconnects before the response is complete.

        For the relay, once for each request; ``notifyFinish`` does the same for others, with a Deferred.
        """
        self._on_disconnect = call

    def process(self) -> None:
        """Find the Resource and render it."""
        assert self.channel is not None, "a request begins on a connection"
        self.site = self.channel.site
        self.site.registry.begin(self.record)
        try:
            self.render(self.site.getResourceFor(self))
        except Exception:
            self.refuse(Failure())

    def render(self, resrc: IResource) -> None:
        """
        Let a Resource respond.

        :raises ProxyError: as the Resource does; `MethodNotAllowed` when it does not support the method.
        """
        try:
            body = resrc.render(self)
        except UnsupportedMethod as error:
            allowed = b", ".join(sorted(error.allowedMethods))
            raise MethodNotAllowed(
                f"{self.method.decode()} is not allowed here; allowed are: {allowed.decode()}.",
                headers=((b"Allow", allowed),),
            ) from None
        if body is not NOT_DONE_YET:
            self.respond(cast(bytes, body))

    def respond(self, body: bytes) -> None:
        """Send a whole body, with the head from ``setResponseCode`` and ``setHeader``."""
        self.setHeader(b"Content-Length", b"%d" % len(body))
        self.write(body)
        self.finish()

    def send_head(self, status: int, phrase: bytes | None, headers: list[Header], length: int | None) -> None:
        """
        Send the head of the response.

        :param headers: end-to-end headers, sent as they are; a Content-Length is among them if `length` is known.
            The identifier of the request is not; it is added to the list.
        :param length: of the body that follows, in bytes; None if it ends with `finish`.
        """
        assert self.channel is not None and not self.startedWriting
        self.startedWriting = 1
        self.code = status
        self.record.enter(ANSWERING, self.site.clock.seconds())
        self._identify(headers)
        bodiless = self.method == b"HEAD" or status in _NO_BODY
        cors = self.site.cors
        if cors is not None:
            headers = cors.amended(self.head, headers)
        self.channel.send_head(status, phrase, headers, length, bodiless=bodiless)

    def send_informational(self, status: int, phrase: bytes | None, headers: list[Header]) -> None:
        """Send an interim response (RFC 9110 §15.2), unless the final one has begun."""
        if self.channel is not None and not self.startedWriting:
            self.channel.send_informational(status, phrase, headers)

    def write(self, data: bytes) -> None:
        """Send bytes of the response's body; before the first, the head from ``setResponseCode`` and ``setHeader``."""
        if self._disconnected or self.channel is None:
            return
        if not self.startedWriting:
            headers = [(name, value) for name, values in self.responseHeaders.getAllRawHeaders() for value in values]
            lengths = self.responseHeaders.getRawHeaders(b"Content-Length")
            phrase = RESPONSES.get(self.code, b"")
            self.send_head(self.code, phrase, headers, int(lengths[0]) if lengths else None)
        if data and self.method != b"HEAD":
            self.record.response_bytes += len(data)
            self.channel.send_body(data)

    def finish(self) -> None:
        """The response is complete."""
        assert self.channel is not None and not self.finished
        if not self.startedWriting:
            self.write(b"")
        self.channel.end_body(self.trailers)
        self.finished = 1
        self._on_disconnect = None
        channel, self.channel = self.channel, None
        try:
            self._account()
            # ``notifyFinish`` fires before the next request on the connection begins.
            notifications, self.notifications = self.notifications, []
            for waiting in notifications:
                waiting.callback(None)
        finally:
            channel.requestDone(self)

    def tunnel(self, head: ResponseHead, headers: list[Header], end: TunnelProtocol) -> bytes:
        """
        Send a 101 and give the connection to another protocol.

        :param headers: of the response, those of this connection included; the identifier is added to the list.
        :param end: gets everything that arrives from now on, and the transport.
        :return: what has arrived for it already.
        """
        assert self.channel is not None and not self.startedWriting
        self.startedWriting = 1
        self.code = head.status
        self.record.enter(ANSWERING, self.site.clock.seconds())
        self._tunnelled = True
        self._identify(headers)
        return self.channel.tunnel(head.phrase, headers, end)

    def _identify(self, headers: list[Header]) -> None:
        """Add what each response tells about its request to its headers."""
        headers.append((requestid.HEADER, self.record.request_id.encode()))
        if self.site.server_timing:
            headers.append((b"Server-Timing", server_timing(self.record)))

    def fail(self, error: ProxyError) -> None:
        """
        Respond with an error.  If another response has begun, abort the connection, so that the client cannot mistake
        it for a complete one.
        """
        if self.over:
            return
        self._error = error
        if self.startedWriting:
            self.abort()
            return
        self.body.stopProducing()
        headers, body = error.answer(self.record.request_id)
        self.send_head(error.status, error.phrase(), headers, len(body))
        self.write(body)
        self.finish()

    def refuse(self, failure: Failure) -> None:
        """An errback: respond with the error.  An unexpected exception is logged, and becomes a 500."""
        error = failure.value
        if not isinstance(error, ProxyError):
            log.failure("A request could not be processed", failure)
            error = ProxyError("The proxy failed on this request; its log says more.")
        self.fail(error)

    def abort(self) -> None:
        """Abort the client's connection."""
        if self.channel is not None:
            self._aborted = True
            self.channel.abort()

    def stop(self) -> None:
        """The daemon stops and waits no longer: respond with 503, or abort if another response has begun."""
        self._stopped = True
        if self.startedWriting:
            self.abort()
        else:
            message = "The proxy was stopped before the response had begun; ask again."
            self.fail(ShuttingDown(message, headers=((b"Retry-After", b"1"),)))

    def connectionLost(self, reason: Failure) -> None:
        """The connection is lost: the client has disconnected, the proxy has aborted it, or a tunnel has ended."""
        if self._tunnelled:
            self.finished = 1
        on_disconnect, self._on_disconnect = self._on_disconnect, None
        super().connectionLost(reason)
        try:
            self._account()
        finally:
            if on_disconnect is not None:
                on_disconnect()

    def _account(self) -> None:
        """Count and log the request, once, when it ends."""
        record = self.record
        record.complete = bool(self.finished)
        if self.startedWriting:
            record.status = self.code
        record.received_bytes = self.body.received
        if self._error is not None:
            record.blame(self._error)
        else:
            record.why = self.why
        record.end(self._ending(), self.site.clock.seconds())
        noted = self.changes is None or self.changes.new((record.outcome, record.why))
        self.site.registry.end(record, noted)
        if noted:
            # Logged after the response is sent: a line takes a twentieth of the time of a small request.
            self.site.scheduler.add(functools.partial(self.site.access.write, record, self.head))

    def _ending(self) -> Ending:
        if self._stopped:
            return STOPPED
        if not (self.finished or self._aborted):
            return CLIENT_GONE
        error = self._error
        if error is None:
            return DONE if self.finished else FAILED
        if isinstance(error, UpstreamError | UpstreamTimeout):
            return UPSTREAM_FAILED
        return FAILED if error.code == ProxyError.code else REFUSED
