"""
Hostile servers: a request fails with 502, the process lives, and the pool recovers.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory

from sttproxy.upstream.dial import PriorKnowledge

from ..support.fakes import Ending, Peer
from ..support.frames import FrameChecker, frame
from ..support.stage import get
from . import servers
from .attacker import Attacker, HostileTestCase
from .servers import Breaks, Cut, Fails, Leaves, response


class ServerTests(HostileTestCase):
    """Rows against the upstream side."""

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        return PriorKnowledge(self.upstream).connect(factory)  # type: ignore[arg-type]

    def attacker(self) -> Attacker:
        """The server of the most recent connection."""
        return Attacker(self.server, FrameChecker(of_client=True), frame(4, 0))

    def check(self, outcome: object, segments: list[bytes]) -> None:
        self.proxy()
        first, other = self.client(get(b"/1")), self.client(get(b"/3"))
        attacker = self.attacker()
        attacker.send(segments)
        if isinstance(outcome, Breaks):
            self.assertEqual([status_of(first), status_of(other)], [outcome.status, 502])
        else:
            attacker.send([response(number=3).serialize()])
            self.assertEqual(status_of(other), 200)
            if isinstance(outcome, Fails):
                self.assertEqual(status_of(first), 502)
                self.assertEqual(attacker.checker.resets, {} if outcome.code is None else {1: outcome.code})
            elif isinstance(outcome, Cut):
                # The head may not have been written yet.
                self.assertTrue(first.ending is Ending.RESET and status_of(first) in (0, 200))
            else:
                self.assertEqual((status_of(first), first.ending), (200, Ending.OPEN))
        renewed = isinstance(outcome, Breaks | Leaves)
        self.assertEqual(attacker.peer.ending is Ending.OPEN, not renewed)
        again = self.client(get(b"/5"))
        if renewed:
            self.attacker().send([response().serialize()])
        else:
            attacker.send([response(number=5).serialize()])
        self.assertEqual((status_of(again), len(self.upstream.peers)), (200, 1 + renewed))

    def test_heads(self) -> None:
        """Heads of responses."""
        self.check_all(servers.HEAD_ROWS)

    def test_bodies(self) -> None:
        """Bodies, trailers and resets."""
        self.check_all(servers.BODY_ROWS)

    def test_frames(self) -> None:
        """Frames."""
        self.check_all(servers.FRAME_ROWS)

    def test_goaways(self) -> None:
        """Servers that leave."""
        self.check_all(servers.GOAWAY_ROWS)


class ServerOnH2Tests(ServerTests):
    """The same with h2."""

    on_h2 = True


def status_of(client: Peer) -> int:
    """The status of a response that has begun, behind interim ones; 0: none has."""
    rest = client.received
    while rest.startswith(b"HTTP/1.1 1"):
        rest = rest.partition(b"\r\n\r\n")[2]
    return int(rest[9:12] or 0)
