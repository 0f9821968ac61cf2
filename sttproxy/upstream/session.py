"""
One HTTP/2 connection to the upstream (RFC 9113): many exchanges at a time.
"""

from __future__ import annotations

from collections.abc import Callable

from jh2.errors import ErrorCodes
from jh2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from jh2.exceptions import ProtocolError
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..deadline import Deadline
from ..errors import ProxyError, UpstreamClosed, UpstreamError
from ..http2.heads import request_fields, response_head
from ..http2.multiplexer import FrameTooLarge, Multiplexer
from ..transport import IStreamTransport, tune
from ..writer import BufferedWriter, FlushScheduler
from .exchange import Exchange
from .interfaces import IOutgoing
from .response import Response
from .stream import Stream


@implementer(IPushProducer)
class Session(Protocol):
    """
    One connection.

    :ivar mux: the streams that carry an exchange.
    """

    transport: IStreamTransport

    def __init__(
        self,
        clock: IReactorTime,
        scheduler: FlushScheduler,
        scheme: bytes,
        released: Callable[[Stream], None],
        lost: Callable[[Session], None],
        idle_s: float,
        send_s: float | None = None,
    ) -> None:
        """
        :param scheme: ``b"https"`` or ``b"http"``.
        :param released: called when a stream's exchange has ended.
        :param lost: called when the connection takes no more requests.
        :param idle_s: seconds after which an idle connection is closed.
        :param send_s: as for `UpstreamConnection`.
        """
        self.mux: Multiplexer[Stream] = Multiplexer(True, self._write, scheduler.add)
        self._clock = clock
        self._scheduler = scheduler
        self._scheme = scheme
        self.released = released
        self._lost = lost
        self._idle_s = idle_s
        self._send_s = send_s
        self._open = True
        self._idle = Deadline(clock, self.close)

    def connectionMade(self) -> None:
        tune(self.transport)
        self._writer = BufferedWriter(self.transport, self._scheduler)
        self.transport.registerProducer(self, True)
        self.mux.start()
        self._idle.set(self._idle_s)

    def stream(self) -> Stream:
        """One more stream, for one request; only if there is `room`."""
        return Stream(self)

    @property
    def room(self) -> bool:
        """Whether one more request can be sent."""
        return self._open and len(self.mux.streams) < self.mux.room

    # Sending.

    def request(self, stream: Stream, outgoing: IOutgoing) -> Deferred[Response]:
        """Send a request on a stream."""
        head = outgoing.head
        if not self.room:
            outgoing.stopProducing()
            self.released(stream)
            return fail(UpstreamClosed("The upstream closed the connection."))
        exchange = stream.exchange = Exchange(outgoing, stream, self._clock, self._send_s)
        number = stream.number = self.mux.new_number()
        self.mux.streams[number] = stream
        self._idle.clear()
        lengths = [value for name, value in head.headers if name.lower() == b"content-length"]
        bodiless = stream.outbound.sent = not head.chunked and lengths in ([], [b"0"])
        fields = request_fields(head.method, self._scheme, head.target, head.headers)
        self.mux.send_headers(number, fields, ends=bodiless)
        outgoing.deliver(exchange)
        return exchange.responded

    def _write(self, data: bytes) -> None:
        self._writer.write(data)

    def pauseProducing(self) -> None:
        self.mux.pause()

    def resumeProducing(self) -> None:
        self.mux.resume()

    def stopProducing(self) -> None:
        """Does nothing: `connectionLost` follows."""

    # Receiving.

    def dataReceived(self, data: bytes) -> None:
        if not self._open:
            return
        try:
            events = self.mux.receive(data)
        except (FrameTooLarge, ProtocolError) as error:
            self._fail(UpstreamError(f"The upstream's response is not valid HTTP/2: {error}."))
            return
        for event in events:
            if self._open:
                self._process(event)
        self.mux.flush_soon()

    def _process(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            self._fail(UpstreamClosed("The upstream closed the connection."))
            return
        if isinstance(event, DataReceived):
            self.mux.acknowledge(event.flow_controlled_length)
        elif isinstance(event, RemoteSettingsChanged):
            self.mux.send_all()
        elif isinstance(event, WindowUpdated):
            self.mux.window_updated(event.stream_id)
        stream = self.mux.streams.get(getattr(event, "stream_id", 0) or 0)
        if stream is None:
            return
        exchange = stream.exchange
        assert exchange is not None, "a stream with a number has one"
        if isinstance(event, DataReceived):
            if event.data and exchange.response is not None:
                exchange.response.body_received(bytes(event.data))
            stream.taken(event.flow_controlled_length)
        elif isinstance(event, InformationalResponseReceived | ResponseReceived):
            self._responds(exchange, event)
        elif isinstance(event, StreamEnded):
            self._ends(stream, exchange)
        elif isinstance(event, StreamReset):
            self._remove(stream)
            exchange.fail(UpstreamClosed(f"The upstream reset the request (error {int(event.error_code)})."))

    def _responds(self, exchange: Exchange, event: InformationalResponseReceived | ResponseReceived) -> None:
        try:
            fields = [(bytes(name), bytes(value)) for name, value in event.headers]
            head = response_head(fields, exchange.outgoing.head.method)
        except ProxyError as error:
            exchange.fail(UpstreamError(f"The upstream's response is not valid HTTP: {error.message}"))
            return
        if head.status < 200:
            if head.status != 100:
                exchange.outgoing.informed(head)
            return
        if head.status >= 300 and not exchange.sent:
            # The request was rejected before its end: the rest is not needed.
            exchange.stop_sending()
        exchange.respond(head)

    def _ends(self, stream: Stream, exchange: Exchange) -> None:
        if exchange.response is None:
            exchange.fail(UpstreamError("The upstream's response is not valid HTTP/2: it has no head."))
            return
        if not stream.outbound.sent:
            self.mux.reset(stream.number, ErrorCodes.CANCEL)
        self._remove(stream)
        exchange.done()

    # Endings.

    def cancel(self, stream: Stream) -> None:
        """End an exchange before both messages are complete."""
        if stream.number in self.mux.streams:
            self.mux.reset(stream.number, ErrorCodes.CANCEL)
            self._remove(stream)

    def _remove(self, stream: Stream) -> None:
        """A stream carries no exchange any more."""
        if self.mux.streams.pop(stream.number, None) is None:
            return
        if stream.exchange is not None:
            stream.exchange.forget()
        if not self.mux.streams and self._open:
            self._idle.set(self._idle_s)
        self.released(stream)

    def _fail(self, error: ProxyError) -> None:
        """End the connection, with all exchanges."""
        if not self._open:
            return
        self._open = False
        self._idle.cancel()
        self.mux.end(None)
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self._lost(self)
        for stream in self.mux.take_streams():
            exchange = stream.exchange
            assert exchange is not None, "a stream with a number has one"
            exchange.forget()
            self.released(stream)
            exchange.fail(error)

    def close(self) -> None:
        """Close the connection, if it is idle."""
        if self._open and not self.mux.streams:
            self.mux.end()
            self._fail(UpstreamClosed("The connection was idle."))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._fail(UpstreamClosed("The upstream closed the connection."))
