"""
Tests with responses of real servers' shapes: what they are read as, and what is left of them after changes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.model import Segment
from sttproxy.transcripts.sniff import Kind, Sniffed

from .answers import ANSWERS, Answer
from .reading import Rule, passed, read, rewritten, shouted


def document(answer: Answer) -> Sniffed:
    """A document for a response."""
    return Sniffed(answer.asked, answer.content_type)


def without(number: int) -> Rule:
    """The rule that drops one segment."""

    def rule(segments: list[Segment]) -> Sequence[Segment]:
        return [segment for segment in segments if number not in segment.origin]

    return rule


class CorpusTests(SynchronousTestCase):
    """Each response of the corpus."""

    def test_size(self) -> None:
        """The corpus has at least sixty responses with different names."""
        self.assertGreaterEqual(len({answer.name for answer in ANSWERS}), 60)

    def test_read(self) -> None:
        """Each is recognized, and read as the segments that it has."""
        for answer in ANSWERS:
            reader = document(answer)
            texts = tuple(segment.text for segment in read(reader, answer.body))
            self.assertEqual((reader.failure, reader.kind, texts), (None, answer.kind, answer.texts), answer.name)

    def test_unchanged(self) -> None:
        """What no rule touches leaves byte for byte, wherever the network cuts it."""
        for answer in ANSWERS:
            for size in (1, 7, 100, len(answer.body) or 1):
                pieces = [answer.body[at : at + size] for at in range(0, len(answer.body), size)]
                self.assertEqual(passed(document(answer), pieces), answer.body, answer.name)

    def test_any_cut(self) -> None:
        """What leaves after a change does not depend on the cuts by the network."""
        for answer in ANSWERS:
            expected = rewritten(document(answer), answer.body, shouted)
            for size in (1, 2, 13, 64):
                pieces = [answer.body[at : at + size] for at in range(0, len(answer.body), size)]
                self.assertEqual(passed(document(answer), pieces, shouted), expected, answer.name)

    def test_changed(self) -> None:
        """A change of all texts can be read again, changes nothing but texts, and is complete."""
        for answer in ANSWERS:
            out = rewritten(document(answer), answer.body, shouted)
            again = document(answer)
            texts = tuple(segment.text for segment in read(again, out))
            self.assertEqual(again.failure, None, answer.name)
            if "<b>" not in answer.body.decode():
                self.assertEqual(texts, tuple(text.upper() for text in answer.texts), answer.name)
            self.assertEqual(rewritten(document(answer), out, shouted), out, answer.name)

    def test_dropped(self) -> None:
        """A segment that a rule drops is nowhere in what leaves, and the others are as they were."""
        for answer in ANSWERS:
            segments = read(document(answer), answer.body)
            for number, segment in enumerate(segments):
                if segment.whole or any(each.whole for each in segments):
                    continue
                again = document(answer)
                out = rewritten(document(answer), answer.body, without(number))
                left = [each for each in segments if each is not segment]
                texts = [each.text for each in read(again, out)]
                self.assertEqual(again.failure, None, answer.name)
                self.assertEqual([text.strip() for text in texts], [each.text.strip() for each in left], answer.name)
                if segment.text.strip() not in {each.text.strip() for each in left}:
                    self.assertNotIn(segment.text.strip().encode(), out, answer.name)

    def test_members(self) -> None:
        """Members of JSON keep their places, and those without a text their values."""
        for answer in ANSWERS:
            if answer.kind is Kind.JSON:
                out = rewritten(document(answer), answer.body, shouted)
                self.assertEqual(shape(json.loads(out)), shape(json.loads(answer.body)), answer.name)


def shape(value: Any) -> Any:
    """A JSON value without the case of its strings."""
    if isinstance(value, dict):
        return [(name, shape(each)) for name, each in value.items()]
    if isinstance(value, list):
        return [shape(each) for each in value]
    return value.upper() if isinstance(value, str) else value
