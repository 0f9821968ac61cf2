"""
What both ends of an HTTP/2 connection do alike, above jh2: windows, and the bodies of many streams over one connection.

It does not know what the streams carry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

from jh2.errors import ErrorCodes
from jh2.exceptions import StreamClosedError

from ..errors import Header
from .connection import new_connection
from .heads import trailer_fields
from .outbound import CONNECTION_WINDOW, MAX_STREAMS, STREAM_WINDOW, Outbound
from .receiver import Receiver

#: Bytes that a connection's window begins with (RFC 9113 §6.9.2).
_FIRST_WINDOW = 65535


class Sending(Protocol):
    """
    A stream that sends a body.

    :ivar number: the stream identifier.
    :ivar outbound: the body.
    """

    number: int
    outbound: Outbound

    def pace(self) -> None:
        """Pause or resume what produces the body, as there is room for it."""


S = TypeVar("S", bound=Sending)


class Multiplexer(Generic[S]):
    """
    One end of a connection.

    :ivar streams: those that carry an exchange, by number.
    :ivar write_buffer_full: the other side takes no more for now.
    :ivar ended: nothing is sent any more.
    """

    def __init__(
        self,
        client: bool,
        write: Callable[[bytes], None],
        schedule: Callable[[Callable[[], None]], None],
        sent: Callable[[S, int], None] = lambda stream, size: None,
    ) -> None:
        """
        :param client: whether it is the client's end.
        :param write: sends bytes to the other side.
        :param schedule: calls a function at the end of the reactor iteration.
        :param sent: called after each frame of a stream's body with the number of its bytes.
        """
        self.streams: dict[int, S] = {}
        self.write_buffer_full = False
        self.ended = False
        self._write = write
        self._schedule = schedule
        self._sent = sent
        self._write_due = False
        #: The streams whose body is sent with the next write, by number.
        self._due: dict[int, S] = {}
        #: Frames that give windows back, to be written.
        self._updates = b""
        self._h2 = new_connection(client)
        self._receiver = Receiver(self._h2, client)

    def start(self) -> None:
        """Begin the connection."""
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - _FIRST_WINDOW)
        self.flush_soon()

    @property
    def room(self) -> int:
        """How many streams the other side allows at a time."""
        allowed: int = self._h2.remote_settings.max_concurrent_streams
        return min(MAX_STREAMS, allowed)

    def new_number(self) -> int:
        """The number of the next stream that is begun here."""
        number: int = self._h2.get_next_available_stream_id()
        return number

    # Receiving.

    def receive(self, data: bytes) -> Iterator[Any]:
        """
        Take bytes from the other side.

        :return: as `Receiver.receive`, until this end has ended.
        """
        for event in self._receiver.receive(data):
            yield event
            if self.ended:
                return
        self._updates += self._receiver.allow_connection()
        self.flush_soon()

    def expect(self, number: int, length: int | None) -> None:
        """As `Receiver.expect`."""
        self._receiver.expect(number, length)

    def give_window(self, number: int, count: int) -> int:
        """
        Give bytes of a stream's window back, as soon as they are worth a frame.

        :return: how many are still to be given back.
        """
        if count < STREAM_WINDOW // 4 or self.ended:
            return count
        self._updates += self._receiver.allow(number, count)
        self.flush_soon()
        return 0

    # Sending.

    def send_headers(self, number: int, fields: list[Header], ends: bool = False) -> None:
        """Send a head; `ends` says whether the stream ends with it."""
        if not self.ended:
            self._h2.send_headers(number, fields, end_stream=ends)
            self.flush_soon()

    def respond(self, number: int, fields: list[Header], body: bytes) -> bool:
        """Send a whole response on a stream that carries no exchange; return whether the window has room for it."""
        if self._h2.local_flow_control_window(number) < len(body):
            return False
        self.send_headers(number, fields)
        self._h2.send_data(number, body, end_stream=True)
        return True

    def reset(self, number: int, code: ErrorCodes) -> None:
        """End a stream, unless the other side has."""
        if not self.ended:
            with suppress(StreamClosedError):
                self._h2.reset_stream(number, code)
                self.flush_soon()
        self._receiver.forget(number)

    def send(self, stream: S) -> None:
        """
        Send what the windows allow of a stream's body at the end of the reactor iteration, and pace what produces it.

        By then a short body is complete, and its end is in the frame of its last bytes.
        """
        self._due[stream.number] = stream
        self.flush_soon()

    def send_all(self) -> None:
        """Send one frame of each stream after the other, so that all get an even share."""
        waiting = deque(self.streams.values())
        while waiting:
            stream = waiting.popleft()
            if self._send_frame(stream):
                waiting.append(stream)
        self._pace()
        self.flush_soon()

    def window_updated(self, number: int) -> None:
        """The other side takes more, on one stream or, if the number is 0, on the connection."""
        stream = self.streams.get(number)
        if not number:
            self.send_all()
        elif stream is not None:
            self.send(stream)

    def _send_frame(self, stream: S) -> bool:
        """Send one frame; return whether more may follow."""
        outbound = stream.outbound
        if not outbound.sendable or self.write_buffer_full or stream.number not in self.streams:
            return False
        most = min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)
        if outbound.waiting and most <= 0:
            return False
        data, last = outbound.take(most)
        trails = last and bool(outbound.trailers)
        if data or not trails:
            self._h2.send_data(stream.number, data, end_stream=last and not trails)
        if trails:
            self._h2.send_headers(stream.number, trailer_fields(outbound.trailers), end_stream=True)
        self._sent(stream, len(data))
        return not last

    def flush_soon(self) -> None:
        """Write at the end of the reactor iteration."""
        if not self._write_due:
            self._write_due = True
            self._schedule(self.flush)

    def flush(self) -> None:
        """Write what is ready.  jh2's frames come last, as they may end streams."""
        self._write_due = False
        due, self._due = self._due, {}
        for stream in due.values():
            while self._send_frame(stream):
                pass
            if stream.number in self.streams:
                stream.pace()
        data = self._updates + self._h2.data_to_send()
        self._updates = b""
        if data:
            self._write(data)

    # Backpressure of the connection.

    def pause(self) -> None:
        """The write buffer is full."""
        self.write_buffer_full = True
        self._pace()

    def resume(self) -> None:
        """The write buffer has room again."""
        self.write_buffer_full = False
        self.send_all()

    def _pace(self) -> None:
        for stream in list(self.streams.values()):
            stream.pace()

    # The end.

    def end(self, code: ErrorCodes | None = ErrorCodes.NO_ERROR) -> None:
        """
        Send a GOAWAY, and nothing after it.

        :param code: None if jh2 has one ready, with the reason.
        """
        if code is not None:
            self.flush()  # which may end the connection itself, with the last stream
        self._due.clear()
        if not self.ended:
            if code is not None:
                self._h2.close_connection(code)
            self.flush()
            self.ended = True

    def take_streams(self) -> list[S]:
        """Forget all streams; return them."""
        self.ended = True
        streams = list(self.streams.values())
        self.streams.clear()
        return streams
