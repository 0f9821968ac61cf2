"""
Tests that the JSON Schema of the configuration agrees with :mod:`sttproxy.config`.

An editor that uses the schema must report the same files as wrong that the proxy refuses.  The proxy also refuses some
files that a schema cannot describe:

- two members of one section that are the same field to a server: ``language`` and ``Language[]``;
- two keys of a table that differ in case only;
- a rename to the old name, or to a name that is renamed itself;
- a text that is joined to a list;
- ``file`` and the empty name in full-width letters, ligatures and brackets of other widths;
- characters that are not printable, beyond the common ones;
- included files that cannot be read, are too large, hold a NUL character or are not UTF-8;
- a client's value of more than 64 KiB in fewer characters;
- a pattern in ``$transcript`` that is none, matches an empty text or every text, or a key of ``replace`` that is the
  same as another one; values that keep finding keys; a conversion without the package opencc;
- a choice of ``$choose`` with an unknown profile, an address that is none, a path without rules, or a header twice;
- files that are not JSON, have the same member twice, are too large or nest too deep.
"""

from __future__ import annotations

import importlib.resources
import json
import os
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import MAX_VALUE, Finding, parse
from sttproxy.config.lint import READ_BY_MLX
from sttproxy.config.names import PROFILE
from sttproxy.errors import ConfigError

from ..support.configurations import ANY, BAD_NAMES, BAD_PROFILES, EXAMPLE, GOOD, JSON, NAMES, PROFILES, bent

SCHEMA: JSON = json.loads(importlib.resources.files("sttproxy").joinpath("stt_config.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

#: Parts of the messages about what a schema cannot find.
BEYOND_SCHEMA = (
    *("are the same field to a server", "because case does not count", "is the old name, too"),
    *("a field is renamed only once", "can be joined to a single value only"),
    "there is no profile",
    "is not an address",
    "has no rules",
    "same header",
    *("this needs the package opencc", "this is not a pattern", "it matches everywhere", "this matches every text"),
    *("apart from blanks", "again and again", "the value of a pattern", "the flag", "a flag is there twice"),
)

#: Files and whether they are valid; each rule has files that keep it and files that break it.
RULES: tuple[tuple[JSON, bool], ...] = (
    ({}, True),
    ([], False),
    (None, False),
    ("language", False),
    ({"$comment": None}, True),
    ({"$comment": {"file": [None]}, "a": {"$comment": 1, "b": 2}}, True),
    ({"a": {"$comment": [], "b": None}}, False),
    ({"a": {"$file": "p", "$comment": 1}}, True),
    ({"a": [{"$file": "p", "$comment": 1}]}, True),
    ({"$default": {"$comment": None, "a": {"value": 1, "$comment": 2}}}, True),
    ({"$map": {"$comment": None, "a": {"$comment": None, "b": "c"}}}, True),
    ({"$profiles": {"p": {"$comment": None}}}, True),
    ({"$schema": "x"}, True),
    ({"$schema": 1}, False),
    ({"$schema": None}, False),
    ({"a": None}, True),
    ({"a": "x\n"}, True),
    ({"a": "\n\x00"}, False),
    ({"a": 1e99}, True),
    ({"a": []}, True),
    ({"a": {}}, True),
    ({"a": [None]}, False),
    ({"a": [[]]}, False),
    ({"a": [{}]}, False),
    ({"a": [{"$file": "p"}, 1, True, "x"]}, True),
    ({"a": ["\x00"]}, False),
    ({"a": {"b": None}}, False),
    ({"a": {"b": {}}}, False),
    ({"a": {"b": []}}, False),
    ({"a": {"b": {"$file": "p"}}}, True),
    ({"a": {"file": 1, "[]": 1}}, True),
    ({"a": {"": 1}}, False),
    ({"a": {"$b": 1}}, False),
    ({"a": {"b;": 1}}, False),
    ({"a": {"value": 1, "when_empty": True}}, True),
    ({"a": {"$file": "p"}}, True),
    ({"a": {"$file": ""}}, False),
    ({"a": {"$file": "p\x00"}}, False),
    ({"a": {"$file": 1}}, False),
    ({"a": {"$file": None}}, False),
    ({"a": {"$file": {"$file": "p"}}}, False),
    ({"a": {"$file": "p", "b": 1}}, False),
    ({"a": {"$files": "p"}}, False),
    ({"$file": "p"}, False),
    ({"$default": {}}, True),
    ({"$default": []}, False),
    ({"$default": None}, False),
    ({"$default": {"$file": "p"}}, False),
    ({"$default": {"a": None}}, False),
    ({"$default": {"a": [1]}}, True),
    ({"$default": {"a": {}}}, True),
    ({"$default": {"a": {"b": 1}}}, True),
    ({"$default": {"a": {"value": 1}}}, True),
    ({"$default": {"a": {"value": None}}}, False),
    ({"$default": {"a": {"value": {"$file": "p"}, "when_empty": False}}}, True),
    ({"$default": {"a": {"value": {"value": 1}}}}, True),
    ({"$default": {"a": {"value": {"value": {"value": 1}}}}}, False),
    ({"$default": {"a": {"value": 1, "when_empty": None}}}, False),
    ({"$default": {"a": {"value": 1, "when_empty": "true"}}}, False),
    ({"$default": {"a": {"value": 1, "when_empty": 1}}}, False),
    ({"$default": {"a": {"value": 1, "b": 1}}}, False),
    ({"$default": {"a": {"when_empty": True}}}, False),
    ({"$default": {"a": {"$file": "p", "when_empty": True}}}, False),
    ({"$default": {"a": {"$file": "p"}}}, True),
    ({"$default": {"language": {"value": None}}}, False),
    ({"$map": {}}, True),
    ({"$map": []}, False),
    ({"$map": {"a": {}}}, True),
    ({"$map": {"a": "x"}}, False),
    ({"$map": {"a": None}}, False),
    ({"$map": {"a": {"*": {"$file": "p"}, "": 0, "x\ny": True}}}, True),
    ({"$map": {"a": {"*": None}}}, True),
    ({"$map": {"a": {"x": None, "": None, "zh-*": "zh", "a*b": 1}}}, True),
    ({"$map": {"a": {"x-*": []}}}, False),
    ({"a": {"$prepend": "x"}}, True),
    ({"a": {"$append": ""}}, True),
    ({"a": {"$prepend": {"$file": "p"}, "$append": "y", "max_tokens": 224, "$comment": []}}, True),
    ({"a": {"$prepend": 1}}, False),
    ({"a": {"$prepend": None}}, False),
    ({"a": {"$prepend": ["x"]}}, False),
    ({"a": {"$prepend": "\x00"}}, False),
    ({"a": {"$prepend": {"$file": ""}}}, False),
    ({"a": {"$prepend": "x", "b": 1}}, False),
    ({"a": {"$prepend": "x", "value": 1}}, False),
    ({"a": {"max_tokens": 224}}, True),
    ({"a": {"$append": "x", "max_tokens": 0}}, False),
    ({"a": {"$append": "x", "max_tokens": 1.0}}, True),
    ({"a": {"$append": "x", "max_tokens": 1.5}}, False),
    ({"a": {"$append": "x", "max_tokens": MAX_VALUE}}, True),
    ({"a": {"$append": "x", "max_tokens": MAX_VALUE + 1}}, False),
    ({"a": {"$append": "x", "max_tokens": "224"}}, False),
    ({"a": {"$append": "x", "max_tokens": True}}, False),
    ({"a": [{"$append": "x"}]}, False),
    ({"a": {"b": {"$append": "x"}}}, False),
    ({"$default": {"a": {"$append": "x"}}}, False),
    ({"$default": {"a": {"value": {"$append": "x"}}}}, False),
    ({"$map": {"a": {"b": {"$append": "x"}}}}, False),
    ({"$profiles": {"p": {"a": {"$append": "x"}, "$rename": {"a": "b"}}}}, True),
    ({"$rename": {}}, True),
    ({"$rename": {"$comment": 1, "audio": "file", "file": "v[k]"}}, True),
    ({"$rename": []}, False),
    ({"$rename": {"a": None}}, False),
    ({"$rename": {"a": 1}}, False),
    ({"$rename": {"a": ""}}, False),
    ({"$rename": {"a": "[]"}}, False),
    ({"$rename": {"a": "$b"}}, False),
    ({"$rename": {"a": "b;"}}, False),
    ({"$rename": {"": "b"}}, False),
    ({"$rename": {"$a": "b"}}, False),
    ({"$rename": {"a;": "b"}}, False),
    ({"$map": {"a": {"x": []}}}, False),
    ({"$map": {"a": {"x": {}}}}, False),
    ({"$map": {"a": {"x\n\x00": "y"}}}, False),
    ({"$map": {"a": {"x" * MAX_VALUE: "y"}}}, True),
    ({"$map": {"a": {"x" * (MAX_VALUE + 1): "y"}}}, False),
    ({"$profiles": {}}, True),
    ({"$profiles": []}, False),
    ({"$profiles": {"a": {}}}, True),
    ({"$profiles": {"a": []}}, False),
    ({"$profiles": {"a": None}}, False),
    ({"$profiles": {"a": {"$profiles": {}}}}, False),
    ({"$profiles": {"a": {"$schema": "x"}}}, False),
    ({"$profiles": {"a": {"b": [None]}}}, False),
    ({"$profiles": {"a": {"b": None, "$default": {"b": 1}, "$map": {"b": {"*": 1}}}}}, True),
    ({"$profiles": {"a": {"$default": {"b": None}}}}, False),
    ({"$profiles": {"a": {"$map": {"b": 1}}}}, False),
    ({"$profiles": {"a": {"$unset": []}}}, True),
    ({"$profiles": {"a": {"$unset": ["", "$x", "file", "b", "b"]}}}, True),
    ({"$profiles": {"a": {"$unset": ["b", 1]}}}, False),
    ({"$profiles": {"a": {"$unset": ["b", None]}}}, False),
    ({"$profiles": {"a": {"$unset": "b"}}}, False),
    ({"$profiles": {"a": {"$unset": {"b": 1}}}}, False),
    ({"$profiles": {"a": {"$unset": None}}}, False),
    ({"$unset": ["a"]}, False),
    ({"$translations": False}, True),
    ({"$translations": None}, False),
    ({"$translations": "false"}, False),
    ({"$profiles": {"a": {"$translations": True}}}, True),
    ({"$profiles": {"a": {"$translations": 1}}}, False),
    ({"$profiles": {"a": {"$paths": []}}}, False),
    ({"$profiles": {"a": {"$choose": []}}}, False),
    ({"$paths": []}, True),
    ({"$paths": {}}, False),
    ({"$paths": "/asr"}, False),
    ({"$paths": [None]}, False),
    *(({"$paths": [path]}, True) for path in ("/asr", "/v1", "/v1/asr", "/a.b/c-d_e~f", "/x/health", "/healthy")),
    *(({"$paths": [path]}, False) for path in ("", "/", "asr", "/asr/", "//asr", "/a//b", "/.", "/a/..", "/asr\n")),
    *(({"$paths": [path]}, False) for path in ("/a?b", "/a#b", "/%61", "/a b", "/é", "/a;b", "http://h/asr", "/a*")),
    *(({"$paths": [path]}, False) for path in ("/health", "/stats", "/profiles", "/profiles/a", "/v1/health")),
    ({"$paths": [{"path": "/asr"}]}, True),
    ({"$paths": [{"path": "/asr", "query": True, "$comment": 1}]}, True),
    ({"$paths": [{"path": "/asr", "query": "yes"}]}, False),
    ({"$paths": [{"path": "/asr", "querry": True}]}, False),
    ({"$paths": [{"query": True}]}, False),
    ({"$paths": [{"path": "/ws", "realtime": True}]}, True),
    ({"$paths": [{"path": "/ws", "realtime": True, "query": False}]}, True),
    ({"$paths": [{"path": "/ws", "realtime": True, "query": True}]}, False),
    ({"$paths": [{"path": "/ws", "realtime": 1}]}, False),
    ({"$realtime": True}, True),
    ({"$realtime": "yes"}, False),
    ({"$profiles": {"a": {"$realtime": True}}}, False),
    ({"$choose": []}, True),
    ({"$choose": {}}, False),
    ({"$choose": [1]}, False),
    ({"$choose": [{}]}, False),
    ({"$choose": [{"profile": ""}]}, False),
    ({"$choose": [{"address": "::1"}]}, False),
    ({"$choose": [{"address": "::1", "profile": None}]}, False),
    ({"$choose": [{"address": "::1", "profile": "", "$comment": 1}]}, True),
    ({"$choose": [{"address": 1, "profile": ""}]}, False),
    ({"$choose": [{"address": "::1", "profile": "", "methods": 1}]}, False),
    ({"$choose": [{"path": "/audio/translations", "profile": ""}]}, True),
    ({"$choose": [{"path": "/audio/translations/", "profile": ""}]}, False),
    ({"$choose": [{"path": None, "profile": ""}]}, False),
    ({"$choose": [{"key": "sha256:" + "0aF" * 21 + "0", "profile": ""}]}, True),
    ({"$choose": [{"key": "sha256:" + "0" * 63, "profile": ""}]}, False),
    ({"$choose": [{"key": "sk-secret", "profile": ""}]}, False),
    ({"$choose": [{"key": {"$file": "key"}, "profile": ""}]}, False),
    ({"$choose": [{"header": {}, "profile": ""}]}, False),
    ({"$choose": [{"header": {"$comment": 1}, "profile": ""}]}, False),
    ({"$choose": [{"header": "a: b", "profile": ""}]}, False),
    *(
        ({"$choose": [{"header": {name: "*"}, "profile": ""}]}, True)
        for name in ("a", "X-Y_z", "!#$", "authorizations")
    ),
    *(
        ({"$choose": [{"header": {name: "*"}, "profile": ""}]}, False)
        for name in ("", "a:", "a b", "é", "a\n", "Authorization", "authorization")
    ),
    *(({"$choose": [{"header": {"a": text}, "profile": ""}]}, True) for text in ("*", "a\tb", "é", "**", "x*y*")),
    *(
        ({"$choose": [{"header": {"a": text}, "profile": ""}]}, False)
        for text in ("", " ", " a", "a ", "a\n", "\ta", "a\x00", "a\x7f", None, 1, ["a"])
    ),
    ({"$transcript": {}}, True),
    ({"$transcript": []}, False),
    ({"$transcript": None}, False),
    ({"$profiles": {"p": {"$transcript": {"trim": True, "$comment": 1}}}}, True),
    *(({"$transcript": {"trim": value}}, value is True) for value in (True, 1, None, "yes")),
    *(({"$transcript": {"collapse_repeats": value}}, True) for value in (2, 3.0, 1000)),
    *(({"$transcript": {"collapse_repeats": value}}, False) for value in (1, 0, -3, 2.5, "3", True, None)),
    *(({"$transcript": {"chinese": value}}, False) for value in ("", "T2S", "zh", None, 1, [])),
    ({"$transcript": {"chinese": "tw2sp"}}, True),
    *(({"$transcript": {"deliver": value}}, True) for value in ("as-is", "as-asked")),
    *(({"$transcript": {"deliver": value}}, False) for value in ("json", "", None, True, ["as-is"])),
    ({"$transcript": {"replace": {}}}, True),
    ({"$transcript": {"replace": []}}, False),
    ({"$transcript": {"replace": {"$comment": 1, "a": "", "/b+/i": "c", "$file": "x"}}}, True),
    *(({"$transcript": {"replace": {key: "x"}}}, False) for key in ("", " ", "\n")),
    *(({"$transcript": {"replace": {"a": value}}}, False) for value in (None, 1, True, [], {"$file": "p"})),
    ({"$transcript": {"drop": {}}}, False),
    ({"$transcript": {"drop": {"$comment": 1}}}, False),
    ({"$transcript": {"drop": "known"}}, False),
    ({"$transcript": {"drop": {"phrases": "known"}}}, True),
    *(({"$transcript": {"drop": {"phrases": value}}}, False) for value in ("all", None, ["known"])),
    ({"$transcript": {"drop": {"phrase": "known", "also": []}}}, False),
    ({"$transcript": {"drop": {"also": []}}}, True),
    ({"$transcript": {"drop": {"also": ["a", "…", {"$file": "p", "$comment": 1}]}}}, True),
    *(({"$transcript": {"drop": {"also": value}}}, False) for value in ("a", {"$file": "p"}, None)),
    *(
        ({"$transcript": {"drop": {"also": [value]}}}, False)
        for value in ("", " ", 1, None, [], ["a"], {}, {"$file": ""}, {"$file": "p", "a": 1})
    ),
    *(({"$transcript": {"drop": {"no_speech_prob": value}}}, True) for value in (0, 0.8, 0.999)),
    *(({"$transcript": {"drop": {"no_speech_prob": value}}}, False) for value in (1, 1.0, -0.1, "0.8", True, None)),
    ({"$defaults": {}}, False),
    ({"$Map": {}}, False),
)

#: The places in a file where a field's name is allowed.
SECTIONS: tuple[tuple[str, ...], ...] = (
    (),
    ("$default",),
    ("$map",),
    ("$profiles", "p"),
    ("$profiles", "p", "$default"),
    ("$profiles", "p", "$map"),
)


def within(path: tuple[str, ...], value: JSON) -> JSON:
    """A file that has a value at a path."""
    for name in reversed(path):
        value = {name: value}
    return value


def faults(file: JSON) -> list[Finding]:
    """The proxy's errors in a file, without those that a schema cannot find."""
    try:
        parse(json.dumps(file).encode(), read=lambda path: b"text")
    except ConfigError as error:
        return [finding for finding in error.findings if not any(part in finding.message for part in BEYOND_SCHEMA)]
    return []


def complaints(file: JSON) -> list[str]:
    """The schema's errors in a file."""
    return [error.message for error in VALIDATOR.iter_errors(file)]


class CheckResultTests(SynchronousTestCase):
    """The schema and the proxy find the same files wrong."""

    def checked(self, file: JSON, good: bool) -> None:
        """Check that both agree about a file, and that it is valid or not as expected."""
        self.assertEqual((not faults(file), not complaints(file)), (good, good), ascii(file)[:200])

    def test_example(self) -> None:
        """The example in the README is valid, and it is the same as the one in the tests."""
        self.checked(EXAMPLE, True)
        with open(os.path.join(os.path.dirname(__file__), os.pardir, os.pardir, "README.md"), encoding="utf-8") as file:
            shown = [part.partition("```")[0] for part in file.read().split("```json\n")[1:]]
        self.assertIn(EXAMPLE, map(json.loads, shown))
        for each in shown:
            self.checked(json.loads(each), True)

    def test_rules(self) -> None:
        """Both agree on files that keep a rule and on files that break it."""
        for file, good in RULES:
            self.checked(file, good)

    def test_names(self) -> None:
        """Both agree on names of fields, at each place where one is allowed."""
        for section in SECTIONS:
            value: JSON = {"x": "y"} if section[-1:] == ("$map",) else "y"
            for name in NAMES:
                self.checked(within((*section, name), value), True)
            for name in BAD_NAMES:
                self.checked(within((*section, name), value), False)

    def test_profile_names(self) -> None:
        """Both agree on names of profiles."""
        for name in PROFILES:
            self.checked({"$profiles": {name: {}}}, True)
        for name in BAD_PROFILES:
            self.checked({"$profiles": {name: {}}}, False)

    @given(GOOD)
    def test_good(self, file: JSON) -> None:
        """Both accept files without errors."""
        self.checked(file, True)

    def test_bent(self) -> None:
        """Both agree on mutated files and on any JSON; many of these files are valid and many are not."""
        seen: Counter[bool] = Counter()

        @settings(max_examples=800, derandomize=True, database=None)
        @given(bent() | ANY)
        def agree(file: JSON) -> None:
            found, said = faults(file), complaints(file)
            self.assertEqual(not found, not said, (file, found, said))
            seen[not found] += 1

        agree()
        self.assertGreater(min(seen[True], seen[False]), 50, seen)

    @given(st.text(max_size=66) | st.from_regex(PROFILE, fullmatch=True))
    def test_any_profile_name(self, name: str) -> None:
        """Both agree on any text as the name of a profile."""
        file = {"$profiles": {name: {}}}
        self.assertEqual(not faults(file), not complaints(file), ascii(name))


class DocumentTests(SynchronousTestCase):
    """What the schema shows to the user of an editor."""

    def test_schema(self) -> None:
        """The schema is valid in the draft that it names."""
        Draft202012Validator.check_schema(SCHEMA)
        self.assertEqual(SCHEMA["$schema"], Draft202012Validator.META_SCHEMA["$id"])

    def test_definitions(self) -> None:
        """Each definition is used and has a title, and each reference leads to a definition."""
        text = json.dumps(SCHEMA)
        for name, definition in SCHEMA["$defs"].items():
            self.assertIn(f'"#/$defs/{name}"', text)
            self.assertIn("title", definition, name)
        for part in text.split('"$ref": "#/$defs/')[1:]:
            self.assertIn(part.partition('"')[0], SCHEMA["$defs"])

    def test_fields(self) -> None:
        """The schema offers the fields that MLX Omni Server reads, in its spelling, at each place for a field."""
        offered = {name: {"$ref": "#/$defs/" + name.removesuffix("[]")} for name in READ_BY_MLX}
        for place in (SCHEMA, SCHEMA["$defs"]["profile"], SCHEMA["$defs"]["defaults"]):
            fields = {name: value for name, value in place["properties"].items() if not name.startswith("$")}
            self.assertEqual(fields, offered)

    def test_examples(self) -> None:
        """The examples of a field's values are valid there, and get no warning."""
        for name in READ_BY_MLX:
            for example in SCHEMA["$defs"][name.removesuffix("[]")]["examples"]:
                file = {"$default": {"response_format": "verbose_json", name: example}}
                config = parse(json.dumps(file).encode(), read=lambda path: b"text")
                self.assertEqual((config.warnings, complaints(file)), ((), []), file)
