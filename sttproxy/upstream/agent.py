"""
The agent under treq's client: it sends each request on a connection of the pool.
"""

from __future__ import annotations

import re
from typing import cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from ..errors import BadRequest, UpstreamRefused
from ..http1.responses import ResponseHead
from .interfaces import BodySink, IOutgoing, OutgoingHead
from .pool import Acquired, Pool
from .response import Response

#: Headers that frame a body or control the connection; the connection writes them itself.
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_URI = re.compile(rb"[!-~]+")


@implementer(IAgent)
class UpstreamAgent:
    """
    An agent for one server.  All requests go there; the host of a URI only becomes the Host header.

    A body producer that is an `IOutgoing` brings its own head, to the byte.  Method, URI and headers are ignored then,
    because treq has changed them: the method is in upper case, and an Accept-Encoding is added.  Its response has
    `OpaqueHeaders`, because treq's layers would store cookies and decode bodies; `Response.head` has the real headers.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """
        Send a request.

        :return: fires with a `Response`; fails with an `UpstreamError` or `UpstreamTimeout` that names the reason.
        :raises ValueError: when the method or the URI cannot be sent.
        """
        if IOutgoing.providedBy(bodyProducer):
            return cast("Deferred[IResponse]", self._send(cast(IOutgoing, bodyProducer)))
        outgoing = StockOutgoing(method, uri, headers or Headers(), bodyProducer)
        return cast("Deferred[IResponse]", self._send(outgoing).addCallback(_show_headers))

    def _send(self, outgoing: IOutgoing) -> Deferred[Response]:
        connection = self._pool.acquire_idle()
        if connection is not None:
            return self._request(connection, outgoing)
        return self._pool.acquire().addCallback(self._request, outgoing)

    def _request(self, acquired: Acquired, outgoing: IOutgoing, again: bool = True) -> Deferred[Response]:
        if acquired.upgradable:
            return acquired.request(outgoing)
        if outgoing.head.upgrades:
            acquired.close()
            return self._pool.acquire_http1().addCallback(lambda connection: connection.request(outgoing))
        return acquired.request(outgoing).addErrback(self._refused, outgoing, again)

    def _refused(self, failure: Failure, outgoing: IOutgoing, again: bool) -> Deferred[Response]:
        """A request over HTTP/2 has failed: send it again, once, if the upstream has not processed it."""
        error = failure.value
        if isinstance(error, UpstreamRefused) and error.again:
            if again:
                return self._pool.acquire().addCallback(self._request, outgoing, again=False)
            outgoing.stopProducing()
        return fail(failure)


def _show_headers(response: Response) -> Response:
    headers = Headers()
    for name, value in response.head.headers:
        headers.addRawHeader(name, value)
    response.headers = headers
    return response


@implementer(IOutgoing, IConsumer)
class StockOutgoing:
    """
    A request as Twisted's own clients describe it: the consumer of its body producer.
    """

    def __init__(self, method: bytes, uri: bytes, headers: Headers, producer: IBodyProducer | None) -> None:
        """
        :raises ValueError: when the method or the URI cannot be sent.
        """
        if not _METHOD.fullmatch(method) or not _URI.fullmatch(uri):
            raise ValueError(f"{method!r} {uri!r} cannot be sent in a request line")
        parsed = URI.fromBytes(uri)
        fields = [
            (name, value)
            for name, values in headers.getAllRawHeaders()
            if name.lower() not in _FRAMING
            for value in values
        ]
        if not headers.hasHeader(b"host"):
            fields.insert(0, (b"Host", parsed.netloc))
        length = 0 if producer is None else producer.length
        chunked = length is UNKNOWN_LENGTH
        fields.append((b"Transfer-Encoding", b"chunked") if chunked else (b"Content-Length", b"%d" % cast(int, length)))
        self.head = OutgoingHead(method, parsed.originForm, fields, chunked, upgrades=False)
        self._producer = producer
        self._left = None if chunked else cast(int, length)
        self._sink: BodySink | None = None

    def connected(self, reused: bool) -> None:
        """Does nothing."""

    def deliver(self, sink: BodySink) -> None:
        if self._producer is None:
            sink.body_ended()
            return
        self._sink = sink
        self._producer.startProducing(self).addCallbacks(self._ended, self._failed)

    def write(self, data: bytes) -> None:
        """Called by the producer."""
        if self._sink is None or not data:
            return
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self._fail("is longer than its length")
                return
        self._sink.body_received(data)

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Does nothing: the body producer is the only one."""

    def unregisterProducer(self) -> None:
        """Does nothing."""

    def _ended(self, _: object) -> None:
        if self._left:
            self._fail("is shorter than its length")
        elif self._sink is not None:
            self._sink.body_ended()

    def _failed(self, failure: Failure) -> None:
        self._fail(f"failed: {failure.getErrorMessage()}")

    def _fail(self, why: str) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.body_failed(BadRequest(f"The body {why}."))

    def recall(self) -> bool:
        return self._producer is None

    def pauseProducing(self) -> None:
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        if self._producer is not None:
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        self._sink = None
        if self._producer is not None:
            self._producer.stopProducing()

    def informed(self, head: ResponseHead) -> None:
        """Does nothing: Twisted's clients do not process interim responses."""
