"""
Tests for :mod:`sttproxy.transcripts.phrases`: the data file, and which segments are dropped.
"""

from __future__ import annotations

import re
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config.known import LANGUAGES
from sttproxy.transcripts.model import Segment
from sttproxy.transcripts.phrases import Drop, known
from sttproxy.transcripts.scripts import fold

#: What people say every day, also as a whole segment.
EVERYDAY = (
    "Thank you.", "Thanks.", "Thank you very much.", "you", "Bye.", "Okay.", "Yes.", "So", "Hello.", "See you.",
    "谢谢大家", "谢谢", "好", "ありがとうございました", "はい",
    "감사합니다", "Danke.", "Vielen Dank.", "Merci.", "Gracias.", "Спасибо.",
    "Obrigado.", "Tack.", "The end.", "I don't know.",
)  # fmt: skip


class KnownTests(SynchronousTestCase):
    """The data file."""

    def test_size(self) -> None:
        """There are phrases in many languages."""
        self.assertGreaterEqual(len(known()), 120)
        self.assertGreaterEqual(len({phrase.language for phrase in known()}), 12)

    def test_numbers(self) -> None:
        """The numbers are in order, and each is there once."""
        self.assertEqual([phrase.number for phrase in known()], list(range(1, len(known()) + 1)))

    def test_languages(self) -> None:
        """The languages are codes of Whisper's languages."""
        self.assertEqual({phrase.language for phrase in known()} - LANGUAGES.keys(), set())

    def test_reports(self) -> None:
        """Each phrase has the address of a public report."""
        for phrase in known():
            self.assertTrue(re.fullmatch(r"https://[\w.-]+/[\w./-]+", phrase.report), phrase)

    def test_texts(self) -> None:
        """Each text is there once, is long enough to be no word of a sentence, and has no blanks at its ends."""
        for folded, count in Counter(fold(phrase.text) for phrase in known()).items():
            self.assertEqual(count, 1, folded)
        for phrase in known():
            self.assertEqual(phrase.text, phrase.text.strip())
            self.assertGreaterEqual(len(fold(phrase.text)), 7, phrase)

    def test_everyday(self) -> None:
        """What people say every day is not in the file."""
        self.assertEqual({fold(text) for text in EVERYDAY} & {fold(phrase.text) for phrase in known()}, set())


class DropTests(SynchronousTestCase):
    """Which segments are dropped."""

    def setUp(self) -> None:
        self.drop = Drop({fold("Thanks for watching!"): ("known", 2)}, 0.8)

    def test_whole_text(self) -> None:
        """A segment is dropped if its whole text is a phrase, whatever its case and punctuation."""
        for text in ("Thanks for watching!", " thanks for watching", "♪ THANKS FOR WATCHING ♪"):
            self.assertEqual(self.drop.reason(Segment(text), text), ("known", 2))

    def test_part(self) -> None:
        """A phrase within a sentence is none, and neither is a part of a phrase."""
        for text in (
            "Well, thanks for watching!",
            "Thanks for watching the dog.",
            "Thanks for",
            "Thanks for watchin",
            "",
        ):
            self.assertIsNone(self.drop.reason(Segment(text), text))

    def test_silence(self) -> None:
        """A segment of silence is dropped if its text is improbable, too, as Whisper does it."""
        for silence, logprob, dropped in (
            (0.9, -1.1, True),
            (0.9, -1.0, True),
            (0.9, -0.9, False),
            (0.8, -2.0, False),
            (0.1, -2.0, False),
            (0.9, None, False),
            (None, -2.0, False),
            (float("nan"), -2.0, False),
            (0.9, float("nan"), False),
        ):
            segment = Segment("text", no_speech_prob=silence, avg_logprob=logprob)
            self.assertEqual(self.drop.reason(segment, "text") == ("no_speech", 0), dropped, (silence, logprob))

    def test_no_limit(self) -> None:
        """Without a limit no segment is dropped for its silence."""
        self.assertIsNone(Drop({}).reason(Segment("x", no_speech_prob=1.0, avg_logprob=-9.0), "x"))
