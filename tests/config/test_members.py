"""
Tests for :mod:`sttproxy.config.members`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import jsontext
from sttproxy.config import MAX_VALUE, REMOVED
from sttproxy.config.files import Files
from sttproxy.config.members import Members, within


class MembersTestCase(SynchronousTestCase):
    """Tests of the readers with one member each."""

    def read(self, kind: str, source: str) -> Any:
        """
        Read the only member of an object.

        :param kind: the method of `Members`.
        """
        self.files = Files("/config.json", lambda path: b"text\n" if path == "/p.txt" else "no such file")
        document = self.files.document(source.encode())
        assert document is not None
        (member,) = document.members
        return getattr(Members(self.files), kind)(member, within("$", member.key))

    def assert_errors(self, kind: str, *rows: tuple[str, str]) -> None:
        """Each source gives one error with its text, and no result."""
        for source, error in rows:
            self.assertIsNone(self.read(kind, source), source)
            (finding,) = self.files.errors.sorted("errors")
            self.assertIn(error, str(finding))


class FieldTests(MembersTestCase):
    """Forced fields."""

    def test_values(self) -> None:
        """Texts and numbers are sent as they are written, lists and objects as several parts."""
        for source, parts in (
            ('{"language": "zh"}', (("language", "zh"),)),
            ('{"temperature": 1e-1}', (("temperature", "1e-1"),)),
            ('{"stream": true}', (("stream", "true"),)),
            ('{"stream": null}', ()),
            ('{"prompt": {"$file": "p.txt"}}', (("prompt", "text"),)),
            ('{"a": ["x", 2]}', (("a[]", "x"), ("a[]", "2"))),
            ('{"a[]": ["x"]}', (("a[]", "x"),)),
            ('{"timestamp_granularities": "word"}', (("timestamp_granularities[]", "word"),)),
            ('{"chunking": {"type": "vad", "n": 1}}', (("chunking[type]", "vad"), ("chunking[n]", "1"))),
            ('{"a": []}', ()),
        ):
            self.assertEqual(self.read("field", source).parts, parts, source)
            self.assertFalse(self.files.errors)

    def test_errors(self) -> None:
        """What cannot be the name or the value of a field."""
        self.assert_errors(
            "field",
            ('{"file": "a"}', "file"),
            ('{"prompt": "a\\u0000b"}', "holds a NUL character"),
            ('{"prompt": {"$file": "p.txt", "x": 1}}', 'must be {"$file": "path"}'),
            ('{"prompt": {"$file": 1}}', 'must be {"$file": "path"}'),
            ('{"prompt": {"$file": "absent"}}', "no such file"),
        )

    def test_nested(self) -> None:
        """A list within a list is an error at its own path."""
        self.read("field", '{"a": ["x", ["y"]]}')
        (finding,) = self.files.errors.sorted("errors")
        self.assertIn("may contain only strings", str(finding))
        self.assertEqual(finding.where, "$.a[1]")


class DefaultTests(MembersTestCase):
    """Members of ``$default``."""

    def test_forms(self) -> None:
        """A value alone, or with a flag."""
        for source, when_empty in (
            ('{"language": "zh"}', False),
            ('{"language": {"value": "zh"}}', False),
            ('{"language": {"value": "zh", "when_empty": true}}', True),
            ('{"language": {"when_empty": false, "value": "zh"}}', False),
        ):
            default = self.read("default", source)
            self.assertEqual((default.field.parts, default.when_empty), ((("language", "zh"),), when_empty), source)

    def test_errors(self) -> None:
        """A default without a value, and a long form that is not one."""
        self.assert_errors(
            "default",
            ('{"language": null}', "null is not a value"),
            ('{"language": {"value": null}}', "null is not a value"),
            ('{"language": {"when_empty": true}}', "the long form is"),
            ('{"language": {"value": "zh", "when": 1}}', "the long form is"),
            ('{"language": {"value": "zh", "when_empty": "yes"}}', "the long form is"),
        )


class MapTests(MembersTestCase):
    """Members of ``$map``."""

    def test_table(self) -> None:
        """Values by value, and one for any other."""
        table = self.read("map", '{"model": {"a": "b", "": 1, "*": {"$file": "/p.txt"}}}')
        self.assertEqual({old: new.text for old, new in table.table.items()}, {"a": "b", "": "1", "*": "text"})
        self.assertEqual(self.read("map", '{"model": {"a": null}}').table, {"a": REMOVED})

    def test_errors(self) -> None:
        """Keys that no value is compared with, and a table that is not an object."""
        for source, error in (
            (f'{{"model": {{"{"x" * (MAX_VALUE + 1)}": "b"}}}}', "at most 65536 bytes"),
            ('{"model": {"a\\u0000": "b"}}', "no NUL character"),
            ('{"model": "b"}', "this must be an object"),
            ('{"model": {"a": []}}', "may contain only strings"),
            (
                '{"model": {"a": "b", "ZH-*": 1, "A": "c"}}',
                "'A' and 'a' are the same value, because case does not count",
            ),
            ('{"model": {"zh-*": "b", "ZH-*": null}}', "'ZH-*' and 'zh-*' are the same value"),
        ):
            self.read("map", source)
            (finding,) = self.files.errors.sorted("errors")
            self.assertIn(error, str(finding))


class JoinedTests(MembersTestCase):
    """Fields with texts that are joined to the client's value."""

    def test_forms(self) -> None:
        """Each text is a string or an included file; one of them is enough."""
        for source, expected in (
            ('{"prompt": {"$prepend": "a "}}', ("a ", "", None)),
            ('{"prompt": {"$append": {"$file": "p.txt"}}}', ("", "text", None)),
            ('{"prompt": {"max_tokens": 2e2, "$append": "b", "$prepend": "a"}}', ("a", "b", 200)),
        ):
            rule = self.read("field", source)
            self.assertEqual((rule.before, rule.after, rule.max_tokens), expected, source)
            self.assertFalse(self.files.errors)

    def test_errors(self) -> None:
        """Each mistake gives one error, at its own path."""
        for source, error, where in (
            ('{"a": {"$prepend": 1}}', "a text or", "$.a.$prepend"),
            ('{"a": {"$prepend": "x", "$append": ["y"]}}', "a text or", "$.a.$append"),
            ('{"a": {"$prepend": {"$file": "p.txt", "x": 1}}}', "without other members", "$.a.$prepend"),
            ('{"a": {"$prepend": {"$file": "absent"}}}', "no such file", "$.a.$prepend"),
            ('{"a": {"$prepend": "x\\u0000"}}', "NUL", "$.a.$prepend"),
            ('{"a": {"$prepend": "x", "max_tokens": 0}}', "from 1 to 65536", "$.a.max_tokens"),
            ('{"a": {"$prepend": "x", "max_tokens": "9"}}', "a whole number", "$.a.max_tokens"),
            ('{"a": {"$prepend": "x", "max_tokens": 1e999}}', "a whole number", "$.a.max_tokens"),
            ('{"a": {"$prepend": "x", "tokens": 9}}', "without other members", "$.a"),
            ('{"a[]": {"$prepend": "x"}}', "a single value only", '$["a[]"]'),
            ('{"timestamp_granularities": {"$append": "x"}}', "a single value only", "$.timestamp_granularities"),
        ):
            self.read("field", source)
            (finding,) = self.files.errors.sorted("errors")
            self.assertIn(error, finding.message, source)
            self.assertEqual(finding.where, where, source)

    def test_not_a_default(self) -> None:
        """A default has no value of the client to join a text to."""
        self.assert_errors("default", ('{"a": {"$prepend": "x"}}', "outside of $default"))


class RenameTests(MembersTestCase):
    """Members of ``$rename``."""

    def test_names(self) -> None:
        """Any field can be renamed to any other name; the recording can be both."""
        for old, new in (
            ("lang", "language"),
            ("audio", "file"),
            ("file", "audio_file"),
            ("Model", "model"),
            ("g", "g[]"),
        ):
            rule = self.read("rename", f'{{"{old}": "{new}"}}')
            self.assertEqual((rule.name, rule.new), (old, new))
            self.assertFalse(self.files.errors)

    def test_errors(self) -> None:
        """Both names must be names, and differ."""
        self.assert_errors(
            "rename",
            ('{"a": 1}', "the field's new name"),
            ('{"a": null}', "the field's new name"),
            ('{"a": ""}', "must not be empty"),
            ('{"a": "[]"}', "must not be empty"),
            ('{"a": "b;c"}', "must not hold quotes"),
            ('{"a": "$b"}', "reserved"),
            ('{"a;": "b"}', "must not hold quotes"),
            ('{"[]": "b"}', "must not be empty"),
            ('{"a": "a"}', "is the old name, too"),
        )


class WithinTests(SynchronousTestCase):
    """Paths within a file."""

    def test_paths(self) -> None:
        """Plain names are joined by a dot; others are quoted and, if long, cut off."""
        self.assertEqual(within("$", "a_1$"), "$.a_1$")
        self.assertEqual(within("$.a", "b c"), '$.a["b c"]')
        self.assertEqual(within("$", "\n"), '$["\\n"]')
        self.assertEqual(within("$", "名"), "$.名")
        self.assertEqual(within("$", "x" * 81), f'$["{"x" * 80}…"]')

    def test_json(self) -> None:
        """A quoted name is the JSON of the name."""
        self.assertEqual(jsontext.parse(within("", 'a"b')[1:-1]).data, 'a"b')
