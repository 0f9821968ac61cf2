"""
Which words belong to which segment, where a response has the words of all segments in one list.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence

from .model import Segment, Word

_NOT_SPOKEN = re.compile(r"[\W_]+")


def assign(words: Sequence[Word], segments: Sequence[Segment]) -> bool:
    """
    Give each word to the segment that it belongs to: by the texts, or by the times where the texts differ.

    :param words: in their order.
    :returns: whether all words were given to segments; if not, none was.
    """
    ends = _ends_by_text(words, segments)
    if ends is not None:
        at = 0
        for segment, end in zip(segments, ends, strict=True):
            segment.words = list(words[at:end])
            at = end
        return True
    if len(segments) == 1:
        segments[0].words = list(words)
        return True
    return _assign_by_time(words, segments)


def _ends_by_text(words: Sequence[Word], segments: Sequence[Segment]) -> list[int] | None:
    """Behind which word each segment ends; None if the texts of words and segments differ."""
    spoken = [_NOT_SPOKEN.sub("", word.text) for word in words]
    ends: list[int] = []
    at = 0
    for segment in segments:
        text = _NOT_SPOKEN.sub("", segment.text)
        begin = 0
        while at < len(words) and (begin < len(text) or not spoken[at]):
            if not text.startswith(spoken[at], begin):
                return None
            begin += len(spoken[at])
            at += 1
        if begin < len(text):
            return None
        ends.append(at)
    return ends if at == len(words) else None


def _assign_by_time(words: Sequence[Word], segments: Sequence[Segment]) -> bool:
    starts = [segment.start_s for segment in segments if segment.start_s is not None]
    times = [(word.start_s + word.end_s) / 2 for word in words if word.start_s is not None and word.end_s is not None]
    if len(starts) < len(segments) or len(times) < len(words) or starts != sorted(starts) or not segments:
        return False
    for segment in segments:
        segment.words = []
    for word, time in zip(words, times, strict=True):
        segments[max(bisect.bisect_right(starts, time) - 1, 0)].words.append(word)
    return True
