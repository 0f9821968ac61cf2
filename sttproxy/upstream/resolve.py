"""
The resolver of the upstream's name: one look-up for all connections.

Twisted's resolver starts a look-up in the reactor's thread pool for each connection.  A name server that does not
respond fills the pool, delays everything else that needs a thread, and delays the end of the process too.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import implementer

#: Seconds for which a result is used without a new look-up.
FRESH_S = 5.0
#: Seconds for which it is used during a new look-up.
STALE_S = 60.0

_FAMILIES: dict[int, type[IPv4Address | IPv6Address]] = {socket.AF_INET: IPv4Address, socket.AF_INET6: IPv6Address}

#: The signature of ``socket.getaddrinfo``.
LookUp = Callable[..., Sequence[tuple[Any, Any, Any, Any, Any]]]


@implementer(IHostnameResolver, IHostResolution)
class NameResolver:
    """
    Resolves one name, and ignores the name that the endpoint asks for: Twisted's endpoints reject names with
    underscores, which Docker Compose makes, so they get a different name.

    :ivar name: the name that is resolved.
    :ivar trouble: why the last look-up failed; empty if it succeeded, or before the first one.
    """

    def __init__(self, reactor: Any, name: str, look_up: LookUp = socket.getaddrinfo) -> None:
        self.name = name
        self.trouble = ""
        self._reactor = reactor
        self._look_up = look_up
        self._waiting: list[tuple[IResolutionReceiver, int]] = []
        self._asking = False
        self._literal = _literal(name)
        self._known: list[tuple[Any, ...]] = []
        self._known_since = 0.0

    @property
    def waiting(self) -> bool:
        """Whether a connection waits for the name server."""
        return bool(self._waiting)

    def forget(self) -> None:
        """Drop the known addresses: the server may have moved."""
        self._known = []

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Give a receiver the addresses for TCP: at once if they are known, otherwise after a look-up."""
        resolutionReceiver.resolutionBegan(self)
        if self._literal:
            _tell(resolutionReceiver, portNumber, self._literal)
            return self
        age_s = self._reactor.seconds() - self._known_since
        if self._known and age_s < STALE_S:
            _tell(resolutionReceiver, portNumber, self._known)
        else:
            self._waiting.append((resolutionReceiver, portNumber))
        if not self._asking and (self._waiting or age_s >= FRESH_S):
            self._asking = True
            # A daemon thread: the process does not wait for it when it ends.
            threading.Thread(target=self._ask, name="name resolution", daemon=True).start()
        return self

    def cancel(self) -> None:
        """Does nothing: other connections may wait for the same look-up."""

    def _ask(self) -> None:
        """Look the name up; runs in a thread."""
        try:
            found = self._look_up(self.name, 0, socket.AF_UNSPEC, socket.SOCK_STREAM)
            known, trouble = [(family, *address) for family, _, _, _, address in found if family in _FAMILIES], ""
        except (OSError, UnicodeError) as error:
            known, trouble = [], getattr(error, "strerror", None) or str(error)
        self._reactor.callFromThread(self._answered, known, trouble)

    def _answered(self, known: list[tuple[Any, ...]], trouble: str) -> None:
        self._asking = False
        self.trouble = trouble
        if known:
            self._known, self._known_since = known, self._reactor.seconds()
        waiting, self._waiting = self._waiting, []
        for receiver, port in waiting:
            _tell(receiver, port, known)


@implementer(IReactorPluggableNameResolver)
class Resolving:
    """A reactor with a resolver of its own, for one endpoint."""

    def __init__(self, reactor: Any, resolver: IHostnameResolver) -> None:
        self._reactor = reactor
        self.nameResolver = resolver

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """Replace the resolver; return the previous one."""
        before, self.nameResolver = self.nameResolver, resolver
        return before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


def _literal(name: str) -> list[tuple[Any, ...]]:
    """The addresses for a name that is an IP address itself; otherwise an empty list."""
    try:
        version = ip_address(name).version
    except ValueError:
        return []
    return [(socket.AF_INET if version == 4 else socket.AF_INET6, name, 0)]


def _tell(receiver: IResolutionReceiver, port: int, known: list[tuple[Any, ...]]) -> None:
    for family, host, _, *scope in known:
        receiver.addressResolved(_FAMILIES[family]("TCP", host, port, *scope))
    receiver.resolutionComplete()
