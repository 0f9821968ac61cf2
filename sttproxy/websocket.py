"""
Finds the boundaries of WebSocket frames (RFC 6455 §5.2), so that the proxy can insert a close frame between two frames.

This reads the length of each frame only.
"""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

#: The status code of a close frame when the server shuts down (RFC 6455 §7.4.1).
GOING_AWAY = 1001

#: Most bytes of the reason in a close frame: a control frame has at most 125 (RFC 6455 §5.5).
MAX_REASON = 123

_CLOSE = 0x8
_LENGTHS = {126: "!H", 127: "!Q"}


class Frames:
    """
    Tracks the frames in one direction of a connection.

    :ivar between: whether the data so far ends with a complete frame; also true before the first byte.
    :ivar closed: whether a close frame has begun.
    """

    def __init__(self) -> None:
        self.between = True
        self.closed = False
        self._head = b""
        self._left = 0

    def feed(self, data: bytes, *, to_end: bool = False) -> int:
        """
        Process bytes.

        :param to_end: stop at the end of the current frame.
        :return: the number of bytes processed.
        """
        at = 0
        while at < len(data) and not (to_end and self.between):
            at = self.advance(data, at)
        return at

    def advance(self, data: bytes, at: int) -> int:
        """
        Process bytes from an offset to the end of the frame that they begin or continue.

        :return: the offset after that frame, or the end of the data.
        """
        self.between = False
        while at < len(data) and not self.between:
            if self._left:
                taken = min(self._left, len(data) - at)
                self._left -= taken
                at += taken
            else:
                self._head += data[at : at + 1]
                at += 1
                self._read_head()
            self.between = not self._left and not self._head
        return at

    def _read_head(self) -> None:
        """Read the payload length if the frame head is complete."""
        head = self._head
        self.closed = self.closed or head[0] & 0x0F == _CLOSE
        if len(head) < 2:
            return
        length = head[1] & 0x7F
        wide = _LENGTHS.get(length)
        size = struct.calcsize(wide) if wide else 0
        mask = 4 if head[1] & 0x80 else 0
        if len(head) == 2 + size + mask:
            self._left = struct.unpack_from(wide, head, 2)[0] if wide else length
            self._head = b""


class Close(NamedTuple):
    """
    What a close frame says.

    :ivar status: the status code (RFC 6455 §7.4).
    :ivar reason: for a person; cut to `MAX_REASON` bytes.
    """

    status: int
    reason: str = ""


def close_frame(close: Close, masked: bool) -> bytes:
    """
    Make a close frame.

    :param masked: whether to mask the payload, as a client must do (RFC 6455 §5.3).
    """
    reason = close.reason.encode()[:MAX_REASON].decode("utf-8", "ignore").encode()
    payload = struct.pack("!H", close.status) + reason
    if not masked:
        return bytes([0x88, len(payload)]) + payload
    mask = os.urandom(4)
    return bytes([0x88, 0x80 | len(payload)]) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
