"""
Creates what leads to the servers: for each one its dialer, its pool and its target.
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.interfaces import IStreamClientEndpoint

from . import loops, security
from .monitor.server import Server
from .resources.forwarding import Target, Targets
from .settings import Settings
from .upstream.agent import UpstreamAgent
from .upstream.client import Upstream
from .upstream.dial import Dialer, PriorKnowledge, tcp_endpoint
from .upstream.failover import Failover
from .upstream.pool import Pool, PoolLimits
from .values import Destination
from .writer import FlushScheduler


@attrs.frozen
class Backend:
    """
    The pool, the dialer and the target for one server.

    :ivar name: names the server in messages.
    :ivar path: precedes the path of each request.
    """

    name: str
    path: str
    dialer: Dialer
    pool: Pool
    target: Target


@attrs.frozen
class Backends:
    """
    All servers, in the order of preference.

    :ivar failover: chooses the server of a request.
    """

    servers: tuple[Backend, ...]
    failover: Failover[Target]

    @property
    def name(self) -> str:
        """Names all servers in messages."""
        return ", or else ".join(server.name + server.path for server in self.servers)

    @property
    def targets(self) -> Targets:
        """The servers as Resources know them."""
        prefixes = tuple(dict.fromkeys(server.target.prefix for server in self.servers))
        return Targets(self.failover.candidates, prefixes, self.servers[0].target.pseudonym)

    def snapshot(self, now: float) -> dict[str, Any]:
        """
        What the statistics show, ready for JSON.

        :param now: in the clock's seconds.
        """
        servers = [
            {**shown, "connections": server.pool.numbers(), **server.target.server.numbers(now)}
            for shown, server in zip(self.failover.snapshot(), self.servers, strict=True)
        ]
        return {"upstream": self.failover.current, "servers": servers}


def backends_of(
    reactor: Any,
    settings: Settings,
    scheduler: FlushScheduler,
    engine: IStreamClientEndpoint | None,
    key: security.TargetKey | None = None,
    pseudonym: bytes = b"",
) -> Backends:
    """
    The servers and the objects that connect to them.

    :param engine: the endpoint of the embedded engine; None if there is a server.
    :param key: the API key for the servers.
    :param pseudonym: by which requests are recognized that have passed before; empty: a new one.
    :raises StartError: when a certificate for a server cannot be used.
    """
    pseudonym = pseudonym or loops.new_pseudonym()
    servers = tuple(
        _backend(reactor, settings, where, scheduler, engine, pseudonym, key) for where in settings.destinations
    )
    return Backends(servers, Failover(reactor, [(server.dialer, server.target) for server in servers]))


def _backend(
    reactor: Any,
    settings: Settings,
    where: Destination,
    scheduler: FlushScheduler,
    engine: IStreamClientEndpoint | None,
    pseudonym: bytes,
    key: security.TargetKey | None,
) -> Backend:
    """One server."""
    if engine is not None:
        name, endpoint, resolver = "the embedded engine", engine, None
    else:
        name = where.name
        endpoint, resolver = tcp_endpoint(reactor, where.host, where.port, settings.connect_timeout)
        if where.secure:
            endpoint = security.secured(reactor, settings, where.host, endpoint)
        elif where.http2:
            endpoint = PriorKnowledge(endpoint)
    dialer = Dialer(reactor, endpoint, name, settings.connect_timeout, settings.connect_retry, resolver)
    limits = PoolLimits(
        size=settings.pool_size,
        idle_s=settings.pool_idle,
        total=settings.max_connections,
        wait_s=settings.pool_wait,
        send_s=settings.send_timeout,
    )
    pool = Pool(reactor, dialer.connect, limits, scheduler)
    wanted = settings.target_host_header or ("target" if where.secure else "client")
    target = Target(
        Upstream(UpstreamAgent(pool), reactor, f"{where.scheme}://{where.name}"),
        Server(name),
        where.prefix.encode(),
        (where.name if wanted == "client" else where.authority if wanted == "target" else wanted).encode(),
        settings.answer_timeout,
        pseudonym,
        replaces_host=wanted != "client",
        sends_forwarded=settings.forwarded,
        authorization=None if key is None else lambda: key.authorization,
    )
    return Backend(name, where.prefix, dialer, pool, target)
