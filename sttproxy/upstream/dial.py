"""
Connecting to the upstream, with error messages that name the reason.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.internet.interfaces import IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import OutOfDescriptors, ProxyError, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from .resolve import NameResolver, Resolving

log = Logger()

#: Seconds between the first two attempts at a connection, and the most between any two.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.4


def tcp_endpoint(
    reactor: IReactorTime, host: str, port: int, timeout_s: float
) -> tuple[HostnameEndpoint, NameResolver]:
    """The endpoint of a server, and the resolver of its name."""
    resolver = NameResolver(reactor, host)
    endpoint = HostnameEndpoint(
        Resolving(reactor, resolver),
        "upstream",
        port,
        timeout=timeout_s,
        # Twisted waits this long before it tries the next address, even if the first one refused at once.  "localhost"
        # begins with ::1, where few servers listen.
        attemptDelay=0.02,
    )
    return endpoint, resolver


def _nothing() -> None:
    """Does nothing."""


@implementer(IStreamClientEndpoint)
@attrs.frozen
class PriorKnowledge:
    """An endpoint of a server that speaks HTTP/2 without TLS (RFC 9113 §3.3)."""

    endpoint: IStreamClientEndpoint

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        build = getattr(factory, "build_http2", None)
        if build is None:
            return self.endpoint.connect(factory)
        outer = Factory()
        outer.noisy = False
        outer.buildProtocol = cast(Any, lambda address: build(b"http"))  # type: ignore[method-assign]  # made by the pool
        return self.endpoint.connect(outer)


class Dialer:
    """
    Opens connections to one upstream.

    :ivar name: the upstream's name in messages, ``host:port``.
    :ivar trouble: why the last attempt failed; empty if it did not.
    :ivar when_changed: called when the upstream takes connections no more, or again.
    :ivar retries: whether a failed attempt may be repeated.
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
        :param timeout_s: seconds for one attempt, with the resolution of the name.
        :param retry_s: seconds during which failed attempts are repeated; 0: one attempt.
        :param resolver: of the upstream's name; None: the endpoint has no name.
        """
        self.name = name
        self.trouble = ""
        self.when_changed: Callable[[], None] = _nothing
        self.retries: Callable[[], bool] = lambda: True
        self._clock = clock
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._retry_s = retry_s
        self._resolver = resolver
        #: Descriptors have run out, and this was logged.
        self._short = False

    def connect(self, factory: IProtocolFactory) -> Deferred[Protocol]:
        """
        Open a connection.  Attempts are repeated for some time, so that a server may restart.

        :return: fails with `UpstreamUnreachable`, `UpstreamTimeout` or `OutOfDescriptors`, which name the upstream and
            the reason.  Cancelling it ends the attempts.
        """
        return Deferred.fromCoroutine(self._connect(factory))

    async def _connect(self, factory: IProtocolFactory) -> Protocol:
        pause_s = FIRST_PAUSE_S
        until = self._clock.seconds() + self._retry_s
        while True:
            try:
                return await self.attempt(factory)
            except UpstreamUnreachable:
                if not self.retries() or self._clock.seconds() + pause_s > until:
                    raise
            await deferLater(self._clock, pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def attempt(self, factory: IProtocolFactory) -> Deferred[Protocol]:
        """Open a connection with one attempt; fails as `connect` does."""
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
                return  # an endpoint reports a cancelled look-up as a failed one
            if isinstance(result, Failure):
                error = self._explained(result, late)
                if isinstance(error, UpstreamError | UpstreamTimeout):
                    self._note(error.message)
                outcome.errback(error)
            else:
                self._short = False
                self._note("")
                outcome.callback(result)

        outcome: Deferred[Protocol] = Deferred(cancel)
        connecting: Deferred[Protocol] = self._endpoint.connect(factory)  # type: ignore[assignment]  # IProtocol there
        limit = self._clock.callLater(self._timeout_s, connecting.cancel)
        connecting.addBoth(conclude)
        return outcome

    def _note(self, trouble: str) -> None:
        """Note the outcome of an attempt."""
        before, self.trouble = self.trouble, trouble
        if bool(before) != bool(trouble):
            self.when_changed()

    def _explained(self, failure: Failure, late: bool) -> Failure | Exception:
        """
        The error for a failed attempt.

        :param late: whether the time for the attempt is over.
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
