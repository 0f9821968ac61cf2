"""
JSON responses, which are held whole: ``json``, ``verbose_json`` and ``diarized_json``.
"""

from __future__ import annotations

from collections.abc import Sequence

from .document import MAX_TRANSCRIPT, NotATranscript, TooLong
from .model import Segment, Transcript
from .record import Record
from .tiles import joined


class JSON:
    """A JSON object; see `document.Document`."""

    sentence = None

    def __init__(self, limit: int = MAX_TRANSCRIPT) -> None:
        """
        :param limit: most bytes of the object.
        """
        self.failure: NotATranscript | None = None
        self._limit = limit
        self._data = bytearray()
        self._record: Record | None = None
        self._left: list[Segment] = []

    def feed(self, data: bytes) -> list[Segment]:
        """Take bytes of the response; return no segment yet."""
        self._data += data
        if self.failure is None and len(self._data) > self._limit:
            self.failure = TooLong(f"the response is longer than {self._limit} bytes")
        return []

    def flush(self) -> list[Segment]:
        """Return no segment: the object is not complete."""
        return []

    def finish(self) -> list[Segment]:
        """The response is complete; return its segments."""
        if self.failure is not None:
            return []
        try:
            self._record = Record(self._data.decode())
        except UnicodeDecodeError:
            self.failure = NotATranscript("the response is not UTF-8")
        except NotATranscript as failure:
            self.failure = failure
        if self._record is None:
            return []
        for number, segment in enumerate(self._record.segments):
            segment.origin = (number,)
        return list(self._record.segments)

    def write(self, segments: Sequence[Segment]) -> bytes:
        """Keep the segments; the object is written by `end`."""
        self._left += segments
        return b""

    def end(self) -> bytes:
        """Write the object."""
        if self._record is None:
            return bytes(self._data)
        return self._record.write(self._left).encode()

    def transcript(self, segments: Sequence[Segment]) -> Transcript:
        """The transcript that consists of these segments."""
        assert self._record is not None, "it is rendered only if it was read"
        spoken = [segment for segment in segments if not segment.whole]
        text = self._record.text(segments)
        if text is None:
            text = joined([segment.text for segment in spoken])
        return Transcript(spoken, text.strip(), self._record.language, self._record.duration_s)
