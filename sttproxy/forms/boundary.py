"""
Boundaries for the forms that the proxy writes.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator

#: Length of the shortest boundary: 96 random bits, so that no file can contain it by guessing.
MIN_BOUNDARY = 16


def new_boundary(size: int) -> bytes:
    """
    A random boundary.

    :param size: its length in bytes, at least `MIN_BOUNDARY`.
    """
    return next(_RANDOM).rjust(size, b"-")


def _random() -> Iterator[bytes]:
    """Texts of `MIN_BOUNDARY` random letters, digits, hyphens and underscores."""
    size = MIN_BOUNDARY * 3 // 4
    while True:
        # One system call for many boundaries: with a call for each, a small form would take 3% longer.
        block = os.urandom(256 * size)
        for at in range(0, len(block), size):
            yield urlsafe_b64encode(block[at : at + size])


_RANDOM = _random()
