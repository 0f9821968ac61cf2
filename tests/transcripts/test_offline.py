"""
Tests for :mod:`sttproxy.transcripts.offline`.  The command's tests have more of them.
"""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.offline import NotATranscript, cleaned, differences, left_alone

from .rules import rules


class CleanedTests(SynchronousTestCase):
    """A whole file."""

    def test_no_rules(self) -> None:
        """Without rules the file stays as it is."""
        result = cleaned(b'{"text": "a  b", "x": 1.50}', "text", None)
        self.assertEqual((result.data, result.changes, +result.counts), (b'{"text": "a  b", "x": 1.50}', [], Counter()))

    def test_lines_of_json(self) -> None:
        """An object of several lines is one object, also where each of its lines begins with a brace."""
        for data in (b'{"text":\n"a  b"}', b'{"segments": [\n{"text": "a  b"}\n],\n"text": "a  b"}'):
            self.assertEqual(cleaned(data, "json", rules(trim=True)).data, data.replace(b"a  b", b"a b"))

    def test_blank(self) -> None:
        """A file of blanks is a text, however long it is."""
        for data in (b" " * 100_000, b"\n" * 100_000, b"\r\n \t" * 30_000):
            self.assertEqual(cleaned(data, "text", rules(trim=True)).data, data)

    def test_events_or_text(self) -> None:
        """A text in which not every line is a field of an event is a text."""
        self.assertEqual(cleaned(b"data:  x\nid est\n", "text", rules(trim=True)).data, b"data: x\nid est\n")
        with self.assertRaises(NotATranscript):
            cleaned(b"data: {\n\n", "text", None)


class ShownTests(SynchronousTestCase):
    """What people read."""

    def test_left_alone(self) -> None:
        """Patterns that were given up have their keys."""
        values = {"replace": {"a": "b", "/c+/": "d"}}
        self.assertEqual(
            list(left_alone(Counter({("exceeded", 2): 1, ("restless", 0): 3, ("replace", 1): 1}), values)),
            [
                'replace: "/c+/" was given up, because the search for it took too long',
                "texts left alone, because each pass of the rules changed them again: 3",
            ],
        )

    def test_lines(self) -> None:
        """Each line of a text is marked."""
        change = cleaned(b"WEBVTT\n\n00:01.000 --> 00:02.000\na  b\nc\n", "vtt", rules(trim=True)).changes
        self.assertEqual(
            list(differences(change, {"trim": True})), ["00:00:01.000  trim", "- a  b", "- c", "+ a b", "+ c"]
        )
