"""
Hostile clients: each row ends what it must, and nothing else.
"""

from __future__ import annotations

from sttproxy.http2.outbound import MAX_STREAMS, STREAM_WINDOW
from sttproxy.inbound.http2 import RESET_DELAY_S

from ..support.fakes import Ending, Peer
from ..support.frames import PREFACE, FrameChecker, frame, request
from ..support.stage import message, ok
from . import floods, frames, requests
from .attacker import Attacker, HostileTestCase
from .row import Answered, Ended, Reset

SETTINGS = frame(4, 0)


class ClientTests(HostileTestCase):
    """Rows against the inbound side."""

    def attacker(self, *segments: bytes) -> Attacker:
        """A new client."""
        return Attacker(self.client(b""), FrameChecker(of_client=False), PREFACE, SETTINGS, *segments)

    def in_flight(self) -> tuple[Attacker, Peer]:
        """A client that has one request in flight, on stream 1, and the request's connection to the upstream."""
        attacker = self.attacker(request(1, b"/1").serialize())
        return attacker, self.server

    def check(self, outcome: object, segments: list[bytes]) -> None:
        attacker, serving = self.in_flight()
        attacker.send(segments)
        checker = attacker.checker
        if isinstance(outcome, Ended):
            self.assertEqual(checker.goaways, [outcome.code])
            checker.close()
            self.assertIsNot(attacker.peer.ending, Ending.OPEN)
            self.assertEqual((serving.ending, self.stats.in_flight), (Ending.RESET, 0))
            attacker, serving = self.in_flight()
            checker = attacker.checker
        elif isinstance(outcome, Reset):
            self.assertEqual(checker.resets, {outcome.number: outcome.code})
        elif isinstance(outcome, Answered):
            status = dict(checker.heads[outcome.number][0])[b":status"]
            self.assertEqual((status, outcome.number in checker.ended), (b"%d" % outcome.status, True))
        else:
            self.assertEqual(checker.resets, {})
        serving.send(ok(b"unhurt"))
        attacker.send([request(9999, b"/stats").serialize()])
        self.assertEqual((checker.bodies.get(1), {1, 9999} - checker.ended), (b"unhurt", set()))
        self.assertEqual(checker.goaways, [])
        attacker.peer.reset()
        self.reactor.pass_time(1, RESET_DELAY_S)
        for peer in self.upstream.peers:
            peer.close()
        self.assertEqual((self.stats.in_flight, self.stats.connections), (0, 0))

    def test_frames(self) -> None:
        """Frames that RFC 9113 forbids, or that it has ignored."""
        self.check_all(frames.ROWS)

    def test_requests(self) -> None:
        """Requests that are malformed, or would be another one in HTTP/1.1."""
        self.check_all(requests.ROWS)

    def test_floods(self) -> None:
        """Published attacks on availability."""
        self.check_all(floods.ROWS)

    def test_first_frame(self) -> None:
        """A connection begins with SETTINGS, and not with their acknowledgement (RFC 9113 §3.4)."""
        for first in (frame(6, 0, bytes(8)), frame(4, 0, flags=1), request(1).serialize()):
            attacker = Attacker(self.client(b""), FrameChecker(of_client=False), PREFACE, first)
            self.assertEqual((attacker.checker.goaways, attacker.peer.ending), ([1], Ending.CLOSED))

    def test_sent_window(self) -> None:
        """A client that has announced no window gets 65,535 bytes, and no more before it asks (RFC 9113 §6.9.2)."""
        attacker, serving = self.in_flight()
        attacker.send([frame(8, 0, (1 << 30).to_bytes(4, "big"))])
        serving.send(ok(bytes(200_000)))
        attacker.send([])
        self.assertEqual(len(attacker.checker.bodies[1]), 65_535)
        attacker.send([frame(8, 1, (1 << 20).to_bytes(4, "big"))])
        self.assertEqual((len(attacker.checker.bodies[1]), attacker.checker.ended), (200_000, {1}))

    def test_received_window(self) -> None:
        """More DATA than the window ends the connection (RFC 9113 §6.9.1); a paused upload keeps no more than that."""
        attacker = self.attacker(request(1, b"/1", method=b"POST", ends=False).serialize())
        serving = self.server
        serving.stall()
        data = frame(0, 1, bytes(16_384))
        attacker.send([data] * (STREAM_WINDOW // 16_384))
        self.assertEqual(attacker.checker.goaways, [])
        attacker.send([data] * 8)
        self.assertEqual(attacker.checker.goaways, [3])

    def test_unread(self) -> None:
        """Many responses that the client does not read pause their upstreams (CVE-2019-9517)."""
        no_window = frame(4, 0, b"\0\4\0\0\0\0")
        for closes_window in (True, False):
            attacker = self.attacker(*[no_window] * closes_window)
            if not closes_window:
                attacker.peer.stall()
            pieces = 0
            for number in range(1, 2 * MAX_STREAMS, 2):
                attacker.send([request(number, b"/%d" % number).serialize()])
                self.server.send(message(b"HTTP/1.1 200 OK", b"Content-Length: 1000000000"))
                while self.server.heard:
                    self.server.send(bytes(16_384))
                    pieces += 1
                    self.assertLess(pieces, 10 * MAX_STREAMS)
            attacker.peer.reset()
            attacker.peer.read()


class ClientOnH2Tests(ClientTests):
    """The same with h2."""

    on_h2 = True
