"""
One HTTP/2 connection to the upstream (RFC 9113): many exchanges at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jh2.errors import ErrorCodes
from jh2.events import (
    InformationalResponseReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..deadline import Deadline
from ..errors import BadRequest, ProxyError, UpstreamClosed, UpstreamError
from ..http2.frames import Data, GoAway
from ..http2.heads import request_fields, response_head, trailer_section
from ..http2.multiplexer import Multiplexer
from ..http2.receiver import Malformed, StreamError
from ..transport import IStreamTransport, readable, tune
from ..writer import BufferedWriter, FlushScheduler
from .exchange import Exchange, refusal
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
        #: It has carried a request.
        self._used = False
        #: The connection takes no more requests: the upstream has sent a GOAWAY, or reads no more.
        self._leaving = False
        self._idle = Deadline(clock, self.close)
        self._processing: dict[type, Callable[[Any], None]] = {
            Data: self._data,
            InformationalResponseReceived: self._responds,
            ResponseReceived: self._responds,
            TrailersReceived: self._trailers,
            StreamEnded: self._stream_ended,
            StreamReset: self._was_reset,
            StreamError: self._was_malformed,
            WindowUpdated: lambda event: self.mux.window_updated(event.stream_id),
            RemoteSettingsChanged: lambda event: self.mux.send_all(),
            GoAway: self._goes_away,
            Malformed: self._malformed,
        }

    def connectionMade(self) -> None:
        tune(self.transport)
        self._writer = BufferedWriter(self.transport, self._scheduler, self._stop_sending)
        self.transport.registerProducer(self, True)
        self.mux.start()
        self._idle.set(self._idle_s)

    def stream(self) -> Stream:
        """One more stream, for one request; only if there is `room`."""
        return Stream(self)

    @property
    def room(self) -> bool:
        """Whether one more request can be sent."""
        return self._open and not self._leaving and len(self.mux.streams) < self.mux.room

    def fresh(self) -> bool:
        """Whether all that has come on an idle connection is read: a GOAWAY or a close may be part of the rest."""
        return bool(self.mux.streams) or not readable(self.transport)

    # Sending.

    def request(self, stream: Stream, outgoing: IOutgoing) -> Deferred[Response]:
        """Send a request on a stream."""
        head = outgoing.head
        if not self.room:
            self.released(stream)
            return fail(refusal(again=True))
        exchange = stream.exchange = Exchange(outgoing, stream, self._clock, self._send_s)
        number = stream.number = self.mux.new_number()
        self.mux.streams[number] = stream
        self._idle.clear()
        outgoing.connected(self._used)
        self._used = True
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
        for event in self.mux.receive(data):
            process = self._processing.get(type(event))
            if process is not None:
                process(event)

    def _data(self, event: Data) -> None:
        stream = self.mux.streams.get(event.number)
        if stream is not None:
            response = stream.carried.response
            if event.data and response is not None:
                response.body_received(event.data)
            if not event.ends:
                stream.taken(event.flow)
            elif event.number in self.mux.streams:  # the receiver may have aborted it
                self._ended(stream)

    def _responds(self, event: InformationalResponseReceived | ResponseReceived) -> None:
        stream = self.mux.streams.get(event.stream_id)
        if stream is None:
            return
        exchange = stream.carried
        try:
            fields = [(bytes(name), bytes(value)) for name, value in event.headers]
            head = response_head(fields, exchange.outgoing.head.method)
            if head.length and getattr(event, "stream_ended", None) is not None:
                raise BadRequest("it has a Content-Length and no body.")
        except ProxyError as error:
            self._reject(stream, f"The upstream's response is not valid HTTP: {error.message}")
            return
        if head.status < 200:
            if head.status != 100:
                exchange.outgoing.informed(head)
            return
        if head.status >= 300 and not exchange.sent:
            # The request was rejected before its end: the rest is not needed.
            exchange.stop_sending()
        self.mux.expect(event.stream_id, head.length)
        exchange.respond(head)

    def _trailers(self, event: TrailersReceived) -> None:
        stream = self.mux.streams.get(event.stream_id)
        if stream is None:
            return
        try:
            stream.trailers = trailer_section([(bytes(name), bytes(value)) for name, value in event.headers])
        except BadRequest as error:
            self._reject(stream, f"The upstream's response is malformed: {error.message}")

    def _stream_ended(self, event: StreamEnded) -> None:
        stream = self.mux.streams.get(event.stream_id)
        if stream is not None:
            self._ended(stream)

    def _ended(self, stream: Stream) -> None:
        exchange = stream.carried
        if exchange.response is None:
            exchange.fail(UpstreamError("The upstream's response is not valid HTTP/2: it has no head."))
            return
        if not stream.outbound.sent:
            self.mux.reset(stream.number, ErrorCodes.CANCEL)
        self._remove(stream)
        exchange.done(stream.trailers)

    # Endings of streams.

    def _was_reset(self, event: StreamReset) -> None:
        stream = self.mux.streams.get(event.stream_id)
        if stream is None:
            return
        if event.error_code == ErrorCodes.REFUSED_STREAM:
            self._refuse(stream)
        else:
            self._remove(stream)
            stream.carried.fail(UpstreamClosed(f"The upstream reset the request (error {int(event.error_code)})."))

    def _was_malformed(self, event: StreamError) -> None:
        stream = self.mux.streams.get(event.stream_id)
        if stream is not None:
            self._reject(stream, f"The upstream's response is malformed: {event.reason}.")

    def _reject(self, stream: Stream, reason: str) -> None:
        """A response is malformed (RFC 9113 §8.1.1)."""
        self.mux.reset(stream.number, ErrorCodes.PROTOCOL_ERROR)
        self._remove(stream)
        stream.carried.fail(UpstreamError(reason))

    def _refuse(self, stream: Stream) -> None:
        """The upstream has not processed a request."""
        self._release(stream)
        stream.carried.refuse()

    def cancel(self, stream: Stream) -> None:
        """End an exchange before both messages are complete."""
        if stream.number in self.mux.streams:
            self.mux.reset(stream.number, ErrorCodes.CANCEL)
            self._remove(stream)

    def _remove(self, stream: Stream) -> None:
        """An exchange has ended."""
        stream.carried.forget()
        self._release(stream)

    def _release(self, stream: Stream) -> None:
        """A stream carries no exchange any more."""
        del self.mux.streams[stream.number]
        self._rest()
        self.released(stream)

    # The end of the connection.

    def _goes_away(self, event: GoAway) -> None:
        """
        The upstream takes no more requests on this connection, and does not process those above a number.

        An upstream that stops gracefully sends a first one with the largest number, and a second one later.
        """
        self._leave()
        for stream in list(self.mux.streams.values()):
            if stream.number > event.last:
                self._refuse(stream)
        self._rest()

    def _leave(self) -> None:
        """Take no more requests."""
        if not self._leaving:
            self._leaving = True
            self._lost(self)

    def _stop_sending(self) -> None:
        """The upstream reads no more.  Responses that it has sent may still arrive."""
        self._leave()
        for stream in list(self.mux.streams.values()):
            stream.carried.stop_sending()

    def _rest(self) -> None:
        """No stream may be left."""
        if self._leaving:
            self.close()
        elif not self.mux.streams:
            self._idle.set(self._idle_s)

    def close(self) -> None:
        """Close the connection, if it is idle."""
        if self._open and not self.mux.streams:
            self.mux.end()
            self._fail(UpstreamClosed("The connection was idle."))

    def _malformed(self, event: Malformed) -> None:
        self._fail(UpstreamError(f"The upstream's response is not valid HTTP/2: {event.reason}."))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._fail(UpstreamClosed("The upstream closed the connection."))

    def _fail(self, error: ProxyError) -> None:
        """End the connection, with all exchanges."""
        if not self._open:
            return
        self._open = False
        self._idle.cancel()
        self.mux.end(None)
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        if not self._leaving:
            self._lost(self)
        for stream in self.mux.take_streams():
            stream.carried.forget()
            self.released(stream)
            stream.carried.fail(error)
