"""
The row type of the tables, and helpers to write rows.
"""

from __future__ import annotations

from typing import Any

import attrs

from ..forms.rewriting import Item

#: The configuration for all forms: a text, a number, a list, and a field that is only removed.
CONFIG = b'{"prompt": "configured", "temperature": 0.20, "timestamp_granularities": ["word"], "language": null}'
#: The items that every accepted multipart or urlencoded form begins with.
FORCED = (
    Item("prompt", None, None, b"configured"),
    Item("temperature", None, None, b"0.20"),
    Item("timestamp_granularities[]", None, None, b"word"),
)
#: The members that every accepted JSON object begins with.
FORCED_JSON = (("prompt", "configured"), ("temperature", "0.20"), ("timestamp_granularities", ["word"]))

BOUNDARY = b"AaB03x-boundary-17"
MULTIPART = b"multipart/form-data; boundary=" + BOUNDARY
URLENCODED = b"application/x-www-form-urlencoded"
JSON = b"application/json"
PATH = b"/v1/audio/transcriptions"


@attrs.frozen
class Refused:
    """The client gets this status and a reason with this word; the upstream gets no complete request."""

    status: int
    word: str


@attrs.frozen
class Reads:
    """The upstream reads the configured fields, then exactly these fields and files of the client."""

    kept: tuple[Item, ...] = ()


@attrs.frozen
class ReadsJSON:
    """The same for a JSON object: exactly these members, numbers as they were written."""

    kept: tuple[tuple[str, Any], ...] = ()


@attrs.frozen
class Passes:
    """The request passes unchanged: no server reads it as a transcription."""


Verdict = Refused | Reads | ReadsJSON | Passes


@attrs.frozen
class Vector:
    """
    One request.

    :ivar reason: the difference between parsers, or why an honest client may send it.
    :ivar content_type: None omits it.
    :ivar upstream_target: the target that the upstream sees; None: the same, in origin form.
    """

    name: str
    reason: str
    body: bytes
    verdict: Verdict
    content_type: bytes | None = MULTIPART
    target: bytes = PATH
    method: bytes = b"POST"
    headers: tuple[bytes, ...] = ()
    upstream_target: bytes | None = None

    def head(self, counted: bool) -> bytes:
        """The request's head; a body without a length is sent chunked."""
        lines = [b"%b %b HTTP/1.1" % (self.method, self.target), b"Host: h", *self.headers]
        if self.content_type is not None:
            lines.append(b"Content-Type: " + self.content_type)
        lines.append(b"Content-Length: %d" % len(self.body) if counted else b"Transfer-Encoding: chunked")
        return b"\r\n".join([*lines, b"", b""])


def malformed(word: str) -> Refused:
    """400, for a form with two possible readings, or none."""
    return Refused(400, word)


def unsupported(word: str) -> Refused:
    """415, for a body that cannot be rewritten."""
    return Refused(415, word)


def text(name: str, value: bytes = b"1", content_type: bytes | None = None) -> Item:
    """A text field as a reader sees it."""
    return Item(name, None, content_type, value)


def file(
    name: str = "file", filename: bytes = b"a.wav", content_type: bytes | None = None, value: bytes = b"1"
) -> Item:
    """A file as a reader sees it."""
    return Item(name, filename, content_type, value)


def form(*parts: bytes, end: bytes = b"\r\n", boundary: bytes = BOUNDARY) -> bytes:
    """A form of parts, each a head, an empty line and a value."""
    return b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--" % boundary + end


def part(head: bytes, value: bytes = b"1") -> bytes:
    """A part of its head and its value."""
    return head + b"\r\n\r\n" + value


#: The usual beginning of a part's head.
CD = b"Content-Disposition: form-data; "
#: A field without a rule, and one with a rule.
OTHER = part(CD + b'name="other"')
PROMPT = part(CD + b'name="prompt"', b"evil")
