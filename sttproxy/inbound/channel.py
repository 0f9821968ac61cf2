"""
One inbound HTTP/1 connection: the thin adapter between a Twisted transport and `http1`.

It is the channel that a `Request` expects.  It reads a head, dispatches the request, pushes the body on while it
arrives, and answers pipelined requests one after the other, in order.  It refuses to know what is answered.
"""

from __future__ import annotations

import enum
from typing import Any

from twisted.internet.interfaces import IAddress, IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..deadline import Deadline
from ..errors import BadRequest, BodyTooLarge, ProxyError, RequestTimeout
from ..headers import Peer
from ..http1.framing import decoder_for
from ..http1.heads import HEAD_END, MAX_HEAD
from ..http1.requests import RequestHead, check_beginning, parse_request, skip_empty_lines
from ..transport import Hold, IStreamTransport, readable, tune
from ..writer import BufferedWriter
from .addresses import Addresses
from .body import RequestBody
from .interfaces import Serving, TunnelProtocol
from .rejection import reject
from .request import Request

#: Most bytes of pipelined requests held while one is being answered; past it the client is held back.
MAX_PIPELINED = 64 * 1024
#: Seconds that a kept-alive connection still waits for a request when the daemon stops.  A busy client's next request
#: may be under way, and gets its answer with "Connection: close".
LINGER_S = 1.0
#: Seconds that a connection with another protocol gets when the daemon stops.
TUNNEL_GRACE_S = 5.0
#: Most bytes of upload read and dropped so that an early answer is not reset away.
MAX_DRAINED = 1 << 30


class _State(enum.Enum):
    IDLE = "between requests"
    HEAD = "a head has begun"
    BODY = "a request is being answered, its body still arriving"
    ANSWER = "a request is being answered, its body complete"
    DRAIN = "the last answer is out; what still arrives is dropped"
    TUNNEL = "whatever arrives belongs to another protocol"
    CLOSED = "the connection is gone"


#: A member is looked up through its class in 40 ns by CPython 3.11, and a request asks for thirty.
_IDLE, _HEAD, _BODY, _ANSWER, _DRAIN, _TUNNEL, _CLOSED = _State


@implementer(IPushProducer)
class HTTPChannel(Protocol):
    """One connection of a client."""

    transport: IStreamTransport

    def __init__(self, site: Serving) -> None:
        self.site = self.factory = site
        self._state = _IDLE
        self._deadline = Deadline(site.clock, self._expired)
        self._body_deadline = Deadline(site.clock, self._body_expired)
        self._buffer = b""
        self._request: Request | None = None
        self._body: RequestBody | None = None
        self._producer: Any = None
        self._write_buffer_full = False
        self._last = False
        self._dispatching = False
        #: Bytes that were read and dropped, in the state DRAIN.
        self._dropped = 0
        self._tunnel: TunnelProtocol | None = None
        #: When the head that is being read began, in the clock's seconds; for the state HEAD.
        self._head_began = 0.0

    # The transport's side.

    def connectionMade(self) -> None:
        tune(self.transport)
        self._hold = Hold(self.transport, self.site.clock, self.site.read_ahead)
        self._writer = BufferedWriter(self.transport, self.site.scheduler)
        self._addresses = Addresses(self.transport, self.site.trusted)
        self._secure = ISSLTransport.providedBy(self.transport)
        self.site.opened(self)
        self.transport.registerProducer(self, True)
        self._await_request()

    def dataReceived(self, data: bytes) -> None:
        if self._state is _BODY:
            self._body_arrived(data)
        elif self._state is _DRAIN:
            self._dropped += len(data)
            if self._dropped > MAX_DRAINED:
                self.abort()
        elif self._tunnel is not None:
            self._tunnel.dataReceived(data)
        elif self._state is not _CLOSED:
            self._buffer = self._buffer + data if self._buffer else data
            if self._state is _ANSWER:
                self.update_reading()
            else:
                self._read_heads()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._state = _CLOSED
        self._deadline.cancel()
        self._body_deadline.cancel()
        self._hold.cancel()
        if self._tunnel is not None:
            self._tunnel.connectionLost(reason)
        request, body, self._request, self._body = self._request, self._body, None, None
        if body is not None:
            body.detach()
        try:
            if request is not None:
                request.connectionLost(reason)
        finally:
            self.site.lost(self)

    # Reading.

    def _await_request(self) -> None:
        """Wait for the next request, but not for ever."""
        self._deadline.set(LINGER_S if self.site.draining else self.site.timeouts.idle)

    def _read_heads(self) -> None:
        """Dispatch the requests in the buffer, one after the other, as long as each is answered at once."""
        if self._dispatching:
            return  # an answer given inside a dispatch; the loop below goes on
        self._dispatching = True
        head = None
        try:
            while self._state in (_IDLE, _HEAD) and self._buffer and not self._write_buffer_full:
                head = None
                head = self._take_head()
                if head is None:
                    break
                self._dispatch(head)
        except ProxyError as error:
            self._refuse(error, head)
        finally:
            self._dispatching = False

    def _take_head(self) -> RequestHead | None:
        """
        Cut a complete head off the buffer; None where more bytes are needed.

        :raises ProxyError: when it cannot be accepted; then it stays in the buffer.
        """
        if self._buffer.startswith(b"\r\n"):
            self._buffer = skip_empty_lines(self._buffer)
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
        return head

    def _dispatch(self, head: RequestHead) -> None:
        most = self.site.limits.body
        if most is not None and head.length is not None and head.length > most:
            raise BodyTooLarge(f"The body has {head.length} bytes; at most {most} are accepted.")
        self._last = not head.keeps_alive() or self.site.draining
        body = RequestBody(self, head, decoder_for(head), most, self._body_deadline, self.site.timeouts.body)
        self._body = body
        if head.length and len(self._buffer) >= head.length:
            # All of it has come with its head, so nothing has to be held back for it, nor waited for.
            self._buffer = body.feed(self._buffer)
        request = self._request = Request(self, head, body)
        self._state = _ANSWER if body.complete else _BODY
        self._deadline.clear()
        request.process()
        # The request may be over by now, or the connection.
        if self._state is _BODY and self._body is body:
            data, self._buffer = self._buffer, b""
            if data:
                self._body_arrived(data)
            elif not body.awaited:
                body.pauseProducing()
        elif self._state is _ANSWER:
            self.update_reading()

    def _body_arrived(self, data: bytes) -> None:
        body = self._body
        assert body is not None, "the state BODY has one"
        try:
            rest = body.feed(data)
        except BadRequest:
            self._last = True  # nobody can tell where the next request would begin
            return
        if self._state is _BODY and self._body is body:
            if body.complete:
                self._state = _ANSWER
                self._buffer = rest
                self.update_reading()
        elif rest:
            self._buffer = rest
            if self._state is _IDLE:
                self._read_heads()

    # Called by the body and by the request.

    def update_reading(self) -> None:
        """Pause the client, or let it go on."""
        upload = self._state is _BODY and self._body is not None and self._body.paused
        pipelined = self._state is _ANSWER and len(self._buffer) > MAX_PIPELINED
        waiting = self._state in (_IDLE, _HEAD)
        self._hold.set(upload or pipelined or (waiting and self._write_buffer_full))

    def send_continue(self) -> None:
        self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

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

    def requestDone(self, request: Request) -> None:
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
        Close after what was written.

        :param unread: the client may still be sending.  Closing over bytes nobody read would reset the connection and
            take the answer with it, so they are read and dropped for a while (RFC 9112 §9.6).
        """
        if not unread:
            self._close()
            return
        self._state = _DRAIN
        self._buffer = b""
        self._deadline.set(self.site.timeouts.drain)
        self.update_reading()
        self._writer.flush()
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()

    def _close(self) -> None:
        """
        Close when what was written is out; there is no time limit on that, for a slow reader of an answer is as welcome
        at its end as in its middle.
        """
        self._state = _CLOSED
        self._deadline.clear()
        self._writer.flush()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _refuse(self, error: ProxyError, head: RequestHead | None = None) -> None:
        """
        Answer a head that cannot become a request, and close.

        :param head: None where it could not be read; then the buffer begins with it.
        """
        seconds = self.site.clock.seconds() - self._head_began if self._state is _HEAD else 0.0
        self._last = True
        self.write(reject(self.site, self.peer(), error, head, self._buffer, seconds))
        self._end(unread=True)

    def _expired(self) -> None:
        if self._state is _HEAD:
            self._refuse(RequestTimeout("The request's head did not come in time."))
        elif self._state is _IDLE and not readable(self.transport):
            self._close()
        elif self._state is _IDLE:
            self._deadline.set(self.site.timeouts.head)
        else:
            self.abort()

    def _body_expired(self) -> None:
        if self._body is not None:
            self._body.too_slow()

    def drain(self) -> None:
        """The daemon stops: do not wait long for a next request, nor for another protocol."""
        if self._state is _IDLE:
            self._await_request()
        elif self._tunnel is not None:
            self._tunnel.go_away()
            self._deadline.set(TUNNEL_GRACE_S)

    def stop(self) -> bool:
        """The daemon stops and waits no longer; return whether a request was under way."""
        request = self._request
        if request is None or self._tunnel is not None:
            self.abort()
            return False
        request.stop()
        return True

    def abort(self) -> None:
        self._writer.drop()
        self.transport.abortConnection()

    # What twisted.web.http.Request asks of its channel.

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def writeSequence(self, data: list[bytes]) -> None:
        self._writer.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pace whoever produces the answer; only push producers are known here."""
        assert streaming and self._producer is None
        self._producer = producer
        if self._write_buffer_full:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    # The transport's only producer is the channel.  It passes the pace on, and between two answers it keeps it itself:
    # pipelined requests are answered no faster than the client reads.

    def pauseProducing(self) -> None:
        self._write_buffer_full = True
        if self._producer is not None:
            self._producer.pauseProducing()
        self.update_reading()

    def resumeProducing(self) -> None:
        self._write_buffer_full = False
        if self._producer is not None:
            self._producer.resumeProducing()
        self.update_reading()
        self._read_heads()

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` follows."""

    def loseConnection(self) -> None:
        self._writer.flush()
        self.transport.loseConnection()

    def getPeer(self) -> IAddress:
        return self._addresses.there

    def getHost(self) -> IAddress:
        return self._addresses.here

    def peer(self) -> Peer:
        return self._addresses.peer

    def isSecure(self) -> bool:
        return self._secure
