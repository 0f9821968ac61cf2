"""
The pool of persistent connections to the upstream.

twisted.web's HTTPConnectionPool hands out the connection that has rested longest, the one most likely to be closed
just now by the upstream, keeps a delayed call for each, and knows no limit on how many exist; hence one of our own.

A POST must not be sent twice, so a connection that the upstream is about to close must not be used at all.  Four
things see to that: what rested longest is not used while there is something fresher, the socket is asked before each
use, an upstream that announces when it closes is believed, and the pool learns it where it does not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from ..deadline import Deadline
from ..errors import UpstreamBusy
from ..transport import Turn
from .connection import UpstreamConnection

T = TypeVar("T")

#: Opens a connection for a factory; what `IStreamClientEndpoint.connect` does.
Connect = Callable[[IProtocolFactory], "Deferred[Protocol]"]

#: Of the time after which the upstream was seen to close, the part that a connection may rest.
_CAUTION = 0.8
#: Seconds by which a connection is let go before the upstream has said that it would close it.
_EARLIER_S = 1.0
#: Seconds after which what was learned is forgotten: the upstream may only have been restarted just then.
_FORGET_S = 120.0


@attrs.frozen
class PoolLimits:
    """
    How many connections there are, and for how long.

    :ivar size: most connections that rest.
    :ivar idle_s: seconds that one rests before it is closed.
    :ivar total: most connections that exist; 0: no limit.
    :ivar wait_s: seconds that a request waits for one of them; None: for ever.
    :ivar send_s: seconds that the upstream may need for each `SEND_PROGRESS` bytes of a request; None: any time.
    """

    size: int = 32
    idle_s: float = 4.0
    total: int = 0
    wait_s: float | None = 30.0
    send_s: float | None = 60.0


class Pool:
    """
    Connections that rest between requests, and new ones where none rests.

    :ivar limits: as given.
    """

    def __init__(self, clock: IReactorTime, connect: Connect, limits: PoolLimits) -> None:
        self.limits = limits
        self._clock = clock
        self._connect = connect
        #: Resting connections and when they came to rest, oldest first.
        self._resting: deque[tuple[float, UpstreamConnection]] = deque()
        #: Connections on which a request is under way, and how long each had rested before; None for new ones.
        self._lent: dict[UpstreamConnection, float | None] = {}
        self._connecting = 0
        self._serving = False
        #: Turns to take a connection, oldest first.
        self._waiting: deque[Deferred[None]] = deque()
        self._expiry = Deadline(clock, self._expire)
        self._announced_s = limits.idle_s
        self._learned_s = limits.idle_s
        self._learned_at = 0.0
        self._closed = False
        turn = Turn(clock)
        self._factory = Factory.forProtocol(
            lambda: UpstreamConnection(clock, turn, self._released, self._lost, limits.send_s)
        )
        self._factory.noisy = False

    @property
    def busy(self) -> bool:
        """Whether a request is under way on any connection."""
        return bool(self._lent)

    def lend(self) -> UpstreamConnection | None:
        """
        The connection used most recently, for one request, where one rests and nobody waits; else `acquire` one.

        Most requests find one, and a Deferred for it would cost as much as all else here.
        """
        if self._waiting or not self._available() or not self._resting:
            return None
        return self._lend()

    def acquire(self) -> Deferred[UpstreamConnection]:
        """
        A connection for one request: the one used most recently, or a new one; where no more may exist, the next one
        that becomes free, in the order of asking.

        :return: fails with what connecting fails with, or with `UpstreamBusy` after waiting too long; cancelling it
            leaves the queue.
        """
        if not self._waiting and self._available():
            return self._take()
        turn: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(turn)
        if self.limits.wait_s is not None:
            limit = self._clock.callLater(self.limits.wait_s, self._waited_too_long, turn)
            turn.addBoth(_stop_waiting, limit)
        return turn.addCallback(lambda _: self._take())

    def close(self) -> None:
        """Close what rests, and from now on whatever comes back."""
        self._closed = True
        self._expiry.cancel()
        while self._resting:
            self._resting.pop()[1].close()

    # Giving out.

    def _available(self) -> bool:
        """Whether a connection can be lent at once or made; those that are no longer good are closed."""
        limit_s = self._rest_s()
        while self._resting:
            rested_at, connection = self._resting[-1]
            rested_s = self._clock.seconds() - rested_at
            if rested_s < limit_s:
                if connection.fresh():
                    return True
                self._learn(rested_s)
            self._resting.pop()
            connection.close()
        return not self.limits.total or len(self._lent) + self._connecting < self.limits.total

    def _take(self) -> Deferred[UpstreamConnection]:
        """Lend what `_available` has found."""
        if self._resting:
            return succeed(self._lend())
        self._connecting += 1
        connecting: Deferred[UpstreamConnection] = self._connect(self._factory)  # type: ignore[assignment]
        return connecting.addCallbacks(self._connected, self._not_connected)

    def _lend(self) -> UpstreamConnection:
        rested_at, connection = self._resting.pop()
        self._lent[connection] = self._clock.seconds() - rested_at
        return connection

    def _connected(self, connection: UpstreamConnection) -> UpstreamConnection:
        self._connecting -= 1
        self._lent[connection] = None
        return connection

    def _not_connected(self, failure: Failure) -> Failure:
        self._connecting -= 1
        self._serve()
        return failure

    def _serve(self) -> None:
        """Let those who wait take what there is, in their order."""
        if self._serving:
            return  # one was served and failed at once; the loop below goes on
        self._serving = True
        try:
            while self._waiting and self._available():
                self._waiting.popleft().callback(None)
        finally:
            self._serving = False

    def _waited_too_long(self, turn: Deferred[None]) -> None:
        self._waiting.remove(turn)
        turn.errback(
            UpstreamBusy(
                f"All {self.limits.total} connections to the upstream were busy for {self.limits.wait_s:g} s.",
                headers=((b"Retry-After", b"1"),),
            )
        )

    # Taking back.

    def _released(self, connection: UpstreamConnection) -> None:
        del self._lent[connection]
        if connection.announced_s is not None:
            self._believe(connection.announced_s)
        if self._closed or not (self._waiting or (self.limits.size and self._rest_s())):
            connection.close()
            return
        if len(self._resting) == self.limits.size and self._resting:
            self._resting.popleft()[1].close()
        self._resting.append((self._clock.seconds(), connection))
        if len(self._resting) == 1:
            self._expiry.set(self._rest_s())
        self._serve()

    def _lost(self, connection: UpstreamConnection) -> None:
        rested_s = self._lent.pop(connection, None)
        if rested_s is not None and connection.unanswered:
            self._learn(rested_s)
        for entry in self._resting:
            if entry[1] is connection:
                self._resting.remove(entry)
                self._learn(self._clock.seconds() - entry[0])
                break
        self._serve()

    def _believe(self, announced_s: float) -> None:
        """The upstream says how long it keeps idle connections."""
        if self._announced_s != announced_s - _EARLIER_S:
            self._announced_s = max(0.0, announced_s - _EARLIER_S)
            self._expire()

    def _learn(self, rested_s: float) -> None:
        """The upstream closed a connection that had rested so long: the next ones must not get as old."""
        self._learned_s = min(self._rest_s(), rested_s * _CAUTION)
        self._learned_at = self._clock.seconds()

    def _rest_s(self) -> float:
        """Seconds that a connection may rest."""
        if self._clock.seconds() - self._learned_at > _FORGET_S:
            self._learned_s = self.limits.idle_s
        return min(self._learned_s, self._announced_s)

    def _expire(self) -> None:
        """Close those that have rested long enough, and wait for the next."""
        now, rest_s = self._clock.seconds(), self._rest_s()
        while self._resting and self._resting[0][0] + rest_s <= now:
            self._resting.popleft()[1].close()
        if self._resting:
            self._expiry.set(self._resting[0][0] + rest_s - now)


def _stop_waiting(result: T, limit: IDelayedCall) -> T:
    """Take the time limit away with the wait."""
    if limit.active():
        limit.cancel()
    return result
