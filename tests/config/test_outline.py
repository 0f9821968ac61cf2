"""
Tests for :mod:`sttproxy.config.outline`.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import outline, parse

FILE = """{
    "language": "zh", "stream": null, "prompt": "secret-1",
    "hotwords": {"$prepend": "secret-6", "$append": "secret-7", "max_tokens": 224}, "$rename": {"lang": "language"},
    "$default": {"temperature": 0, "prompt": "secret-2", "response_format": {"value": "json", "when_empty": true}},
    "$map": {"model": {"secret-3": "secret-4", "none": null, "*": "secret-5"}},
    "$profiles": {"open": {"$unset": ["language", "prompt"]}}
}"""


class OutlineTests(SynchronousTestCase):
    """The rules in force, by profile."""

    def test_names(self) -> None:
        """Each field has the rule that applies to it, in each profile; no value is told."""
        shown = outline(parse(FILE.encode()))
        rules = {each["profile"]: [(rule["rule"], rule["field"]) for rule in each["rules"]] for each in shown}
        common = [("default", "temperature"), ("default", "response_format")]
        self.assertEqual(
            rules[""],
            [
                ("renamed", "lang"),
                ("forced", "language"),
                ("removed", "stream"),
                ("forced", "prompt"),
                ("joined", "hotwords"),
                ("mapped", "model"),
                *common,
            ],
        )
        kept = [("renamed", "lang"), ("removed", "stream"), ("joined", "hotwords"), ("mapped", "model"), *common]
        self.assertEqual(sorted(rules["open"]), sorted(kept))
        text = json.dumps(shown)
        self.assertNotIn("secret", text)
        self.assertNotIn("zh", text)

    def test_values(self) -> None:
        """Asked for, the values come as JSON text, and tables with what they replace."""
        rules = {rule["field"]: rule for rule in outline(parse(FILE.encode()), values=True)[0]["rules"]}
        self.assertEqual(rules["language"]["value"], '"zh"')
        self.assertEqual(rules["temperature"]["value"], "0")
        self.assertEqual(rules["model"]["table"], {"secret-3": '"secret-4"', "none": None, "*": '"secret-5"'})
        self.assertEqual((rules["hotwords"]["before"], rules["hotwords"]["after"]), ('"secret-6"', '"secret-7"'))
        self.assertEqual((rules["hotwords"]["max_tokens"], rules["lang"]["new_name"]), (224, "language"))
        self.assertTrue(rules["response_format"]["when_empty"])
        self.assertNotIn("value", rules["stream"])
