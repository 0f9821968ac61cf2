"""
Tests for :mod:`sttproxy.config.parser` and its readers: errors and their places, included texts, and keys.
"""

from __future__ import annotations

import hashlib
from string import Template

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import MAX_BYTES, MAX_VALUE, Config, Finding, Reader, Text, parse
from sttproxy.errors import ConfigError

LONG = "the long form is"
INSIDE = "may contain only strings, numbers"
SPELLED = "must not hold quotes"

#: Files with one error: the file, with a ``^`` before the error's place, the path within the file, and a part of the
#: message.
FAULTS: tuple[tuple[str, str, str], ...] = (
    # Sections and their shapes.
    ('{"$schema": ^1}', "$.schema", "the address of a JSON Schema"),
    ('{"$schema": ^null}', "$.schema", "the address of a JSON Schema"),
    ('{"$default": ^[]}', "$.default", "must be an object: a default by the field's name"),
    ('{"$default": ^null}', "$.default", "must be an object"),
    ('{"$map": ^"x"}', "$.map", "must be an object: a table of values by the field's name"),
    ('{"$profiles": ^[]}', "$.profiles", "must be an object: a profile by its name"),
    ('{"$profiles": {"p": ^null}}', "$.profiles.p", "must be an object: the rules of a profile"),
    ('{"$map": {"model": ^null}}', "$.map.model", "must be an object: values and what replaces them"),
    ('{^"$unset": ["a"]}', "$.$unset", "allowed here are $schema, $default, $map, $rename, $profiles"),
    ('{^"$defaults": {}}', "$.$defaults", "did you mean $default?"),
    ('{^"$profile": {}}', "$.$profile", "did you mean $profiles?"),
    ('{^"$": {}}', "$.$", "not known"),
    ('{^"$file": "x"}', "$.$file", "not known"),
    (
        '{"$profiles": {"p": {^"$profiles": {}}}}',
        "$.profiles.p.$profiles",
        "allowed here are $default, $map, $rename, $unset",
    ),
    ('{"$profiles": {"p": {^"$schema": "x"}}}', "$.profiles.p.$schema", "not known"),
    ('{"$profiles": {"p": {^"$unsett": []}}}', "$.profiles.p.$unsett", "did you mean $unset?"),
    ('{"$profiles": {"p": {"$unset": ^"a"}}}', "$.profiles.p.unset", 'like ["language"]'),
    ('{"$profiles": {"p": {"$unset": ^["a", 1]}}}', "$.profiles.p.unset", "a list of field names"),
    ('{"$profiles": {"p": {"$unset": ^null}}}', "$.profiles.p.unset", "a list of field names"),
    # Names.
    ('{"$profiles": {^"": {}}}', '$.profiles[""]', "must begin with a letter or a digit"),
    ('{"$profiles": {^"-a": {}}}', '$.profiles["-a"]', "must begin with a letter or a digit"),
    ('{"$profiles": {^"a/b": {}}}', '$.profiles["a/b"]', "it is part of URLs"),
    ('{"$profiles": {^"é": {}}}', "$.profiles.é", "it is part of URLs"),
    ('{"$profiles": {^"a\\n": {}}}', '$.profiles["a\\n"]', "it is part of URLs"),
    ('{"$profiles": {^"%s": {}}}' % ("x" * 65), "$.profiles." + "x" * 65, "at most 64 characters"),
    ('{"$default": {^"file": 1}}', "$.default.file", "'file' is the recording"),
    ('{"$default": {^"[]": 1}}', '$.default["[]"]', "must not be empty"),
    ('{"$default": {^"$map": {"a": 1}}}', "$.default.$map", "reserved"),
    ('{"$default": {^"a;b": 1}}', '$.default["a;b"]', SPELLED),
    ('{"$map": {^"File": {}}}', "$.map.File", "'file' is the recording"),
    ('{"$map": {^"": {}}}', '$.map[""]', "must not be empty"),
    ('{"$map": {^"a\\"": {}}}', '$.map["a\\""]', SPELLED),
    ('{"$profiles": {"p": {^"file": 1}}}', "$.profiles.p.file", "'file' is the recording"),
    ('{"$profiles": {"p": {"$default": {^"file": 1}}}}', "$.profiles.p.default.file", "'file' is the recording"),
    ('{"$profiles": {"p": {"$map": {^"a=b": {}}}}}', '$.profiles.p.map["a=b"]', SPELLED),
    ('{"v": {^"a%": 1}}', '$.v["a%"]', SPELLED),
    ('{"$default": {"v": {^"": 1}}}', '$.default.v[""]', "a name must not be empty"),
    ('{^"a\\u2028": 1}', '$["a\\u2028"]', SPELLED),
    # Values.
    ('{"a b": [1, ^null]}', '$["a b"][1]', INSIDE),
    ('{"v": {"x y": ^[]}}', '$.v["x y"]', INSIDE),
    ('{"v": {"k": ^{}}}', "$.v.k", INSIDE),
    ('{"名": ["", ^"\\u0000"]}', "$.名[1]", "the value of '名' holds a NUL"),
    ('{"$profiles": {"p": {"a": [^{"b": 1}]}}}', "$.profiles.p.a[0]", INSIDE),
    ('{"$default": {"a": ^null}}', "$.default.a", "a default needs a value"),
    ('{"$default": {"a": {"value": ^null}}}', "$.default.a.value", "a default needs a value"),
    ('{"$default": {"a": {"value": [^null]}}}', "$.default.a.value[0]", INSIDE),
    ('{"$default": {"a": {"value": {"b": ^null}}}}', "$.default.a.value.b", INSIDE),
    ('{"$default": {"a": ^{"when_empty": true}}}', "$.default.a", LONG),
    ('{"$default": {"a": ^{"value": 1, "other": 2}}}', "$.default.a", LONG),
    ('{"$default": {"a": ^{"value": 1, "when_empty": 1}}}', "$.default.a", LONG),
    ('{"$default": {"a": ^{"value": 1, "when_empty": null}}}', "$.default.a", LONG),
    ('{"$default": {"a": ^{"when_empty": true, "$file": "p"}}}', "$.default.a", LONG),
    ('{"$profiles": {"p": {"$default": {"a": ^null}}}}', "$.profiles.p.default.a", "a default needs a value"),
    ('{"$map": {"a": {"x": ^[null]}}}', "$.map.a", INSIDE),
    ('{"$map": {"a": {"en-*": "en",\n ^"EN-*": "x"}}}', "$.map.a", "'EN-*' and 'en-*' are the same value"),
    ('{"a": {"$prepend": ^null}}', "$.a.$prepend", "must be a text or"),
    ('{"a": {"$append": "x", "max_tokens": ^-1}}', "$.a.max_tokens", "from 1 to 65536, like 224"),
    ('{"a": ^{"$append": "x", "max_token": 1}}', "$.a", "without other members"),
    ('{"a[k]": ^{"$append": "x"}}', '$["a[k]"]', "to a single value only"),
    ('{"a": {"$append": "x"}, ^"A": 1}', "$.A", "'A' and 'a' are the same field"),
    ('{"$default": {"a": ^{"$append": "x"}}}', "$.default.a", "outside of $default"),
    ('{"$rename": ^"x"}', "$.rename", "must be an object: the new name of a field by its old one"),
    ('{"$rename": {"a": ^[]}}', "$.rename.a", "the field's new name"),
    ('{"$rename": {"a": ^"a"}}', "$.rename.a", "is the old name, too"),
    ('{"$rename": {"a": ^"b\\n"}}', "$.rename.a", SPELLED),
    ('{"$rename": {^"a%": "b"}}', '$.rename["a%"]', SPELLED),
    ('{"$rename": {"a": "b", ^"A[]": "c"}}', '$.rename["A[]"]', "'A[]' and 'a' are the same field"),
    (
        '{"$rename": {^"a": "B", "b": "c"}}',
        "$.rename.a",
        "renamed itself, to 'c', and a field is renamed only once; write 'c'",
    ),
    (
        '{"$rename": {"b": "c"}, "$profiles": {"p": {"$rename": {^"a": "b"}}}}',
        "$.profiles.p.rename.a",
        "write 'c' here",
    ),
    ('{"$rename": {"a": "b"}, "$profiles": {^"p": {"$rename": {"b": "c"}}}}', "$.profiles.p", "write 'c' here"),
    ('{"$map": {"a": {"*": ^[1]}}}', "$.map.a", INSIDE),
    ('{"$map": {"a": {"x": ^"\\u0000"}}}', "$.map.a", "NUL"),
    ('{"$map": {"a": {^"\\u0000": "x"}}}', "$.map.a", "no NUL character"),
    ('{"$map": {"a": {^"%s": "x"}}}' % ("会" * (MAX_VALUE // 3 + 1)), "$.map.a", "at most"),
    # A path is bounded.
    ('{"%s": [^null, 1]}' % ("x" * 81), '$["' + "x" * 80 + '…"][0]', INSIDE),
    # Included texts.
    ('{"a": ^{"$file": ""}}', "$.a", 'must be {"$file": "path"}'),
    ('{"a": ^{"$file": 1}}', "$.a", 'must be {"$file": "path"}'),
    ('{"a": ^{"$file": "p\\u0000"}}', "$.a", 'must be {"$file": "path"}'),
    ('{"a": ^{"$file": "p", "b": 1}}', "$.a", "without other members"),
    ('{"a": ^{"b": 1, "$file": "p"}}', "$.a", "without other members"),
    ('{"a": ^{"$file": "gone"}}', "$.a", "the file /etc/stt/gone: it is gone"),
    ('{"a": [1, ^{"$file": "gone"}]}', "$.a[1]", "/etc/stt/gone"),
    ('{"v": {"k": ^{"$file": "gone"}}}', "$.v.k", "/etc/stt/gone"),
    ('{"$default": {"a": ^{"$file": "gone"}}}', "$.default.a", "/etc/stt/gone"),
    ('{"$default": {"a": {"value": ^{"$file": "gone"}}}}', "$.default.a.value", "/etc/stt/gone"),
    ('{"$map": {"a": {"x": ^{"$file": "gone"}}}}', "$.map.a", "/etc/stt/gone"),
    ('{"$profiles": {"p": {"a": ^{"$file": "/gone"}}}}', "$.profiles.p.a", "the file /gone: it is gone"),
    ('{"a": ^{"$file": "nul"}}', "$.a", "the file /etc/stt/nul holds a NUL"),
    # The same field twice.
    ('{"a": 1, ^"a[]": 2}', '$["a[]"]', "'a[]' and 'a' are the same field"),
    ('{"a[x]": 1, ^"[a]": 2}', '$["[a]"]', "'[a]' and 'a[x]' are the same field"),
    ('{"a.b": 1, ^"a_b": 2}', "$.a_b", "'a_b' and 'a.b' are the same field"),
    ('{"$default": {"a": 1, ^"A": 2}}', "$.default.A", "'A' and 'a' are the same field"),
    ('{"$map": {"a": {}, ^"A": {}}}', "$.map.A", "'A' and 'a' are the same field"),
    ('{"$profiles": {"p": {"a": 1, ^"a[]": 2}}}', '$.profiles.p["a[]"]', "are the same field"),
    ('{"$profiles": {"p": {"$map": {"a": {}, ^"a[]": {}}}}}', '$.profiles.p.map["a[]"]', "are the same field"),
)

#: Files with many errors: the file, with a ``^`` before each error's place, and the paths in the order of the report.
MANY: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        '{\n  ^"file": [^null, ^[]],\n  "$default": {"a": ^null, ^"$b": ^null},\n  "$map": {"m": ^1},\n  ^"$x": {}\n}',
        ("$.file", "$.file[0]", "$.file[1]", "$.default.a", "$.default.$b", "$.default.$b", "$.map.m", "$.$x"),
    ),
    ('{"$rename": {^"a": "b", ^"b": "a", ^"c": "a"}}', ("$.rename.a", "$.rename.b", "$.rename.c")),
    (
        '{"$profiles": {^"a b": {"x": ^{"y": 1, "$file": "z"}}, "c": ^1,\n"d": {"$unset": ^1,'
        ' "$default": {"e": ^null}}}, ^"": {^"": ^null}}',
        (
            *('$.profiles["a b"]', '$.profiles["a b"].x', "$.profiles.c", "$.profiles.d.unset"),
            *("$.profiles.d.default.e", '$[""]', '$[""][""]', '$[""][""]'),
        ),
    ),
    ('{"a": 1, ^"a[]": 2, ^"a[x]": 3, ^"file": 4}', ('$["a[]"]', '$["a[x]"]', '$["a[x]"]', "$.file")),
)

DIGITS = hashlib.sha256(b"secret").hexdigest()
#: Key files that are refused: the file, with a ``^`` before the error's place, and a part of the message.
BAD_KEYS: tuple[tuple[str, str], ...] = (
    ("^[]", "JSON object"),
    ("{^x}", "this is not JSON, or the same member appears twice"),
    ('{"sk-secret" ^"p"}', "this is not JSON"),
    ('{"sk-secret": "p", ^"sk-secret": "p"}', "this is not JSON"),
    ('{"sha256:${DIGITS}": "p",\n ^"sha256:${UPPER}": "q"}', "the same key appears twice"),
    ('{^"sk-secret": "p"}', "this must be 'sha256:'"),
    ('{^"${DIGITS}": "p"}', "this must be 'sha256:'"),
    ('{^"sha256:${SHORT}": "p"}', "64 hexadecimal digits"),
    ('{^"sha256:${DIGITS}0": "p"}', "64 hexadecimal digits"),
    ('{^"sha256:${SHORT}g": "p"}', "64 hexadecimal digits"),
    ('{^"SHA256:${DIGITS}": "p"}', "64 hexadecimal digits"),
    ('{^"sha256:${DIGITS}\\n": "p"}', "64 hexadecimal digits"),
    ('{"sha256:${DIGITS}": ^"r"}', 'the name of a profile, or "" for none; the profiles are: p, q'),
    ('{"sha256:${DIGITS}": ^null}', "the name of a profile"),
    ('{"sha256:${DIGITS}": ^["p"]}', "the name of a profile"),
)


def filled(text: str) -> str:
    """A key file whose placeholders are replaced by the digits of hashes."""
    return Template(text).substitute(DIGITS=DIGITS, SHORT=DIGITS[1:], UPPER=DIGITS.upper(), ZEROS="0" * 64)


def marked(text: str) -> tuple[bytes, list[tuple[int, int]]]:
    """A text without its ``^`` marks, and the line and the column of each mark."""
    pieces = text.split("^")
    places, before = [], ""
    for piece in pieces[:-1]:
        before += piece
        lines = before.split("\n")
        places.append((len(lines), len(lines[-1]) + 1))
    return "".join(pieces).encode(), places


def reader(**files: bytes | str) -> Reader:
    """A reader that finds the given files in the folder ``/etc/stt``."""
    return lambda path: files.get(path.removeprefix("/etc/stt/"), "it is gone")


class ParserTestCase(SynchronousTestCase):
    """Tests that read ``/etc/stt/stt.json``."""

    def parsed(self, data: bytes, keys: str = "", profile: str = "", **files: bytes | str) -> Config:
        """The configuration in a file."""
        return parse(data, file="/etc/stt/stt.json", read=reader(**files), keys=keys, profile=profile)

    def findings(self, data: bytes, keys: str = "", profile: str = "", **files: bytes | str) -> list[Finding]:
        """The errors in a file."""
        error = self.assertRaises(ConfigError, self.parsed, data, keys, profile, **files)
        return list(error.findings)


class FaultTests(ParserTestCase):
    """Errors and their places."""

    def test_each(self) -> None:
        """Each kind of error has its message, line, column and path, and no other error with it."""
        for text, where, message in FAULTS:
            data, places = marked(text)
            findings = self.findings(data, nul=b"a\0b")
            self.assertEqual([(each.line, each.column, each.where) for each in findings], [(*places[0], where)], text)
            self.assertIn(message, findings[0].message)
            self.assertEqual(findings[0].file, "/etc/stt/stt.json")

    def test_lines(self) -> None:
        """Lines and columns are counted in the file's own text, also with CRLF."""
        for text, where, _ in FAULTS:
            data, places = marked(text.replace(" ", "\r\n \t") if "a b" not in text and "x y" not in text else text)
            findings = self.findings(data, nul=b"a\0b")
            self.assertEqual([(each.line, each.column, each.where) for each in findings], [(*places[0], where)], text)

    def test_many(self) -> None:
        """All errors are reported at once, in the order of the file."""
        for text, paths in MANY:
            data, places = marked(text)
            findings = self.findings(data)
            self.assertEqual([each.where for each in findings], list(paths), text)
            self.assertEqual(sorted({(each.line, each.column) for each in findings}), places, text)
            told = [(each.line, each.column) for each in findings]
            self.assertEqual(told, sorted(told))

    def test_files_sorted(self) -> None:
        """Errors in several files are sorted by file."""
        data = b'{"b": {"$file": "y"}, "a": {"$file": "x"}, "c": null, "file": 1, "d": {"$file": "y"}}'
        findings = self.findings(data, x=b"\n\xff", y=b"ab\xff")
        self.assertEqual(
            [(each.file, each.line, each.column, each.where) for each in findings],
            [
                ("/etc/stt/stt.json", 1, 55, "$.file"),
                ("/etc/stt/x", 2, 1, ""),
                ("/etc/stt/y", 1, 3, ""),
            ],
        )

    def test_line(self) -> None:
        """A finding becomes one line in the form that editors understand: file, line, column, path, message."""
        for finding, line in (
            (Finding("m", "f"), "f: m"),
            (Finding("m", "f", 3, 4), "f:3:4: m"),
            (Finding("m", "f", 3, 4, "$.a"), "f:3:4: $.a: m"),
        ):
            self.assertEqual(str(finding), line)
        error = self.assertRaises(ConfigError, self.parsed, b'{"a": [null], "b": [null]}')
        self.assertEqual(str(error), "\n".join(map(str, error.findings)))
        self.assertEqual(len(error.findings), 2)

    def test_no_warnings_among_them(self) -> None:
        """What is legal and probably a mistake is not reported as an error."""
        self.assertEqual(len(self.findings(b'{"language": "chinese", "temperature": 9, "file": 1}')), 1)

    def test_longest_value(self) -> None:
        """A client's value of exactly the limit can be replaced."""
        for value in ("x" * MAX_VALUE, "é" * (MAX_VALUE // 2)):
            config = self.parsed(b'{"$map": {"a": {"%s": "y"}}}' % value.encode())
            self.assertEqual(list(config.base.maps[0].table), [value])

    def test_profile_asked_for(self) -> None:
        """The profile of --profile must exist.  The error has no line, because the profile is named by an option."""
        config = b'{"$profiles": {"p": {}, "q": {}}}'
        self.assertEqual(list(self.parsed(config, profile="q").profiles), ["p", "q"])
        for data, message in (
            (config, "--profile asks for 'r'; the profiles are: p, q"),
            (b"{}", "--profile asks for 'r'; there are no profiles"),
        ):
            self.assertEqual(self.findings(data, profile="r"), [Finding(message, "/etc/stt/stt.json")])
        (finding,) = self.findings(b'{"$profiles": {"r": 1}}', profile="r")
        self.assertEqual(finding.where, "$.profiles.r")


class IncludedTests(ParserTestCase):
    """Texts in files of their own."""

    def test_line_break(self) -> None:
        """One line break at the end is removed; everything else belongs to the text."""
        for data, text in (
            (b"", ""),
            (b"a", "a"),
            (b"a\n", "a"),
            (b"a\r\n", "a"),
            (b"a\n\n", "a\n"),
            (b"a\r\n\r\n", "a\r\n"),
            (b"\n", ""),
            (b"\na \t\n", "\na \t"),
            (b"\xef\xbb\xbfa\n", "a"),
            ("会\n".encode(), "会"),
            (b'{"$file": "x"}', '{"$file": "x"}'),
        ):
            config = self.parsed(b'{"a": {"$file": "x"}}', x=data)
            self.assertEqual(config.base.forced[0].parts, (("a", text),), data)

    def test_everywhere(self) -> None:
        """Each value can be an included text."""
        include = '{"$file": "x"}'
        for text, parts in (
            (f'{{"a": {include}}}', [("a", "T")]),
            (f'{{"a": [{include}, 1]}}', [("a[]", "T"), ("a[]", "1")]),
            (f'{{"a": {{"k": {include}}}}}', [("a[k]", "T")]),
            (f'{{"$default": {{"a": {include}}}}}', [("a", "T")]),
            (f'{{"$default": {{"a": {{"value": {include}}}}}}}', [("a", "T")]),
            (f'{{"$default": {{"a": {{"value": [{include}]}}}}}}', [("a[]", "T")]),
        ):
            base = self.parsed(text.encode(), x=b"T\n").base
            fields = [*base.forced, *(rule.field for rule in base.defaults)]
            self.assertEqual([part for field in fields for part in field.parts], parts, text)
        (rule,) = self.parsed(f'{{"$map": {{"a": {{"b": {include}, "*": {include}}}}}}}'.encode(), x=b"T\n").base.maps
        self.assertEqual(rule.table, {"b": Text("T"), "*": Text("T")})

    def test_json(self) -> None:
        """In a JSON body an included text is always a string."""
        for data, json in ((b"0.2\n", '"0.2"'), (b'a"\\\n\tb', r'"a\"\\\n\tb"'), ("会".encode(), '"会"')):
            config = self.parsed(b'{"a": {"$file": "x"}}', x=data)
            self.assertEqual(config.base.forced[0].json, json)

    def test_paths(self) -> None:
        """Relative paths start at the folder of the configuration; absolute paths are used as they are."""
        for file, path, asked in (
            ("/etc/stt/stt.json", "p/a.txt", "/etc/stt/p/a.txt"),
            ("/etc/stt/stt.json", "/b", "/b"),
            ("/etc/stt/stt.json", "../b", "/etc/stt/../b"),
            ("stt.json", "a", "a"),
            ("d/stt.json", "a", "d/a"),
        ):
            asked_for = []

            def read(path: str, asked_for: list[str] = asked_for) -> bytes:
                asked_for.append(path)
                return b""

            parse(b'{"a": {"$file": "%s"}}' % path.encode(), file=file, read=read)
            self.assertEqual(asked_for, [asked])

    def test_wrong_itself(self) -> None:
        """An error in an included file has that file's path, line and column."""
        for data, message, line, column in (
            (b"a\nb\xff", "not UTF-8", 2, 2),
            (b"x" * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes", 0, 0),
        ):
            (finding,) = self.findings(b'{"a": {"$file": "x"}}', x=data)
            self.assertEqual((finding.file, finding.line, finding.column), ("/etc/stt/x", line, column))
            self.assertIn(message, finding.message)

    def test_after_it(self) -> None:
        """After an included file, broken or not, errors have their places in the configuration again."""
        for data in (b"a\nb\nc", b"\n\n\xff"):
            finding = self.findings(b'{"a": {"$file": "x"},\n "file": 1}', x=data)[0]
            self.assertEqual((finding.file, finding.line, finding.column), ("/etc/stt/stt.json", 2, 2))

    def test_largest(self) -> None:
        """A file of exactly the limit is included."""
        config = self.parsed(b'{"a": {"$file": "x"}}', x=b"x" * MAX_BYTES)
        self.assertEqual(len(config.base.forced[0].parts[0][1]), MAX_BYTES)

    def test_not_given(self) -> None:
        """Without a function that reads files, an included file is an error."""
        error = self.assertRaises(ConfigError, parse, b'{"a": {"$file": "x"}}')
        self.assertIn("the file x: it cannot be read", str(error))

    def test_digest(self) -> None:
        """The digest is of all files, in the order in which they are read."""
        config = self.parsed(b'{"a": {"$file": "x"}, "b": {"$file": "y"}}', x=b"1", y=b"2\n")
        whole = b'{"a": {"$file": "x"}, "b": {"$file": "y"}}' + b"\0001" + b"\0002\n"
        self.assertEqual(config.digest, hashlib.sha256(whole).hexdigest()[:16])
        for x, y in ((b"1\n", b"2\n"), (b"12\n", b""), (b"", b"12\n"), (b"2\n", b"1")):
            other = self.parsed(b'{"a": {"$file": "x"}, "b": {"$file": "y"}}', x=x, y=y)
            self.assertNotEqual(config.digest, other.digest)


class KeysTests(ParserTestCase):
    """The file that gives API keys their profiles."""

    CONFIG = b'{"$profiles": {"p": {}, "q": {}}}'

    def test_read(self) -> None:
        """The result has the profiles by the lower-case digits of the key's hash."""
        keys = filled('{"sha256:${UPPER}": "p", "sha256:${ZEROS}": "q"}')
        config = self.parsed(self.CONFIG, keys="/etc/stt/k", k=keys.encode())
        self.assertEqual(config.keys, {DIGITS: "p", "0" * 64: "q"})

    def test_none(self) -> None:
        """Without a key file nothing is read."""
        self.assertEqual(self.parsed(self.CONFIG, k=b"x").keys, {})

    def test_refused(self) -> None:
        """Each error has its file, line and column, and no path, because a path would show a key."""
        for text, message in BAD_KEYS:
            data, places = marked(filled(text))
            (finding,) = self.findings(self.CONFIG, keys="/etc/stt/k", k=data)
            self.assertIn(message, finding.message, text)
            self.assertEqual(
                (finding.file, finding.line, finding.column, finding.where), ("/etc/stt/k", *places[0], ""), text
            )

    def test_many(self) -> None:
        """All errors are reported at once, in the order of the file."""
        text = filled('{"sha256:${DIGITS}": ^"r",\n^"x": "p", "sha256:${ZEROS}": ^1}')
        data, places = marked(text)
        findings = self.findings(self.CONFIG, keys="/etc/stt/k", k=data)
        self.assertEqual([(each.line, each.column) for each in findings], places)

    def test_unhashed(self) -> None:
        """No message shows a key that is not hashed, whether the rest of the file is correct or not."""
        for text in (
            '{"sk-secret" "p"}',
            '{"sk-secret": "p", "sk-secret": "p"}',
            '{"sk-secret": p}',
            '["sk-secret",',
            '{"sk-secret": "p"}',
            '{"sk-secret": 1}',
            '{"sha256:sk-secret": "p"}',
        ):
            for finding in self.findings(self.CONFIG, keys="/etc/stt/k", k=text.encode()):
                self.assertNotIn("secret", str(finding))

    def test_unreadable(self) -> None:
        """A key file that is missing, too large or not UTF-8 is an error with its path."""
        (finding,) = self.findings(self.CONFIG, keys="/etc/stt/k")
        self.assertEqual(finding, Finding("it is gone", "/etc/stt/k"))
        for data, message, line in ((b"{" + b" " * MAX_BYTES + b"}", "larger", 0), (b'\n"\xff', "not UTF-8", 2)):
            (finding,) = self.findings(self.CONFIG, keys="/etc/stt/k", k=data)
            self.assertEqual((finding.file, finding.line), ("/etc/stt/k", line))
            self.assertIn(message, finding.message)

    def test_beside_errors(self) -> None:
        """If both files have errors, both are reported; profiles are not looked up in the wrong configuration."""
        for data in (b"{", b'{"$profiles": {"p": 1}}', b'{"file": 1}'):
            keys = filled('{"sha256:${DIGITS}": "p", "x": "p", "sha256:${ZEROS}": 1}').encode()
            findings = self.findings(data, keys="/etc/stt/k", k=keys)
            self.assertEqual([each.file for each in findings], ["/etc/stt/k", "/etc/stt/k", "/etc/stt/stt.json"])
            self.assertNotIn("there are no profiles", "".join(map(str, findings)))

    def test_digest(self) -> None:
        """The digest includes the key file."""
        config = self.parsed(self.CONFIG, keys="/etc/stt/k", k=b"{}")
        self.assertEqual(config.digest, hashlib.sha256(self.CONFIG + b"\0{}").hexdigest()[:16])
