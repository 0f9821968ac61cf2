"""
Cues that can be read: at most two lines, each of a limited width.

A width counts columns: a letter has one, an ideograph two, a combining mark none.
"""

from __future__ import annotations

import bisect
import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence

import attrs

from .model import Segment

#: Columns of a line: what subtitles for television have.
WIDTH = 42
#: Lines of a cue.
LINES = 2

_OPENING = frozenset("([{<«‹“‘（［｛〈《「『【〔")
_CLOSING = frozenset(")]}>»›”’）］｝〉》」』】〕,.;:!?…、。，．；：！？ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ%％")
#: Columns by which lines may differ more, if the first one ends with a sentence or a clause.
_END_IS_WORTH = 10
_SENTENCE_END = frozenset(".!?…。！？")
_CLAUSE_END = frozenset(",;:、，；：")
_END = _SENTENCE_END | _CLAUSE_END
_BLANKS = re.compile(r"\s+")


@attrs.frozen
class Cue:
    """Lines of text, and when they are shown, in seconds."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def is_wide(char: str) -> bool:
    """Whether a character is an ideograph or another one of two columns, whose script has no spaces."""
    return unicodedata.east_asian_width(char) in "WF" and not "\uac00" <= char <= "\ud7a3"


def columns(char: str) -> int:
    """The columns of a character."""
    if char < "\u0300":
        return 1
    if unicodedata.east_asian_width(char) in "WF":
        return 2
    return 0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 1


def cues_of(segment: Segment, width: int = WIDTH) -> list[Cue]:
    """
    The cues of a segment with times: one, or several if its text is too long.

    They begin and end with the segment.  Between them are the times of the words, or, without these, times in
    proportion to the text.

    :param width: most columns of a line, at least 2.
    """
    text = _BLANKS.sub(" ", segment.text).strip()
    assert segment.start_s is not None and segment.end_s is not None, "the caller has checked them"
    if not text:
        return []
    words = _word_places(text, segment)
    page = _Page(text, width, [place.start for place in words])
    parts = list(page.parts())
    times = [(segment.start_s, segment.end_s)] * len(parts)
    if len(parts) > 1:
        times = _times(segment, parts, words, page)
    return [Cue(start_s, end_s, tuple(page.lines(*part))) for part, (start_s, end_s) in zip(parts, times, strict=True)]


@attrs.frozen
class _Place:
    """A word in the text of its segment: its offset and its times."""

    start: int
    start_s: float
    end_s: float


class _Page:
    """A text of one line, with the places where it may be broken."""

    def __init__(self, text: str, width: int, word_starts: Sequence[int]) -> None:
        """
        :param word_starts: where a new cue may begin; empty: wherever a line may.
        """
        self._text = text
        self._width = width
        #: The columns before each offset.
        self._before = [0, *itertools.accumulate(map(columns, text))]
        self._breaks = [at for at in range(1, len(text)) if self._may_break(at)] + [len(text)]
        starts = set(word_starts)
        self._cue_breaks = [at for at in self._breaks if at in starts or at == len(text)] if starts else self._breaks

    def share(self, at: int) -> float:
        """The share of the text before an offset, 0 to 1."""
        return self._before[at] / max(self._before[-1], 1)

    def parts(self) -> Iterator[tuple[int, int]]:
        """The text of each cue: from, and up to but not including."""
        at = 0
        while at < len(self._text):
            end = self._part_end(at)
            yield at, end
            at = end

    def lines(self, start: int, end: int) -> list[str]:
        """The lines of a cue.  Two of them have about the same width."""
        if self._columns(start, end) <= self._width:
            return [self._text[start:end].strip()]
        inner = self._breaks[bisect.bisect_right(self._breaks, start) : bisect.bisect_left(self._breaks, end)]
        fitting = [at for at in inner if max(self._columns(start, at), self._columns(at, end)) <= self._width]
        if not fitting:
            first = self._line_end(start, end)
            return [self._text[start:first].strip(), self._text[first:end].strip()]
        best = min(fitting, key=lambda at: self._unevenness(start, at, end))
        return [self._text[start:best].strip(), self._text[best:end].strip()]

    def _unevenness(self, start: int, at: int, end: int) -> int:
        """How much the widths of two lines differ; less if the first one ends with a sentence or a clause."""
        gain = _END_IS_WORTH if self._last_before(at) in _END else 0
        return abs(self._columns(start, at) - self._columns(at, end)) - gain

    def _part_end(self, start: int) -> int:
        """Where the cue that begins at an offset ends: behind a sentence or a clause if one ends late enough."""
        most = start
        for _ in range(LINES):
            most = self._line_end(most, len(self._text))
        if most == len(self._text):
            return most
        breaks = self._cue_breaks
        fitting = breaks[bisect.bisect_right(breaks, start) : bisect.bisect_right(breaks, most)]
        if not fitting:
            return most
        least = start + (fitting[-1] - start) // 2
        for ends in (_SENTENCE_END, _CLAUSE_END):
            for at in reversed(fitting):
                if at > least and self._last_before(at) in ends:
                    return at
        return fitting[-1]

    def _line_end(self, start: int, end: int) -> int:
        """Where the longest line that begins at an offset ends; inside of a word that is wider than a line."""
        if start >= end or self._columns(start, end) <= self._width:
            return end
        most = bisect.bisect_right(self._before, self._before[start] + self._width) - 1
        # A blank at the end of a line is not shown.
        if self._text[most : most + 1] == " ":
            most += 1
        index = bisect.bisect_right(self._breaks, most) - 1
        return self._breaks[index] if index >= 0 and self._breaks[index] > start else max(most, start + 1)

    def _columns(self, start: int, end: int) -> int:
        """The columns of a part without the blank at its end; parts never begin with one."""
        if start < end and self._text[end - 1] == " ":
            end -= 1
        return self._before[end] - self._before[start]

    def _last_before(self, at: int) -> str:
        """The last character before an offset that is no blank."""
        return self._text[at - 2] if self._text[at - 1] == " " and at > 1 else self._text[at - 1]

    def _may_break(self, at: int) -> bool:
        last, following = self._text[at - 1], self._text[at]
        if last == " ":
            return True
        if following == " " or following in _CLOSING or last in _OPENING:
            return False
        return is_wide(last) or is_wide(following)


def _word_places(text: str, segment: Segment) -> list[_Place]:
    """The words in a text; empty unless all of them are in it, one behind the other, and have times."""
    places: list[_Place] = []
    at = 0
    for word in segment.words:
        core = _BLANKS.sub(" ", word.text).strip()
        at = text.find(core, at)
        if at < 0 or word.start_s is None or word.end_s is None:
            return []
        places.append(_Place(at, word.start_s, word.end_s))
        at += len(core)
    return places


def _times(
    segment: Segment, parts: Sequence[tuple[int, int]], words: Sequence[_Place], page: _Page
) -> list[tuple[float, float]]:
    """When the parts of a segment are shown: one behind the other, within the times of the segment."""
    assert segment.start_s is not None and segment.end_s is not None, "the caller has checked them"
    starts = [segment.start_s]
    ends: list[float] = []
    for start, _ in parts[1:]:
        index = bisect.bisect_left(words, start, key=lambda word: word.start)
        if words and index < len(words) and index > 0:
            end_s, start_s = words[index - 1].end_s, words[index].start_s
        else:
            end_s = start_s = segment.start_s + (segment.end_s - segment.start_s) * page.share(start)
        start_s = max(starts[-1], min(start_s, segment.end_s))
        ends.append(max(starts[-1], min(end_s, start_s)))
        starts.append(start_s)
    ends.append(max(starts[-1], segment.end_s))
    return list(zip(starts, ends, strict=True))
