"""
One connection to the upstream: the thin adapter between a Twisted transport and `http1`.

It carries one request at a time.  It gives itself back to its owner only when both messages are complete and nobody
could mistake a leftover byte for the next response.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface import Attribute, implementer

from ..deadline import Deadline
from ..errors import BadRequest, Header, ProxyError, UpstreamBroke, UpstreamError, UpstreamTimeout
from ..headers import keep_alive_timeout
from ..http1 import heads
from ..http1.framing import LAST_CHUNK, Decoder, chunk, decoder_for
from ..http1.heads import HEAD_END, MAX_HEAD, ResponseHead
from ..transport import IStreamTransport, Outlet, Turn, readable, tune


@attrs.define
class OutgoingHead:
    """
    The head of a request to the upstream, as it will be on the wire.

    :ivar headers: in their order and spelling; the ones that frame the body are among them.
    :ivar chunked: whether the body goes out in the chunked coding.
    :ivar upgrades: another protocol is asked for, and a 101 may answer.
    """

    method: bytes
    target: bytes
    headers: list[Header]
    chunked: bool
    upgrades: bool


class IOutgoing(IPushProducer):
    """
    A request on its way to the upstream: its head, and its body, which can be paced.

    The head is raw, and goes with the body past all that treq and Twisted would do to a method, a URL and headers.
    """

    head: OutgoingHead = Attribute("The request's head.")

    def deliver(connection: UpstreamConnection) -> None:
        """
        Push the body to a connection, from its first byte on: any number of `body_received`, then `body_ended` or
        `body_failed`; and nothing after `stopProducing`.
        """

    def informed(head: ResponseHead) -> None:
        """An interim response other than 100 has come."""


class HiddenHeaders(Headers):
    """Headers that those above neither see nor change; treq's layers do both."""

    def getRawHeaders(self, name: Any, default: Any = None) -> Any:
        return default

    def setRawHeaders(self, name: Any, values: Any) -> None:
        """Nothing."""


@implementer(IResponse, IPushProducer)
class Response:
    """
    A response whose head has come, and what paces its body.

    :ivar head: as the upstream sent it.
    :ivar length: of the body, in bytes, or `UNKNOWN_LENGTH`.
    :ivar headers: for whoever knows nothing of `head`; see `UpstreamAgent`.
    :ivar previousResponse: the redirect that led here, if a client above has followed one.
    """

    version = (b"HTTP", 1, 1)
    request = None
    previousResponse: IResponse | None = None
    headers: Headers = HiddenHeaders()

    def __init__(self, head: ResponseHead, connection: UpstreamConnection) -> None:
        self.head = head
        # An attribute, since Twisted's decoders change it.
        self.length: Any = UNKNOWN_LENGTH if head.length is None else head.length
        self._connection = connection
        self._receiver: IProtocol | None = None
        #: What came before there was a receiver; None since there is one.
        self._held: list[bytes] | None = []
        self._reason: Failure | None = None
        #: The upstream is held back.
        self.paused = False

    @property
    def code(self) -> int:
        """The status."""
        return self.head.status

    @property
    def phrase(self) -> bytes:
        """The reason phrase."""
        return self.head.phrase or b""

    def abort(self) -> None:
        """Nobody wants the rest: break the connection."""
        if self._reason is None:
            self._connection.abort()

    def deliverBody(self, protocol: IProtocol) -> None:
        """
        Push the body to a protocol; its `connectionLost` is told `ResponseDone` or why the rest will not come.

        Until this is called the upstream is held back.
        """
        assert self._held is not None, "the body is delivered once"
        self._receiver = protocol
        held, self._held = self._held, None
        self.resumeProducing()
        protocol.makeConnection(self)  # type: ignore[arg-type]  # a transport as twisted.web's own responses have one
        for data in held:
            protocol.dataReceived(data)
        if self._reason is not None:
            self._conclude(self._reason)

    def tunnel(self, end: Protocol) -> bytes:
        """
        After a 101, give everything that arrives to a protocol of its own, which also gets the transport.

        :return: what has arrived for it already.
        """
        return self._connection.tunnel(end)

    def setPreviousResponse(self, response: IResponse) -> None:
        self.previousResponse = response

    def pauseProducing(self) -> None:
        if self._reason is None and not self.paused:
            self.paused = True
            self._connection.transport.pauseProducing()

    def resumeProducing(self) -> None:
        if self._reason is None and self.paused:
            self.paused = False
            self._connection.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.abort()

    def body_received(self, data: bytes) -> None:
        """Called by the connection."""
        if self._held is not None:
            self._held.append(data)
            self.pauseProducing()
        elif self._receiver is not None:
            self._receiver.dataReceived(data)

    def body_ended(self, reason: Failure) -> None:
        """Called by the connection, once."""
        self._reason = reason
        self._conclude(reason)

    def _conclude(self, reason: Failure) -> None:
        """Tell a receiver of the end, once; it knows this object, and only the garbage collector would part the two."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.connectionLost(reason)


#: Bytes of a request that an upstream is expected to take within each period of the time for it.
SEND_PROGRESS = 64 * 1024


class _State(enum.Enum):
    IDLE = "in the pool"
    HEAD = "a request is out, its response not yet begun"
    BODY = "a response body is arriving"
    TUNNEL = "whatever arrives belongs to another protocol"
    CLOSED = "of no more use"


#: As members of a class they cost a request more than a microsecond under CPython 3.11.
_IDLE, _HEAD, _BODY, _TUNNEL, _CLOSED = _State


#: What tells the receiver of every complete body; it has no traceback, so one will do.
_DONE = Failure(ResponseDone())

#: Tells the owner of a connection something about it.
Notify = Callable[["UpstreamConnection"], None]


@implementer(IPushProducer)
class UpstreamConnection(Protocol):
    """
    One connection, lent by the pool for one request at a time.

    :ivar unanswered: it was closed on a request of which not a byte was answered.
    :ivar announced_s: seconds that the upstream has said it keeps the connection while it is idle; None: it has not.
    """

    transport: IStreamTransport

    def __init__(
        self, clock: IReactorTime, turn: Turn, released: Notify, lost: Notify, send_s: float | None = None
    ) -> None:
        """
        :param turn: at whose end it sends.
        :param send_s: seconds that the upstream may need to take `SEND_PROGRESS` bytes of a request; None: any time.
        :param released: called when the connection is free for another request.
        :param lost: called when it is gone.
        """
        self._clock = clock
        self._turn = turn
        self._send_s = send_s
        #: Runs while the upstream takes less than it is given; made when that happens first.
        self._stalled: Deadline | None = None
        #: Bytes of the request's body that were written, and how many of all waited when the time began.
        self._written = 0
        self._waited = 0
        self._released = released
        self._lost = lost
        self._state = _IDLE
        self._buffer = b""
        self._outgoing: IOutgoing | None = None
        #: The request is complete, or nothing more of it will be sent.
        self._sent = True
        self._answer: Deferred[Response] | None = None
        self._response: Response | None = None
        self._decoder: Decoder | None = None
        self._keep = True
        self._tunnel: Protocol | None = None
        self._clogged = False
        self.unanswered = False
        self.announced_s: float | None = None

    def connectionMade(self) -> None:
        tune(self.transport)
        self._outlet = Outlet(self.transport, self._turn, self._stop_sending)
        self.transport.registerProducer(self, True)

    def fresh(self) -> bool:
        """Whether the upstream has neither closed the connection while it rested nor sent anything on it."""
        return self._state is _IDLE and not readable(self.transport)

    # Sending.

    def request(self, outgoing: IOutgoing) -> Deferred[Response]:
        """
        Send a request.

        :return: fires with the `Response` when its head has come; cancelling it breaks the connection.  Fails with
            `UpstreamBroke` when the upstream closes without an answer, with `UpstreamError` when what it says is not
            HTTP, and with what the body fails with.
        """
        assert self._state is _IDLE
        self._state = _HEAD
        self._outgoing = outgoing
        self._keep = True
        self._written = 0
        answer: Deferred[Response] = Deferred(lambda _: self.abort())
        self._answer = answer
        head = outgoing.head
        self._outlet.write(heads.write_request(head.method, head.target, head.headers))
        self._sent = False
        outgoing.deliver(self)
        if self._clogged:
            self.pauseProducing()
        return answer

    def body_received(self, data: bytes) -> None:
        """Take bytes of the request's body; never none."""
        outgoing = self._outgoing
        assert outgoing is not None, "a body belongs to a request"
        self._written += len(data)
        self._outlet.write(chunk(data) if outgoing.head.chunked else data)

    def body_ended(self) -> None:
        """The request is complete."""
        outgoing = self._outgoing
        assert outgoing is not None, "a body belongs to a request"
        self._sent = True
        if outgoing.head.chunked:
            self._outlet.write(LAST_CHUNK)

    def body_failed(self, error: ProxyError) -> None:
        """It never will be: break the connection before the upstream takes a part for the whole."""
        self._broke(error)

    # The transport's only producer is the connection; it passes the pace on.

    def pauseProducing(self) -> None:
        self._clogged = True
        if self._send_s is not None:
            if self._stalled is None:
                self._stalled = Deadline(self._clock, self._stalls)
            self._waited = self._outlet.waiting
            self._stalled.set(self._send_s)
        if not self._sent and self._outgoing is not None:
            self._outgoing.pauseProducing()

    def resumeProducing(self) -> None:
        self._clogged = False
        if self._stalled is not None:
            self._stalled.clear()
        # Twisted forgets to close a transport that was told to while its producer was paused; TLS tells it so when the
        # server closes.  A producer that is new was never paused.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        if not self._sent and self._outgoing is not None:
            self._outgoing.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` follows."""

    def _stalls(self) -> None:
        """The upstream has had its time for some bytes; if it has taken them, it gets as much for the next ones."""
        waiting = self._outlet.waiting
        if self._stalled is None or self._outgoing is None:
            return  # what waits belongs to no request any more
        if self._waited - waiting >= SEND_PROGRESS:
            self._waited = waiting
            self._stalled.set(self._send_s)
            return
        taken = max(0, self._written - waiting)
        message = f"The upstream took {taken} bytes of the request's body, and then less than {SEND_PROGRESS} in "
        self._broke(UpstreamTimeout(f"{message}{self._send_s:g} s.", headers=((b"x-should-retry", b"false"),)))

    def _stop_sending(self) -> None:
        """Nothing can be written any more, or nobody would read it; an answer may come all the same."""
        self._keep = False
        if not self._sent and self._outgoing is not None:
            self._sent = True
            self._outgoing.stopProducing()

    # Receiving.

    def dataReceived(self, data: bytes) -> None:
        if self._state is _BODY:
            self._body_arrived(data)
        elif self._state is _HEAD:
            self._head_arrived(self._buffer + data if self._buffer else data)
        elif self._tunnel is not None:
            self._tunnel.dataReceived(data)
        elif self._state is _IDLE:
            # Nobody asked: the server is closing, or confused.  What it says belongs to no request.
            self.abort()

    def _head_arrived(self, data: bytes) -> None:
        outgoing, answer = self._outgoing, self._answer
        assert outgoing is not None and answer is not None, "a head answers a request"
        while True:
            end = data.find(HEAD_END, 0, MAX_HEAD)
            if end < 0:
                try:
                    heads.check_response_beginning(data)
                except BadRequest as error:
                    self._not_http(error)
                else:
                    self._buffer = data
                return
            end += len(HEAD_END)
            try:
                head = heads.parse_response(data[:end], outgoing.head.method)
                if head.status == 101 and not outgoing.head.upgrades:
                    raise BadRequest("it switches to a protocol that nobody asked for.")
            except ProxyError as error:
                self._not_http(error)
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
        if head.status >= 300 and not self._sent:
            # Refused before it was read: the rest would be sent for nothing.
            self._stop_sending()
        self._answer = None
        response = self._response = Response(head, self)
        if head.status == 101:
            self._state = _TUNNEL
            self._buffer = data
            answer.callback(response)
            return
        self._state = _BODY
        self._decoder = decoder_for(head)
        answer.callback(response)
        if self._state is _BODY:
            self._body_arrived(data)

    def _not_http(self, error: ProxyError) -> None:
        self._broke(UpstreamError(f"The upstream's answer is not HTTP that can be passed on: {error.message}"))

    def _body_arrived(self, data: bytes) -> None:
        decoder, response = self._decoder, self._response
        assert decoder is not None and response is not None, "the state BODY has both"
        try:
            slices, rest = decoder.feed(data) if data else ([], b"")
        except BadRequest as error:
            self._broke(UpstreamError(f"The upstream's answer breaks off: {error.message}"))
            return
        for piece in slices:
            if self._state is not _BODY:
                return
            response.body_received(piece)
        if decoder.done and self._state is _BODY:
            self._done(reusable=not rest)

    def tunnel(self, end: Protocol) -> bytes:
        """Called by the response."""
        assert self._state is _TUNNEL
        self._tunnel = end
        self._response = None
        self._outlet.flush()
        self.transport.unregisterProducer()
        end.makeConnection(self.transport)
        early, self._buffer = self._buffer, b""
        return early

    # Endings.

    def _done(self, reusable: bool) -> None:
        """The response is complete; a request that is not is given up."""
        response = self._response
        assert response is not None
        whole = self._sent and self._keep
        self._forget()
        if whole and reusable:
            self._state = _IDLE
            # The last bytes may have made the client hold us back.
            response.resumeProducing()
        try:
            if self._state is _IDLE:
                self._released(self)
            else:
                # What still waits to be written would keep a mere close waiting.
                self.abort()
        finally:
            # The client's request must end even where the owner of the connection fails.
            response.body_ended(_DONE)

    def _broke(self, error: ProxyError) -> None:
        """End the connection, and tell whoever waits for something on it."""
        answer, response = self._answer, self._response
        self.abort()
        if answer is not None:
            answer.errback(error)
        elif response is not None:
            response.body_ended(Failure(error))

    def abort(self) -> None:
        """Break the connection; nobody is told but the pool and whoever produces the request."""
        self._state = _CLOSED
        self._forget()
        self._outlet.drop()
        self.transport.abortConnection()

    def _forget(self) -> None:
        """Nothing is under way any more."""
        if not self._sent:
            self._stop_sending()
        self._outgoing = self._answer = self._response = self._decoder = None

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
            place = "in the middle of its answer's head" if self._buffer else "without an answer"
            self._broke(UpstreamBroke(f"The upstream closed the connection {place}."))
        elif state is _BODY:
            self._broke(UpstreamBroke("The upstream closed the connection in the middle of its answer."))
        elif self._tunnel is not None:
            self._tunnel.connectionLost(reason)
        self._state = _CLOSED
        if self._stalled is not None:
            self._stalled.cancel()
        self._lost(self)
