"""
What a proxy may and must do to headers: which of them stop here, what the forwarded ones say, and what a Content-Type
means.

Headers travel as lists of raw pairs, in their order and their spelling.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

from .errors import Header, UnsupportedBody
from .http1.heads import Head

#: Headers that speak of one connection and stop at its end (RFC 9110 §7.6.1, RFC 9112 §9.6), beside those that
#: Connection names.  Trailer stops because trailers do; Expect, because the proxy answers it.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

#: Connection may not name these: a message cannot be passed on faithfully without them, and a client could otherwise
#: have the proxy take off what the upstream relies on.  RFC 8586 §2 wants CDN-Loop to stay.
_END_TO_END = frozenset({b"host", b"content-length", b"content-type", b"authorization", b"cdn-loop"})

_DESCRIBING = frozenset({b"content-type", b"content-length"})

#: Servers behind CGI-like gateways cannot tell an underscore from a hyphen.
_FORWARDED = frozenset(
    b"x%cforwarded%c%b" % (first, second, told)
    for first in b"-_"
    for second in b"-_"
    for told in (b"for", b"proto", b"host")
) | {b"forwarded"}

#: What the log and --trust-forwarded call a peer at a Unix socket, which has no address.
UNIX: Literal["unix"] = "unix"
#: What they call one whose transport tells no address, and what the upstream is told of both (RFC 7239 §6.2).
UNKNOWN = "unknown"
#: Most hops of X-Forwarded-For that are followed back.
MAX_HOPS = 32
#: An address with a port behind it, as some proxies write it, or an IPv6 one in brackets.
_NODE = re.compile(rb"[ \t]*(?:\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+|([0-9A-Fa-f:.]+))[ \t]*")

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_MEDIA_TYPE = re.compile(rb"(%b/%b)[ \t]*" % (_TOKEN, _TOKEN))
#: An unquoted value may hold more than a token: Java writes boundaries with equals signs.
_BARE_VALUE = rb"[^\x00-\x20\x7f-\xff\",;\\]+"
_QUOTED_VALUE = rb'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~])*)"'
_PARAMETER = re.compile(rb";[ \t]*(?:(%b)=(?:(%b)|%b)[ \t]*)?" % (_TOKEN, _BARE_VALUE, _QUOTED_VALUE))
_KEEP_ALIVE_TIMEOUT = re.compile(rb"(?:^|[,;])[ \t]*(?i:timeout)[ \t]*=[ \t]*([0-9]{1,9})[ \t]*(?:[,;]|$)")
#: RFC 2046 §5.1.1 allows fewer characters, but clients send what they like, and the one that leaves is ours.  A space
#: at the end is taken off by some.
_BOUNDARY = re.compile(rb"[ -~]{0,69}[!-~]")


def end_to_end(head: Head) -> list[Header]:
    """The headers that are passed on, in a list of their own."""
    if not head.has(HOP_BY_HOP):
        return head.headers.copy()
    stop = HOP_BY_HOP.union(head.connection) - _END_TO_END
    return [header for header in head.headers if header[0].lower() not in stop]


def describing(headers: list[Header], content_type: bytes, length: int | None) -> list[Header]:
    """
    The headers of a message that gets another body; each keeps its place and its spelling.

    :param length: of the body, in bytes; None for a chunked one.
    """
    new = {b"content-type": content_type}
    if length is not None:
        new[b"content-length"] = b"%d" % length
    described = []
    for header in headers:
        key = header[0].lower()
        if key in _DESCRIBING:
            if key in new:
                described.append((header[0], new.pop(key)))
        else:
            described.append(header)
    if b"content-length" in new:
        described.append((b"Content-Length", new[b"content-length"]))
    return described


def forwarded(head: Head, headers: list[Header], peer: bytes, proto: bytes, trusted: bool) -> list[Header]:
    """
    The headers with ``X-Forwarded-For``, ``-Proto`` and ``-Host`` written, and ``Forwarded`` (RFC 7239) carried on.

    :param head: of the request as it came; its Host is the one that is told.
    :param headers: those of its headers that are passed on.
    :param peer: the address of the client that the connection came from.
    :param proto: ``b"http"`` or ``b"https"``, as the client spoke.
    :param trusted: whether the peer is a proxy that may tell of clients behind it.  Then its For is added to, and so is
        its Forwarded, and its Proto and Host stand; else the three are replaced and Forwarded is dropped, since anybody
        can write them.
    """
    told: dict[bytes, list[bytes]] = {}
    if head.has(_FORWARDED):
        if trusted:
            for name, value in headers:
                told.setdefault(name.lower(), []).append(value)
        headers = [header for header in headers if header[0].lower() not in _FORWARDED]
    hops = told.get(b"x-forwarded-for", [])
    if not hops or peer != UNKNOWN.encode():
        hops.append(peer)  # a proxy at a Unix socket is no hop that anybody could tell from others
    written = [
        (b"X-Forwarded-For", b", ".join(hops)),
        (b"X-Forwarded-Proto", told.get(b"x-forwarded-proto", (proto,))[0]),
    ]
    hosts = told.get(b"x-forwarded-host") or head.values(b"host")
    if hosts:
        written.append((b"X-Forwarded-Host", hosts[0]))
    if b"forwarded" in told:
        elements = [*told[b"forwarded"], _forwarded_element(peer, proto, head.values(b"host"))]
        written.append((b"Forwarded", b", ".join(elements)))
    return headers + written


def _forwarded_element(peer: bytes, proto: bytes, hosts: Sequence[bytes]) -> bytes:
    """What one proxy tells of a request (RFC 7239 §4); a colon stands only in quotes."""
    element = b"for=%b;proto=%b" % (b'"[%b]"' % peer if b":" in peer else peer, proto)
    return element + b"".join(b';host="%b"' % host for host in hosts)


#: A member of --trust-forwarded.
Trusted = IPv4Network | IPv6Network | Literal["unix"]


class TrustedPeers:
    """The peers whose forwarded headers are believed."""

    def __init__(self, peers: Iterable[Trusted] = ()) -> None:
        """
        :param peers: networks; `UNIX` stands for all peers at Unix sockets.
        """
        trusted = tuple(peers)
        self._unix = UNIX in trusted
        self._networks = tuple(peer for peer in trusted if peer != UNIX)

    def __contains__(self, name: str) -> bool:
        """Whether a peer is one of them; an IPv4 address may come mapped into IPv6."""
        if name == UNIX:
            return self._unix
        address = _address(name) if self._networks else None
        return address is not None and self._cover(address)

    def client(self, peer: str, values: Iterable[bytes]) -> str:
        """
        The client that a request of a trusted peer's comes from: the last hop that is not trusted itself.

        What stands before a hop that is not trusted was written by whom nobody knows, and so was what is no address.

        :param values: of X-Forwarded-For.
        """
        client = peer
        for hop in reversed(b",".join(values).rsplit(b",", MAX_HOPS)):
            node = _NODE.fullmatch(hop)
            address = node and _address(b"".join(filter(None, node.groups())).decode())
            if address is None:
                break
            client = str(address)
            if not self._cover(address):
                break
        return client

    def _cover(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


#: Trusts nobody.
NOBODY = TrustedPeers()


class Peer:
    """
    The other end of a client's connection.

    :ivar name: what the log calls it: its address, or `UNIX`, or `UNKNOWN`.
    :ivar node: what X-Forwarded-For calls it.
    :ivar trusted: whether it is a proxy whose forwarded headers are believed.
    """

    __slots__ = ("_peers", "name", "node", "trusted")

    def __init__(self, name: str, peers: TrustedPeers) -> None:
        """
        :param name: its address, or `UNIX`, or `UNKNOWN`.
        :param peers: those that are trusted.
        """
        self.name = str(_address(name) or name)
        self.node = (UNKNOWN if name == UNIX else name).encode()
        self.trusted = name in peers
        self._peers = peers

    def client(self, head: Head) -> str:
        """What the log calls the client of a request: the peer, or whom it names, if it is trusted."""
        return self._peers.client(self.name, head.values(b"x-forwarded-for")) if self.trusted else self.name


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address, an IPv4 one as itself also where it came mapped into IPv6; None where it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def keep_alive_timeout(values: Sequence[bytes]) -> float | None:
    """
    The seconds after which a server says that it closes an idle connection; None where it does not.

    :param values: of its Keep-Alive lines (RFC 2068 §19.7.1.1, and what servers still send).
    """
    found = _KEEP_ALIVE_TIMEOUT.search(b",".join(values))
    return float(found.group(1)) if found else None


def upgrade_of(head_options: Collection[bytes], upgrades: Sequence[bytes]) -> bytes | None:
    """
    The protocol that a request asks to switch to, if it does (RFC 9110 §7.8).

    HTTP/2 is not taken up this way: clients that know it say so otherwise (RFC 9113 §3.1), and a tunnel would carry
    requests past everything here.

    :param head_options: the lower-cased options of every Connection line.
    :param upgrades: the values of Upgrade.
    """
    if b"upgrade" not in head_options or len(upgrades) != 1:
        return None
    protocols = [protocol.strip(b" \t").lower() for protocol in upgrades[0].split(b",")]
    if b"" in protocols or any(protocol.startswith(b"h2c") for protocol in protocols):
        return None
    return upgrades[0]


def parse_content_type(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """
    Read a Content-Type (RFC 9110 §8.3.1).

    :return: the media type in lower case, and the parameters by lower-cased name, unquoted.
    :raises UnsupportedBody: when it is not well-formed or repeats a parameter: receivers would differ on it.
    """
    media = _MEDIA_TYPE.match(value)
    if media is None:
        raise UnsupportedBody(f"The Content-Type {_shown(value)} is not a media type.")
    parameters: dict[bytes, bytes] = {}
    at = media.end()
    while at < len(value):
        parameter = _PARAMETER.match(value, at)
        if parameter is None:
            raise UnsupportedBody(f"The parameters of the Content-Type {_shown(value)} are not well-formed.")
        at = parameter.end()
        name, token, quoted = parameter.groups()
        if name is None:
            continue  # a lone semicolon; RFC 9110 §5.6.6 has receivers take it
        name = name.lower()
        if name in parameters:
            raise UnsupportedBody(f"The Content-Type has more than one {_shown(name)}.")
        parameters[name] = token if token is not None else re.sub(rb"\\(.)", rb"\1", quoted)
    return media.group(1).lower(), parameters


def boundary_of(parameters: dict[bytes, bytes]) -> bytes:
    """
    The boundary of a multipart form.

    :raises UnsupportedBody: when there is none, when it is too long (RFC 2046 §5.1.1), or when receivers would differ
        on where it ends.
    """
    boundary = parameters.get(b"boundary")
    if boundary is None:
        raise UnsupportedBody("The Content-Type multipart/form-data needs a boundary parameter.")
    if not _BOUNDARY.fullmatch(boundary):
        raise UnsupportedBody(
            f"The boundary {_shown(boundary)} is not allowed: it must have 1 to 70 printable ASCII characters, the "
            "last one not a space."
        )
    return boundary


def _shown(value: bytes) -> str:
    """A value as it may stand in a message: bounded, and readable whatever it holds."""
    text = value[:100].decode("utf-8", "backslashreplace")
    return repr(text + "…" if len(value) > 100 else text)
