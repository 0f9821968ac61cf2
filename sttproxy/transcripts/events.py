"""
Server-sent events: the responses to ``stream=true``.
"""

from __future__ import annotations

from collections.abc import Sequence

from .document import MAX_TRANSCRIPT
from .model import Segment
from .pieces import Piece, decoded
from .stream import Stream


class Event:
    """
    An event with data; see `messages.Message`.

    :ivar payload: its data; None if it has none.
    """

    def __init__(self, source: bytes) -> None:
        """
        :raises NotATranscript: when it is not UTF-8, or a line ends with a carriage return only.
        """
        self.source = source
        self._lines = decoded(source).split("\n")
        data = [line[5:].removesuffix("\r").removeprefix(" ") for line in self._lines if line.startswith("data:")]
        self.has_data = bool(data)
        self.payload = "\n".join(data)

    def rewritten(self, payload: str) -> bytes:
        """The event with other data, in the place of the first line of its data."""
        out: list[str] = []
        left = payload.split("\n")
        for line in self._lines:
            if line.startswith("data:"):
                end = "\r" if line.endswith("\r") else ""
                blank = " " if line.startswith("data: ") else ""
                out += [f"data:{blank}{each}{end}" for each in left]
                left = []
            else:
                out.append(line)
        return "\n".join(out).encode()


class Events(Stream):
    """The events of a response; see `document.Document`."""

    def __init__(self, limit: int = MAX_TRANSCRIPT, *, plain: bool = False) -> None:
        """
        :param limit: most bytes of one event.
        :param plain: whether the data of an event may be the text of a segment, as speaches sends if ``text`` was asked
            for.
        """
        super().__init__(limit)
        self._plain = plain

    def read(self, unit: bytes) -> list[Segment]:
        event = Event(unit)
        if not event.has_data or not unit.endswith((b"\n\n", b"\n\r\n")):
            return self.pass_on(event)
        if event.payload == "[DONE]":
            segments = self.flush()
            self.pass_on(event)
            return segments
        if not self._plain:
            return self.read_message(event)
        return self._add_text(event)

    def _add_text(self, event: Event) -> list[Segment]:
        if event.payload.startswith("{"):
            return self.read_message(event)
        if not event.payload.strip():
            return self.pass_on(event)
        segment = Segment(event.payload)
        self.add(PlainEvent(event), [segment])
        return [segment]


class PlainEvent(Piece):
    """An event whose data is the text of a segment."""

    def __init__(self, event: Event) -> None:
        super().__init__(event.source)
        self._event = event

    def write(self, segments: Sequence[Segment]) -> bytes:
        if not segments or not segments[0].text.strip():
            return b""
        new = segments[0].text
        return self.source if new == self._event.payload else self._event.rewritten(new)
