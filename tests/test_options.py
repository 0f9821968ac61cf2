"""
Tests for :mod:`sttproxy.options`: the table is complete and fits what is made of it.
"""

from __future__ import annotations

from typing import Any, get_type_hints

import attrs
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.options import OPTIONS, Group, plain
from sttproxy.settings import _COMBINED, Settings, Sources, settings_of


class TableTests(SynchronousTestCase):
    """Each row."""

    def test_names(self) -> None:
        """No name is there twice, nor a variable; the groups stand together, in their order."""
        for names in ([option.name for option in OPTIONS], [option.variable for option in OPTIONS]):
            self.assertEqual(len(names), len(set(names)))
        self.assertEqual([*dict.fromkeys(option.group for option in OPTIONS)], [*Group])
        groups = [option.group for option in OPTIONS]
        self.assertEqual(groups, sorted(groups, key=[*Group].index))

    def test_texts(self) -> None:
        """Both helps are sentences, the Chinese one in Chinese."""
        for option in OPTIONS:
            self.assertRegex(option.help, r"\A[A-Z`u].*\.\Z", option.name)
            self.assertRegex(option.help_zh, r"[\u4e00-\u9fff].*。\Z", option.name)

    def test_defaults(self) -> None:
        """Each default can be read as if it had been typed."""
        for option in OPTIONS:
            if option.default:
                option.kind.read(option.default)

    def test_settings(self) -> None:
        """Each option that stands for itself is an attribute of the settings, of the type that its values have."""
        settings, types = settings_of(Sources({}, {})), get_type_hints(Settings)
        fields = {field.name for field in attrs.fields(Settings)}
        single = {option.attribute for option in OPTIONS if option.name not in _COMBINED}
        self.assertEqual(fields - single, {"destination", "source", "embedded", "embedded_model", "process"})
        for option in OPTIONS:
            if option.attribute in single and not option.repeats:
                value: Any = getattr(settings, option.attribute)
                self.assertIsInstance(value, types[option.attribute], option.name)

    def test_plain(self) -> None:
        """The help has no marks of Markdown."""
        self.assertEqual(plain("a [b c](https://d/e) `f` (g)"), "a b c f (g)")
