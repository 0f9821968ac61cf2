"""
Tests for :mod:`sttproxy.transcripts.cleaning`: the rules together, on segments.
"""

from __future__ import annotations

import attrs
import regex
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.cleaning import Change, Cleaner, Cleaning
from sttproxy.transcripts.model import Segment
from sttproxy.transcripts.replacing import Pattern, Replacement, Replacing

from .rules import NO_OPENCC, clean, frozen_clock, rules, spoken, texts

THANKS = " Thanks for watching!"


class TextTests(SynchronousTestCase):
    """Rules for texts, together."""

    def test_nothing(self) -> None:
        """Without a rule, and where no rule finds anything, a segment is returned itself."""
        segment = Segment(" Hello, world.", 0.0, 1.0, spoken(" Hello,", " world."))
        for cleaning in (Cleaning(), rules(drop={"phrases": "known"}, collapse_repeats=3, replace={"x": "y"})):
            self.assertIs(clean(cleaning, [segment])[0], segment)

    def test_unchanged_input(self) -> None:
        """The given segments stay as they are."""
        segment = Segment(" open a i", 0.0, 1.0, spoken(" open", " a", " i"))
        before = attrs.evolve(segment, words=list(segment.words))
        (found,) = clean(rules(replace={"open a i": "OpenAI"}), [segment])
        self.assertEqual(segment, before)
        self.assertEqual((found.text, [word.text for word in found.words]), (" OpenAI", [" OpenAI"]))

    def test_again(self) -> None:
        """What one rule makes, an earlier one finds."""
        self.assertEqual(texts(rules(replace={"open ai": "OpenAI", "/ +the +/": " "}), "open the ai"), ["OpenAI"])

    def test_restless(self) -> None:
        """A text that each pass changes again is left as it was, and counted."""
        grows = Replacing.of([], [Pattern(Replacement(1, "", r"\1\1"), regex.compile("(x)"))])
        cleaner = Cleaner(Cleaning(replacing=grows), clock=frozen_clock())
        self.assertEqual(cleaner.feed([Segment("a x")]), [Segment("a x")])
        self.assertEqual(cleaner.counts, {("restless", 0): 1})
        self.assertIsNone(Cleaning(replacing=grows).result("x"))

    def test_trim(self) -> None:
        """Blanks at the ends, superfluous blanks and blank lines go; a cue keeps its lines."""
        for text, expected in (
            (" Hello ", "Hello"),
            ("a  b\u3000 c", "a b c"),
            ("one \n\n  two\r\nthree\n", "one\ntwo\nthree"),
            ("Well , yes . No .", "Well, yes. No."),
            ("a .5 , .net ... b", "a .5, .net ... b"),
            ("Bonjour ! 3 000", "Bonjour ! 3 000"),
            ("中　文", "中　文"),
        ):
            self.assertEqual(texts(rules(trim=True), text), [expected])

    def test_trim_words(self) -> None:
        """Blanks are not part of words."""
        words = spoken(" Hello,", " world.")
        (found,) = clean(rules(trim=True), [Segment(" Hello,  world.", words=words)])
        self.assertEqual(found.words, words)

    def test_blank_segments(self) -> None:
        """A segment whose whole text was removed is dropped; one that was blank before is not."""
        cleaning = rules(replace={"um": ""}, trim=True)
        self.assertEqual(texts(cleaning, "Um.", " um", "", " ", "Yes um"), [".", "", "", "Yes"])

    def test_words_of_another_text(self) -> None:
        """Words that are not what the text says are changed by themselves."""
        words = spoken("five", "open", "a", "i")
        (found,) = clean(rules(replace={"open a i": "OpenAI"}), [Segment("5 open a i!", words=words)])
        self.assertEqual(found.text, "5 OpenAI!")
        self.assertEqual(
            [(word.text, word.start_s, word.end_s) for word in found.words], [("five", 0.0, 1.0), ("OpenAI", 1.0, 4.0)]
        )

    def test_words_of_a_loop(self) -> None:
        """Of a loop, the words of one repetition stay."""
        words = spoken(*[" I", " told", " you."] * 3)
        (found,) = clean(rules(collapse_repeats=3), [Segment(" I told you." * 3, 0.0, 9.0, words)])
        self.assertEqual((found.text, [word.origin for word in found.words]), (" I told you.", [(0,), (1,), (2,)]))
        self.assertEqual((found.start_s, found.end_s), (0.0, 9.0))

    def test_whole(self) -> None:
        """The text of the whole recording is not dropped but emptied, and is no neighbour of a segment."""
        whole = Segment(THANKS, whole=True)
        self.assertEqual(clean(rules(drop={"phrases": "known"}), [whole]), [Segment("", whole=True)])
        self.assertEqual(len(clean(rules(collapse_repeats=2), [whole, Segment(THANKS)])), 2)


class ChineseTests(SynchronousTestCase):
    """Conversions, with words."""

    skip = NO_OPENCC

    def test_words(self) -> None:
        """Words are converted as the text is."""
        (found,) = clean(rules(chinese="t2s"), [Segment("頭髮。", words=spoken("頭", "髮"))])
        self.assertEqual((found.text, [word.text for word in found.words]), ("头发。", ["头", "发"]))

    def test_merged_words(self) -> None:
        """Words that are converted together to another number of characters are merged."""
        (found,) = clean(rules(chinese="s2twp"), [Segment("在内存里", words=spoken("在", "内", "存", "里"))])
        self.assertEqual(found.text, "在記憶體裡")
        self.assertEqual([(word.text, word.end_s) for word in found.words], [("在", 1.0), ("記憶體", 3.0), ("裡", 4.0)])

    def test_first(self) -> None:
        """The conversion is before the replacements, whose values stay as they are written."""
        self.assertEqual(texts(rules(chinese="t2s", replace={"里面": "inside"}), "在裡面"), ["在inside"])


class SegmentTests(SynchronousTestCase):
    """Rules for segments."""

    def test_drop(self) -> None:
        """A segment whose text is a phrase is dropped, also if it is one only after the other rules."""
        cleaning = rules(
            drop={"phrases": "known", "also": ["bye bye"]}, replace={"vatching": "watching"}, collapse_repeats=3
        )
        given = ("Hello.", THANKS, "Thanks for vatching", "Bye-bye!", THANKS * 3, "He said: thanks for watching!")
        self.assertEqual(texts(cleaning, *given), ["Hello.", "He said: thanks for watching!"])

    def test_neighbours(self) -> None:
        """Equal neighbours become the first of them, with its own times."""
        given = [
            Segment(text, float(at), at + 0.5)
            for at, text in enumerate(["A.", "I told you.", " i told you", "I told you!", "B."])
        ]
        self.assertEqual(clean(rules(collapse_repeats=3), given), [given[0], given[1], given[4]])
        self.assertEqual(clean(rules(collapse_repeats=4), given), given)

    def test_neighbours_behind_a_drop(self) -> None:
        """Segments are neighbours if what was between them is dropped."""
        given = ("I told you.", "I told you.", THANKS, "I told you.")
        self.assertEqual(texts(rules(collapse_repeats=3, drop={"phrases": "known"}), *given), ["I told you."])

    def test_short_neighbours(self) -> None:
        """Short segments are left alone until they are many."""
        cleaning = rules(collapse_repeats=3)
        self.assertEqual(texts(cleaning, *["Yes."] * 33), ["Yes."] * 33)
        self.assertEqual(texts(cleaning, *["Yes."] * 40), ["Yes."])
        self.assertEqual(texts(cleaning, *["♪"] * 40), ["♪"] * 40)

    def test_speakers(self) -> None:
        """What several speakers say is not repeated."""
        given = [Segment("I told you.", speaker=speaker) for speaker in "ABABAB"]
        self.assertEqual(clean(rules(collapse_repeats=3), given), given)

    def test_two_runs(self) -> None:
        """A run ends the one before it."""
        self.assertEqual(
            texts(rules(collapse_repeats=2), *["one two three"] * 3, *["four five six"] * 2),
            ["one two three", "four five six"],
        )

    def test_held_back(self) -> None:
        """Equal neighbours behind the first are held back only until it is clear what becomes of them."""
        cleaner = Cleaner(rules(collapse_repeats=3), clock=frozen_clock())
        told, other = Segment("I told you."), Segment("Other.")
        fed = [len(cleaner.feed([segment])) for segment in (told, told, told, told, other, told, other)]
        self.assertEqual(fed, [1, 0, 0, 0, 1, 1, 1])
        self.assertEqual(cleaner.finish(), [])

    def test_not_held_back(self) -> None:
        """Without that rule, nothing is held back."""
        cleaner = Cleaner(rules(trim=True), clock=frozen_clock())
        self.assertEqual(len(cleaner.feed([Segment("a"), Segment("a")])), 2)


class CountTests(SynchronousTestCase):
    """What is counted, and what is said of it."""

    def cleaner(self, trace: bool = False) -> Cleaner:
        cleaning = rules(
            drop={"phrases": "known", "also": ["x y z", "bye"], "no_speech_prob": 0.8},
            collapse_repeats=3,
            replace={"foo": "bar", "/o+h/": "oh"},
            trim=True,
        )
        return Cleaner(cleaning, trace=trace, clock=frozen_clock())

    def test_counts(self) -> None:
        """Everything is counted by rule and number."""
        cleaner = self.cleaner()
        silent = Segment("silent", no_speech_prob=0.9, avg_logprob=-2.0)
        cleaner.feed([Segment("Bye."), Segment(THANKS), silent, Segment("foo foo ooh"), *[Segment(" Told you.")] * 4])
        cleaner.finish()
        self.assertEqual(
            cleaner.counts,
            {
                ("also", 2): 1,
                ("known", 2): 1,
                ("no_speech", 0): 1,
                ("replace", 1): 2,
                ("replace", 2): 1,
                ("repeats", 0): 1,
                ("trim", 0): 4,
            },
        )
        self.assertEqual(cleaner.summary(), "dropped=3; repeats=1; replaced=3")

    def test_nothing(self) -> None:
        """Where nothing is done, nothing is said."""
        cleaner = self.cleaner(trace=True)
        cleaner.feed([Segment("Hello.")])
        cleaner.finish()
        self.assertEqual((cleaner.counts, cleaner.changes, cleaner.summary()), ({}, [], ""))

    def test_exceeded(self) -> None:
        """A pattern that took too long is counted once, and its texts stay."""
        cleaner = Cleaner(rules(replace={"/(a|aa)+$/": "x", "b": "c"}))
        text = "a" * 200 + "! b"
        found = [*cleaner.feed([Segment(text)] * 5), *cleaner.finish()]
        self.assertEqual({segment.text for segment in found}, {"a" * 200 + "! c"})
        self.assertEqual(cleaner.counts["exceeded", 1], 1)
        self.assertEqual(cleaner.summary(), "replaced=5; exceeded=1")

    def test_changes(self) -> None:
        """Changes say what became of a segment, and by which rules."""
        cleaner = self.cleaner(trace=True)
        told = [Segment("Told you.", float(at)) for at in (3, 4, 5)]
        cleaner.feed([Segment(" foo", 1.0), Segment("Bye.", 2.0), Segment("Same.", 2.5), *told])
        cleaner.finish()
        self.assertEqual(
            cleaner.changes,
            [
                Change(1.0, " foo", "bar", (("replace", 1), ("trim", 0))),
                Change(2.0, "Bye.", None, (("also", 2),)),
                Change(4.0, "Told you.", None, (("repeats", 0),)),
                Change(5.0, "Told you.", None, (("repeats", 0),)),
            ],
        )


class SummaryTests(SynchronousTestCase):
    """The summary of a conversion."""

    skip = NO_OPENCC

    def test_chinese(self) -> None:
        """The conversion is named where it changed something."""
        cleaner = Cleaner(rules(chinese="t2s"), clock=frozen_clock())
        cleaner.feed([Segment("Hello")])
        self.assertEqual(cleaner.summary(), "")
        cleaner.feed([Segment("頭髮")])
        self.assertEqual(cleaner.summary(), "chinese=t2s")
