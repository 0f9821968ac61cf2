"""
The clients of the soak: each action is one connection, or a few requests on one.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections import Counter
from collections.abc import Callable

from tests.e2e.forms import content_type
from tests.e2e.message import CHUNKED, Header, counted, request
from tests.e2e.raw import Peer, connect

#: An upstream's behaviour, and the statuses that a client may get then; None: an aborted connection.
EXPECTED: dict[bytes, set[int | None]] = {
    b"answer": {200},
    b"chunks": {200},
    b"large": {200},
    b"wait": {200},
    b"interim": {200},
    b"no content": {204},
    b"say close": {200},
    b"until close": {200},
    b"extra": {200},
    b"error": {500},
    b"early, close": {413},
    b"early, reset": {413},
    b"early, read on": {413},
    b"nothing": {502},
    b"nothing, reset": {502},
    b"garbage": {502},
    b"long head": {502},
    b"cut length": {None},
    b"cut chunks": {None},
    b"reset": {None},
    b"stall": {502},
}
#: Behaviours after which the client's connection persists if the upload was complete.
KEPT = [b"answer", b"chunks", b"large", b"wait", b"interim", b"no content", b"say close", b"until close", b"error"]

_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) ")
_REFUSED = [
    b"GET /\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    request("POST", "/x", counted(b"a"), CHUNKED) + b"0\r\n\r\n",
    request("GET", "/" + "a" * 9000),
    request("GET", "/", (b"A", b"b" * 70_000)),
    request("GET", "/", (b"Expect", b"wonders")),
    request("CONNECT", "stt.test:443"),
]


class Client:
    """
    Runs random actions, determined by its seed.

    :ivar requests: how many it has begun.
    :ivar faults: unexpected results.
    :ivar actions: how many times it ran each action.
    """

    def __init__(self, port: int, seed: str) -> None:
        self._port = port
        self._random = random.Random(seed)
        self.requests = 0
        self.faults: list[str] = []
        self.actions: Counter[str] = Counter()
        self._last: list[bytes] = []

    def step(self) -> None:
        """Run one action."""
        actions: list[Callable[[Peer], int]] = [
            *[self.ask] * 8,
            *[self.keep_asking] * 3,
            self.pipeline,
            *[self.disconnect] * 4,
            self.disconnect_unread,
            self.refused,
            self.tunnel,
            self.part_of_a_head,
        ]
        action = self._random.choice(actions)
        self.actions[action.__name__] += 1
        peer = connect(self._port)
        try:
            sent = action(peer)
            self.requests += sent
            if action != self.tunnel and len(responses := _STATUS.findall(bytes(peer.received))) > sent:
                self.faults.append(f"{action.__name__}: {len(responses)} responses to {sent} requests")
        except Exception as error:
            self.faults.append(f"{action.__name__}: {error!r} after {self._last!r}, {bytes(peer.received[-300:])!r}")
        finally:
            peer.close()

    # Parts of a request.

    def form(self) -> bytes:
        """A form of any size; most are small."""
        size = self._random.choice([0, 10, 1000, 16_000, 16_000, 100_000, 1_000_000])
        (_, value) = content_type()
        boundary = value.partition(b"boundary=")[2]
        fields = [(b'"language"', b"en"), (b'"file"; filename="a.wav"', b"x" * size), (b'"model"', b"m")]
        parts = [
            b"--%b\r\nContent-Disposition: form-data; name=%b\r\n\r\n%b\r\n" % (boundary, *field) for field in fields
        ]
        return b"".join(parts) + b"--%b--\r\n" % boundary

    def request(self, action: bytes, *headers: Header) -> tuple[bytes, bytes]:
        """Head and body of a request."""
        do = (b"X-Do", action)
        self._last = [*self._last[-3:], action]
        kind = self._random.randrange(5)
        if kind == 0:
            return request("GET", "/v1/models", do, *headers), b""
        if kind == 1:
            return request("POST", "/v1/files", do, counted(b"whole"), *headers), b"whole"
        body = self.form()
        path = "/v1/audio/transcriptions"
        if kind == 2:
            size = self._random.choice([100, 5000, 70_000])
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            coded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
            return request("POST", path, do, content_type(), CHUNKED, *headers), coded
        return request("POST", path, do, content_type(), counted(body), *headers), body

    def send(self, peer: Peer, data: bytes) -> None:
        """Send in random pieces, until the other end closes."""
        count = self._random.choice([1, 1, 1, 2, 5])
        size = len(data) // count + 1
        peer.send_while_taken(data[at : at + size] for at in range(0, len(data), size))

    def expect(self, peer: Peer, action: bytes) -> bool:
        """Read a response and check it; return whether the connection persists."""
        status: int | None = None
        going_on = False
        with contextlib.suppress(EOFError):
            message = peer.read_message()
            while message.status < 200:
                message = peer.read_message()
            status = message.status
            going_on = message.values(b"Connection") == []
        if status not in EXPECTED[action]:
            self.faults.append(f"{action.decode()}: {status}, {bytes(peer.received[:300])!r}")
        return going_on

    # Actions; each returns how many requests it has sent.

    def ask(self, peer: Peer) -> int:
        """One request, with a random behaviour of the upstream."""
        action = self._random.choice(list(EXPECTED))
        head, body = self.request(action, *self._random.choice([[], [(b"Connection", b"close")]]))
        self.send(peer, head + body)
        if not self.expect(peer, action):
            rest = peer.read_to_end()
            if rest and action in KEPT:
                self.faults.append(f"{action.decode()}: {rest[:100]!r} after the last response")
        return 1

    def keep_asking(self, peer: Peer) -> int:
        """Some requests on one connection."""
        count = self._random.randrange(2, 8)
        for number in range(count):
            action = self._random.choice(KEPT)
            head, body = self.request(action)
            self.send(peer, head + body)
            if not self.expect(peer, action):
                return number + 1
        return count

    def pipeline(self, peer: Peer) -> int:
        """Some pipelined requests."""
        actions = [self._random.choice(KEPT) for _ in range(5)]
        data = b"".join(
            request("POST", "/v1/files", (b"X-Do", action), counted(b"whole")) + b"whole" for action in actions
        )
        self.send(peer, data)
        for action in actions:
            self.expect(peer, action)
        return len(actions)

    def disconnect(self, peer: Peer) -> int:
        """A request whose client disconnects at any point."""
        head, body = self.request(self._random.choice([b"answer", b"large", b"wait", b"stall", b"early, read on"]))
        data = head + body
        self.send(peer, data[: self._random.choice([len(data), self._random.randrange(len(data))])])
        if self._random.random() < 0.5:
            peer._sock.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                peer.read_some()
        self._random.choice([Peer.close, Peer.reset, Peer.shut])(peer)
        return 1

    def disconnect_unread(self, peer: Peer) -> int:
        """An unread upload whose client closes; only a reader that reads to the close can see it."""
        (_, value) = content_type()
        begin = b"--%b\r\nContent-Disposition: form-data; name=file\r\n\r\n" % value.partition(b"boundary=")[2]
        body = begin + bytes(self._random.randrange(1, 7) << 20)
        path = self._random.choice(["/v1/files", "/v1/audio/transcriptions"])
        length = (b"Content-Length", b"%d" % (len(body) + 1000))
        self.send(peer, request("POST", path, (b"X-Do", b"hold"), content_type(), length) + body)
        return 1

    def refused(self, peer: Peer) -> int:
        """A head that is refused."""
        self.send(peer, self._random.choice(_REFUSED))
        message = peer.read_message()
        if message.status < 400 or message.status >= 502:
            self.faults.append(f"a refusal was {message.start!r}")
        if rest := peer.read_to_end():
            self.faults.append(f"{rest[:100]!r} behind a refusal")
        return 1

    def part_of_a_head(self, peer: Peer) -> int:
        """An incomplete head."""
        head, _ = self.request(b"answer")
        self.send(peer, head[: self._random.randrange(len(head))])
        self._random.choice([Peer.close, Peer.reset])(peer)
        return 0

    def tunnel(self, peer: Peer) -> int:
        """An upgrade, accepted or refused."""
        upgrade = [(b"Connection", b"Upgrade"), (b"Upgrade", b"echo")]
        if self._random.random() < 0.3:
            self.send(peer, request("GET", "/ws", (b"X-Do", b"answer"), *upgrade))
            self.expect(peer, b"answer")
            return 1
        self.send(peer, request("GET", "/ws", (b"X-Do", b"echo"), *upgrade))
        if peer.read_head().status != 101:
            self.faults.append(f"an upgrade was refused: {bytes(peer.received)!r}")
            return 1
        data = self._random.randbytes(self._random.choice([1, 1000, 100_000]))
        peer.send(data)
        if peer.read_exactly(len(data)) != data:
            self.faults.append("an echo was not what had been said")
        self._random.choice([Peer.close, Peer.reset])(peer)
        return 1
