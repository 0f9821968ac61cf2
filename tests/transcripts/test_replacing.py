"""
Tests for :mod:`sttproxy.transcripts.replacing`: what literal keys and patterns match.
"""

from __future__ import annotations

import itertools

import regex
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.edits import edited
from sttproxy.transcripts.replacing import SEARCH_S, TRANSCRIPT_S, Clock, Literals, Pattern, Replacement, Replacing

from .rules import frozen_clock


def replaced(text: str, **keys: str) -> str:
    """A text after one pass of literal keys, in whose names an underscore is a space."""
    return replaced_by({key.replace("_", " "): value for key, value in keys.items()}, text)


def replaced_by(keys: dict[str, str], text: str) -> str:
    """A text after one pass of literal keys."""
    literals = Literals([Replacement(number, *each) for number, each in enumerate(keys.items(), 1)])
    return edited(text, [each.edit for each in literals.found(text, frozen_clock())])


def pattern(source: str, value: str, number: int = 1) -> Pattern:
    return Pattern(Replacement(number, source, value), regex.compile(source))


class LiteralTests(SynchronousTestCase):
    """Literal keys."""

    def test_word_boundaries(self) -> None:
        """A key in a script with words matches whole words, also beside another script and punctuation."""
        for text, expected in (
            ("cat", "dog"),
            ("the cat, cats, concat cat's (cat) _cat", "the dog, cats, concat dog's (dog) _cat"),
            ("用cat的，cat", "用dog的，dog"),
            ("cat\u0301 cat7 7cat", "cat\u0301 cat7 7cat"),
            ("кcat catк", "кcat catк"),
        ):
            self.assertEqual(replaced(text, cat="dog"), expected)

    def test_no_words(self) -> None:
        """A key in a script without words matches anywhere."""
        self.assertEqual(replaced_by({"卡瑟琳": "Katharine"}, "我叫卡瑟琳，卡瑟琳娜"), "我叫Katharine，Katharine娜")

    def test_korean(self) -> None:
        """A Korean key matches before a particle, and not within a word."""
        self.assertEqual(replaced_by({"서울": "Seoul"}, "서울은 서울 새서울"), "Seoul은 Seoul 새서울")

    def test_mixed(self) -> None:
        """Each end of a key has the boundary of its own script."""
        self.assertEqual(replaced_by({"GPT模型": "x"}, "用GPT模型的 AGPT模型"), "用x的 AGPT模型")
        self.assertEqual(replaced_by({"模型GPT": "x"}, "大模型GPT 模型GPTs"), "大x 模型GPTs")

    def test_signs(self) -> None:
        """A key that begins or ends with a sign has no boundary there."""
        self.assertEqual(replaced_by({"c++": "C++", ".net": ".NET"}, "c++11 asp.net"), "C++11 asp.NET")

    def test_case(self) -> None:
        """A key that is all lower case ignores case; another does not."""
        self.assertEqual(replaced("OpenAi OPENAI openai", openai="OpenAI"), "OpenAI OpenAI OpenAI")
        self.assertEqual(replaced("IT it It", IT="tech"), "tech it It")
        self.assertEqual(replaced("ПРИВЕТ Straße STRASSE", привет="hi", straße="way"), "hi way STRASSE")

    def test_exact_case_first(self) -> None:
        """Where a key matches with its case and another without, the first one counts."""
        self.assertEqual(replaced("IT it", IT="tech", it="that"), "tech that")

    def test_spaces(self) -> None:
        """White space in a key matches any white space, also the line break of a cue."""
        self.assertEqual(replaced("open  A\ni, openai, open ai", open_a_i="OpenAI"), "OpenAI, openai, open ai")

    def test_longest_first(self) -> None:
        """The longest key counts, whatever the order of the keys."""
        keys = {"new": "1", "new york": "2", "new york city": "3", "纽": "4", "纽约": "5"}
        for order in itertools.permutations(keys):
            found = replaced_by({key: keys[key] for key in order}, "New York City, new york, new, 纽约纽")
            self.assertEqual(found, "3, 2, 1, 54")

    def test_shorter_at_boundary(self) -> None:
        """Where the longest key ends within a word, a shorter one counts."""
        self.assertEqual(replaced("new yorker", new="1", new_york="2"), "1 yorker")

    def test_own_value(self) -> None:
        """A key within its own value is left alone; the value's case is corrected."""
        for text, expected in (
            ("smith", "John Smith"),
            ("John Smith", "John Smith"),
            ("john smith and Smith", "John Smith and John Smith"),
        ):
            self.assertEqual(replaced(text, smith="John Smith"), expected)

    def test_value_of_another(self) -> None:
        """A key is replaced within the value of another key, too."""
        self.assertEqual(replaced("bar", foo="bar", bar="baz"), "baz")
        self.assertEqual(replaced_by({"smith": "John Smith", "John Smith": "JS"}, "John Smith"), "JS")

    def test_removed(self) -> None:
        """An empty value removes the key, a blank, and one of two commas."""
        for text, expected in (
            ("I um think", "I think"),
            ("Um I think", "I think"),
            (" um I think", " I think"),
            ("I think um", "I think"),
            ("um um I um um think", "I think"),
            ("Well, um, I", "Well, I"),
            ("Um, I", "I"),
            ("um", ""),
            ("I um.", "I ."),
        ):
            self.assertEqual(replaced(text, um=""), expected, text)

    def test_numbers(self) -> None:
        """An edit knows the number of its key; what is right already is no edit."""
        literals = Literals([Replacement(1, "a", "A"), Replacement(2, "b", "B")])
        self.assertEqual([each.number for each in literals.found("b A a B", frozen_clock())], [2, 1])

    def test_many(self) -> None:
        """Thousands of keys that begin alike are one pattern."""
        keys = {f"key {number}": f"v{number}" for number in range(3000)}
        self.assertEqual(replaced_by(keys, "Key 2999, key 3000, KEY 29"), "v2999, key 3000, v29")


class PatternTests(SynchronousTestCase):
    """Patterns."""

    def test_groups(self) -> None:
        """The value may name groups."""
        found = pattern(r"(?P<a>\d+) (euro)s?", r"\g<a> \2").found("5 euros, 6 euro", frozen_clock())
        self.assertEqual([each.edit.text for each in found], ["5 euro"])

    def test_empty_match(self) -> None:
        """An empty match is no match, and the search goes on behind it."""
        found = pattern("x*", "y").found("axxbx", frozen_clock())
        self.assertEqual([(each.edit.start, each.edit.end) for each in found], [(1, 3), (4, 5)])

    def test_context(self) -> None:
        """A later match sees what is before it."""
        found = pattern("(?<=a)b|a", "x").found("ab b", frozen_clock())
        self.assertEqual([each.edit.start for each in found], [0, 1])

    def test_order(self) -> None:
        """Patterns follow the literal keys, in their order."""
        replacing = Replacing.of([Replacement(3, "a", "b")], [pattern("b", "c", 1), pattern("c", "d", 2)])
        text = "a"
        for find in replacing.steps:
            text = edited(text, [each.edit for each in find(text, frozen_clock())])
        self.assertEqual(text, "d")


class SlowPattern:
    """A pattern whose searches take a given time."""

    def __init__(self, clock: list[float], seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.limits: list[float] = []

    def search(self, text: str, at: int, *, timeout: float, concurrent: bool) -> None:
        assert concurrent, "other threads must not wait"
        self.limits.append(timeout)
        self._clock[0] += min(self._seconds, timeout)
        if self._seconds > timeout:
            raise TimeoutError


class ClockTests(SynchronousTestCase):
    """The time limits of searches."""

    def setUp(self) -> None:
        self.now = [0.0]
        self.clock = Clock(lambda: self.now[0])

    def test_one_search(self) -> None:
        """A pattern whose search exceeds its limit is given up for the rest of the transcript."""
        slow = SlowPattern(self.now, SEARCH_S * 2)
        rule = Pattern(Replacement(7, "", ""), slow)
        self.assertEqual([rule.found("text", self.clock) for _ in range(3)], [[], [], []])
        self.assertEqual(slow.limits, [SEARCH_S])
        self.assertEqual(self.clock.exceeded, {7})

    def test_all_searches(self) -> None:
        """A pattern whose searches together take too long is given up, and others are not."""
        slow = SlowPattern(self.now, SEARCH_S * 0.9)
        rule = Pattern(Replacement(1, "", ""), slow)
        for _ in range(100):
            rule.found("text", self.clock)
        self.assertLessEqual(self.now[0], TRANSCRIPT_S + SEARCH_S)
        self.assertEqual(self.clock.exceeded, {1})
        self.assertEqual(len(pattern("e", "E", 2).found("text", self.clock)), 1)

    def test_real(self) -> None:
        """A search that would take years ends."""
        found = pattern("(a|aa)+$", "x").found("a" * 200 + "!", self.clock)
        self.assertEqual(found, [])
        self.assertEqual(self.clock.exceeded, {1})
