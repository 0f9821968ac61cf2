"""
A form's upload in parts: its file begins with `OPENING` and ends with `CLOSING`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..forms import BOUNDARY

OPENING = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
).encode()
CLOSING = f"\r\n--{BOUNDARY}--\r\n".encode()
PIECE = bytes(range(256)) * 256


def pieces(size: int) -> Iterator[bytes]:
    """So many bytes of a file, rounded down to whole pieces."""
    for _ in range(size // len(PIECE)):
        yield PIECE
