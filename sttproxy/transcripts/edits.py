"""
Edits of a segment's text, and how the words of the segment follow them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .model import Word, merged_words
from .tiles import joined


class Edit(NamedTuple):
    """Another text instead of a part of a text."""

    start: int
    end: int
    text: str


#: Edits in order, without overlaps; or a new text of the same length, each character of which replaces one.
Step = Sequence[Edit] | str


def edited(text: str, step: Step) -> str:
    """Apply edits to a text."""
    if isinstance(step, str):
        return step
    out, at = [], 0
    for edit in step:
        out += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join(out) + text[at:]


class _Cell(NamedTuple):
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

    def edit(self, step: Step) -> None:
        """Follow edits of the text."""
        if isinstance(step, str):
            text = self._text
            self._cells = [
                cell if text[cell.start : cell.end] == step[cell.start : cell.end] else cell._replace(changed=True)
                for cell in self._cells
            ]
        else:
            cells = _covered(self._cells, step)
            self._cells = _moved(_attached(cells, step) if cells else [], step)
        self._text = edited(self._text, step)

    def words(self) -> list[Word]:
        """The words after the edits."""
        found: list[Word] = []
        for cell in self._cells:
            core = self._text[cell.start : cell.end].strip()
            if not cell.changed:
                found += cell.words
            elif core:
                first, last = cell.words[0].text, cell.words[-1].text
                before, after = first[: -len(first.lstrip())], last[len(last.rstrip()) :]
                found.append(merged_words(cell.words, before + core + after))
        return found


def _covered(cells: Sequence[_Cell], edits: Sequence[Edit]) -> list[_Cell]:
    """Merge cells that an edit covers together, and extend them to the edits that they overlap."""
    merged: list[_Cell] = []
    first = 0
    for cell in cells:
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
    return merged


def _attached(cells: list[_Cell], edits: Sequence[Edit]) -> list[_Cell]:
    """Extend cells to edits beside them that add letters, each to the word before it, or to the first one."""
    at = 0
    for edit in edits:
        if not any(map(str.isalnum, edit.text)):
            continue
        while at + 1 < len(cells) and cells[at + 1].start <= edit.start:
            at += 1
        cell = cells[at]
        if not cell.start <= edit.start <= edit.end <= cell.end:
            cells[at] = _Cell(min(cell.start, edit.start), max(cell.end, edit.end), cell.words, True)
    return cells


def _moved(cells: Sequence[_Cell], edits: Sequence[Edit]) -> list[_Cell]:
    """Where cells are in the edited text.  No cell begins or ends inside of an edit."""
    moved, next_, delta = [], 0, 0
    for cell in cells:
        at = []
        for place in (cell.start, cell.end):
            while next_ < len(edits) and edits[next_].end <= place:
                edit = edits[next_]
                delta += len(edit.text) - (edit.end - edit.start)
                next_ += 1
            at.append(place + delta)
        moved.append(_Cell(at[0], at[1], cell.words, cell.changed))
    return moved


def _cells(text: str, words: Sequence[Word]) -> list[_Cell]:
    cells: list[_Cell] = []
    at = 0
    for word in words:
        core = word.text.strip()
        start = text.find(core, at)
        if start != at and (start < 0 or any(map(str.isalnum, text[at:start]))):
            raise ValueError(f"the text does not continue with word {len(cells)}")
        at = start + len(core)
        cells.append(_Cell(start, at, (word,)))
    if any(map(str.isalnum, text[at:])):
        raise ValueError("the text continues behind the last word")
    return cells


def spelled(words: Sequence[Word]) -> str:
    """The text that words are."""
    return joined([word.text for word in words])
