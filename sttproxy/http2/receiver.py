"""
What arrives on a connection, as events: jh2's, and others where jh2 does not do what RFC 9113 says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from jh2.connection import H2Connection
from jh2.errors import ErrorCodes
from jh2.events import RequestReceived, ResponseReceived, StreamEnded, StreamReset
from jh2.exceptions import ProtocolError, StreamClosedError

from .frames import (
    ACK,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Control,
    Data,
    FrameReader,
    GoAway,
    Violation,
)
from .outbound import MAX_FRAME, PREFACE


class StreamError(NamedTuple):
    """What arrived ends one stream, which has been reset (RFC 9113 §5.4.2)."""

    stream_id: int
    reason: str


class ControlFrame(NamedTuple):
    """A frame that asks for work and brings no part of a message; it may have no other event."""


class Malformed(NamedTuple):
    """What arrived ends the connection; jh2 has a GOAWAY ready.  The last event."""

    reason: str


class Receiver:
    """
    The receiving half of one end.

    Each frame's events are to be processed before the next frame is read, so jh2 knows no more than its user.
    """

    def __init__(self, h2: H2Connection, client: bool) -> None:
        """
        :param client: whether it is the client's end.
        """
        self._h2 = h2
        self._client = client
        self._frames = FrameReader(MAX_FRAME, 0 if client else len(PREFACE))
        #: Bytes of bodies that are still to come, by stream, for those with a Content-Length.
        self._left: dict[int, int] = {}

    def receive(self, data: bytes) -> Iterator[Any]:
        """Take bytes from the other side."""
        try:
            for piece in self._frames.feed(data):
                if isinstance(piece, GoAway):
                    yield piece
                elif isinstance(piece, Control):
                    yield ControlFrame()
                    yield from self._control(piece)
                elif isinstance(piece, Data):
                    if not piece.size and not piece.ends:
                        yield ControlFrame()
                    if not self._fits(piece):
                        yield self._wrong_length(piece.number)
                    # jh2 counts those of a stream that was reset against the connection's window, and drops them.
                    yield from self._h2.receive_data(piece.data)
                else:
                    yield from self._noted(self._h2.receive_data(piece.data))
        except Violation as violation:
            self._h2.close_connection(violation.code)
            yield Malformed(violation.reason)
        except ProtocolError as error:
            yield Malformed(str(error))

    def expect(self, number: int, length: int) -> None:
        """The body that arrives on a stream has this length, whatever its head says."""
        self._left[number] = length

    def forget(self, number: int) -> None:
        """Nothing of a stream is processed any more."""
        self._left.pop(number, None)

    def _control(self, frame: Control) -> Iterator[Any]:
        """
        Check a control frame.

        :raises Violation: when it ends the connection.
        """
        data = frame.data
        idle = frame.number > max(self._h2.highest_inbound_stream_id, self._h2.highest_outbound_stream_id)
        if frame.kind == RST_STREAM and idle:
            raise Violation(ErrorCodes.PROTOCOL_ERROR, "RST_STREAM on an idle stream")  # §6.4
        if frame.kind == SETTINGS and frame.flags & ACK and frame.size:
            raise Violation(ErrorCodes.FRAME_SIZE_ERROR, "an acknowledgement of SETTINGS has a payload")  # §6.5
        if frame.kind == PRIORITY and frame.number:
            # Deprecated; jh2 would end the connection for a wrong one (§5.3.2, §6.3).
            if frame.size != 5 and not idle:
                yield self._error(frame.number, ErrorCodes.FRAME_SIZE_ERROR, "PRIORITY has a wrong size")
                return
            if frame.size == 5:
                return
        if frame.kind == WINDOW_UPDATE and frame.size == 4:
            data = data[:9] + bytes([data[9] & 0x7F]) + data[10:]  # without the reserved bit
            if frame.number and not idle and not any(data[9:]):
                yield self._error(frame.number, ErrorCodes.PROTOCOL_ERROR, "a WINDOW_UPDATE of 0")  # §6.9
                return
        yield from self._noted(self._h2.receive_data(data))

    def _fits(self, piece: Data) -> bool:
        """Whether a piece of a body keeps to the Content-Length."""
        left = self._left.get(piece.number)
        if left is None:
            return True
        left = self._left[piece.number] = left - piece.size
        if piece.ends:
            del self._left[piece.number]
        return left == 0 or (left > 0 and not piece.ends)

    def _noted(self, events: list[Any]) -> list[Any]:
        """Note what the events of a frame, not DATA, say about lengths."""
        for event in events:
            kind = type(event)
            if kind is RequestReceived or kind is ResponseReceived:
                if self._client and kind is RequestReceived:
                    raise Violation(ErrorCodes.PROTOCOL_ERROR, "HEADERS on a stream of the server's")  # §5.1.1
                if event.stream_ended is None:
                    self._note_length(event.stream_id, event.headers)
            elif kind is StreamReset:
                self.forget(event.stream_id)
            elif kind is StreamEnded and self._left.pop(event.stream_id, 0):
                return [self._wrong_length(event.stream_id)]  # by trailers
        return events

    def _note_length(self, number: int, headers: list[tuple[bytes, bytes]]) -> None:
        for name, value in headers:
            if name == b"content-length":
                self._left.setdefault(number, int(value))
                return

    def _wrong_length(self, number: int) -> StreamError:
        reason = "its body is longer or shorter than its Content-Length"  # §8.1.1
        return self._error(number, ErrorCodes.PROTOCOL_ERROR, reason)

    def _error(self, number: int, code: ErrorCodes, reason: str) -> StreamError:
        self.forget(number)
        with suppress(StreamClosedError):  # it has ended on both sides
            self._h2.reset_stream(number, code)
        return StreamError(number, reason)
