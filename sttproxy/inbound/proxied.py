"""
Connections of proxies that name their client in a PROXY header, before anything else, also before TLS.

The header is read below HTTP and TLS.  Then this module is out of the way: the transport calls what is above directly.
"""

from __future__ import annotations

from typing import Any, cast

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    ILoggingContext,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..deadline import Deadline
from ..peers import TrustedPeers
from ..proxyheader import BadHeader, ProxyHeader, parse_header
from .addresses import name_of

log = Logger()


@implementer(IAddress)
@attrs.frozen
class NoAddress:
    """The address of a client that its proxy does not name."""


class HeaderReader(Protocol):
    """
    Reads the header of one connection, and hands the connection over.

    The protocol above is there from the beginning, so that the connection counts as one, and is drained as one.
    """

    transport: Any

    def __init__(self, above: IProtocol, clock: IReactorTime, limit_s: float) -> None:
        """
        :param above: the protocol that gets what follows the header.
        :param limit_s: seconds that the header may take.
        """
        self._above = above
        self._deadline = Deadline(clock, self._expired)
        self._limit_s = limit_s
        self._buffer = b""
        self._refused = False

    def connectionMade(self) -> None:
        self._deadline.set(self._limit_s)
        self._above.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        if self._refused:
            return
        self._buffer += data
        try:
            header = parse_header(self._buffer)
        except BadHeader as error:
            self._refuse(str(error))
            return
        if header is None:
            return
        self._deadline.cancel()
        rest, self._buffer = self._buffer[header.length :], b""
        self._adopt(header)
        self.transport.protocol = self._above
        if rest:
            self._above.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._deadline.cancel()
        self._above.connectionLost(reason)

    def _adopt(self, header: ProxyHeader) -> None:
        """Let the transport, and those above it, name the client as their peer."""
        if header.local:
            return
        address: IAddress = NoAddress()
        if header.client is not None:
            host, port = header.client
            address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)
        # An attribute of the instance, which hides the method: a transport around it would cost a call for each read
        # and each write.
        self.transport.getPeer = lambda: address

    def _expired(self) -> None:
        self._refuse("it did not come in time")

    def _refuse(self, why: str) -> None:
        self._refused = True
        self._deadline.cancel()
        log.warn("A connection of {peer} was closed, which needs a PROXY header: {why}.", peer=self._peer(), why=why)
        self.transport.abortConnection()

    def _peer(self) -> str:
        return name_of(self.transport.getPeer())


@implementer(ILoggingContext)
class ProxiedFactory(ServerFactory):
    """Makes the connections of some peers begin with a PROXY header; the others go straight to what is above."""

    noisy = False

    def __init__(self, above: IProtocolFactory, proxies: TrustedPeers, clock: IReactorTime, limit_s: float) -> None:
        """
        :param proxies: the peers that send the header, on each connection.
        :param limit_s: seconds that the header may take.
        """
        self._above = above
        self._proxies = proxies
        self._clock = clock
        self._limit_s = limit_s

    def logPrefix(self) -> str:
        above = self._above
        prefix = above.logPrefix() if ILoggingContext.providedBy(above) else type(above).__name__
        return f"{prefix} (PROXY)"

    def doStart(self) -> None:
        self._above.doStart()

    def doStop(self) -> None:
        self._above.doStop()

    def buildProtocol(self, addr: IAddress) -> Protocol | None:  # type: ignore[override]  # the stock one needs an address of its own
        above: Any = self._above.buildProtocol(addr)
        if above is not None and name_of(addr) in self._proxies:
            above = HeaderReader(above, self._clock, self._limit_s)
        return cast("Protocol | None", above)


@implementer(IStreamServerEndpoint)
@attrs.frozen
class ProxiedListening:
    """An endpoint that listens at another one, for clients some of which come through a proxy."""

    endpoint: IStreamServerEndpoint
    proxies: TrustedPeers
    clock: IReactorTime
    limit_s: float

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        return self.endpoint.listen(ProxiedFactory(factory, self.proxies, self.clock, self.limit_s))
