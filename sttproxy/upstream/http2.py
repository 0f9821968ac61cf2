"""
One HTTP/2 connection to the upstream (RFC 9113), on jh2: many exchanges at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from jh2.config import H2Configuration
from jh2.connection import H2Connection
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
from jh2.exceptions import ProtocolError, StreamClosedError
from jh2.settings import SettingCodes, Settings
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..deadline import Deadline
from ..errors import ProxyError, UpstreamClosed, UpstreamError
from ..http1.heads import MAX_HEAD
from ..http2.frames import FrameSizes
from ..http2.heads import request_fields, response_head
from ..http2.outbound import (
    CONNECTION_WINDOW,
    MAX_FRAME,
    MAX_STREAMS,
    MAX_WAITING,
    STREAM_WINDOW,
    Outbound,
)
from ..transport import IStreamTransport, tune
from ..writer import BufferedWriter, FlushScheduler
from .exchange import Exchange
from .interfaces import IOutgoing
from .response import Response


class Stream:
    """
    One request on a connection: what the pool gives out, and the `Wire` of the exchange.

    :ivar number: the stream identifier; 0 before the request.
    :ivar outbound: the request's body.
    """

    #: An HTTP/1 connection has these too.
    upgradable = False
    unanswered = False
    announced_s: float | None = None

    def __init__(self, session: Session) -> None:
        self.number = 0
        self.outbound = Outbound()
        self.exchange: Exchange | None = None
        self._session = session
        self._paused_sending = False
        self._paused_reading = False
        self._unacknowledged = 0

    # What the pool and the agent ask of a connection.

    def request(self, outgoing: IOutgoing) -> Deferred[Response]:
        """Send a request; as `UpstreamConnection.request`."""
        return self._session.request(self, outgoing)

    def fresh(self) -> bool:
        """A stream is used as soon as it is given out."""
        return True

    def close(self) -> None:
        """Give the stream back without a request; the connection goes on."""
        self._session.released(self)

    # The wire.

    def send_body(self, data: bytes) -> None:
        self.outbound.add(data)
        self._session.flush(self)
        self.pace()

    def end_body(self) -> None:
        self.outbound.end()
        self._session.flush(self)

    @property
    def unsent(self) -> int:
        return self.outbound.waiting

    def pause_reading(self) -> None:
        self._paused_reading = True

    def resume_reading(self) -> None:
        self._paused_reading = False
        self.taken(0)

    def taken(self, flow: int) -> None:
        """
        Bytes of the response have arrived, or may arrive again: give the window back, unless reading is paused.

        :param flow: how many bytes of the window they took.
        """
        self._unacknowledged += flow
        if not self._paused_reading and self._unacknowledged >= STREAM_WINDOW // 4:
            self._session.give_window(self.number, self._unacknowledged)
            self._unacknowledged = 0

    def abort(self) -> None:
        self._session.cancel(self)

    def tunnel(self, end: Protocol) -> bytes:
        raise RuntimeError("HTTP/2 has no 101")

    def pace(self) -> None:
        """Pause or resume the source of the request."""
        waiting = self.outbound.waiting
        full = waiting > MAX_WAITING or (waiting > 0 and self._session.write_buffer_full)
        if self.exchange is not None and full != self._paused_sending:
            self._paused_sending = full
            if full:
                self.exchange.pause()
            else:
                self.exchange.resume()


@implementer(IPushProducer)
class Session(Protocol):
    """
    One connection.

    :ivar write_buffer_full: the upstream takes no more for now.
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
        self.write_buffer_full = False
        self._clock = clock
        self._scheduler = scheduler
        self._scheme = scheme
        self.released = released
        self._lost = lost
        self._idle_s = idle_s
        self._send_s = send_s
        self._streams: dict[int, Stream] = {}
        self._open = True
        self._write_due = False
        self._unacknowledged = 0
        self._idle = Deadline(clock, self.close)
        self._sizes = FrameSizes(MAX_FRAME, 0)
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=False))
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD,
                SettingCodes.MAX_FRAME_SIZE: MAX_FRAME,
            },
        )
        self._h2.max_inbound_frame_size = MAX_FRAME

    def connectionMade(self) -> None:
        tune(self.transport)
        self._writer = BufferedWriter(self.transport, self._scheduler)
        self.transport.registerProducer(self, True)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - 65535)
        self._write_soon()
        self._idle.set(self._idle_s)

    def stream(self) -> Stream:
        """One more stream, for one request; only if there is `room`."""
        return Stream(self)

    @property
    def room(self) -> bool:
        """Whether one more request can be sent."""
        return self._open and len(self._streams) < min(MAX_STREAMS, self._h2.remote_settings.max_concurrent_streams)

    # Sending.

    def request(self, stream: Stream, outgoing: IOutgoing) -> Deferred[Response]:
        """Send a request on a stream."""
        head = outgoing.head
        if not self.room:
            outgoing.stopProducing()
            self.released(stream)
            return fail(UpstreamClosed("The upstream closed the connection."))
        exchange = stream.exchange = Exchange(outgoing, stream, self._clock, self._send_s)
        number = stream.number = self._h2.get_next_available_stream_id()
        self._streams[number] = stream
        self._idle.clear()
        lengths = [value for name, value in head.headers if name.lower() == b"content-length"]
        bodiless = stream.outbound.sent = not head.chunked and lengths in ([], [b"0"])
        fields = request_fields(head.method, self._scheme, head.target, head.headers)
        self._h2.send_headers(number, fields, end_stream=bodiless)
        self._write_soon()
        outgoing.deliver(exchange)
        return exchange.responded

    def flush(self, stream: Stream) -> None:
        """Send what the upstream's windows allow."""
        while self._send_some(stream):
            pass
        self._write_soon()

    def _send_some(self, stream: Stream) -> bool:
        """Send one frame of a request; return whether more may follow."""
        outbound = stream.outbound
        if not outbound.sendable or self.write_buffer_full or stream.number not in self._streams:
            return False
        try:
            most = min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)
            if outbound.waiting and most <= 0:
                return False
            data, last = outbound.take(most)
            self._h2.send_data(stream.number, data, end_stream=last)
        except StreamClosedError:
            return False  # it was reset, and the event comes later in the same read
        return not last

    def _flush_all(self) -> None:
        waiting = deque(self._streams.values())
        while waiting:
            stream = waiting.popleft()
            if self._send_some(stream):
                waiting.append(stream)
        for stream in list(self._streams.values()):
            stream.pace()
        self._write_soon()

    def give_window(self, number: int, count: int) -> None:
        """Let the upstream send so many bytes more on a stream."""
        if number in self._streams and self._open:
            try:
                self._h2.increment_flow_control_window(count, number)
            except StreamClosedError:
                return  # as in `_send_some`
            self._write_soon()

    def _write_soon(self) -> None:
        if not self._write_due:
            self._write_due = True
            self._scheduler.add(self._write)

    def _write(self) -> None:
        self._write_due = False
        data = self._h2.data_to_send()
        if data:
            self._writer.write(data)

    def pauseProducing(self) -> None:
        self.write_buffer_full = True
        for stream in list(self._streams.values()):
            stream.pace()

    def resumeProducing(self) -> None:
        self.write_buffer_full = False
        self._flush_all()

    def stopProducing(self) -> None:
        """Does nothing: `connectionLost` follows."""

    # Receiving.

    def dataReceived(self, data: bytes) -> None:
        if not self._open:
            return
        if not self._sizes.feed(data):
            self._fail(UpstreamError("The upstream's response is not valid HTTP/2: a frame is too large."))
            return
        try:
            events = self._h2.receive_data(data)
        except ProtocolError as error:
            self._fail(UpstreamError(f"The upstream's response is not valid HTTP/2: {error}."))
            return
        for event in events:
            if self._open:
                self._process(event)
        self._write_soon()

    def _process(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            self._fail(UpstreamClosed("The upstream closed the connection."))
            return
        if isinstance(event, DataReceived):
            self._acknowledge(event.flow_controlled_length)
        if isinstance(event, RemoteSettingsChanged) or (isinstance(event, WindowUpdated) and not event.stream_id):
            self._flush_all()
            return
        stream = self._streams.get(getattr(event, "stream_id", 0) or 0)
        if stream is None:
            return
        exchange = stream.exchange
        assert exchange is not None, "a stream with a number has one"
        if isinstance(event, DataReceived):
            if event.data and exchange.response is not None:
                exchange.response.body_received(bytes(event.data))
            stream.taken(event.flow_controlled_length)
        elif isinstance(event, InformationalResponseReceived | ResponseReceived):
            self._responds(stream, exchange, event)
        elif isinstance(event, StreamEnded):
            self._ends(stream, exchange)
        elif isinstance(event, StreamReset):
            self._remove(stream)
            exchange.fail(UpstreamClosed(f"The upstream reset the request (error {int(event.error_code)})."))
        elif isinstance(event, WindowUpdated):
            self.flush(stream)
            stream.pace()

    def _acknowledge(self, flow: int) -> None:
        self._unacknowledged += flow
        if self._unacknowledged >= CONNECTION_WINDOW // 4:
            self._h2.increment_flow_control_window(self._unacknowledged)
            self._unacknowledged = 0

    def _responds(
        self, stream: Stream, exchange: Exchange, event: InformationalResponseReceived | ResponseReceived
    ) -> None:
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
            self._reset(stream.number)
        self._remove(stream)
        exchange.forget()
        exchange.done()

    # Endings.

    def cancel(self, stream: Stream) -> None:
        """End an exchange before both messages are complete."""
        if stream.number in self._streams:
            self._reset(stream.number)
            self._remove(stream)

    def _reset(self, number: int) -> None:
        if self._open:
            try:
                self._h2.reset_stream(number, ErrorCodes.CANCEL)
            except StreamClosedError:
                return  # as in `_send_some`
            self._write_soon()

    def _remove(self, stream: Stream) -> None:
        """A stream carries no exchange any more."""
        if self._streams.pop(stream.number, None) is None:
            return
        if stream.exchange is not None:
            stream.exchange.forget()
        if not self._streams and self._open:
            self._idle.set(self._idle_s)
        self.released(stream)

    def _fail(self, error: ProxyError) -> None:
        """End the connection, with all exchanges."""
        if not self._open:
            return
        self._open = False
        self._idle.cancel()
        self._write()
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self._lost(self)
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            exchange = stream.exchange
            assert exchange is not None, "a stream with a number has one"
            exchange.forget()
            self.released(stream)
            exchange.fail(error)

    def close(self) -> None:
        """Close the connection, if it is idle."""
        if self._open and not self._streams:
            self._h2.close_connection()
            self._fail(UpstreamClosed("The connection was idle."))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._fail(UpstreamClosed("The upstream closed the connection."))
