"""
Tests for :mod:`sttproxy.transcripts.sniff`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.document import NotATranscript
from sttproxy.transcripts.sniff import Kind, Sniffed, kind_by_look, kind_of

from .reading import passed, read, shouted

SRT = b"1\n00:00:00,000 --> 00:00:01,250\nHello.\n\n"
VTT = b"WEBVTT\n\n00:00.000 --> 00:01.250\nHello.\n\n"


class HeadTests(SynchronousTestCase):
    """What the head of a response says."""

    def test_types(self) -> None:
        """A type of its own tells the kind, whatever was asked for; of others, the body has to."""
        for content_type, kind in (
            (b"application/json", Kind.JSON),
            (b"Application/JSON; charset=UTF-8", Kind.JSON),
            (b"application/x-ndjson", Kind.NDJSON),
            (b"text/event-stream; charset=utf-8", Kind.EVENTS),
            (b"text/vtt", Kind.VTT),
            (b"application/x-subrip", Kind.SRT),
            (b"text/plain; charset=us-ascii", None),
            (b"application/octet-stream", None),
            (b"", None),
            (None, None),
        ):
            for asked in (None, "json", "text", "srt"):
                self.assertEqual(kind_of(asked, content_type), kind, content_type)

    def test_html(self) -> None:
        """HTML can be a text only, because whisper.cpp's server sends texts so."""
        self.assertIsNone(kind_of("text", b"text/html; charset=utf-8"))
        self.assertRaises(NotATranscript, kind_of, "srt", b"text/html")

    def test_other(self) -> None:
        """Other types and encodings are no transcripts."""
        for content_type in (b"audio/mpeg", b"application/xml", b"text/plain; charset=latin-1", b"text", b"a/b; c"):
            self.assertRaises(NotATranscript, kind_of, "text", content_type)


class LookTests(SynchronousTestCase):
    """What the first bytes of a body say."""

    def test_kinds(self) -> None:
        """The beginning shows the format; plain text must have been asked for."""
        for asked, body, kind in (
            ("srt", SRT, Kind.SRT),
            ("srt", b"\xef\xbb\xbf\r\n" + SRT.replace(b"\n", b"\r\n"), Kind.SRT),
            ("srt", b"", Kind.SRT),
            ("srt", VTT, Kind.VTT),
            ("vtt", VTT, Kind.VTT),
            ("vtt", b"WEBVTT", Kind.VTT),
            ("text", SRT, Kind.SRT),
            (None, SRT, Kind.SRT),
            ("text", b' {"text":"Hi"}', Kind.JSON),
            ("verbose_json", b'{"text":"Hi"}', Kind.JSON),
            ("text", b"Hi", Kind.TEXT),
            ("text", b"1\n2\n", Kind.TEXT),
            ("text", b"", Kind.TEXT),
        ):
            self.assertIs(kind_by_look(asked, body, True), kind, body)

    def test_other(self) -> None:
        """In doubt it is no transcript."""
        for asked, body in (
            ("srt", b"Hi"),
            ("srt", b"1\nHi"),
            ("vtt", b""),
            ("vtt", b"WEBVTTX\n"),
            (None, b"Hi"),
            ("json", b"Hi"),
            ("json", b""),
            ("text", b"<!doctype html>"),
            ("text", b"[1]"),
            ("x", b"Hi"),
        ):
            self.assertRaises(NotATranscript, kind_by_look, asked, body, True)

    def test_more(self) -> None:
        """A decision waits for two lines, for enough bytes or for the end, so that no cut by the network matters."""
        self.assertIsNone(kind_by_look("text", b"1\n00:00:00,000 --", False))
        self.assertIs(kind_by_look("text", SRT[:33], False), Kind.SRT)
        self.assertIs(kind_by_look("text", b"x" * 256, False), Kind.TEXT)


class SniffedTests(SynchronousTestCase):
    """A response of which the kind is found while it is read."""

    def test_late(self) -> None:
        """Plain text is read by the document of its kind."""
        for asked, body in (("srt", SRT), ("vtt", VTT), ("text", b"Hello."), ("text", b'{"text":"Hello."}')):
            document = Sniffed(asked, b"text/plain")
            segments = read(document, *(body[at : at + 1] for at in range(len(body))))
            self.assertEqual([segment.text for segment in segments], ["Hello."])
            self.assertEqual(document.transcript(segments).text, "Hello.")
            self.assertEqual(document.write(segments) + document.end(), body)

    def test_cue_by_cue(self) -> None:
        """The first cue does not wait for others."""
        self.assertEqual(len(Sniffed("srt", b"text/plain").feed(SRT)), 1)

    def test_none(self) -> None:
        """What is none passes as it is."""
        for body in (b"Internal Server Error", b"x" * 1000, b"", b" \n \n "):
            document = Sniffed("vtt", b"text/plain")
            self.assertEqual(passed(document, [body, b""], shouted), body)
            self.assertIsNotNone(document.failure)
            self.assertIsNone(document.kind)

    def test_flush(self) -> None:
        """A sentence can be flushed; other kinds have none."""
        document = Sniffed("json", b"text/event-stream")
        document.feed(b'data: {"type":"transcript.text.delta","delta":"Hi"}\n\n')
        self.assertEqual([segment.text for segment in document.flush()], ["Hi"])
        self.assertEqual(Sniffed("text", b"text/plain").flush(), [])
        self.assertEqual(Sniffed("json", b"application/json").flush(), [])
