"""
The words of a JSON transcript: in its segments, in one list for all segments, or in both places.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .document import NotATranscript
from .jsonspans import Edits, Span, object_members
from .jsonvalues import seconds
from .model import Segment, Word
from .words import assign

_WORDS = frozenset({"words"})


class RecordWords:
    """
    Reads the words into the segments, and writes them back to each place that they came from.

    Words are numbered through the whole object: the words in the segments, or those of the list if the segments have
    none.  A list beside words in the segments shows the same words once more.
    """

    def __init__(
        self, source: str, elements: Sequence[Span], listed: Sequence[Span], segments: Sequence[Segment]
    ) -> None:
        """
        :param elements: of the member ``segments``.
        :param listed: the elements of the member ``words``.
        :param segments: those of the elements, or the lines of the text; they get their words.
        :raises NotATranscript: when there is something else in the place of a word.
        """
        self._source = source
        self._elements = elements
        self._listed = listed
        #: The texts that were read, by the numbers of the words.
        self._read: list[str] = []
        #: The numbers of the words in each segment, by the segment's index.
        self._inner: dict[int, range] = {}
        for index, element in enumerate(elements):
            self._read_inner(index, element.value.get("words"), segments[index])
        words = [_word(span.value, number) for number, span in enumerate(listed)]
        #: The number of the word that each listed word shows; None if it shows none of the words in the segments.
        self._shown: list[int | None] = [None] * len(words)
        if self._inner:
            self._shown = _matched(words, segments)
        elif words and assign(words, segments):
            self._shown = list(range(len(words)))
            self._read = [word.text for word in words]

    def write(self, edits: Edits, array: Span | None, left: Mapping[int, Segment]) -> None:
        """
        Write the words of the segments that are left.

        :param array: the member ``words`` of the object.
        :param left: segments by their index in the object.
        """
        for index, numbers in self._inner.items():
            if index in left:
                self._write_inner(edits, index, numbers, left[index])
        if array is not None and self._listed:
            words = {word.origin[0]: word for segment in left.values() for word in segment.words}
            self._write_listed(edits, array, words, left)

    def _read_inner(self, index: int, values: Any, segment: Segment) -> None:
        if values is None:
            return
        if not isinstance(values, list):
            raise NotATranscript("the words of a segment are not an array")
        if values:
            first = len(self._read)
            segment.words = [_word(value, number) for number, value in enumerate(values, first)]
            self._read += [word.text for word in segment.words]
            self._inner[index] = range(first, len(self._read))

    def _write_inner(self, edits: Edits, index: int, numbers: range, segment: Segment) -> None:
        words = [word for word in segment.words if word.origin[0] in numbers]
        if len(words) == len(numbers) and not any(map(self._is_changed, words)):
            return
        members, _ = object_members(self._source, self._elements[index].start, _WORDS)
        array = members["words"]
        for word in words:
            if self._is_changed(word):
                places = [array.value[number - numbers.start] for number in word.origin if number in numbers]
                self._write_word(edits, places[0], places[-1], word)
        edits.keep(array, [word.origin[0] - numbers.start for word in words])

    def _write_listed(self, edits: Edits, array: Span, words: Mapping[int, Word], left: Mapping[int, Segment]) -> None:
        kept: list[int] = []
        dropped_at = self._dropped_at(left)
        places = dict(zip(self._shown, self._listed, strict=True))
        for place, number in enumerate(self._shown):
            if number is None:
                start, end = (self._listed[place].value.get(name) for name in ("start", "end"))
                if start is None or end is None or not dropped_at((start + end) / 2):
                    kept.append(place)
            elif number in words:
                kept.append(place)
                word = words[number]
                if self._is_changed(word):
                    self._write_word(edits, self._listed[place], places.get(word.origin[-1]), word)
        edits.keep(array, kept)

    def _write_word(self, edits: Edits, first: Span, last: Span | None, word: Word) -> None:
        """
        Write a changed word in one of its places.

        :param last: the place of the last of the words that were merged; None if it is not here.
        """
        members, _ = object_members(self._source, first.start)
        span = members[_text_name(first.value)]
        edits.string(span, word.text if span.value == self._read[word.origin[0]] else word.text.strip())
        if last is not None and last is not first and "end" in members and "end" in last.value:
            end = object_members(self._source, last.start)[0]["end"]
            edits.replace(members["end"].start, members["end"].end, self._source[end.start : end.end])

    def _is_changed(self, word: Word) -> bool:
        return len(word.origin) > 1 or word.text != self._read[word.origin[0]]

    def _dropped_at(self, left: Mapping[int, Segment]) -> Callable[[float], bool]:
        """Return a function that tells whether a segment that is not left was spoken at a time."""
        spans = sorted(
            (start, end, index in left)
            for index, element in enumerate(self._elements)
            if (start := element.value.get("start")) is not None and (end := element.value.get("end")) is not None
        )
        starts = [start for start, _, _ in spans]

        def dropped_at(time: float) -> bool:
            place = bisect.bisect_right(starts, time) - 1
            return place >= 0 and time <= spans[place][1] and not spans[place][2]

        return dropped_at


def _matched(listed: Sequence[Word], segments: Sequence[Segment]) -> list[int | None]:
    """For each listed word, the number of the word in a segment that has the same text and times."""
    numbers: dict[tuple[str, float | None, float | None], list[int]] = {}
    for segment in reversed(segments):
        for word in reversed(segment.words):
            numbers.setdefault((word.text.strip(), word.start_s, word.end_s), []).append(word.origin[0])
    same = [numbers.get((word.text.strip(), word.start_s, word.end_s)) for word in listed]
    return [found.pop() if found else None for found in same]


def _text_name(value: Any) -> str:
    return "word" if "word" in value else "text"


def _word(value: Any, number: int) -> Word:
    """
    Read an element of ``words``.

    :raises NotATranscript: when it is not a word.
    """
    text = value.get("word", value.get("text")) if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise NotATranscript("a word has no text")
    return Word(text, seconds(value.get("start")), seconds(value.get("end")), (number,))
