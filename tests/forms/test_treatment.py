"""
Tests for :mod:`sttproxy.forms.treatment`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import Config, parse

from .rewriting import drops, forced_json


class RulesTests(SynchronousTestCase):
    """A configuration in bytes, ready to be applied."""

    def test_forced(self) -> None:
        """All parts of all fields are written in the order of the file, in UTF-8."""
        rules = parse('{"prompt": "会议\\n", "g": ["a", "b"], "temperature": 0.20, "v": {"k": true}}'.encode()).base
        self.assertEqual(
            rules.forced_parts,
            (
                (b"prompt", "会议\n".encode()),
                (b"g[]", b"a"),
                (b"g[]", b"b"),
                (b"temperature", b"0.20"),
                (b"v[k]", b"true"),
            ),
        )

    def test_ruled(self) -> None:
        """Every field of the file is ruled, also one that is only removed; nothing else is."""
        rules = parse(b'{"prompt": null, "Gran[]": ["a"], "v": {}}').base
        self.assertEqual(rules.forced_parts, ((b"Gran[]", b"a"),))
        for name in (
            "prompt",
            "Prompt",
            "prompt[]",
            " prompt ",
            "[prompt]",
            "gran",
            "GRAN[0]",
            "ｇran［］",
            "v[k]",
            "V",
        ):
            self.assertTrue(drops(rules, name), name)
        for name in ("prompts", "", "file", "model", "initial_prompt", "k"):
            self.assertFalse(drops(rules, name), name)

    def test_forced_json(self) -> None:
        """A JSON object gets each value as it stands in the file, under the name without its brackets."""
        rules = parse('{"prompt": "会\\n", "g[]": ["a", 0.20], "v": {"k": true}, "x": null, "y": []}'.encode()).base
        self.assertEqual(
            forced_json(rules),
            [("prompt", '"会\\n"'), ("g", '["a", 0.20]'), ("v", '{"k": true}'), ("y", "[]")],
        )

    def test_charset(self) -> None:
        """A field that tells parsers how to decode the others is ruled by every configuration, in every spelling."""
        for config in (Config(), parse(b'{"a": "1"}')):
            for name in ("_charset_", "_CHARSET_", " _charset_[]", "＿charset＿"):
                self.assertTrue(drops(config.base, name), name)

    def test_nothing(self) -> None:
        """An empty configuration rules and writes nothing."""
        for config in (Config(), parse(b"{}")):
            rules = config.base
            self.assertEqual(rules.forced_parts, ())
            for name in ("prompt", "", "file"):
                self.assertFalse(drops(rules, name))
