"""
The sizes of frames, as they arrive (RFC 9113 §4.1).

jh2 checks the length of a frame when all of it has come; until then a client could have 16 MiB kept for each
connection.
"""

from __future__ import annotations

_HEADER = 9


class FrameSizes:
    """Follows the frames of a connection, and finds one that is too large by its header."""

    def __init__(self, most: int, preface: int) -> None:
        """
        :param most: the largest payload, in bytes.
        :param preface: bytes before the first frame.
        """
        self._most = most
        #: Bytes until the next frame header.
        self._skip = preface
        self._header = b""

    def feed(self, data: bytes) -> bool:
        """Take bytes; return whether all frames that have begun are small enough."""
        at = 0
        while True:
            rest = len(data) - at
            if rest <= self._skip:
                self._skip -= rest
                return True
            at += self._skip
            self._skip = 0
            missing = _HEADER - len(self._header)
            self._header += data[at : at + missing]
            if len(self._header) < _HEADER:
                return True
            at += missing
            length = int.from_bytes(self._header[:3], "big")
            if length > self._most:
                return False
            self._header = b""
            self._skip = length
