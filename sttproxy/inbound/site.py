"""
The factory for inbound connections.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.web import server
from twisted.web.resource import IResource

from ..deadline import Deadline
from ..headers import NOBODY, TrustedPeers
from ..stats import Stats
from ..transport import ReadAhead
from ..writer import FlushScheduler
from .channel import HTTPChannel
from .interfaces import DEFAULT_TIMEOUTS, NO_LIMITS, Limits, Timeouts
from .refusal import Refusal, answer
from .request import Request

log = Logger()

#: Seconds that clients have to take the news that the daemon waits no longer.
STOP_S = 1.0
#: Seconds between two lines of the log that say that clients are turned away.
SAY_AGAIN_S = 60.0


class Site(server.Site):
    """
    A twisted.web Site whose connections are `HTTPChannel`.

    :ivar trusted: the peers whose forwarded headers are believed.
    :ivar scheduler: has them send, and log, at the end of each reactor iteration.
    :ivar read_ahead: what may be read of clients that are held back.
    :ivar channels: the connections that are open.
    :ivar refusals: connections that are turned away and have not ended yet.
    :ivar draining: no connection is kept alive any more.
    """

    noisy = False

    def __init__(
        self,
        resource: IResource,
        clock: IReactorTime,
        scheduler: FlushScheduler,
        stats: Stats,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        limits: Limits = NO_LIMITS,
        trusted: TrustedPeers = NOBODY,
    ) -> None:
        super().__init__(resource, reactor=clock)
        self.clock = clock
        self.stats = stats
        self.timeouts = timeouts
        self.limits = limits
        self.trusted = trusted
        self.scheduler = scheduler
        self.read_ahead = ReadAhead()
        self.channels: set[HTTPChannel] = set()
        self.refusals: set[Refusal] = set()
        self._refused_said_at: float | None = None
        self.draining = False
        self._drained: Deferred[None] | None = None
        self._stopping = False
        self._limit = Deadline(clock, self.stop)

    def startFactory(self) -> None:
        """Nothing: the stock one opens an access log and wakes up each second for its clock."""

    def stopFactory(self) -> None:
        """Nothing, likewise."""

    def buildProtocol(self, addr: IAddress | None) -> HTTPChannel | Refusal:  # type: ignore[override]  # the stock one returns its own class
        most = self.limits.clients
        if most is not None and len(self.channels) >= most:
            return self._refuse(most)
        return HTTPChannel(self)

    def _refuse(self, most: int) -> Refusal:
        """Turn a client away, for so many are connected."""
        self.stats.clients_refused += 1
        now = self.clock.seconds()
        if self._refused_said_at is None or now - self._refused_said_at >= SAY_AGAIN_S:
            self._refused_said_at = now
            log.warn(
                "{most} clients are connected and there is room for no more: new ones get 503 ({count} so far). "
                "--max-clients and the limit on open files (ulimit -n) say how many there may be.",
                most=most,
                count=self.stats.clients_refused,
            )
        return Refusal(self, answer(most))

    def getResourceFor(self, request: Request) -> IResource:
        """The root, or what it names for the whole path: no tree is walked along a path that nobody has decoded."""
        root: IResource = self.resource
        return root if root.isLeaf else root.getChildWithDefault(request.path, request)

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may negotiate (ALPN); the stock list names HTTP/2 wherever h2 happens to be installed."""
        return [b"http/1.1"]

    def opened(self, channel: HTTPChannel) -> None:
        """A connection is there; called by it."""
        self.channels.add(channel)
        self.stats.connections += 1

    def lost(self, channel: HTTPChannel) -> None:
        """A connection is gone; called by it."""
        self.channels.discard(channel)
        self.stats.connections -= 1
        if not self.channels and self._drained is not None:
            drained, self._drained = self._drained, None
            self._limit.cancel()
            drained.callback(None)

    def drain(self, limit_s: float | None) -> Deferred[None]:
        """
        Close idle connections after a moment, and let the others end with the request that they carry.

        :param limit_s: seconds until what is left is stopped; None: never.
        :return: fires when no connection is left.
        """
        self.draining = True
        for channel in list(self.channels):
            channel.drain()
        if not self.channels:
            return succeed(None)
        self._drained = Deferred()
        self._limit.set(limit_s)
        return self._drained

    def stop(self) -> None:
        """Wait no longer: end every request that is left, and break what is still there soon after."""
        if self._stopping:
            for channel in list(self.channels):
                channel.abort()
            return
        self._stopping = self.draining = True
        count = sum([channel.stop() for channel in list(self.channels)])
        if count:
            log.warn("The time for requests in flight is over: {count} were ended.", count=count)
        if self.channels:
            self._limit.set(STOP_S)
