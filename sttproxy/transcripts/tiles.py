"""
How the text of a whole recording follows from the texts of its segments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import attrs

from .layout import is_wide

_SPACE = re.compile(r"\s*")


@attrs.define
class Tiles:
    """
    A text that consists of the texts of segments, with blanks and speakers' labels between them.

    :ivar text: as the server wrote it.
    :ivar spans: the start and the end of each segment's text; its blanks at both ends are not part of it.
    :ivar labels: where the label before each segment's text begins; the start of the text if it has none.
    """

    text: str
    spans: list[tuple[int, int]]
    labels: list[int]

    def replaced(self, text_of: Callable[[int], str | None]) -> str:
        """
        Return the text with other texts of segments.

        :param text_of: returns a segment's new text for its index; None if the segment is dropped.
        """
        out: list[str] = []
        at = 0
        for index, (start, end) in enumerate(self.spans):
            new = text_of(index)
            if new or start == end:
                # The first text keeps the blanks that the whole text begins with.
                blanks = (0 if not out else at, self.labels[0 if not out else index])
                out += [self.text[slice(*blanks)], self.text[self.labels[index] : start], new or ""]
            at = end
        return "".join(out) + self.text[at:]


def tiled(text: str, segments: Sequence[str], speakers: Sequence[str | None] = ()) -> Tiles | None:
    """
    Find the texts of segments in the text of the whole recording.

    :param speakers: of the segments; a text may be preceded by its speaker's name and a colon.
    :returns: None unless the text consists of them.
    """
    spans, labels = [], []
    at = 0
    for index, segment in enumerate(segments):
        core = segment.strip()
        if not core:
            spans.append((at, at))
            labels.append(at)
            continue
        start = label = _skipped(text, at)
        if not text.startswith(core, start):
            speaker = speakers[index] if speakers else None
            start = _behind_label(text, start, speaker)
            if not text.startswith(core, start):
                return None
        at = start + len(core)
        spans.append((start, at))
        labels.append(label)
    return Tiles(text, spans, labels) if _skipped(text, at) == len(text) else None


def lines(text: str) -> Tiles:
    """The lines of a text that are not blank, as tiles that keep the blanks at their ends."""
    spans: list[tuple[int, int]] = []
    at = 0
    for line in text.split("\n"):
        if line.strip():
            spans.append((at, at + len(line)))
        at += len(line) + 1
    return Tiles(text, spans, [start for start, _ in spans])


def joined(texts: Sequence[str]) -> str:
    """Join texts of segments, with a space between two of them where their scripts have spaces."""
    out: list[str] = []
    last = ""
    for text in texts:
        if not text:
            continue
        if last and not (last.isspace() or text[0].isspace() or (is_wide(last) and is_wide(text[0]))):
            out.append(" ")
        out.append(text)
        last = text[-1]
    return "".join(out).strip()


def _skipped(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None, "the pattern matches the empty string"
    return found.end()


def _behind_label(text: str, at: int, speaker: str | None) -> int:
    """The offset behind a speaker's name and a colon; the same offset if there is no such label."""
    if not speaker or text[at : at + len(speaker)].casefold() != speaker.casefold():
        return at
    colon = at + len(speaker)
    return _skipped(text, colon + 1) if text[colon : colon + 1] in (":", "：") else at
