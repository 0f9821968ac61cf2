"""
Streams of JSON messages: deltas, single segments, whole transcripts of a part, and the text of all at the end.

- OpenAI: ``transcript.text.delta``, ``transcript.text.segment``, ``transcript.text.done``.
- vLLM: chunks with ``choices`` as those of chat completions.
- speaches: an object as of ``json`` or ``verbose_json`` for each segment.
- mlx-audio: ``text`` with ``start`` and ``end``, or with ``accumulated``.

All other messages are sent on in their places.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from .deltas import MAX_SENTENCE, Delta, Said, Sentence, ends_before, with_blanks_of
from .document import MAX_TRANSCRIPT, NotATranscript
from .jsonspans import Edits, Span, array_elements, begin, check_end, object_members
from .jsonvalues import seconds, string
from .messages import Message
from .model import Segment, Transcript
from .pieces import Piece, Pieces
from .record import Record
from .tiles import Tiles, joined, tiled

Members = dict[str, Span]


class Stream(Pieces):
    """The part of a document that understands messages; see `document.Document`."""

    def __init__(self, limit: int = MAX_TRANSCRIPT) -> None:
        super().__init__(limit)
        self._sentence: Sentence | None = None
        self._said = Said()
        #: Sentences with their blanks, by the numbers of their segments.
        self._sentences: dict[int, str] = {}
        self._language: str | None = None
        self._duration_s: float | None = None

    @property
    def sentence(self) -> int | None:
        """The number that the segment of the sentence that is not complete will have; None if none has begun."""
        return None if self._sentence is None else self._next

    def flush(self) -> list[Segment]:
        """Return what has arrived of a sentence."""
        if self._sentence is None:
            return []
        sentence, self._sentence = self._sentence, None
        if not sentence.core:
            self.add(sentence)
            return []
        self._said.add(sentence.core)
        segment = Segment(sentence.core)
        self._sentences[self._next] = sentence.text
        self.add(sentence, [segment])
        return [segment]

    def transcript(self, segments: Sequence[Segment]) -> Transcript:
        """The transcript that consists of these segments."""
        spoken = [segment for segment in segments if not segment.whole]
        if self._sentences:
            text = "".join(map(self._with_blanks, spoken)).strip()
        else:
            text = joined([segment.text for segment in spoken])
        return Transcript(spoken, text, self._language, self._duration_s)

    def _with_blanks(self, segment: Segment) -> str:
        sentence = self._sentences.get(segment.origin[0])
        return with_blanks_of(sentence, segment.text) if sentence else segment.text

    def read_message(self, message: Message) -> list[Segment]:
        """
        Read a message, and return the segments that are complete.

        :raises NotATranscript: when its payload is not a JSON object, or an object that looks like a part of a
            transcript and is none.
        """
        payload = message.payload
        members, end = object_members(payload, begin(payload))
        check_end(payload, end)
        kind = members["type"].value if "type" in members else None
        delta = _delta(message, members, kind)
        if delta is not None:
            return self._add_delta(delta)
        text = members["text"].value if "text" in members else None
        if "error" in members and members["error"].value is not None:
            return self.pass_on(message)
        if kind == "transcript.text.done" and isinstance(text, str):
            return self._add_done(message, members["text"])
        if kind not in (None, "transcript.text.segment"):
            return self.pass_on(message)
        if isinstance(text, str) and ("start" in members or "end" in members):
            return self._add_single(message, members)
        if isinstance(text, str) or "segments" in members:
            return self._add_record(message)
        return self.pass_on(message)

    def pass_on(self, message: Message) -> list[Segment]:
        """Add a message that has no part of the transcript."""
        if self._sentence is None:
            self.add(Piece(message.source))
        else:
            self._sentence.add(message)
        return []

    def _add_delta(self, delta: Delta) -> list[Segment]:
        text = _encodable(delta.text.value)
        segments: list[Segment] = []
        if delta.accumulated is not None:
            if delta.accumulated.value != self._said.accumulated_read + text:
                raise NotATranscript("the accumulated text is not the text of all messages")
            self._said.accumulated_read += text
        if self._sentence is not None and ends_before(self._sentence.text, text):
            segments = self.flush()
        if not text:
            return segments + self.pass_on(delta.message)
        if self._sentence is None:
            self._sentence = Sentence(self._said)
        self._sentence.add(delta)
        if len(self._sentence.text) >= MAX_SENTENCE:
            segments += self.flush()
        return segments

    def _add_single(self, message: Message, members: Members) -> list[Segment]:
        start, end = (seconds(members[name].value) if name in members else None for name in ("start", "end"))
        speaker = string(members["speaker"].value) if "speaker" in members else None
        segment = Segment(_encodable(members["text"].value), start, end, speaker=speaker)
        segments = self.flush()
        # Beside deltas, a segment says once more what they said.
        segment.whole = bool(self._sentences)
        if "language" in members:
            self._language = string(members["language"].value)
        if not segment.whole:
            self._said.add(segment.text, speaker)
        self.add(Single(message, members, None if segment.whole else self._said), [segment])
        return [*segments, segment]

    def _add_record(self, message: Message) -> list[Segment]:
        record = Record(message.payload)
        segments = self.flush()
        self._language, self._duration_s = record.language, record.duration_s
        first = self._next
        self.add(RecordPiece(message, record, first), record.segments)
        return segments + record.segments

    def _add_done(self, message: Message, text: Span) -> list[Segment]:
        value = _encodable(text.value)
        segments = self.flush()
        said, self._said = self._said, Said()
        tiles = tiled(value, said.read, said.speakers)
        if tiles is not None or not value:
            self.add(Done(message, text, said, tiles))
            return segments
        whole = Segment(value, whole=True)
        self.add(Done(message, text, said, None), [whole])
        return [*segments, whole]


class Single(Piece):
    """A message with one segment."""

    def __init__(self, message: Message, members: Members, said: Said | None) -> None:
        """
        :param said: to which the segment belongs; None if deltas said the same.
        """
        super().__init__(message.source)
        self._message = message
        self._members = members
        self._said = said

    def write(self, segments: Sequence[Segment]) -> bytes:
        if self._said is not None:
            self._said.written.append(segments[0].text if segments else None)
        if not segments:
            return b""
        (segment,) = segments
        text, end = self._members["text"], self._members.get("end")
        edits = Edits(self._message.payload)
        if segment.text != text.value:
            edits.string(text, segment.text)
        if end is not None and segment.end_s != end.value:
            edits.replace(end.start, end.end, json.dumps(segment.end_s))
        return self.source if edits.is_empty else self._message.rewritten(edits.applied())


class RecordPiece(Piece):
    """A message with a transcript of a part of the recording."""

    def __init__(self, message: Message, record: Record, first: int) -> None:
        super().__init__(message.source)
        self._message = message
        self._record = record
        self._first = first

    def write(self, segments: Sequence[Segment]) -> bytes:
        if not segments and self._record.segments:
            return b""
        payload = self._record.write(segments, self._first)
        return self.source if payload == self._message.payload else self._message.rewritten(payload)


class Done(Piece):
    """The message with the text of the whole recording."""

    def __init__(self, message: Message, text: Span, said: Said, tiles: Tiles | None) -> None:
        """
        :param tiles: how the text consists of the sentences; None if it has a segment of its own.
        """
        super().__init__(message.source)
        self._message = message
        self._text = text
        self._said = said
        self._tiles = tiles

    def write(self, segments: Sequence[Segment]) -> bytes:
        if self._tiles is not None:
            written = self._said.written
            new = self._tiles.replaced(lambda index: (written[index] or "").strip())
        else:
            new = segments[0].text if segments else ""
        if new == self._text.value:
            return self.source
        edits = Edits(self._message.payload)
        edits.string(self._text, new)
        return self._message.rewritten(edits.applied())


def _delta(message: Message, members: Members, kind: object) -> Delta | None:
    """The delta that a message carries; None if it carries something else."""
    if kind == "transcript.text.delta":
        return _with_text(message, members.get("delta"))
    if "choices" in members:
        return _choice(message, members["choices"])
    if "accumulated" in members and isinstance(members["accumulated"].value, str):
        return _with_text(message, members.get("text"), members["accumulated"])
    return None


def _choice(message: Message, choices: Span) -> Delta | None:
    """The delta in the first choice of a chunk of vLLM."""
    if not isinstance(choices.value, list) or len(choices.value) != 1:
        return None
    (choice,), _ = array_elements(message.payload, choices.start)
    if not isinstance(choice.value, dict) or not isinstance(choice.value.get("delta"), dict):
        return None
    members, _ = object_members(message.payload, choice.start)
    content = object_members(message.payload, members["delta"].start)[0].get("content")
    return _with_text(message, content, keeps=choice.value.get("finish_reason") is not None)


def _with_text(
    message: Message, text: Span | None, accumulated: Span | None = None, keeps: bool = False
) -> Delta | None:
    if text is None or not isinstance(text.value, str):
        return None
    return Delta(message, text, accumulated, keeps)


def _encodable(text: str) -> str:
    """
    Return a text that can be written as UTF-8.

    :raises NotATranscript: when it contains half of a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotATranscript("a text contains half of a surrogate pair") from None
    return text
