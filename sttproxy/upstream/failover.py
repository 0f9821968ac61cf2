"""
Several servers, of which one serves at a time: the first that takes connections.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from .dial import Dialer
from .probe import reachable

log = Logger()

T = TypeVar("T")

#: Seconds between two checks of a server that takes no connections.
CHECK_EVERY_S = 1.0


class Failover(Service, Generic[T]):
    """
    Chooses a server for each request, and checks those that take no connections until they do.

    A server is down from a failed attempt at a connection to a successful one.  While another one is up, attempts are
    not repeated: the request moves on.  If all are down, the first is tried as if it were alone.
    """

    def __init__(self, clock: IReactorTime, servers: Sequence[tuple[Dialer, T]]) -> None:
        """
        :param servers: in the order of preference; each with what is chosen.
        """
        super().__init__()
        self._clock = clock
        self._servers = tuple(servers)
        self._checks: dict[Dialer, IDelayedCall | Deferred[Any]] = {}
        if len(self._servers) > 1:
            for dialer, _ in self._servers:
                dialer.when_changed = functools.partial(self._changed, dialer)
                dialer.retries = functools.partial(self._alone, dialer)

    @property
    def current(self) -> str:
        """The name of the server that gets the next request."""
        return (self._up() or self._servers[0])[0].name

    def candidates(self) -> Iterator[T]:
        """
        The servers for one request.

        Ask for the next one when no connection to the previous one could be made; there is none if all are down.
        """
        if len(self._servers) == 1:
            return iter((self._servers[0][1],))
        return self._in_turn()

    def _in_turn(self) -> Iterator[T]:
        """The servers for one request, if there are several."""
        server: tuple[Dialer, T] | None = self._up() or self._servers[0]
        # Each may come back once while the request waits for others.
        for _ in range(2 * len(self._servers)):
            if server is None:
                return
            yield server[1]
            server = self._up()

    def snapshot(self) -> list[dict[str, Any]]:
        """The servers, ready for JSON."""
        return [
            {"name": dialer.name, "reachable": not dialer.trouble}
            | ({"error": dialer.trouble} if dialer.trouble else {})
            for dialer, _ in self._servers
        ]

    def _up(self) -> tuple[Dialer, T] | None:
        return next((server for server in self._servers if not server[0].trouble), None)

    def _alone(self, dialer: Dialer) -> bool:
        """Whether all other servers are down."""
        return all(other.trouble for other, _ in self._servers if other is not dialer)

    def _changed(self, dialer: Dialer) -> None:
        if not dialer.trouble:
            log.info("{name} takes connections again.", name=dialer.name)
            return
        up = self._up()
        where = f"Requests go to {up[0].name}." if up is not None else "No server takes connections now."
        log.warn("{trouble} {where}", trouble=dialer.trouble, where=where)
        self._check_later(dialer)

    def _check_later(self, dialer: Dialer) -> None:
        if dialer not in self._checks:
            self._checks[dialer] = self._clock.callLater(CHECK_EVERY_S, self._check, dialer)

    def _check(self, dialer: Dialer) -> None:
        self._checks[dialer] = checking = reachable(dialer.attempt)
        checking.addBoth(self._checked, dialer)

    def _checked(self, _: object, dialer: Dialer) -> None:
        del self._checks[dialer]
        if dialer.trouble and self.running:
            self._check_later(dialer)

    def stopService(self) -> None:
        """Check no more."""
        super().stopService()
        for check in list(self._checks.values()):
            check.cancel()
        self._checks.clear()
