"""
Tests with malformed responses: they pass as they are, and nothing raises.
"""

from __future__ import annotations

import json
import random

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.delivery import render
from sttproxy.transcripts.model import Segment
from sttproxy.transcripts.sniff import Kind, Sniffed, document_of

from .answers import ANSWERS
from .reading import cuts, passed, read, rewritten, shouted

#: What mutations insert: what the formats give a meaning, and what decoders stumble over.
PIECES = (
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"-->",
    b"00:00:00,000 --> 00:00:01,000",
    b'"',
    b"\\",
    b"\\u",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"NaN",
    b"1e999",
    b"-",
    b"data: ",
    b"data:",
    b"WEBVTT",
    b"NOTE ",
    b"STYLE",
    b"<v ",
    b"<",
    b">",
    b"&",
    b"[DONE]",
    b'"text"',
    b'"words":',
    b'"segments":',
    b" " * 300,
)


def mutated(source: random.Random, body: bytes) -> bytes:
    """A response with a few bytes inserted, removed, repeated, moved or changed."""
    data = bytearray(body)
    for _ in range(source.randint(1, 4)):
        start = source.randint(0, len(data))
        end = min(start + source.choice((0, 1, 2, 5, 40)), len(data))
        kind = source.randrange(5)
        if kind == 0:
            data[start:start] = source.choice(PIECES)
        elif kind == 1:
            del data[start:end]
        elif kind == 2:
            data[start:start] = data[start:end] * source.choice((1, 2, 50))
        elif kind == 3:
            data = data[end:] + data[:end]
        elif end > start:
            data[start] = source.randrange(256)
    return bytes(data)


class MalformedTests(SynchronousTestCase):
    """Mutations of the corpus."""

    def check(self, body: bytes, make: object) -> None:
        """A response passes as it is; a change does not depend on cuts and leaves all that is not read."""
        assert callable(make)
        document = make()
        segments = read(document, body)
        self.assertEqual(document.write(segments) + document.end(), body)
        expected = rewritten(make(), body, shouted)
        size = 1 + len(body) // 7
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        self.assertEqual(passed(make(), pieces, shouted), expected)
        if document.failure is not None and not segments:
            self.assertEqual(expected, body)

    def test_mutated(self) -> None:
        """Two thousand mutated responses, each read as what its head says and as any other kind."""
        source = random.Random(7)
        failures = 0
        for number in range(2000):
            answer = ANSWERS[number % len(ANSWERS)]
            body = mutated(source, answer.body)
            self.check(body, lambda answer=answer: Sniffed(answer.asked, answer.content_type))
            kind = source.choice(list(Kind))
            self.check(body, lambda kind=kind: document_of(kind, "text"))
            document = Sniffed(answer.asked, answer.content_type)
            read(document, body)
            failures += document.failure is not None
        self.assertGreater(failures, 1000)

    def test_large(self) -> None:
        """Work grows with the size of a response and not with its square, which would take minutes here."""
        cue = "1\n00:00:00,000 --> 00:00:01,000\n"
        for name, text in (
            ("digits", "1" * 1_000_000),
            ("spaces", " " * 1_000_000),
            ("lines", "a\n" * 50_000),
            ("empty lines", "\n" * 300_000),
            ("returns", "\r" * 1_000_000),
            ("cues", (cue + "a\n\n") * 5000),
            ("cue of spaces", cue + " " * 60_000),
            ("tags", cue + "<i>" * 10_000 + "a" + "</i>" * 8000),
            ("tags inside", cue + "a" + "</i>" * 15_000 + "b"),
            ("voices", cue + "<v" + " " * 60_000 + "a"),
            ("braces", cue + "{\\" * 20_000),
            ("text of spaces", json.dumps({"text": " " * 1_000_000})),
            ("text of lines", json.dumps({"text": "a\n" * 50_000})),
            ("words", json.dumps({"text": "a " * 20_000, "words": [{"word": "a", "start": 0, "end": 1}] * 20_000})),
            ("blank segments", json.dumps({"text": " " * 500_000 + "a", "segments": [{"text": " "}] * 20_000})),
            ("other words", json.dumps({
                "text": "a",
                "segments": [{"text": "a", "start": 0, "end": 1, "words": [{"word": "b"}]}] * 10_000,
                "words": [{"word": "c", "start": 0, "end": 1}] * 10_000,
            })),
            ("event", "data: x\n" * 100_000),
        ):  # fmt: skip
            for kind in Kind:
                body = text.encode()
                pieces = [body[at : at + 1500] for at in range(0, len(body), 1500)]
                half = passed(document_of(kind, "text"), pieces, lambda segments: shouted(segments[::2]))
                self.assertLessEqual(len(half), len(body), (name, kind))
                document = document_of(kind, "text")
                segments = read(document, body)
                if document.failure is None:
                    transcript = document.transcript(segments)
                    render(attrs.evolve(transcript, segments=[Segment(transcript.text, 0.0, 1.0)]), "srt")

    def test_truncated(self) -> None:
        """A response that ends early passes as it is, wherever it ends."""
        for answer in ANSWERS:
            for end in range(0, len(answer.body), 17):
                body = answer.body[:end]
                self.assertEqual(passed(Sniffed(answer.asked, answer.content_type), [body]), body)

    @given(st.binary(max_size=200), st.sampled_from(Kind), st.lists(st.integers(0, 200), max_size=6))
    @settings(max_examples=300)
    def test_any_bytes(self, body: bytes, kind: Kind, at: list[int]) -> None:
        """Any bytes pass as they are."""
        self.assertEqual(passed(document_of(kind, "text"), cuts(body, (min(each, len(body)) for each in at))), body)
        self.check(body, lambda: document_of(kind, "text"))
