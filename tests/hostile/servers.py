"""
Servers that break RFC 9113 in their responses, or attack the proxy.

Stream 1 carries the request that is attacked, stream 3 another one.
"""

from __future__ import annotations

import attrs
from h2.errors import ErrorCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    WindowUpdateFrame,
)

from ..support.frames import frame, head
from .frames import END_HEADERS, END_STREAM, GOAWAY, HEADERS, LARGEST, PING, SETTINGS, WINDOW_UPDATE, setting
from .row import row


@attrs.frozen
class Fails:
    """
    The first request gets a 502; the other one, and the connection, go on.

    :ivar code: with which the proxy resets its stream; None: it does not.
    """

    code: ErrorCodes | None = ErrorCodes.PROTOCOL_ERROR


@attrs.frozen
class Cut:
    """
    The first client's connection is reset, so that it cannot mistake the body for a complete one; the other request,
    and the connection, go on.
    """


@attrs.frozen
class Breaks:
    """
    The connection ends, the other request gets a 502, and the next one another connection.

    :ivar status: of the first request.
    """

    status: int = 502


@attrs.frozen
class Leaves:
    """Both requests get their responses, and the next one another connection."""


@attrs.frozen
class Goes:
    """Both requests get their responses, and the connection goes on."""


def response(*fields: tuple[bytes, bytes], status: bytes = b"200", number: int = 1, ends: bool = True) -> Frame:
    """A head with a status."""
    return head(number, [(b":status", status), *fields], ends)


FIVE = (b"content-length", b"5")
_WHY = "a stream error may end the connection (§5.4.1)"


def begun(*fields: tuple[bytes, bytes], status: bytes = b"200") -> Frame:
    """A head of the first response, whose body has not ended."""
    return response(*fields, status=status, ends=False)


HEAD_ROWS = (
    row("no :status", "§8.3.2", Fails(), head(1, [(b"x", b"y")], ends=False)),
    row("no fields at all", "§8.3.2", Fails(), head(1, [], ends=False)),
    row("a status of two digits", "§8.3.2", Fails(), begun(status=b"20")),
    row("a status that is no number", "§8.3.2", Fails(), begun(status=b"2xx")),
    row("a status with a phrase and a line", "§10.3", Fails(), begun(status=b"200 OK\r\nx: y")),
    row("two :status", "§8.3.2", Fails(), begun((b":status", b"404"))),
    row("a late :status", "§8.3", Fails(), head(1, [(b"x", b"y"), (b":status", b"200")], ends=False)),
    row("a pseudo-header field of requests", "§8.3", Fails(), begun((b":path", b"/"))),
    row("101", "§8.6", Fails(), begun(status=b"101")),
    row("an upper-case name", "§8.2.1", Fails(), begun((b"X-A", b"1"))),
    row("a value with CRLF", "§8.2.1: response splitting", Fails(), begun((b"a", b"b\r\nset-cookie: evil"))),
    row("a value with a response", "§8.2.1: response splitting", Fails(), begun((b"a", b"b\r\n\r\nHTTP/1.1 200 OK"))),
    row("a value with NUL", "§8.2.1", Fails(), begun((b"a", b"b\0"))),
    row("a name with a line", "§8.2.1", Fails(), begun((b"a: b\r\nc", b"d"))),
    row("transfer-encoding", "§8.2.2", Fails(), begun((b"transfer-encoding", b"chunked"))),
    row("connection", "§8.2.2", Fails(), begun((b"connection", b"close"))),
    row(
        "two lengths",
        "§8.1.1",
        Fails(),
        begun(FIVE, (b"content-length", b"6")),
        on_h2=Breaks(),
        why=_WHY,
    ),
    row(
        "a length that is no number",
        "§8.1.1",
        Fails(),
        begun((b"content-length", b"-5")),
        on_h2=Breaks(),
        why=_WHY,
    ),
    row("101 fields", "§10.5.1", Fails(), begun(*[(b"a", b"")] * 101)),
    row("an interim head that ends the stream", "§8.1, §5.4.1", Breaks(), response(status=b"103")),
)

BODY_ROWS = (
    row("DATA before a head", "§8.1, §5.4.1", Breaks(), DataFrame(1, b"x")),
    row(
        "DATA between an interim head and the head",
        "§8.1, §5.4.1",
        Breaks(),
        response(status=b"103", ends=False),
        DataFrame(1, b"x"),
    ),
    row("the end without a head", "§8.1, §5.4.1", Breaks(), DataFrame(1, b"", flags=["END_STREAM"])),
    row("a body that is too long", "§8.1.1", Cut(), response(FIVE, ends=False), DataFrame(1, b"123456")),
    row(
        "a body that is too short",
        "§8.1.1",
        Cut(),
        response(FIVE, ends=False),
        DataFrame(1, b"1234", flags=["END_STREAM"]),
    ),
    row("a length without a body", "§8.1.1", Fails(None), response(FIVE)),
    row(
        "trailers behind a body that is too short", "§8.1.1", Cut(), response(FIVE, ends=False), head(1, [(b"x", b"y")])
    ),
    row(
        "trailers without an end",
        "§8.1, §5.4.1",
        Breaks(200),
        response(ends=False),
        head(1, [(b"x", b"y")], ends=False),
        apart=True,
    ),
    row("trailers with a pseudo-header field", "§8.1", Cut(), response(ends=False), head(1, [(b":status", b"200")])),
    row("trailers with a line in a value", "§8.2.1", Cut(), response(ends=False), head(1, [(b"x", b"y\r\nz: evil")])),
    row("a reset", "§6.4", Fails(None), RstStreamFrame(1, 2)),
    row(
        "a reset in the middle of the body",
        "§6.4",
        Cut(),
        response(FIVE, ends=False),
        DataFrame(1, b"12"),
        RstStreamFrame(1, 0),
    ),
    row("a second head behind the end", "§5.1", Breaks(200), response(), response()),
    row("DATA behind the end", "§5.1", Goes(), response(), DataFrame(1, b"x")),
)

FRAME_ROWS = (
    row("HTTP/1.1", "§3.4", Breaks(), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    row("a push that was not allowed", "§8.4", Breaks(), frame(5, 1, b"\0\0\0\x02", END_HEADERS)),
    row("a head on a stream of the server", "§5.1.1", Breaks(), response(number=2)),
    row("a head on a stream that is not open", "§5.1", Breaks(), response(number=5)),
    row("DATA on a stream that is not open", "§5.1", Breaks(), DataFrame(5, b"x")),
    row("DATA on stream 0", "§6.1", Breaks(), frame(0, 0, b"x")),
    row("RST_STREAM on a stream that is not open", "§6.4", Breaks(), RstStreamFrame(5)),
    row("a frame that is too large, by its header", "§4.2", Breaks(), frame(0, 1, length=65_537)),
    row("a head that is not continued", "§6.10", Breaks(), HeadersFrame(1), PingFrame(0, bytes(8))),
    row("CONTINUATION without end", "CVE-2024-27316", Breaks(), HeadersFrame(1), *[ContinuationFrame(1)] * 100),
    row("an index of HPACK that is in no table", "RFC 7541 §2.3.3", Breaks(), frame(HEADERS, 1, b"\xff\x20", 5)),
    row(
        "HPACK bomb",
        "CVE-2016-6581",
        Breaks(),
        frame(HEADERS, 1, b"\x88\x40\x01a\x7f\xa1\x1e" + bytes(4000) + b"\xbe" * 100, END_HEADERS | END_STREAM),
    ),
    row("a window of the connection over 2^31-1", "§6.9.1", Breaks(), WindowUpdateFrame(0, LARGEST)),
    row(
        "a window of a stream over 2^31-1",
        "§6.9.1",
        Fails(ErrorCodes.FLOW_CONTROL_ERROR),
        WindowUpdateFrame(1, LARGEST),
    ),
    row("WINDOW_UPDATE of 0 for the connection", "§6.9", Breaks(), frame(WINDOW_UPDATE, 0, bytes(4))),
    row("WINDOW_UPDATE of 0 for a stream", "§6.9", Fails(), frame(WINDOW_UPDATE, 1, bytes(4))),
    row("SETTINGS of 5 bytes", "§6.5", Breaks(), frame(SETTINGS, 0, bytes(5))),
    row(
        "ENABLE_PUSH 1",
        "§6.5.2",
        Goes(),
        setting(2, 1),
        response(),
        on_h2=Breaks(),
        why="jh2 ignores it; a push ends the connection",
    ),
    row("MAX_FRAME_SIZE under 2^14", "§6.5.2", Breaks(), setting(5, 1)),
    row("a PING of 7 bytes", "§6.7", Breaks(), frame(PING, 0, bytes(7))),
    row("GOAWAY on a stream", "§6.8", Breaks(), frame(GOAWAY, 1, bytes(8))),
    row("GOAWAY of 7 bytes", "§6.8", Breaks(), frame(GOAWAY, 0, bytes(7))),
    row("pings", "CVE-2019-9512", Goes(), *[PingFrame(0, bytes(8))] * 500, response()),
    row("an unknown frame and setting", "§4.1", Goes(), frame(0xFA, 1, b"x"), setting(0xFFF0, 1), response()),
    row("a priority on the server's side", "§6.3", Goes(), frame(2, 1, bytes(5)), response()),
)

GOAWAY_ROWS = (
    row("a GOAWAY for a server that ends", "§6.8", Leaves(), GoAwayFrame(0, last_stream_id=3), response()),
    row(
        "two GOAWAYs",
        "§6.8",
        Leaves(),
        GoAwayFrame(0, last_stream_id=LARGEST),
        GoAwayFrame(0, last_stream_id=3),
        response(),
    ),
    row("a GOAWAY with an unknown error", "§7", Leaves(), GoAwayFrame(0, last_stream_id=3, error_code=99), response()),
)

ROWS = (*HEAD_ROWS, *BODY_ROWS, *FRAME_ROWS, *GOAWAY_ROWS)
