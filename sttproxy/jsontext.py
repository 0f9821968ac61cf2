"""
A JSON parser that keeps the position of every value in the text (RFC 8259).

The decoder of the standard library has no positions, converts numbers, and accepts repeated members.  A configuration
error must name its line, and numbers must be sent as written, so values here keep their span of the source.
"""

from __future__ import annotations

import bisect
import json
import re

import attrs

#: Deepest nesting of arrays and objects: far more than forms have, and far below Python's recursion limit.
MAX_DEPTH = 64

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_WORDS = {"true": True, "false": False, "null": None}


class JSONError(ValueError):
    """
    The text is not JSON, or an object repeats a member.

    :ivar message: what is wrong.
    :ivar at: the offset of the error, in the units of the input: characters of a ``str``, bytes of ``bytes``.
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


@attrs.frozen
class Number:
    """A number as written in the source: ``0.20`` stays ``0.20``."""

    literal: str


@attrs.frozen
class Member:
    """A member of an object.  The span of its quoted name is ``[key_at, key_end)``."""

    key: str
    key_at: int
    key_end: int
    value: Value


@attrs.frozen
class Value:
    """
    A value and its span ``[start, end)`` in the source, in characters.

    :ivar data: str, `Number`, bool, None, a tuple of `Value` (array) or a tuple of `Member` in an `Object`.
    """

    data: str | Number | bool | tuple[Value, ...] | Object | None
    start: int
    end: int


@attrs.frozen
class Object:
    """The members of an object in their order; their names are unique."""

    members: tuple[Member, ...]


def parse(text: str) -> Value:
    """
    Parse a JSON text.

    :raises JSONError: when it is not JSON, repeats a member of an object, or nests deeper than `MAX_DEPTH`.
    """
    value, at = _value(text, _skip(text, 0), 0)
    _check_end(text, at)
    return value


class Places:
    """Converts offsets in a text to lines and columns; finds the line breaks only once."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def of(self, at: int) -> tuple[int, int]:
        """The line and the column of an offset in characters, both counted from 1."""
        line = bisect.bisect_right(self._starts, at)
        return line, at - self._starts[line - 1] + 1


def _check_end(text: str, at: int) -> None:
    at = _skip(text, at)
    if at < len(text):
        raise JSONError(_mistake(text, at) or "there is more text after the end of the JSON value", at)


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None, "the pattern matches the empty string"
    return space.end()


def _value(text: str, at: int, depth: int) -> tuple[Value, int]:
    """Parse the value at an offset; return it and the offset after it."""
    first = text[at : at + 1]
    if first == '"':
        string, end = _string(text, at)
        return Value(string, at, end), end
    if first in ("{", "["):
        if depth == MAX_DEPTH:
            raise JSONError(f"values nest deeper than {MAX_DEPTH} levels", at)
        return _object(text, at, depth + 1) if first == "{" else _array(text, at, depth + 1)
    for word, data in _WORDS.items():
        if text.startswith(word, at):
            return Value(data, at, at + len(word)), at + len(word)
    number = _NUMBER.match(text, at)
    if number is None:
        usual = "a value is missing" if at == len(text) else f"no JSON value begins with {first!r}"
        raise JSONError(_mistake(text, at) or usual, at)
    return Value(Number(number.group()), at, number.end()), number.end()


def _string(text: str, at: int) -> tuple[str, int]:
    span = _STRING.match(text, at)
    if span is None:
        raise JSONError("a string has no closing quote, or contains a raw line break or control character", at)
    try:
        string: str = json.loads(span.group())
    except ValueError:
        raise JSONError("a string contains an invalid escape", at) from None
    try:
        string.encode()
    except UnicodeEncodeError:
        raise JSONError("a string contains half of a surrogate pair", at) from None
    return string, span.end()


def _array(text: str, start: int, depth: int) -> tuple[Value, int]:
    items: list[Value] = []
    at = _skip(text, start + 1)
    if text[at : at + 1] == "]":
        return Value((), start, at + 1), at + 1
    while True:
        item, at = _value(text, at, depth)
        items.append(item)
        more, at = _separator(text, at, "]")
        if not more:
            return Value(tuple(items), start, at), at


def _object(text: str, start: int, depth: int) -> tuple[Value, int]:
    found: list[Member] = []
    seen: set[str] = set()
    at = _skip(text, start + 1)
    if text[at : at + 1] == "}":
        return Value(Object(()), start, at + 1), at + 1
    while True:
        key_at = at
        if text[at : at + 1] != '"':
            raise JSONError(_mistake(text, at) or "a member's name, in double quotes, is missing", at)
        key, at = _string(text, at)
        if key in seen:
            raise JSONError(f"the member {_shown(key)} appears twice", key_at)
        seen.add(key)
        key_end = at
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise JSONError(_mistake(text, at) or f"a colon is missing after {_shown(key)}", at)
        value, at = _value(text, _skip(text, at + 1), depth)
        found.append(Member(key, key_at, key_end, value))
        more, at = _separator(text, at, "}")
        if not more:
            return Value(Object(tuple(found)), start, at), at


#: Characters that word processors and Chinese input methods produce, and the characters of JSON that they stand for.
_MEANT = dict.fromkeys("“”„‟«»‘’‚‛＂＇「」", '"') | dict(zip("：，、｛｝［］【】", ":,,{}[][]", strict=True))


def _mistake(text: str, at: int) -> str:
    """A message for a common mistake at an offset: comments, wrong quotes.  Empty if it is none of these."""
    if text.startswith(("//", "/*", "#"), at):
        return 'JSON has no comments; use a "$comment" member'
    found = text[at : at + 1]
    if found == "'":
        return "JSON strings need double quotes, not single quotes"
    return f"{found!r} has no meaning in JSON; write {_MEANT[found]!r}" if found in _MEANT else ""


def _shown(key: str) -> str:
    """Format a name for a message: limited to 80 characters."""
    return repr(key if len(key) <= 80 else key[:80] + "…")


def _separator(text: str, at: int, closing: str) -> tuple[bool, int]:
    """
    Parse a comma or the closing bracket.

    :return: whether it is a comma, and the offset to continue at: of the next element, or after the bracket.
    """
    at = _skip(text, at)
    found = text[at : at + 1]
    if found == closing:
        return False, at + 1
    if found != ",":
        raise JSONError(_mistake(text, at) or f"a comma or the closing {closing!r} is missing", at)
    comma = at
    at = _skip(text, at + 1)
    if text[at : at + 1] == closing:
        raise JSONError("there is a comma after the last element", comma)
    return True, at
