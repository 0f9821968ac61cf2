"""
Tests for :mod:`sttproxy.transcripts.edits`: words follow the edits of their segment's text.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.edits import Edit, Step, Wording, edited, spelled
from sttproxy.transcripts.model import Word

from .rules import spoken


class WordingTests(SynchronousTestCase):
    """Words are merged, changed and left out as the text is."""

    def after(self, text: str, words: list[Word], *steps: Step) -> list[tuple[str, float | None, float | None]]:
        """The words after edits of the text, with their times."""
        wording = Wording(text, words)
        for step in steps:
            wording.edit(step)
        return [(word.text, word.start_s, word.end_s) for word in wording.words()]

    def test_merged(self) -> None:
        """Words under one edit are merged, and keep the outer times and the blanks before the first."""
        found = self.after(" Hey, open a i.", spoken(" Hey,", " open", " a", " i."), [Edit(6, 14, "OpenAI")])
        self.assertEqual(found, [(" Hey,", 0.0, 1.0), (" OpenAI.", 1.0, 4.0)])

    def test_origin(self) -> None:
        """A merged word knows of which words it consists."""
        wording = Wording("a b c", spoken("a", "b", "c"))
        wording.edit([Edit(0, 3, "x")])
        self.assertEqual([word.origin for word in wording.words()], [(0, 1), (2,)])

    def test_removed(self) -> None:
        """A word without a text is left out."""
        self.assertEqual(
            self.after("Well um I", spoken("Well", "um", "I"), [Edit(4, 7, "")]), [("Well", 0.0, 1.0), ("I", 2.0, 3.0)]
        )

    def test_part_of_words(self) -> None:
        """What an edit leaves of the outer words stays."""
        self.assertEqual(self.after("abc def", spoken("abc", "def"), [Edit(2, 5, "-")]), [("ab-ef", 0.0, 2.0)])

    def test_between_words(self) -> None:
        """Letters that an edit adds between two words belong to the first; before all words, to the next."""
        words = spoken("A", "B")
        self.assertEqual([word[0] for word in self.after("A & B", words, [Edit(2, 3, "and")])], ["A and", "B"])
        self.assertEqual([word[0] for word in self.after("-A B", words, [Edit(0, 1, "x")])], ["xA", "B"])
        self.assertEqual([word[0] for word in self.after("A B!", words, [Edit(3, 4, "y")])], ["A", "By"])
        self.assertEqual([word[0] for word in self.after("A & B", words, [Edit(2, 3, "+")])], ["A", "B"])

    def test_chain(self) -> None:
        """Two edits that meet in one word merge all three words."""
        edits = [Edit(1, 4, "-"), Edit(5, 8, "+")]
        self.assertEqual(self.after("ab cde fg h", spoken("ab", "cde", "fg", "h"), edits)[0], ("a-d+g", 0.0, 3.0))

    def test_several_steps(self) -> None:
        """Each step is about the text that the one before it left."""
        steps = ([Edit(0, 3, "xx")], [Edit(0, 4, "yyyyyy")])
        self.assertEqual(
            self.after("a b c d", spoken("a", "b", "c", "d"), *steps), [("yyyyyy", 0.0, 3.0), ("d", 3.0, 4.0)]
        )

    def test_same_length(self) -> None:
        """A text of the same length changes the words in which a character changed."""
        words = spoken("頭", "髮", "好")
        self.assertEqual([word[0] for word in self.after("頭髮，好", words, "头发，好")], ["头", "发", "好"])

    def test_without_punctuation(self) -> None:
        """OpenAI's words have no punctuation; the text has."""
        found = self.after("Well, um, yes.", spoken("Well", "um", "yes"), [Edit(6, 10, "")])
        self.assertEqual([word[0] for word in found], ["Well", "yes"])

    def test_untouched(self) -> None:
        """A word that no edit touches is the same object."""
        words = spoken("a", "b")
        wording = Wording("a b", words)
        wording.edit([Edit(0, 1, "longer")])
        self.assertIs(wording.words()[1], words[1])

    def test_other_text(self) -> None:
        """Words that are not what the text says cannot follow it."""
        for text, words in (("a b", ("a", "c")), ("a b c", ("a", "c")), ("a", ("a", "b")), ("a b", ("a",))):
            self.assertRaises(ValueError, Wording, text, spoken(*words))

    def test_spelled(self) -> None:
        """Words make a text, with spaces where their scripts have some."""
        self.assertEqual(spelled(spoken("open", "a", "i")), "open a i")
        self.assertEqual(spelled(spoken(" Hey,", " you")), "Hey, you")
        self.assertEqual(spelled(spoken("頭", "髮")), "頭髮")


class EditedTests(SynchronousTestCase):
    """Edits of a text."""

    def test_edits(self) -> None:
        """Each edit is about the text as it was."""
        self.assertEqual(edited("abcdef", [Edit(0, 1, "xyz"), Edit(2, 4, ""), Edit(6, 6, "!")]), "xyzbef!")
        self.assertEqual(edited("ab", "cd"), "cd")
        self.assertEqual(edited("ab", []), "ab")
