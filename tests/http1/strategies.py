"""
Strategies for messages, and for their segmentation by the network.
"""

from __future__ import annotations

import itertools

import attrs
from hypothesis import strategies as st

from sttproxy.errors import Header

TOKEN_CHARS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: Bytes allowed in a field value: visible characters, inner spaces and tabs, and bytes outside ASCII.
VALUE_BYTES = [*range(0x20, 0x7F), 0x09, *range(0x80, 0x100)]

tokens = st.text(TOKEN_CHARS, min_size=1, max_size=10).map(str.encode)
values = st.lists(st.sampled_from(VALUE_BYTES), max_size=12).map(lambda codes: bytes(codes).strip(b" \t"))
#: Names of fields that do not affect framing or routing.
names = tokens.filter(
    lambda name: (
        name.lower().replace(b"_", b"-")
        not in (b"host", b"content-length", b"transfer-encoding", b"expect", b"connection", b"upgrade")
    )
)
space = st.text(" \t", max_size=2).map(str.encode)
trailing_space = st.text(" ", max_size=2).map(str.encode)  # llhttp accepts no tab after a coding
methods = st.sampled_from((b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH")) | tokens.filter(
    lambda method: method != b"CONNECT"
)
targets = st.text("/abc%2F.;=&?~!*'()[]{}|^`\\\"<>:@", max_size=20).map(lambda text: b"/" + text.encode())
hosts = st.sampled_from((b"h", b"example.com:8080", b"127.0.0.1", b"[::1]:80", b"", b"xn--a.example", b"under_score"))


@attrs.frozen
class Message:
    """A well-formed request head and its meaning."""

    method: bytes
    target: bytes
    headers: list[Header]
    length: int
    chunked: bool
    head: bytes


@st.composite
def requests(draw: st.DrawFn) -> Message:
    """Heads of well-formed HTTP/1.1 requests."""
    method, target = draw(methods), draw(targets)
    headers = draw(st.lists(st.tuples(names, values), max_size=6))
    headers.insert(draw(st.integers(0, len(headers))), (draw(st.sampled_from((b"Host", b"host"))), draw(hosts)))
    length, chunked = draw(st.sampled_from(((0, False), (0, True), (0, None), (7, False), (10**17, False))))
    if chunked:
        framing = [(draw(st.sampled_from((b"Transfer-Encoding", b"transfer-encoding"))), b"chunked")]
    else:
        framing = [] if chunked is None else [(b"Content-Length", b"%d" % length)]
    for header in framing:
        headers.insert(draw(st.integers(0, len(headers))), header)
    lines = b"".join(b"%b:%b%b%b\r\n" % (name, draw(space), value, draw(trailing_space)) for name, value in headers)
    head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, lines)
    return Message(method, target, headers, length, bool(chunked), head)


#: Fragments for malformed and ambiguous heads.
fragments = st.sampled_from(
    (
        *(bytes((code,)) for code in (0, 9, 10, 11, 12, 13, 31, 32, 34, 44, 47, 58, 92, 95, 127, 128, 255)),
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n ",
        b"\r\n\t",
        b"Host: x\r\n",
        b"\r\nHost: x",
        b"Content-Length: 5\r\n",
        b"\r\ncontent-length:5",
        b"Content_Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\nTransfer-Encoding: gzip, chunked",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"chunked",
        b"identity",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"HTTP/2.0",
        b" HTTP/1.1",
        b"GET ",
        b"http://x",
        b"*",
        b"+5",
        b"0x5",
        b"5, 5",
    )
)


@st.composite
def doubtful_heads(draw: st.DrawFn) -> bytes:
    """Heads in which slices are removed, doubled or replaced; the only empty line is the last one."""
    head = draw(requests()).head[:-4]
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(head)))
        end = min(len(head), start + draw(st.integers(0, 6)))
        middle = draw(fragments | st.sampled_from((b"", head[start:end] * 2)))
        head = head[:start] + middle + head[end:]
    while b"\r\n\r\n" in head:
        head = head.replace(b"\r\n\r\n", b"\r\n")
    return head.strip(b"\r\n") + b"\r\n\r\n"


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Segments of some data: none is empty, and joined they are the data."""
    offsets = sorted(draw(st.sets(st.integers(1, max(1, len(data) - 1)), max_size=8)))
    edges = [0, *(offset for offset in offsets if offset < len(data)), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]
