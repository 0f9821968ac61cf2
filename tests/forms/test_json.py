"""
Tests for :mod:`sttproxy.forms.json`: defaults and tables of values; the verdicts on bodies are among the vectors.
"""

from __future__ import annotations

import json
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import MAX_KEY, fold, parse
from sttproxy.errors import MalformedForm
from sttproxy.forms.json import MAX_MEMBERS, rewrite
from sttproxy.forms.treatment import Treatment

from .rewriting import rules_for
from .strategies import COMMON, WORDS, configurations

MAPS = {"$map": {"m": {"a": "b", "0.20": 1, "true": False, "": "none", "n": 2.50, "gone": ""}}}
ANY = {"$map": {"m": {"*": 7}}}
DEFAULT = {"$default": {"d": 0.5, "l[]": ["a", 1], "o": {"k": True}}}
EMPTY = {"$default": {"d": {"value": "x", "when_empty": True}}}


def left(body: str, **fields: Any) -> str:
    """What leaves of a body."""
    return rewrite(Treatment(rules_for(**fields)), body.encode()).decode()


class TableTests(SynchronousTestCase):
    """What leaves, to the byte."""

    def test_defaults(self) -> None:
        """Defaults come last, with their types, for the members that are not there; null is one that is there."""
        for body, expected in (
            ("{}", '{"d":0.5,"l":["a", 1],"o":{"k": true}}'),
            ('{"x": 1.0}', '{"x": 1.0,"d":0.5,"l":["a", 1],"o":{"k": true}}'),
            ('{"d": 1, "L": [], "o": null}', '{"d": 1,"L": [],"o": null}'),
            ('{"D[]": "", "o": {}}', '{"D[]": "","o": {},"l":["a", 1]}'),
        ):
            self.assertEqual(left(body, **DEFAULT), expected, body)

    def test_when_empty(self) -> None:
        """A default for empty members replaces null and the empty string, and nothing else."""
        for body, expected in (
            ('{"d": null, "x": 1}', '{"x": 1,"d":"x"}'),
            ('{"d": "", "x": 1}', '{"x": 1,"d":"x"}'),
            ('{"d": "\\u0000"}', '{"d": "\\u0000"}'),
            ('{"d": 0}', '{"d": 0}'),
            ('{"d": false}', '{"d": false}'),
            ('{"d": []}', '{"d": []}'),
            ('{"d": {}}', '{"d": {}}'),
            ('{"d": " "}', '{"d": " "}'),
            ('{"d": "null"}', '{"d": "null"}'),
            ('{"d": null, "D": "y"}', '{"D": "y"}'),
        ):
            self.assertEqual(left(body, **EMPTY), expected, body)

    def test_maps(self) -> None:
        """A value is compared as a form would carry it, and replaced by one that keeps its type; others pass."""
        for value, expected in (
            ('"a"', ':"b"'),
            ('"\\u0061"', ':"b"'),
            ("0.20", ":1"),
            ('"0.20"', ":1"),
            ("0.2", ": 0.2"),
            ("true", ":false"),
            ('"true"', ":false"),
            ("false", ": false"),
            ('""', ':"none"'),
            ("null", ':"none"'),
            ('"n"', ":2.5"),
            ('"gone"', ':""'),
            ('"A"', ': "A"'),
            ('["a"]', ': ["a"]'),
            ('{"a": 1}', ': {"a": 1}'),
            ('"\\ud800"', ': "\\ud800"'),
            ('"*"', ': "*"'),
        ):
            self.assertEqual(left(f'{{"x": 1, "m": {value}}}', **MAPS), f'{{"x": 1,"m"{expected}}}', value)
            self.assertEqual(left(f'{{"M[]": {value}}}', **MAPS), f'{{"M[]"{expected}}}', value)

    def test_any_other(self) -> None:
        """A star is any value, whatever its type and its length."""
        long = json.dumps("x" * (MAX_KEY + 1))
        for value in ('"a"', "null", "[1]", '{"a": {}}', "1e9", '"\\ud800"', long, '"*"'):
            self.assertEqual(left(f'{{"m": {value}}}', **ANY), '{"m":7}', value[:20])

    def test_longest(self) -> None:
        """The longest value that can be in a table is found; a longer one passes."""
        longest = "x" * MAX_KEY
        for value, expected in (
            (longest, ':"y"'),
            (longest + "x", f': "{longest}x"'),
            (longest[1:], f': "{longest[1:]}"'),
        ):
            fields = {"$map": {"m": {longest: "y"}}}
            self.assertEqual(left(f'{{"m": "{value}"}}', **fields), f'{{"m"{expected}}}', len(value))

    def test_together(self) -> None:
        """Forced members first, then the client's as the tables have them, then defaults of what these left empty."""
        rules = {
            "f": 1,
            "r": None,
            "$map": {"m": {"a": "b"}, "d": {"none": "", "x": "never"}, "f": {"*": "never"}},
            "$default": {"d": {"value": "x", "when_empty": True}, "m": "never", "r": "never"},
        }
        expected = '{"f":1,"x": 1,"m":"b","d":"x"}'
        self.assertEqual(left('{"x": 1, "m": "a", "F": 2, "r": 3, "d": "none"}', **rules), expected)

    def test_repeated(self) -> None:
        """A member that is repeated is refused; one that is spelled in two ways is mapped in both."""
        self.assertRaises(MalformedForm, left, '{"m": "a", "m": "a"}', **MAPS)
        self.assertEqual(left('{"m": "a", "M": "a"}', **MAPS), '{"m":"b","M":"b"}')

    def test_most(self) -> None:
        """What is added does not count among the members that there may be."""
        body = json.dumps({f"x{number}": 1 for number in range(MAX_MEMBERS)})
        self.assertEqual(len(json.loads(left(body, **DEFAULT))), MAX_MEMBERS + 3)


@attrs.frozen
class Number:
    """A number as it is written."""

    text: str


def read(text: str) -> Any:
    """An object's members as pairs, numbers as they are written."""
    return json.loads(text, object_pairs_hook=list, parse_int=Number, parse_float=Number)


def compared(value: Any) -> str | None:
    """What a table compares of a value; None for one that can only be any other."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value if isinstance(value, str) else None


def configured(name: str, value: Any) -> Any:
    """A configured value as an object has it."""
    return [value] if fold(name) == "timestamp_granularities" and not isinstance(value, list) else value


def expected(configuration: bytes, body: str) -> list[tuple[str, Any]]:
    """The members that leave, worked out from the texts alone."""
    rules = dict(read(configuration.decode()))
    defaults = {fold(name): (name, value) for name, value in rules.pop("$default", [])}
    maps = {fold(name): dict(table) for name, table in rules.pop("$map", [])}
    forced = {fold(name) for name in rules}
    members = [(name, configured(name, value)) for name, value in rules.items() if value is not None]
    there = set()
    for name, value in read(body):
        key = fold(name)
        if key in forced:
            continue
        table, default = maps.get(key, {}), defaults.get(key, ("", None))[1]
        text = compared(value)
        value = table[text] if text is not None and text != "*" and text in table else table.get("*", value)
        long = dict(default) if isinstance(default, list) and default and isinstance(default[0], tuple) else {}
        if long.get("when_empty") and "value" in long and value in (None, ""):
            continue
        there.add(key)
        members.append((name, value))
    for key, (name, default) in defaults.items():
        if key not in there and key not in forced:
            long = dict(default) if isinstance(default, list) and default and isinstance(default[0], tuple) else {}
            members.append((name, configured(name, long.get("value", default))))
    return members


class PropertyTests(SynchronousTestCase):
    """Any object under any configuration."""

    @settings(max_examples=200)
    @given(
        configurations(),
        st.dictionaries(
            st.sampled_from((*COMMON, *map(str.upper, COMMON), "naïve", "x", "other")),
            st.sampled_from(WORDS)
            | st.none()
            | st.booleans()
            | st.integers(-99, 99)
            | st.just(0.2)
            | st.lists(st.sampled_from(WORDS), max_size=2)
            | st.text(st.characters(codec="utf-8"), max_size=3),
            max_size=6,
        ),
        st.booleans(),
    )
    def test_rewritten(self, configuration: bytes, members: dict[str, Any], escaped: bool) -> None:
        """It leaves as the forced members, the client's as the tables have them, and the defaults, types and all."""
        body = json.dumps(members, ensure_ascii=escaped)
        found = rewrite(Treatment(parse(configuration).base), body.encode()).decode()
        self.assertEqual(read(found), expected(configuration, body))
