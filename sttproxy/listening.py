"""
Where the daemon listens: the endpoints of ``--host`` and ``--port``, of ``--listen`` and of ``--monitor``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from twisted.internet import endpoints
from twisted.internet.interfaces import IStreamServerEndpoint

from .daemon import StartError
from .errors import printable
from .peers import TrustedPeers
from .settings import Settings

#: An endpoint, and its name in messages.
Place = tuple[IStreamServerEndpoint, str]

#: Maximum number of connections that wait to be accepted.  Twisted's default of 50 is too small for a burst of clients.
BACKLOG = 1024


def endpoints_of(reactor: Any, settings: Settings) -> Iterator[Place]:
    """
    The endpoints for clients.

    :raises StartError: when a description is not a valid endpoint.
    """
    if settings.listen:
        yield from _described(reactor, "--listen", settings.listen, settings.socket_mode)
        return
    host = settings.host
    interface = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    quoted = endpoints.quoteStringArgument(interface)
    description = f"tcp:{settings.port}:interface={quoted}:backlog={BACKLOG}"
    name = f"{interface}:{settings.port}"
    yield _endpoint(reactor, "--host", description, name), printable(name)


def monitor_endpoints_of(reactor: Any, settings: Settings) -> Iterator[Place]:
    """
    The endpoints for monitoring.

    :raises StartError: when a description is not a valid endpoint.
    """
    yield from _described(reactor, "--monitor", settings.monitor, settings.socket_mode)


def proxied(reactor: Any, settings: Settings, endpoint: IStreamServerEndpoint) -> IStreamServerEndpoint:
    """An endpoint to listen at, for clients that come through the proxies of --proxy-protocol-from, too."""
    if not settings.proxy_protocol_from:
        return endpoint
    from .inbound.proxied import ProxiedListening

    return ProxiedListening(endpoint, TrustedPeers(settings.proxy_protocol_from), reactor, settings.head_timeout)


def _described(reactor: Any, option: str, descriptions: Sequence[str], mode: int) -> Iterator[Place]:
    """
    The endpoints that an option describes.

    :param mode: of Unix sockets.
    :raises StartError: when a description is not a valid endpoint.
    """
    for description in descriptions:
        yield _endpoint(reactor, option, _with_mode(description, mode), description), printable(description)


def _endpoint(reactor: Any, option: str, description: str, given: str) -> IStreamServerEndpoint:
    """
    The endpoint of a description.

    :param option: gives the description; for messages.
    :param given: the description as the user wrote it, for messages.
    :raises StartError: when the description is not a valid endpoint.
    """
    try:
        endpoint: IStreamServerEndpoint = endpoints.serverFromString(reactor, description)
    except Exception as error:  # endpoint parsers are plugins, which may raise any exception
        absent = description.startswith("systemd:") and isinstance(error, LookupError)
        hint = "systemd passed no socket with this number or name" if absent else str(error)
        raise StartError(f"{option} {given!r} is not an endpoint: {hint}") from None
    return endpoint


def _with_mode(description: str, mode: int) -> str:
    """Add a mode to the description of a Unix socket.  A mode in the description comes later and overrides it."""
    return re.sub(r"\A((?:haproxy:)?unix:)", rf"\g<1>mode={mode:o}:", description)
