"""
Tests for :mod:`sttproxy.transcripts.vtt`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.model import Segment
from sttproxy.transcripts.vtt import VTT

from .reading import passed, read, rewritten, shouted

HEADER = "WEBVTT - talk\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\n"
STYLE = "STYLE\n::cue {\n  color: lime\n}\n\n"
REGION = "REGION\nid:fred\nwidth:40%\n\n"
NOTE = "NOTE\nThank you.\n\n"
CUE = "00:01.000 --> 00:02.500 line:0 position:20% align:start\nGood morning.\n\n"


class VTTTests(SynchronousTestCase):
    """WebVTT files."""

    def test_segments(self) -> None:
        """Cues are segments, with and without hours and names; everything else is none."""
        named = "intro --- 1\n100:00:00.000 --> 100:00:01.000\n<v.loud Ann Lee>Hi.\n\n"
        body = HEADER + STYLE + REGION + NOTE + CUE + NOTE + named
        self.assertEqual(
            read(VTT(), body.encode()),
            [
                Segment("Good morning.", 1.0, 2.5, origin=(0,)),
                Segment("Hi.", 360_000.0, 360_001.0, speaker="Ann Lee", origin=(1,)),
            ],
        )

    def test_changed(self) -> None:
        """A new text keeps the settings, and all other blocks."""
        body = HEADER + STYLE + REGION + NOTE + CUE + NOTE
        self.assertEqual(
            rewritten(VTT(), body.encode(), shouted).decode(), body.replace("Good morning.", "GOOD MORNING.")
        )

    def test_dropped(self) -> None:
        """A dropped cue goes; the notes around it stay."""
        body = HEADER + NOTE + CUE + NOTE
        self.assertEqual(rewritten(VTT(), body.encode(), lambda _: []).decode(), HEADER + NOTE + NOTE)

    def test_failures(self) -> None:
        """What is not WebVTT is not read and stays as it is."""
        for body in (
            CUE,
            "WEBVTTX\n\n" + CUE,
            "WEBVTT\n" + CUE,
            HEADER + "Hello.\n\n" + CUE,
            HEADER + "00:01.000 --> 00:02,500\nHi.\n\n",
            HEADER + "00:01.000-->00:02.500\nHi.\n\n",
            HEADER + "1:01.000 --> 00:02.500\nHi.\n\n",
            HEADER + "a --> b\n00:01.000 --> 00:02.500\nHi.\n\n",
            HEADER + "NOTE x\n00:01.000 --> 00:02.500\nHi.\n\n",
            HEADER + "a\nb\n00:01.000 --> 00:02.500\nHi.\n\n",
        ):
            document = VTT()
            self.assertEqual(passed(document, [body.encode()], shouted).decode(), body)
            self.assertIsNotNone(document.failure, body)

    def test_plain(self) -> None:
        """For another format, tags and references are removed."""
        document = VTT()
        segments = read(document, (HEADER + "00:01.000 --> 00:02.000\nA <c>Q</c> &amp; <00:01.500>A\n\n").encode())
        self.assertEqual(segments[0].text, "A <c>Q</c> &amp; <00:01.500>A")
        self.assertEqual(document.transcript(segments).text, "A Q & A")
