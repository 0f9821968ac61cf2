"""
What arrives on a connection, as events: jh2's, and some that jh2 would end the connection for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from jh2.connection import H2Connection
from jh2.errors import ErrorCodes
from jh2.events import RequestReceived, ResponseReceived, StreamEnded, StreamReset
from jh2.exceptions import ProtocolError, StreamClosedError

from .frames import Data, FrameReader, FrameTooLarge, GoAway
from .outbound import MAX_FRAME, PREFACE


class WrongLength(NamedTuple):
    """A body is longer or shorter than its Content-Length.  The stream has been reset (RFC 9113 §8.1.1)."""

    stream_id: int


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
        self._frames = FrameReader(MAX_FRAME, 0 if client else len(PREFACE))
        #: Bytes of bodies that are still to come, by stream, for those with a Content-Length.
        self._left: dict[int, int] = {}

    def receive(self, data: bytes) -> Iterator[Any]:
        """Take bytes from the other side."""
        try:
            for piece in self._frames.feed(data):
                if isinstance(piece, GoAway):
                    yield piece
                elif isinstance(piece, Data):
                    if not self._fits(piece):
                        yield self._wrong(piece.number)
                    # jh2 counts those of a stream that was reset against the connection's window, and drops them.
                    yield from self._h2.receive_data(piece.data)
                else:
                    yield from self._noted(self._h2.receive_data(piece.data))
        except FrameTooLarge:
            self._h2.close_connection(ErrorCodes.FRAME_SIZE_ERROR)
            yield Malformed("a frame is too large")
        except ProtocolError as error:
            yield Malformed(str(error))

    def expect(self, number: int, length: int) -> None:
        """The body that arrives on a stream has this length, whatever its head says."""
        self._left[number] = length

    def forget(self, number: int) -> None:
        """Nothing of a stream is processed any more."""
        self._left.pop(number, None)

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
                if event.stream_ended is None:
                    self._note_length(event.stream_id, event.headers)
            elif kind is StreamReset:
                self.forget(event.stream_id)
            elif kind is StreamEnded and self._left.pop(event.stream_id, 0):
                return [self._wrong(event.stream_id)]  # by trailers
        return events

    def _note_length(self, number: int, headers: list[tuple[bytes, bytes]]) -> None:
        for name, value in headers:
            if name == b"content-length":
                self._left.setdefault(number, int(value))
                return

    def _wrong(self, number: int) -> WrongLength:
        self.forget(number)
        with suppress(StreamClosedError):  # it has ended on both sides
            self._h2.reset_stream(number, ErrorCodes.PROTOCOL_ERROR)
        return WrongLength(number)
