"""
One HTTP/1 connection to the upstream: a thin adapter between a Twisted transport and `http1`.

It carries one exchange at a time.  It is released only when both messages are complete and no byte is left that could
be mistaken for the next response.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import BadRequest, Header, ProxyError, UpstreamClosed, UpstreamError
from ..headers import keep_alive_timeout
from ..http1.framing import Decoder, chunk, decoder_for, last_chunk
from ..http1.heads import HEAD_END, MAX_HEAD
from ..http1.requests import write_request
from ..http1.responses import check_response_beginning, parse_response
from ..transport import IStreamTransport, readable, tune
from ..writer import BufferedWriter, FlushScheduler
from .exchange import Exchange
from .interfaces import IOutgoing
from .response import Response


class _State(enum.Enum):
    IDLE = "in the pool"
    HEAD = "a request is in flight, the head of its response not complete"
    BODY = "a response body is arriving"
    TUNNEL = "all bytes belong to another protocol"
    CLOSED = "the connection cannot be used any more"


#: Looking them up in their class would cost each request more than 1 µs under CPython 3.11.
_IDLE, _HEAD, _BODY, _TUNNEL, _CLOSED = _State

#: Notifies the owner of a connection.
Notify = Callable[["UpstreamConnection"], None]


@implementer(IPushProducer)
class UpstreamConnection(Protocol):
    """
    One connection, which the pool lets one request acquire at a time.

    :ivar unanswered: the upstream closed it before a byte of the final response arrived.
    :ivar announced_s: the idle timeout that the upstream has announced (Keep-Alive), in seconds; None: none.
    """

    transport: IStreamTransport
    #: It can carry another protocol after a 101.
    upgradable = True

    def __init__(
        self,
        clock: IReactorTime,
        scheduler: FlushScheduler,
        released: Notify,
        lost: Notify,
        send_s: float | None = None,
    ) -> None:
        """
        :param scheduler: runs its sending at the end of each reactor iteration.
        :param released: called when the connection is idle again.
        :param lost: called when it is closed.
        :param send_s: seconds that the upstream may need for each `SEND_PROGRESS` bytes of a request; None: any time.
        """
        self._clock = clock
        self._scheduler = scheduler
        self._send_s = send_s
        self._released = released
        self._lost = lost
        self._state = _IDLE
        self._buffer = b""
        self._exchange: Exchange | None = None
        self._chunked = False
        self._decoder: Decoder | None = None
        self._keep = True
        self._tunnel: Protocol | None = None
        self._write_buffer_full = False
        #: It has carried a request.
        self._used = False
        self.unanswered = False
        self.announced_s: float | None = None

    def connectionMade(self) -> None:
        tune(self.transport)
        self._writer = BufferedWriter(self.transport, self._scheduler, self._stop_sending)
        self.transport.registerProducer(self, True)

    def fresh(self) -> bool:
        """Whether the connection is idle, and the upstream has neither closed it nor sent bytes on it."""
        return self._state is _IDLE and not readable(self.transport)

    # Sending.

    def request(self, outgoing: IOutgoing) -> Deferred[Response]:
        """
        Send a request.

        :return: fires with the `Response` when its head has arrived.  Cancelling it aborts the connection.  Fails with
            `UpstreamClosed` when the upstream closes without a response, with `UpstreamError` when the response is not
            valid HTTP, and with the error of the request's body.
        """
        assert self._state is _IDLE
        self._state = _HEAD
        self._keep = True
        head = outgoing.head
        self._chunked = head.chunked
        exchange = self._exchange = Exchange(outgoing, self, self._clock, self._send_s)
        outgoing.connected(self._used)
        self._used = True
        self._writer.write(write_request(head.method, head.target, head.headers))
        outgoing.deliver(exchange)
        if self._write_buffer_full and self._exchange is exchange:
            exchange.pause()
        return exchange.responded

    def send_body(self, data: bytes) -> None:
        self._writer.write(chunk(data) if self._chunked else data)

    def end_body(self, trailers: Sequence[Header] = ()) -> None:
        if self._chunked:
            self._writer.write(last_chunk(trailers))

    @property
    def unsent(self) -> int:
        return self._writer.waiting

    # The connection is the transport's producer.  It passes backpressure on to the exchange.

    def pauseProducing(self) -> None:
        self._write_buffer_full = True
        if self._exchange is not None:
            self._exchange.pause()

    def resumeProducing(self) -> None:
        self._write_buffer_full = False
        # Twisted does not close a transport whose loseConnection was called while its producer was paused, as TLS does
        # when the server closes.  A new producer counts as never paused.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        if self._exchange is not None:
            self._exchange.resume()

    def stopProducing(self) -> None:
        """Does nothing: `connectionLost` follows."""

    def _stop_sending(self) -> None:
        """The upstream takes no more of the request.  A response may still arrive."""
        self._keep = False
        if self._exchange is not None:
            self._exchange.stop_sending()

    # Receiving.

    def pause_reading(self) -> None:
        self.transport.pauseProducing()

    def resume_reading(self) -> None:
        self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        if self._state is _BODY:
            self._body_arrived(data)
        elif self._state is _HEAD:
            self._head_arrived(self._buffer + data if self._buffer else data)
        elif self._tunnel is not None:
            self._tunnel.dataReceived(data)
        elif self._state is _IDLE:
            # Unsolicited bytes on an idle connection belong to no request.
            self.abort()

    def _head_arrived(self, data: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None, "a response belongs to a request"
        outgoing = exchange.outgoing
        while True:
            end = data.find(HEAD_END, 0, MAX_HEAD)
            if end < 0:
                try:
                    check_response_beginning(data)
                except BadRequest as error:
                    self._malformed(error)
                else:
                    self._buffer = data
                return
            end += len(HEAD_END)
            try:
                head = parse_response(data[:end], outgoing.head.method)
                if head.status == 101 and not outgoing.head.upgrades:
                    raise BadRequest("it switches to a protocol that the request did not ask for.")
            except ProxyError as error:
                self._malformed(error)
                return
            data = data[end:]
            if head.status >= 200 or head.status == 101:
                break
            if head.status != 100:
                outgoing.informed(head)
        self._buffer = b""
        self._keep = self._keep and head.keeps_alive()
        if b"keep-alive" in head.index:
            self.announced_s = keep_alive_timeout(head.index[b"keep-alive"])
        if head.status >= 300 and not exchange.sent:
            # The request was rejected before its end: the rest is not needed.
            self._stop_sending()
        if head.status == 101:
            self._state = _TUNNEL
            self._buffer = data
            exchange.respond(head)
            return
        self._state = _BODY
        self._decoder = decoder_for(head)
        exchange.respond(head)
        if self._state is _BODY:
            self._body_arrived(data)

    def _malformed(self, error: ProxyError) -> None:
        self._fail(UpstreamError(f"The upstream's response is not valid HTTP: {error.message}"))

    def _body_arrived(self, data: bytes) -> None:
        exchange, decoder = self._exchange, self._decoder
        assert exchange is not None and decoder is not None, "the state BODY has both"
        response = exchange.response
        assert response is not None, "the state BODY comes after the head"
        try:
            slices, rest = decoder.feed(data) if data else ([], b"")
        except BadRequest as error:
            self._fail(UpstreamError(f"The upstream's response is malformed: {error.message}"))
            return
        for piece in slices:
            if self._state is not _BODY:
                return
            response.body_received(piece)
        if decoder.done and self._state is _BODY:
            self._done(reusable=not rest)

    def tunnel(self, end: Protocol) -> bytes:
        assert self._state is _TUNNEL
        self._tunnel = end
        self._forget()
        self._writer.flush()
        self.transport.unregisterProducer()
        end.makeConnection(self.transport)
        early, self._buffer = self._buffer, b""
        return early

    # Endings.

    def _done(self, reusable: bool) -> None:
        """The response is complete.  If the request is not, the connection cannot be used again."""
        exchange, decoder = self._exchange, self._decoder
        assert exchange is not None and exchange.response is not None and decoder is not None
        whole = exchange.sent and self._keep
        self._forget()
        if whole and reusable:
            self._state = _IDLE
            # The last bytes of the response may have paused reading.
            exchange.response.resumeProducing()
        try:
            if self._state is _IDLE:
                self._released(self)
            else:
                # loseConnection would first send the buffered rest of the request.
                self.abort()
        finally:
            # The client's request must end even if the owner of the connection raises an exception.
            exchange.done(decoder.trailers)

    def _fail(self, error: ProxyError) -> None:
        """Abort the connection, and report the error to the exchange."""
        if self._exchange is not None:
            self._exchange.fail(error)
        else:
            self.abort()

    def abort(self) -> None:
        """Abort the connection.  Notifies the pool and the body producer only."""
        self._state = _CLOSED
        self._forget()
        self._writer.drop()
        self.transport.abortConnection()

    def _forget(self) -> None:
        """The connection no longer carries an exchange."""
        exchange, self._exchange, self._decoder = self._exchange, None, None
        if exchange is not None:
            if not exchange.sent:
                self._keep = False
            exchange.forget()

    def close(self) -> None:
        """Close an idle connection."""
        self._state = _CLOSED
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        state, decoder = self._state, self._decoder
        if state is _BODY and decoder is not None and decoder.end() and reason.check(ConnectionDone):
            self._done(reusable=False)
        elif state is _HEAD:
            self.unanswered = not self._buffer
            place = "in the middle of its response's head" if self._buffer else "without a response"
            self._fail(UpstreamClosed(f"The upstream closed the connection {place}."))
        elif state is _BODY:
            self._fail(UpstreamClosed("The upstream closed the connection in the middle of its response."))
        elif self._tunnel is not None:
            self._tunnel.connectionLost(reason)
        self._state = _CLOSED
        self._lost(self)
