"""
Tests for :mod:`sttproxy.transcripts.delivery`.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.delivery import Delivery, deliver, is_as_requested, render
from sttproxy.transcripts.document import CannotRender
from sttproxy.transcripts.model import Segment, Transcript, Word
from sttproxy.transcripts.sniff import Kind, Sniffed

from .answers import ANSWERS
from .reading import read

WORDS = [Word(" Good", 0.0, 0.5), Word(" morning.", 0.5, 1.25)]
HEARD = Transcript(
    [Segment(" Good morning.", 0.0, 1.25, WORDS, no_speech_prob=0.5), Segment(" Bye --> <i>", 61.5, 3723.0049)],
    "Good morning. Bye --> <i>",
    "english",
    4.4,
)
SRT = "1\n00:00:00,000 --> 00:00:03,200\nGood morning, everyone.\n\n"


def named(name: str) -> tuple[Sniffed, bytes]:
    """A document for a response of the corpus, and its body."""
    (answer,) = (answer for answer in ANSWERS if answer.name == name)
    return Sniffed(answer.asked, answer.content_type), answer.body


def delivered(name: str, requested: str, words: bool = False) -> Delivery:
    """A response of the corpus as a client gets it that asked for this format."""
    document, body = named(name)
    segments = read(document, body)
    assert document.kind is not None
    return deliver(document, document.kind, segments, requested, words=words)


class RenderTests(SynchronousTestCase):
    """A transcript in each format."""

    def test_json(self) -> None:
        """json has only the text."""
        self.assertEqual(render(HEARD, "json"), Delivery(b'{"text": "Good morning. Bye --> <i>"}', b"application/json"))

    def test_text(self) -> None:
        """text is the text with a line break."""
        self.assertEqual(render(HEARD, "text"), Delivery(b"Good morning. Bye --> <i>\n", b"text/plain; charset=utf-8"))

    def test_srt(self) -> None:
        """srt counts from 1 and has decimal commas; an arrow in the text is shortened."""
        body = b"1\n00:00:00,000 --> 00:00:01,250\nGood morning.\n\n2\n00:01:01,500 --> 01:02:03,005\nBye -> <i>\n"
        self.assertEqual(
            render(HEARD, "srt"),
            Delivery(body, b"text/plain; charset=utf-8", b'attachment; filename="transcription.srt"'),
        )

    def test_vtt(self) -> None:
        """vtt has decimal points and references for what would be a tag; a speaker is a voice."""
        body = (
            b"WEBVTT\n\n00:00:00.000 --> 00:00:01.250\nGood morning.\n\n"
            b"00:01:01.500 --> 01:02:03.005\nBye --&gt; &lt;i&gt;\n"
        )
        self.assertEqual(
            render(HEARD, "vtt"),
            Delivery(body, b"text/plain; charset=utf-8", b'attachment; filename="transcription.vtt"'),
        )
        spoken = Transcript([Segment("Hi", 0.0, 1.0, speaker="A <b>")], "Hi")
        self.assertIn(b"<v A  b >Hi\n", render(spoken, "vtt").body)

    def test_verbose(self) -> None:
        """verbose_json has what is known, and the words only if they are wanted."""
        value = {
            "task": "transcribe",
            "language": "english",
            "duration": 4.4,
            "text": "Good morning. Bye --> <i>",
            "segments": [
                {"id": 0, "start": 0.0, "end": 1.25, "text": " Good morning.", "no_speech_prob": 0.5},
                {"id": 1, "start": 61.5, "end": 3723.0049, "text": " Bye --> <i>"},
            ],
        }
        self.assertEqual(json.loads(render(HEARD, "verbose_json").body), value)
        words = [{"word": "Good", "start": 0.0, "end": 0.5}, {"word": "morning.", "start": 0.5, "end": 1.25}]
        self.assertEqual(json.loads(render(HEARD, "verbose_json", words=True).body), {**value, "words": words})

    def test_silence(self) -> None:
        """Each format has its own form for an empty transcript."""
        silence = Transcript([], "")
        bodies = {form: render(silence, form).body for form in ("text", "srt", "vtt")}
        self.assertEqual(bodies, {"text": b"\n", "srt": b"", "vtt": b"WEBVTT\n"})

    def test_times_of_words(self) -> None:
        """A segment without times has those of its words."""
        body = render(Transcript([Segment("Good morning.", words=WORDS)], "Good morning."), "srt").body
        self.assertEqual(body, b"1\n00:00:00,000 --> 00:00:01,250\nGood morning.\n")

    def test_cannot(self) -> None:
        """Subtitles need times; an unknown format is none."""
        for transcript in (Transcript([Segment("Hi")], "Hi"), Transcript([], "Hi")):
            for form in ("srt", "vtt", "verbose_json"):
                self.assertRaises(CannotRender, render, transcript, form)
        self.assertRaises(CannotRender, render, HEARD, "diarized_json")

    def test_strange_times(self) -> None:
        """Times before the recording, and an end before the start, are moved."""
        body = render(Transcript([Segment("a", -1.0, 1.0), Segment("b", 3.0, 2.0)], "a b"), "srt").body
        self.assertEqual(body, b"1\n00:00:00,000 --> 00:00:01,000\na\n\n2\n00:00:03,000 --> 00:00:03,000\nb\n")


class DeliverTests(SynchronousTestCase):
    """Responses in the format that the client asked for."""

    def test_as_requested(self) -> None:
        """Responses in the format that was asked for leave while they are read, streams always."""
        for kind, requested, expected in (
            (Kind.SRT, "srt", True),
            (Kind.SRT, "vtt", False),
            (Kind.VTT, "vtt", True),
            (Kind.TEXT, "text", True),
            (Kind.JSON, "verbose_json", True),
            (Kind.JSON, "diarized_json", True),
            (Kind.JSON, "json", False),
            (Kind.JSON, "text", False),
            (Kind.NDJSON, "json", False),
            (Kind.EVENTS, "json", True),
        ):
            self.assertIs(is_as_requested(kind, requested), expected, (kind, requested))

    def test_subtitles_in_json(self) -> None:
        """A client that reads JSON gets subtitles as they are."""
        document, body = named("mlx srt")
        self.assertEqual(
            delivered("mlx srt", "json"),
            Delivery(json.dumps({"text": body.decode()}).encode(), b"application/json"),
        )
        document = Sniffed("srt", b"text/plain")
        segments = read(document, (SRT + SRT).encode())
        out = deliver(document, Kind.SRT, segments[1:], "json").body
        self.assertEqual(json.loads(out), {"text": SRT})

    def test_json_as_it_is(self) -> None:
        """JSON without segments keeps its other members."""
        self.assertEqual(delivered("openai json", "json").body, named("openai json")[1])

    def test_from_verbose(self) -> None:
        """Everything is made from verbose_json."""
        name = "openai verbose_json"
        self.assertEqual(delivered(name, "json").body, b'{"text": "The beach was popular. People were swimming."}')
        self.assertEqual(delivered(name, "text").body, b"The beach was popular. People were swimming.\n")
        self.assertEqual(
            delivered(name, "srt").body,
            b"1\n00:00:00,000 --> 00:00:03,320\nThe beach was popular.\n\n"
            b"2\n00:00:03,320 --> 00:00:08,000\nPeople were swimming.\n",
        )
        self.assertTrue(delivered(name, "vtt").body.startswith(b"WEBVTT\n\n00:00:00.000 --> 00:00:03.320\n"))

    def test_ignored_format(self) -> None:
        """A client gets its format from a server that ignores it."""
        self.assertEqual(delivered("vllm json to text", "text").body, b"Good morning.\n")
        self.assertEqual(delivered("mlx-audio, whole", "text").body, b"Good morning.\n")
        self.assertEqual(delivered("mlx-audio, tokens", "json").body, b'{"text": "Good morning. Bye."}')
        self.assertEqual(
            delivered("mlx-audio, segments", "srt").body,
            "1\n00:00:00,000 --> 00:00:02,500\nGood morning.\n\n2\n00:00:02,500 --> 00:00:05,000\nCafé.\n".encode(),
        )

    def test_between_subtitles(self) -> None:
        """Subtitles become other subtitles, text, and verbose_json."""
        name = "vtt with all kinds of blocks"
        self.assertEqual(delivered(name, "srt").body, b"1\n00:00:00,000 --> 00:00:03,200\nGood morning & hi.\n")
        self.assertEqual(delivered(name, "text").body, b"Good morning & hi.\n")
        value = json.loads(delivered("mlx srt", "verbose_json").body)
        self.assertEqual((value["duration"], value["language"], len(value["segments"])), (5.0, "", 2))

    def test_words(self) -> None:
        """Words come from wherever the server has them."""
        value = json.loads(delivered("mlx verbose_json with words", "verbose_json", words=True).body)
        self.assertEqual([word["word"] for word in value["words"]], ["Good", "morning,", "everyone."])

    def test_all(self) -> None:
        """Each response of the corpus is delivered in each format, or lacks what it needs; subtitles can be read."""
        for answer in ANSWERS:
            for requested in ("json", "text", "srt", "vtt", "verbose_json"):
                try:
                    delivery = delivered(answer.name, requested)
                except CannotRender:
                    self.assertIn(requested, ("srt", "vtt", "verbose_json"))
                    continue
                reader = Sniffed(requested, delivery.content_type)
                read(reader, delivery.body)
                self.assertIsNone(reader.failure, (answer.name, requested, delivery.body))
