"""
What the tests of body decoders share: feeding them, and what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from sttproxy.errors import BadRequest
from sttproxy.http1.framing import Decoder


@attrs.frozen
class Read:
    """What a decoder made of its bytes."""

    body: bytes
    rest: bytes
    done: bool
    refused: str = ""


def read(decoder: Decoder, pieces: Iterable[bytes]) -> Read:
    """Feed pieces until the body is complete; what comes after that is the rest."""
    body = rest = b""
    for piece in pieces:
        if decoder.done:
            rest += piece
            continue
        try:
            slices, rest = decoder.feed(piece)
        except BadRequest as error:
            return Read(body, b"", False, error.message)
        assert not rest or decoder.done, "bytes come after the end only"
        body += b"".join(slices)
    return Read(body, rest, decoder.done)


def bytewise(data: bytes) -> list[bytes]:
    """The bytes one by one."""
    return [data[at : at + 1] for at in range(len(data))]
