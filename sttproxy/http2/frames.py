"""
The frames of a connection, before jh2 gets them (RFC 9113 §4.1).

What arrives is divided into these kinds:

- DATA, which jh2 need not see.  What one stream has in one read is one piece: curl sends frames of 16 KiB, and each
  would cost as much as one of 64 KiB.  A frame that has come in part is passed on in parts.
- GOAWAY, for which jh2 would end all streams.
- All others, for jh2, which gets them frame by frame.  Control frames, which are no part of a head, are marked, because
  `receiver` counts and checks them.

The length of a frame is checked when its header has come.  jh2 would keep up to 16 MiB first.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import NamedTuple

from jh2.errors import ErrorCodes

#: The length, in two parts, the type, the flags and the stream.
_HEADER = struct.Struct(">HBBBI")
_DATA, _HEADERS, _PUSH_PROMISE, _GOAWAY, _CONTINUATION = 0, 1, 5, 7, 9
PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE = 2, 3, 4, 8
ACK, _END_STREAM, _END_HEADERS, _PADDED = 1, 1, 4, 8
#: Without the reserved bit.
_NUMBER = 0x7FFFFFFF
#: The last stream and the error code of a GOAWAY.  Debug data may follow.
_GOAWAY_FIELDS = struct.Struct(">II")
#: Longest payload of a PRIORITY or WINDOW_UPDATE that is checked; longer ones are an error to jh2 too.
_CHECKED = 16


class Violation(Exception):
    """
    What the other side sends ends the connection.

    :ivar code: the error code.
    :ivar reason: what is wrong.
    """

    def __init__(self, code: ErrorCodes, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Passed(NamedTuple):
    """Bytes for jh2, at most one frame."""

    data: bytes


class Data(NamedTuple):
    """
    Bytes of a body.

    :ivar number: the stream identifier.
    :ivar data: the bytes, without padding.
    :ivar flow: how many bytes of the windows they took, padding included.
    :ivar ends: whether the body ends with them.
    """

    number: int
    data: bytes
    flow: int
    ends: bool


class Control(NamedTuple):
    """
    A control frame for jh2, or its beginning; a PRIORITY or WINDOW_UPDATE is complete.

    :ivar size: of the payload, in bytes.
    """

    data: bytes
    kind: int
    flags: int
    number: int
    size: int


class GoAway(NamedTuple):
    """
    The other side ends the connection (RFC 9113 §6.8).

    :ivar last: the number of the last stream that it will process.
    :ivar code: why; 0: no error.
    """

    last: int
    code: int


class _Payload(enum.Enum):
    PASSED = "passed to jh2 as it comes"
    CONTROL = "as PASSED, but marked"
    BODY = "DATA"
    DROPPED = "a GOAWAY"


#: Looking them up in their class would cost more than the rest of the work for a frame.
_PASSED, _CONTROL, _BODY, _DROPPED = _Payload


class FrameReader:
    """Divides what arrives into frames."""

    def __init__(self, most: int, preface: int) -> None:
        """
        :param most: the largest payload, in bytes.
        :param preface: bytes before the first frame.
        """
        self._most = most
        #: Of the current frame: the bytes of its payload that are still to come, how many of them are padding at its
        #: end, what is done with them, its stream, and whether the stream ends with it.
        self._left = preface
        self._padding = 0
        self._payload = _PASSED
        self._number = 0
        self._ends = False
        #: Of a control frame: its type, its flags, and the size of its payload.
        self._kind = self._flags = self._size = 0
        #: No frame has come.
        self._first = True
        #: The beginning of a frame, too short to tell what it is.
        self._held = b""
        #: A head continues in the next frame.  No other frame may come between (RFC 9113 §4.3), which jh2 checks.
        self._in_head = False

    def feed(self, data: bytes) -> Iterator[Passed | Data | Control | GoAway]:
        """
        Take bytes.

        :raises Violation: when a frame is too large, or the first one is not SETTINGS.
        """
        data = self._held + data
        self._held = b""
        view = memoryview(data)
        at, end = 0, len(data)
        #: The body of one stream; its number is 0 if there is none.
        body: list[memoryview] = []
        number = flow = 0
        while at < end:
            start = payload = at
            begins = not self._left
            if begins:
                at = self._begin(data, at)
                if at == start:
                    self._held = data[at:]
                    break
                payload = start + _HEADER.size
            empty = begins and self._left == self._padding and not self._ends
            stop = min(end, at + self._left)
            self._left -= stop - at
            if number and (self._payload is not _BODY or self._number != number or empty):
                yield Data(number, b"".join(body), flow, False)
                body, number, flow = [], 0, 0
            if self._payload is _BODY:
                number = self._number
                flow += stop - payload
                padding = max(0, self._padding - self._left)
                self._padding -= padding
                body.append(view[at : stop - padding])
                if empty or (self._ends and not self._left):
                    yield Data(number, b"".join(body), flow, self._ends)
                    body, number, flow = [], 0, 0
            elif self._payload is _CONTROL and begins:
                yield Control(data[start:stop], self._kind, self._flags, self._number, self._size)
            elif self._payload is not _DROPPED:
                yield Passed(data[start:stop])
            elif begins:
                last, code = _GOAWAY_FIELDS.unpack_from(data, at)
                yield GoAway(last & _NUMBER, code)
            at = stop
        if number:
            yield Data(number, b"".join(body), flow, False)

    def _begin(self, data: bytes, at: int) -> int:
        """
        Read the header of a frame.

        :return: where its payload begins, for padded DATA: the body; the same offset if more bytes are needed.
        """
        payload = at + _HEADER.size
        if len(data) < payload:
            return at
        high, low, kind, flags, number = _HEADER.unpack_from(data, at)
        length = high << 8 | low
        if length > self._most:
            raise Violation(ErrorCodes.FRAME_SIZE_ERROR, "a frame is too large")
        if self._first:
            if kind != SETTINGS or flags & ACK:
                raise Violation(ErrorCodes.PROTOCOL_ERROR, "the first frame is not SETTINGS")
            self._first = False
        number &= _NUMBER
        treatment, padding = _PASSED, 0
        if self._in_head:
            self._in_head = kind != _CONTINUATION or not flags & _END_HEADERS
        elif kind == _DATA and number:
            treatment = _BODY
            if flags & _PADDED:
                if length and len(data) == payload:
                    return at
                padding = data[payload] if length else 0
                if padding < length:
                    payload += 1
                    length -= 1
                else:
                    treatment = _PASSED  # malformed
        elif kind == _GOAWAY and not number and length >= _GOAWAY_FIELDS.size:
            if len(data) < payload + _GOAWAY_FIELDS.size:
                return at
            treatment = _DROPPED
        elif kind in (_HEADERS, _PUSH_PROMISE):
            self._in_head = not flags & _END_HEADERS
        else:
            if kind in (PRIORITY, WINDOW_UPDATE) and length <= _CHECKED and len(data) < payload + length:
                return at
            treatment, self._kind, self._flags, self._size = _CONTROL, kind, flags, length
        self._left, self._padding, self._payload, self._number = length, padding, treatment, number
        self._ends = bool(flags & _END_STREAM)
        return payload
