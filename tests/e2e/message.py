"""
HTTP/1.1 messages as they are on the wire, read and written by hand: without the code under test, and without a
library that normalises them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

Header = tuple[bytes, bytes]

#: The end of every head.
HEAD_END = b"\r\n\r\n"


@dataclasses.dataclass
class Message:
    """
    A request or a response.

    :ivar start: the first line, without its line break.
    :ivar headers: names as written and values without the blank before them, in order.
    :ivar raw_body: the body as it was on the wire, with its chunked coding.
    """

    start: bytes
    headers: list[Header]
    raw_body: bytes = b""

    @property
    def is_request(self) -> bool:
        return not self.start.startswith(b"HTTP/")

    @property
    def status(self) -> int:
        """The status of a response."""
        return int(self.start.split(b" ")[1])

    @property
    def target(self) -> bytes:
        """The target of a request."""
        return self.start.split(b" ")[1]

    def values(self, name: bytes) -> list[bytes]:
        """All values of a header; names are compared without regard to case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def passed(self) -> list[Header]:
        """The headers without the identifier of the request, which the proxy writes."""
        return [header for header in self.headers if header[0] != b"X-Request-ID"]

    @property
    def chunked(self) -> bool:
        return self.values(b"Transfer-Encoding") == [b"chunked"]

    @property
    def length(self) -> int | None:
        """The value of Content-Length, if there is exactly one."""
        lengths = self.values(b"Content-Length")
        return int(lengths[0]) if len(lengths) == 1 else None

    @property
    def bodiless(self) -> bool:
        """Whether a response has no body because of its status."""
        return not self.is_request and (self.status < 200 or self.status in (204, 304))

    @property
    def body(self) -> bytes:
        """The body without its framing."""
        return b"".join(split_chunks(self.raw_body)) if self.chunked else self.raw_body

    @property
    def trailers(self) -> list[Header]:
        """The trailer section of a chunked body."""
        at = sum(len(b"%x" % len(piece)) + len(piece) + 4 for piece in split_chunks(self.raw_body))
        return parse_head(self.raw_body[at:]).headers

    def json(self) -> Any:
        """The body, parsed as JSON."""
        return json.loads(self.body)


def parse_head(head: bytes) -> Message:
    """Parse a head, up to the empty line."""
    start, *lines = head[: -len(HEAD_END)].split(b"\r\n")
    pairs = [line.split(b":", 1) for line in lines]
    return Message(start, [(name, value.removeprefix(b" ")) for name, value in pairs])


def chunks_end(data: bytes) -> int | None:
    """The length of the chunked body, trailers included, at the start of some data; None if it is incomplete."""
    at = 0
    while True:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return None
        size = int(data[at:line_end], 16)
        if size == 0:
            end = data.find(HEAD_END, line_end)
            return None if end < 0 else end + len(HEAD_END)
        at = line_end + 2 + size + 2
        if at > len(data):
            return None
        if data[at - 2 : at] != b"\r\n":
            raise ValueError(f"no line break after a chunk of {size}: {data[at - 2 : at]!r}")


def split_chunks(data: bytes) -> list[bytes]:
    """The chunks of a complete chunked body."""
    chunks = []
    at = 0
    while size := int(data[at : (line_end := data.index(b"\r\n", at))], 16):
        chunks.append(data[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2
    return chunks


def request(method: str, target: str | bytes, *headers: Header, host: bytes = b"stt.test") -> bytes:
    """A request's head."""
    path = target.encode() if isinstance(target, str) else target
    return head(b"%b %b HTTP/1.1" % (method.encode(), path), [(b"Host", host), *headers])


def head(start: bytes, headers: Iterable[Header]) -> bytes:
    """A head of this first line and these headers."""
    return start + b"\r\n" + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n"


def counted(body: bytes) -> Header:
    """The Content-Length header for a body."""
    return b"Content-Length", b"%d" % len(body)


CHUNKED: Header = (b"Transfer-Encoding", b"chunked")


def chunked(pieces: Sequence[bytes]) -> bytes:
    """A complete chunked body of these pieces; empty pieces are omitted."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"
