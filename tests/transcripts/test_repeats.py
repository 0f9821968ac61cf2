"""
Tests for :mod:`sttproxy.transcripts.repeats`: which repetitions are loops.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.edits import edited
from sttproxy.transcripts.repeats import LONG_RUN, MAX_PHRASE, SHORT, is_loop, repeats


def collapsed(text: str, least: int = 3) -> str:
    """A text after one pass."""
    return edited(text, repeats(text, least)[0])


class RepeatsTests(SynchronousTestCase):
    """Repetitions within one text."""

    def test_loops(self) -> None:
        """One of each repeated phrase is kept."""
        for text, expected in (
            ("Thanks for watching! Thanks for watching! Thanks for watching!", "Thanks for watching!"),
            ("I know it, I know it, I know it, I know it. I know it, I know it.", "I know it."),
            (
                "So: thank you very much. Thank you very much. Thank you very much. Bye.",
                "So: thank you very much. Bye.",
            ),
            ("谢谢大家谢谢大家，谢谢大家。谢谢大家", "谢谢大家"),
            ("请不吝点赞 请不吝点赞 请不吝点赞", "请不吝点赞"),
            ("감사합니다 감사합니다 감사합니다.", "감사합니다."),
            ("ขอบคุณขอบคุณขอบคุณ", "ขอบคุณ"),
        ):
            self.assertEqual(collapsed(text), expected, text)

    def test_least(self) -> None:
        """Fewer repetitions than asked for are left alone."""
        text = "Thanks for watching! Thanks for watching! Thanks for watching!"
        self.assertEqual(collapsed(text, 4), text)
        self.assertEqual(collapsed("Thank you. Thank you.", 2), "Thank you.")

    def test_cut_off(self) -> None:
        """A part of the phrase at the end of the text goes, and the punctuation behind the first one stays."""
        text = "Thank you very much. Thank you very much. Thank you very much. Thank you"
        self.assertEqual(collapsed(text), "Thank you very much.")

    def test_part_within(self) -> None:
        """A part of the phrase that another text follows stays."""
        text = "thank you all, thank you all, thank you all, thank you for this"
        self.assertEqual(collapsed(text), "thank you all, thank you for this")

    def test_two_loops(self) -> None:
        """A text may have several loops."""
        text = "one two three one two three one two three four five six four five six four five six"
        self.assertEqual(collapsed(text), "one two three four five six")
        self.assertEqual(repeats(text, 3)[1], 2)
        self.assertEqual(repeats("I told you, I told you, I told you.", 3)[1], 1)

    def test_short(self) -> None:
        """Short phrases and numbers are left alone."""
        for text in (
            "hahaha",
            "ha ha ha ha",
            "no no no no no",
            "no, no, no, no, no, no",
            "yes yes yes",
            "对对对对对",
            "5 5 5 5",
        ):
            self.assertEqual(collapsed(text), text)
        for text in ("1234567 1234567 1234567", "100 000 100 000 100 000"):
            self.assertEqual(collapsed(text), text)

    def test_long_run(self) -> None:
        """Short phrases and numbers are loops where the run is long."""
        for unit, expected in (("no ", "no "), ("90 ", "90 "), ("你", "你"), ("ha", "ha")):
            self.assertEqual(collapsed(unit * LONG_RUN), expected, unit)

    def test_words_of_short_phrases(self) -> None:
        """Several repetitions of a short phrase are no longer phrase."""
        text = "no no no no no no no no no no no no"
        self.assertEqual(collapsed(text), text)

    def test_long_phrase(self) -> None:
        """A phrase of as many words as are looked at is found; a longer one is not."""
        for size, found in ((MAX_PHRASE, True), (MAX_PHRASE + 1, False)):
            text = " ".join(f"w{number}" for number in range(size))
            self.assertEqual(collapsed(f"{text} {text} {text}") == text, found)

    def test_speech(self) -> None:
        """Speech without loops has none."""
        for text in ("", "♪ ♪ ♪", "I said that that was that.", "a b a b c a b", "the cat and the dog and the bird"):
            self.assertEqual(repeats(text, 3), ([], 0), text)

    def test_is_loop(self) -> None:
        """The limits themselves."""
        self.assertTrue(is_loop("a" * SHORT, 3, 3))
        self.assertFalse(is_loop("a" * SHORT, 2, 3))
        self.assertFalse(is_loop("a" * (SHORT - 1), 3, 3))
        self.assertTrue(is_loop("1" * 50, 3, 3))
        self.assertFalse(is_loop("♪" * 9, 3, 3))

    @given(st.text("ab cd", min_size=3, max_size=12), st.integers(3, 30), st.text("xyz ", max_size=10))
    def test_any(self, phrase: str, times: int, after: str) -> None:
        """Edits are in order and within the text, and add no more than a mark."""
        text = f"{phrase} " * times + after
        at = 0
        for edit in repeats(text, 3)[0]:
            self.assertTrue(at <= edit.start <= edit.end <= len(text) and len(edit.text) <= 1)
            at = edit.end
