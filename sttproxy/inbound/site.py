"""
The factory for inbound connections.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.web import server
from twisted.web.resource import IResource

from ..cors import CrossOrigin
from ..deadline import Deadline
from ..monitor.registry import Registry
from ..peers import NOBODY, TrustedPeers
from ..transport import ReadAhead
from ..writer import FlushScheduler
from .accesslog import TEXT_LOG, AccessLog
from .channel import HTTPChannel
from .connection import ClientConnection
from .interfaces import DEFAULT_TIMEOUTS, NO_LIMITS, Limits, Timeouts
from .refusal import Refusal, response
from .request import Request

log = Logger()

#: Seconds that clients have to take their last response when the grace period is over.
STOP_S = 1.0
#: Seconds between two log lines about rejected clients.
SAY_AGAIN_S = 60.0


class Site(server.Site):
    """
    A twisted.web Site whose connections are `HTTPChannel`.

    :ivar registry: the numbers of all requests.
    :ivar trusted: the peers whose forwarded headers are trusted.
    :ivar cors: the pages of other origins that may read responses; None: the upstream decides.
    :ivar access: writes the lines of requests.
    :ivar server_timing: whether responses tell how long the phases of their request took.
    :ivar scheduler: runs work at the end of each reactor iteration: sending, and logging.
    :ivar read_ahead: how much may be read ahead from paused clients.
    :ivar channels: the open connections.
    :ivar refusals: rejected connections that are not closed yet.
    :ivar draining: connections are closed after their next response.
    """

    noisy = False

    def __init__(
        self,
        resource: IResource,
        clock: IReactorTime,
        scheduler: FlushScheduler,
        registry: Registry,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        limits: Limits = NO_LIMITS,
        trusted: TrustedPeers = NOBODY,
        cors: CrossOrigin | None = None,
        access: AccessLog = TEXT_LOG,
        *,
        server_timing: bool = False,
    ) -> None:
        super().__init__(resource, reactor=clock)
        self.clock = clock
        self.registry = registry
        self.timeouts = timeouts
        self.limits = limits
        self.trusted = trusted
        self.cors = cors
        self.access = access
        self.server_timing = server_timing
        self.scheduler = scheduler
        self.read_ahead = ReadAhead()
        self.channels: set[ClientConnection] = set()
        self.refusals: set[Refusal] = set()
        self._refused_said_at: float | None = None
        self.draining = False
        self._drained: Deferred[None] | None = None
        self._stopping = False
        self._limit = Deadline(clock, self.stop)

    def startFactory(self) -> None:
        """Does nothing: the stock one opens an access log and wakes up each second for its clock."""

    def stopFactory(self) -> None:
        """Does nothing, for the same reason."""

    def buildProtocol(self, addr: IAddress | None) -> HTTPChannel | Refusal:  # type: ignore[override]  # the stock one returns its own class
        most = self.limits.clients
        if most is not None and len(self.channels) >= most:
            return self._refuse(most)
        return HTTPChannel(self)

    def _refuse(self, most: int) -> Refusal:
        """Reject a client, because the maximum is connected."""
        self.registry.clients_refused += 1
        now = self.clock.seconds()
        if self._refused_said_at is None or now - self._refused_said_at >= SAY_AGAIN_S:
            self._refused_said_at = now
            log.warn(
                "{most} clients are connected and there is room for no more: new ones get 503 ({count} so far). "
                "{advice}",
                most=most,
                count=self.registry.clients_refused,
                advice=self.limits.advice,
            )
        return Refusal(self, response(most))

    def getResourceFor(self, request: Request) -> IResource:
        """The root Resource finds the Resource for the whole path, because the path is not decoded into segments."""
        root: IResource = self.resource
        return root if root.isLeaf else root.getChildWithDefault(request.path, request)

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may negotiate (ALPN)."""
        return [b"h2", b"http/1.1"]

    def opened(self, channel: ClientConnection) -> None:
        """Called by a connection when it is made."""
        self.channels.add(channel)
        self.registry.connections += 1

    def lost(self, channel: ClientConnection) -> None:
        """Called by a connection when it is lost."""
        self.channels.discard(channel)
        self.registry.connections -= 1
        if not self.channels and self._drained is not None:
            drained, self._drained = self._drained, None
            self._limit.cancel()
            drained.callback(None)

    def drain(self, limit_s: float | None) -> Deferred[None]:
        """
        Close idle connections after a moment, and the others after their request in flight.

        :param limit_s: seconds until the remaining requests are stopped; None: no limit.
        :return: fires when all connections are closed.
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
        """Wait no longer: end the remaining requests, and abort the remaining connections soon after."""
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
