"""
The addresses of the two ends of a connection.
"""

from __future__ import annotations

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress

from ..peers import UNIX, UNKNOWN, Peer, TrustedPeers
from ..transport import IStreamTransport


class Addresses:
    """
    The addresses of both ends, cached: each request needs them, and a transport makes new objects for each call.

    They are valid once a request has come: a PROXY header, the first bytes of a connection, may name another peer.
    """

    def __init__(self, transport: IStreamTransport, trusted: TrustedPeers) -> None:
        self._transport = transport
        self._trusted = trusted
        self._here: IAddress | None = None
        self._there: IAddress | None = None
        self._peer: Peer | None = None

    @property
    def here(self) -> IAddress:
        """The address of this end."""
        if self._here is None:
            self._here = self._transport.getHost()
        return self._here

    @property
    def there(self) -> IAddress:
        """The address of the other end."""
        if self._there is None:
            self._there = self._transport.getPeer()
        return self._there

    @property
    def peer(self) -> Peer:
        """The client, as log lines and forwarded headers name it."""
        if self._peer is None:
            self._peer = Peer(name_of(self.there), self._trusted)
        return self._peer


def name_of(address: IAddress) -> str:
    """The name of a peer: its address, `UNIX` or `UNKNOWN`."""
    return UNIX if isinstance(address, UNIXAddress) else getattr(address, "host", UNKNOWN)
