"""
One inbound HTTP/1 connection: a thin adapter between a Twisted transport and `http1`.

It reads heads, dispatches requests, pushes bodies on while they arrive, and processes pipelined requests in order, one
at a time.  The Resource tree produces the responses.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ..deadline import Deadline
from ..errors import BadRequest, BodyTooLarge, ProxyError, RequestTimeout
from ..http1.framing import decoder_for
from ..http1.heads import HEAD_END, MAX_HEAD
from ..http1.requests import RequestHead, check_beginning, parse_request, skip_empty_lines
from ..http2.outbound import PREFACE
from ..transport import close, end_writing, readable
from .body import RequestBody
from .connection import ClientConnection
from .interfaces import Serving, TunnelProtocol
from .rejection import last_response, reject
from .request import Request
from .response import ResponseWriter

if TYPE_CHECKING:
    from .http2 import HTTP2

#: Most bytes of pipelined requests that are buffered during a response; beyond that the client is paused.
MAX_PIPELINED = 64 * 1024
#: Seconds that an idle connection is kept when the daemon stops.  A busy client's next request may be on its way; it
#: gets its response, with "Connection: close".
LINGER_S = 1.0
#: Seconds of silence after which a connection is closed behind the last response over HTTP/2.  Clients give windows
#: back while they read it; a close before would reset the connection, and the rest of the response would be lost.
HTTP2_LINGER_S = 2.0
#: Seconds that a tunnel gets to close when the daemon stops.
TUNNEL_GRACE_S = 5.0
#: Most bytes of an upload that are read and dropped after an early response, so that no reset takes the response away.
MAX_DRAINED = 1 << 30


class _State(enum.Enum):
    IDLE = "between requests"
    HEAD = "a head has begun"
    BODY = "a request is in flight, its body still arriving"
    RESPONSE = "a request is in flight, its body complete"
    DRAIN = "the last response is sent; what still arrives is dropped"
    TUNNEL = "all bytes belong to another protocol"
    HTTP2 = "the client speaks HTTP/2"
    CLOSED = "the connection is closed"


#: CPython 3.11 needs 40 ns to look a member up in its class, and a request needs thirty lookups.
_IDLE, _HEAD, _BODY, _RESPONSE, _DRAIN, _TUNNEL, _HTTP2, _CLOSED = _State


class HTTPChannel(ClientConnection):
    """One HTTP/1 connection of a client."""

    def __init__(self, site: Serving) -> None:
        super().__init__(site)
        self._state = _IDLE
        self._deadline = Deadline(site.clock, self._expired)
        self._body_deadline = Deadline(site.clock, self._body_expired)
        self._buffer = b""
        self._request: Request | None = None
        self._body: RequestBody | None = None
        self._last = False
        self._dispatching = False
        #: Bytes that were read and dropped in the state DRAIN.
        self._dropped = 0
        self._tunnel: TunnelProtocol | None = None
        self._http2: HTTP2 | None = None
        #: No head has come: the first bytes may be the preface of HTTP/2.
        self._first = True
        #: In the state HEAD: when the head began, in the clock's seconds.
        self._head_began = 0.0

    # The transport's side.

    def connectionMade(self) -> None:
        super().connectionMade()
        self._responses = ResponseWriter(self, self.transport, self.site, self._writer, self._addresses, self._secure)
        self._await_request()

    def dataReceived(self, data: bytes) -> None:
        if self._state is _BODY:
            self._body_arrived(data)
        elif self._state is _DRAIN:
            self._dropped += len(data)
            if self._dropped > MAX_DRAINED:
                self.abort()
            elif self._http2 is not None:
                self._deadline.set(HTTP2_LINGER_S)
        elif self._tunnel is not None:
            self._tunnel.dataReceived(data)
        elif self._http2 is not None:
            self._http2.received(data)
        elif self._state is not _CLOSED:
            self._buffer = self._buffer + data if self._buffer else data
            if self._state is _RESPONSE:
                self.update_reading()
            else:
                self._read_heads()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._state = _CLOSED
        self._deadline.cancel()
        self._body_deadline.cancel()
        if self._tunnel is not None:
            self._tunnel.connectionLost(reason)
        if self._http2 is not None:
            self._http2.lost()
        request, body, self._request, self._body = self._request, self._body, None, None
        if body is not None:
            body.detach()
        try:
            if request is not None:
                request.connectionLost(reason)
        finally:
            super().connectionLost(reason)

    # Reading.

    def _await_request(self) -> None:
        """Wait for the next request, for a limited time."""
        self._deadline.set(LINGER_S if self.site.draining else self.site.timeouts.idle)

    def _read_heads(self) -> None:
        """Dispatch the buffered requests in order, up to the first one whose response is not complete at once."""
        if self._dispatching:
            return  # called within a dispatch; the loop below continues
        self._dispatching = True
        head = None
        try:
            while self._state in (_IDLE, _HEAD) and self._buffer and not self._responses.write_buffer_full:
                head = None
                head = self._take_head()
                if head is None:
                    break
                self._dispatch(head)
        except ProxyError as error:
            self._reject(error, head)
        finally:
            self._dispatching = False

    def _take_head(self) -> RequestHead | None:
        """
        Take a complete head from the buffer.  Returns None if more bytes are needed.

        :raises ProxyError: when it cannot be accepted; it stays in the buffer then.
        """
        if self._buffer.startswith(b"\r\n"):
            self._buffer = skip_empty_lines(self._buffer)
        if self._first and PREFACE.startswith(self._buffer[: len(PREFACE)]):
            if len(self._buffer) >= len(PREFACE):
                self._speak_http2()
                return None
            end = -1  # the preface contains an empty line, which ends no head
        else:
            end = self._buffer.find(HEAD_END, 0, MAX_HEAD)
        if end < 0:
            check_beginning(self._buffer)
            if self._state is _IDLE and self._buffer not in (b"", b"\r"):
                self._state = _HEAD
                self._head_began = self.site.clock.seconds()
                self._deadline.set(self.site.timeouts.head)
            return None
        data = self._buffer
        end += len(HEAD_END)
        head = parse_request(data[:end])
        self._buffer = data[end:]
        self._first = False
        return head

    def _speak_http2(self) -> None:
        """Give the connection to HTTP/2, whose preface has come (RFC 9113 §3.4)."""
        from .http2 import HTTP2  # h2 takes some time to import

        self._state = _HTTP2
        self._deadline.clear()
        self._http2 = HTTP2(self.site, self.transport, self._writer, self._addresses, self._secure, self._end)
        data, self._buffer = self._buffer, b""
        self._http2.received(data)

    def _dispatch(self, head: RequestHead) -> None:
        most = self.site.limits.body
        if most is not None and head.length is not None and head.length > most:
            raise BodyTooLarge(f"The body has {head.length} bytes; at most {most} are accepted.")
        self._last = not head.keeps_alive() or self.site.draining
        body = RequestBody(self, head, decoder_for(head), most, self._body_deadline, self.site.timeouts.body)
        self._body = body
        if head.length and len(self._buffer) >= head.length:
            # The whole body came with the head: no pause and no waiting.
            self._buffer = body.feed(self._buffer)
        self._responses.begin(head)
        request = self._request = Request(self._responses, head, body)
        self._state = _RESPONSE if body.complete else _BODY
        self._deadline.clear()
        request.process()
        # The request may have ended by now, or the connection.
        if self._state is _BODY and self._body is body:
            data, self._buffer = self._buffer, b""
            if data:
                self._body_arrived(data)
            elif not body.awaited:
                body.pauseProducing()
        elif self._state is _RESPONSE:
            self.update_reading()

    def _body_arrived(self, data: bytes) -> None:
        body = self._body
        assert body is not None, "in the state BODY there is one"
        try:
            rest = body.feed(data)
        except BadRequest:
            self._last = True  # the body is malformed or too long: close after the response
            return
        if self._state is _BODY and self._body is body:
            if body.complete:
                self._state = _RESPONSE
                self._buffer = rest
                self.update_reading()
        elif rest:
            self._buffer = rest
            if self._state is _IDLE:
                self._read_heads()

    # Called by the body and by the request.

    def update_reading(self) -> None:
        """Pause or resume reading from the client."""
        upload = self._state is _BODY and self._body is not None and self._body.paused
        pipelined = self._state is _RESPONSE and len(self._buffer) > MAX_PIPELINED
        waiting = self._state in (_IDLE, _HEAD)
        self._pause.set(upload or pipelined or (waiting and self._responses.write_buffer_full))

    def send_continue(self) -> None:
        self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def last(self) -> bool:
        if self.site.draining or (self._body is not None and not self._body.complete):
            self._last = True
        return self._last

    def make_last(self) -> None:
        self._last = True

    def tunnel(self, end: TunnelProtocol) -> bytes:
        self._state = _TUNNEL
        self._writer.flush()
        self.transport.unregisterProducer()
        self._tunnel = end
        self._deadline.clear()
        end.makeConnection(self.transport)
        early, self._buffer = self._buffer, b""
        self.update_reading()
        return early

    def response_done(self) -> None:
        body, self._request, self._body = self._body, None, None
        assert body is not None, "each request has one"
        body.detach()
        if self._last:
            self._end(unread=not body.complete or bool(self._buffer))
            return
        self._state = _IDLE
        self._await_request()
        self.update_reading()
        self._read_heads()

    def _end(self, unread: bool) -> None:
        """
        Close the connection after what was written.

        :param unread: the client may still be sending.  A close with unread bytes would reset the connection, and the
            client might lose the response.  So they are read and dropped for a while (RFC 9112 §9.6).
        """
        if not unread:
            self._close()
            return
        self._state = _DRAIN
        self._buffer = b""
        self._deadline.set(self.site.timeouts.drain if self._http2 is None else HTTP2_LINGER_S)
        self.update_reading()
        self._writer.flush()
        self.transport.unregisterProducer()
        end_writing(self.transport)

    def _close(self) -> None:
        """
        Close when what was written is sent.  This has no time limit: a client may read a response slowly to its end.
        """
        self._state = _CLOSED
        self._deadline.clear()
        self._writer.flush()
        self.transport.unregisterProducer()
        close(self.transport)

    def _reject(self, error: ProxyError, head: RequestHead | None = None) -> None:
        """
        Reject a request before there is a `Request`, and close.

        :param head: None if it could not be read; the buffer begins with it then.
        """
        seconds = self.site.clock.seconds() - self._head_began if self._state is _HEAD else 0.0
        self._last = True
        answer = reject(self.site, self._responses.peer(), error, head, self._buffer, seconds)
        self._writer.write(last_response(error, *answer))
        self._end(unread=True)

    def _expired(self) -> None:
        if self._state is _HEAD:
            self._reject(RequestTimeout("The request's head did not come in time."))
        elif self._http2 is not None or (self._state is _IDLE and not readable(self.transport)):
            self._close()
        elif self._state is _IDLE:
            self._deadline.set(self.site.timeouts.head)
        else:
            self.abort()

    def _body_expired(self) -> None:
        if self._body is not None:
            self._body.too_slow()

    def drain(self) -> None:
        if self._state is _IDLE:
            self._await_request()
        elif self._tunnel is not None:
            self._tunnel.go_away()
            self._deadline.set(TUNNEL_GRACE_S)
        elif self._http2 is not None:
            self._http2.drain()

    def stop(self) -> bool:
        if self._http2 is not None and self._http2.stop():
            return True
        request = self._request
        if request is None or self._tunnel is not None:
            self.abort()
            return False
        request.stop()
        return True

    # The channel is the transport's producer.  It passes backpressure on to what produces the response.  Between two
    # responses it applies it itself, so that pipelined requests are processed no faster than the client reads.

    def pauseProducing(self) -> None:
        if self._http2 is not None:
            self._http2.mux.pause()
            self._pause.set(True)
            return
        self._responses.pause()
        self.update_reading()

    def resumeProducing(self) -> None:
        if self._http2 is not None:
            self._pause.set(False)
            self._http2.mux.resume()
            return
        self._responses.resume()
        self.update_reading()
        self._read_heads()
