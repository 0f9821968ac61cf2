"""
Tests for :mod:`sttproxy.forms.json`: defaults, tables of values, and streaming.  :mod:`tests.vectors` covers
accepted and rejected bodies.
"""

from __future__ import annotations

import json
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import MAX_VALUE, Rules, fold, parse
from sttproxy.errors import BodyTooLarge, MalformedForm
from sttproxy.forms.evaluation import Evaluation
from sttproxy.forms.json import MAX_MEMBERS, JSONRewriter
from sttproxy.forms.multipart import MAX_DROPPED

from .oracle import Oracle, RefusedError, joined_text, key_of
from .rewriting import Item, rewrite_json, rules_for
from .strategies import ALIKE, COMMON, OLD, WORDS, configurations

MAPS = {"$map": {"m": {"a": "b", "0.20": 1, "true": False, "": "none", "n": 2.50, "gone": ""}}}
ANY = {"$map": {"m": {"*": 7}}}
DEFAULT = {"$default": {"d": 0.5, "l[]": ["a", 1], "o": {"k": True}}}
EMPTY = {"$default": {"d": {"value": "x", "when_empty": True}}}


def output(body: str, **fields: Any) -> str:
    """Rewrite a body with and without a length, and with several cuts; the result must always be the same."""
    return left_for(rules_for(**fields), body.encode()).decode()


def left_for(rules: Rules, body: bytes) -> bytes:
    """The same for given rules and bytes."""
    whole = rewrite_json(rules, body)
    assert rewrite_json(rules, body, step=4096) == whole, "the result depends on the cuts"
    assert len(body) > 10_000 or rewrite_json(rules, body, step=1) == whole, "it differs byte by byte"
    padded = rewrite_json(rules, body, counted=True)
    assert padded.rstrip(b" ") == whole, "the result differs when the body has a length"
    return whole


class TableTests(SynchronousTestCase):
    """Tests for the exact bytes of the result."""

    def test_defaults(self) -> None:
        """Defaults for missing members come last, with their types; a member that is null is not missing."""
        for body, expected in (
            ("{}", '{"d":0.5,"l":["a", 1],"o":{"k": true}}'),
            ('{"x": 1.0}', '{"x":1.0,"d":0.5,"l":["a", 1],"o":{"k": true}}'),
            ('{"d": 1, "L": [], "o": null}', '{"d":1,"L":[],"o":null}'),
            ('{"D[]": "", "o": {}}', '{"D[]":"","o":{},"l":["a", 1]}'),
        ):
            self.assertEqual(output(body, **DEFAULT), expected, body)

    def test_when_empty(self) -> None:
        """With ``when_empty`` a default replaces null and the empty string, and nothing else."""
        for body, expected in (
            ('{"d": null, "x": 1}', '{"x":1,"d":"x"}'),
            ('{"d": "", "x": 1}', '{"x":1,"d":"x"}'),
            ('{"d": "\\u0000"}', '{"d":"\\u0000"}'),
            ('{"d": 0}', '{"d":0}'),
            ('{"d": false}', '{"d":false}'),
            ('{"d": []}', '{"d":[]}'),
            ('{"d": {}}', '{"d":{}}'),
            ('{"d": " "}', '{"d":" "}'),
            ('{"d": "null"}', '{"d":"null"}'),
            ('{"d": null, "D": "y"}', '{"D":"y"}'),
        ):
            self.assertEqual(output(body, **EMPTY), expected, body)

    def test_maps(self) -> None:
        """A value is compared as form text; its replacement has the type of the configuration; other values pass."""
        for value, expected in (
            ('"a"', ':"b"'),
            ('"\\u0061"', ':"b"'),
            ("0.20", ":1"),
            ('"0.20"', ":1"),
            ("0.2", ":0.2"),
            ("true", ":false"),
            ('"true"', ":false"),
            ("false", ":false"),
            ('""', ':"none"'),
            ("null", ':"none"'),
            ('"n"', ":2.5"),
            ('"gone"', ':""'),
            ('"A"', ':"b"'),
            ('["a"]', ':["a"]'),
            ('{"a": 1}', ':{"a": 1}'),
            ('"\\ud800"', ':"\\ud800"'),
            ('"*"', ':"*"'),
        ):
            self.assertEqual(output(f'{{"x": 1, "m": {value}}}', **MAPS), f'{{"x":1,"m"{expected}}}', value)
            self.assertEqual(output(f'{{"M[]": {value}}}', **MAPS), f'{{"M[]"{expected}}}', value)

    def test_any_other(self) -> None:
        """A star matches any value of any type and length."""
        long = json.dumps("x" * (MAX_VALUE + 1))
        for value in ('"a"', "null", "[1]", '{"a": {}}', "1e9", '"\\ud800"', long, '"*"'):
            self.assertEqual(output(f'{{"m": {value}}}', **ANY), '{"m":7}', value[:20])

    def test_longest(self) -> None:
        """The longest value that a table can contain is matched; a longer one passes."""
        longest = "x" * MAX_VALUE
        for value, expected in (
            (longest, ':"y"'),
            (longest + "x", f':"{longest}x"'),
            (longest[1:], f':"{longest[1:]}"'),
        ):
            fields = {"$map": {"m": {longest: "y"}}}
            self.assertEqual(output(f'{{"m": "{value}"}}', **fields), f'{{"m"{expected}}}', len(value))

    def test_joined(self) -> None:
        """A scalar is joined as text to the configured texts, which stand alone for a missing member and for null."""
        rules = {"p": {"$prepend": 'a"b ', "$append": "\n会", "max_tokens": 4}}
        for body, text in (
            ("{}", ""),
            ('{"p": null}', ""),
            ('{"P[]": ""}', ""),
            ('{"p": "c"}', "c"),
            ('{"p": "\\u4f1a\\ud83d\\ude00"}', "会😀"),
            ('{"p": 0.50}', "0.50"),
            ('{"p": true}', "true"),
            ('{"p": "one two three four"}', "four"),
        ):
            self.assertEqual(json.loads(output(body, **rules)), {"p": f'a"b {text}\n会'}, body)
        for refused in ('["a"]', '{"a": 1}', '"\\ud800"', '"\\u0000"', '"%s"' % ("x" * (MAX_VALUE + 1))):
            self.assertRaises(MalformedForm, output, f'{{"p": {refused}}}', **rules)
        self.assertRaises(MalformedForm, output, '{"p": "a", "P": "b"}', **rules)
        self.assertEqual(output('{"x":1,"p":"c"}', f=1, p={"$prepend": ""}), '{"f":1,"x":1,"p":"c"}')

    def test_removed(self) -> None:
        """A member whose value has null in its table is removed, and counts as not sent."""
        rules = {"$map": {"l": {"auto": None, "zh-*": "zh", "": None}}, "$default": {"l": "en"}}
        for value, expected in (
            ('"AUTO"', '{"l":"en"}'),
            ("null", '{"l":"en"}'),
            ('"ZH-cn"', '{"l":"zh"}'),
            ('"zh\\u002dcn"', '{"l":"zh"}'),
            ('"zh-%s"' % ("会" * MAX_VALUE * 3), '{"l":"zh"}'),
            ('"zh-%s\\""' % ("\\\\" * MAX_VALUE * 6), '{"l":"zh"}'),
            ('["auto"]', '{"l":["auto"]}'),
        ):
            self.assertEqual(output(f'{{"l": {value}}}', **rules), expected, value[:20])
        self.assertEqual(output('{"l": ["a"], "x": 1}', **{"$map": {"l": {"*": None}}}), '{"x":1}')

    def test_renamed(self) -> None:
        """A member gets its new name, without brackets; two members under one name are refused."""
        rules = {
            "$rename": {"lang": "language", "g": "granularities[]", "é": "ü\u4f1a"},
            "$map": {"language": {"a": 1}},
        }
        for body, expected in (
            ('{"lang": "en", "x": 1}', '{"language":"en","x":1}'),
            ('{"x": 1, "LANG": "a"}', '{"x":1,"language":1}'),
            ('{"\\u006cang": ["en"]}', '{"language":["en"]}'),
            ('{"g": ["word"]}', '{"granularities":["word"]}'),
            ('{"g[]": ["word"]}', '{"granularities":["word"]}'),
            ('{"é": 1}', '{"ü会":1}'),
            ('{"lang": "a"}', '{"language":1}'),
        ):
            self.assertEqual(output(body, **rules), expected, body)
        self.assertEqual(output('{"lang": "en"}', f=1, **rules), '{"f":1,"language":"en"}')
        for names in (("lang", "language"), ("language", "LANG"), ("lang", "lang[]"), ("g", "Granularities")):
            body = json.dumps(dict.fromkeys(names, 1))
            error = self.assertRaises(MalformedForm, output, body, **rules)
            self.assertIn("would both be sent as", error.message)

    def test_together(self) -> None:
        """Forced members come first, then the client's after the tables, then defaults, also for emptied members."""
        rules = {
            "f": 1,
            "r": None,
            "$map": {"m": {"a": "b"}, "d": {"none": "", "x": "never"}, "f": {"*": "never"}},
            "$default": {"d": {"value": "x", "when_empty": True}, "m": "never", "r": "never"},
        }
        expected = '{"f":1,"x":1,"m":"b","d":"x"}'
        self.assertEqual(output('{"x": 1, "m": "a", "F": 2, "r": 3, "d": "none"}', **rules), expected)

    def test_repeated(self) -> None:
        """A repeated member is rejected; if a name comes in two spellings, both members are mapped."""
        self.assertRaises(MalformedForm, output, '{"m": "a", "m": "a"}', **MAPS)
        self.assertEqual(output('{"m": "a", "M": "a"}', **MAPS), '{"m":"b","M":"b"}')

    def test_most(self) -> None:
        """Members that the proxy adds do not count towards `MAX_MEMBERS`."""
        body = json.dumps({f"x{number}": 1 for number in range(MAX_MEMBERS)})
        self.assertEqual(len(json.loads(output(body, **DEFAULT))), MAX_MEMBERS + 3)


class StreamTests(SynchronousTestCase):
    """Tests for buffering, and for rejections during the stream."""

    def feed(self, *pieces: bytes, length: int | None = None, **fields: Any) -> list[bytes]:
        """The output for each piece."""
        rewriter = JSONRewriter(Evaluation(rules_for(**fields)), length)
        return [b"".join(rewriter.feed(piece)) for piece in pieces]

    def test_passes_as_it_comes(self) -> None:
        """A long value is sent on piece by piece, at any depth, unless it is dropped."""
        piece = b"UklG" * 10_000
        for member in (b"x", b"m"):
            for opening in (b'"', b'{"data": "', b'[["", "'):
                out = self.feed(b'{"%b":%b' % (member, opening), piece, piece, m=1)[1:]
                self.assertEqual(out, [piece, piece] if member == b"x" else [b"", b""])

    def test_holds_back(self) -> None:
        """An incomplete name, number or escape is buffered, and so is a value that a table may contain."""
        for beginning, held, rest in (
            (b"{", b'"na', b'me":1'),
            (b'{"n":', b"12", b".5e3 "),
            (b'{"n":', b"tr", b"ue}"),
            (b'{"n":"a', b"\\u00", b'41"'),
            (b'{"n":[', b"-", b"1,"),
            (b'{"n":{', b'"a\\', b'n":1}'),
        ):
            first, second, third = self.feed(beginning, held, rest)
            self.assertEqual((first + second + third).count(held), 1, held)
            self.assertNotIn(held, first + second)
        self.assertEqual(self.feed(b'{"m":"', b"a", b'b"', **MAPS), [b"{", b"", b'"m":"ab"'])
        long = b"x" * 6 * MAX_VALUE
        self.assertEqual(self.feed(b'{"m":"', long, b"yy", **MAPS), [b"{", b"", b'"m":"' + long + b"yy"])

    def test_escaped(self) -> None:
        """The longest value of a table is matched even if each of its characters is escaped."""
        escaped = b"\\u0061" * MAX_VALUE
        fields = {"$map": {"m": {"a" * MAX_VALUE: "b"}}}
        self.assertEqual(left_for(rules_for(**fields), b'{"m":"%b"}' % escaped), b'{"m":"b"}')

    def test_dropped(self) -> None:
        """A body from which more than `MAX_DROPPED` bytes would be dropped is rejected."""
        most = b'{"f": "%b"}' % (b"x" * (MAX_DROPPED - 16))
        self.assertEqual(left_for(rules_for(f=1), most), b'{"f":1}')
        error = self.assertRaises(MalformedForm, left_for, rules_for(f=1), most.replace(b"x", b"xx"))
        self.assertIn("leave out the members", error.message)

    def test_no_room(self) -> None:
        """With a promised length, a longer replacement is rejected for the second spelling of one name."""
        fields = {"$map": {"m": {"a": "long" * 30}}}
        body = b'{"m":"a","M":"a"}'
        whole = rewrite_json(rules_for(**fields), body)
        self.assertEqual(whole.count(b"long"), 60)
        error = self.assertRaises(MalformedForm, rewrite_json, rules_for(**fields), body, counted=True)
        self.assertIn("'M' leaves no room", error.message)

    def test_too_large(self) -> None:
        """A body over the limit is rejected at once: by its announced length, or when the bytes exceed the limit."""
        evaluation = Evaluation(rules_for())
        self.assertRaises(BodyTooLarge, JSONRewriter, evaluation, 11, 10)
        rewriter = JSONRewriter(evaluation, None, 10)
        self.assertEqual(rewriter.feed(b'{"a":"bcd'), [b"{", b'"a":', b'"bcd'])
        self.assertRaises(BodyTooLarge, rewriter.feed, b'e"')

    def test_places(self) -> None:
        """An error names the byte, counted from 1 in the original body, and what is wrong there."""
        for body, byte, words in (
            (b"", 1, "ends before the object is complete"),
            (b'{"a": 1', 7, "ends before the object is complete"),
            (b'{"a": [1, 2}', 12, "comma or the closing ']'"),
            (b'{"a": 01}', 7, "'01' is not a JSON value"),
            (b'{"a": }', 7, "a value is missing before '}'"),
            (b'{"a": 1,}', 9, "comma after the last member"),
            (b'{"a" 1}', 6, "a colon is missing after 'a'"),
            (b'{"a": {"b" 1}}', 12, "a colon is missing"),
            (b'{"a": 1} x', 10, "more text after the end"),
            (b'{"a": "\x01"}', 8, "raw line break or control character"),
            (b'{"a": "\\x"}', 8, "an invalid escape"),
            (b"[]", 1, "must be a JSON object"),
        ):
            for step in (None, 1, 3):
                error = self.assertRaises(MalformedForm, rewrite_json, rules_for(f=1), body, step)
                self.assertIn(words, error.message, body)
                if not (step and b"1, 2" not in body and "ends before" in words):
                    self.assertIn(f"byte {byte}:", error.message, (body, step))


@attrs.frozen
class Number:
    """A number with its source text."""

    text: str


def read(text: str) -> Any:
    """Parse JSON: objects become lists of pairs, numbers keep their source text."""
    return json.loads(text, object_pairs_hook=list, parse_int=Number, parse_float=Number)


def compared(value: Any) -> str | None:
    """The text that a table compares for a value; None for a value that only a star can match."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value if isinstance(value, str) else None


def configured(name: str, value: Any) -> Any:
    """A configured value as it is written into an object."""
    return [value] if fold(name) == "timestamp_granularities" and not isinstance(value, list) else value


def expected(configuration: bytes, body: str) -> list[tuple[str, Any]]:
    """
    The expected members, computed from the texts alone.

    :raises RefusedError: when the body must be refused.
    """
    oracle = Oracle.of(configuration)
    rules = dict(read(configuration.decode()))
    defaults = {fold(name): (name, value) for name, value in rules.pop("$default", [])}
    maps = {fold(name): dict(table) for name, table in rules.pop("$map", [])}
    rules.pop("$rename", None)
    joined = {fold(name): (name, value) for name, value in oracle.joined.items()}
    forced = {fold(name) for name in rules if name not in oracle.joined}
    members = [
        (name, configured(name, value)) for name, value in rules.items() if fold(name) in forced and value is not None
    ]
    there = set()
    sent = [Item(name, None, None, b"") for name, _ in read(body)]
    for (old, value), item in zip(read(body), oracle.renamed(sent, lists=False), strict=True):
        name = old if item.name == old else item.name.removesuffix("[]")
        key, text = fold(name), compared(value)
        if key in forced:
            continue
        if key in joined:
            if text is None or key in there:
                raise RefusedError
            there.add(key)
            name, rule = joined[key]
            members.append((name, joined_text(rule, text.encode("utf-8", "surrogatepass"))))
            continue
        table, default = maps.get(key, {}), defaults.get(key, ("", None))[1]
        found = "*" if text is None else key_of(table, text.encode("utf-8", "surrogatepass"))
        if found in table:
            value = table[found]
            if value is None:
                continue
        long = dict(default) if isinstance(default, list) and default and isinstance(default[0], tuple) else {}
        if long.get("when_empty") and "value" in long and value in (None, ""):
            continue
        there.add(key)
        members.append((name, value))
    members += [(name, joined_text(rule, b"")) for key, (name, rule) in joined.items() if key not in there]
    for key, (name, default) in defaults.items():
        if key not in there and key not in forced and key not in joined:
            long = dict(default) if isinstance(default, list) and default and isinstance(default[0], tuple) else {}
            members.append((name, configured(name, long.get("value", default))))
    return members


class PropertyTests(SynchronousTestCase):
    """Tests with any object and any configuration."""

    @settings(max_examples=200)
    @given(
        configurations(),
        st.dictionaries(
            st.sampled_from((*COMMON, *map(str.upper, COMMON), *OLD, "naïve", "x", "other")),
            st.sampled_from((*WORDS, *ALIKE))
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
        """The result has the forced members, the client's after the tables, and the defaults, with their types."""
        body = json.dumps(members, ensure_ascii=escaped)
        rules = parse(configuration).base
        try:
            meant = expected(configuration, body)
        except RefusedError:
            self.assertRaises(MalformedForm, left_for, rules, body.encode())
        else:
            self.assertEqual(read(left_for(rules, body.encode()).decode()), meant)
