"""
Helpers for tests of documents: read a response in pieces, and write it back.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from sttproxy.transcripts.document import Document
from sttproxy.transcripts.model import Segment

#: Changes segments; returns those that are left.
Rule = Callable[[list[Segment]], Sequence[Segment]]


def unchanged(segments: list[Segment]) -> Sequence[Segment]:
    """The rule that changes nothing."""
    return segments


def shouted(segments: list[Segment]) -> Sequence[Segment]:
    """Change all texts, also those of words."""
    for segment in segments:
        segment.text = segment.text.upper()
        for word in segment.words:
            word.text = word.text.upper()
    return segments


def passed(document: Document, pieces: Iterable[bytes], rule: Rule = unchanged) -> bytes:
    """Read a response, apply a rule to the segments of each piece, and return what is written."""
    out = b""
    for piece in pieces:
        out += document.write(rule(document.feed(piece)))
    out += document.write(rule(document.finish()))
    return out + document.end()


def read(document: Document, *pieces: bytes) -> list[Segment]:
    """Read a whole response; return its segments."""
    segments = [segment for piece in pieces for segment in document.feed(piece)]
    return segments + document.finish()


def rewritten(document: Document, body: bytes, rule: Rule) -> bytes:
    """Read a whole response, apply a rule to all segments, and return what is written."""
    segments = read(document, body)
    return document.write(rule(segments)) + document.end()


def cuts(body: bytes, at: Iterable[int]) -> list[bytes]:
    """A response as the network cuts it at these offsets."""
    places = [0, *sorted(set(at)), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(places)]
