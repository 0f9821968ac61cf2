"""
Whether the upstream is there.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from .pool import Connect, Pool


class _Hello(Protocol):
    """Opens and closes."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


class Probe:
    """
    Asks by a TCP connect: MLX Omni Server answers nothing while it computes, but its kernel takes connections.
    """

    def __init__(self, connect: Connect, pool: Pool) -> None:
        self._connect = connect
        self._pool = pool
        self._factory = Factory.forProtocol(_Hello)
        self._factory.noisy = False

    def __call__(self) -> Deferred[str]:
        """
        :return: fires with an empty string where the upstream is there, else with what is wrong.  While a request of
            ours is in flight there, it is there.
        """
        if self._pool.busy:
            return succeed("")
        return self._connect(self._factory).addCallbacks(lambda _: "", _trouble)


def _trouble(failure: Failure) -> str:
    return failure.getErrorMessage()
