"""
The sockets that this process listens at: its own, and those that another process gave it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python import log as lines
from twisted.python.failure import Failure

#: The first descriptor behind the standard streams; systemd passes its sockets from here on.
FIRST_FD = 3


class InheritedUnix(unix.Port):
    """
    A Unix socket that another process has bound.

    Twisted's port would change its permissions, and remove its path when it is closed.
    """

    def startListening(self) -> None:
        inherited: Any = self._preexistingSocket
        lines.msg(f"{self._getLogPrefix(self.factory)} starting on {os.fsdecode(inherited.getsockname())!r}")
        factory: Any = self.factory
        factory.doStart()
        self._shouldShutdown = False  # it would end the listening of the other process, too
        self._preexistingSocket = None
        self.socket = inherited
        self.fileno = inherited.fileno  # type: ignore[method-assign]  # as Twisted does
        self.connected = True
        self.numberAccepts = 100
        self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        tcp.Port.connectionLost(self, reason)


class _Fair:
    """
    Accepts one connection in each iteration of the reactor, so that busy processes leave connections to idle ones.
    """

    @property
    def numberAccepts(self) -> int:
        return 1

    @numberAccepts.setter
    def numberAccepts(self, _: int) -> None:
        """Twisted adapts the number to the connections that were waiting."""


class FairTCP(_Fair, tcp.Port):
    """A port that other processes accept connections from, too."""


class FairUnix(_Fair, InheritedUnix):
    """The same for a Unix socket."""


class Sockets:
    """
    A reactor for server endpoints.  It listens with a socket that was given, if there is one for the address, and
    remembers all sockets.

    Everything else is done by the real reactor.

    :ivar handed_over: whether another process listens at the sockets from now on.
    """

    def __init__(self, reactor: Any, given: Mapping[str, int] | None = None, *, shared: bool = False) -> None:
        """
        :param given: descriptors of listening sockets, by the names that `descriptors` gave them.
        :param shared: whether other processes accept connections from them at the same time.
        """
        self._shared = shared
        self._reactor = reactor
        self._given = dict(given or {})
        self._ports: dict[str, Any] = {}
        self._inherited_paths: list[str] = []
        self.handed_over = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def descriptors(self) -> dict[str, int]:
        """The descriptors of all sockets, by name.  A socket of systemd's has the name ``systemd:`` and its number."""
        return {name: port.fileno() for name, port in self._ports.items()}

    def close_unused(self) -> None:
        """Close the sockets that were given, and that no endpoint has asked for."""
        for number in self._given.values():
            os.close(number)
        self._given.clear()

    def close(self) -> None:
        """Close all sockets, although they were handed over."""
        self.handed_over = False
        for port in self._ports.values():
            if port.connected:
                port.connectionLost(Failure(ConnectionDone()))

    def unlink(self) -> None:
        """
        Remove the paths of Unix sockets that another process has bound, as Twisted does with those of this one.

        Does nothing when they were handed over.
        """
        for path in self._inherited_paths if not self.handed_over else ():
            for each in (path, f"{path}.lock"):
                with suppress(OSError):
                    os.unlink(each)

    # IReactorTCP, IReactorSSL, IReactorUNIX and IReactorSocket, as endpoints call them.

    def listenTCP(self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = "") -> IListeningPort:
        name = f"tcp:{interface}:{port}"
        number = self._given.pop(name, None)
        if number is None:
            return self._listening(name, self._reactor.listenTCP(port, factory, backlog, interface))
        with socket.socket(fileno=number) as inherited:
            kind = FairTCP if self._shared else tcp.Port
            adopted = kind._fromListeningDescriptor(self._reactor, number, inherited.family, factory)
        adopted.startListening()
        return self._listening(name, adopted)

    def listenSSL(
        self, port: int, factory: IProtocolFactory, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        from twisted.protocols.tls import TLSMemoryBIOFactory

        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory), backlog, interface)

    def listenUNIX(
        self, address: str, factory: IProtocolFactory, backlog: int = 50, mode: int = 0o666, wantPID: bool = False
    ) -> IListeningPort:
        name = f"unix:{os.fsdecode(address)}"
        number = self._given.pop(name, None)
        if number is None:
            return self._listening(name, self._reactor.listenUNIX(address, factory, backlog, mode, wantPID))
        kind = FairUnix if self._shared else InheritedUnix
        port = kind._fromListeningDescriptor(self._reactor, number, factory)
        os.close(number)
        port.startListening()
        self._inherited_paths.append(os.path.abspath(os.fsdecode(address)))
        return self._listening(name, port)

    def adoptStreamPort(self, fileno: int, family: int, factory: IProtocolFactory) -> IListeningPort:
        if self._shared:
            shared = FairTCP._fromListeningDescriptor(self._reactor, fileno, family, factory)
            shared.startListening()
            return self._listening(f"systemd:{fileno}", shared)
        return self._listening(f"systemd:{fileno}", self._reactor.adoptStreamPort(fileno, family, factory))

    def _listening(self, name: str, port: IListeningPort) -> IListeningPort:
        self._ports[name] = port
        return port


class HeldSockets(Sockets):
    """Sockets that this process keeps open for others, and does not accept connections from."""

    def _listening(self, name: str, port: Any) -> IListeningPort:
        port.stopReading()
        port._shouldShutdown = False  # it would end the listening of the other processes, too
        return super()._listening(name, port)


def layout(sockets: Mapping[str, int], others: Mapping[str, int]) -> tuple[dict[int, int], dict[str, int]]:
    """
    Where descriptors are in a new process.  A socket of systemd's keeps its number.

    :param sockets: descriptors of this process, by name, as `Sockets.descriptors` returns them.
    :param others: further ones.
    :return: descriptors of this process by those of the new one; those of the new one by name, without systemd's.
    """
    placed = {int(name.partition(":")[2]): number for name, number in sockets.items() if name.startswith("systemd:")}
    free = max([FIRST_FD - 1, *placed]) + 1
    names = {}
    for name, number in [*sockets.items(), *others.items()]:
        if not name.startswith("systemd:"):
            names[name] = free
            placed[free] = number
            free += 1
    return placed, names
