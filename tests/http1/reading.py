"""
Helpers: parse a request head, feed a body decoder and collect its results.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from sttproxy.errors import BadRequest, Header
from sttproxy.http1.framing import Decoder
from sttproxy.http1.requests import RequestHead, parse_request

HOST = b"Host: h\r\n"


def request(lines: bytes = HOST, first: bytes = b"POST /x HTTP/1.1") -> RequestHead:
    """Parse a request head from its request line and its field lines."""
    return parse_request(first + b"\r\n" + lines + b"\r\n")


@attrs.frozen
class Read:
    """The results of a decoder."""

    body: bytes
    rest: bytes
    done: bool
    refused: str = ""
    trailers: tuple[Header, ...] = ()


def read(decoder: Decoder, pieces: Iterable[bytes]) -> Read:
    """Feed pieces until the body is complete, and collect the bytes after its end."""
    body = rest = b""
    for piece in pieces:
        if decoder.done:
            rest += piece
            continue
        try:
            slices, rest = decoder.feed(piece)
        except BadRequest as error:
            return Read(body, b"", False, error.message)
        assert not rest or decoder.done, "a decoder returns a rest only after the end of the body"
        body += b"".join(slices)
    return Read(body, rest, decoder.done, trailers=tuple(decoder.trailers))


def bytewise(data: bytes) -> list[bytes]:
    """Split data into single bytes."""
    return [data[at : at + 1] for at in range(len(data))]
