"""
Tests for :mod:`sttproxy.config`: values, unusable files, and what differs between two configurations.
"""

from __future__ import annotations

import hashlib

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import MAX_BYTES, Config, Field, parse
from sttproxy.errors import ConfigError

#: The text of a configuration, and the form parts that it forces.
VALUES: tuple[tuple[str, list[tuple[str, str]]], ...] = (
    ("{}", []),
    (" \t\r\n{ } \n", []),
    ('{"language": "zh"}', [("language", "zh")]),
    ('{"prompt": ""}', [("prompt", "")]),
    ('{"prompt": "以下是普通话的会议记录。"}', [("prompt", "以下是普通话的会议记录。")]),
    (r'{"prompt": "a\"b\\c\r\nd\te\u4f1a\ud83d\ude00"}', [("prompt", 'a"b\\c\r\nd\te会😀')]),
    (r'{"prompt": "\u0001\u007f\u0085"}', [("prompt", "\x01\x7f\x85")]),
    ('{"temperature": 0}', [("temperature", "0")]),
    ('{"temperature": 0.20}', [("temperature", "0.20")]),
    ('{"temperature": -1.5E+3}', [("temperature", "-1.5E+3")]),
    ('{"seed": 123456789012345678901234567890}', [("seed", "123456789012345678901234567890")]),
    ('{"stream": true}', [("stream", "true")]),
    ('{"stream": false}', [("stream", "false")]),
    ('{"prompt": null}', []),
    ('{"g": ["word", "segment"]}', [("g[]", "word"), ("g[]", "segment")]),
    ('{"g[]": ["word"]}', [("g[]", "word")]),
    ('{"g[]": "word"}', [("g[]", "word")]),
    ('{"g": []}', []),
    ('{"g": ["a", 1, 0.50, true, false, ""]}', [("g[]", x) for x in ("a", "1", "0.50", "true", "false", "")]),
    ('{"v": {"type": "server_vad", "threshold": 0.50}}', [("v[type]", "server_vad"), ("v[threshold]", "0.50")]),
    ('{"v": {}}', []),
    ('{"b": "1", "a": "2"}', [("b", "1"), ("a", "2")]),
    (
        '{"vad_config.threshold": 1, "naïve": "x", "名": "y"}',
        [("vad_config.threshold", "1"), ("naïve", "x"), ("名", "y")],
    ),
    ('{"a,b:d\'e": "x"}', [("a,b:d'e", "x")]),
)

#: The text of a configuration that is refused, a part of the message, and the line and the column.
REFUSED: tuple[tuple[str | bytes, str, int, int], ...] = (
    ("", "the file is empty", 1, 1),
    (" \n", "the file is empty", 1, 1),
    ("{\\rtf1\\ansi}", "this is RTF", 1, 1),
    ("language: zh\nprompt: x\n", "this is YAML", 1, 1),
    ("---\nlanguage: zh\n", "this is YAML", 1, 1),
    ("# comment\n\nlanguage:\n", "this is YAML", 1, 1),
    ("// comment\n{}", '"$comment" member', 1, 1),
    ("[]", "JSON object", 1, 1),
    ('\n "language"', "JSON object", 2, 2),
    ("null", "JSON object", 1, 1),
    ("12", "JSON object", 1, 1),
    ('{"language": "zh"', "closing '}'", 1, 18),
    ('{"language": "zh",}', "comma after the last", 1, 18),
    ('{"language": zh}', "begins with 'z'", 1, 14),
    ('{\n  "language": "zh"\n  "prompt": ""\n}', "comma", 3, 3),
    ("{'language': 'zh'}", "double quotes", 1, 2),
    ('{"temperature": NaN}', "begins with 'N'", 1, 17),
    ('{"temperature": .2}', "begins with '.'", 1, 17),
    ('{"language": "zh"} {}', "after the end", 1, 20),
    ('// zh\n{"language": "zh"}', '"$comment" member', 1, 1),
    ('{"language": "zh", "language": "en"}', "'language' appears twice", 1, 20),
    ('{\r\n"language": "zh",\r\n"Language[]": "en"}', "'Language[]' and 'language' are the same field", 3, 1),
    ('{"v": {"a": 1,\n "a": 2}}', "'a' appears twice", 2, 2),
    ('{"": "x"}', "must not be empty", 1, 2),
    ('{"[]": "x"}', "must not be empty", 1, 2),
    ('{"file": "x"}', "'file' is the recording", 1, 2),
    ('{"a": 1, "FILE[]": null}', "'file' is the recording", 1, 10),
    ('{"ﬁle": "x"}', "'file' is the recording", 1, 2),
    ('{"$schemas": "x"}', "did you mean $schema?", 1, 2),
    ('{"v": {"$a": "x"}}', "'$'", 1, 8),
    ('{"a\\"b": "x"}', "must not hold quotes", 1, 2),
    ('{"a\\\\b": "x"}', "must not hold quotes", 1, 2),
    ('{"a%b": "x"}', "must not hold quotes", 1, 2),
    ('{"a;b": "x"}', "must not hold quotes", 1, 2),
    ('{"a=b": "x"}', "must not hold quotes", 1, 2),
    ('{"a\\r\\nb": "x"}', "must not hold quotes", 1, 2),
    ('{"a\\u0000": "x"}', "must not hold quotes", 1, 2),
    ('{"a\\u007f": "x"}', "must not hold quotes", 1, 2),
    ('{"a\\u2028b": "x"}', "must not hold quotes", 1, 2),
    ('{" a": "x"}', "must not hold quotes", 1, 2),
    ('{"a\\t": "x"}', "must not hold quotes", 1, 2),
    ('{"v": {"a\\nb": 1}}', "must not hold quotes", 1, 8),
    ('{"v": {"": 1}}', "must not be empty", 1, 8),
    ('{"prompt":\n "a\\u0000b"}', "NUL", 2, 2),
    ('{"g": ["a",\n"\\u0000"]}', "NUL", 2, 1),
    ('{"v": {"a": "\\u0000"}}', "NUL", 1, 13),
    ('{"g": ["a", null]}', "'g' may contain only", 1, 13),
    ('{"g": ["a", ["b"]]}', "'g' may contain only", 1, 13),
    ('{"g": [{"a": 1}]}', "'g' may contain only", 1, 8),
    ('{"v": {"a": null}}', "'v' may contain only", 1, 13),
    ('{"v": {"a": {"b": 1}}}', "'v' may contain only", 1, 13),
    ('{"v": {"a": [1]}}', "'v' may contain only", 1, 13),
    ('{"prompt": "a\nb"}', "raw line break", 1, 12),
    ('{"prompt": "\\x41"}', "escape", 1, 12),
    ('{"prompt": "\\ud800"}', "surrogate", 1, 12),
    (b'{"prompt":\n "a\xffb"}', "not UTF-8", 2, 4),
    (b"\xef\xbb\xbf\n{x", "double quotes", 2, 2),
    (b"\xef\xbb\xbf\xff", "not UTF-8", 1, 1),
    (b"\xed\xa0\x80", "not UTF-8", 1, 1),
    ("\ufeff\ufeff{}", "begins with", 1, 1),
)


def parts(config: Config) -> list[tuple[str, str]]:
    """The parts that a configuration forces, in its order."""
    return [part for field in config.base.forced for part in field.parts]


class ParseTests(SynchronousTestCase):
    """A file becomes a configuration."""

    def test_values(self) -> None:
        """Each type of value becomes its form fields."""
        for text, expected in VALUES:
            self.assertEqual(parts(parse(text.encode())), expected, text)

    def test_removed(self) -> None:
        """A null, an empty list and an empty object make a rule that adds no form field."""
        config = parse(b'{"prompt": null, "g": [], "v": {}}')
        self.assertEqual(
            [(field.name, field.parts) for field in config.base.forced], [("prompt", ()), ("g", ()), ("v", ())]
        )

    def test_folded(self) -> None:
        """Fields are found by their folded names and keep the spelling of the file."""
        config = parse('{"Prompt": "x", "ｔemperature[]": [1]}'.encode())
        self.assertEqual(
            config.base.forced_by_name,
            {
                "prompt": Field("Prompt", (("Prompt", "x"),), '"x"'),
                "temperature": Field("ｔemperature[]", (("ｔemperature[]", "1"),), "[1]"),
            },
        )

    def test_json(self) -> None:
        """In a JSON body single values are spelled as in the file; null has no value there."""
        text = '{"a": 0.20, "b" :["x", 1 ], "c": {"k":\n true}, "d": "\\u4f1a", "e": null, "f": []}'
        values = {field.name: field.json for field in parse(text.encode()).base.forced}
        self.assertEqual(
            values,
            {"a": "0.20", "b": '["x", 1]', "c": '{"k": true}', "d": '"\\u4f1a"', "e": None, "f": "[]"},
        )

    def test_byte_order_mark(self) -> None:
        """A byte order mark, as Windows editors write it, is not part of the text."""
        self.assertEqual(parts(parse(b'\xef\xbb\xbf{"a": "b"}')), [("a", "b")])

    def test_digest(self) -> None:
        """The digest is of all bytes of the file."""
        for data in (b"{}", b"{}\n", b"\xef\xbb\xbf{}", b'{"a": "b"}'):
            self.assertEqual(parse(data).digest, hashlib.sha256(data).hexdigest()[:16])

    def test_frozen(self) -> None:
        """A configuration and its parts are frozen, so they cannot change while a request uses them."""
        config = parse(b'{"a": "b"}')
        with self.assertRaises(attrs.exceptions.FrozenInstanceError):
            config.digest = ""  # type: ignore[misc]
        with self.assertRaises(attrs.exceptions.FrozenInstanceError):
            config.base.forced[0].parts = ()  # type: ignore[misc]

    def test_identity(self) -> None:
        """Two readings of the same bytes give two different configurations, each with its own entry in a cache."""
        one, other = parse(b"{}"), parse(b"{}")
        self.assertNotEqual(one, other)
        self.assertEqual({one: 1, other: 2}[one], 1)

    def test_empty(self) -> None:
        """A configuration without a file has no rules."""
        self.assertEqual((Config().base.forced, Config().digest), ((), ""))


class RefusedTests(SynchronousTestCase):
    """The error about an unusable file says what is wrong, and where."""

    def test_refused(self) -> None:
        """Each error has a message, a line and a column; both are counted from 1."""
        for source, message, line, column in REFUSED:
            data = source if isinstance(source, bytes) else source.encode()
            error = self.assertRaises(ConfigError, parse, data)
            finding = error.findings[0]
            self.assertIn(message, finding.message, source)
            self.assertEqual((finding.line, finding.column), (line, column), (source, finding))
            self.assertTrue(str(error).startswith(f"stt_config.json:{line}:{column}: "), str(error))

    def test_other_encodings(self) -> None:
        """The message names UTF-16 and UTF-32, which Windows editors may save."""
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
            error = self.assertRaises(ConfigError, parse, '{"language": "zh"}'.encode(encoding))
            self.assertEqual(
                [finding.message for finding in error.findings], ["the file is UTF-16 or UTF-32; save it as UTF-8"]
            )

    def test_many(self) -> None:
        """The first hundred errors or warnings are reported, with the number of the others."""
        for name, value, what in (("$x", "1", "errors"), ("x", "1", "warnings")):
            text = "{" + ",\n".join(f'"{name}{number}": {value}' for number in range(250)) + "}"
            try:
                found = parse(text.encode()).warnings
            except ConfigError as error:
                found = tuple(error.findings)
            self.assertEqual([finding.line for finding in found], [*range(1, 101), 0])
            self.assertEqual(found[-1].message, f"and 150 more {what}")

    def test_comments(self) -> None:
        """Members named $comment are ignored at any place, with any value."""
        text = (
            '{"$comment": "a", "o": {"k": 1, "$comment": 2}, "p": {"$file": "f", "$comment": []},'
            ' "$default": {"$comment": {"x": null}, "d": {"value": 1, "$comment": "b"}},'
            ' "$map": {"$comment": 1, "m": {"$comment": 2, "a": "b"}},'
            ' "$profiles": {"$comment": "c", "q": {"$comment": 3, "$unset": ["o"]}}}'
        )
        config = parse(text.encode(), read=lambda _: b"text")
        self.assertEqual(config.base.spellings(), ["o", "p", "m", "d"])
        self.assertEqual([*config.base.maps[0].table], ["a"])
        self.assertEqual([*config.profiles], ["q"])

    def test_size(self) -> None:
        """A file of exactly the limit is read; a file of one more byte is refused."""
        self.assertEqual(parse(b"{}".ljust(MAX_BYTES)).base.forced, ())
        error = self.assertRaises(ConfigError, parse, b"{}".ljust(MAX_BYTES + 1))
        self.assertIn(str(MAX_BYTES), str(error))
        self.assertEqual(error.findings[0].line, 0)

    def test_one_line(self) -> None:
        """The message is one line for the log, for any content of the file."""
        for source, *_ in REFUSED:
            data = source if isinstance(source, bytes) else source.encode()
            error = self.assertRaises(ConfigError, parse, data)
            self.assertEqual(len(str(error).splitlines()), len(error.findings), str(error))

    @given(st.binary(max_size=40) | st.text('{}[]":,\\ untrefals01"\n', max_size=30).map(str.encode))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes give either a configuration or a ConfigError."""
        try:
            parse(data)
        except ConfigError as error:
            self.assertTrue(error.findings)


class ChangesTests(SynchronousTestCase):
    """The names of the fields that differ between two configurations."""

    def test_changes(self) -> None:
        """Added, removed and changed fields are named in order, without values."""
        for old, new, names in (
            ("{}", "{}", []),
            ('{"a": "1"}', '{ "a":"1" }', []),
            ('{"a": "1", "b": "2"}', '{"b": "2", "a": "1"}', []),
            ("{}", '{"b": "1", "a": "2"}', ["a", "b"]),
            ('{"b": "1", "a": "2"}', "{}", ["a", "b"]),
            ('{"a": "1", "b": "2", "c": "3"}', '{"a": "1", "b": "x", "d": "4"}', ["b", "c", "d"]),
            ('{"a": 0.2}', '{"a": 0.20}', ["a"]),
            ('{"a": "true"}', '{"a": true}', ["a"]),
            ('{"a": null}', "{}", ["a"]),
            ("{}", '{"a": null}', ["a"]),
            ('{"a": null}', '{"a": []}', ["a"]),
            ('{"a": ""}', '{"a": null}', ["a"]),
            ('{"a": ["x"]}', '{"a": "x"}', ["a"]),
            ('{"a": ["x", "y"]}', '{"a": ["y", "x"]}', ["a"]),
            ('{"A": "x"}', '{"a": "x"}', ["a"]),
        ):
            self.assertEqual(parse(old.encode()).changes(parse(new.encode())), names, f"{old} to {new}")
