"""
Denial of service: published attacks, and their kin (RFC 9113 §10.5).

Each is what an attacker would send in a moment; the connection ends before it costs much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from h2.errors import ErrorCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from ..support.frames import block, frame, head, request, upload
from .frames import END_HEADERS, END_STREAM, HEADERS, LARGEST, PADDED, PRIORITY, PROTOCOL, WINDOW_UPDATE, setting
from .requests import GET
from .row import Answered, Ended, Ignored, Row, row

CALM = Ended(ErrorCodes.ENHANCE_YOUR_CALM)
#: How often a frame is repeated: more often than any client needs.
MANY = 1500


def repeated(name: str, source: str, *frames: Frame | bytes, before: Iterable[Frame | bytes] = ()) -> Row:
    """A row that repeats its frames."""
    return row(name, source, CALM, *before, *(frames * MANY))


def streams(name: str, source: str, each: Callable[[int], tuple[Frame | bytes, ...]]) -> Row:
    """A row that does the same on many streams, one after the other."""
    return row(name, source, CALM, *[sent for number in range(3, 193, 2) for sent in each(number)])


RESET_ROWS = (
    streams("rapid reset", "CVE-2023-44487", lambda number: (request(number), RstStreamFrame(number, 8))),
    streams("rapid reset of uploads", "CVE-2023-44487", lambda number: (upload(number), RstStreamFrame(number, 8))),
    streams(
        "made you reset, by a window of over 2^31-1",
        "CVE-2025-8671",
        lambda number: (request(number), WindowUpdateFrame(number, LARGEST)),
    ),
    streams(
        "made you reset, by an update of 0",
        "CVE-2025-8671",
        lambda number: (request(number), frame(WINDOW_UPDATE, number, bytes(4))),
    ),
    streams(
        "made you reset, by DATA after the end",
        "CVE-2025-8671",
        lambda number: (request(number), DataFrame(number, b"x")),
    ),
    streams(
        "made you reset, by HEADERS after the end",
        "CVE-2025-8671",
        lambda number: (request(number), request(number)),
    ),
    streams(
        "made you reset, by a priority of a wrong size",
        "CVE-2025-8671",
        lambda number: (request(number), frame(PRIORITY, number, bytes(4))),
    ),
    streams(
        "made you reset, by a body that is too long",
        "CVE-2025-8671",
        lambda number: (upload(number, (b"content-length", b"1")), DataFrame(number, b"xy")),
    ),
    streams(
        "malformed requests",
        "CVE-2019-9514",
        lambda number: (request(number, b""),),
    ),
    repeated(
        "DATA on a stream that was reset", "CVE-2019-9514", DataFrame(3, b""), before=[upload(3), RstStreamFrame(3)]
    ),
    repeated("RST_STREAM on a stream that is over", "§10.5", RstStreamFrame(3), before=[upload(3)]),
)

FRAME_ROWS = (
    repeated("pings", "CVE-2019-9512", PingFrame(0, b"12345678")),
    repeated("acknowledged pings that were not sent", "§10.5", PingFrame(0, bytes(8), flags=["ACK"])),
    repeated("SETTINGS", "CVE-2019-9515", SettingsFrame(0)),
    repeated("SETTINGS that change all windows", "CVE-2019-9515", setting(4, 1000)),
    repeated("acknowledged SETTINGS that were not sent", "§10.5", SettingsFrame(0, flags=["ACK"])),
    repeated("empty DATA", "CVE-2019-9518", DataFrame(3, b""), before=[upload(3)]),
    repeated("DATA of padding only", "CVE-2019-9518", frame(0, 3, b"\x01\0", PADDED), before=[upload(3)]),
    repeated("priorities", "CVE-2019-9513", PriorityFrame(3, 1), PriorityFrame(5, 3)),
    repeated("window updates", "CVE-2019-9511", WindowUpdateFrame(0, 1)),
    repeated(
        "window updates of streams that are over", "§10.5", WindowUpdateFrame(3, 1), before=[request(3, b"/stats")]
    ),
    repeated(
        "a window of one byte", "CVE-2019-9511", WindowUpdateFrame(3, 1), before=[setting(4, 1), request(3, b"/stats")]
    ),
    repeated("unknown frames", "§10.5", frame(0xFA, 0)),
)

#: A value of 4,000 bytes that is put into the table, and then 100 fields of a byte that refer to it.
BOMB = block(GET) + b"\x40\x01a\x7f\xa1\x1e" + bytes(b"x" * 4000) + b"\xbe" * 100

LARGE = block([*GET, *[(b"a", b"x" * 1000)] * 100])

HEAD_ROWS = (
    row("CONTINUATION without end, empty", "CVE-2024-27316", PROTOCOL, HeadersFrame(3), *[ContinuationFrame(3)] * 100),
    row(
        "CONTINUATION without end, full",
        "CVE-2024-27316",
        PROTOCOL,
        HeadersFrame(3),
        *[ContinuationFrame(3, bytes(1000))] * 100,
    ),
    row(
        "HPACK bomb",
        "CVE-2016-6581",
        CALM,
        frame(HEADERS, 3, BOMB, END_HEADERS | END_STREAM),
    ),
    row(
        "a head of 100 KB",
        "§10.5.1",
        CALM,
        HeadersFrame(3, LARGE[:50_000], flags=["END_STREAM"]),
        ContinuationFrame(3, LARGE[50_000:], flags=["END_HEADERS"]),
    ),
    row("fields without name and value", "CVE-2019-9516", Answered(400), head(3, [*GET, *[(b"", b"")] * 500])),
    row(
        "5000 crumbs of a cookie",
        "§8.2.3, §10.5.1",
        Ignored(),
        head(3, [*GET, *[(b"cookie", b"")] * 5000]),
        on_h2=CALM,
        why="h2 counts 32 bytes more for each field, and jh2 does not; both lists are of at most 64 KiB",
    ),
    row(
        "more streams than allowed",
        "§5.1.2, §5.4.1",
        PROTOCOL,  # jh2 and h2 end the connection, as §5.4.1 allows
        *[upload(number) for number in range(3, 205, 2)],
    ),
)

ROWS = (*RESET_ROWS, *FRAME_ROWS, *HEAD_ROWS)
