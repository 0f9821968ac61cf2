"""
The frames of a connection, before jh2 gets them (RFC 9113 §4.1).

jh2 is given what arrives frame by frame, with these changes:

- The length of a frame is checked when its header has come.  jh2 would keep up to 16 MiB first.
- The DATA frames that one stream has in one read become one frame, and a frame that has come in part is passed in
  parts.  jh2 takes as long for a frame of 16 KiB as for one of 64 KiB, and curl sends the smaller ones.
- A GOAWAY is kept from jh2, which would end all streams.
- Control frames, which are neither DATA nor a part of a head, are marked, because `receiver` counts and checks them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

from jh2.errors import ErrorCodes

_HEADER = 9
_DATA, _HEADERS, _PUSH_PROMISE, _GOAWAY, _CONTINUATION = 0, 1, 5, 7, 9
PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE = 2, 3, 4, 8
ACK, _END_STREAM, _END_HEADERS, _PADDED = 1, 1, 4, 8
#: Without the reserved bit.
_NUMBER = 0x7FFFFFFF
#: Of a GOAWAY: the last stream and the error code.  Debug data may follow.
_GOAWAY_FIELDS = 8
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
    DATA for jh2.

    :ivar number: the stream identifier.
    :ivar size: of the body in it, in bytes, without padding.
    :ivar ends: whether the body ends with it.
    """

    data: bytes
    number: int
    size: int
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
    COUNTED = "as PASSED, but DATA: empty or padded"
    JOINED = "DATA, passed with what follows of the same stream"
    DROPPED = "a GOAWAY"
    CONTROL = "as PASSED, but marked"


#: Looking them up in their class would cost more than the rest of the work for a frame.
_PASSED, _COUNTED, _JOINED, _DROPPED, _CONTROL = _Payload


class FrameReader:
    """Divides what arrives into frames."""

    def __init__(self, most: int, preface: int) -> None:
        """
        :param most: the largest payload, in bytes, that is accepted, and that is passed on.
        :param preface: bytes before the first frame.
        """
        self._most = most
        #: Of the current frame: the bytes of its payload that are still to come, what is done with them, its stream,
        #: the size of the body in it, and whether the stream ends with it.  Of a control frame: the size of its
        #: payload, its type and its flags.
        self._left = preface
        self._payload = _PASSED
        self._number = 0
        self._size = 0
        self._ends = False
        self._kind = self._flags = 0
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
        #: DATA of one stream.
        joined: list[memoryview] = []
        number = size = 0
        while at < end:
            start = at
            begins = not self._left
            if begins:
                at = self._begin(data, at)
                if at == start:
                    self._held = data[at:]
                    break
            stop = min(end, at + self._left)
            self._left -= stop - at
            if joined and (self._payload is not _JOINED or self._number != number or size + stop - at > self._most):
                yield _data(number, joined, size, False)
                joined, size = [], 0
            if self._payload is _JOINED:
                joined.append(view[at:stop])
                number = self._number
                size += stop - at
                if self._ends and not self._left:
                    yield _data(number, joined, size, True)
                    joined, size = [], 0
            elif self._payload is _DROPPED:
                if begins:
                    yield GoAway(_integer(data, at, 4) & _NUMBER, _integer(data, at + 4, 4))
            elif begins and self._payload is _COUNTED:
                yield Data(data[start:stop], self._number, self._size, self._ends)
            elif begins and self._payload is _CONTROL:
                yield Control(data[start:stop], self._kind, self._flags, self._number, self._size)
            else:
                yield Passed(data[start:stop])
            at = stop
        if joined:
            yield _data(number, joined, size, False)

    def _begin(self, data: bytes, at: int) -> int:
        """
        Read the header of a frame.

        :return: where its payload begins; the same offset if it is not clear yet what it is.
        """
        payload = at + _HEADER
        if len(data) < payload:
            return at
        length = _integer(data, at, 3)
        if length > self._most:
            raise Violation(ErrorCodes.FRAME_SIZE_ERROR, "a frame is too large")
        kind, flags, number = data[at + 3], data[at + 4], _integer(data, at + 5, 4) & _NUMBER
        if self._first:
            if kind != SETTINGS or flags & ACK:
                raise Violation(ErrorCodes.PROTOCOL_ERROR, "the first frame is not SETTINGS")
            self._first = False
        treatment, size = _PASSED, length
        if self._in_head:
            self._in_head = kind != _CONTINUATION or not flags & _END_HEADERS
        elif kind == _DATA and number:
            treatment = _JOINED if length and not flags & _PADDED else _COUNTED
            if length and flags & _PADDED:
                if len(data) == payload:
                    return at
                size = max(0, length - 1 - data[payload])
        elif kind == _GOAWAY and not number and length >= _GOAWAY_FIELDS:
            if len(data) < payload + _GOAWAY_FIELDS:
                return at
            treatment = _DROPPED
        elif kind in (_HEADERS, _PUSH_PROMISE):
            self._in_head = not flags & _END_HEADERS
        else:
            if kind in (PRIORITY, WINDOW_UPDATE) and length <= _CHECKED and len(data) < payload + length:
                return at
            treatment, self._kind, self._flags = _CONTROL, kind, flags
        self._left, self._payload, self._number, self._size = length, treatment, number, size
        self._ends = bool(flags & _END_STREAM)
        return payload


def _integer(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _data(number: int, pieces: list[memoryview], size: int, ends: bool) -> Data:
    """One frame of the payloads of several."""
    header = b"%b\0%c%b" % (size.to_bytes(3, "big"), ends, number.to_bytes(4, "big"))
    return Data(b"".join([header, *pieces]), number, size, ends)
