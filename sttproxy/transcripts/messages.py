"""
Messages of a stream: bytes that carry one JSON text or one plain text.
"""

from __future__ import annotations

from typing import Protocol


class Message(Protocol):
    """
    One event or one line.

    :ivar source: as it came.
    :ivar payload: the text that it carries.
    """

    source: bytes
    payload: str

    def rewritten(self, payload: str) -> bytes:
        """The message with another payload."""
