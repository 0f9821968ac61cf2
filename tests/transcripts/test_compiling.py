"""
Tests for :mod:`sttproxy.transcripts.compiling` and :mod:`sttproxy.transcripts.patterns`: what the values of a
configuration mean, and what is said of wrong ones.
"""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.compiling import MEMBERS, Fault, compiled, phrases_in

from .rules import NO_OPENCC, clean, rules, texts

#: Values, the path of the fault, and what its message has.
ERRORS: tuple[tuple[Any, tuple[str | int, ...], str], ...] = (
    ([], (), "this must be an object"),
    ({"collapse_repeat": 3}, ("collapse_repeat",), "did you mean 'collapse_repeats'?"),
    (
        {"nothing": 3},
        ("nothing",),
        "the names allowed here are deliver, drop, collapse_repeats, chinese, replace, trim",
    ),
    *(({"collapse_repeats": value}, ("collapse_repeats",), "at least 2") for value in (1, 0, -3, True, 2.5, "3", None)),
    *(({"trim": value}, ("trim",), "true or false") for value in (1, "yes", None)),
    *(({"deliver": value}, ("deliver",), '"as-is" or "as-asked"') for value in ("json", None, True, [])),
    ({"chinese": "s2ttw"}, ("chinese",), "did you mean 's2tw'?"),
    ({"chinese": None}, ("chinese",), "one of OpenCC's conversions: s2t, t2s"),
    ({"chinese": "T2S"}, ("chinese",), "did you mean 't2s'?"),
    ({"drop": ["x"]}, ("drop",), "this must be an object"),
    ({"drop": {}}, ("drop",), "this needs one of phrases, also, no_speech_prob"),
    ({"drop": {"phrase": "known"}}, ("drop", "phrase"), "did you mean 'phrases'?"),
    ({"drop": {"phrases": ["x"]}}, ("drop", "phrases"), 'go into "also"'),
    ({"drop": {"also": "x"}}, ("drop", "also"), "a list of texts"),
    ({"drop": {"also": ["x", 5]}}, ("drop", "also", 1), "a text that is not blank"),
    ({"drop": {"also": ["x", " \n"]}}, ("drop", "also", 1), "a text that is not blank"),
    ({"drop": {"also": [["x", ""]]}}, ("drop", "also", 0), "a text that is not blank"),
    *(
        ({"drop": {"no_speech_prob": value}}, ("drop", "no_speech_prob"), "from 0 to less than 1")
        for value in (1, -0.1, True, "0.8", None, float("nan"))
    ),
    ({"replace": ["a"]}, ("replace",), "this must be an object"),
    ({"replace": {"a": 5}}, ("replace", "a"), "this must be a text"),
    ({"replace": {"": "x"}}, ("replace", ""), "not blank"),
    ({"replace": {" ": "x"}}, ("replace", " "), "not blank"),
    ({"replace": {"a b": "x", "a  b": "y"}}, ("replace", "a  b"), "the same text as key 1"),
    ({"replace": {"a": "b", "b": "a"}}, ("replace", "a"), "never comes to rest"),
    ({"replace": {"/x/": "x x"}}, ("replace", "/x/"), "never comes to rest"),
    ({"replace": {"/x/g": ""}}, ("replace", "/x/g"), "all matches are replaced without 'g'"),
    ({"replace": {"/etc/passwd": ""}}, ("replace", "/etc/passwd"), "the flag 'a' is not known"),
    ({"replace": {"/x/ii": ""}}, ("replace", "/x/ii"), "twice"),
    ({"replace": {"/(x/": ""}}, ("replace", "/(x/"), "this is not a pattern: missing )"),
    ({"replace": {"/x{2,1}/": ""}}, ("replace", "/x{2,1}/"), "this is not a pattern"),
    *(
        ({"replace": {key: ""}}, ("replace", key), "can match an empty text")
        for key in ("//", "/x*/", "/x?/", "/^/", "/\\b/")
    ),
    *(({"replace": {key: ""}}, ("replace", key), "matches every text") for key in ("/./", "/.+/s", "/\\w+/", "/[^ ]/")),
    ({"replace": {"/(x)/": "\\2"}}, ("replace", "/(x)/"), "\\1 or \\g<name>"),
    ({"replace": {"/(?P<a>x)/": "\\g<b>"}}, ("replace", "/(?P<a>x)/"), "\\1 or \\g<name>"),
    ({"replace": {"/x/": "\\"}}, ("replace", "/x/"), "a backslash is written \\\\"),
)

#: Values, the path of the warning, and what its message has.
WARNINGS: tuple[tuple[Any, tuple[str | int, ...], str], ...] = (
    ({"drop": {"also": ["foo", "bar", "Foo!"]}}, ("drop", "also", 2), "phrase 1 of 'also' is the same text"),
    ({"drop": {"phrases": "known", "also": ["thanks for watching"]}}, ("drop", "also", 0), "of 'known'"),
    ({"drop": {"also": ["a", "foo bar"]}, "replace": {"foo": "x"}}, ("drop", "also", 1), "this never matches"),
    ({"drop": {"also": ["foo"]}, "replace": {"foo": ""}}, ("drop", "also", 0), "this never matches"),
    ({"drop": {"phrases": "known"}, "replace": {"amara.org": "x"}}, ("drop", "phrases"), "known phrases never match"),
    ({"replace": {"/(a|aa)+$/": "x"}}, ("replace", "/(a|aa)+$/"), "given up where it does"),
)

#: Values without a fault.
QUIET: tuple[Any, ...] = (
    {},
    {"drop": {"phrases": "known"}},
    {"drop": {"also": ["♪♪", "请不吝点赞"], "no_speech_prob": 0}},
    {"drop": {"also": ["foo"]}, "replace": {"foo": "Foo", "bar": "baz"}},
    {"drop": {"also": ["foo", "bar"]}, "replace": {"foo": "bar"}},
    {"collapse_repeats": 2, "trim": False, "replace": {}},
    {"replace": {"a": "", "smith": "John Smith", "/home": "/root", "/": "slash", "C:\\new": "x\\y"}},
    {
        "replace": {
            "/(\\d+) euros?/i": "\\1 €",
            "/\\bum+\\b,? ?/i": "",
            "/a # x\n/x": "b",
            "/(?i)foo/": "bar",
            "/\\//": "-",
        }
    },
)


class CompilingTests(SynchronousTestCase):
    """Faults of values."""

    def faults(self, values: object) -> tuple[Fault, ...]:
        return compiled(values)[1]

    def test_errors(self) -> None:
        """Each error has a path and says what would be right."""
        for values, path, message in ERRORS:
            found = [fault for fault in self.faults(values) if not fault.warning and fault.path == path]
            self.assertTrue(any(message in fault.message for fault in found), (values, self.faults(values)))

    def test_warnings(self) -> None:
        """What is legal and probably a mistake is a warning."""
        for values, path, message in WARNINGS:
            found = [fault for fault in self.faults(values) if fault.path == path]
            self.assertTrue(found, (values, self.faults(values)))
            self.assertTrue(all(fault.warning and message in fault.message for fault in found), found)

    def test_quiet(self) -> None:
        """Other values have none."""
        for values in QUIET:
            self.assertEqual(self.faults(values), (), values)

    def test_all_errors(self) -> None:
        """One reading finds all errors."""
        values = {"x": 1, "trim": 1, "chinese": 1, "drop": {"also": [1, 2]}, "replace": {"/(/": "", "": "", "a": 1}}
        self.assertEqual(len(self.faults(values)), 8)

    def test_at_name(self) -> None:
        """A fault says whether the name or the value is wrong."""
        faults = self.faults({"x": 1, "replace": {"/(/": "", "/a/": "\\1"}})
        self.assertEqual([fault.at_name for fault in faults], [True, True, False])

    def test_no_values(self) -> None:
        """The message of a warning has no text of the configuration, as it goes into logs."""
        for values, _, _ in WARNINGS:
            for fault in self.faults(values):
                self.assertNotIn("foo", fault.message.lower())

    def test_not_installed(self) -> None:
        """Without OpenCC, the error has the command that installs it."""
        with mock.patch.dict(sys.modules, {"opencc": None}):
            (fault,) = self.faults({"chinese": "jp2t"})
        self.assertEqual(fault.path, ("chinese",))
        self.assertIn('pip install "sttproxy[chinese]"', fault.message)

    def test_phrases_in(self) -> None:
        """The phrases in a file are its lines, without comments."""
        self.assertEqual(phrases_in("\ufeffone\r\n\n# two\n  three four \n"[1:]), ["one", "three four"])

    def test_works(self) -> None:
        """Rules are true if there is one."""
        self.assertFalse(compiled({})[0])
        self.assertFalse(compiled({"trim": False, "replace": {}})[0])
        for values in ({"trim": True}, {"collapse_repeats": 3}, {"drop": {"also": ["x"]}}, {"replace": {"a": "b"}}):
            self.assertTrue(compiled(values)[0], values)

    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner)))
    def test_any_value(self, value: object) -> None:
        """No value raises."""
        for member in MEMBERS:
            self.faults({member: value})
        self.faults({"drop": {"also": value, "phrases": value, "no_speech_prob": value}})

    @given(st.dictionaries(st.text("/ab(|)*+?\\i g", max_size=8), st.text("ab\\1g<", max_size=4), max_size=4))
    def test_any_keys(self, keys: dict[str, str]) -> None:
        """No key raises, and rules without an error clean."""
        cleaning, faults = compiled({"replace": keys})
        if not faults:
            texts(cleaning, "ab a b/ab")


class NumberTests(SynchronousTestCase):
    """What is counted has the numbers of the configuration."""

    def test_also(self) -> None:
        """Phrases are counted from 1, also those of a file."""
        cleaning = rules(drop={"also": ["one", ["two", "three"], "four"]})
        assert cleaning.drop
        self.assertEqual(
            [cleaning.drop.phrases[text] for text in ("one", "three", "four")], [("also", n) for n in (1, 3, 4)]
        )


class ConvertedTests(SynchronousTestCase):
    """Keys and phrases where the script is converted first."""

    skip = NO_OPENCC

    def test_keys(self) -> None:
        """A key is found in both spellings."""
        for key in ("頭髮", "头发"):
            self.assertEqual(texts(rules(chinese="t2s", replace={key: "hair"}), "頭髮", "头发"), ["hair", "hair"])

    def test_phrases(self) -> None:
        """So is a phrase."""
        for phrase in ("請不吝點贊", "请不吝点赞"):
            self.assertEqual(clean(rules(chinese="s2t", drop={"also": [phrase]}), []), [])
            self.assertEqual(texts(rules(chinese="s2t", drop={"also": [phrase]}), "請不吝點贊", "请不吝点赞"), [])
