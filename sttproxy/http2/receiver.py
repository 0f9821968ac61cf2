"""
What arrives on a connection, as events: bodies, which are counted here, and all else, which jh2 reads.

jh2 never sees DATA of an open stream.  It would copy each body three times, and end the connection where RFC 9113 only
ends a stream: if a body is longer or shorter than its Content-Length.
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
from .outbound import CONNECTION_WINDOW, MAX_FRAME, PREFACE, STREAM_WINDOW


class StreamError(NamedTuple):
    """What arrived ends one stream, which has been reset (RFC 9113 §5.4.2)."""

    stream_id: int
    reason: str


class ControlFrame(NamedTuple):
    """A frame that asks for work and brings no part of a message; it may have no other event."""


class Malformed(NamedTuple):
    """What arrived ends the connection; jh2 has a GOAWAY ready.  The last event."""

    reason: str


class _Body:
    """
    A body that arrives.

    :ivar window: bytes that the other side may send before more are allowed.
    :ivar left: bytes that are still to come by the Content-Length; None without one.
    """

    __slots__ = ("left", "window")

    def __init__(self) -> None:
        self.window = STREAM_WINDOW
        self.left: int | None = None


def _window_update(number: int, count: int) -> bytes:
    return b"\0\0\4\x08\0%b%b" % (number.to_bytes(4, "big"), count.to_bytes(4, "big"))


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
        self._window = CONNECTION_WINDOW
        #: Bytes of the connection's window that are still to be given back.
        self._unacknowledged = 0
        #: The bodies that arrive, by stream.
        self._bodies: dict[int, _Body] = {}

    def receive(self, data: bytes) -> Iterator[Any]:
        """
        Take bytes from the other side.

        :return: `Data`, which may end a stream, `GoAway`, the events above, and jh2's events.
        """
        try:
            for piece in self._frames.feed(data):
                if isinstance(piece, Data):
                    body = self._bodies.get(piece.number)
                    if body is None or not (piece.data or piece.ends):
                        yield ControlFrame()
                    yield from self._strays(piece) if body is None else self._counted(piece, body)
                elif isinstance(piece, GoAway):
                    yield piece
                elif isinstance(piece, Control):
                    yield ControlFrame()
                    yield from self._control(piece)
                else:
                    yield from self._noted(self._h2.receive_data(piece.data))
        except Violation as violation:
            self._h2.close_connection(violation.code)
            yield Malformed(violation.reason)
        except ProtocolError as error:
            yield Malformed(str(error))

    def expect(self, number: int, length: int | None) -> None:
        """
        Set the length of the body that arrives on a stream, if one does.

        :param length: None if it is not known.
        """
        body = self._bodies.get(number)
        if body is not None:
            body.left = length

    def allow(self, number: int, count: int) -> bytes:
        """
        Let the other side send more bytes of a body.

        :return: the frame that says so; ``b""`` if the body has ended.
        """
        body = self._bodies.get(number)
        if body is None:
            return b""
        body.window += count
        return _window_update(number, count)

    def allow_connection(self) -> bytes:
        """
        Give the connection's window back, as soon as this is worth a frame.

        This does not wait until bytes are forwarded, so that a paused stream never holds up another one.

        :return: the frame; ``b""`` if it is not worth one.
        """
        count = self._unacknowledged
        if count < CONNECTION_WINDOW // 4:
            return b""
        self._unacknowledged = 0
        self._window += count
        return _window_update(0, count)

    def forget(self, number: int) -> None:
        """Nothing of a stream is processed any more."""
        self._bodies.pop(number, None)

    def _control(self, frame: Control) -> Iterator[Any]:
        """
        Check a control frame.

        :raises Violation: when it ends the connection.
        """
        data = frame.data
        own = frame.number % 2 == self._client
        idle = frame.number > (self._h2.highest_outbound_stream_id if own else self._h2.highest_inbound_stream_id)
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

    def _counted(self, piece: Data, body: _Body) -> Iterator[Any]:
        """
        Part of a body.

        :raises Violation: when it exceeds its window.
        """
        number = piece.number
        self._window -= piece.flow
        self._unacknowledged += piece.flow
        body.window -= piece.flow
        if body.window < 0 or self._window < 0:
            raise Violation(ErrorCodes.FLOW_CONTROL_ERROR, "a body exceeds its window")
        if body.left is not None:
            body.left -= len(piece.data)
            if body.left < 0 or (piece.ends and body.left > 0):
                yield self._wrong_length(number)
                return
        if piece.ends:
            self.forget(number)
            # jh2 would compare the lengths at the end of a body, so it gets empty trailers.
            self._h2.receive_data(b"\0\0\0\x01\x05" + number.to_bytes(4, "big"))
        yield piece

    def _strays(self, piece: Data) -> Iterator[Any]:
        """DATA that no body expects: of a stream that has ended, or was never begun."""
        number = piece.number.to_bytes(4, "big")
        for at in range(0, max(1, len(piece.data)), MAX_FRAME):
            data = piece.data[at : at + MAX_FRAME]
            ends = piece.ends and len(piece.data) <= at + MAX_FRAME
            yield from self._h2.receive_data(b"%b\0%c%b%b" % (len(data).to_bytes(3, "big"), ends, number, data))

    def _noted(self, events: list[Any]) -> list[Any]:
        """Note which bodies begin and end with a frame other than DATA."""
        for event in events:
            kind = type(event)
            if kind is RequestReceived or kind is ResponseReceived:
                if self._client and kind is RequestReceived:
                    raise Violation(ErrorCodes.PROTOCOL_ERROR, "HEADERS on a stream of the server's")  # §5.1.1
                if event.stream_ended is None:
                    self._bodies[event.stream_id] = _Body()
            elif kind is StreamReset:
                self.forget(event.stream_id)
            elif kind is StreamEnded:
                body = self._bodies.pop(event.stream_id, None)
                if body is not None and body.left:
                    return [self._wrong_length(event.stream_id)]  # its trailers come too early
        return events

    def _wrong_length(self, number: int) -> StreamError:
        reason = "its body is longer or shorter than its Content-Length"  # §8.1.1
        return self._error(number, ErrorCodes.PROTOCOL_ERROR, reason)

    def _error(self, number: int, code: ErrorCodes, reason: str) -> StreamError:
        self.forget(number)
        with suppress(StreamClosedError):  # it has ended on both sides
            self._h2.reset_stream(number, code)
        return StreamError(number, reason)
