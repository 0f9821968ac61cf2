"""
Strategies for sequences of HTTP/2 frames, and for what else happens to a connection meanwhile.
"""

from __future__ import annotations

import attrs
from hypothesis import strategies as st

from ..support.frames import Fields, block, frame


@attrs.frozen
class Send:
    """The attacker sends bytes, in these pieces."""

    pieces: tuple[bytes, ...]


@attrs.frozen
class Other:
    """
    The other side of the proxy does something on one of its connections: sends bytes or, if there are none, closes.

    :ivar which: the connection, counted from the last one.
    """

    which: int
    data: bytes


@attrs.frozen
class Wait:
    """Time passes."""

    seconds: float


@attrs.frozen
class Room:
    """The attacker reads so many bytes, or again all; 0: it stops reading."""

    size: int | None


Step = Send | Other | Wait | Room

DATA, HEADERS, _, RST_STREAM, SETTINGS, _, PING, _, WINDOW_UPDATE, CONTINUATION = range(10)

#: Drawn in one of 16 cases.
_seldom = st.binary(min_size=1, max_size=1).map(lambda byte: byte[0] % 16 == 9)
_numbers = st.sampled_from((1, 1, 3, 3, 5, 5, 7, 9, 0, 2, 4, 11, 99, 2**31 - 1))
_settings = st.sampled_from(
    (
        (4, 0),
        (4, 1),
        (4, 1000),
        (4, 65_535),
        (4, 1 << 20),
        (1, 0),
        (1, 100),
        (1, 4096),
        (5, 16_384),
        (5, 20_000),
        (3, 0),
        (6, 10),
        (8, 1),
    )
)
_odd_settings = st.sampled_from(
    ((4, 2**31 - 1), (4, 2**31), (5, 16_383), (5, 2**24 - 1), (5, 2**24), (2, 0), (2, 1), (2, 2), (0xF0, 7), (1, 2**31))
)
_increments = st.sampled_from((1, 10, 5000, 65_535, 1 << 20))
_odd_increments = st.sampled_from((0, 2**31 - 65_536, 2**31 - 1, 2**31 + 5))
_odd_fields = st.sampled_from(
    (
        (b"x", b"a"),
        (b"cookie", b"a=b"),
        (b"cookie", b"c=d"),
        (b"te", b"trailers"),
        (b"expect", b"100-continue"),
        (b"host", b"h"),
        (b"content-type", b"multipart/form-data; boundary=b"),
        (b"content-length", b"0"),
        (b"content-length", b"5"),
        (b"content-length", b"99999"),
        (b"content-length", b"+5"),
        (b"connection", b"close"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"websocket"),
        (b"X", b"a"),
        (b"x", b"a\r\nb: c"),
        (b"x", b" a"),
        (b"", b""),
        (b":path", b"/y"),
        (b":status", b"100"),
        (b":protocol", b"websocket"),
    )
)


@st.composite
def _requests(draw: st.DrawFn) -> Fields:
    """The fields of a request, mostly good ones."""
    path = draw(st.sampled_from((b"/x", b"/x", b"/stats", b"/v1/audio/transcriptions", b"/a b", b"", b"*")))
    method = draw(st.sampled_from((b"GET", b"GET", b"POST", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"a b")))
    pseudo = [(b":method", method), (b":scheme", b"http"), (b":authority", b"h"), (b":path", path)]
    if draw(_seldom):
        pseudo = draw(st.permutations(pseudo))[: draw(st.integers(0, 4))]
    return [*pseudo, *draw(_few(_odd_fields))]


@st.composite
def _responses(draw: st.DrawFn) -> Fields:
    """The fields of a response, mostly good ones."""
    status = draw(
        st.sampled_from((b"200", b"200", b"200", b"200", b"204", b"304", b"413", b"100", b"103", b"101", b"20"))
    )
    return [(b":status", status), *draw(_few(_odd_fields))]


def _few(each: st.SearchStrategy[tuple[bytes, bytes]]) -> st.SearchStrategy[list[tuple[bytes, bytes]]]:
    """Mostly none."""
    return st.one_of(st.just([]), st.just([]), st.lists(each, max_size=3))


@st.composite
def _heads(draw: st.DrawFn, number: int, fields: Fields, ends: bool) -> bytes:
    """A head in one or more frames, padded or with a priority."""
    data = draw(st.binary(max_size=20)) if draw(_seldom) else block(fields)
    flags, before, behind = (1 if ends else 0), b"", b""
    extra = draw(st.integers(0, 9))
    if extra == 1:
        flags, before, behind = flags | 0x8, b"\x05", bytes(5)
    elif extra == 2:
        flags, before = flags | 0x20, draw(st.sampled_from((0, 1, 3, 1 << 31))).to_bytes(4, "big") + b"\x10"
    cut = draw(st.integers(0, len(data))) if extra == 3 else len(data)
    last = 0x4 if cut == len(data) else 0
    sent = frame(HEADERS, number, before + data[:cut] + behind, flags | last)
    return sent if last else sent + frame(CONTINUATION, number, data[cut:], 0x4)


class Attack:
    """
    What an attacker has sent, so that most of its frames are valid.

    :ivar begun: the streams that were begun.
    :ivar waiting: the streams whose response has not begun.
    :ivar sending: the streams on which it may send a body.
    """

    def __init__(self, of_client: bool) -> None:
        self.begun: list[int] = []
        self.waiting: list[int] = []
        self.sending: list[int] = []
        self._of_client = of_client

    def begin(self) -> int:
        """One more stream."""
        number = self.begun[-1] + 2 if self.begun else 1
        self.begun.append(number)
        self.waiting.append(number)
        return number

    def head(self, draw: st.DrawFn) -> bytes:
        """The head of a request or a response."""
        ends = draw(st.booleans())
        if self._of_client:
            number, fields = self.begin(), draw(_requests())
        elif self.waiting:
            number, fields = draw(st.sampled_from(self.waiting)), draw(_responses())
        else:
            return b""
        interim = fields[:1] in ([(b":status", b"100")], [(b":status", b"103")])
        if not interim:
            self.waiting.remove(number)
        if not (ends or interim):
            self.sending.append(number)
        return draw(_heads(number, fields, ends and not interim))

    def data(self, draw: st.DrawFn) -> bytes:
        """DATA, mostly on a stream that is open."""
        if not self.sending and not draw(_seldom):
            return self.head(draw)
        number = draw(st.sampled_from(self.sending or self.begun or [1]))
        ends = draw(st.booleans())
        if ends and number in self.sending:
            self.sending.remove(number)
        data = draw(st.binary(max_size=8) | st.sampled_from((0, 5, 1000, 16_384)).map(bytes))
        padded = draw(st.integers(0, 5)) == 1
        return frame(DATA, number, b"\x03" * padded + data + bytes(3 * padded), ends | 0x8 * padded)

    def trailers(self, draw: st.DrawFn) -> bytes:
        """Trailers of a stream that is open."""
        if not self.sending:
            return self.head(draw)
        number = draw(st.sampled_from(self.sending))
        self.sending.remove(number)
        return draw(_heads(number, draw(_few(_odd_fields)), not draw(_seldom)))

    def control(self, draw: st.DrawFn) -> bytes:
        """A frame without a message, mostly a valid one."""
        some = draw(st.sampled_from(self.begun[-3:] or [0]))
        kind = draw(st.sampled_from("wwwsspru"))
        if kind == "w":
            increment = draw(_odd_increments if draw(_seldom) else _increments)
            return frame(WINDOW_UPDATE, draw(st.sampled_from((0, some))), increment.to_bytes(4, "big"))
        if kind == "s":
            pairs = draw(st.lists(_odd_settings if draw(_seldom) else _settings, max_size=2))
            return frame(
                SETTINGS, 0, b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in pairs)
            )
        if kind == "r" and some:
            return frame(RST_STREAM, some, draw(st.sampled_from((0, 7, 8, 99))).to_bytes(4, "big"))
        if kind == "p":
            return frame(PING, 0, bytes(8), draw(st.integers(0, 1)))
        return frame(0xFA, draw(_numbers), draw(st.binary(max_size=5)))

    def odd(self, draw: st.DrawFn) -> bytes:
        """Any frame."""
        kind = draw(st.integers(0, 12))
        payload = draw(st.binary(max_size=12) | st.sampled_from((bytes(4), bytes(5), bytes(8), block([(b"x", b"y")]))))
        return frame(kind, draw(_numbers), payload, draw(st.sampled_from((0, 0, 1, 4, 5, 8, 0x20, 0xFF))))

    def segments(self, draw: st.DrawFn) -> Send:
        """A few frames, changed at random at times, in a few pieces."""
        data = b""
        for _ in range(draw(st.integers(1, 6))):
            kind = draw(st.sampled_from((self.head, self.head, self.data, self.data, self.data, self.control)))
            kind = draw(st.sampled_from((self.trailers, self.odd))) if draw(_seldom) else kind
            data += kind(draw)
        if draw(_seldom):
            at = draw(st.integers(0, len(data)))
            data = data[:at] + draw(st.binary(max_size=3)) + data[at + draw(st.integers(0, 3)) :]
        cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=2)))
        return Send(tuple(data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)))


_HTTP1_RESPONSES = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000),
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
    b"2\r\nhi\r\n0\r\nx: y\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"no head\r\n\r\n",
    b"",
)
_HTTP1_REQUESTS = (
    b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
    b"HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" + bytes(150_000),
    b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    b"2\r\nab\r\n0\r\n\r\n",
    b"",
)


@st.composite
def sequences(draw: st.DrawFn, of_client: bool) -> list[Step]:
    """
    What happens on one connection.

    :param of_client: the attacker is a client of the proxy; else, it is the server behind it, and one request is in
        flight.
    """
    attack = Attack(of_client)
    if not of_client:
        attack.begin()
    others = st.sampled_from(_HTTP1_RESPONSES if of_client else _HTTP1_REQUESTS)
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 10))):
        kind = draw(st.sampled_from("ffffffooowr"))
        if kind == "f":
            steps.append(attack.segments(draw))
        elif kind == "o":
            other = draw(others)
            steps.append(Other(draw(st.integers(0, 2)), other))
            if not of_client and other.endswith((b"h\r\n\r\n", b"ab\r\n")):
                attack.begin()
        elif kind == "w":
            steps.append(Wait(draw(st.sampled_from((0.1, 1.0, 31.0, 80.0)))))
        else:
            steps.append(Room(draw(st.sampled_from((0, 100, 70_000, None, None)))))
    return steps
