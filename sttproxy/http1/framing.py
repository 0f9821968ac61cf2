"""
Where a body ends: by count, by chunks, or by the end of the connection (RFC 9112 §6–7).

A decoder is fed what arrives and returns the slices that are body.  It never keeps body bytes, and what it keeps of
anything else is bounded.
"""

from __future__ import annotations

import enum
import re
from typing import Protocol

from ..errors import BadRequest
from .heads import HEAD_END, Head, parse_fields

#: Longest chunk-size line with its extensions, in bytes.  Nobody sends more than a signature in them.
MAX_CHUNK_LINE = 4096
#: Most bytes of chunk extensions in one body.  Unbounded, they are a body nobody counts (CVE-2023-39326).
MAX_EXTENSIONS = 64 * 1024
#: Longest trailer section, in bytes.
MAX_TRAILERS = 8 * 1024

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})([ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")


class Decoder(Protocol):
    """
    :ivar done: the body is complete.
    """

    done: bool

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """
        Take bytes; return the body slices among them, and what comes after the body's end (else ``b""``).

        :raises BadRequest: when the framing is broken.
        """

    def end(self) -> bool:
        """Whether the body is complete if the connection ends here."""


class Counted:
    """A body of a known length."""

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
    """A response body that ends with its connection."""

    done = False

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
    A body in the chunked coding.  Extensions are dropped; trailers are checked and dropped (RFC 9110 §6.5.1 lets an
    intermediary do so, and merging them into the head would let a body rewrite it).
    """

    def __init__(self) -> None:
        self.done = False
        self._state = _State.SIZE
        self._held = b""
        self._left = 0
        self._extensions = 0

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        if self._held:
            data = self._held + data
            self._held = b""
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
                self._held = data[at:]
                return slices, b""
            at = moved
        return slices, data[at:] if self.done else b""

    def _line(self, data: bytes, at: int) -> int:
        """Read the line at an offset; return the offset behind it, or the same one to wait for more."""
        if self._state is _State.DATA_END:
            if data.startswith(b"\r\n", at):
                self._state = _State.SIZE
                return at + 2
            if data[at:] == b"\r":
                return at
            raise BadRequest("A chunk is longer than its size says.")
        end = data.find(b"\n", at, at + MAX_CHUNK_LINE)
        if end < 0:
            if len(data) - at >= MAX_CHUNK_LINE:
                raise BadRequest(f"A chunk's size line is longer than {MAX_CHUNK_LINE} bytes.")
            return at
        line = _CHUNK_LINE.fullmatch(data, at, end + 1)
        if line is None:
            raise BadRequest("A chunk does not begin with its size in hexadecimal digits and CRLF.")
        size, extension = line.groups()
        self._extensions += len(extension or b"")
        if self._extensions > MAX_EXTENSIONS:
            raise BadRequest(f"The chunk extensions are longer than {MAX_EXTENSIONS} bytes.")
        self._left = int(size, 16)
        self._state = _State.DATA if self._left else _State.TRAILERS
        return end + 1

    def _trailers(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            self.done = True
            return at + 2
        end = data.find(HEAD_END, at, at + MAX_TRAILERS)
        if end < 0:
            if len(data) - at >= MAX_TRAILERS:
                raise BadRequest(f"The trailers are longer than {MAX_TRAILERS} bytes.")
            return at
        names = parse_fields(b"\r\n" + data[at : end + 4])[1]
        if b"content-length" in names or b"transfer-encoding" in names:
            raise BadRequest("A trailer must not decide where the body ends.")
        self.done = True
        return end + 4

    def end(self) -> bool:
        return self.done


def decoder_for(head: Head) -> Decoder:
    """The decoder for the body that a head announces; without an announcement it ends with the connection."""
    if head.chunked:
        return Chunked()
    return UntilClose() if head.length is None else Counted(head.length)


def chunk(data: bytes) -> bytes:
    """One chunk; data must not be empty, an empty chunk is `LAST_CHUNK`."""
    return b"%x\r\n%b\r\n" % (len(data), data)


#: Ends a chunked body.
LAST_CHUNK = b"0\r\n\r\n"
