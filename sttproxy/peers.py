"""
The peers of client connections: how they are named, which of them are trusted, and which client they speak for.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

import attrs

from .http1.heads import Head

#: Stands for a peer on a Unix socket, which has no address, in the log, in --trust-forwarded and in --monitor-from.
UNIX: Literal["unix"] = "unix"
#: Stands for a peer with an unknown address in the log, and for any peer without an address in the forwarded headers
#: (RFC 7239 §6.2).
UNKNOWN = "unknown"
#: Most hops of X-Forwarded-For that are evaluated.
MAX_HOPS = 32
_PORT = rb"(?:[0-9]+|_[0-9A-Za-z._-]+)"
#: A hop: an address, optionally followed by a port, as some proxies write it; an IPv6 address may be in brackets.
_NODE = re.compile(rb"[ \t]*(?:\[([0-9A-Fa-f:.]+)\](?::%b)?|([0-9.]+):%b|([0-9A-Fa-f:.]+))[ \t]*" % (_PORT, _PORT))

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
#: A parameter of Forwarded (RFC 7239 §4).  Some proxies do not quote a value with a colon or brackets.
_BARE = rb"[^\x00-\x20\x7f-\xff\",;=\\]+"
_QUOTED = rb'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~])*)"'
_PARAMETER = re.compile(rb"(%b)=(?:(%b)|%b)" % (_TOKEN, _BARE, _QUOTED))
_SEPARATOR = re.compile(rb"[ \t]*(?:([;,])[ \t]*|\Z)")

#: A value of --trust-forwarded, of --monitor-from, or of --proxy-protocol-from.
Trusted = IPv4Network | IPv6Network | Literal["unix"]


class TrustedPeers:
    """Peers that the proxy trusts: in what they say of their clients, or to see its pages."""

    def __init__(self, peers: Iterable[Trusted] = ()) -> None:
        """
        :param peers: networks; `UNIX` stands for all peers on Unix sockets.
        """
        trusted = tuple(peers)
        self._unix = UNIX in trusted
        self._networks = tuple(peer for peer in trusted if peer != UNIX)

    def __contains__(self, name: str) -> bool:
        """Whether a peer is trusted.  An IPv4-mapped IPv6 address counts as the IPv4 address."""
        if name == UNIX:
            return self._unix
        address = address_of(name) if self._networks else None
        return address is not None and self.cover(address)

    def cover(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether an address is in one of the networks."""
        return any(address in network for network in self._networks)


#: Trusts no peer.
NOBODY = TrustedPeers()


class Told(enum.Enum):
    """Which headers tell the client of a request from a trusted peer."""

    X_FORWARDED = "X-Forwarded-For, or none"
    FORWARDED = "Forwarded"
    NEITHER = "Forwarded is malformed or contradicts X-Forwarded-For, so a client has written one of them"


@attrs.frozen
class Belief:
    """
    What is believed of the client of a request.

    :ivar client: its name in the log.
    :ivar hops: the peer and the trusted proxies before it; 0: the peer is the client, 1: the client of the peer is, …
    """

    told: Told
    client: str
    hops: int


class Peer:
    """
    The remote side of a client connection.

    :ivar name: its name in the log: its address, `UNIX` or `UNKNOWN`.
    :ivar node: its name in X-Forwarded-For.
    :ivar trusted: whether it is a proxy whose forwarded headers are trusted.
    """

    __slots__ = ("_peers", "name", "node", "trusted")

    def __init__(self, name: str, peers: TrustedPeers) -> None:
        """
        :param name: its address, `UNIX` or `UNKNOWN`.
        :param peers: the trusted peers.
        """
        self.name = str(address_of(name) or name)
        self.node = (UNKNOWN if name == UNIX else name).encode()
        self.trusted = name in peers
        self._peers = peers

    def client(self, head: Head) -> str:
        """The client of a request, for the log: the peer, or the client that a trusted peer names."""
        return self.belief(head).client if self.trusted else self.name

    def belief(self, head: Head) -> Belief:
        """
        What is believed of the client of a request, if this peer is trusted.

        A proxy that writes one of X-Forwarded-For and Forwarded may pass the other one as the client has written it.
        So two that name different clients tell nothing.
        """
        hops = head.values(b"x-forwarded-for")
        named = self._by_hops(b",".join(hops).rsplit(b",", MAX_HOPS))
        if b"forwarded" not in head.index:
            return named
        elements = elements_of(head.index[b"forwarded"])
        if elements is None:
            return Belief(Told.NEITHER, UNKNOWN, 0)
        told = self._by_elements(elements)
        if not hops:
            return told
        return named if named.client == told.client else Belief(Told.NEITHER, UNKNOWN, 0)

    def _by_hops(self, hops: Sequence[bytes]) -> Belief:
        """
        The last hop of X-Forwarded-For that is not trusted.

        A hop before an untrusted one is ignored, because any client can write it.  For the same reason the search stops
        at a hop that is not an address.
        """
        client, number = self.name, 0
        for hop in reversed(hops):
            address = address_in(hop)
            if address is None:
                break
            client, number = str(address), number + 1
            if not self._peers.cover(address):
                break
        return Belief(Told.X_FORWARDED, client, number)

    def _by_elements(self, elements: Sequence[Element]) -> Belief:
        """The same for Forwarded, where a proxy may say that it does not tell its client (RFC 7239 §6.2, §6.3)."""
        client, number = self.name, 0
        for element in reversed(elements[-MAX_HOPS:]):
            address = address_in(element.get(b"for", b""))
            client, number = (UNKNOWN if address is None else str(address)), number + 1
            if address is None or not self._peers.cover(address):
                break
        return Belief(Told.FORWARDED, client, number)


#: An element of Forwarded: its parameters, by their names in lower case.
Element = dict[bytes, bytes]


def elements_of(values: Iterable[bytes]) -> list[Element] | None:
    """
    The elements of Forwarded, in order; None if they are malformed (RFC 7239 §4).

    :param values: of the fields.  A quoted string must end in the field in which it begins, because each proxy may
        add a field of its own.
    """
    elements = []
    for value in values:
        element: Element = {}
        at = 0
        while at < len(value):
            parameter = _PARAMETER.match(value, at)
            if parameter is not None:
                name, bare, quoted = parameter.groups()
                if name.lower() in element:
                    return None
                element[name.lower()] = bare if bare is not None else re.sub(rb"\\(.)", rb"\1", quoted)
                at = parameter.end()
            separator = _SEPARATOR.match(value, at)
            if separator is None:
                return None
            at = separator.end()
            if separator[1] != b";" and element:
                elements.append(element)
                element = {}
        if element:
            elements.append(element)
    return elements


def address_in(node: bytes) -> IPv4Address | IPv6Address | None:
    """The address of a hop of X-Forwarded-For or of a node of Forwarded, without its port; None if it has none."""
    found = _NODE.fullmatch(node)
    return found and address_of(b"".join(filter(None, found.groups())).decode())


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address; None if it is invalid.  An IPv4-mapped IPv6 address becomes the IPv4 address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
