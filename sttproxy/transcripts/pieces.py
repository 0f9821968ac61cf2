"""
Documents that are read piece by piece: cue by cue, event by event, line by line.

A piece is what is written at once.  It leaves as it came, unless the rules changed one of its segments.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence

from .document import NotATranscript, TooLong
from .model import Segment, Transcript
from .tiles import joined

#: A unit that ends with an empty line, or empty lines.
BLOCK = re.compile(rb"(?:\r?\n)+|(?:[^\n]+\n)+?\r?\n")
#: A unit that is one line, or empty lines.
LINE = re.compile(rb"(?:\r?\n)+|[^\n]*\n")

_LONE_RETURN = re.compile("\r(?!\n)")


class Piece:
    """
    Bytes that contain no segments.

    :ivar source: as they came.
    """

    __slots__ = ("source",)

    def __init__(self, source: bytes) -> None:
        self.source = source

    def write(self, segments: Sequence[Segment]) -> bytes:
        """
        Return the bytes to send.

        :param segments: those of this piece that are left; of merged segments the first piece has the result.
        """
        return self.source


class Pieces(ABC):
    """
    The part of a document that keeps the pieces in order; see `document.Document`.

    :cvar unit: matches a complete unit at an offset of the response.
    """

    unit = BLOCK

    def __init__(self, limit: int) -> None:
        """
        :param limit: most bytes of one unit.
        """
        self.failure: NotATranscript | None = None
        self._limit = limit
        self._buffer = bytearray()
        #: Pieces that are not written, each with the numbers of its segments: from, and up to but not including.
        self._queue: deque[tuple[int, int, Piece]] = deque()
        self._left: deque[Segment] = deque()
        #: The number of the next segment that is read.
        self._next = 0
        #: All segments with smaller numbers are written or dropped.
        self._decided = 0

    @property
    def sentence(self) -> int | None:
        """The number of the sentence that is not complete; only streams of deltas have one."""
        return None

    def feed(self, data: bytes) -> list[Segment]:
        """Take bytes of the response; return the segments that are complete."""
        segments: list[Segment] = []
        may_end = self.failure is None and self._may_end(data)
        self._buffer += data
        if may_end:
            at, match = 0, self.unit.match
            while self.failure is None and (found := match(self._buffer, at)):
                self._take(found.group(), segments)
                at = found.end()
            del self._buffer[:at]
        return self._checked(segments)

    def flush(self) -> list[Segment]:
        """Return what is held; only streams of deltas hold incomplete sentences."""
        return []

    def finish(self) -> list[Segment]:
        """The response is complete; return the last segments."""
        segments: list[Segment] = []
        if self._buffer and self.failure is None:
            last, self._buffer = self._buffer, bytearray()
            self._take(bytes(last), segments)
        return segments + self.flush()

    def write(self, segments: Sequence[Segment]) -> bytes:
        """Write segments, and what stands before and between them."""
        if segments:
            self._left.extend(segments)
            self._decided = segments[-1].origin[-1] + 1
        return self._emit()

    def end(self) -> bytes:
        """Write what is left, without the segments that were not written."""
        self._decided = self._next
        rest, self._buffer = self._buffer, bytearray()
        return self._emit() + rest

    def transcript(self, segments: Sequence[Segment]) -> Transcript:
        """The transcript that consists of these segments."""
        spoken = [segment for segment in segments if not segment.whole]
        return Transcript(spoken, joined([segment.text for segment in spoken]))

    @abstractmethod
    def read(self, unit: bytes) -> list[Segment]:
        """
        Read a unit: `add` its pieces, and return the segments that are complete.

        :raises NotATranscript: when the unit is not what the format has here.
        """

    def add(self, piece: Piece, segments: Sequence[Segment] = ()) -> None:
        """Put a piece behind the others, and number its segments."""
        first = self._next
        for segment in segments:
            segment.origin = (self._next,)
            self._next += 1
        self._queue.append((first, self._next, piece))

    def _may_end(self, data: bytes) -> bool:
        """Whether a unit may end in new bytes.  Without this check, each line of a long unit would search all of it."""
        if self.unit is LINE:
            return b"\n" in data
        end = self._buffer[-2:] + data
        return b"\n\n" in end or b"\n\r\n" in end or (len(self._buffer) < 2 and end.startswith((b"\n", b"\r\n")))

    def _take(self, unit: bytes, segments: list[Segment]) -> None:
        if len(unit) > self._limit and unit.strip(b"\r\n"):
            self.failure = TooLong(f"a part of the response is longer than {self._limit} bytes")
        else:
            try:
                segments += self.read(unit)
            except NotATranscript as failure:
                self.failure = failure
        if self.failure is not None:
            segments += self.flush()
            self.add(Piece(unit))

    def _checked(self, segments: list[Segment]) -> list[Segment]:
        if self.failure is None and len(self._buffer) > self._limit:
            self.failure = TooLong(f"a part of the response is longer than {self._limit} bytes")
            segments += self.flush()
        return segments

    def _emit(self) -> bytes:
        out, queue, left = [], self._queue, self._left
        while queue and queue[0][1] <= self._decided:
            _, end, piece = queue.popleft()
            mine = []
            while left and left[0].origin[0] < end:
                mine.append(left.popleft())
            out.append(piece.write(mine))
        return b"".join(out)


def decoded(unit: bytes) -> str:
    """
    The text of a unit.

    :raises NotATranscript: when it is not UTF-8, or has a carriage return without a line feed.
    """
    try:
        text = unit.decode()
    except UnicodeDecodeError:
        raise NotATranscript("the response is not UTF-8") from None
    if "\r" in text and _LONE_RETURN.search(text):
        raise NotATranscript("a line ends with a carriage return only")
    return text
