"""
Tests for :mod:`sttproxy.transcripts.model`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.model import Segment, Word, merged_segments, merged_words


class MergeTests(SynchronousTestCase):
    """Merging keeps the outer times."""

    def test_words(self) -> None:
        """Merged words have the text that is given, and consist of all of them."""
        merged = merged_words([Word(" open", 1.0, 1.4, (3,)), Word(" AI", 1.5, 2.0, (4,))], " OpenAI")
        self.assertEqual(merged, Word(" OpenAI", 1.0, 2.0, (3, 4)))

    def test_segments(self) -> None:
        """Merged segments have the text and the words of the first one."""
        word = Word("Yes", 0.0, 0.5, (0,))
        segments = [Segment("Yes.", 0.0, 1.0, [word], origin=(0,)), Segment("Yes.", 1.0, 2.5, origin=(1, 2))]
        self.assertEqual(merged_segments(segments), Segment("Yes.", 0.0, 2.5, [word], origin=(0, 1, 2)))
