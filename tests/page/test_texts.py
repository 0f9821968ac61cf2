"""
Tests for :mod:`sttproxy.page.texts`.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import errors
from sttproxy.config.outline import DEFAULT, FORCED, JOINED, MAPPED, REMOVED, RENAMED
from sttproxy.forms.evaluation import ACTS
from sttproxy.monitor.record import PHASES, ROUTES
from sttproxy.page.document import SCRIPTS
from sttproxy.page.texts import choose, load, read

#: Texts whose names are made of a part in the script and a code of the proxy.
_CODES = ("act", "chart", "ending", "error", "groups", "head", "phase", "quantile", "route", "rule", "series", "span")
#: Texts of `sttproxy.page.summary`.
_LINE = ("age", "flying", "others", "sentence", "status", "waiting")


class TextsTests(SynchronousTestCase):
    """The words of the page."""

    languages = load()

    def test_same_names(self) -> None:
        """All languages have the same texts, with the same places for values."""
        english = self.languages["en"]
        for language, words in self.languages.items():
            self.assertEqual(words.keys(), english.keys(), language)
            for name, text in words.items():
                places = [sorted(re.findall(r"\{\w+\}", each)) for each in (text, english[name])]
                self.assertEqual(*places, f"{language}: {name}")
                self.assertTrue(text or name == "sentence.space", f"{language}: {name}")

    def test_all_known(self) -> None:
        """Each text that the document or the script names exists, and each that exists is named."""
        source = "".join(map(read, ("page.html", *SCRIPTS)))
        named = set(re.findall(r'(?:data-text=|data-label=|say\(|tell\([^,]*, )"([\w.]+)"', source))
        words = self.languages["en"]
        self.assertEqual(named - words.keys(), set())
        parts = (*_CODES, *_LINE, "unit")
        unused = [name for name in words if f'"{name}"' not in source and name.partition(".")[0] not in parts]
        self.assertEqual(unused, [])

    def test_codes(self) -> None:
        """The codes of the proxy have texts: errors, phases, routes, rules and what they do."""
        words = self.languages["en"]
        kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
        wanted = [f"error.{kind.code}" for kind in kinds if issubclass(kind, errors.ProxyError)]
        wanted += [f"phase.{phase}" for phase in PHASES] + [f"route.{route}" for route in ROUTES]
        wanted += [f"act.{act}" for act in (*ACTS, "replaced")]
        wanted += [f"rule.{rule}" for rule in (FORCED, REMOVED, JOINED, MAPPED, DEFAULT, RENAMED)]
        self.assertEqual([name for name in wanted if name not in words], [])

    def test_choose(self) -> None:
        """The client's preferred language is taken if it is one of ours, otherwise English."""
        for accepted, language in (
            ("", "en"),
            ("zh", "zh"),
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
            ("zh-Hant-TW", "zh"),
            ("ZH-cn", "zh"),
            ("en-US,en;q=0.9,zh;q=0.8", "en"),
            ("de,zh;q=0.5,en;q=0.4", "zh"),
            ("de", "en"),
            ("zh;q=0, de", "en"),
            ("*", "en"),
            ("zh;q=x, ;;, \x00", "en"),
        ):
            self.assertEqual(choose(accepted, self.languages), language, accepted)
