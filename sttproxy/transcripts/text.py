"""
Plain text: each line that is not blank is a segment without times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .document import MAX_TRANSCRIPT, NotATranscript
from .model import Segment, Transcript
from .pieces import LINE, Piece, Pieces, decoded

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Line(Piece):
    """A line with its line break."""

    def __init__(self, source: bytes, text: str) -> None:
        super().__init__(source)
        self.text = text

    def write(self, segments: Sequence[Segment]) -> bytes:
        if not segments:
            return b""
        (segment,) = segments
        if segment.text == self.text:
            return self.source
        if not segment.text.strip():
            return b""
        return segment.text.encode() + self.source[len(self.text.encode()) :]


class Text(Pieces):
    """A text; see `document.Document`."""

    unit = LINE

    def __init__(self, limit: int = MAX_TRANSCRIPT) -> None:
        super().__init__(limit)

    def read(self, unit: bytes) -> list[Segment]:
        whole = decoded(unit)
        if _CONTROL.search(whole):
            raise NotATranscript("the text contains control characters")
        text = whole.rstrip("\r\n")
        if not text.strip():
            self.add(Piece(unit))
            return []
        segment = Segment(text)
        self.add(Line(unit, text), [segment])
        return [segment]

    def transcript(self, segments: Sequence[Segment]) -> Transcript:
        """The transcript, with the line breaks between its segments."""
        return Transcript(list(segments), "\n".join(segment.text for segment in segments).strip())
