"""
A JSON object that is a transcript or a part of one: ``json``, ``verbose_json`` and ``diarized_json``.

It has a member ``text``, or ``segments`` with their own texts, or both; words are in the segments, in the member
``words``, or in both.  All other members stay in their places as they were written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .document import NotATranscript
from .jsonspans import Edits, Span, begin, check_end, object_members
from .jsonvalues import duration, number, seconds, string
from .model import Segment
from .recordwords import RecordWords
from .tiles import Tiles, lines, tiled

#: Most lines of a text without segments.  A day of speech has about 20,000 segments.
MAX_LINES = 100_000

_ARRAYS = frozenset({"segments", "words"})
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

#: The segments of a record that are left, by their index in it.
Left = dict[int, Segment]


class Record:
    """
    One JSON object with its segments.

    :ivar segments: not numbered yet; the last one may be the `Segment.whole`.
    :ivar language: the member ``language``.
    :ivar duration_s: the member ``duration``; some servers write it as a string.
    """

    def __init__(self, source: str) -> None:
        """
        :raises NotATranscript: when it is not such an object.
        """
        self._source = source
        self._members, end = object_members(source, begin(source), _ARRAYS)
        check_end(source, end)
        if self._value("error") is not None:
            raise NotATranscript("the JSON object has an error")
        self._elements = self._array("segments")
        self._text = self._value("text")
        if not isinstance(self._text, str | None) or (self._text is None and not self._elements):
            raise NotATranscript("the JSON object has neither a text nor segments")
        self.segments = [_segment(element.value) for element in self._elements]
        self._tiles = self._tile()
        self._texts = [segment.text for segment in self.segments]
        spoken = [segment for segment in self.segments if not segment.whole]
        self._words = RecordWords(source, self._elements, self._array("words"), spoken)
        self.language = string(self._value("language"))
        self.duration_s = duration(self._value("duration"))
        if _SURROGATE.search(source):
            self._check_encodable()

    def write(self, segments: Sequence[Segment], first: int = 0) -> str:
        """
        Return the object with these segments.

        :param segments: those that are left, in their order.
        :param first: the number that the first segment of the object got.
        """
        left = {segment.origin[0] - first: segment for segment in segments}
        edits = Edits(self._source)
        for index, element in enumerate(self._elements):
            if index in left:
                self._write_segment(edits, element, left[index], self._texts[index], first)
        if self._elements:
            edits.keep(self._members["segments"], [index for index in range(len(self._elements)) if index in left])
        self._words.write(edits, self._members.get("words"), left)
        text = self._new_text(left)
        if text is not None and text != self._text:
            edits.string(self._members["text"], text)
        return edits.applied()

    def text(self, segments: Sequence[Segment], first: int = 0) -> str | None:
        """The member ``text`` of the object with these segments; None if it has no such member."""
        return self._new_text({segment.origin[0] - first: segment for segment in segments})

    def _value(self, name: str) -> Any:
        return self._members[name].value if name in self._members else None

    def _array(self, name: str) -> list[Span]:
        found = self._value(name)
        if found is None:
            return []
        if not isinstance(found, list):
            raise NotATranscript(f"the member {name} is not an array")
        return found

    def _tile(self) -> Tiles | None:
        """Find out how the text follows from the segments; add segments for a text that does not."""
        if self._text is None:
            return None
        if not self._elements:
            if self._text.count("\n") > MAX_LINES:
                raise NotATranscript(f"the text has more than {MAX_LINES} lines")
            tiles: Tiles | None = lines(self._text)
            assert tiles is not None
            self.segments = [Segment(self._text[start:end]) for start, end in tiles.spans]
            return tiles
        texts = [segment.text for segment in self.segments]
        tiles = tiled(self._text, texts, [segment.speaker for segment in self.segments])
        if tiles is None and self._text:
            self.segments.append(Segment(self._text, whole=True))
        return tiles

    def _write_segment(self, edits: Edits, element: Span, segment: Segment, text: str, first: int) -> None:
        if segment.text == text and len(segment.origin) == 1:
            return
        members, _ = object_members(self._source, element.start)
        if segment.text != text:
            edits.string(members["text"], segment.text)
        if len(segment.origin) > 1 and "end" in members:
            edits.replace(members["end"].start, members["end"].end, self._end(segment, first))

    def _end(self, segment: Segment, first: int) -> str:
        """The end of merged segments, as written if the last one is in this object."""
        last = segment.origin[-1] - first
        if last < len(self._elements):
            members, _ = object_members(self._source, self._elements[last].start)
            if "end" in members:
                return self._source[members["end"].start : members["end"].end]
        return "null" if segment.end_s is None else repr(segment.end_s)

    def _new_text(self, left: Left) -> str | None:
        if self._text is None:
            return None
        if self._tiles is None:
            whole = left.get(len(self._elements))
            return whole.text if whole else ""

        def text_of(index: int) -> str | None:
            if index not in left:
                return None
            return left[index].text.strip() if self._elements else left[index].text

        return self._tiles.replaced(text_of)

    def _check_encodable(self) -> None:
        for segment in self.segments:
            try:
                segment.text.encode()
                for word in segment.words:
                    word.text.encode()
            except UnicodeEncodeError:
                raise NotATranscript("a text contains half of a surrogate pair") from None


def _segment(value: Any) -> Segment:
    """
    Read an element of ``segments``.

    :raises NotATranscript: when it is not a segment.
    """
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        raise NotATranscript("a segment has no text")
    return Segment(
        value["text"],
        seconds(value.get("start")),
        seconds(value.get("end")),
        no_speech_prob=number(value.get("no_speech_prob")),
        avg_logprob=number(value.get("avg_logprob")),
        speaker=string(value.get("speaker")),
    )
