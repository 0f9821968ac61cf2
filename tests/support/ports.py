"""
Ports and endpoints that exist in memory only.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IReadDescriptor,
    IStreamServerEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from .fakes import FakeSocket


@implementer(IListeningPort)
class FakePort:
    """
    A listening port.

    :ivar address: its address.
    :ivar stopping: fires when it is closed; None while it is open.
    """

    def __init__(self, address: IAddress | None = None) -> None:
        self.address = address or IPv4Address("TCP", "192.0.2.1", 80)
        self.stopping: Deferred[None] | None = None

    def startListening(self) -> None:
        raise NotImplementedError

    def stopListening(self) -> Deferred[None]:
        self.stopping = Deferred()
        return self.stopping

    def getHost(self) -> Any:
        return self.address


@implementer(IReadDescriptor)
class SocketPort(FakePort):
    """
    A port with a socket.

    :ivar waiting: the calls to make for connections in the backlog.
    :ivar closed: whether it is closed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.socket = FakeSocket()
        self.waiting: list[Any] = []
        self.closed = False
        self.reads = 0

    def arrive(self, connect: Any) -> None:
        """Add a connection to the backlog."""
        self.waiting.append(connect)
        self.socket.arriving.append(b"x")

    def fileno(self) -> int:
        return self.socket.fileno()

    def logPrefix(self) -> str:
        return "port"

    def doRead(self) -> None:
        self.reads += 1
        assert self.reads < 100_000, "it accepts for ever"
        if self.waiting:
            self.waiting.pop(0)()
            self.socket.arriving.popleft()

    def connectionLost(self, reason: Failure) -> None:
        self.closed = True


@implementer(IStreamServerEndpoint)
class FakeEndpoint:
    """An endpoint whose listening ends as the test says."""

    def __init__(self, result: FakePort | Exception) -> None:
        self._result = result
        self.factory: IProtocolFactory | None = None

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        self.factory = protocolFactory
        return fail(self._result) if isinstance(self._result, Exception) else succeed(self._result)  # type: ignore[arg-type]
