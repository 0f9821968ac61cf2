"""
Replacements in texts: literal keys and patterns.

A literal key matches at word boundaries where its script has words; white space in it matches any white space.  It
ignores case if it is all lower case.  Where several keys match, the longest one counts, and the order of the keys does
not matter.  A key within its own value is not replaced again: ``{"smith": "John Smith"}`` leaves "John Smith" alone.

Patterns are searched for after the literal keys, in their order.  Each search has a time limit, because a search can
take exponential time.
"""

from __future__ import annotations

import itertools
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from .edits import Edit
from .scripts import SPACED, begins_with_word, ends_with_word

#: Longest time of one search for a pattern, in seconds.
SEARCH_S = 0.05
#: Longest time of all searches for one pattern in one transcript, in seconds.
TRANSCRIPT_S = 0.5

_SPACES = re.compile(r"\s+")
#: Not behind a letter or a digit that is frequent; a class of all of them takes long to compile.
_BEHIND_WORD = "(?<![0-9A-Za-z\u00c0-\u024f\u0370-\u052f](?s:.))"
_COMMAS = frozenset(",，、،")


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
        :param compiled: as ``regex`` compiles it.
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

    :ivar compiled: as ``regex`` compiles it.
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
        own = [each for each in replacements if each.key.casefold() in each.value.casefold()]
        entries = [*((each.key, each) for each in replacements), *((each.value, each) for each in own)]
        self._pattern, self._entries = _compiled(entries)

    def found(self, text: str, _: Clock) -> list[Found]:
        """The edits of a text."""
        found, at, done = [], 0, 0
        while match := self._pattern.search(text, at):
            start, end = match.span()
            entry = self._entries[(match.lastindex or 1) - 1]
            if start and begins_with_word(match.group()) and begins_with_word(text[start - 1]):
                at = start + 1
                continue
            at = end
            if entry.value != match.group():
                if not entry.value:
                    start, end = _with_blank(text, start, end, done)
                found.append(Found(Edit(start, end, entry.value), entry.number))
                at = done = end
        return found


@attrs.frozen(eq=False)
class Replacing:
    """
    All replacements.

    :ivar steps: find edits, each in the text that the one before it left.
    :ivar has_patterns: whether there are patterns among them.
    """

    steps: tuple[Callable[[str, Clock], list[Found]], ...]
    has_patterns: bool

    @classmethod
    def of(cls, literals: Sequence[Replacement], patterns: Sequence[Pattern]) -> Replacing:
        """All replacements, from those of literal keys and those of patterns."""
        steps = (*([Literals(literals).found] if literals else ()), *(pattern.found for pattern in patterns))
        return cls(steps, bool(patterns))


def _compiled(entries: Sequence[tuple[str, Replacement]]) -> tuple[re.Pattern[str], list[Replacement]]:
    """
    One pattern for all literal texts, and for each of its groups the replacement.

    Texts that begin alike are one branch, and each branch begins with a class of characters: ``re`` skips such branches
    quickly.  A match may begin within a word; the pattern rules that out for frequent letters only.
    """
    branches: dict[str, list[tuple[str, Replacement]]] = defaultdict(list)
    for text, entry in sorted(entries, key=lambda each: (-len(each[0]), _ignores_case(each[1]))):
        branches[text[0].lower()].append((_SPACES.sub(" ", text), entry))
    groups: list[Replacement] = []
    sources: list[str] = []
    for first, texts in branches.items():
        starts: set[str] = set()
        parts = []
        for bounded, part in itertools.groupby(texts, lambda each: ends_with_word(each[0])):
            alternatives = []
            for text, entry in part:
                body = r"\s+".join(map(re.escape, text[1:].split(" ")))
                if _ignores_case(entry):
                    starts |= {char for char in (first, first.upper(), first.title()) if len(char) == 1}
                    alternatives.append(f"((?i:{body}))")
                else:
                    starts.add(text[0])
                    alternatives.append(f"((?<={re.escape(text[0])}){body})")
                groups.append(entry)
            parts.append(f"(?:{'|'.join(alternatives)}){f'(?!{SPACED})' if bounded else ''}")
        boundary = _BEHIND_WORD if begins_with_word(first) else ""
        sources.append(f"[{''.join(map(re.escape, sorted(starts)))}]{boundary}(?:{'|'.join(parts)})")
    return re.compile("|".join(sources)), groups


def _ignores_case(entry: Replacement) -> bool:
    return entry.key == entry.key.lower()


def _with_blank(text: str, start: int, end: int, at: int) -> tuple[int, int]:
    """
    The part of a text that goes with a removed key: one of the blanks around it, and one of two commas.

    :param at: where the part may begin.
    """
    before = text[at:start].rstrip()
    if text[end : end + 1] in _COMMAS and (not before or before[-1] in _COMMAS):
        end += 1
    ends = end == len(text) or text[end].isspace()
    if start > at and text[start - 1] == " " and ends:
        return start - 1, end
    if start == at and end < len(text) and text[end] == " ":
        return start, end + 1
    return start, end
