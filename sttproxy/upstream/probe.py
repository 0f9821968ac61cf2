"""
The health check of the upstream.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

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
        self._factory = Factory.forProtocol(_Hello)
        self._factory.noisy = False

    def __call__(self) -> Deferred[str]:
        """
        :return: fires with an empty string if the upstream accepts a connection, otherwise with the reason.  While a
            request is in flight, the upstream counts as healthy.
        """
        if self._pool.busy:
            return succeed("")
        return self._connect(self._factory).addCallbacks(lambda _: "", _trouble)


def _trouble(failure: Failure) -> str:
    return failure.getErrorMessage()
