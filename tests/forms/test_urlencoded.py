"""
Tests for :mod:`sttproxy.forms.urlencoded`: defaults, tables of values, and the query.  :mod:`tests.vectors` covers
accepted and rejected bodies.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import MAX_VALUE, parse
from sttproxy.errors import MalformedForm
from sttproxy.forms.evaluation import Evaluation
from sttproxy.forms.urlencoded import MAX_PAIRS, rewrite, strip_query

from .oracle import Oracle, RefusedError
from .rewriting import Item, rules_for
from .strategies import ALIKE, COMMON, OLD, WORDS, configurations

MAPS = {"$map": {"m": {"a b": "c d", "会": "é&=", "": "none", "gone": "", "a+b": "plus"}}}
ANY = {"$map": {"m": {"*": "o"}}}
DEFAULT = {"$default": {"d": "x y", "l": ["1", 2], "o": {"k": True}}}
EMPTY = {"$default": {"d": {"value": "x", "when_empty": True}}}


def output(body: bytes, **fields: Any) -> bytes:
    """Rewrite a body."""
    return rewrite(Evaluation(rules_for(**fields)), body)


class TableTests(SynchronousTestCase):
    """Tests for the exact bytes of the result."""

    def test_defaults(self) -> None:
        """Defaults for missing fields come last; a field without a value is not missing."""
        every = b"d=x+y&l%5B%5D=1&l%5B%5D=2&o%5Bk%5D=true"
        for body, expected in (
            (b"", every),
            (b"a=%31", b"a=%31&" + every),
            (b"d=1&L%5B%5D=&o", b"d=1&L%5B%5D=&o"),
            (b"D&a=1", b"D&a=1&l%5B%5D=1&l%5B%5D=2&o%5Bk%5D=true"),
        ):
            self.assertEqual(output(body, **DEFAULT), expected, body)

    def test_when_empty(self) -> None:
        """With ``when_empty`` a default replaces fields without a value."""
        for body, expected in (
            (b"d=&a=1", b"a=1&d=x"),
            (b"d&a=1", b"a=1&d=x"),
            (b"d=&d=1&D=", b"d=1"),
            (b"d=+", b"d=+"),
            (b"d=%00", b"d=%00"),
        ):
            self.assertEqual(output(body, **EMPTY), expected, body)

    def test_maps(self) -> None:
        """Values are decoded before the comparison, and replacements are encoded; other values pass unchanged."""
        for body, expected in (
            (b"m=a+b", b"m=c+d"),
            (b"m=a%20b", b"m=c+d"),
            (b"m=%61+b&x=%61", b"m=c+d&x=%61"),
            (b"m=a%2Bb", b"m=plus"),
            (b"m=a%2bb", b"m=plus"),
            (b"m=%E4%BC%9A", b"m=%C3%A9%26%3D"),
            (b"m=", b"m=none"),
            (b"m", b"m=none"),
            (b"m=gone", b"m="),
            (b"%4D%5B%5D=gone", b"M%5B%5D="),
            (b"m=%61", b"m=%61"),
            (b"m=A+B", b"m=c+d"),
            (b"m=%FF", b"m=%FF"),
            (b"m=*", b"m=*"),
            (b"m=gone&m=x&m=gone", b"m=&m=x&m="),
        ):
            self.assertEqual(output(body, **MAPS), expected, body)

    def test_any_other(self) -> None:
        """A star matches any value, even one that is not UTF-8 or that is longer than any value in a table."""
        for body in (b"m=a", b"m=", b"m", b"m=%FF%00", b"m=" + b"x" * (MAX_VALUE + 1)):
            self.assertEqual(output(body, **ANY), b"m=o", body[:20])

    def test_joined(self) -> None:
        """The client's value is decoded and joined to the texts, which stand alone if the client sends none."""
        rules = {"p": {"$prepend": "a&b ", "$append": " é", "max_tokens": 4}}
        for body, expected in (
            (b"x=1", b"x=1&p=a%26b++%C3%A9"),
            (b"p=&x=1", b"p=a%26b++%C3%A9&x=1"),
            (b"P%5B%5D=%e4%bc%9a+c", b"p=a%26b+%E4%BC%9A+c+%C3%A9"),
            (b"p=one+two+three+four", b"p=a%26b+four+%C3%A9"),
        ):
            self.assertEqual(output(body, **rules), expected, body)
        for body in (b"p=%FF", b"p=a%00", b"p=1&p=2", b"p=" + b"x" * (MAX_VALUE + 1)):
            self.assertRaises(MalformedForm, output, body, **rules)

    def test_removed(self) -> None:
        """A field whose value has null in its table is removed, and counts as not sent."""
        rules = {"$map": {"l": {"auto": None, "zh-*": "zh", "": None}}, "$default": {"l": "en"}}
        for body, expected in (
            (b"l=AUTO&x=1", b"x=1&l=en"),
            (b"l", b"l=en"),
            (b"l=auto&l=fr", b"l=fr"),
            (b"l=Zh-%63n", b"l=zh"),
            (b"l=zh-%FF" + b"x" * MAX_VALUE, b"l=zh"),
            (b"l=aut%6f%00x", b"l=en"),
        ):
            self.assertEqual(output(body, **rules), expected, body)

    def test_renamed(self) -> None:
        """A field gets its new name and keeps the bytes of its value; two fields under one name are refused."""
        rules = {"$rename": {"lang": "language", "g": "granularities[]", "é": "ü&"}, "$map": {"language": {"a": "b"}}}
        for body, expected in (
            (b"lang=%65n&x=1", b"language=%65n&x=1"),
            (b"LANG%5B%5D=a", b"language%5B%5D=b"),
            (b"g=1&g%5B%5D=2", b"granularities%5B%5D=1&granularities%5B%5D=2"),
            (b"%C3%A9", b"%C3%BC%26="),
        ):
            self.assertEqual(output(body, **rules), expected, body)
        for body in (b"lang=1&language=1", b"lang=1&lang=1", b"language=1&x=1&Lang=1"):
            self.assertRaises(MalformedForm, output, body, **rules)

    def test_together(self) -> None:
        """Forced fields come first, then the client's after the tables, then defaults, also for emptied fields."""
        rules = {
            "f": 1,
            "r": None,
            "$map": {"m": {"a": "b"}, "d": {"none": "", "x": "never"}, "f": {"*": "never"}},
            "$default": {"d": {"value": "x", "when_empty": True}, "m": "never", "r": "never"},
        }
        self.assertEqual(output(b"x=1&m=a&F=2&r=3&d=none", **rules), b"f=1&x=1&m=b&d=x")

    def test_most(self) -> None:
        """Fields that the proxy adds do not count towards `MAX_PAIRS`."""
        self.assertEqual(output(b"&".join([b"m=a"] * MAX_PAIRS), **ANY, **EMPTY).count(b"&"), MAX_PAIRS)
        self.assertRaises(MalformedForm, output, b"&".join([b"m=a"] * (MAX_PAIRS + 1)), **ANY)


class QueryTests(SynchronousTestCase):
    """Tests for the query of a transcription request."""

    def test_stripped(self) -> None:
        """Forced, removed and mapped fields are removed, in any spelling; the other bytes do not change."""
        evaluation = Evaluation(rules_for(**{"f": 1, "r": None, **ANY, **DEFAULT}))
        for query, expected in (
            (b"", b""),
            (b"a=1", b"a=1"),
            (b"f=1&a=1", b"a=1"),
            (b"a=1&r", b"a=1"),
            (b"m=1", b""),
            (b"a=1&M%5B%5D=1&&b=%zz", b"a=1&&b=%zz"),
            (b"%6d=1&d=1&l=1&a", b"d=1&l=1&a"),
            (b"a=1;m=2&b=1", b"b=1"),
            (b"+m+=1&mm=1", b"mm=1"),
            (b"_charset_=x&a=m", b"a=m"),
            (b"m[]=1&[m]=1&a=f", b"a=f"),
        ):
            self.assertEqual(strip_query(evaluation, query), expected, query)

    def test_joined_and_renamed(self) -> None:
        """Joined fields, and the old names of renames, are removed too."""
        evaluation = Evaluation(rules_for(p={"$append": "x"}, **{"$rename": {"lang": "language"}}))
        self.assertEqual(strip_query(evaluation, b"p=1&LANG[]=1&language=1&a=1"), b"language=1&a=1")

    def test_refused(self) -> None:
        """A name with a control character is rejected."""
        evaluation = Evaluation(rules_for(**ANY))
        for query in (b"m%00=1", b"a=1&x;m%0a=1"):
            self.assertRaises(MalformedForm, strip_query, evaluation, query)

    def test_settles_nothing(self) -> None:
        """A default is written even if the query has the field: only the form counts."""
        evaluation = Evaluation(rules_for(**DEFAULT))
        strip_query(evaluation, b"d=1&l=2")
        self.assertEqual(rewrite(evaluation, b"o="), b"o=&d=x+y&l%5B%5D=1&l%5B%5D=2")


class PropertyTests(SynchronousTestCase):
    """Tests with any pairs and any configuration."""

    @settings(max_examples=200)
    @given(
        configurations(),
        st.lists(
            st.tuples(
                st.sampled_from(
                    (*COMMON, *(f"{name}[]" for name in (*COMMON, *OLD)), *map(str.upper, COMMON), *OLD, "naïve", "x")
                ),
                st.sampled_from((*WORDS, *ALIKE)) | st.text(st.characters(codec="utf-8"), max_size=3),
            ),
            max_size=6,
        ),
    )
    def test_rewritten(self, configuration: bytes, pairs: list[tuple[str, str]]) -> None:
        """The result has the forced fields, the client's after the tables, and the defaults."""
        sent = [Item(name, None, None, value.encode()) for name, value in pairs]
        evaluation = Evaluation(parse(configuration).base)
        try:
            expected = Oracle.of(configuration).items(sent)
        except RefusedError:
            self.assertRaises(MalformedForm, rewrite, evaluation, urlencode(pairs).encode())
            return
        found = rewrite(evaluation, urlencode(pairs).encode())
        read = [
            Item(name, None, None, value.encode()) for name, value in parse_qsl(found.decode(), keep_blank_values=True)
        ]
        self.assertEqual(read, expected)
