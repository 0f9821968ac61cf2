"""
Frames of a client that RFC 9113 forbids, or that it asks to ignore.

A row whose name says nothing else comes while the request on stream 1 is in flight.
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from ..support.frames import block, frame, request, upload
from .row import Ended, Ignored, Reset, row

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
PROTOCOL = Ended(ErrorCodes.PROTOCOL_ERROR)
SIZE = Ended(ErrorCodes.FRAME_SIZE_ERROR)
CLOSED = Ended(ErrorCodes.STREAM_CLOSED)
FLOW = Ended(ErrorCodes.FLOW_CONTROL_ERROR)
HPACK = Ended(ErrorCodes.COMPRESSION_ERROR)
GET = block([(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", b"/x")])
LARGEST = 2**31 - 1


def setting(identifier: int, value: int) -> bytes:
    """SETTINGS with one setting, valid or not."""
    return frame(SETTINGS, 0, identifier.to_bytes(2, "big") + value.to_bytes(4, "big"))


DATA_ROWS = (
    row("DATA on stream 0", "§6.1", PROTOCOL, frame(DATA, 0, b"x")),
    row("DATA on an idle stream", "§5.1", PROTOCOL, DataFrame(3, b"x")),
    row("DATA on an idle stream of the server", "§5.1", PROTOCOL, DataFrame(2, b"x")),
    row("DATA after the end of a request", "§5.1", Reset(ErrorCodes.STREAM_CLOSED), request(3), DataFrame(3, b"x")),
    row(
        "DATA on a stream that has ended on both sides",
        "§5.1, §6.1",
        Reset(ErrorCodes.STREAM_CLOSED),
        request(3, b"/stats"),
        DataFrame(3, b"x"),
    ),
    row(
        "DATA behind the client's own reset",
        "§5.1",
        Reset(ErrorCodes.STREAM_CLOSED),
        upload(3),
        RstStreamFrame(3, ErrorCodes.CANCEL),
        DataFrame(3, b"x"),
    ),
    row("as much padding as payload", "§6.1", PROTOCOL, upload(3), frame(DATA, 3, b"\x05abcd", PADDED)),
    row("padding without its length", "§6.1, §4.2", SIZE, upload(3), frame(DATA, 3, b"", PADDED)),
)

HEADERS_ROWS = (
    row("HEADERS on stream 0", "§6.2", PROTOCOL, frame(HEADERS, 0, GET, END_HEADERS | END_STREAM)),
    row("HEADERS on an even stream", "§5.1.1", PROTOCOL, request(2)),
    row("HEADERS on a lower stream", "§5.1.1", PROTOCOL, request(7), request(5)),
    row("HEADERS on the same stream, ended", "§5.1", Reset(ErrorCodes.STREAM_CLOSED), request(3), request(3)),
    row("HEADERS on a stream that is over", "§5.1", CLOSED, request(3, b"/stats"), request(3, b"/stats"), apart=True),
    row(
        "padding of a head too long",
        "§6.2",
        PROTOCOL,
        frame(HEADERS, 3, b"\xff" + GET, END_HEADERS | END_STREAM | PADDED),
    ),
    row(
        "a head too short for its priority",
        "§4.2",
        SIZE,
        frame(HEADERS, 3, bytes(4), END_HEADERS | END_STREAM | WITH_PRIORITY),
    ),
    row("CONTINUATION without a head", "§6.10", PROTOCOL, frame(CONTINUATION, 3, GET, END_HEADERS)),
    row("CONTINUATION behind a complete head", "§6.10", PROTOCOL, upload(3), frame(CONTINUATION, 3, GET, END_HEADERS)),
    row("CONTINUATION on stream 0", "§6.10", PROTOCOL, HeadersFrame(3, GET), frame(CONTINUATION, 0, b"", END_HEADERS)),
    row("CONTINUATION of another stream", "§6.10", PROTOCOL, HeadersFrame(3, GET), ContinuationFrame(5, b"")),
    row("DATA within a field block", "§6.2", PROTOCOL, HeadersFrame(3, GET), DataFrame(3, b"x")),
    row("PING within a field block", "§6.2", PROTOCOL, HeadersFrame(3, GET), PingFrame(0, bytes(8))),
    row("SETTINGS within a field block", "§6.2", PROTOCOL, HeadersFrame(3, GET), SettingsFrame(0)),
    row("GOAWAY within a field block", "§6.2", PROTOCOL, HeadersFrame(3, GET), frame(GOAWAY, 0, bytes(8))),
    row("HEADERS within a field block", "§6.2", PROTOCOL, HeadersFrame(3, GET), request(5)),
    row("an unknown frame within a field block", "§5.5", PROTOCOL, HeadersFrame(3, GET), frame(0xFA, 3, b"x")),
)

PRIORITY_ROWS = (
    row("PRIORITY on stream 0", "§6.3", PROTOCOL, frame(PRIORITY, 0, bytes(5))),
    row("PRIORITY of 4 bytes", "§6.3", Reset(ErrorCodes.FRAME_SIZE_ERROR), upload(3), frame(PRIORITY, 3, bytes(4))),
    row("a priority on itself", "§5.3.2", Ignored(), PriorityFrame(3, 3)),
    row(
        "a head with a priority on itself",
        "RFC 7540 §5.3.1, §5.4.1",
        PROTOCOL,  # jh2 and h2 end the connection, as §5.4.1 allows
        frame(HEADERS, 3, b"\0\0\0\3\0" + GET, END_HEADERS | END_STREAM | WITH_PRIORITY),
    ),
    row("PRIORITY on an idle stream", "§5.1", Ignored(), PriorityFrame(9, 1)),
)

RESET_ROWS = (
    row("RST_STREAM on stream 0", "§6.4", PROTOCOL, frame(RST_STREAM, 0, bytes(4))),
    row("RST_STREAM on an idle stream", "§6.4", PROTOCOL, RstStreamFrame(3)),
    row("RST_STREAM of 5 bytes", "§6.4", SIZE, upload(3), frame(RST_STREAM, 3, bytes(5))),
    row("RST_STREAM twice", "§5.1", Ignored(), upload(3), RstStreamFrame(3, 8), RstStreamFrame(3, 8)),
    row("RST_STREAM with an unknown code", "§7", Ignored(), upload(3), RstStreamFrame(3, 0xFFFF)),
)

SETTINGS_ROWS = (
    row("SETTINGS on a stream", "§6.5", PROTOCOL, frame(SETTINGS, 1)),
    row("an acknowledgement with a payload", "§6.5", SIZE, frame(SETTINGS, 0, bytes(6), ACK)),
    row("SETTINGS of 5 bytes", "§6.5", SIZE, frame(SETTINGS, 0, bytes(5))),
    row("ENABLE_PUSH 2", "§6.5.2", PROTOCOL, setting(2, 2)),
    row("INITIAL_WINDOW_SIZE over 2^31-1", "§6.5.2", FLOW, setting(4, LARGEST + 1)),
    row("MAX_FRAME_SIZE under 2^14", "§6.5.2", PROTOCOL, setting(5, 16_383)),
    row("MAX_FRAME_SIZE over 2^24-1", "§6.5.2", PROTOCOL, setting(5, 2**24)),
    row("an unknown setting", "§6.5.2", Ignored(), setting(0xFFF0, 12)),
    row("an acknowledgement of nothing", "§6.5", Ignored(), *[SettingsFrame(0, flags=["ACK"])] * 3),
    row(
        "INITIAL_WINDOW_SIZE that makes a window overflow",
        "§6.9.2",
        FLOW,
        WindowUpdateFrame(1, LARGEST - 65_535),
        setting(4, 65_536),
    ),
)

OTHER_ROWS = (
    row("PUSH_PROMISE", "§8.4", PROTOCOL, frame(PUSH_PROMISE, 1, b"\0\0\0\x02" + GET, END_HEADERS)),
    row("PING of 7 bytes", "§6.7", SIZE, frame(PING, 0, bytes(7))),
    row("PING on a stream", "§6.7", PROTOCOL, frame(PING, 1, bytes(8))),
    row("an acknowledged ping that was never sent", "§6.7", Ignored(), PingFrame(0, bytes(8), flags=["ACK"])),
    row("GOAWAY on a stream", "§6.8", PROTOCOL, frame(GOAWAY, 1, bytes(8))),
    row("GOAWAY of 7 bytes", "§4.2", SIZE, frame(GOAWAY, 0, bytes(7))),
    row("WINDOW_UPDATE of 0 for the connection", "§6.9", PROTOCOL, frame(WINDOW_UPDATE, 0, bytes(4))),
    row(
        "WINDOW_UPDATE of 0 for a stream",
        "§6.9",
        Reset(ErrorCodes.PROTOCOL_ERROR),
        upload(3),
        frame(WINDOW_UPDATE, 3, bytes(4)),
    ),
    row(
        "WINDOW_UPDATE of 0 on a stream of the server", "§5.1", PROTOCOL, request(5), frame(WINDOW_UPDATE, 2, bytes(4))
    ),
    row("RST_STREAM on a stream of the server", "§6.4", PROTOCOL, request(5), frame(RST_STREAM, 2, bytes(4))),
    row("WINDOW_UPDATE of 3 bytes", "§6.9", SIZE, frame(WINDOW_UPDATE, 0, bytes(3))),
    row("WINDOW_UPDATE on an idle stream", "§5.1", PROTOCOL, WindowUpdateFrame(3, 1)),
    row("a window of the connection over 2^31-1", "§6.9.1", FLOW, WindowUpdateFrame(0, LARGEST)),
    row(
        "a window of a stream over 2^31-1",
        "§6.9.1",
        Reset(ErrorCodes.FLOW_CONTROL_ERROR),
        upload(3),
        WindowUpdateFrame(3, LARGEST),
    ),
    row("WINDOW_UPDATE on a stream that is over", "§5.1", Ignored(), request(3, b"/stats"), WindowUpdateFrame(3, 1)),
    row("a frame that is too large, by its header", "§4.2", SIZE, frame(DATA, 1, length=65_537)),
    row("an unknown frame that is too large", "§4.2", SIZE, frame(0xFA, 0, length=2**24 - 1)),
    row("an unknown frame", "§4.1", Ignored(), frame(0xFA, 0, b"x"), frame(0xFB, 1, b"y", 0xFF)),
    row("unknown flags", "§4.1", Ignored(), frame(PING, 0, bytes(8), 0xF0), frame(WINDOW_UPDATE, 1, b"\0\0\0\1", 0xFF)),
    row("the reserved bits", "§4.1", Ignored(), frame(WINDOW_UPDATE, 1 << 31, b"\x80\0\0\1")),
)


def heading(data: bytes) -> bytes:
    """A head on stream 3 with this field block."""
    return frame(HEADERS, 3, data, END_HEADERS | END_STREAM)


HPACK_ROWS = (
    row("HPACK: the index 0", "RFC 7541 §6.1", HPACK, heading(b"\x80")),
    row("HPACK: an index that is in no table", "RFC 7541 §2.3.3", HPACK, heading(b"\xff\x20")),
    row("HPACK: a name that is in no table", "RFC 7541 §2.3.3", HPACK, heading(b"\x7f\x20\x01a")),
    row("HPACK: a table larger than allowed", "RFC 7541 §6.3", HPACK, heading(b"\x3f\xe2\x1f" + GET)),
    row("HPACK: a block that is cut off", "RFC 7541 §5.2", HPACK, heading(GET[:-1])),
    row("HPACK: a number without an end", "RFC 7541 §5.1", HPACK, heading(b"\x3f" + b"\xff" * 12)),
    row("HPACK: Huffman padding of a byte", "RFC 7541 §5.2", HPACK, heading(GET + b"\x00\x01a\x82\x1f\xff")),
    row("HPACK: the Huffman code of the end", "RFC 7541 §5.2", HPACK, heading(GET + b"\x00\x01a\x84\xff\xff\xff\xff")),
)

ROWS = (
    *DATA_ROWS,
    *HEADERS_ROWS,
    *PRIORITY_ROWS,
    *RESET_ROWS,
    *SETTINGS_ROWS,
    *OTHER_ROWS,
    *HPACK_ROWS,
)
