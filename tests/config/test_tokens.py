"""
Tests for :mod:`sttproxy.config.tokens`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config.tokens import estimated_tokens, last_words


class EstimateTests(SynchronousTestCase):
    """The estimate of tokens."""

    def test_tokens(self) -> None:
        """The estimate is one token for four ASCII characters, and one for each other character."""
        for text, tokens in (("", 0), ("abcd", 1), ("abcdefgh", 2), ("会议", 2), ("会abcd议", 3), ("é", 1)):
            self.assertEqual(estimated_tokens(text), tokens, text)


class LastWordsTests(SynchronousTestCase):
    """The end of a text that fits."""

    def test_cut(self) -> None:
        """A text that fits is unchanged; of another one the first words are left out, as few as possible."""
        for text, around, most, expected in (
            ("", "", 0, ""),
            ("one two", "", 2, "one two"),
            (" one two ", "", 2, " one two "),
            ("one two three four", "", 3, "three four"),
            ("one two three four", "", 4, "one two three four"),
            ("one two three four", "abcdefgh", 4, "three four"),
            ("one  two\nthree\u3000four five", "", 4, "four five"),
            ("incomprehensibilities", "", 3, ""),
            ("a incomprehensibilities", "", 3, ""),
            ("one two", "abcd" * 9, 5, ""),
            ("会议记录", "", 2, "记录"),
            ("会议记录MLX", "", 2, "录MLX"),
            ("以下是MLX 会议", "", 3, "MLX 会议"),
            ("以下是MLXMLXMLX 会议", "", 3, "会议"),
            # A combining mark is not the beginning of a word.
            ("か\u3099か\u3099か\u3099", "", 3, "か\u3099"),
            ("葛\U000e0100葛\U000e0100", "", 3, "葛\U000e0100"),
        ):
            self.assertEqual(last_words(text, around, most), expected, (text, around, most))

    @given(st.text("ab \n会é", max_size=40), st.text("ab会", max_size=8), st.integers(0, 12))
    def test_any(self, text: str, around: str, most: int) -> None:
        """The result is the end of the text and fits; an empty one always fits best."""
        cut = last_words(text, around, most)
        self.assertTrue(text.endswith(cut))
        self.assertTrue(not cut or estimated_tokens(around + cut) <= most, cut)
