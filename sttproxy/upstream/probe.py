"""
The health check of the upstream.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol

from .pool import Connect, Pool

#: Seconds for which the result of a check is good.
EVERY_S = 1.0


class _Hello(Protocol):
    """Opens a connection and closes it."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


class Probe:
    """
    Checks with a TCP connect.  MLX Omni Server does not respond while it computes, but its system accepts connections.

    All who ask within a second share one check.
    """

    def __init__(self, connect: Connect, pool: Pool, now: Callable[[], float]) -> None:
        """
        :param now: returns the clock's seconds.
        """
        self._connect = connect
        self._pool = pool
        self._now = now
        #: Those who wait for the check in progress; None: there is none.
        self._waiting: list[Deferred[str]] | None = None
        #: The last result, and until when it is good.
        self._result = ""
        self._good_until = now()

    def __call__(self) -> Deferred[str]:
        """
        :return: fires with an empty string if the upstream accepts a connection, otherwise with the reason.  While a
            request is in flight, the upstream counts as healthy.
        """
        if self._pool.busy:
            return succeed("")
        if self._waiting is None and self._now() < self._good_until:
            return succeed(self._result)
        result: Deferred[str] = Deferred()
        if self._waiting is not None:
            self._waiting.append(result)
            return result
        self._waiting = [result]
        self._good_until = self._now() + EVERY_S
        reachable(self._connect).addCallback(self._checked)
        return result

    def _checked(self, result: str) -> None:
        assert self._waiting is not None, "a check was in progress"
        waiting, self._waiting = self._waiting, None
        self._result = result
        for each in waiting:
            each.callback(result)


def reachable(connect: Connect) -> Deferred[str]:
    """Open a connection and close it; fires with an empty string, or with the reason why that failed."""
    factory = Factory.forProtocol(_Hello)
    factory.noisy = False
    return connect(factory).addCallbacks(lambda _: "", lambda failure: str(failure.getErrorMessage()))
