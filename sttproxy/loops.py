"""
Loop detection: finds a target that is this proxy, or that leads back to it.

At startup the target is compared with the listening addresses.  A loop through a load balancer, a mapped port or a
second proxy is not visible then; it is detected at its first request.  Each forwarded request has a name of this
process in ``CDN-Loop`` (RFC 8586), so a received request with that name has already been forwarded.
"""

from __future__ import annotations

import secrets
import socket
import threading
from ipaddress import IPv4Address, IPv6Address, ip_address

from .errors import Header, LoopDetected
from .http1.requests import RequestHead

Address = IPv4Address | IPv6Address

#: Longest wait in seconds for name resolution at startup.  Only a target with a listening port is resolved.
RESOLVE_S = 0.5
_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


def new_pseudonym() -> bytes:
    """
    Make a name for this process.

    Each process has its own name, because two proxies in a chain are not a loop.  The name is random, so that no other
    name contains it.
    """
    return b"sttproxy-" + secrets.token_hex(8).encode()


def check(head: RequestHead, pseudonym: bytes) -> None:
    """
    Reject a request that this process has already forwarded.

    :raises LoopDetected: when CDN-Loop contains the name of this process.
    """
    named = head.values(b"cdn-loop")
    if named and any(pseudonym in value for value in named):
        raise LoopDetected(
            "The proxy has already forwarded this request: its target leads back to the proxy. The target must be the "
            "speech-to-text server itself.",
            headers=((b"x-should-retry", b"false"),),
        )


def mark(head: RequestHead, headers: list[Header], pseudonym: bytes) -> None:
    """
    Add the name of this process to CDN-Loop; keep the names that are already there.

    :param head: the head of the request as received.
    :param headers: the headers of the request to forward; this function changes the list.
    """
    if b"cdn-loop" not in head.index:
        headers.append((b"CDN-Loop", pseudonym))
        return
    last = max(at for at, (name, _) in enumerate(headers) if name.lower() == b"cdn-loop")
    name, value = headers[last]
    headers[last] = name, b"%b, %b" % (value, pseudonym) if value else pseudonym


def leads_to(host: str, port: int, listening: str, listening_port: int) -> bool:
    """
    Whether connections to a target are known to arrive at a listening address.

    :param host: the host of the target: a name or an address.
    :param port: the port of the target.
    :param listening: the listening address; ``0.0.0.0`` and ``::`` are all addresses of this machine.
    """
    if port != listening_port:
        return False
    here = _plain(listening)
    return any(_arrives(there, here) for there in _addresses(host))


def _arrives(there: Address, here: Address) -> bool:
    if there.is_unspecified:  # operating systems then connect to the loopback address
        there = _LOOPBACK[there.version == 6]
    if not here.is_unspecified:
        return there == here
    return (here.version == 6 or there.version == 4) and _is_local(there)


def _is_local(address: Address) -> bool:
    """Whether an address belongs to this machine: it is then its own source address.  Sends nothing."""
    if address.is_loopback:
        return True
    try:
        with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return _plain(probe.getsockname()[0]) == address
    except OSError:
        return False


def _addresses(host: str) -> list[Address]:
    """Resolve a host; the result is empty if that fails or takes longer than `RESOLVE_S`."""
    if host.lower().rstrip(".").split(".")[-1] == "localhost":  # RFC 6761 §6.3
        return list(_LOOPBACK)
    found: list[Address] = []

    def look_up() -> None:
        try:
            results = socket.getaddrinfo(host, 0, socket.AF_UNSPEC, socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(_plain(str(result[4][0])) for result in results)

    # In a daemon thread, so that a name server that does not respond delays neither the start nor the exit.
    resolver = threading.Thread(target=look_up, name="target resolution", daemon=True)
    resolver.start()
    resolver.join(RESOLVE_S)
    return found.copy()


def _plain(text: str) -> Address:
    """Parse an address without its scope; an IPv4-mapped IPv6 address becomes the IPv4 address."""
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
