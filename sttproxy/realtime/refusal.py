"""
What ends a session: a message that servers would read differently, or one that is too long to be rewritten.
"""

from __future__ import annotations

from ..websocket import Close

#: Status codes of close frames (RFC 6455 §7.4.1).
UNSUPPORTED_DATA, INVALID_DATA, POLICY_VIOLATION, TOO_BIG = 1003, 1007, 1008, 1009


class Refusal(Exception):
    """
    The session must end.

    :ivar close: what both sides are told.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.close = Close(status, reason)
