"""
HTTP/2 frame by frame: writing any, also malformed ones, and checking each one that the proxy sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hpack import Decoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

Fields = list[tuple[bytes, bytes]]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_NAME = re.compile(rb":?[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE = re.compile(rb"[^\r\n\0]*")
_DEFAULT_WINDOW = 65_535
_DEFAULT_FRAME = 16_384


def frame(kind: int, number: int, payload: bytes = b"", flags: int = 0, length: int | None = None) -> bytes:
    """
    A frame that hyperframe would not make.

    :param length: what its header says; None: the truth.
    """
    size = len(payload) if length is None else length
    return size.to_bytes(3, "big") + bytes([kind, flags]) + number.to_bytes(4, "big") + payload


def _integer(value: int, prefix: int, pattern: int = 0) -> bytes:
    """An integer of HPACK (RFC 7541 §5.1) behind the bits of a pattern."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([pattern | value])
    coded, value = bytearray([pattern | most]), value - most
    while value >= 128:
        coded.append(value % 128 + 128)
        value //= 128
    return bytes([*coded, value])


def block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A field block of literals that are not indexed, so that it depends on no other one."""
    return b"".join(b"\0" + _integer(len(name), 7) + name + _integer(len(value), 7) + value for name, value in fields)


def head(number: int, fields: Iterable[tuple[bytes, bytes]], ends: bool = True) -> Frame:
    """A head, or trailers, in one frame."""
    return HeadersFrame(number, block(fields), flags=["END_HEADERS", *["END_STREAM"] * ends])


def request(
    number: int, path: bytes = b"/x", *fields: tuple[bytes, bytes], method: bytes = b"GET", ends: bool = True
) -> Frame:
    """The head of a request."""
    pseudo = [(b":method", method), (b":scheme", b"http"), (b":authority", b"h"), (b":path", path)]
    return head(number, [*pseudo, *fields], ends)


def upload(number: int, *fields: tuple[bytes, bytes]) -> Frame:
    """The head of a request whose body follows."""
    return request(number, b"/x", *fields, method=b"POST", ends=False)


class FrameChecker:
    """
    Reads what the proxy sends, and knows what was sent to it.

    What RFC 9113 does not allow the proxy to send raises AssertionError.

    :ivar heads: the field blocks of each stream, in order.
    :ivar bodies: what has come of each stream's body.
    :ivar ended: the streams that have ended without a reset.
    :ivar resets: the error codes of resets by stream.
    :ivar goaways: the error codes of all GOAWAY frames.
    :ivar pongs: how many pings were answered.
    :ivar acknowledged: how many SETTINGS were acknowledged.
    """

    def __init__(self, of_client: bool) -> None:
        """
        :param of_client: the proxy is the client of the connection.
        """
        self.heads: dict[int, list[Fields]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.goaways: list[int] = []
        self.pongs = 0
        self.acknowledged = 0
        self._of_client = of_client
        self._preface = len(PREFACE) if of_client else 0
        self._sent = b""
        self._data = b""
        self._begun = False
        self._decoder = Decoder(max_header_list_size=1 << 24)
        #: The frames of a field block that has not ended.
        self._block: list[Frame] = []
        self._highest = 0
        #: Settings that were sent to the proxy, and that it has not acknowledged, oldest first.
        self._offered: list[dict[int, int]] = []
        self._largest = _DEFAULT_FRAME
        self._initial = _DEFAULT_WINDOW
        #: What the proxy may send: on the connection, and beside the initial window on each stream.
        self._connection = _DEFAULT_WINDOW
        self._granted: dict[int, int] = {}

    # What was sent to the proxy.

    def sent(self, data: bytes) -> None:
        """Bytes go to the proxy, well-formed or not, in any pieces: note what they allow it to send."""
        self._sent += data
        if not self._of_client and len(self._sent) >= len(PREFACE) and self._sent.startswith(PREFACE):
            self._sent = self._sent[len(PREFACE) :]
        while len(self._sent) >= 9:
            length, kind, flags = int.from_bytes(self._sent[:3], "big"), self._sent[3], self._sent[4]
            number = int.from_bytes(self._sent[5:9], "big") & 0x7FFFFFFF
            payload = self._sent[9 : 9 + length]
            if len(payload) < length:
                return
            self._sent = self._sent[9 + length :]
            if kind == WindowUpdateFrame.type:
                self._grant(number, int.from_bytes(payload[:4], "big") & 0x7FFFFFFF)
            elif kind == SettingsFrame.type and not flags & 1:
                pairs = [payload[at : at + 6] for at in range(0, length, 6)]
                self._offered.append(
                    {int.from_bytes(pair[:2], "big"): int.from_bytes(pair[2:], "big") for pair in pairs}
                )

    def _grant(self, number: int, count: int) -> None:
        if number:
            self._granted[number] = self._granted.get(number, 0) + count
        else:
            self._connection += count

    # What the proxy sends.

    def feed(self, data: bytes) -> None:
        """Take bytes, in any pieces."""
        self._data += data
        if self._preface:
            if len(self._data) < self._preface:
                return
            assert self._data.startswith(PREFACE), self._data
            self._data = self._data[self._preface :]
            self._preface = 0
        while len(self._data) >= 9:
            each, length = Frame.parse_frame_header(memoryview(self._data[:9]), strict=True)
            assert length <= self._largest, f"{each} is too large"
            if len(self._data) < 9 + length:
                return
            each.parse_body(memoryview(self._data[9 : 9 + length]))
            self._data = self._data[9 + length :]
            self._frame(each, length)

    def close(self) -> None:
        """The connection has ended, which may not be in the middle of a frame."""
        assert not self._data and not self._block, "the connection ends in the middle of a frame or a field block"

    def _frame(self, each: Frame, length: int) -> None:
        assert self._begun or (isinstance(each, SettingsFrame) and "ACK" not in each.flags), f"{each} comes first"
        self._begun = True
        if self._block:
            assert isinstance(each, ContinuationFrame) and each.stream_id == self._block[0].stream_id, each
        number = each.stream_id
        if number:
            assert number % 2, f"{each}: the client chose no such stream"
            if number in self.resets:
                assert isinstance(each, RstStreamFrame), f"{each} comes after a reset"
            elif number in self.ended:
                assert isinstance(each, RstStreamFrame | WindowUpdateFrame), f"{each} comes after the end"
        if isinstance(each, HeadersFrame | ContinuationFrame):
            self._block.append(each)
            if "END_HEADERS" in each.flags:
                frames, self._block = self._block, []
                self._fields(number, b"".join(part.data for part in frames), "END_STREAM" in frames[0].flags)
        elif isinstance(each, DataFrame):
            self._body(each, length)
        elif isinstance(each, RstStreamFrame):
            self.resets.setdefault(number, each.error_code)
            self.ended.discard(number)
        elif isinstance(each, SettingsFrame):
            if "ACK" in each.flags:
                self._settle()
        elif isinstance(each, PingFrame):
            self.pongs += "ACK" in each.flags
        elif isinstance(each, GoAwayFrame):
            self.goaways.append(each.error_code)
        else:
            assert isinstance(each, WindowUpdateFrame) and each.window_increment, f"{each}: unexpected"

    def _settle(self) -> None:
        self.acknowledged += 1
        assert self._offered, "it acknowledges settings that it did not get"
        settings = self._offered.pop(0)
        self._initial = settings.get(SettingsFrame.INITIAL_WINDOW_SIZE, self._initial)
        self._largest = settings.get(SettingsFrame.MAX_FRAME_SIZE, self._largest)
        size = settings.get(SettingsFrame.HEADER_TABLE_SIZE)
        if size is not None:
            # An encoder may still name a size that a second change has overtaken.
            self._decoder.max_allowed_table_size = max(size, self._decoder.max_allowed_table_size)

    def _fields(self, number: int, data: bytes, ends: bool) -> None:
        fields = [(bytes(name), bytes(value)) for name, value in self._decoder.decode(data, raw=True)]
        heads = self.heads.setdefault(number, [])
        heads.append(fields)
        for at, (name, value) in enumerate(fields):
            assert _NAME.fullmatch(name) and _VALUE.fullmatch(value), (name, value)
            assert name not in (b"connection", b"transfer-encoding", b"keep-alive", b"upgrade"), name
            assert not name.startswith(b":") or all(before.startswith(b":") for before, _ in fields[:at]), fields
        pseudo = [name for name, _ in fields if name.startswith(b":")]
        if self._of_client:
            first = len(heads) == 1
            assert sorted(pseudo) == ([b":authority", b":method", b":path", b":scheme"] if first else []), fields
            assert not first or number > self._highest, "streams are opened in order"
            self._highest = max(self._highest, number)
            assert first or ends, "trailers end the stream"
        else:
            final = any(not dict(before)[b":status"].startswith(b"1") for before in heads[:-1])
            assert pseudo == ([] if final else [b":status"]), fields
            assert not final or ends, "trailers end the stream"
            assert final or not (ends and dict(fields)[b":status"].startswith(b"1")), "an interim head ends nothing"
        if ends:
            self._end(number)

    def _body(self, each: DataFrame, length: int) -> None:
        number = each.stream_id
        assert number in self.heads, "DATA comes before a head"
        self._connection -= length
        left = self._granted[number] = self._granted.get(number, 0) - length
        assert not length or (self._connection >= 0 and left + self._initial >= 0), "more than the windows allow"
        self.bodies[number] = self.bodies.get(number, b"") + each.data
        if "END_STREAM" in each.flags:
            self._end(number)

    def _end(self, number: int) -> None:
        self.ended.add(number)
        at = 0 if self._of_client else -1
        for name, value in self.heads[number][at]:
            if name == b"content-length" and self._of_client:
                assert int(value) == len(self.bodies.get(number, b"")), "the body has not the length that was promised"
