"""
Tests for :mod:`sttproxy.upstream.failover`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.upstream.dial import Dialer
from sttproxy.upstream.failover import CHECK_EVERY_S, Failover


class Switched:
    """
    An endpoint that takes connections or refuses them.

    :ivar up: whether it takes them; None: attempts stay pending.
    :ivar attempts: how many there were.
    """

    def __init__(self) -> None:
        self.up: bool | None = True
        self.attempts = 0
        self.pending: list[Deferred[Protocol]] = []

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Protocol]:
        self.attempts += 1
        connecting: Deferred[Protocol] = Deferred()
        self.pending.append(connecting)
        if self.up is not None:
            self.end()
        return connecting

    def end(self) -> None:
        """End the oldest pending attempt."""
        connecting = self.pending.pop(0)
        if self.up:
            connecting.callback(Protocol())
        else:
            connecting.errback(ConnectionRefusedError())


class FailoverTests(SynchronousTestCase):
    """Two servers, ``a`` and ``b``."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.a, self.b = Switched(), Switched()
        self.failover = self.made(self.a, self.b)
        self.failover.startService()

    def tearDown(self) -> None:
        self.failover.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def made(self, *endpoints: Switched) -> Failover[str]:
        """A failover between servers with these endpoints."""
        self.dialers = [
            Dialer(self.clock, endpoint, f"{name}:1", 5.0, 3.0)  # type: ignore[arg-type]  # no IStreamClientEndpoint
            for name, endpoint in zip("ab", endpoints, strict=False)
        ]
        return Failover(self.clock, list(zip(self.dialers, "ab", strict=False)))

    def dial(self, which: int) -> Deferred[Any]:
        """Connect as a request does."""
        return self.dialers[which].connect(Factory()).addErrback(lambda failure: failure.getErrorMessage())

    def test_first(self) -> None:
        """The first server serves while it takes connections."""
        self.dial(0)
        self.assertEqual((next(self.failover.candidates()), self.failover.current), ("a", "a:1"))
        self.assertEqual(self.failover.snapshot()[0], {"name": "a:1", "reachable": True})

    def test_next(self) -> None:
        """A request whose server takes no connection moves on at once; later ones begin with the other."""
        self.a.up = False
        candidates = self.failover.candidates()
        self.assertEqual(next(candidates), "a")
        with capturedLogs() as logs:
            self.assertIn("refuses connections", self.successResultOf(self.dial(0)))
        self.assertIn("a:1 cannot be reached", str(formatEvent(logs[0])))
        self.assertIn("Requests go to b:1.", str(formatEvent(logs[0])))
        self.assertEqual((next(candidates), self.failover.current, next(self.failover.candidates())), ("b", "b:1", "b"))
        self.assertEqual(self.failover.snapshot()[0]["reachable"], False)

    def test_back(self) -> None:
        """A server that is down is checked, and serves again when it takes connections."""
        self.a.up = False
        self.dial(0)
        for _ in range(3):
            self.clock.advance(CHECK_EVERY_S)
        self.assertEqual((self.a.attempts, self.failover.current), (4, "b:1"))
        self.a.up = True
        with capturedLogs() as logs:
            self.clock.advance(CHECK_EVERY_S)
        self.assertEqual((self.failover.current, str(formatEvent(logs[0]))), ("a:1", "a:1 takes connections again."))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_down(self) -> None:
        """If all are down, the first one is tried for a while, and then there are no more."""
        self.a.up = self.b.up = False
        candidates = self.failover.candidates()
        self.assertEqual(next(candidates), "a")
        self.successResultOf(self.dial(0))
        self.assertEqual(next(candidates), "b")
        dialing = self.dial(1)
        for _ in range(80):
            self.clock.advance(0.05)
        self.successResultOf(dialing)
        self.assertEqual(list(candidates), [])
        self.assertEqual(next(self.failover.candidates()), "a")

    def test_patience_ends(self) -> None:
        """A request that waits for one server moves on when another one is back."""
        self.a.up = self.b.up = False
        candidates = self.failover.candidates()
        next(candidates)
        self.dial(0)
        next(candidates)
        dialing = self.dial(1)
        self.a.up = True
        for _ in range(30):
            self.clock.advance(0.05)
        self.successResultOf(dialing)
        self.assertEqual(next(candidates), "a")

    def test_alone(self) -> None:
        """A single server is a request's only candidate, and is not checked."""
        failover = self.made(self.a)
        self.a.up = False
        dialing = self.dial(0)
        for _ in range(80):
            self.clock.advance(0.05)
        self.successResultOf(dialing)
        self.assertEqual((list(failover.candidates()), failover.current), (["a"], "a:1"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped(self) -> None:
        """The end of the daemon ends a check that waits for its connection."""
        self.a.up = False
        self.dial(0)
        self.a.up = None
        self.clock.advance(CHECK_EVERY_S)
        self.assertEqual(len(self.a.pending), 1)
