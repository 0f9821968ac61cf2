"""
The choices of ``$choose``: conditions on a request's head and its client, and the profile that they choose.

All of it is known before the body arrives, so a choice never delays the upload.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network

import attrs

from ..peers import UNIX, Trusted, address_of


@attrs.frozen
class Asked:
    """
    What the conditions are about.  What costs time is a function, and is called only if a condition needs it.

    :ivar values: returns the values of a header by its lower-cased name.
    :ivar client: returns the client as the log names it: an address, ``unix`` or ``unknown``.
    :ivar path: returns the path that the server routes, from `routes.canonical`.
    :ivar key: returns the SHA-256 of the API key in lower-case hexadecimal digits; empty if there is no key.
    """

    values: Callable[[bytes], Sequence[bytes]]
    client: Callable[[], str]
    path: Callable[[], bytes]
    key: Callable[[], str]


@attrs.frozen
class HeaderPattern:
    """
    A condition on a header: one of its values equals a text, in which ``*`` stands for any characters.

    :ivar name: the header's name as the file spells it.
    :ivar text: the text.  Case does not matter.
    """

    name: str
    text: str
    _pieces: list[str] = attrs.field(init=False, eq=False, repr=False)
    _key: bytes = attrs.field(init=False, eq=False, repr=False)

    @_pieces.default
    def _split(self) -> list[str]:
        return self.text.casefold().split("*")

    @_key.default
    def _lowered(self) -> bytes:
        return self.name.lower().encode()

    def fits(self, asked: Asked) -> bool:
        """Whether one of the header's values matches."""
        return any(self._matches(value.decode("utf-8", "replace")) for value in asked.values(self._key))

    def covers(self, other: HeaderPattern) -> bool:
        """Whether all values that match the other pattern match this one."""
        # A value holds no NUL, so only a star of this pattern matches what stands for the other's star.
        return self.name.lower() == other.name.lower() and self._matches(other.text.replace("*", "\0"))

    def _matches(self, value: str) -> bool:
        value = value.casefold()
        pieces = self._pieces
        first, last = pieces[0], pieces[-1]
        if len(pieces) == 1:
            return value == first
        if not value.startswith(first) or not value.endswith(last):
            return False
        at, end = len(first), len(value) - len(last)
        if at > end:
            return False
        for piece in pieces[1:-1]:
            at = value.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True


@attrs.frozen
class Choice:
    """
    One entry of ``$choose``.  All its conditions must hold.

    :ivar profile: the profile; empty for none.
    :ivar headers: the conditions on headers.
    :ivar network: contains the client's address; `UNIX` for clients on Unix sockets; None for any client.
    :ivar path: the path ends in it, without the version; empty for any path.
    :ivar key: the SHA-256 of the API key in lower-case hexadecimal digits; empty for any key and for none.
    """

    profile: str
    headers: tuple[HeaderPattern, ...] = ()
    network: Trusted | None = None
    path: str = ""
    key: str = ""

    def fits(self, asked: Asked) -> bool:
        """Whether all conditions hold."""
        for pattern in self.headers:
            if not pattern.fits(asked):
                return False
        if self.network is not None and not _holds(self.network, asked.client()):
            return False
        if self.path and not asked.path().endswith(self.path.encode()):
            return False
        return not self.key or asked.key() == self.key

    def covers(self, other: Choice) -> bool:
        """Whether all requests that fit the other choice fit this one."""
        return (
            all(any(mine.covers(pattern) for pattern in other.headers) for mine in self.headers)
            and other.path.endswith(self.path)
            and (self.network is None or _includes(self.network, other.network))
            and self.key in ("", other.key)
        )

    def __str__(self) -> str:
        """The conditions, for messages."""
        told = [f"header {pattern.name}: {pattern.text}" for pattern in self.headers]
        told += [f"address {_shown(self.network)}"] if self.network else []
        told += [f"path {self.path}"] if self.path else []
        told += [f"key sha256:{self.key[:8]}…"] if self.key else []
        return ", ".join(told)


def _holds(network: Trusted, client: str) -> bool:
    """Whether a client is in a network."""
    if network == UNIX:
        return client == UNIX
    address = _address_often(client)
    return address is not None and address in network


#: Clients repeat, and the log's names for them are short.
_address_often = functools.lru_cache(maxsize=256)(address_of)


def _includes(network: Trusted, other: Trusted | None) -> bool:
    """Whether a network has all addresses of another one."""
    if isinstance(network, IPv4Network) and isinstance(other, IPv4Network):
        return other.subnet_of(network)
    if isinstance(network, IPv6Network) and isinstance(other, IPv6Network):
        return other.subnet_of(network)
    return network == other


def _shown(network: Trusted) -> str:
    """A network; a single address without the length of its prefix."""
    if isinstance(network, str) or network.prefixlen < network.max_prefixlen:
        return str(network)
    return str(network.network_address)
