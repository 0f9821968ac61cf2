"""
Requests that are malformed, or that become another request in HTTP/1.1 (RFC 9113 §8.1.1, §8.2, §8.3, §10.3).
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, Frame

from ..support.frames import Fields, head, request, upload
from .row import Answered, Ended, Reset, Row, row

GET: Fields = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", b"/x")]
MALFORMED = Answered(400)
WRONG = Reset(ErrorCodes.PROTOCOL_ERROR)


def having(name: str, source: str, *fields: tuple[bytes, bytes]) -> Row:
    """A request with further fields."""
    return row(name, source, MALFORMED, head(3, [*GET, *fields]))


def without(name: bytes) -> Frame:
    """A request without a pseudo-header field."""
    return head(3, [field for field in GET if field[0] != name])


def with_pseudo(name: bytes, value: bytes) -> Frame:
    """A request with another value of a pseudo-header field."""
    return head(3, [(each, value if each == name else old) for each, old in GET])


PSEUDO_ROWS = (
    row("no :method", "§8.3.1", MALFORMED, without(b":method")),
    row("no :scheme", "§8.3.1", MALFORMED, without(b":scheme")),
    row("no :path", "§8.3.1", MALFORMED, without(b":path")),
    row("neither :authority nor Host", "§8.3.1, RFC 9112 §3.2", MALFORMED, without(b":authority")),
    having("two :path", "§8.3: desync by duplicated pseudo-headers", (b":path", b"/admin")),
    having("two :method", "§8.3: desync by duplicated pseudo-headers", (b":method", b"POST")),
    having("two :authority", "§8.3: desync by duplicated pseudo-headers", (b":authority", b"evil")),
    having("an unknown pseudo-header field", "§8.3", (b":foo", b"x")),
    having("a pseudo-header field of responses", "§8.3", (b":status", b"200")),
    row("a late pseudo-header field", "§8.3", MALFORMED, head(3, [*GET[:3], (b"x", b"y"), GET[3]])),
    row("no fields at all", "§8.3.1", MALFORMED, head(3, [])),
    having(":protocol without CONNECT", "RFC 8441 §4", (b":protocol", b"websocket")),
    row("CONNECT with a path", "§8.5", MALFORMED, with_pseudo(b":method", b"CONNECT")),
    row("an empty :path", "§8.3.1", MALFORMED, with_pseudo(b":path", b"")),
    row(":path with a space", "§10.3: a request line in the path", MALFORMED, with_pseudo(b":path", b"/a b")),
    row(":path with a fragment", "§8.3.1: desync by fragments", MALFORMED, with_pseudo(b":path", b"/a#b")),
    row(":path in absolute form", "§8.3.1: two authorities", MALFORMED, with_pseudo(b":path", b"http://evil/")),
    row(":path with two lines", "§10.3", MALFORMED, with_pseudo(b":path", b"/ HTTP/1.1\r\nhost: evil\r\n\r\n")),
    row(":path * of GET", "§8.3.1", MALFORMED, with_pseudo(b":path", b"*")),
    row(":method with a line", "§10.3", MALFORMED, with_pseudo(b":method", b"GET /evil HTTP/1.1\r\nx: ")),
    row(":method with a space", "§10.3", MALFORMED, with_pseudo(b":method", b"GET /evil")),
    row(":scheme with a path", "§10.3: a URL in the scheme", MALFORMED, with_pseudo(b":scheme", b"http://evil/x?")),
    row(":authority with a user", "§8.3.1", MALFORMED, with_pseudo(b":authority", b"user@h")),
    row(":authority with a line", "§10.3", MALFORMED, with_pseudo(b":authority", b"h\r\nx: y")),
    row(":authority with a path", "§10.3", MALFORMED, with_pseudo(b":authority", b"h/evil")),
    having("a Host that is not the authority", "§8.3.1", (b"host", b"evil")),
    having("two Hosts", "§8.3.1", (b"host", b"h"), (b"host", b"evil")),
)

FIELD_ROWS = (
    having("an upper-case name", "§8.2.1", (b"X-A", b"1")),
    having("an empty name", "§8.2.1", (b"", b"1")),
    having("a name with a space", "§8.2.1", (b"a b", b"1")),
    having("a name with a colon", "§8.2.1", (b"a:b", b"1")),
    having("a name with a line", "§8.2.1, §10.3", (b"a: b\r\nhost", b"evil")),
    having("a name with a byte above ASCII", "§8.2.1", (b"\xff", b"1")),
    having("a value with CRLF", "§8.2.1: smuggling by a downgrade", (b"a", b"b\r\ntransfer-encoding: chunked")),
    having("a value with a request", "§8.2.1: smuggling by a downgrade", (b"a", b"b\r\n\r\nGET /evil HTTP/1.1")),
    having("a value with LF", "§8.2.1", (b"a", b"b\nc: d")),
    having("a value with CR", "§8.2.1", (b"a", b"b\rc: d")),
    having("a value with NUL", "§8.2.1", (b"a", b"b\0c")),
    having("a value that begins with a space", "§8.2.1", (b"a", b" b")),
    having("a value that ends with a tab", "§8.2.1", (b"a", b"b\t")),
    having("connection", "§8.2.2", (b"connection", b"close")),
    having("keep-alive", "§8.2.2", (b"keep-alive", b"5")),
    having("proxy-connection", "§8.2.2", (b"proxy-connection", b"keep-alive")),
    having("upgrade", "§8.2.2", (b"upgrade", b"h2c")),
    having("transfer-encoding", "§8.2.2: H2.TE", (b"transfer-encoding", b"chunked")),
    having("transfer-encoding in disguise", "H2.TE", (b"transfer_encoding", b"chunked")),
    having("transfer-encoding behind a tab", "H2.TE", (b"transfer-encoding\t", b"chunked")),
    having("te: gzip", "§8.2.2", (b"te", b"gzip")),
    having("te: trailers, chunked", "§8.2.2", (b"te", b"trailers, chunked")),
    row("101 fields", "§10.5.1: many empty fields", Answered(431), head(3, [*GET, *[(b"a", b"")] * 101])),
)

#: What h2 does with a length that it cannot read, and jh2 with some.
_ENDED = Ended(ErrorCodes.PROTOCOL_ERROR)
_WHY = "a stream error may end the connection (§5.4.1)"

LENGTH_ROWS = (
    row(
        "two lengths",
        "§8.1.1: H2.CL",
        MALFORMED,
        upload(3, (b"content-length", b"1"), (b"content-length", b"2")),
        on_h2=_ENDED,
        why=_WHY,
    ),
    row(
        "a length that is no number", "§8.1.1", MALFORMED, upload(3, (b"content-length", b"+1")), on_h2=_ENDED, why=_WHY
    ),
    row("a negative length", "§8.1.1", MALFORMED, upload(3, (b"content-length", b"-1")), on_h2=_ENDED, why=_WHY),
    row("two lengths in one field", "§8.1.1, §5.4.1", _ENDED, upload(3, (b"content-length", b"1, 1"))),
    row(
        "a body that is longer than its length",
        "§8.1.1: H2.CL",
        WRONG,
        upload(3, (b"content-length", b"2")),
        DataFrame(3, b"abc"),
    ),
    row(
        "a body that is shorter than its length",
        "§8.1.1: H2.CL",
        WRONG,
        upload(3, (b"content-length", b"5")),
        DataFrame(3, b"abc", flags=["END_STREAM"]),
    ),
    row(
        "a length without a body",
        "§8.1.1: H2.CL",
        MALFORMED,
        request(3, b"/x", (b"content-length", b"5"), method=b"POST"),
    ),
    row(
        "a body behind the length 0",
        "§8.1.1: H2.0",
        WRONG,
        upload(3, (b"content-length", b"0")),
        DataFrame(3, b"GET /evil HTTP/1.1\r\nHost: h\r\n\r\n"),
    ),
)

TRAILER_ROWS = (
    row("trailers without an end", "§8.1, §5.4.1", _ENDED, upload(3), head(3, [(b"x", b"y")], ends=False)),
    row("trailers with a pseudo-header field", "§8.1", MALFORMED, upload(3), head(3, [(b":path", b"/evil")])),
    row("trailers with a line in a value", "§8.2.1", MALFORMED, upload(3), head(3, [(b"x", b"y\r\n\r\nGET /evil")])),
    row("trailers with an upper-case name", "§8.2.1", MALFORMED, upload(3), head(3, [(b"X", b"y")])),
    row(
        "trailers behind a body that is too short",
        "§8.1.1",
        WRONG,
        upload(3, (b"content-length", b"5")),
        head(3, [(b"x", b"y")]),
    ),
)

ROWS = (*PSEUDO_ROWS, *FIELD_ROWS, *LENGTH_ROWS, *TRAILER_ROWS)
