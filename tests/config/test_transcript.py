"""
Tests for ``$transcript`` in :mod:`sttproxy.config`: what is read, errors with their places, and warnings.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import Config, parse
from sttproxy.config.findings import MAX_FINDINGS
from sttproxy.errors import ConfigError

#: Files with one error: the file, with a ``^`` before the error's place, the path within the file, and a part of the
#: message.
FAULTS: tuple[tuple[str, str, str], ...] = (
    ('{"$transcript": ^null}', "$.transcript", "must be an object"),
    ('{"$profiles": {"p": {"$transcript": ^[]}}}', "$.profiles.p.transcript", "must be an object"),
    ('{"$transcript": {^"colapse_repeats": 3}}', "$.transcript.colapse_repeats", "did you mean 'collapse_repeats'?"),
    ('{"$transcript": {^"delivery": "as-asked"}}', "$.transcript.delivery", "is not known; the names allowed here are"),
    ('{"$transcript": {"deliver": ^"json"}}', "$.transcript.deliver", 'must be "as-is" or "as-asked"'),
    ('{"$transcript": {"collapse_repeats": ^2.5}}', "$.transcript.collapse_repeats", "whole number of at least 2"),
    ('{"$transcript": {"collapse_repeats": ^1e999}}', "$.transcript.collapse_repeats", "whole number of at least 2"),
    ('{"$transcript": {"chinese": ^"t2"}}', "$.transcript.chinese", "one of OpenCC's conversions"),
    ('{"$transcript": {"replace": {"ok": "",\n "x y": ^0}}}', '$.transcript.replace["x y"]', "must be a text"),
    ('{"$transcript": {"replace": {^"/(/": ""}}}', '$.transcript.replace["/(/"]', "this is not a pattern"),
    ('{"$transcript": {"replace": {"a": ^{"$file": "p"}}}}', "$.transcript.replace.a", "must be a text"),
    ('{"$transcript": {"drop": {"also": ["x",\n\n ^1]}}}', "$.transcript.drop.also[1]", "must be a text"),
    ('{"$transcript": {"drop": {"also": [^["x"]]}}}', "$.transcript.drop.also[0]", "must be a text"),
    ('{"$transcript": {"drop": {"also": [^{}]}}}', "$.transcript.drop.also[0]", "must be a text"),
    ('{"$transcript": {"drop": {"also": ^{"$file": "p"}}}}', "$.transcript.drop.also", "must be a list"),
    ('{"$transcript": {"drop": {"also": [^{"$file": "gone"}]}}}', "$.transcript.drop.also[0]", "the file gone: lost"),
    ('{"$transcript": {"drop": {"also": [^{"$file": ""}]}}}', "$.transcript.drop.also[0]", "an included text must be"),
)


def read(path: str) -> bytes | str:
    """Read an included file."""
    return "lost" if path == "gone" else b"# phrases\n\nOne more!\nbye\n"


def parsed(file: Any) -> Config:
    """Read a configuration."""
    return parse(json.dumps(file).encode(), read=read)


def folded(config: Config) -> dict[str, tuple[str, int]]:
    """The phrases of the base."""
    assert config.base.transcript is not None and config.base.transcript.cleaning.drop is not None
    return dict(config.base.transcript.cleaning.drop.phrases)


class FaultTests(SynchronousTestCase):
    """What cannot be used."""

    def test_faults(self) -> None:
        """Each error has its line, its column and its path."""
        for marked, where, message in FAULTS:
            before, _, after = marked.partition("^")
            line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
            with self.assertRaises(ConfigError) as caught:
                parse((before + after).encode(), read=read)
            (finding,) = caught.exception.findings
            self.assertEqual((finding.line, finding.column, finding.where), (line, column, where), marked)
            self.assertIn(message, finding.message)

    def test_many(self) -> None:
        """The first errors are shown, and the others are counted."""
        file = {"$transcript": {"replace": {f"/({number}/": "" for number in range(2 * MAX_FINDINGS)}}}
        with self.assertRaises(ConfigError) as caught:
            parsed(file)
        self.assertEqual(len(caught.exception.findings), MAX_FINDINGS + 1)


class RulesTests(SynchronousTestCase):
    """What is read."""

    def test_none(self) -> None:
        """Without the member there are no rules, and no warning."""
        config = parsed({"$profiles": {"p": {}}})
        self.assertEqual((config.base.transcript, config.profiles["p"].transcript, config.warnings), (None, None, ()))

    def test_values(self) -> None:
        """The rules are compiled; numbers may be written in any way, and comments are ignored."""
        values = {"collapse_repeats": 3.0, "drop": {"no_speech_prob": 0.8, "$comment": 1}, "replace": {"$comment": 2}}
        rules = parsed({"$transcript": {**values, "$comment": 3}}).base.transcript
        assert rules is not None and rules.cleaning.drop is not None
        self.assertEqual((rules.cleaning.repeats, rules.cleaning.drop.no_speech_prob), (3, 0.8))
        self.assertEqual(rules.values, {"collapse_repeats": 3, "drop": {"no_speech_prob": 0.8}, "replace": {}})

    def test_included(self) -> None:
        """Each line of an included text is a phrase; an empty text has none."""
        config = parsed({"$transcript": {"drop": {"also": ["a", {"$file": "p"}, "b"]}}})
        self.assertEqual(
            folded(config), {"a": ("also", 1), "onemore": ("also", 2), "bye": ("also", 3), "b": ("also", 4)}
        )
        empty = parse(b'{"$transcript": {"drop": {"also": [{"$file": "p"}]}}}', read=lambda path: b"")
        self.assertEqual(folded(empty), {})

    def test_profiles(self) -> None:
        """A profile takes over the rules of the base as a whole, or has its own as a whole, or none."""
        own = {"collapse_repeats": 5}
        file = {
            "$profiles": {"a": {}, "b": {"$transcript": own}, "c": {"$transcript": {}}},
            "$transcript": {"trim": True},
        }
        config = parsed(file)
        a, b, c = (config.profiles[name].transcript for name in "abc")
        assert b is not None and c is not None
        self.assertIs(a, config.base.transcript)
        self.assertEqual((b.values, b.cleaning.trim, bool(c.cleaning)), (own, False, False))

    def test_changes(self) -> None:
        """A change of the rules, or of an included text, is named; equal rules are no change."""
        none, trim = parsed({}), {"$transcript": {"trim": True}}
        self.assertEqual(none.changes(parsed(trim)), ["$transcript"])
        self.assertEqual(parsed(trim).changes(parsed(trim)), [])
        self.assertEqual(
            parsed({"$profiles": {"p": {}}}).changes(parsed({"$profiles": {"p": trim}})), ["p: $transcript"]
        )
        file = b'{"$transcript": {"drop": {"also": [{"$file": "p"}]}}}'
        texts = [parse(file, read=lambda path, text=text: text) for text in (b"a", b"b")]
        self.assertEqual(texts[0].changes(texts[1]), ["$transcript"])


class WarningTests(SynchronousTestCase):
    """What is legal and probably a mistake."""

    def test_places(self) -> None:
        """The warnings about the rules have their places, too."""
        text = '{"$transcript": {"drop": {"also": ["a b", "A, B!", "um"]},\n"replace": {"um": ""}}}'
        found = parse(text.encode()).warnings
        self.assertEqual(
            [each.where for each in found], ["$.transcript.drop.also[1]", "$.transcript.drop.also[2]"], found
        )
        self.assertEqual(
            [(each.line, each.column) for each in found], [(1, text.index('"A') + 1), (1, text.index('"um') + 1)]
        )
