"""
Tests for :mod:`sttproxy.transcripts.rendition`: properties that hold for every response, format and cut.
"""

from __future__ import annotations

import json
import random

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.cleaning import Cleaning
from sttproxy.transcripts.compiling import compiled
from sttproxy.transcripts.document import NotATranscript, TooLong
from sttproxy.transcripts.rendition import Rendition, Wanted
from sttproxy.transcripts.sniff import Kind

from .answers import ANSWERS, Answer

RULES = {"drop": {"phrases": "known"}, "collapse_repeats": 3, "replace": {"the": "a", "/o+/": "0"}, "trim": True}
CLEANING = compiled(RULES)[0]
FORMATS = (None, "json", "text", "srt", "vtt", "verbose_json", "unheard-of")


def rendition(answer: Answer, requested: str | None, cleaning: Cleaning = CLEANING, holds: bool = False) -> Rendition:
    """A rendition of a response of the corpus."""
    return Rendition(cleaning, Wanted(answer.asked, requested), answer.content_type, holds=holds)


def returned(made: Rendition, *pieces: bytes) -> bytes:
    """All that leaves."""
    return b"".join([*map(made.feed, pieces), made.finish()])


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Pieces of data."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class RenditionTests(SynchronousTestCase):
    """Each response of the corpus, in each format."""

    @given(
        st.sampled_from(ANSWERS), st.sampled_from(FORMATS), st.lists(st.integers(0, 1 << 20), max_size=8), st.booleans()
    )
    def test_any_cut(self, answer: Answer, requested: str | None, places: list[int], holds: bool) -> None:
        """However the network cuts a response, the same bytes leave; what is held leaves at the end."""
        whole = rendition(answer, requested)
        expected = returned(whole, answer.body)
        pieces = rendition(answer, requested, holds=holds)
        self.assertEqual(returned(pieces, *cut(answer.body, places)), expected)
        self.assertEqual((pieces.delivery, str(pieces.failure)), (whole.delivery, str(whole.failure)))
        self.assertEqual(pieces.unchanged, expected == answer.body)

    def test_without_rules(self) -> None:
        """Without a rule a response leaves as it came."""
        for answer in ANSWERS:
            self.assertEqual(returned(rendition(answer, None, Cleaning()), answer.body), answer.body, answer.name)

    def test_twice(self) -> None:
        """Cleaning twice is cleaning once."""
        for answer in ANSWERS:
            made = rendition(answer, None)
            once = returned(made, answer.body)
            if made.kind is not Kind.TEXT or once:
                again = attrs.evolve(answer, body=once)
                self.assertEqual(returned(rendition(again, None), once), once, answer.name)

    @given(st.sampled_from(ANSWERS), st.sampled_from(FORMATS), st.randoms(use_true_random=False))
    def test_malformed(self, answer: Answer, requested: str | None, chance: random.Random) -> None:
        """Damaged responses never raise; one that is not read at all leaves as it came."""
        body = bytearray(answer.body)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body) + 1)
            body[at : at + chance.randint(0, 9)] = chance.randbytes(chance.randint(0, 5))
        for cleaning in (CLEANING, Cleaning()):
            made = rendition(answer, requested, cleaning)
            out = returned(made, *cut(bytes(body), [chance.randrange(1 << 20) for _ in range(3)]))
            if not cleaning and made.delivery is None:
                self.assertEqual(out, bytes(body))

    @given(st.sampled_from(ANSWERS), st.lists(st.integers(0, 1 << 20), min_size=1, max_size=4))
    def test_cut_off(self, answer: Answer, places: list[int]) -> None:
        """Of a response that is cut off, what has come leaves if no rule touches it."""
        made = rendition(answer, None, Cleaning())
        part = cut(answer.body, places)[0]
        self.assertEqual(made.feed(part) + made.abandon(), part)

    def test_head(self) -> None:
        """A Content-Type that no transcript has is told at once."""
        self.assertRaises(NotATranscript, Rendition, CLEANING, Wanted(), b"audio/wav")

    def test_limit(self) -> None:
        """What is delivered in another format is held up to the limit."""
        body = json.dumps({"text": "x" * 100}).encode()
        for kept in (0, 1):
            made = Rendition(Cleaning(), Wanted(requested="text"), b"application/json", len(body) - kept)
            out = returned(made, body[:50], body[50:])
            self.assertEqual((isinstance(made.failure, TooLong), out == body), (bool(kept), bool(kept)))

    def test_streams(self) -> None:
        """Lines of JSON leave while they come for a client that asked for a stream; else they are rendered."""
        line = b'{"text": "Hello.", "start": 0, "end": 1}\n'
        for streams, expected in ((True, line), (False, b"")):
            made = Rendition(Cleaning(), Wanted(None, "text", streams), b"application/x-ndjson")
            self.assertEqual(made.feed(line), expected)
            self.assertEqual(made.finish(), b"" if streams else b"Hello.\n")

    def test_words(self) -> None:
        """verbose_json that is rendered has words only for a client that asked for them."""
        segment = {"text": "Hi", "start": 0, "end": 1, "words": [{"word": "Hi", "start": 0, "end": 1}]}
        lines = json.dumps({"text": "Hi", "segments": [segment]}).encode() + b"\n"
        for words in (True, False):
            made = Rendition(Cleaning(), Wanted(None, "verbose_json", words=words), b"application/x-ndjson")
            self.assertEqual("words" in json.loads(returned(made, lines)), words)
