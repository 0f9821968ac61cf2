"""
What all documents have in common.

    document.feed(data)     -> the segments that are complete
    document.finish()       -> the last segments
    document.write(segments)-> the bytes up to the last of these segments
    document.end()          -> the bytes behind the last segment
    document.rest()         -> instead, after NotATranscript: all bytes that were not written, as they came

The number and the sizes of the pieces that `feed` gets do not change the bytes that are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .model import Segment, Transcript


class NotATranscript(ValueError):
    """
    The response is not surely a transcript in the expected format.

    The message says why, in terms of the format; it contains no text of the response.
    """


class CannotRender(ValueError):
    """The transcript lacks what the requested format needs, such as times."""


class Document(Protocol):
    """One response: reads it, and writes it back with changed segments."""

    def feed(self, data: bytes) -> list[Segment]:
        """
        Take bytes of the response; return the segments that are complete.

        :raises NotATranscript: when the response is in another format or malformed; send `rest` and all later bytes on.
        """

    def finish(self) -> list[Segment]:
        """
        The response is complete; return the last segments.

        :raises NotATranscript: as `feed`.
        """

    def write(self, segments: Sequence[Segment]) -> bytes:
        """
        Write segments, and what stands before them.

        :param segments: in their order; those that were left out before the last one are dropped.
        """

    def end(self) -> bytes:
        """Write what stands behind the last segment.  Call it after `finish`; segments not written are dropped."""

    def rest(self) -> bytes:
        """All bytes that were taken and not written, as they came."""

    def transcript(self, segments: Sequence[Segment]) -> Transcript:
        """The transcript that consists of these segments, for rendering in another format.  Call it after `finish`."""
