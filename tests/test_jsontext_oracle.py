"""
Compares :mod:`sttproxy.jsontext` with the decoder of the standard library.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.jsontext import MAX_DEPTH, JSONError, Number, Object, Value, parse

Python = Any


def plain(value: Value) -> Python:
    """Convert a value to the result of the standard decoder."""
    data = value.data
    if isinstance(data, Number):
        return json.loads(data.literal)
    if isinstance(data, Object):
        return {member.key: plain(member.value) for member in data.members}
    if isinstance(data, tuple):
        return [plain(item) for item in data]
    return data


def inside(value: Value) -> list[Value]:
    """A value and all values inside it."""
    data = value.data
    below = data if isinstance(data, tuple) else ()
    if isinstance(data, Object):
        below = tuple(member.value for member in data.members)
    return [value, *(deeper for item in below for deeper in inside(item))]


def strict(text: str) -> Python:
    """
    Parse a text with the standard decoder, and make the additional checks of :mod:`sttproxy.jsontext`.

    :raises ValueError: also for NaN and infinities, repeated members, halves of surrogate pairs, and deep nesting.
    """

    def members(pairs: list[tuple[str, Python]]) -> dict[str, Python]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("a member is repeated")
        return dict(pairs)

    def constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    data = json.loads(text, object_pairs_hook=members, parse_constant=constant)
    json.dumps(data, ensure_ascii=False).encode()
    if depth(data) > MAX_DEPTH:
        raise ValueError("it nests too deep")
    return data


def depth(data: Python) -> int:
    """The nesting depth of arrays and objects."""
    if isinstance(data, dict):
        data = list(data.values())
    return 1 + max(map(depth, data), default=0) if isinstance(data, list) else 0


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
SPACE = st.text(" \t\r\n", max_size=2)


@st.composite
def texts(draw: st.DrawFn, values: st.SearchStrategy[Python] = VALUES) -> str:
    """JSON texts in many spellings."""
    separators = (
        draw(SPACE) + "," + draw(SPACE),
        draw(SPACE) + ":" + draw(SPACE),
    )
    text = json.dumps(
        draw(values), ensure_ascii=draw(st.booleans()), indent=draw(st.none() | SPACE), separators=separators
    )
    return draw(SPACE) + text + draw(SPACE)


#: Fragments that make a JSON text invalid or almost valid.
FRAGMENTS = st.sampled_from(
    (
        *"{}[]\",:\\/-+.eE0189 \t\r\n\x00\x1f\x7f\u00a0\u2028\ufeff'",
        *("null", "true", "NaN", "-Infinity", "00", "1.", ".5", "1e", '"a":1,', '"a"', ",,", "//"),
        *("\\u", "\\ud800", "\\udc00", "\\ud83d\\ude00", "\\x41", "[" * 63, "]" * 63),
    )
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Texts in which slices are removed, doubled, or replaced by fragments."""
    text = draw(texts() | st.lists(FRAGMENTS, max_size=8).map("".join))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 4)))
        middle = draw(st.sampled_from(["", text[start:end] * 2]) | FRAGMENTS)
        text = text[:start] + middle + text[end:]
    return text


class OracleTests(SynchronousTestCase):
    """Both decoders agree."""

    @given(texts())
    def test_values(self, text: str) -> None:
        """Both decoders read every JSON text the same way."""
        self.assertEqual(plain(parse(text)), json.loads(text))

    @given(texts())
    def test_spans(self, text: str) -> None:
        """The span of each value is exactly its text."""
        for value in inside(parse(text)):
            piece = text[value.start : value.end]
            self.assertEqual(piece, piece.strip())
            self.assertEqual(plain(value), json.loads(piece))

    @settings(max_examples=500)
    @given(mutated())
    def test_mutated(self, text: str) -> None:
        """Both decoders, the standard one made strict, accept the same texts and read them the same way."""
        try:
            expected = strict(text)
        except ValueError:
            error = self.assertRaises(JSONError, parse, text)
            self.assertTrue(0 <= error.at <= len(text), error.at)
        else:
            self.assertEqual(plain(parse(text)), expected)
