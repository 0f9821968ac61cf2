"""
The health check of the upstream.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol

from .pool import Connect, Pool


class _Hello(Protocol):
    """Opens a connection and closes it."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


class Probe:
    """
    Checks with a TCP connect.  MLX Omni Server does not respond while it computes, but its system accepts connections.
    """

    def __init__(self, connect: Connect, pool: Pool) -> None:
        self._connect = connect
        self._pool = pool

    def __call__(self) -> Deferred[str]:
        """
        :return: fires with an empty string if the upstream accepts a connection, otherwise with the reason.  While a
            request is in flight, the upstream counts as healthy.
        """
        if self._pool.busy:
            return succeed("")
        return reachable(self._connect)


def reachable(connect: Connect) -> Deferred[str]:
    """Open a connection and close it; fires with an empty string, or with the reason why that failed."""
    factory = Factory.forProtocol(_Hello)
    factory.noisy = False
    return connect(factory).addCallbacks(lambda _: "", lambda failure: str(failure.getErrorMessage()))
