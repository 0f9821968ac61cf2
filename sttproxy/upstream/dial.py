"""
Connecting to the upstream, and saying what went wrong in words.
"""

from __future__ import annotations

import errno

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.internet.interfaces import IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import OutOfDescriptors, ProxyError, UpstreamTimeout, UpstreamUnreachable
from .resolve import NameResolver, Resolving

log = Logger()

#: Seconds between the first two attempts at a connection, and the most between any two.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.4


def tcp_endpoint(
    reactor: IReactorTime, host: str, port: int, timeout_s: float
) -> tuple[HostnameEndpoint, NameResolver]:
    """Where a server is, and what resolves its name."""
    resolver = NameResolver(reactor, host)
    endpoint = HostnameEndpoint(
        Resolving(reactor, resolver),
        "upstream",
        port,
        timeout=timeout_s,
        # The next address of a name is tried after this long even where the one before was refused at once, and
        # "localhost" begins with ::1, where few servers listen.
        attemptDelay=0.02,
    )
    return endpoint, resolver


class Dialer:
    """
    Opens connections to one upstream.

    :ivar name: the upstream as messages call it, ``host:port``.
    """

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        name: str,
        timeout_s: float,
        retry_s: float = 0.0,
        resolver: NameResolver | None = None,
    ) -> None:
        """
        :param timeout_s: for an attempt, the resolution of the name included.
        :param retry_s: for which further attempts are made where one fails at once; 0: there is one.
        :param resolver: of the upstream's name; None: the endpoint needs none.
        """
        self.name = name
        self._clock = clock
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._retry_s = retry_s
        self._resolver = resolver
        #: Whether descriptors are short, and the log says so already.
        self._short = False

    def connect(self, factory: IProtocolFactory) -> Deferred[Protocol]:
        """
        Open a connection; a server that restarts is given some time for it.

        :return: fails with `UpstreamUnreachable`, `UpstreamTimeout` or `OutOfDescriptors`, which name the upstream and
            the reason; cancelling it ends the attempts.
        """
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> Protocol:
        pause_s = FIRST_PAUSE_S
        until = self._clock.seconds() + self._retry_s
        while True:
            try:
                return await self.attempt(factory)
            except UpstreamUnreachable:
                if self._clock.seconds() + pause_s > until:
                    raise
            await deferLater(self._clock, pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def attempt(self, factory: IProtocolFactory) -> Deferred[Protocol]:
        """Open a connection, or fail as `connect` does at the first obstacle."""
        cancelled = False

        def cancel(_: Deferred[Protocol]) -> None:
            nonlocal cancelled
            cancelled = True
            connecting.cancel()

        def conclude(result: Protocol | Failure) -> None:
            late = not limit.active()
            if not late:
                limit.cancel()
            if cancelled:
                return  # an endpoint calls that a failure of the look-up
            if isinstance(result, Failure):
                outcome.errback(self._explained(result, late))
            else:
                self._short = False
                outcome.callback(result)

        outcome: Deferred[Protocol] = Deferred(cancel)
        connecting: Deferred[Protocol] = self._endpoint.connect(factory)  # type: ignore[assignment]  # IProtocol there
        limit = self._clock.callLater(self._timeout_s, connecting.cancel)
        connecting.addBoth(conclude)
        return outcome

    def _explained(self, failure: Failure, late: bool) -> Failure | Exception:
        """
        Why there is no connection, in words.

        :param late: the time for the attempt is over.
        """
        error = failure.value
        if late or isinstance(error, TimeoutError):
            return self._late()
        if not isinstance(error, ConnectError | DNSLookupError | OSError):
            return failure
        if getattr(error, "osError", getattr(error, "errno", None)) in (errno.EMFILE, errno.ENFILE):
            if not self._short:
                self._short = True
                log.warn("No file descriptor is left for a connection to {name}; raise their limit.", name=self.name)
            message = "The proxy has no file descriptor left for a connection to the upstream."
            return OutOfDescriptors(message, headers=((b"Retry-After", b"1"),))
        if isinstance(error, ConnectionRefusedError):
            reason = "it refuses connections; is the speech-to-text server running there?"
        elif isinstance(error, DNSLookupError) and self._resolver is not None:
            reason = f"its name cannot be resolved: {self._resolver.trouble or 'it has no address'}."
        else:
            reason = failure.getErrorMessage()
        if self._resolver is not None:
            self._resolver.forget()
        return UpstreamUnreachable(f"The upstream {self.name} cannot be reached: {reason}")

    def _late(self) -> ProxyError:
        resolver = self._resolver
        if resolver is not None and resolver.waiting:
            fault = f"could not be resolved within {self._timeout_s:g} s: the name server does not answer"
            return UpstreamTimeout(f"The upstream's name {resolver.name} {fault}.")
        return UpstreamTimeout(f"The upstream {self.name} did not take the connection within {self._timeout_s:g} s.")
