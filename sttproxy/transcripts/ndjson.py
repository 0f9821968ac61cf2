"""
NDJSON: one JSON object a line, as mlx-audio sends.
"""

from __future__ import annotations

from .model import Segment
from .pieces import LINE, decoded
from .stream import Stream


class JSONLine:
    """A line with a JSON text; see `messages.Message`."""

    def __init__(self, source: bytes) -> None:
        """
        :raises NotATranscript: when it is not UTF-8.
        """
        self.source = source
        text = decoded(source)
        self.payload = text.rstrip("\r\n")
        self._end = text[len(self.payload) :]

    def rewritten(self, payload: str) -> bytes:
        """The line with another JSON text."""
        return (payload + self._end).encode()


class NDJSON(Stream):
    """The lines of a response; see `document.Document`."""

    unit = LINE

    def read(self, unit: bytes) -> list[Segment]:
        line = JSONLine(unit)
        if not line.payload.strip():
            return self.pass_on(line)
        return self.read_message(line)
