"""
Properties of :mod:`sttproxy.transcripts.cleaning` that hold for all transcripts.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.cleaning import Cleaner, Cleaning
from sttproxy.transcripts.compiling import compiled
from sttproxy.transcripts.edits import Wording, spelled
from sttproxy.transcripts.model import Segment, Word
from sttproxy.transcripts.scripts import fold

from .rules import NO_OPENCC, clean, frozen_clock

#: Parts of texts that make rules work, and work against each other.
PARTS = (
    *(
        "um",
        "Um,",
        "uh",
        "open",
        "a",
        "i",
        "OpenAI",
        "ai",
        "smith",
        "John",
        "Smith",
        "foo",
        "bar",
        "ha",
        "hahaha",
        "no",
        "90",
    ),
    *(
        "Thanks for watching!",
        "I know it.",
        "I know it.",
        "I know",
        "bye",
        "卡瑟琳",
        "文档",
        "文件",
        "頭髮",
        "头发",
        "软体",
        "内存",
        "里",
    ),
    *(
        " ",
        "  ",
        "\n",
        " ",
        " ",
        ",",
        ".",
        "，",
        "。",
        "!",
        "♪",
        "é",
        "e\u0301",
        "\ud800",
        "한국",
        "İ",
        "ß",
        "\0",
        "-->",
        "<i>",
    ),
)
TEXT = st.lists(st.sampled_from(PARTS), max_size=12).map("".join) | st.text(max_size=20)
TIME = st.none() | st.floats(0, 1e4)
PROBABILITY = st.none() | st.floats()

KEYS = st.sampled_from(
    (
        "um",
        "open a i",
        "ai",
        "smith",
        "Smith",
        "foo",
        "bar",
        "John",
        "卡瑟琳",
        "里",
        "文件",
        "/uh+ ?/",
        "/(f)oo/",
        "/[,.]/i",
        "/ \\n/",
        "한국",
    )
)
VALUES = st.sampled_from(
    ("", "OpenAI", "John Smith", "foo", "bar", "foo bar", "Katharine", "里面", "a", " ", "um um", ",", "x\ny")
)
CHINESE = () if NO_OPENCC else ("t2s", "s2twp", "tw2sp")


def _some(**members: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=members)


RULES = _some(
    drop=st.just({"phrases": "known", "also": ["bye", "foo", "♪"], "no_speech_prob": 0.5}),
    collapse_repeats=st.integers(2, 4),
    chinese=st.sampled_from(CHINESE) if CHINESE else st.nothing(),
    replace=st.dictionaries(KEYS, VALUES, max_size=4),
    trim=st.booleans(),
).map(lambda values: compiled(values)[0])


@st.composite
def segments(draw: st.DrawFn) -> list[Segment]:
    """Segments, some of them repeated, with the words of their text or others."""
    found: list[Segment] = []
    for _ in range(draw(st.integers(0, 5))):
        text = draw(TEXT)
        own = draw(st.sampled_from((text.split(), list(text), draw(st.lists(TEXT, max_size=3)), [])))
        words = [Word(word, draw(TIME), draw(TIME), (number,)) for number, word in enumerate(own)]
        segment = Segment(text, draw(TIME), draw(TIME), words, draw(PROBABILITY), draw(PROBABILITY))
        segment.speaker = draw(st.sampled_from((None, None, "A")))
        segment.whole = draw(st.booleans()) and draw(st.booleans())
        found += [copy.deepcopy(segment) for _ in range(draw(st.sampled_from((1, 1, 3, 5))))]
    for number, segment in enumerate(found):
        segment.origin = (number,)
    return found


class PropertyTests(SynchronousTestCase):
    """What holds for all rules and all transcripts."""

    @given(RULES, segments())
    def test_twice(self, cleaning: Cleaning, given: list[Segment]) -> None:
        """Cleaning twice is cleaning once."""
        once = clean(cleaning, given)
        self.assertEqual(_plain(clean(cleaning, once)), _plain(once))

    @given(RULES, segments())
    def test_times(self, cleaning: Cleaning, given: list[Segment]) -> None:
        """Segments keep their times and their order; of words, only neighbours are merged, with the outer times."""
        last = -1
        for segment in clean(cleaning, given):
            (number,) = segment.origin
            self.assertGreater(number, last)
            last = number
            before = given[number]
            self.assertEqual((segment.start_s, segment.end_s), (before.start_s, before.end_s))
            at = 0
            for word in segment.words:
                self.assertEqual(list(word.origin), list(range(word.origin[0], word.origin[-1] + 1)))
                self.assertGreaterEqual(word.origin[0], at)
                at = word.origin[-1] + 1
                first, final = before.words[word.origin[0]], before.words[word.origin[-1]]
                self.assertEqual((word.start_s, word.end_s), (first.start_s, final.end_s))

    @given(RULES, segments())
    def test_words(self, cleaning: Cleaning, given: list[Segment]) -> None:
        """Words that say what their text says do so afterwards."""
        for segment in clean(cleaning, given):
            before = given[segment.origin[0]]
            if before.words and _is_spoken(before):
                self.assertEqual(_letters(spelled(segment.words)), _letters(segment.text))

    @given(RULES, segments())
    def test_pieces(self, cleaning: Cleaning, given: list[Segment]) -> None:
        """It makes no difference whether segments arrive one by one."""
        cleaner = Cleaner(cleaning, clock=frozen_clock())
        one_by_one = [ready for segment in given for ready in cleaner.feed([segment])] + cleaner.finish()
        self.assertEqual(_plain(one_by_one), _plain(clean(cleaning, given)))

    @given(RULES, segments())
    def test_input(self, cleaning: Cleaning, given: list[Segment]) -> None:
        """The given segments stay as they are."""
        before = copy.deepcopy(given)
        clean(cleaning, given)
        self.assertEqual(_plain(given), _plain(before))

    @given(RULES, st.lists(st.text(st.characters(exclude_categories=())), max_size=3))
    def test_any_text(self, cleaning: Cleaning, given: list[str]) -> None:
        """No text raises."""
        clean(cleaning, map(Segment, given))

    @given(st.data(), segments())
    def test_order(self, data: st.DataObject, given: list[Segment]) -> None:
        """The order of literal keys, and that of phrases, makes no difference."""
        keys = data.draw(st.dictionaries(KEYS.filter(lambda key: key[0] != "/"), VALUES, max_size=5))
        phrases = data.draw(st.lists(TEXT.filter(fold), max_size=3))
        results = [
            clean(compiled({"replace": dict(order), "drop": {"also": own}})[0], given)
            for order, own in (
                (list(keys.items()), phrases),
                (data.draw(st.permutations(list(keys.items()))), phrases[::-1]),
            )
        ]
        self.assertEqual(_plain(results[0]), _plain(results[1]))

    @given(RULES, segments())
    def test_counts(self, cleaning: Cleaning, given: list[Segment]) -> None:
        """Each difference is counted, and without one nothing is."""
        cleaner = Cleaner(cleaning, trace=True, clock=frozen_clock())
        found = cleaner.feed(given) + cleaner.finish()
        self.assertEqual(bool(cleaner.changes), _plain(found) != _plain(given))
        done = +cleaner.counts
        self.assertEqual(bool(cleaner.changes), bool(done.keys() - {("restless", 0)}))


def _plain(segments: list[Segment]) -> list[str]:
    """Segments as texts, in which a number that is none equals itself."""
    return list(map(repr, segments))


def _letters(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


def _is_spoken(segment: Segment) -> bool:
    try:
        Wording(segment.text, segment.words)
    except ValueError:
        return False
    return True
