"""
Body framing: a body ends by its length, by its last chunk, or with the connection (RFC 9112 §6–7).

A decoder takes the received bytes and returns the slices that are body.  It never buffers body bytes.  It buffers
incomplete chunk-size lines and trailer sections up to a limit.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import Protocol

from ..errors import BadRequest, Header, HeadTooLarge
from .heads import HEAD_END, MAX_HEAD, Head, check_line_ends, field_lines, parse_trailers

#: Longest chunk-size line with its extensions, in bytes.  The longest extensions in use are signatures.
MAX_CHUNK_LINE = 4096
#: Most bytes of chunk extensions in one body.  Without this limit a client can send any amount of data in extensions,
#: which no body limit counts (CVE-2023-39326).
MAX_EXTENSIONS = 64 * 1024

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})([ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")


class Decoder(Protocol):
    """
    Finds the end of one body.

    :ivar done: whether the body is complete.
    :ivar trailers: the trailer section behind the body, as it was received.
    """

    done: bool
    trailers: Sequence[Header]

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """
        Take bytes; return the slices that are body, and the bytes after the end of the body (``b""`` before the end).

        :raises BadRequest: when the framing is invalid.
        """

    def end(self) -> bool:
        """Whether the body is complete if the connection closes now."""


class Counted:
    """A body of a known length."""

    trailers: Sequence[Header] = ()

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        if self.done:
            return [], data
        left = self._left - len(data)
        if left > 0:
            self._left = left
            return [data], b""
        self._left = 0
        self.done = True
        if left == 0:
            return [data], b""
        return [data[:left]], data[left:]

    def end(self) -> bool:
        return self.done


class UntilClose:
    """A response body that ends when the connection closes."""

    done = False
    trailers: Sequence[Header] = ()

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        return [data], b""

    def end(self) -> bool:
        return True


class _State(enum.Enum):
    SIZE = enum.auto()
    DATA = enum.auto()
    DATA_END = enum.auto()
    TRAILERS = enum.auto()


class Chunked:
    """
    A body in the chunked coding.

    Drops chunk extensions.  The trailer section has the limits of a head.
    """

    def __init__(self) -> None:
        self.done = False
        self.trailers: Sequence[Header] = ()
        self._state = _State.SIZE
        self._buffer = b""
        self._left = 0
        self._extensions = 0

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        slices: list[bytes] = []
        at = 0
        while at < len(data) and not self.done:
            if self._state is _State.DATA:
                piece = data[at : at + self._left]
                slices.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _State.DATA_END
                continue
            moved = self._line(data, at) if self._state is not _State.TRAILERS else self._trailers(data, at)
            if moved == at:
                self._buffer = data[at:]
                return slices, b""
            at = moved
        return slices, data[at:] if self.done else b""

    def _line(self, data: bytes, at: int) -> int:
        """Read the line at an offset; return the offset after it, or the same offset if the line is incomplete."""
        if self._state is _State.DATA_END:
            if data.startswith(b"\r\n", at):
                self._state = _State.SIZE
                return at + 2
            if data[at:] == b"\r":
                return at
            raise BadRequest("A chunk is longer than its chunk size.")
        end = data.find(b"\n", at, at + MAX_CHUNK_LINE)
        if end < 0:
            if len(data) - at >= MAX_CHUNK_LINE:
                raise BadRequest(f"A chunk-size line is longer than {MAX_CHUNK_LINE} bytes.")
            return at
        line = _CHUNK_LINE.fullmatch(data, at, end + 1)
        if line is None:
            raise BadRequest("A chunk must begin with its size in hexadecimal digits, followed by CRLF.")
        size, extension = line.groups()
        self._extensions += len(extension or b"")
        if self._extensions > MAX_EXTENSIONS:
            raise BadRequest(f"The chunk extensions are longer than {MAX_EXTENSIONS} bytes.")
        self._left = int(size, 16)
        self._state = _State.DATA if self._left else _State.TRAILERS
        return end + 1

    def _trailers(self, data: bytes, at: int) -> int:
        """Read the trailer section at an offset; return the offset after it, or the same offset if it is incomplete."""
        if data.startswith(b"\r\n", at):
            self.done = True
            return at + 2
        end = data.find(HEAD_END, at, at + MAX_HEAD)
        if end < 0:
            if len(data) - at >= MAX_HEAD:
                raise HeadTooLarge(f"The trailer section is longer than {MAX_HEAD} bytes.")
            check_line_ends(data[at:])
            return at
        self.trailers = parse_trailers(data[at : end + 4])
        self.done = True
        return end + 4

    def end(self) -> bool:
        return self.done


def decoder_for(head: Head) -> Decoder:
    """The decoder for the body of a message.  A body without length and coding ends when the connection closes."""
    if head.chunked:
        return Chunked()
    return UntilClose() if head.length is None else Counted(head.length)


def chunk(data: bytes) -> bytes:
    """Encode one chunk.  The data must not be empty, because an empty chunk ends the body (`LAST_CHUNK`)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


#: Ends a chunked body without trailers.
LAST_CHUNK = b"0\r\n\r\n"


def last_chunk(trailers: Sequence[Header]) -> bytes:
    """Encode the end of a chunked body, with its trailer section."""
    return b"0\r\n%b\r\n" % field_lines(trailers) if trailers else LAST_CHUNK
