"""
Test the whole proxy with the actions of clients and upstream in any order.

No action may raise, no client may get two responses or a partial one that looks complete, and at the end no state may
be left.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from sttproxy.errors import UpstreamUnreachable
from sttproxy.inbound.interfaces import Timeouts
from sttproxy.upstream.pool import PoolLimits

from ..support.fakes import Ending, Peer
from ..support.stage import FORM_TYPE, PATH, ProxyTestCase, chunked, get, message, ok, post, transcription

UPGRADE = get(b"/x", b"Connection: Upgrade", b"Upgrade: x")
RESPONSE = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")
BIG = 100_000

#: Requests that a client can send, by name.
SENT = {
    "request": get(),
    "two requests": get() * 2,
    "own page": get(b"/stats"),
    "health": get(b"/health"),
    "last request": get(b"/x", b"Connection: close"),
    "old request": get(version=b"HTTP/1.0"),
    "upgrade": UPGRADE,
    "half a head": get()[:9],
    "upload": post(10, body=b"ab"),
    "chunked upload": post(None, body=chunked(b"ab", last=False)),
    "careful upload": post(10, b"Expect: 100-continue"),
    "transcription": transcription(),
    "half a transcription": transcription()[:-20],
    "small form": transcription(b"{}", b"Content-Type: application/json"),
    "broken form": post(None, FORM_TYPE, target=PATH, body=chunked(b"x", b"y")),
    "bytes": b"12345678",
    "end of chunks": b"\r\n0\r\n\r\n",
    "many bytes": b"x" * BIG,
}
#: Responses that an upstream can send.
ANSWERED = {
    "answer": ok(),
    "last answer": ok(b"hi", b"Connection: close"),
    "big answer": ok(b"x" * BIG),
    "refusal": message(b"HTTP/1.1 413 -", b"Content-Length: 0"),
    "begun answer": RESPONSE + chunked(b"a", last=False),
    "more": chunked(b"b", last=False),
    "rest": chunked(),
    "endless answer": message(b"HTTP/1.1 200 OK", body=b"x"),
    "hint": message(b"HTTP/1.1 103 -"),
    "switch": message(b"HTTP/1.1 101 -", b"Upgrade: x"),
    "garbage": b"garbage\r\n\r\n",
    "half a head": b"HTTP/1.1 20",
}

Step = Callable[["AnyOrderTests"], None]


def sends(data: bytes) -> Step:
    """The most recent client sends something."""
    return lambda case: case.act(case.peers, lambda peer: peer.send(data))


def answers(data: bytes) -> Step:
    """The upstream sends something on its most recent connection."""
    return lambda case: case.act(case.upstream.peers, lambda peer: peer.send(data))


STEPS: dict[str, Step] = {
    "a client comes": lambda case: case.come(),
    **{f"client: {name}": sends(data) for name, data in SENT.items()},
    "client closes": lambda case: case.act(case.peers, Peer.close),
    "client resets": lambda case: case.act(case.peers, Peer.reset),
    "client stalls": lambda case: case.act(case.peers, Peer.stall),
    "client reads": lambda case: case.act(case.peers, Peer.read),
    "client reads a bit": lambda case: case.act(case.peers, lambda peer: peer.read(70_000)),
    **{f"upstream: {name}": answers(data) for name, data in ANSWERED.items()},
    "upstream closes": lambda case: case.act(case.upstream.peers, Peer.close),
    "upstream resets": lambda case: case.act(case.upstream.peers, Peer.reset),
    "upstream stalls": lambda case: case.act(case.upstream.peers, Peer.stall),
    "upstream reads": lambda case: case.act(case.upstream.peers, Peer.read),
    "upstream refuses to read": lambda case: case.act(case.upstream.peers, Peer.refuse_to_read),
    "upstream is slow to accept": lambda case: setattr(case.upstream, "at_once", False),
    "upstream accepts": lambda case: case.accept(),
    "upstream is not there": lambda case: case.refuse(),
    "a moment": lambda case: case.reactor.pass_time(1, 0.25),
    "a while": lambda case: case.reactor.pass_time(12, 1),
    "a long while": lambda case: case.reactor.pass_time(100, 10),
    "the daemon stops": lambda case: case.stop(),
}


def after_chunks(received: bytes) -> tuple[bytes, int]:
    """Return what follows a chunked body, and the size of its last chunk if that is not the end."""
    while received:
        line, _, received = received.partition(b"\r\n")
        size = int(line, 16)
        if len(received) < size + 2:
            return b"", size + 2
        received = received[size + 2 :]
        if not size:
            return received, 0
    return b"", 1


def complete_responses(received: bytes, closed: bool) -> int:
    """
    Return how many responses a client takes for complete.

    :param closed: the connection was closed in order, which ends a response without a length.
    """
    count = 0
    while received.startswith(b"HTTP/1.1 "):
        head, mark, received = received.partition(b"\r\n\r\n")
        status = int(head[9:12])
        if not mark or status == 101:
            break
        if status < 200:
            continue
        fields = {line.partition(b": ")[0]: line.partition(b": ")[2] for line in head.split(b"\r\n")[1:]}
        if b"Content-Length" in fields:
            length = int(fields[b"Content-Length"])
            if len(received) < length:
                break
            received = received[length:]
        elif b"Transfer-Encoding" in fields:
            received, size = after_chunks(received)
            if size:
                break
        else:
            assert b"Connection" in fields
            count += closed
            break
        count += 1
    return count


class AnyOrderTests(ProxyTestCase):
    """Actions in any order."""

    def act(self, peers: list[Peer], step: Callable[[Peer], None]) -> None:
        """Let the last of some peers do something, if there is one."""
        if peers and peers[-1].ending in (Ending.OPEN, Ending.HALF):
            step(peers[-1])

    def come(self) -> None:
        """Connect another client."""
        self.client()

    def accept(self) -> None:
        """Accept a connection at the upstream."""
        if self.upstream.attempts:
            self.upstream.accept()

    def refuse(self) -> None:
        """Refuse a connection at the upstream."""
        if self.upstream.attempts:
            self.upstream.refuse(UpstreamUnreachable("nobody there"))

    def stop(self) -> None:
        """Stop the daemon, unless it is stopping already."""
        if not self.site.draining:
            self.drained = self.site.drain(30)

    def run_steps(self, names: list[str]) -> None:
        """Run the steps from the beginning, and check that no state is left at the end."""
        self.setUp()
        timeouts = Timeouts(head=10, body=10, idle=20, drain=10)
        limits = PoolLimits(total=2, wait_s=20.0)
        self.proxy(pool=limits, timeouts=timeouts, most=1, queue=1, response_s=30.0, body=50_000)
        self.client()
        try:
            for name in names:
                STEPS[name](self)
                self.check_counts()
            self.check_answers()
            self.run_to_end()
            self.tearDown()
        except Exception as error:
            error.args = (f"{names}: {error}",)
            raise

    def run_to_end(self) -> None:
        """Finish: all peers read everything and the upstream ends what it began; then our limits end the rest."""
        self.upstream.at_once = True
        for client in self.peers:
            client.read()
        for _ in range(12):
            while self.upstream.attempts:
                self.upstream.accept()
            for server in self.upstream.peers:
                server.read()
                server.close()
            self.reactor.advance(6)
        self.assertEqual((self.stats.in_flight, self.stats.connections), (0, 0))

    def check_counts(self) -> None:
        """Check that the counters match the actual connections and requests."""
        there = sum(peer.transport.connected for peer in self.peers)
        self.assertEqual((self.stats.connections, len(self.site.channels)), (there, there))
        self.assertGreaterEqual(self.stats.in_flight, 0)
        self.assertLessEqual(self.stats.in_flight, there)

    def check_answers(self) -> None:
        """Check that no client got more responses than were counted."""
        whole = sum(
            complete_responses(peer.received, peer.ending is Ending.CLOSED and not peer.left) for peer in self.peers
        )
        given = sum(number for kind, number in self.stats.answers.items() if kind != "1xx")
        self.assertLessEqual(whole, given + self.stats.refused_requests)

    def test_two_steps(self) -> None:
        """Every pair of steps."""
        for first in SENT:
            for second in STEPS:
                self.run_steps([f"client: {first}", second])

    def test_three_steps(self) -> None:
        """Every kind of request, then every beginning of a response, then every ending."""
        ends = [name for name in STEPS if "closes" in name or "resets" in name or "while" in name or "stops" in name]
        for first in SENT:
            for second in ANSWERED:
                for third in ends:
                    self.run_steps([f"client: {first}", f"upstream: {second}", third])

    @given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
    def test_many_steps(self, names: list[str]) -> None:
        """Random sequences of steps."""
        self.run_steps(names)
