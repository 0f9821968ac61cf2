"""
The HTTP/2 connection of a client (RFC 9113): requests, limits, and the end of the connection.

It does not know what the responses are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jh2.errors import ErrorCodes
from jh2.events import (
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from twisted.internet.interfaces import IDelayedCall

from ..deadline import Deadline
from ..errors import BodyTooLarge, Header, ProxyError
from ..http1.requests import RequestHead
from ..http2.frames import Data, GoAway
from ..http2.heads import request_head, response_fields
from ..http2.multiplexer import Multiplexer
from ..http2.receiver import ControlFrame, Malformed, StreamError
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

    :ivar mux: the streams that carry a request or the rest of its response.
    """

    def __init__(
        self,
        site: Serving,
        transport: IStreamTransport,
        writer: BufferedWriter,
        addresses: Addresses,
        secure: bool,
        end: Callable[[bool], None],
    ) -> None:
        """
        :param end: closes the connection after what was written; the argument says whether the client may still be
            sending.
        """
        self.site = site
        self.transport = transport
        self.addresses = addresses
        self.secure = secure
        self.mux: Multiplexer[Stream] = Multiplexer(False, writer.write, site.scheduler.add, self._sent)
        self._end = end
        #: What processes each kind of event.
        self._processing: dict[type, Callable[[Any], None]] = {
            Data: self._data,
            RequestReceived: self._request,
            TrailersReceived: self._trailers,
            StreamEnded: self._upload_ended,
            WindowUpdated: lambda event: self.mux.window_updated(event.stream_id),
            RemoteSettingsChanged: lambda event: self.mux.send_all(),
            StreamReset: self._was_reset,
            StreamError: self._was_reset,
            ControlFrame: lambda event: self._spend(1.0),
            GoAway: lambda event: self.drain(),
            Malformed: self._malformed,
        }
        #: Resets that follow an early response, by stream.
        self._resets: dict[int, IDelayedCall] = {}
        self._draining = False
        self._allowance = ALLOWANCE
        self._allowed_at = site.clock.seconds()
        self._idle = Deadline(site.clock, self.drain)
        self._idle.set(site.timeouts.idle)
        self.mux.start()

    # Receiving.

    def received(self, data: bytes) -> None:
        """Bytes from the client, the preface first."""
        if self.mux.ended:
            return
        for event in self.mux.receive(data):
            process = self._processing.get(type(event))
            if process is not None:
                process(event)

    def _trailers(self, event: TrailersReceived) -> None:
        stream = self.mux.streams.get(event.stream_id)
        if stream is not None:
            stream.trailers_received([(bytes(name), bytes(value)) for name, value in event.headers])

    def _upload_ended(self, event: StreamEnded) -> None:
        self._forget_reset(event.stream_id)
        stream = self.mux.streams.get(event.stream_id)
        if stream is not None:
            stream.ended()

    def _malformed(self, event: Malformed) -> None:
        self._fail(None)

    def _was_reset(self, event: StreamReset | StreamError) -> None:
        """The client has reset a stream, or an error of the client's has."""
        number = event.stream_id
        self._spend(RESET_COST)
        self._forget_reset(number)
        stream = self.mux.streams.pop(number, None)
        if stream is not None:
            stream.lost()
            self._rest()

    def _spend(self, cost: float) -> None:
        """Take from the allowance; end the connection when it is used up."""
        now = self.site.clock.seconds()
        self._allowance = min(ALLOWANCE, self._allowance + (now - self._allowed_at) * ALLOWANCE_PER_S) - cost
        self._allowed_at = now
        if self._allowance < 0 and not self.mux.ended:
            self._fail(ErrorCodes.ENHANCE_YOUR_CALM)

    def _request(self, event: RequestReceived) -> None:
        number = event.stream_id
        ended = event.stream_ended is not None
        if self._draining:
            self.mux.reset(number, ErrorCodes.REFUSED_STREAM)
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
        self.mux.expect(number, head.length)
        stream = self.mux.streams[number] = Stream(self, number, head, ended)
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
        headers, body = reject(self.site, self.addresses.peer, error, head, beginning, 0.0, multiplexed=True)
        if not self.mux.ended:
            if not self.mux.respond(number, response_fields(error.status, headers), body):
                self.mux.reset(number, ErrorCodes.PROTOCOL_ERROR)
            elif not ended:
                self._reset_later(number)

    def _data(self, event: Data) -> None:
        if event.ends:
            self._forget_reset(event.number)
        stream = self.mux.streams.get(event.number)
        if stream is not None:
            stream.received(event.data, event.flow, event.ends)

    # Streams.

    def _sent(self, stream: Stream, size: int) -> None:
        """A frame of a response is sent."""
        self._allowance += size / BYTES_PER_UPDATE
        if stream.request is None:
            self.request_done(stream)

    def request_done(self, stream: Stream) -> None:
        """The exchange is over; the stream is when all of the response is sent."""
        if not stream.outbound.sent or self.mux.streams.pop(stream.number, None) is None:
            return
        if not stream.body.complete:
            self._reset_later(stream.number)
        self._rest()

    def reset(self, stream: Stream) -> None:
        """Reset a stream, so that the client cannot mistake a partial response for a complete one."""
        if self.mux.streams.pop(stream.number, None) is not None:
            self.mux.reset(stream.number, ErrorCodes.INTERNAL_ERROR)
            self._rest()
        self.site.scheduler.add(stream.lost)

    def _reset_later(self, number: int) -> None:
        """
        After an early response: tell the client that the rest of its upload is not needed (RFC 9113 §8.1).

        Meanwhile its window is not given back, so the upload stops by itself.
        """
        self._resets[number] = self.site.clock.callLater(RESET_DELAY_S, self._reset_early, number)

    def _reset_early(self, number: int) -> None:
        del self._resets[number]
        self.mux.reset(number, ErrorCodes.NO_ERROR)

    def _forget_reset(self, number: int) -> None:
        """The client has ended a stream itself."""
        pending = self._resets.pop(number, None)
        if pending is not None:
            pending.cancel()

    # The end of the connection.

    def _rest(self) -> None:
        """A stream has ended."""
        if self.mux.streams or self.mux.ended:
            return
        if self._draining:
            self._close(ErrorCodes.NO_ERROR, unread=True)
        else:
            self._idle.set(self.site.timeouts.idle)

    def drain(self) -> None:
        """
        Close the connection after the requests in flight; refuse new ones as not processed, so that clients may retry.

        The GOAWAY comes at the end: clients on h2, such as httpx, read no more responses after one.
        """
        self._draining = True
        if not self.mux.streams:
            self._close(ErrorCodes.NO_ERROR, unread=False)

    def stop(self) -> int:
        """End the requests in flight; return how many there were."""
        requests = [stream.request for stream in self.mux.streams.values() if stream.request is not None]
        for request in requests:
            request.stop()
        return len(requests)

    def _fail(self, code: ErrorCodes | None) -> None:
        """
        End the connection after an error of the client's.

        :param code: None if jh2 has a GOAWAY with the reason ready.
        """
        self._close(code, unread=False)
        self.lost()

    def _close(self, code: ErrorCodes | None, unread: bool) -> None:
        if not self.mux.ended:
            self.mux.end(code)
            self._idle.cancel()
            self._end(unread)

    def lost(self) -> None:
        """The connection has ended, with all its streams."""
        self._idle.cancel()
        for number in list(self._resets):
            self._forget_reset(number)
        for stream in self.mux.take_streams():
            stream.lost()
