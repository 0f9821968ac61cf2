"""
The headers that tell the server about the client: ``X-Forwarded-For``, ``-Proto`` and ``-Host``, and ``Forwarded``.

All that are sent agree with each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from .errors import Header
from .http1.heads import Head
from .peers import UNKNOWN, Belief, Peer, Told, address_in, elements_of

#: The headers, also with underscores: servers behind CGI-like gateways cannot tell them from hyphens.
FORWARDED = frozenset(
    b"x%cforwarded%c%b" % (first, second, suffix)
    for first in b"-_"
    for second in b"-_"
    for suffix in (b"for", b"proto", b"host")
) | {b"forwarded"}

_UNKNOWN = UNKNOWN.encode()
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@attrs.frozen
class _Chain:
    """
    The way of a request to the peer, as far as the peer is believed.

    :ivar hops: for X-Forwarded-For.
    :ivar elements: the same for Forwarded.
    :ivar proto: the protocol of the client.
    :ivar host: the one that the client has asked for, if it is known.
    """

    hops: list[bytes]
    elements: list[bytes]
    proto: bytes
    host: bytes | None


def forwarded(head: Head, headers: list[Header], peer: Peer, proto: bytes, always: bool = False) -> list[Header]:
    """
    Replace the headers that tell about the client.

    :param head: the head of the request as received; it has the Host.
    :param headers: the headers of the request that the proxy forwards.
    :param peer: the client side of the connection.  What it tells of its own client is kept and extended if it is a
        trusted proxy, and dropped if not, because any client can send these headers.
    :param proto: the protocol of the connection: ``b"http"`` or ``b"https"``.
    :param always: whether to send Forwarded (RFC 7239), too.  If not, it is sent only if a trusted proxy did so.
    """
    asked = _first(head.values(b"host"))
    told = head.has(FORWARDED)
    if not told and not always:  # the way of nearly all requests
        written = [(b"X-Forwarded-For", peer.node), (b"X-Forwarded-Proto", proto)]
        if asked is not None:
            written.append((b"X-Forwarded-Host", asked))
        return headers + written
    chain = _Chain([], [], proto, asked)
    if told:
        headers = [header for header in headers if header[0].lower() not in FORWARDED]
        if peer.trusted:
            always = always or b"forwarded" in head.index
            chain = _told(head, peer.belief(head), chain)
    hops, elements = chain.hops, chain.elements
    if not hops or peer.node != _UNKNOWN:  # a proxy without an address adds no information to the lists
        own = (proto, asked) if hops else (chain.proto, chain.host)
        hops, elements = [*hops, peer.node], [*elements, _element(peer.node, *own)]
    written = [(b"X-Forwarded-For", b", ".join(hops)), (b"X-Forwarded-Proto", chain.proto)]
    if chain.host is not None:
        written.append((b"X-Forwarded-Host", chain.host))
    if always:
        written.append((b"Forwarded", b", ".join(elements)))
    return headers + written


def _told(head: Head, belief: Belief, direct: _Chain) -> _Chain:
    """
    The way that a trusted peer tells.

    :param belief: what is believed of it.
    :param direct: the way if it tells nothing.
    """
    if belief.told is Told.NEITHER:
        return attrs.evolve(direct, hops=[_UNKNOWN], elements=[_element(_UNKNOWN)])
    if belief.told is Told.FORWARDED:
        values = head.index[b"forwarded"]
        told = elements_of(values) or []
        nodes = [_node(element.get(b"for", b"")) for element in told]
        client = told[-belief.hops] if belief.hops else {}
        proto, host = client.get(b"proto", direct.proto), client.get(b"host", direct.host)
        return _Chain(nodes, [b", ".join(values)] if nodes else [], proto, host)
    proto = _first(head.values(b"x-forwarded-proto")) or direct.proto
    host = _first(head.values(b"x-forwarded-host")) or direct.host
    lines = head.values(b"x-forwarded-for")
    hops = [hop.strip(b" \t") for hop in b",".join(lines).split(b",")] if lines else []
    nodes = [_node(hop) for hop in hops]
    at = len(nodes) - max(belief.hops, 1)
    elements = [_element(node, proto, host) if number == at else _element(node) for number, node in enumerate(nodes)]
    return _Chain([b", ".join(lines)] if lines else [], elements, proto, host)


def _first(values: Sequence[bytes]) -> bytes | None:
    return values[0] if values else None


def _node(hop: bytes) -> bytes:
    """The address of a hop; `UNKNOWN` if it has none."""
    return str(address_in(hop) or UNKNOWN).encode()


def _element(node: bytes, proto: bytes = b"", host: bytes | None = None) -> bytes:
    """An element of Forwarded (RFC 7239 §4)."""
    element = b"for=" + (b'"[%b]"' % node if b":" in node else node)
    if proto:
        element += b";proto=" + (proto if _TOKEN.fullmatch(proto) else _quoted(proto))
    return element if host is None else element + b";host=" + _quoted(host)


def _quoted(value: bytes) -> bytes:
    return b'"%b"' % re.sub(rb'(["\\])', rb"\\\1", value)
