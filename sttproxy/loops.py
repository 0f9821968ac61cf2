"""
Requests that come back: a target that is this proxy itself, or that leads back to it.

The addresses that are listened on and the target can be compared at the start.  A loop that cannot be seen then, by way
of a load balancer, a mapped port or a second proxy, is seen at its first request: each one leaves with a name of this
process in ``CDN-Loop`` (RFC 8586), and one that arrives with that name has been here before.
"""

from __future__ import annotations

import secrets
import socket
import threading
from ipaddress import IPv4Address, IPv6Address, ip_address

from .errors import Header, LoopDetected
from .http1.heads import RequestHead

Address = IPv4Address | IPv6Address

#: Seconds that the start may wait for a name to be resolved, where its port is one that is listened on.
RESOLVE_S = 0.5
_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


def new_pseudonym() -> bytes:
    """
    A name for this process.

    Each has its own, since two proxies in a row are no loop.  It is random, so that it is part of no other name.
    """
    return b"sttproxy-" + secrets.token_hex(8).encode()


def check(head: RequestHead, pseudonym: bytes) -> None:
    """
    Refuse a request that this process has passed on before.

    :raises LoopDetected: when it has.
    """
    if any(pseudonym in value for value in head.values(b"cdn-loop")):
        raise LoopDetected(
            "The proxy has passed this request on before: its target leads back to it. The target must be the "
            "speech-to-text server itself.",
            headers=((b"x-should-retry", b"false"),),
        )


def mark(head: RequestHead, headers: list[Header], pseudonym: bytes) -> None:
    """
    Add the name to the headers of a request that leaves; others that are named there stay.

    :param head: of the request as it came.
    """
    if b"cdn-loop" not in head.index:
        headers.append((b"CDN-Loop", pseudonym))
        return
    last = max(at for at, (name, _) in enumerate(headers) if name.lower() == b"cdn-loop")
    name, value = headers[last]
    headers[last] = name, b"%b, %b" % (value, pseudonym) if value else pseudonym


def leads_to(host: str, port: int, listening: str, listening_port: int) -> bool:
    """
    Whether it can be seen that connections to a target arrive at an address that is listened on.

    :param host: of the target: a name or an address.
    :param listening: the address; ``0.0.0.0`` and ``::`` are all of this machine's.
    """
    if port != listening_port:
        return False
    here = _plain(listening)
    return any(_arrives(there, here) for there in _addresses(host))


def _arrives(there: Address, here: Address) -> bool:
    if there.is_unspecified:  # systems connect to the loopback address instead
        there = _LOOPBACK[there.version == 6]
    if not here.is_unspecified:
        return there == here
    return (here.version == 6 or there.version == 4) and _is_local(there)


def _is_local(address: Address) -> bool:
    """Whether an address is one of this machine's: what is sent there would come from there.  Nothing is sent."""
    if address.is_loopback:
        return True
    try:
        with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return _plain(probe.getsockname()[0]) == address
    except OSError:
        return False


def _addresses(host: str) -> list[Address]:
    """The addresses of a host; empty where they are not known soon."""
    if host.lower().rstrip(".").split(".")[-1] == "localhost":  # RFC 6761 §6.3
        return list(_LOOPBACK)
    found: list[Address] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host, 0, socket.AF_UNSPEC, socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(_plain(str(answer[4][0])) for answer in answers)

    # A name server that keeps silent holds up neither the start nor the end of the process.
    looking = threading.Thread(target=look_up, name="target resolution", daemon=True)
    looking.start()
    looking.join(RESOLVE_S)
    return found.copy()


def _plain(text: str) -> Address:
    """An address without its scope; an IPv4 one that is mapped into IPv6 is what it stands for."""
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address
