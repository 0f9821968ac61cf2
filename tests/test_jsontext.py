"""
Tests for :mod:`sttproxy.jsontext`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.jsontext import MAX_DEPTH, JSONError, Member, Number, Object, Places, Value, parse


def inside(value: Value) -> int:
    """The nesting depth of arrays and objects, along the first element of each."""
    data = value.data
    below = [member.value for member in data.members] if isinstance(data, Object) else data
    return 1 + inside(below[0]) if isinstance(below, list | tuple) else 0


class ValueTests(SynchronousTestCase):
    """Parsed values."""

    def test_values(self) -> None:
        """Each type of value is parsed correctly."""
        for text, data in (
            ("null", None),
            ("true", True),
            ("false", False),
            ('""', ""),
            ('"a"', "a"),
            (r'"\"\\\/\b\f\n\r\t\u0041\u4F1a"', '"\\/\b\f\n\r\tA会'),
            (r'"\ud83d\ude00"', "😀"),
            ('"😀\x7f\u2028"', "😀\x7f\u2028"),
            ("[]", ()),
            ("{}", Object(())),
            ("[ ]", ()),
            ("{\n}", Object(())),
        ):
            self.assertEqual(parse(text).data, data, text)

    def test_numbers(self) -> None:
        """A number keeps its literal."""
        for literal in ("0", "-0", "0.20", "1e5", "1E+05", "-12.50e-0", "9" * 6000, "1e999999"):
            self.assertEqual(parse(literal).data, Number(literal))
            self.assertEqual(parse(f"[{literal} ]").data, (Value(Number(literal), 1, 1 + len(literal)),))

    def test_spans(self) -> None:
        """Values and names have spans without the surrounding white space."""
        self.assertEqual(
            parse(' { "a" : [ 1, "é" ] } '),
            Value(
                Object((Member("a", 3, 6, Value((Value(Number("1"), 11, 12), Value("é", 14, 17)), 9, 19)),)),
                1,
                21,
            ),
        )

    def test_order(self) -> None:
        """Members keep their order."""
        root = parse('{"b": 1, "": 2, "a": 3}').data
        assert isinstance(root, Object)
        self.assertEqual([member.key for member in root.members], ["b", "", "a"])

    def test_same_name_elsewhere(self) -> None:
        """Two objects may have members of the same name."""
        root = parse('{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}').data
        assert isinstance(root, Object)
        self.assertEqual([member.key for member in root.members], ["a", "b"])

    def test_depth(self) -> None:
        """The deepest allowed nesting is accepted; one more level is rejected, with the offset of its bracket."""
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            deepest = opening * MAX_DEPTH + "1" + closing * MAX_DEPTH
            self.assertEqual(inside(parse(deepest)), MAX_DEPTH)
            error = self.assertRaises(JSONError, parse, opening + deepest + closing)
            self.assertEqual((error.at, str(MAX_DEPTH) in error.message), (len(opening) * MAX_DEPTH, True))
        self.assertRaises(JSONError, parse, "[" * 100_000)
        wide = parse("[" + "[1]," * 999 + "[]]").data
        assert isinstance(wide, tuple)
        self.assertEqual(len(wide), 1000)

    def test_long(self) -> None:
        """A string of a mebibyte takes one pass, with or without a closing quote."""
        long = "x\\n" * 350_000
        self.assertEqual(parse(f'"{long}"').data, "x\n" * 350_000)
        self.assertRaises(JSONError, parse, f'"{long}')


class RefusedTests(SynchronousTestCase):
    """Rejected texts, with the offsets of the errors."""

    def test_refused(self) -> None:
        """Each error has its message and its offset."""
        for text, message, at in (
            ("", "a value is missing", 0),
            ("  ", "a value is missing", 2),
            ("[1,", "a value is missing", 3),
            ('{"a":', "a value is missing", 5),
            ("x", "begins with 'x'", 0),
            ("[tru]", "begins with 't'", 1),
            ("True", "begins with 'T'", 0),
            ("NaN", "begins with 'N'", 0),
            ("Infinity", "begins with 'I'", 0),
            ("-Infinity", "begins with '-'", 0),
            ("-", "begins with '-'", 0),
            ("+1", "begins with '+'", 0),
            (".5", "begins with '.'", 0),
            ("\u0661", "begins with '\u0661'", 0),
            ("\ufeff1", "begins with", 0),
            ("\u00a01", "begins with", 0),
            ("\x0c1", "begins with", 0),
            ("'a'", "need double quotes, not single", 0),
            ("]", "begins with ']'", 0),
            ("[,1]", "begins with ','", 1),
            ("[1,,2]", "begins with ','", 3),
            ("01", "more text", 1),
            ("1.", "more text", 1),
            ("1e", "more text", 1),
            ("0x10", "more text", 1),
            ("1_000", "more text", 1),
            ("nullx", "more text", 4),
            ("{} {}", "more text", 3),
            ("1 // one", '"$comment" member', 2),
            ("# one", '"$comment" member', 0),
            ("[1, /* two */ 2]", '"$comment" member', 4),
            ('{"a": 1, // b', '"$comment" member', 9),
            ('{"a" /**/: 1}', '"$comment" member', 5),
            ("{'a': 1}", "need double quotes, not single", 1),
            ('{“a": 1}', "write '\"'", 1),
            ("{„a“: 1}", "write '\"'", 1),
            ("[«a»]", "write '\"'", 1),
            ('{"a"：1}', "write ':'", 4),
            ('{"a": 1，"b": 2}', "write ','", 7),
            ("｛}", "write '{'", 0),
            ('{"a": 1｝', "write '}'", 7),
            ("[1】", "write ']'", 2),
            ("[1 2]", "comma or the closing ']'", 3),
            ("[1.]", "comma or the closing ']'", 2),
            ("[1", "comma or the closing ']'", 2),
            ("[1}", "comma or the closing ']'", 2),
            ('{"a": 1', "comma or the closing '}'", 7),
            ('{"a": 1]', "comma or the closing '}'", 7),
            ('{"a": 1 "b": 2}', "comma or the closing '}'", 8),
            ("[1, ]", "comma after the last", 2),
            ('{"a": 1 , }', "comma after the last", 8),
            ("{a: 1}", "name, in double quotes", 1),
            ("{1: 1}", "name, in double quotes", 1),
            ("{,}", "name, in double quotes", 1),
            ("{", "name, in double quotes", 1),
            ('{"a": 1,, "b": 2}', "name, in double quotes", 8),
            ('{"a"}', "colon is missing after 'a'", 4),
            ('{"a" 1}', "colon is missing after 'a'", 5),
            ('{"a", 1}', "colon is missing after 'a'", 4),
            ('{"a": 1, "b": 2, "a": 3}', "'a' appears twice", 17),
            (r'{"a": 1, "\u0061": 2}', "'a' appears twice", 9),
            ('"a', "no closing quote", 0),
            ('["a]', "no closing quote", 1),
            ('"a\n"', "raw line break", 0),
            ('"\x1f"', "control character", 0),
            ('"\\', "no closing quote", 0),
            ('"\\"', "no closing quote", 0),
            ('"\\\n"', "raw line break", 0),
            (r'"\x41"', "escape", 0),
            (r'"\u12g4"', "escape", 0),
            (r'"\u 123"', "escape", 0),
            (r'"\u+123"', "escape", 0),
            (r'"\u0x12"', "escape", 0),
            (r'[1, "\U0041"]', "escape", 4),
            (r'"\ud83d"', "surrogate", 0),
            (r'"\ude00\ud83d"', "surrogate", 0),
            (r'{"\udfff": 1}', "surrogate", 1),
        ):
            error = self.assertRaises(JSONError, parse, text)
            self.assertIn(message, error.message, text)
            self.assertEqual(error.at, at, (text, error.message))
            self.assertEqual(str(error), error.message)


class PlaceTests(SynchronousTestCase):
    """Lines and columns."""

    def test_places(self) -> None:
        """Both are counted from 1; a line ends after its line feed, with or without a carriage return before it."""
        text = "ab\n\nc\r\nd"
        places = [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2), (3, 3), (4, 1), (4, 2)]
        self.assertEqual([Places(text).of(at) for at in range(len(text) + 1)], places)
        self.assertEqual(Places("").of(0), (1, 1))

    def test_characters(self) -> None:
        """A column counts characters, not bytes."""
        self.assertEqual(Places('{"会议": 😀x}').of(8), (1, 9))

    @given(st.text("a\n\r", max_size=30))
    def test_against_lines(self, text: str) -> None:
        """The places agree with those that splitting the text into lines gives."""
        lines = text.split("\n")
        for at in range(len(text)):
            line, column = Places(text).of(at)
            self.assertEqual((lines[line - 1] + "\n")[column - 1], text[at])
