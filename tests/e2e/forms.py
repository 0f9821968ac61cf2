"""
Forms as clients send them, built by hand so that tests control every byte.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
import re
from collections.abc import Iterable
from typing import Any

from .message import Message

BOUNDARY = "------------------------d74496d66958873e"


@dataclasses.dataclass(frozen=True)
class File:
    """A file in a form."""

    data: bytes
    filename: str = "talk.wav"
    type: str = "audio/wav"

    def echoed(self) -> dict[str, Any]:
        """Return the response of `echo` for it."""
        digest = hashlib.sha256(self.data).hexdigest()
        return {"filename": self.filename, "type": self.type, "size": len(self.data), "sha256": digest}


Part = tuple[str, str | File]


def form(parts: Iterable[Part], boundary: str = BOUNDARY) -> bytes:
    """The body of a form, as browsers and curl write it."""
    pieces = [part(name, value, boundary) for name, value in parts]
    return b"".join([*pieces, f"--{boundary}--\r\n".encode()])


def part(name: str, value: str | File, boundary: str = BOUNDARY) -> bytes:
    """One part, with the boundary before it and the line break after it."""
    opening = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
    if isinstance(value, str):
        return f"{opening}\r\n\r\n{value}\r\n".encode()
    opening += f'; filename="{value.filename}"\r\nContent-Type: {value.type}\r\n\r\n'
    return opening.encode() + value.data + b"\r\n"


def content_type(boundary: str = BOUNDARY) -> tuple[bytes, bytes]:
    """The Content-Type field of a form."""
    return b"Content-Type", f"multipart/form-data; boundary={boundary}".encode()


def echoed(parts: Iterable[Part]) -> list[list[Any]]:
    """Return the response of `echo` for a form with these parts."""
    return [[name, value.echoed() if isinstance(value, File) else value] for name, value in parts]


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that are not audio, the same each time, with every byte sequence that could confuse a parser."""
    data = random.Random(seed).randbytes(size)
    awkward = b"\r\n--\r\n--" + BOUNDARY[:-1].encode() + b"\r\n\r\n\0\xff\r\r\n-"
    return (awkward + data)[: size - 1] + b"\r" if size > len(awkward) else data


def boundary_of(message: Message) -> bytes:
    """The boundary that the head of a form names."""
    (value,) = message.values(b"Content-Type")
    found = re.fullmatch(rb'multipart/form-data; boundary="?([^";]+)"?', value)
    assert found is not None, value
    return found.group(1)
