"""
Deltas: a transcript in pieces of a few characters, which are gathered to sentences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from .jsonspans import Edits, Span
from .messages import Message
from .model import Segment
from .pieces import Piece

#: Most characters that are gathered; a sentence that is longer is cut behind the delta that reaches this number.
MAX_SENTENCE = 400

_CLOSING = "\"'”’»›)]}」』】）〉》"
_ENDED = re.compile(rf"[.!?…][{re.escape(_CLOSING)}]*\Z")
#: Scripts without spaces have full stops of their own.
_ENDED_WIDE = re.compile(rf"[。！？｡][{re.escape(_CLOSING)}]*\Z")
_CONTINUES_WIDE = re.compile(rf"[。！？｡{re.escape(_CLOSING)}]")


def ends_before(text: str, delta: str) -> bool:
    """Whether a sentence ends between a text and the delta behind it."""
    end = text.rstrip()
    if not delta.strip():
        return False
    if _ENDED_WIDE.search(end):
        return not _CONTINUES_WIDE.match(delta)
    return bool(_ENDED.search(end)) and (len(end) < len(text) or delta[0].isspace())


def with_blanks_of(text: str, core: str) -> str:
    """Another text between the blanks at both ends of a text."""
    start = len(text) - len(text.lstrip())
    return text[:start] + core + text[len(text.rstrip()) :]


@attrs.frozen
class Delta:
    """
    One delta.

    :ivar text: the place of its text in the message.
    :ivar accumulated: the place of the text of all deltas up to this one; None if the message has none.
    :ivar keeps: whether the message says something else, too, and is sent also without a text.
    """

    message: Message
    text: Span
    accumulated: Span | None = None
    keeps: bool = False

    def write(self, new: str, accumulated: str) -> bytes:
        """The message with another text."""
        edits = Edits(self.message.payload)
        if new != self.text.value:
            edits.string(self.text, new)
        if self.accumulated is not None and accumulated != self.accumulated.value:
            edits.string(self.accumulated, accumulated)
        return self.message.rewritten(edits.applied())


@attrs.define
class Said:
    """
    What a stream says, up to the message with the text of all.

    :ivar read: the sentences, or the segments, as they came.
    :ivar speakers: who said each of them.
    :ivar written: what was written of each of them; None for one that was dropped.
    """

    read: list[str] = attrs.field(factory=list)
    speakers: list[str | None] = attrs.field(factory=list)
    written: list[str | None] = attrs.field(factory=list)
    #: All of it, where the messages accumulate it.
    accumulated_read: str = ""
    accumulated_written: str = ""

    def add(self, text: str, speaker: str | None = None) -> None:
        """Add a sentence or a segment that was read."""
        self.read.append(text)
        self.speakers.append(speaker)


class Sentence(Piece):
    """
    The messages of a sentence, and others between them.

    :ivar text: what they say.  The blanks at its ends are not part of the segment, because clients join the deltas.
    """

    def __init__(self, said: Said) -> None:
        super().__init__(b"")
        self.text = ""
        self._said = said
        self._parts: list[Delta | Message] = []

    @property
    def core(self) -> str:
        """The text without the blanks at its ends."""
        return self.text.strip()

    def add(self, part: Delta | Message) -> None:
        """Add a delta, or a message that is sent on as it is."""
        self._parts.append(part)
        if isinstance(part, Delta):
            self.text += part.text.value

    def write(self, segments: Sequence[Segment]) -> bytes:
        if not self.core:
            return self._as_it_came()
        new = segments[0].text if segments else None
        self._said.written.append(new)
        if new == self.core:
            return self._as_it_came()
        out: list[bytes] = []
        left = with_blanks_of(self.text, new) if new else ""
        for part in self._parts:
            if not isinstance(part, Delta):
                out.append(part.source)
            elif left or part.keeps:
                # The whole sentence is in the first message; the others had the rest of the old one.
                out.append(self._delta(part, left))
                left = ""
        return b"".join(out)

    def _as_it_came(self) -> bytes:
        return b"".join(
            self._delta(part, part.text.value) if isinstance(part, Delta) else part.source for part in self._parts
        )

    def _delta(self, delta: Delta, text: str) -> bytes:
        said = self._said
        if delta.accumulated is not None:
            said.accumulated_written += text
        if text == delta.text.value and (
            delta.accumulated is None or delta.accumulated.value == said.accumulated_written
        ):
            return delta.message.source
        return delta.write(text, said.accumulated_written)
