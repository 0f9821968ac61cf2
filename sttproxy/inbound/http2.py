"""
The HTTP/2 connection of a client (RFC 9113), on jh2: streams, windows, limits, and the end of the connection.

It does not know what the responses are.
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
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from jh2.exceptions import ProtocolError
from jh2.settings import SettingCodes, Settings
from twisted.internet.interfaces import IDelayedCall

from ..deadline import Deadline
from ..errors import BodyTooLarge, Header, ProxyError
from ..http1.heads import MAX_HEAD
from ..http1.requests import RequestHead
from ..http2.frames import FrameSizes
from ..http2.heads import request_head, response_fields
from ..http2.outbound import CONNECTION_WINDOW, MAX_FRAME, MAX_STREAMS, PREFACE, STREAM_WINDOW
from ..transport import IStreamTransport
from ..writer import BufferedWriter
from .addresses import Addresses
from .interfaces import Serving
from .rejection import reject
from .stream import Stream

#: The allowance for frames that ask for work and bring none.  A request of a browser or an SDK needs fewer than ten;
#: rapid reset (CVE-2023-44487) and the floods of CVE-2019-9511 to 9518 need thousands.
ALLOWANCE, ALLOWANCE_PER_S = 1000.0, 100.0
#: What a reset costs of it: a request was begun for nothing.
RESET_COST = 20.0
#: Seconds between an early response and the reset that ends its upload.  curl 7.88 loses a response that comes in one
#: read with the reset.
RESET_DELAY_S = 0.2
#: Bytes sent to the client for which it may send one more window update.
BYTES_PER_UPDATE = 1024


class HTTP2:
    """
    One connection, from its preface on.

    :ivar write_buffer_full: the client takes no more for now.
    """

    def __init__(
        self,
        site: Serving,
        transport: IStreamTransport,
        writer: BufferedWriter,
        addresses: Addresses,
        secure: bool,
        end: Callable[[], None],
    ) -> None:
        """
        :param end: closes the connection after what was written.
        """
        self.site = site
        self.transport = transport
        self.addresses = addresses
        self.secure = secure
        self.write_buffer_full = False
        self._writer = writer
        self._end = end
        self._streams: dict[int, Stream] = {}
        #: Resets that follow an early response, by stream.
        self._resets: dict[int, IDelayedCall] = {}
        self._draining = False
        self._ended = False
        self._write_due = False
        #: Bytes of the connection's window that are still to be given back.
        self._unacknowledged = 0
        self._allowance = ALLOWANCE
        self._allowed_at = site.clock.seconds()
        self._idle = Deadline(site.clock, self.drain)
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=False))
        self._h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
                SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD,
                SettingCodes.MAX_FRAME_SIZE: MAX_FRAME,
            },
        )
        self._h2.max_inbound_frame_size = MAX_FRAME
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - 65535)
        self._sizes = FrameSizes(MAX_FRAME, len(PREFACE))
        self._idle.set(site.timeouts.idle)
        self._write_soon()

    # Receiving.

    def received(self, data: bytes) -> None:
        """Bytes from the client, the preface first."""
        if self._ended:
            return
        if not self._sizes.feed(data):
            self._fail(ErrorCodes.FRAME_SIZE_ERROR)
            return
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            self._fail(None)
            return
        if any(isinstance(event, ConnectionTerminated) for event in events):
            # The client leaves, and jh2 sends nothing after its GOAWAY.
            self._fail(None)
            return
        # jh2 knows of all of them already, and sends nothing on streams that were reset.
        resets = {event.stream_id for event in events if isinstance(event, StreamReset)}
        for number in resets:
            self._was_reset(number)
        for event in events:
            if self._ended:
                return
            if getattr(event, "stream_id", None) not in resets:
                self._process(event)
        self._write_soon()

    def _process(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            self._data(event)
        elif isinstance(event, RequestReceived):
            self._request(event)
        elif isinstance(event, StreamEnded):
            self._forget_reset(event.stream_id)
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.ended()
        elif isinstance(event, WindowUpdated):
            self._spend(1.0)
            self._flush_all() if event.stream_id == 0 else self._flush_number(event.stream_id)
        else:
            self._spend(1.0)
            if isinstance(event, RemoteSettingsChanged):
                self._flush_all()

    def _was_reset(self, number: int) -> None:
        """The client has reset a stream, or jh2 has, for an error of the client's."""
        self._spend(RESET_COST)
        self._forget_reset(number)
        stream = self._streams.pop(number, None)
        if stream is not None:
            stream.lost()
            self._rest()

    def _spend(self, cost: float) -> None:
        """Take from the allowance; end the connection when it is used up."""
        now = self.site.clock.seconds()
        self._allowance = min(ALLOWANCE, self._allowance + (now - self._allowed_at) * ALLOWANCE_PER_S) - cost
        self._allowed_at = now
        if self._allowance < 0 and not self._ended:
            self._fail(ErrorCodes.ENHANCE_YOUR_CALM)

    def _request(self, event: RequestReceived) -> None:
        number = event.stream_id
        ended = event.stream_ended is not None
        if self._draining:
            self._h2.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            return
        head = None
        try:
            head = request_head([(bytes(name), bytes(value)) for name, value in event.headers], ended)
            most = self.site.limits.body
            if most is not None and head.length is not None and head.length > most:
                raise BodyTooLarge(f"The body has {head.length} bytes; at most {most} are accepted.")
        except ProxyError as error:
            self._reject(number, error, head, event.headers, ended)
            return
        self._idle.clear()
        stream = self._streams[number] = Stream(self, number, head, ended)
        request = stream.request
        assert request is not None, "a new stream has one"
        request.process()
        if stream.request is request and not (stream.body.complete or stream.body.awaited):
            stream.body.pauseProducing()

    def _reject(
        self, number: int, error: ProxyError, head: RequestHead | None, fields: list[Header], ended: bool
    ) -> None:
        """Respond to a request before there is a `Request`."""
        self._spend(RESET_COST)
        asked = {bytes(name): bytes(value) for name, value in fields}
        beginning = asked.get(b":method", b"-") + b" " + asked.get(b":path", b"-") + b" "
        reject(self.site, self.addresses.peer, error, head, beginning, 0.0)
        headers, body = error.answer()
        if not self._ended:
            if self._h2.local_flow_control_window(number) < len(body):
                self._h2.reset_stream(number, ErrorCodes.PROTOCOL_ERROR)
                return
            self._h2.send_headers(number, response_fields(error.status, headers))
            self._h2.send_data(number, body, end_stream=True)
            if not ended:
                self._reset_later(number)

    def _data(self, event: DataReceived) -> None:
        flow = event.flow_controlled_length
        self._unacknowledged += flow
        if self._unacknowledged >= CONNECTION_WINDOW // 4:
            self._h2.increment_flow_control_window(self._unacknowledged)
            self._unacknowledged = 0
        if not event.data:
            self._spend(1.0)
        stream = self._streams.get(event.stream_id)
        if stream is not None and flow:
            stream.received(event.data, flow)

    # Called by streams.

    def give_window(self, number: int, count: int) -> int:
        """
        Give bytes of a stream's window back, as soon as they are worth a frame.

        :return: how many are still to be given back.
        """
        if count < STREAM_WINDOW // 4 or self._ended or number not in self._streams:
            return count
        self._h2.increment_flow_control_window(count, number)
        self._write_soon()
        return 0

    def send_headers(self, number: int, fields: list[Header]) -> None:
        """Send a head of a response."""
        if number in self._streams and not self._ended:
            self._h2.send_headers(number, fields)
            self._write_soon()

    def flush(self, stream: Stream) -> None:
        """Send what the client's windows allow."""
        while self._send_some(stream):
            pass
        self._write_soon()

    def request_done(self, stream: Stream) -> None:
        """The exchange is over; the stream is when all of the response is sent."""
        if stream.outbound.sent:
            self._remove(stream)

    def reset(self, stream: Stream) -> None:
        """Reset a stream, so that the client cannot mistake a partial response for a complete one."""
        if self._streams.pop(stream.number, None) is not None and not self._ended:
            self._h2.reset_stream(stream.number, ErrorCodes.INTERNAL_ERROR)
            self._write_soon()
            self._rest()
        self.site.scheduler.add(stream.lost)

    # Sending.

    def _send_some(self, stream: Stream) -> bool:
        """Send one frame of a response; return whether more may follow."""
        outbound = stream.outbound
        if not outbound.sendable or self.write_buffer_full or stream.number not in self._streams:
            return False
        most = min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)
        if outbound.waiting and most <= 0:
            return False
        data, last = outbound.take(most)
        self._h2.send_data(stream.number, data, end_stream=last)
        self._allowance += len(data) / BYTES_PER_UPDATE
        if last and stream.request is None:
            self._remove(stream)
        return not last

    def _flush_number(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is not None:
            self.flush(stream)
            stream.pace()

    def _flush_all(self) -> None:
        """Send one frame of each response after the other, so that all get an even share."""
        waiting = deque(self._streams.values())
        while waiting:
            stream = waiting.popleft()
            if self._send_some(stream):
                waiting.append(stream)
        for stream in list(self._streams.values()):
            stream.pace()
        self._write_soon()

    def _remove(self, stream: Stream) -> None:
        """The response is sent."""
        if self._streams.pop(stream.number, None) is None:
            return
        if not stream.body.complete:
            self._reset_later(stream.number)
        self._write_soon()
        self._rest()

    def _reset_later(self, number: int) -> None:
        """
        After an early response: tell the client that the rest of its upload is not needed (RFC 9113 §8.1).

        Meanwhile its window is not given back, so the upload stops by itself.
        """
        self._resets[number] = self.site.clock.callLater(RESET_DELAY_S, self._reset_early, number)

    def _reset_early(self, number: int) -> None:
        del self._resets[number]
        if not self._ended:
            self._h2.reset_stream(number, ErrorCodes.NO_ERROR)
            self._write_soon()

    def _forget_reset(self, number: int) -> None:
        """The client has ended a stream itself."""
        pending = self._resets.pop(number, None)
        if pending is not None:
            pending.cancel()

    def _write_soon(self) -> None:
        if not self._write_due:
            self._write_due = True
            self.site.scheduler.add(self._write)

    def _write(self) -> None:
        self._write_due = False
        data = self._h2.data_to_send()
        if data:
            self._writer.write(data)

    # Backpressure of the connection.

    def pause(self) -> None:
        """The write buffer is full."""
        self.write_buffer_full = True
        for stream in list(self._streams.values()):
            stream.pace()

    def resume(self) -> None:
        """The write buffer has room again."""
        self.write_buffer_full = False
        self._flush_all()

    # Endings.

    def _rest(self) -> None:
        """A stream has ended."""
        if self._streams:
            return
        if self._draining:
            self._close()
        else:
            self._idle.set(self.site.timeouts.idle)

    def drain(self) -> None:
        """
        Close the connection after the requests in flight; refuse new ones as not processed, so that clients may retry.

        The GOAWAY comes at the end: clients on h2, such as httpx, read no more responses after one.
        """
        self._draining = True
        self._rest()

    def stop(self) -> int:
        """End the requests in flight; return how many there were."""
        requests = [stream.request for stream in self._streams.values() if stream.request is not None]
        for request in requests:
            request.stop()
        return len(requests)

    def _fail(self, code: ErrorCodes | None) -> None:
        """
        End the connection after an error of the client's.

        :param code: None if h2 has a GOAWAY with the reason ready.
        """
        self._close(code)
        self.lost()

    def _close(self, code: ErrorCodes | None = ErrorCodes.NO_ERROR) -> None:
        if not self._ended:
            if code is not None:
                self._h2.close_connection(code)
            self._write()
            self._ended = True
            self._idle.cancel()
            self._end()

    def lost(self) -> None:
        """The connection has ended, with all its streams."""
        self._ended = True
        self._idle.cancel()
        for number in list(self._resets):
            self._forget_reset(number)
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.lost()
