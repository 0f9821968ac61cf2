"""
The pool of persistent connections to the upstream.

twisted.web's HTTPConnectionPool hands out the connection that has rested longest, the one most likely to be closed
just now by the upstream, and keeps a delayed call for each; hence one of our own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory, Protocol

from ..deadline import Deadline
from .connection import UpstreamConnection

#: Opens a connection for a factory; what `IStreamClientEndpoint.connect` does.
Connect = Callable[[IProtocolFactory], "Deferred[Protocol]"]


class Pool:
    """
    Connections that rest between requests, and new ones where none rests.

    :ivar size: most connections that rest.
    :ivar idle_s: seconds that one rests before it is closed.
    """

    def __init__(self, clock: IReactorTime, connect: Connect, size: int, idle_s: float) -> None:
        self.size = size
        self.idle_s = idle_s
        self._clock = clock
        self._connect = connect
        #: Resting connections and when they came to rest, oldest first.
        self._resting: deque[tuple[float, UpstreamConnection]] = deque()
        self._expiry = Deadline(clock, self._expire)
        self._lent: set[UpstreamConnection] = set()
        self._closed = False
        self._factory = Factory.forProtocol(lambda: UpstreamConnection(self._released, self._lost))
        self._factory.noisy = False

    def acquire(self) -> Deferred[UpstreamConnection]:
        """
        A connection for one request: the one used most recently, or a new one.

        :return: fails with what the endpoint fails with.
        """
        if self._resting:
            return succeed(self._lend(self._resting.pop()[1]))
        connecting: Deferred[UpstreamConnection] = self._connect(self._factory)  # type: ignore[assignment]
        return connecting.addCallback(self._lend)

    def _lend(self, connection: UpstreamConnection) -> UpstreamConnection:
        self._lent.add(connection)
        return connection

    @property
    def busy(self) -> bool:
        """Whether a request is under way on any connection."""
        return bool(self._lent)

    def close(self) -> None:
        """Close what rests, and from now on whatever comes back."""
        self._closed = True
        self._expiry.cancel()
        for _, connection in self._resting:
            connection.close()
        self._resting.clear()

    def _released(self, connection: UpstreamConnection) -> None:
        self._lent.discard(connection)
        if self._closed or self.size == 0:
            connection.close()
            return
        if len(self._resting) == self.size:
            self._resting.popleft()[1].close()
        if not self._resting:
            self._expiry.set(self.idle_s)
        self._resting.append((self._clock.seconds(), connection))

    def _lost(self, connection: UpstreamConnection) -> None:
        self._lent.discard(connection)
        for entry in self._resting:
            if entry[1] is connection:
                self._resting.remove(entry)
                return

    def _expire(self) -> None:
        """Close those that have rested long enough, and wait for the next."""
        now = self._clock.seconds()
        while self._resting and self._resting[0][0] + self.idle_s <= now:
            self._resting.popleft()[1].close()
        if self._resting:
            self._expiry.set(self._resting[0][0] + self.idle_s - now)
