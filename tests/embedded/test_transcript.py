"""
Tests for :mod:`sttproxy.embedded.transcript`.
"""

from __future__ import annotations

import json

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.embedded.transcript import Format, Segment, Transcript, Word, render

WORDS = (Word(" Good", 0.0, 0.5), Word(" morning.", 0.5, 1.25))
HEARD = Transcript(
    "en", 4.4049, (Segment(" Good morning.", 0.0, 1.25, words=WORDS), Segment(" Bye -->", 61.5, 3723.0049))
)


class FormatTests(SynchronousTestCase):
    """Each format has OpenAI's shape."""

    def test_json(self) -> None:
        """json has only the text."""
        kind, body = render(HEARD, Format.JSON)
        self.assertEqual((kind, json.loads(body)), (b"application/json", {"text": "Good morning. Bye -->"}))

    def test_text(self) -> None:
        """text is one line with a line break."""
        self.assertEqual(render(HEARD, Format.TEXT), (b"text/plain; charset=utf-8", b"Good morning. Bye -->\n"))

    def test_unicode(self) -> None:
        """Text is UTF-8, without blanks where its script has none."""
        chinese = evolve(HEARD, segments=(Segment("下午", 0, 1), Segment("開會。", 1, 2)))
        self.assertEqual(render(chinese, Format.JSON)[1], '{"text": "下午開會。"}'.encode())

    def test_srt(self) -> None:
        """srt counts from 1 and has decimal commas; an arrow in the text is shortened."""
        expected = b"1\n00:00:00,000 --> 00:00:01,250\nGood morning.\n\n2\n00:01:01,500 --> 01:02:03,005\nBye ->\n"
        self.assertEqual(render(HEARD, Format.SRT), (b"text/plain; charset=utf-8", expected))

    def test_vtt(self) -> None:
        """vtt begins with WEBVTT and has decimal points."""
        expected = b"WEBVTT\n\n00:00:00.000 --> 00:00:01.250\nGood morning.\n\n00:01:01.500 --> 01:02:03.005\nBye ->\n"
        self.assertEqual(render(HEARD, Format.VTT), (b"text/plain; charset=utf-8", expected))

    def test_verbose(self) -> None:
        """verbose_json has all values, and the words only if they were requested."""
        plain = json.loads(render(HEARD, Format.VERBOSE_JSON)[1])
        self.assertEqual(
            {name: plain[name] for name in ("task", "language", "duration", "text")},
            {"task": "transcribe", "language": "en", "duration": 4.405, "text": HEARD.text},
        )
        self.assertEqual([segment["id"] for segment in plain["segments"]], [0, 1])
        self.assertEqual(plain["segments"][1]["end"], 3723.005)
        self.assertNotIn("words", plain)
        full = json.loads(render(HEARD, Format.VERBOSE_JSON, words=True)[1])
        self.assertEqual(
            full["words"],
            [{"word": "Good", "start": 0.0, "end": 0.5}, {"word": "morning.", "start": 0.5, "end": 1.25}],
        )

    def test_silence(self) -> None:
        """Each format has its own form for an empty transcript."""
        silence = Transcript("en", 3.0, ())
        bodies = {form.value: render(silence, form)[1] for form in (Format.TEXT, Format.SRT, Format.VTT)}
        self.assertEqual(bodies, {"text": b"\n", "srt": b"", "vtt": b"WEBVTT\n"})
