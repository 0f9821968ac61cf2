"""
Tests for :mod:`sttproxy.options`: the table is complete and agrees with the settings.
"""

from __future__ import annotations

from typing import Any, get_type_hints

import attrs
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.options import OPTIONS, Group, plain
from sttproxy.settings import _COMBINED, Settings, Sources, settings_of


class TableTests(SynchronousTestCase):
    """Each row of the table."""

    def test_names(self) -> None:
        """Names and variables are unique; the options are in the order of the groups."""
        for names in ([option.name for option in OPTIONS], [option.variable for option in OPTIONS]):
            self.assertEqual(len(names), len(set(names)))
        self.assertEqual([*dict.fromkeys(option.group for option in OPTIONS)], [*Group])
        groups = [option.group for option in OPTIONS]
        self.assertEqual(groups, sorted(groups, key=[*Group].index))

    def test_texts(self) -> None:
        """Both help texts are sentences, one of them in Chinese."""
        for option in OPTIONS:
            self.assertRegex(option.help, r"\A[A-Z`u].*\.\Z", option.name)
            self.assertRegex(option.help_zh, r"[\u4e00-\u9fff].*。\Z", option.name)

    def test_defaults(self) -> None:
        """Each default is a valid value."""
        for option in OPTIONS:
            if option.default:
                option.kind.read(option.default)

    def test_settings(self) -> None:
        """Each single option is an attribute of the settings, whose type fits the option's values."""
        settings, types = settings_of(Sources({}, {})), get_type_hints(Settings)
        fields = {field.name for field in attrs.fields(Settings)}
        single = {option.attribute for option in OPTIONS if option.name not in _COMBINED}
        self.assertEqual(fields - single, {"destinations", "source", "embedded", "embedded_model", "process"})
        for option in OPTIONS:
            if option.attribute in single and not option.repeats:
                value: Any = getattr(settings, option.attribute)
                self.assertIsInstance(value, types[option.attribute], option.name)

    def test_plain(self) -> None:
        """The plain help contains no Markdown."""
        self.assertEqual(plain("a [b c](https://d/e) `f` (g)"), "a b c f (g)")
