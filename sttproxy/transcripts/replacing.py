"""
Replacements in texts: literal keys and patterns.

A literal key matches at word boundaries where its script has words; white space in it matches any white space.  It
ignores case if it is all lower case.  Where several keys match, the longest one counts, and the order of the keys does
not matter.  A key within an occurrence of its value is left alone, so that ``{"smith": "John Smith"}`` does not change
"John Smith".

Patterns are searched for after the literal keys, in their order.  Each search has a time limit, because a search can
take exponential time.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from .edits import Edit
from .scripts import SPACED, begins_with_word, ends_with_word

#: Longest time of one search for a pattern, in seconds.
SEARCH_S = 0.05
#: Longest time of all searches for one pattern in one transcript, in seconds.
TRANSCRIPT_S = 0.5

_SPACES = re.compile(r"\s+")


@attrs.frozen
class Replacement:
    """
    A key and its value.

    :ivar number: the number of the key in the configuration, counted from 1.
    :ivar key: the literal text, or the pattern without slashes and flags.
    :ivar value: replaces the key.  In that of a pattern, ``\\\\1`` and ``\\\\g<name>`` are groups.
    """

    number: int
    key: str
    value: str


@attrs.frozen
class Found:
    """An edit, and the number of the key that asks for it."""

    edit: Edit
    number: int


class Clock:
    """
    Measures the searches for patterns in one transcript.

    :ivar exceeded: the numbers of the patterns that took too long; they are not searched for again.
    """

    def __init__(self, seconds: Callable[[], float] = time.perf_counter) -> None:
        self.exceeded: set[int] = set()
        self._seconds = seconds
        self._left: dict[int, float] = defaultdict(lambda: TRANSCRIPT_S)

    def search(self, number: int, compiled: Any, text: str, at: int) -> Any:
        """
        Search for a pattern.

        :param number: of the pattern.
        :param compiled: as `regex` compiles it.
        :param at: the offset from which to search.
        :return: the match; None if the pattern does not match.
        :raises TimeoutError: when the search, or all searches for this pattern, take too long.
        """
        began, left = self._seconds(), self._left[number]
        try:
            if left > 0:
                # Other threads run meanwhile.
                return compiled.search(text, at, timeout=min(SEARCH_S, left), concurrent=True)
        finally:
            self._left[number] = left - (self._seconds() - began)
        raise TimeoutError


@attrs.frozen(eq=False)
class Pattern:
    """
    A pattern that replaces its matches.

    :ivar compiled: as `regex` compiles it.
    """

    replacement: Replacement
    compiled: Any

    def found(self, text: str, clock: Clock) -> list[Found]:
        """The edits of a text; none if the search takes too long.  Empty matches do not count."""
        number, edits, at = self.replacement.number, [], 0
        if number in clock.exceeded:
            return []
        try:
            while at <= len(text) and (match := clock.search(number, self.compiled, text, at)):
                start, end = match.span()
                at = max(end, at + (start == end))
                if start < end:
                    edits.append(Edit(start, end, match.expand(self.replacement.value)))
        except (TimeoutError, MemoryError):
            clock.exceeded.add(number)
            return []
        return [Found(edit, number) for edit in edits if edit.text != text[edit.start : edit.end]]


class Literals:
    """Literal keys that are replaced by their values."""

    def __init__(self, replacements: Sequence[Replacement]) -> None:
        self._pattern, self._entries = _compiled([(each.key, each) for each in replacements])
        within = [each for each in replacements if self._changes(each.value)]
        if within:
            kept: list[tuple[str, Replacement | None]] = [(each.value, None) for each in within]
            self._pattern, self._entries = _compiled([*((each.key, each) for each in replacements), *kept])

    def found(self, text: str) -> list[Found]:
        """The edits of a text."""
        found, at = [], 0
        for match in self._pattern.finditer(text):
            entry = self._entries[(match.lastindex or 1) - 1]
            if entry is not None and entry.value != match.group():
                start, end = match.span() if entry.value else _with_blank(text, *match.span(), at)
                found.append(Found(Edit(start, end, entry.value), entry.number))
                at = end
        return found

    def _changes(self, value: str) -> bool:
        return any(edit.number for edit in self.found(value))


@attrs.frozen(eq=False)
class Replacing:
    """All replacements."""

    literals: Literals | None
    patterns: tuple[Pattern, ...]

    def steps(self) -> Iterator[Callable[[str, Clock], list[Found]]]:
        """What finds edits, in order: each in the text that the one before it left."""
        if self.literals is not None:
            literals = self.literals
            yield lambda text, _: literals.found(text)
        for pattern in self.patterns:
            yield pattern.found


def _compiled(entries: Sequence[tuple[str, Replacement | None]]) -> tuple[re.Pattern[str], list[Replacement | None]]:
    """
    One pattern for all literal texts, and for each of its groups the replacement; None for a text that stays.

    Texts that begin alike are one branch, and each branch begins with a class of characters: `re` skips such branches
    quickly.
    """
    branches: dict[str, list[tuple[str, Replacement | None]]] = defaultdict(list)
    for text, entry in sorted(entries, key=lambda each: (-len(each[0]), _ignores_case(each[0], each[1]))):
        branches[text[0].lower()].append((text, entry))
    groups: list[Replacement | None] = []
    sources = []
    for first, texts in branches.items():
        alternatives, starts = [], {first} if any(_ignores_case(*each) for each in texts) else set()
        for text, entry in texts:
            body = r"\s+".join(map(re.escape, _SPACES.split(text[1:])))
            if _ignores_case(text, entry):
                starts |= {char for char in (first.upper(), first.title()) if len(char) == 1}
                body = f"(?i:{body})"
            else:
                starts.add(text[0])
                body = f"(?<={re.escape(text[0])}){body}"
            alternatives.append(f"({body}{f'(?!{SPACED})' if ends_with_word(text) else ''})")
            groups.append(entry)
        boundary = f"(?<!{SPACED}(?s:.))" if begins_with_word(texts[0][0]) else ""
        sources.append(f"[{''.join(map(re.escape, sorted(starts)))}]{boundary}(?:{'|'.join(alternatives)})")
    return re.compile("|".join(sources)), groups


def _ignores_case(text: str, entry: Replacement | None) -> bool:
    return entry is not None and text == text.lower()


def _with_blank(text: str, start: int, end: int, at: int) -> tuple[int, int]:
    """
    The part of a text that goes with a removed key: the key and one of the blanks around it.

    :param at: where the part may begin.
    """
    ends = end == len(text) or text[end].isspace()
    if start > at and text[start - 1] == " " and ends:
        return start - 1, end
    if start == at and end < len(text) and text[end] == " ":
        return start, end + 1
    return start, end
