"""
Edits of a segment's text, and how the words of the segment follow them.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .model import Word, merged_words
from .tiles import joined


@attrs.frozen
class Edit:
    """Another text instead of a part of a text."""

    start: int
    end: int
    text: str


def edited(text: str, edits: Sequence[Edit]) -> str:
    """
    Apply edits to a text.

    :param edits: in order, without overlaps.
    """
    out, at = [], 0
    for edit in edits:
        out += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join(out) + text[at:]


@attrs.frozen
class _Cell:
    """Neighbouring words and the part of the text that they are."""

    start: int
    end: int
    words: tuple[Word, ...]
    changed: bool = False


class Wording:
    """
    The words of a segment while its text is edited.

    Words that an edit covers together are merged; a word whose text is removed is left out.
    """

    def __init__(self, text: str, words: Sequence[Word]) -> None:
        """
        :raises ValueError: when the text does not consist of the words, apart from spaces and punctuation.
        """
        self._text = text
        self._cells = _cells(text, words)

    @property
    def seams(self) -> list[int]:
        """Offsets in the text at which a word begins."""
        return [cell.start for cell in self._cells]

    def edit(self, edits: Sequence[Edit]) -> None:
        """
        Follow edits of the text.

        :param edits: in order, without overlaps.
        """
        merged: list[_Cell] = []
        first = 0
        for cell in self._cells:
            while first < len(edits) and edits[first].end <= cell.start:
                first += 1
            last = first
            while last < len(edits) and edits[last].start < cell.end:
                last += 1
            if last > first:
                start, end = min(cell.start, edits[first].start), max(cell.end, edits[last - 1].end)
                words = cell.words
                if merged and merged[-1].end > start:
                    before = merged.pop()
                    start, words = before.start, before.words + words
                cell = _Cell(start, end, words, True)
            merged.append(cell)
        moved = _Moved(edits)
        self._cells = [attrs.evolve(cell, start=moved(cell.start), end=moved(cell.end)) for cell in merged]
        self._text = edited(self._text, edits)

    def words(self) -> list[Word]:
        """The words after the edits."""
        found = []
        for cell in self._cells:
            core = self._text[cell.start : cell.end].strip()
            if not cell.changed:
                found += cell.words
            elif core:
                first, last = cell.words[0].text, cell.words[-1].text
                before = first[: len(first) - len(first.lstrip())]
                after = last[len(last.rstrip()) :]
                found.append(merged_words(cell.words, before + core + after))
        return found


class _Moved:
    """Where an offset in a text is after edits.  Offsets must not be inside an edit."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits
        self._next = 0
        self._delta = 0

    def __call__(self, at: int) -> int:
        while self._next < len(self._edits) and self._edits[self._next].end <= at:
            edit = self._edits[self._next]
            self._delta += len(edit.text) - (edit.end - edit.start)
            self._next += 1
        return at + self._delta


def _cells(text: str, words: Sequence[Word]) -> list[_Cell]:
    cells, at = [], 0
    for word in words:
        core = word.text.strip()
        start = text.find(core, at)
        if start < 0 or any(char.isalnum() for char in text[at:start]):
            raise ValueError(f"the text does not continue with word {len(cells)}")
        at = start + len(core)
        cells.append(_Cell(start, at, (word,)))
    if any(char.isalnum() for char in text[at:]):
        raise ValueError("the text continues behind the last word")
    return cells


def spelled(words: Sequence[Word]) -> str:
    """The text that words are."""
    return joined([word.text for word in words])
