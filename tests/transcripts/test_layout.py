"""
Tests for :mod:`sttproxy.transcripts.layout` and :mod:`sttproxy.transcripts.times`.
"""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.layout import LINES, Cue, columns, cues_of
from sttproxy.transcripts.model import Segment, Word
from sttproxy.transcripts.times import timestamp

LONG = (
    "The first sentence of this talk is not short. The second one is longer than the first, because it has a clause, "
    "and another one."
)


def spoken(text: str, start_s: float = 0.0) -> Segment:
    """A segment with words of half a second each."""
    words = [Word(f" {word}", start_s + at / 2, start_s + at / 2 + 0.4) for at, word in enumerate(text.split())]
    return Segment(text, start_s, start_s + len(words) / 2, words)


class CueTests(SynchronousTestCase):
    """Cues of a segment."""

    def test_short(self) -> None:
        """A short text is one line with the times of its segment."""
        self.assertEqual(cues_of(Segment(" Good\n morning. ", 1.0, 2.5)), [Cue(1.0, 2.5, ("Good morning.",))])
        self.assertEqual(cues_of(Segment(" ", 1.0, 2.5)), [])

    def test_two_lines(self) -> None:
        """Two lines have about the same width."""
        (cue,) = cues_of(Segment(LONG[:63], 0.0, 4.0))
        self.assertEqual(cue.lines, ("The first sentence of this talk", "is not short. The second one is"))

    def test_words(self) -> None:
        """A long text is split behind a sentence or a clause, at the times of its words."""
        self.assertEqual(
            cues_of(spoken(LONG, 10.0)),
            [
                Cue(10.0, 14.4, ("The first sentence of", "this talk is not short.")),
                Cue(
                    14.5,
                    22.5,
                    ("The second one is longer than the first,", "because it has a clause, and another one."),
                ),
            ],
        )
        self.assertEqual(
            [cue.lines for cue in cues_of(spoken(LONG[46:]), 30)],
            [("The second one is", "longer than the first,"), ("because it has a clause,", "and another one.")],
        )

    def test_proportion(self) -> None:
        """Without words, the times are in proportion to the text."""
        cues = cues_of(Segment("word " * 40, 0.0, 20.0))
        self.assertEqual(cues[0].start_s, 0.0)
        self.assertEqual(cues[-1].end_s, 20.0)
        self.assertAlmostEqual(cues[0].end_s, 20.0 * 80 / 199, places=5)
        self.assertEqual(cues[1].start_s, cues[0].end_s)

    def test_ideographs(self) -> None:
        """Ideographs have two columns, and no line begins with a mark that ends something."""
        text = "今天我们来讨论这个项目的进展情况，大家有什么问题可以随时提出来。" * 3
        cues = cues_of(Segment(text, 0.0, 30.0))
        self.assertEqual("".join(line for cue in cues for line in cue.lines), text)
        for cue in cues:
            for line in cue.lines:
                self.assertLessEqual(sum(map(columns, line)), 42)
                self.assertNotIn(line[0], "，。")

    def test_long_word(self) -> None:
        """A word that is wider than a line is cut."""
        cues = cues_of(Segment("x" * 100, 0.0, 1.0), 10)
        self.assertEqual([cue.lines for cue in cues], [("x" * 10,) * 2] * 5)

    def test_wrong_words(self) -> None:
        """Words that are not in the text, or have no times, are not used."""
        for words in ([Word("other", 0.0, 0.1)], [Word("word", None, None)]):
            cues = cues_of(Segment("word " * 40, 0.0, 20.0, words))
            self.assertAlmostEqual(cues[0].end_s, 20.0 * 80 / 199, places=5)

    def test_wild_times(self) -> None:
        """Times of words outside of their segment, or in another order, move no cue out of it."""
        segment = spoken(LONG)
        for word, at in zip(segment.words, itertools.cycle((99.0, -5.0, 3.0)), strict=False):
            word.start_s, word.end_s = at, at + 50
        times = [time for cue in cues_of(segment) for time in (cue.start_s, cue.end_s)]
        self.assertEqual(times, sorted(times))
        self.assertEqual((times[0], times[-1]), (segment.start_s, segment.end_s))

    @given(
        st.text(st.sampled_from("ab c.,，。我们「」👍e\u0301안 -"), max_size=200),
        st.integers(2, 50),
        st.lists(st.floats(-5, 20), max_size=60),
    )
    def test_any(self, text: str, width: int, starts: list[float]) -> None:
        """Any text fits into cues of at most two lines of the width, in order, within its segment, and is complete."""
        words = [Word(word, at, at + 1) for word, at in zip(text.split(), starts, strict=False)]
        cues = cues_of(Segment(text, 1.0, 9.0, words), width)
        shown = "".join(line for cue in cues for line in cue.lines)
        self.assertEqual(shown.replace(" ", ""), "".join(text.split()))
        times = [time for cue in cues for time in (cue.start_s, cue.end_s)]
        self.assertEqual(times, sorted(times))
        self.assertTrue(all(1.0 <= time <= 9.0 for time in times))
        for cue in cues:
            self.assertTrue(1 <= len(cue.lines) <= LINES)
            for line in cue.lines:
                self.assertLessEqual(sum(map(columns, line)), width)
                self.assertTrue(line.strip())


class TimestampTests(SynchronousTestCase):
    """Times of cues."""

    def test_rounding(self) -> None:
        """Milliseconds carry into seconds, minutes and hours; hours do not wrap."""
        self.assertEqual(timestamp(3599.9996, "."), "01:00:00.000")
        self.assertEqual(timestamp(360_000, ","), "100:00:00,000")
