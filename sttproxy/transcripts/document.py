"""
What all documents have in common.

    document.feed(data)      -> the segments that are complete
    document.flush()         -> the sentence that is not complete yet, where a stream has one
    document.finish()        -> the last segments
    document.write(segments) -> the bytes up to the last of these segments
    document.end()           -> all other bytes

When `failure` is set, the rest of the response is not surely a transcript: write the segments that the rules hold, call
`end`, and send all later bytes on.  How the network cut the response changes neither the segments nor the bytes that
are written; only `flush` ends a segment early.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .model import Segment, Transcript

#: Most bytes of a response, or of one event or line of it, that are held by default.
MAX_TRANSCRIPT = 16 * 1024 * 1024


class NotATranscript(ValueError):
    """
    A response, or the rest of it, is not surely a transcript in the expected format.

    The message says why; it contains no text of the response.
    """


class TooLong(NotATranscript):
    """A response, or a part of it, is longer than what is held."""


class CannotRender(ValueError):
    """A transcript lacks what the requested format needs, such as times."""


class Document(Protocol):
    """One response: reads it, and writes it back with changed segments."""

    @property
    def failure(self) -> NotATranscript | None:
        """Why the rest of the response is not read; None while it is read."""

    @property
    def sentence(self) -> int | None:
        """The number that the segment of the sentence that is not complete will have; None if none has begun."""

    def feed(self, data: bytes) -> list[Segment]:
        """Take bytes of the response; return the segments that are complete."""

    def flush(self) -> list[Segment]:
        """Return what has arrived of a sentence as a segment, so that it need not wait for its end."""

    def finish(self) -> list[Segment]:
        """The response is complete; return the last segments."""

    def write(self, segments: Sequence[Segment]) -> bytes:
        """
        Write segments, and what stands before and between them.

        :param segments: in their order; those that are missing before the last one are dropped.
        """

    def end(self) -> bytes:
        """Write what is left, without the segments that were not written; call it once, last."""

    def transcript(self, segments: Sequence[Segment]) -> Transcript:
        """The transcript that consists of these segments, for another format; call it after `finish`."""
