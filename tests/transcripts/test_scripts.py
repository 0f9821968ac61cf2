"""
Tests for :mod:`sttproxy.transcripts.scripts`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.scripts import begins_with_word, ends_with_word, fold, length


class FoldTests(SynchronousTestCase):
    """Folding keeps what makes two texts different to a listener."""

    def test_same(self) -> None:
        """Case, width, spaces, punctuation and symbols make no difference."""
        for texts in (
            (
                "Thank you for watching!",
                " thank  you\nfor watching",
                "ＴＨＡＮＫ ｙｏｕ for watching…",
                "“Thank you” for watching ♪",
            ),
            ("字幕由 Amara.org 社群提供", "字幕由Amara.org社群提供。", "【字幕由 AMARA.ORG 社群提供】"),
            ("❤️ par SousTitreur.com", "par soustitreur com"),
            ("caf\u00e9", "CAFE\u0301"),
        ):
            self.assertEqual(len(set(map(fold, texts))), 1, texts)

    def test_different(self) -> None:
        """Letters, digits, accents and vowel signs make a difference."""
        for one, other in (("a", "b"), ("2020", "2021"), ("vídeo", "video"), ("की", "का"), ("が", "か"), ("กา", "กี")):
            self.assertNotEqual(fold(one), fold(other), (one, other))

    def test_symbols(self) -> None:
        """A text without letters is compared by its symbols."""
        self.assertEqual(fold(" ♪ ♪\n"), "♪♪")
        self.assertEqual(fold("…"), "...")
        self.assertEqual(fold(" \n"), "")

    @given(st.text())
    def test_twice(self, text: str) -> None:
        """A folded text is folded."""
        self.assertEqual(fold(fold(text)), fold(text))


class WordTests(SynchronousTestCase):
    """Which scripts have words between spaces."""

    def test_begins(self) -> None:
        """Latin, Cyrillic, Arabic, Devanagari and Korean have; Chinese, Japanese and Thai have not."""
        for text in ("a", "Я", "ع", "क", "한", "7", "_", "\u0301"):
            self.assertTrue(begins_with_word(text), text)
        for text in ("中", "か", "カ", "ก", "ー", ".", " ", ""):
            self.assertFalse(begins_with_word(text), text)

    def test_ends(self) -> None:
        """Behind a Korean word, letters can be a particle."""
        self.assertTrue(ends_with_word("GPT"))
        self.assertFalse(ends_with_word("한국"))
        self.assertFalse(ends_with_word("中国"))

    def test_length(self) -> None:
        """An ideograph, a kana and a Korean syllable count as two."""
        for text, expected in (("I know.", 5), ("谢谢！", 4), ("かな", 4), ("한국", 4), ("♪", 0), ("100", 3)):
            self.assertEqual(length(text), expected, text)
