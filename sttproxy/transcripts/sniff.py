"""
What a response is: by its Content-Type, by the format that the server was asked for, and by a look at its first bytes.

A type of its own (``text/vtt``, ``text/event-stream``, JSON) tells the format, also where another one was asked for:
vLLM sends JSON to ``text``.  Plain text is what was asked for, if it begins like that.  In doubt it is no transcript.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum

from ..errors import UnsupportedBody
from ..headers import parse_content_type
from .document import MAX_TRANSCRIPT, Document, NotATranscript
from .events import Events
from .json import JSON
from .model import Segment, Transcript
from .ndjson import NDJSON
from .srt import SRT
from .text import Text
from .vtt import VTT

#: Most bytes of a response that are needed to recognize plain text.
ENOUGH = 256


class Kind(Enum):
    """The formats that are read."""

    JSON = "json"
    NDJSON = "ndjson"
    EVENTS = "events"
    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"


_TYPES = {
    b"application/json": Kind.JSON,
    b"application/jsonl": Kind.NDJSON,
    b"application/ndjson": Kind.NDJSON,
    b"application/x-ndjson": Kind.NDJSON,
    b"application/x-subrip": Kind.SRT,
    b"text/event-stream": Kind.EVENTS,
    b"text/srt": Kind.SRT,
    b"text/vtt": Kind.VTT,
}
#: Types of which the format is decided by what was asked, and by a look.  whisper.cpp's server sends ``text`` as HTML.
_PLAIN = frozenset({b"", b"application/octet-stream", b"text/html", b"text/plain"})
_CHARSETS = frozenset({b"", b"ascii", b"us-ascii", b"utf-8", b"utf8"})

_BOM = b"\xef\xbb\xbf"
#: The first two lines that are not blank.
_LOOK = re.compile(rb"(?:\xef\xbb\xbf)?\s*[^\n]*\n[^\n]*\n")
_SRT = re.compile(rb"[0-9]{1,9}[ \t]*\r?\n[0-9]{2,4}:[0-9]{2}:[0-9]{2}[,.][0-9]{3}[ \t]*-->")
_VTT = re.compile(rb"WEBVTT(?:[ \t\r\n]|\Z)")


def kind_of(asked: str | None, content_type: bytes | None) -> Kind | None:
    """
    The kind of a response by its head; None if a look at its body is needed.

    :param asked: the ``response_format`` that the server got; None if it got none.
    :param content_type: the header of the response.
    :raises NotATranscript: when it is none of the kinds.
    """
    try:
        media, parameters = parse_content_type(content_type) if content_type else (b"", {})
    except UnsupportedBody:
        raise NotATranscript("the Content-Type of the response is malformed") from None
    if parameters.get(b"charset", b"").lower() not in _CHARSETS:
        raise NotATranscript("the response is not UTF-8")
    if media in _TYPES:
        return _TYPES[media]
    if media not in _PLAIN or (media == b"text/html" and asked != "text"):
        raise NotATranscript("the response has a Content-Type that no transcript has")
    return None


def kind_by_look(asked: str | None, body: bytes, complete: bool) -> Kind | None:
    """
    The kind of a response by its first bytes; None if more of them are needed.

    :param body: its first bytes.
    :param complete: whether these are all.
    :raises NotATranscript: when it is none of the kinds, or not surely the one that was asked for.
    """
    look = body[:ENOUGH]
    found = _LOOK.match(look)
    if found is None and len(look) < ENOUGH and not complete:
        return None
    look = (found.group() if found else look).removeprefix(_BOM).lstrip()
    if look.startswith(b"{"):
        return Kind.JSON
    if _VTT.match(look):
        return Kind.VTT
    if _SRT.match(look) or (not look and asked == "srt"):
        return Kind.SRT
    if asked != "text" or look.startswith((b"<", b"[")):
        raise NotATranscript(f"the response does not look like {asked or 'a transcript'}")
    return Kind.TEXT


def document_of(kind: Kind, asked: str | None, limit: int = MAX_TRANSCRIPT) -> Document:
    """The document that reads a kind of response."""
    if kind is Kind.EVENTS:
        return Events(limit, plain=asked == "text")
    return _DOCUMENTS[kind](limit)


_DOCUMENTS: dict[Kind, Callable[[int], Document]] = {
    Kind.JSON: JSON,
    Kind.NDJSON: NDJSON,
    Kind.TEXT: Text,
    Kind.SRT: SRT,
    Kind.VTT: VTT,
}


class Sniffed:
    """
    A response whose kind is decided while it is read; see `document.Document`.

    :ivar kind: None until it is decided.
    """

    def __init__(self, asked: str | None, content_type: bytes | None, limit: int = MAX_TRANSCRIPT) -> None:
        """
        :param asked: the ``response_format`` that the server got; None if it got none.
        :param content_type: the header of the response.
        :param limit: most bytes that are held.
        :raises NotATranscript: when the head says that it is none.
        """
        self.kind = kind_of(asked, content_type)
        self._asked = asked
        self._limit = limit
        self._document = document_of(self.kind, asked, limit) if self.kind else None
        self._failure: NotATranscript | None = None
        self._body = b""

    @property
    def failure(self) -> NotATranscript | None:
        """Why the rest of the response is not read; None while it is read."""
        return self._document.failure if self._document else self._failure

    @property
    def sentence(self) -> int | None:
        """The number that the segment of the sentence that is not complete will have; None if none has begun."""
        return self._document.sentence if self._document else None

    def feed(self, data: bytes) -> list[Segment]:
        """Take bytes of the response; return the segments that are complete."""
        if self._document:
            return self._document.feed(data)
        self._body += data
        return self._look(False)

    def flush(self) -> list[Segment]:
        """Return what has arrived of a sentence."""
        return self._document.flush() if self._document else []

    def finish(self) -> list[Segment]:
        """The response is complete; return the last segments."""
        segments = [] if self._document else self._look(True)
        return segments + self._document.finish() if self._document else segments

    def write(self, segments: Sequence[Segment]) -> bytes:
        """Write segments, and what stands before and between them."""
        return self._document.write(segments) if self._document else b""

    def end(self) -> bytes:
        """Write what is left."""
        return self._document.end() if self._document else self._body

    def transcript(self, segments: Sequence[Segment]) -> Transcript:
        """The transcript that consists of these segments."""
        assert self._document is not None, "it is rendered only if it was read"
        return self._document.transcript(segments)

    def _look(self, complete: bool) -> list[Segment]:
        if self._failure is not None:
            return []
        try:
            self.kind = kind_by_look(self._asked, self._body, complete)
        except NotATranscript as failure:
            self._failure = failure
        if self.kind is None:
            return []
        self._document = document_of(self.kind, self._asked, self._limit)
        body, self._body = self._body, b""
        return self._document.feed(body)
