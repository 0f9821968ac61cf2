"""
Streaming syntax check for JSON values (RFC 8259), without building a tree.

`ValueScanner` finds out how far a value is well-formed and where it ends.  It does not interpret or keep values.  It
keeps the member names of open objects, in order to reject repeated members, which parsers read differently.

The caller has checked that the input is UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from ..errors import shown
from ..jsontext import MAX_DEPTH, JSONError

#: Longest member name in the source text, in bytes with its quotes.  A name is buffered until it is complete.
MAX_NAME = 4096
#: Most bytes of member names that one scanner accepts in all its objects; this bounds its memory.
MAX_NAMES = 64 * 1024
#: Longest number in the source text, in bytes.
MAX_NUMBER = 1024
#: Most values that are scanned one by one: members, arrays, objects, and scalars outside plain lists.  Each costs about
#: a microsecond, so this bounds the CPU time of one read.  Lists of plain scalars may have any length.
MAX_VALUES = 5000

_SPACE = re.compile(rb"[ \t\n\r]*")
_ESCAPE = rb'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})'
#: The pattern ends with the repetition, so it never backtracks.
_CHARACTERS = re.compile(rb'(?:[^"\\\x00-\x1f]+|%b)*' % _ESCAPE)
#: An incomplete escape.
_HALF_ESCAPE = re.compile(rb"\\(?:u[0-9A-Fa-f]{0,3})?")
_NUMBER = rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_SCALAR = rb'(?:"[^"\\\x00-\x1f]*"|%b|true|false|null)' % _NUMBER
#: Elements of a list of scalars without escapes, each with its comma.  ``re`` reads long vectors of numbers fast.
_PLAIN_ITEMS = re.compile(rb"(?:[ \t\n\r]*%b[ \t\n\r]*,)+" % _SCALAR)
_WORD = re.compile(rb"[+\-.0-9A-Za-z]+")
_WHOLE_WORD = re.compile(rb"%b|true|false|null" % _NUMBER)


def skip_space(data: bytes, at: int) -> int:
    """The offset of the first byte, from an offset on, that is not white space."""
    space = _SPACE.match(data, at)
    assert space is not None, "the pattern matches the empty string"
    return space.end()


def read_name(data: bytes, at: int) -> tuple[str, int] | None:
    """
    Read the name of a member.

    :param at: the offset of its opening quote.
    :return: the name and the offset after its closing quote; None if more bytes are needed.
    :raises JSONError: when it is not a string, contains half of a surrogate pair, or is longer than `MAX_NAME`.
    """
    if data[at] != _QUOTE:
        raise JSONError("a member's name, in double quotes, is missing", at)
    end = _end_of_characters(data, at + 1)
    if end - at >= MAX_NAME:
        raise JSONError(f"a member's name is longer than {MAX_NAME} bytes", at)
    if data[end : end + 1] != b'"':
        return None
    raw = data[at : end + 1]
    try:
        name: str = json.loads(raw) if b"\\" in raw else raw[1:-1].decode()
        name.encode()
    except UnicodeEncodeError:
        raise JSONError("a member's name contains half of a surrogate pair", at) from None
    return name, end + 1


_QUOTE, _OPEN_LIST, _CLOSE_LIST, _OPEN_OBJECT, _CLOSE_OBJECT, _COMMA, _COLON, _BACKSLASH = b'"[]{},:\\'


def _end_of_characters(data: bytes, at: int) -> int:
    """
    The offset of the closing quote of a string; if it has not come yet, the end of the data, or the beginning of an
    incomplete escape at the end.

    :param at: an offset inside the string.
    :raises JSONError: when the string contains a raw control character or an unknown escape.
    """
    characters = _CHARACTERS.match(data, at)
    assert characters is not None, "the pattern matches the empty string"
    end = characters.end()
    if end == len(data) or data[end] == _QUOTE:
        return end
    if data[end] != _BACKSLASH:
        raise JSONError("a string contains a raw line break or control character", end)
    if _HALF_ESCAPE.fullmatch(data, end):
        return end
    raise JSONError("a string contains an invalid escape", end)


class ValueScanner:
    """
    Checks values one after the other.

    :ivar done: whether the value is complete.
    """

    def __init__(self, named: Callable[[str, int], None] | None = None) -> None:
        """
        :param named: called with the name of each member of the outermost object, and the offset after the name.
        """
        self.done = False
        self._named = named
        #: One entry for each open container, outermost first: the member names of an object, or None for a list.
        self._open: list[set[str] | None] = []
        self._values = 0
        self._names = 0
        self._step: _Step = ValueScanner._value

    def begin(self) -> None:
        """Prepare for the next value."""
        self.done = False
        self._step = ValueScanner._value

    def scan(self, data: bytes, at: int) -> int:
        """
        Check bytes of the value from an offset on.

        :return: the offset up to which the data were checked.  If that is not the end of the data and the value is not
            `done`, the rest is an incomplete name, number or escape: pass it again, with more bytes after it.
        :raises JSONError: when the value is not well-formed, repeats a member, nests deeper than `MAX_DEPTH`, or
            exceeds the limits of this module.
        """
        while at < len(data) and not self.done:
            end = self._step(self, data, at)
            if end == at:
                break
            at = end
        return at

    def _count(self, at: int) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise JSONError(f"there are more than {MAX_VALUES} values outside lists of plain values", at)

    def _value(self, data: bytes, at: int) -> int:
        """At a value, or at white space before it."""
        at = skip_space(data, at)
        if at == len(data):
            return at
        first = data[at]
        if first == _QUOTE:
            self._count(at)
            self._step = ValueScanner._string
            return at + 1
        if first in (_OPEN_OBJECT, _OPEN_LIST):
            self._count(at)
            if len(self._open) == MAX_DEPTH:
                raise JSONError(f"values nest deeper than {MAX_DEPTH} levels", at)
            self._open.append(None if first == _OPEN_LIST else set())
            self._step = ValueScanner._first_item if first == _OPEN_LIST else ValueScanner._first_name
            return at + 1
        return self._word(data, at)

    def _word(self, data: bytes, at: int) -> int:
        """A number, true, false or null.  It is complete only when the byte after it has come."""
        word = _WORD.match(data, at)
        if word is None:
            raise JSONError(f"a value is missing before {chr(data[at])!r}", at)
        if word.end() - at > MAX_NUMBER:
            raise JSONError(f"a number is longer than {MAX_NUMBER} bytes", at)
        if word.end() == len(data):
            return at
        if not _WHOLE_WORD.fullmatch(data, at, word.end()):
            raise JSONError(f"{shown(word.group().decode())} is not a JSON value", at)
        self._count(at)
        self._ended()
        return word.end()

    def _string(self, data: bytes, at: int) -> int:
        """Inside a string, which may have any length."""
        end = _end_of_characters(data, at)
        if data[end : end + 1] != b'"':
            return end
        self._ended()
        return end + 1

    def _first_item(self, data: bytes, at: int) -> int:
        """After the opening bracket of a list."""
        at = skip_space(data, at)
        if at == len(data):
            return at
        if data[at] == _CLOSE_LIST:
            return self._close(at)
        self._step = ValueScanner._item
        return self._item(data, at)

    def _item(self, data: bytes, at: int) -> int:
        """At an element of a list."""
        items = _PLAIN_ITEMS.match(data, at)
        return items.end() if items else self._value(data, at)

    def _first_name(self, data: bytes, at: int) -> int:
        """After the opening brace of an object."""
        at = skip_space(data, at)
        if at == len(data):
            return at
        if data[at] == _CLOSE_OBJECT:
            return self._close(at)
        self._step = ValueScanner._name
        return self._name(data, at)

    def _name(self, data: bytes, at: int) -> int:
        """At a member's name, or at white space before it."""
        at = skip_space(data, at)
        found = read_name(data, at) if at < len(data) else None
        if found is None:
            return at
        name, end = found
        names = self._open[-1]
        assert names is not None, "only objects have names"
        if name in names:
            raise JSONError(f"the member {shown(name)} appears twice", at)
        names.add(name)
        if self._named is not None and len(self._open) == 1:
            self._named(name, end)
        self._names += end - at
        if self._names > MAX_NAMES:
            raise JSONError(f"the names of members have more than {MAX_NAMES} bytes in total", at)
        self._step = ValueScanner._colon
        return end

    def _colon(self, data: bytes, at: int) -> int:
        """Between a member's name and its value."""
        at = skip_space(data, at)
        if at == len(data):
            return at
        if data[at] != _COLON:
            raise JSONError("a colon is missing after a member's name", at)
        self._step = ValueScanner._value
        return at + 1

    def _next(self, data: bytes, at: int) -> int:
        """After a value in a list or an object."""
        at = skip_space(data, at)
        if at == len(data):
            return at
        listed = self._open[-1] is None
        if data[at] == _COMMA:
            self._step = ValueScanner._item if listed else ValueScanner._name
            return at + 1
        if data[at] == (_CLOSE_LIST if listed else _CLOSE_OBJECT):
            return self._close(at)
        raise JSONError(f"a comma or the closing {']' if listed else '}'!r} is missing", at)

    def _close(self, at: int) -> int:
        """Close the innermost container, whose closing bracket or brace is at an offset."""
        self._open.pop()
        self._ended()
        return at + 1

    def _ended(self) -> None:
        """Choose the next step after a complete value."""
        if self._open:
            self._step = ValueScanner._next
        else:
            self.done = True


#: Checks data from an offset on and returns the offset up to which it did; the same offset if it needs more bytes.
_Step = Callable[[ValueScanner, bytes, int], int]
