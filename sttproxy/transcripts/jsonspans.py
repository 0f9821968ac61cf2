"""
JSON values with their places in the text, for responses of megabytes.

`jsontext` keeps the place of every value and is for small texts.  Here the scanner of the standard library, which is
written in C, reads whole values, and only the members and the elements that are asked for have a place.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from .document import NotATranscript

_SPACE = re.compile(r"[ \t\n\r]*")


class Span(NamedTuple):
    """
    A value in a JSON text.

    :ivar value: as Python has it; of an array that was asked for, the `Span` of each element.
    """

    value: Any
    start: int
    end: int


def object_members(source: str, at: int, arrays: frozenset[str] = frozenset()) -> tuple[dict[str, Span], int]:
    """
    Read the object at an offset; return its members and the offset behind it.

    :param arrays: the names of members whose elements are wanted with their places.
    :raises NotATranscript: when there is no object, or it is malformed or repeats a member.
    """
    found: dict[str, Span] = {}
    at = _skipped(source, _expected(source, at, "{"))
    if source.startswith("}", at):
        return found, at + 1
    while True:
        name, at = _name_at(source, at)
        if name in found:
            raise NotATranscript("the JSON repeats a member")
        if name in arrays and source.startswith("[", at):
            elements, end = array_elements(source, at)
            found[name] = Span(elements, at, end)
        else:
            found[name] = value_at(source, at)
        after = _AFTER.match(source, found[name].end)
        if after is None or after[1] == "]":
            raise NotATranscript("the JSON is malformed")
        if after[1] == "}":
            return found, after.end(1)
        at = after.end()


def array_elements(source: str, at: int) -> tuple[list[Span], int]:
    """
    Read the array at an offset; return its elements and the offset behind it.

    :raises NotATranscript: when it is malformed.
    """
    found: list[Span] = []
    at = _skipped(source, at + 1)
    if source.startswith("]", at):
        return found, at + 1
    while True:
        element = value_at(source, at)
        found.append(element)
        after = _AFTER.match(source, element.end)
        if after is None or after[1] == "}":
            raise NotATranscript("the JSON is malformed")
        if after[1] == "]":
            return found, after.end(1)
        at = after.end()


def value_at(source: str, at: int) -> Span:
    """
    Read the value at an offset.

    :raises NotATranscript: when there is no JSON value, or an object in it repeats a member.
    """
    try:
        value, end = _SCAN(source, at)
    except (StopIteration, ValueError, RecursionError):
        raise NotATranscript("the JSON is malformed") from None
    return Span(value, at, end)


def _name_at(source: str, at: int) -> tuple[str, int]:
    """
    Read the name of a member, and the colon; return the name, and the offset of the value.

    :raises NotATranscript: when there is none.
    """
    plain = _NAME.match(source, at)
    if plain is not None:
        return plain[1], plain.end()
    name, _, at = value_at(source, at)
    if not isinstance(name, str):
        raise NotATranscript("the JSON is malformed")
    return name, _skipped(source, _expected(source, _skipped(source, at), ":"))


def begin(source: str) -> int:
    """The offset of the first value: behind a byte order mark and blanks."""
    return _skipped(source, 1 if source.startswith("\ufeff") else 0)


def check_end(source: str, at: int) -> None:
    """
    Check that only blanks are left.

    :raises NotATranscript: when there is more.
    """
    if _skipped(source, at) < len(source):
        raise NotATranscript("there is more text behind the JSON value")


class Edits:
    """Changes of a JSON text that do not overlap; everything else stays as it was written."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._changes: list[tuple[int, int, str]] = []
        # Servers either write all characters, or escape all but those of ASCII.
        self._ascii = source.isascii() and "\\u" in source

    @property
    def is_empty(self) -> bool:
        """Whether nothing is changed."""
        return not self._changes

    def replace(self, start: int, end: int, new: str) -> None:
        """Replace a part of the text."""
        self._changes.append((start, end, new))

    def string(self, span: Span, new: str) -> None:
        """Replace a string by another one."""
        self.replace(span.start, span.end, json.dumps(new, ensure_ascii=self._ascii))

    def keep(self, array: Span, kept: list[int]) -> None:
        """
        Remove elements from an array.

        :param array: an array whose value is the spans of its elements.
        :param kept: the indexes of the elements that stay, in their order.
        """
        elements: list[Span] = array.value
        if len(kept) == len(elements):
            return
        if not kept:
            self.replace(array.start, array.end, "[]")
            return
        # The blanks and the comma before a removed element go with it, those before the first one stay.
        at = elements[0].start
        for place, index in enumerate(kept):
            begins = elements[index].start if place == 0 else elements[index - 1].end
            if at < begins:
                self.replace(at, begins, "")
            at = elements[index].end
        if at < elements[-1].end:
            self.replace(at, elements[-1].end, "")

    def applied(self) -> str:
        """The text with all changes."""
        out: list[str] = []
        at = 0
        for start, end, new in sorted(self._changes):
            out += [self._source[at:start], new]
            at = end
        return "".join(out) + self._source[at:]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is repeated")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


#: Reads one value; faster than ``JSONDecoder.raw_decode``, which calls it.
_SCAN = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant).scan_once  # type: ignore[attr-defined]  # not in typeshed
#: A name without escapes, up to the value.
_NAME = re.compile(r'"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*')
#: What stands behind a member or an element.
_AFTER = re.compile(r"[ \t\n\r]*([,}\]])[ \t\n\r]*")


def _skipped(source: str, at: int) -> int:
    space = _SPACE.match(source, at)
    assert space is not None, "the pattern matches the empty string"
    return space.end()


def _expected(source: str, at: int, char: str) -> int:
    if not source.startswith(char, at):
        raise NotATranscript("the JSON is malformed")
    return at + 1
