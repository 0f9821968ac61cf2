"""
Tests for :mod:`sttproxy.transcripts.text` and :mod:`sttproxy.transcripts.tiles`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.model import Segment
from sttproxy.transcripts.text import Text
from sttproxy.transcripts.tiles import Tiles, joined, lines, tiled

from .reading import passed, read, rewritten, shouted


class TextTests(SynchronousTestCase):
    """Plain text."""

    def test_lines(self) -> None:
        """Each line that is not blank is a segment without times, with its blanks."""
        body = " Good morning. \r\n\n \nBye."
        self.assertEqual(
            read(Text(), body.encode()), [Segment(" Good morning. ", origin=(0,)), Segment("Bye.", origin=(1,))]
        )

    def test_changed(self) -> None:
        """A new text keeps the end of its line; a dropped one goes with it."""
        body = b" a\r\n\nb\nc"
        self.assertEqual(rewritten(Text(), body, shouted), b" A\r\n\nB\nC")
        self.assertEqual(rewritten(Text(), body, lambda segments: segments[1:2]), b"\nb\n")

    def test_emptied(self) -> None:
        """A line that a rule has emptied goes."""

        def rule(segments: list[Segment]) -> list[Segment]:
            segments[0].text = ""
            return segments

        self.assertEqual(rewritten(Text(), b"a\nb\n", rule), b"b\n")

    def test_control(self) -> None:
        """Control characters are in no transcript."""
        for body in (b"a\nb\0\nc", b"\x1b[0m", b"a\rb"):
            document = Text()
            self.assertEqual(passed(document, [body]), body)
            self.assertIsNotNone(document.failure)


class TileTests(SynchronousTestCase):
    """How the text of a recording follows from its segments."""

    def changed(self, tiles: Tiles | None, *new: str | None) -> str:
        """The text with new texts of segments."""
        assert tiles is not None
        return tiles.replaced(lambda index: new[index])

    def test_found(self) -> None:
        """The texts are found with any blanks between them, and replaced."""
        for text, expected in (
            ("One. Two. Three.", "One. 2. Three."),
            (" One.\nTwo.\nThree.\n", " One.\n2.\nThree.\n"),
            ("One.Two.Three.", "One.2.Three."),
        ):
            self.assertEqual(self.changed(tiled(text, [" One.", " Two.", "Three. "]), "One.", "2.", "Three."), expected)

    def test_dropped(self) -> None:
        """A dropped text goes with the blanks before it; the first one that stays begins the text."""
        text = " One. Two.\nThree.\n"
        tiles = tiled(text, ["One.", "Two.", "Three."])
        self.assertEqual(self.changed(tiles, None, "Two.", "Three."), " Two.\nThree.\n")
        self.assertEqual(self.changed(tiles, "One.", None, "Three."), " One.\nThree.\n")
        self.assertEqual(self.changed(tiles, "One.", "Two.", None), " One. Two.\n")
        self.assertEqual(self.changed(tiles, None, "", None), "\n")

    def test_blank(self) -> None:
        """A blank segment takes no place."""
        self.assertEqual(self.changed(tiled("One. Two.", ["One.", " ", "Two."]), "1.", "", "2."), "1. 2.")

    def test_labels(self) -> None:
        """A speaker's name before a text goes with it."""
        text = "Agent: One.\nA: Two.\nAgent: Three."
        tiles = tiled(text, ["One.", "Two.", "Three."], ["agent", "A", "agent"])
        self.assertEqual(self.changed(tiles, "One.", "Two.", "Three."), text)
        self.assertEqual(self.changed(tiles, None, "2.", "Three."), "A: 2.\nAgent: Three.")
        self.assertIsNone(tiled(text, ["One.", "Two.", "Three."], ["agent", "B", "agent"]))

    def test_other_words(self) -> None:
        """A text in other words, or with more of them, does not follow from the segments."""
        for text in ("one.", "One. Two. And", "Two. One.", "One.", "So: One. Two."):
            self.assertIsNone(tiled(text, ["One.", "Two."]), text)

    def test_lines(self) -> None:
        """Lines keep their blanks."""
        self.assertEqual(self.changed(lines(" a \n\n b"), " A ", " B"), " A \n\n B")

    def test_joined(self) -> None:
        """Texts are joined with spaces where their scripts have some."""
        for texts, expected in (
            ([" One.", " Two."], "One. Two."),
            (["One.", "", "Two."], "One. Two."),
            (["大家好。", "再见。"], "大家好。再见。"),
            (["大家好", "OK"], "大家好 OK"),
            (["안녕", "하세요"], "안녕 하세요"),
            ([], ""),
        ):
            self.assertEqual(joined(texts), expected)
