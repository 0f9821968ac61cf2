"""
One request, as the Resource tree sees it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import cast

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.error import UnsupportedMethod
from twisted.web.http import RESPONSES
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET

from ..errors import Header, MethodNotAllowed, ProxyError, ShuttingDown
from ..http1.framing import LAST_CHUNK, chunk
from ..http1.requests import RequestHead
from ..http1.responses import ResponseHead, write_response
from . import accesslog
from .body import RequestBody
from .interfaces import Carrier, Serving, TunnelProtocol

log = Logger()

_NO_BODY = frozenset({204, 304})


class Request(server.Request):
    """
    A twisted.web Request that is rendered when its head is complete, while its body still arrives.

    A Resource answers it like any other (return bytes, or `write` and `finish`), or passes another server's answer on
    with `send_head`, to which nothing is added but what concerns this connection.

    :ivar head: its head, as the client sent it.
    :ivar body: its body; `content` stays None, nothing is stored.
    :ivar target: the request target that is passed on, if the request is; a Resource may shorten it.
    :ivar profile: the profile that it asks for; empty: none.
    :ivar peer: the other end of its connection.
    :ivar why: what its log line says of its end; an error of the proxy's own puts its message there.
    :ivar changes: where it is given, the request is logged only if it ends in another way than the one before.
    :ivar began: when its head was complete, in the clock's seconds.
    """

    site: Serving  # type: ignore[assignment]  # the stock one names its own class
    #: None once the answer is complete or the client has left.
    channel: Carrier | None = None  # type: ignore[assignment]  # the stock one names its own class
    defaultContentType = None
    changes: accesslog.Changes | None = None

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
        self.profile = ""
        self.began = channel.site.clock.seconds()
        self._gone: Callable[[], None] | None = None
        self.why = ""
        self._error: ProxyError | None = None
        self._tunnelled = False
        self._broken_off = False
        self._stopped = False

    @property
    def requestHeaders(self) -> Headers:
        """The headers in Twisted's own form; made when first asked for."""
        if self._headers is None:
            self._headers = Headers()
            for name, value in self.head.headers:
                self._headers.addRawHeader(name, value)
        return self._headers

    @requestHeaders.setter
    def requestHeaders(self, headers: Headers) -> None:
        """`Request.__init__` assigns an empty one."""

    @property
    def answered(self) -> bool:
        """Whether the head of an answer is out."""
        return bool(self.startedWriting)

    @property
    def over(self) -> bool:
        """Whether there is nobody to answer any more: the answer is complete or the client has left."""
        return bool(self.finished or self._disconnected)

    def when_gone(self, gone: Callable[[], None]) -> None:
        """
        Have it called when the client leaves before the answer is complete.

        It is for whoever passes the request on; `notifyFinish` tells everybody else, at the price of a Deferred.
        """
        self._gone = gone

    def process(self) -> None:
        """Find the Resource and render it."""
        assert self.channel is not None, "a request begins on a connection"
        self.site = self.channel.site
        stats = self.site.stats
        stats.total_requests += 1
        stats.in_flight += 1
        try:
            self.render(self.site.getResourceFor(self))
        except Exception:
            self.refuse(Failure())

    def render(self, resrc: IResource) -> None:
        """
        Let a Resource answer.

        :raises ProxyError: what it raises, and `MethodNotAllowed` for a method that it does not know.
        """
        try:
            body = resrc.render(self)
        except UnsupportedMethod as error:
            allowed = b", ".join(sorted(error.allowedMethods))
            raise MethodNotAllowed(
                f"{self.method.decode()} is not offered here; what is: {allowed.decode()}.",
                headers=((b"Allow", allowed),),
            ) from None
        if body is not NOT_DONE_YET:
            answer = cast(bytes, body)
            self.setHeader(b"Content-Length", b"%d" % len(answer))
            self.write(answer)
            self.finish()

    def send_head(self, status: int, phrase: bytes | None, headers: list[Header], length: int | None) -> None:
        """
        Send the head of the answer.

        :param headers: end-to-end headers, sent as they are; a Content-Length is among them where `length` is known.
        :param length: of the body that follows, in bytes; None: it ends with `finish`.
        """
        assert self.channel is not None and not self.startedWriting
        self.startedWriting = 1
        self.code = status
        own: list[Header] = []
        bodiless = self.method == b"HEAD" or status in _NO_BODY
        if length is None and not bodiless:
            if self.clientproto == b"HTTP/1.1":
                self.chunked = 1
                own.append((b"Transfer-Encoding", b"chunked"))
            else:
                self.channel.make_last()
        if self.channel.last():
            own.append((b"Connection", b"close"))
        elif self.clientproto == b"HTTP/1.0":
            own.append((b"Connection", b"keep-alive"))
        self.channel.write(write_response(status, phrase, headers + own))

    def send_informational(self, status: int, phrase: bytes | None, headers: list[Header]) -> None:
        """Send an interim response (RFC 9110 §15.2); HTTP/1.0 has none, and after the head there is none."""
        if self.channel is not None and self.clientproto == b"HTTP/1.1" and not self.startedWriting:
            self.channel.write(write_response(status, phrase, headers))

    def write(self, data: bytes) -> None:
        """Send bytes of the answer's body, with the head from `setResponseCode` and `setHeader` before the first."""
        if self._disconnected or self.channel is None:
            return
        if not self.startedWriting:
            headers = [(name, value) for name, values in self.responseHeaders.getAllRawHeaders() for value in values]
            lengths = self.responseHeaders.getRawHeaders(b"Content-Length")
            phrase = RESPONSES.get(self.code, b"")
            self.send_head(self.code, phrase, headers, int(lengths[0]) if lengths else None)
        if data and self.method != b"HEAD":
            self.sentLength += len(data)
            self.channel.write(chunk(data) if self.chunked else data)

    def finish(self) -> None:
        """The answer is complete."""
        assert self.channel is not None and not self.finished
        if not self.startedWriting:
            self.write(b"")
        if self.chunked:
            self.channel.write(LAST_CHUNK)
        self.finished = 1
        self._gone = None
        channel, self.channel = self.channel, None
        try:
            self._account()
            # Whoever waited for this request hears of its end before the next one on the connection begins.
            notifications, self.notifications = self.notifications, []
            for waiting in notifications:
                waiting.callback(None)
        finally:
            channel.requestDone(self)

    def tunnel(self, head: ResponseHead, headers: list[Header], end: TunnelProtocol) -> bytes:
        """
        Send a 101 and give the connection away.

        :param headers: of the answer, those included that speak of this connection.
        :param end: gets everything that arrives from now on, and the transport.
        :return: what has arrived for it already.
        """
        assert self.channel is not None and not self.startedWriting
        self.startedWriting = 1
        self.code = head.status
        self._tunnelled = True
        self.channel.write(write_response(head.status, head.phrase, headers))
        return self.channel.tunnel(end)

    def fail(self, error: ProxyError) -> None:
        """
        Answer with an error; where another answer has begun, break the connection, so that it is not taken for whole.
        """
        if self.over:
            return
        self.why = error.message
        self._error = error
        if self.startedWriting:
            self.abort()
            return
        self.body.stopProducing()
        headers, body = error.answer()
        self.send_head(error.status, error.phrase(), headers, len(body))
        self.write(body)
        self.finish()

    def refuse(self, failure: Failure) -> None:
        """An errback: answer with the error; one that nobody foresaw is logged."""
        error = failure.value
        if not isinstance(error, ProxyError):
            log.failure("A request could not be processed", failure)
            error = ProxyError("The proxy failed on this request; its log says more.")
        self.fail(error)

    def abort(self) -> None:
        """Break the client's connection."""
        if self.channel is not None:
            self._broken_off = True
            self.channel.abort()

    def stop(self) -> None:
        """The daemon stops and waits no longer: say so where no answer has begun, else break it off."""
        self._stopped = True
        self.site.stats.stopped += 1
        if self.startedWriting:
            self.abort()
        else:
            message = "The proxy was stopped before the response had begun; ask again."
            self.fail(ShuttingDown(message, headers=((b"Retry-After", b"1"),)))

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone: the client has left, or it was broken off, or that is how a tunnel ends."""
        if self._tunnelled:
            self.finished = 1
        elif self._stopped:
            pass  # it is counted already
        elif self._broken_off:
            self.site.stats.broken_off += 1
        else:
            self.site.stats.clients_gone += 1
        gone, self._gone = self._gone, None
        super().connectionLost(reason)
        try:
            self._account()
        finally:
            if gone is not None:
                gone()

    def _account(self) -> None:
        """Count and log the request, once, at its end."""
        stats = self.site.stats
        stats.in_flight -= 1
        if self.finished:
            stats.answered(self.code)
        broken = "stopped" if self._stopped else "broken off" if self._broken_off else "client gone"
        outcome = self.code if self.finished else broken
        if self.changes is not None and not self.changes.new((outcome, self.why)):
            return
        line = functools.partial(
            accesslog.write,
            accesslog.level_of(self._error) if self._error else accesslog.level_of_answer(self.code),
            self.peer.client(self.head),
            self.method.decode(),
            self.head.shown_target(),
            outcome,
            self.sentLength,
            self.site.clock.seconds() - self.began,
            self.why,
        )
        # It is logged when the answer is out, for that takes a tenth of the time that a small request does.
        self.site.scheduler.add(line)
