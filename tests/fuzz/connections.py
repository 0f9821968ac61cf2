"""
Drives HTTP/2 connections of the whole proxy, in memory, with sequences of frames, and checks what must always hold.

No exception escapes or is logged; what the proxy sends is well-formed, on both sides; another client gets its response
meanwhile; and at the end no request, connection or timer is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import h11
from hypothesis.strategies import SearchStrategy
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import LogEvent, globalLogPublisher

from sttproxy.upstream.dial import PriorKnowledge

from ..support.fakes import Ending, Peer
from ..support.frames import PREFACE, FrameChecker, frame
from ..support.stage import ProxyTestCase, get
from .sequences import Other, Room, Send, Step, Wait, sequences

_SETTINGS = frame(4, 0)


class Connections(ProxyTestCase):
    """
    One proxy with a connection of HTTP/2 that is attacked.

    :ivar failures: the failures that were logged.
    """

    def __init__(self) -> None:
        super().__init__("setUp")
        self.failures: list[Any] = []
        self.checker = FrameChecker(of_client=False)

    def check(self, steps: Iterable[Step]) -> None:
        """
        Do these steps.

        :raises AssertionError: when something does not hold that must.
        """
        globalLogPublisher.addObserver(self._logged)
        try:
            self.setUp()
            attacker = self.attacked()
            for step in steps:
                self._do(step, attacker)
                self._read(attacker)
            attacker.read()
            self._read(attacker)
            if attacker.ending is Ending.CLOSED:
                self.checker.close()
                self.assertTrue(self.checker.goaways, "it closes without a GOAWAY")
            self.unhurt()
            self.check_others()
            for peer in (attacker, *self.peers, *self.upstream.peers):
                if peer.ending in (Ending.OPEN, Ending.HALF):
                    peer.reset()
            self.reactor.pass_time(1, 0.25)
            self.assertEqual((self.stats.in_flight, self.stats.connections), (0, 0))
            self.tearDown()
        finally:
            globalLogPublisher.removeObserver(self._logged)
        self.assertEqual(self.failures, [])

    def attacked(self) -> Peer:
        """The attacker, when the connection has begun."""
        raise NotImplementedError

    def others(self) -> list[Peer]:
        """The connections on the other side of the proxy."""
        raise NotImplementedError

    def unhurt(self) -> None:
        """Check that another client gets a response."""
        raise NotImplementedError

    def check_others(self) -> None:
        """Check what the other side has got."""

    def begun(self, attacker: Peer, *pieces: bytes) -> Peer:
        """The attacker, after its first frames."""
        self._send(attacker, pieces)
        self._read(attacker)
        return attacker

    def _logged(self, event: LogEvent) -> None:
        if "log_failure" in event:
            self.failures.append(event["log_failure"].getTraceback())

    def _do(self, step: Step, attacker: Peer) -> None:
        if isinstance(step, Send):
            self._send(attacker, step.pieces)
        elif isinstance(step, Wait):
            self.reactor.pass_time(step.seconds, step.seconds / 4)
        elif isinstance(step, Room):
            if step.size == 0:
                attacker.stall()
            else:
                attacker.read(step.size)
        else:
            self._other(step)

    def _send(self, attacker: Peer, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            if attacker.ending is Ending.OPEN:
                self.checker.sent(piece)
                attacker.send(piece)

    def _read(self, attacker: Peer) -> None:
        self.checker.feed(attacker.news())

    def _other(self, step: Other) -> None:
        others = [peer for peer in self.others() if peer.ending is Ending.OPEN and not peer.left]
        if others:
            peer = others[-1 - step.which % len(others)]
            if step.data:
                peer.send(step.data)
            else:
                peer.close()


class HostileClient(Connections):
    """The attacker is a client of the proxy."""

    def attacked(self) -> Peer:
        self._bystander = self.client(get(b"/bystander"))
        self._serving = self.server
        return self.begun(self.client(b""), PREFACE, _SETTINGS)

    def others(self) -> list[Peer]:
        return [peer for peer in self.upstream.peers if peer is not self._serving]

    def check_others(self) -> None:
        for peer in self.upstream.peers:
            reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
            if peer.received:  # to h11, no bytes are the end of the connection
                reader.receive_data(peer.received)
            while (event := reader.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.EndOfMessage):
                    reader.send(h11.Response(status_code=200, headers=[(b"Content-Length", b"0")]))
                    reader.send(h11.EndOfMessage())
                    if reader.our_state is h11.MUST_CLOSE:
                        self.assertEqual(reader.trailing_data[0], b"", "bytes behind the last request")
                        break
                    reader.start_next_cycle()

    def unhurt(self) -> None:
        self._serving.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nunhurt")
        self.assertTrue(self._bystander.received.endswith(b"\r\n\r\nunhurt"), self._bystander.received)


class HostileServer(Connections):
    """The attacker is the server behind the proxy."""

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        return PriorKnowledge(self.upstream).connect(factory)  # type: ignore[arg-type]

    def attacked(self) -> Peer:
        self.checker = FrameChecker(of_client=True)
        self.client(get(b"/1"))
        return self.begun(self.server, _SETTINGS)

    def others(self) -> list[Peer]:
        if len(self.peers) < 3:
            self.client(b"")
        return self.peers

    def unhurt(self) -> None:
        client = self.client(get(b"/stats"))
        self.assertTrue(client.received.startswith(b"HTTP/1.1 200 OK\r\n"), client.received)


class Tally:
    """
    :ivar strategy: the sequences.
    :ivar examples: how many sequences were checked.
    :ivar heads: how many heads the proxy has sent to attackers.
    :ivar ended: how many connections the proxy has ended.
    """

    def __init__(self, of_client: bool) -> None:
        """
        :param of_client: the attackers are clients; else, they are servers.
        """
        self.strategy: SearchStrategy[list[Step]] = sequences(of_client)
        self.examples = 0
        self.heads = 0
        self.ended = 0
        self._attack = HostileClient if of_client else HostileServer

    def check(self, steps: list[Step]) -> None:
        """Check one sequence."""
        connections = self._attack()
        connections.check(steps)
        self.examples += 1
        self.heads += len(connections.checker.heads)
        self.ended += bool(connections.checker.goaways)

    def __str__(self) -> str:
        return f"{self.examples} sequences, {self.heads} heads received, {self.ended} connections ended by the proxy"
