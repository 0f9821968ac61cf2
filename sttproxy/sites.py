"""
Creates what clients reach from the settings: limits, pages, the Resource tree, and the factories of connections.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.web.resource import IResource

from . import __version__, descriptors, security, vitals
from .admission import Admission, Turns
from .backends import Backends
from .cors import CrossOrigin
from .inbound.accesslog import AccessLog
from .inbound.interfaces import Limits, Timeouts
from .inbound.lines import FORMATS
from .inbound.site import Site
from .monitor.registry import Registry
from .peers import TrustedPeers
from .rendering import Renderer
from .resources.forwarding import PassThrough
from .resources.monitor import NO_PAGES, MonitorRoot, Pages
from .resources.pages import Health, MetricsPage, Page
from .resources.preflight import Preflight
from .resources.root import Root
from .resources.sessions import Sessions
from .resources.stats import StatsPage
from .resources.transcriptions import Transcriptions
from .routes import HEALTH, METRICS, STATS, transcriptions_path
from .settings import Settings
from .upstream.probe import Probe
from .watch import ConfigWatcher
from .writer import FlushScheduler

if TYPE_CHECKING:
    from .workers.configuration import FollowedConfig
    from .workers.team import Team

log = Logger()

#: Most connections to the listeners of --monitor.  They have room also while the most clients are connected.
MONITOR_CLIENTS = 64


@attrs.frozen
class Sites:
    """
    The factories of inbound connections.

    :ivar clients: for the listeners of clients.
    :ivar monitor: for those of --monitor; None: the pages are at the others.
    """

    clients: Site
    monitor: Site | None = None


def elsewhere_of(reactor: Any) -> Callable[..., Deferred[Any]]:
    """Runs a function in a thread of the reactor."""
    return lambda call: deferToThreadPool(reactor, reactor.getThreadPool(), call)


def limits_of(settings: Settings, open_files: int) -> Limits:
    """
    The limits of inbound connections: the size of a body and the number of clients.

    :param open_files: the number of descriptors that the process can use.
    """
    wanted = settings.max_clients
    free = open_files - MONITOR_CLIENTS if settings.monitor else open_files
    allowed = descriptors.clients(free, settings.max_connections * len(settings.destinations))
    if wanted > allowed:
        log.warn(
            "--max-clients {wanted} is too high: {limit} open files, two for each client, are enough for {allowed}. "
            "Raise the limit (ulimit -n), or limit the connections to the server with --max-connections.",
            wanted=wanted,
            limit=open_files,
            allowed=allowed,
        )
    return Limits(settings.max_body or None, min(wanted or allowed, allowed))


def pages_of(
    reactor: Any,
    settings: Settings,
    watcher: ConfigWatcher | FollowedConfig,
    backends: Backends,
    registry: Registry,
    snapshot: Callable[[], dict[str, Any]],
    team: Team | None = None,
) -> Pages:
    """
    The monitoring pages.

    :param snapshot: returns the members of ``/stats`` that are neither about requests nor the configuration.
    :param team: other processes whose numbers are shown, too; None: there are none.
    """

    def facts() -> dict[str, Any]:
        return {**snapshot(), "config": watcher.snapshot()}

    about: dict[str, Any] = {"version": __version__}
    shown, shown_facts = registry, facts
    if team is not None:
        team.shows(registry, facts)
        shown, shown_facts, about["workers"] = team.numbers, team.facts, team.state

    probes = [(server.name, Probe(server.dialer.attempt, server.pool, registry.now)) for server in backends.servers]

    def probe_all() -> None:
        for _, probe in probes:
            probe()

    stats = StatsPage(
        shown,
        shown_facts,
        lambda: watcher.current,
        probe=probe_all,
        # Nothing is transcribed at the listeners of --monitor, which need no key.
        path="" if settings.monitor else transcriptions_path(backends.targets.prefixes),
        requires_key=settings.require_key and not settings.monitor,
    )
    pages: dict[bytes, Page] = {
        HEALTH.encode(): Health(probes, about),
        STATS.encode(): stats,
        METRICS.encode(): MetricsPage(reactor, [probe for _, probe in probes], shown, shown_facts),
    }
    if team is not None:
        from .workers.pages import GatheredPage

        for path in (STATS, METRICS):
            pages[path.encode()] = GatheredPage(pages[path.encode()], team.gather)
    return Pages(pages, TrustedPeers(settings.monitor_from) if settings.monitor_from else None)


def tree_of(
    reactor: Any,
    settings: Settings,
    watcher: ConfigWatcher | FollowedConfig,
    backends: Backends,
    pages: Pages,
    admission: Turns,
    cors: CrossOrigin | None,
) -> IResource:
    """
    The Resource tree for clients.

    :param cors: the pages of other origins that may use the proxy; None: the upstream decides.
    """
    targets = backends.targets
    transcriptions = Transcriptions(
        targets,
        lambda: watcher.current,
        admission,
        Renderer(
            elsewhere_of(reactor),
            settings.max_transcript or sys.maxsize,
            settings.explain_header,
        ),
        explains=settings.explain_header,
        max_json=settings.max_json or None,
        traces=settings.log_level == "debug",
    )
    return Root(
        pages,
        targets,
        transcriptions,
        Sessions(targets, lambda: watcher.current),
        PassThrough(targets),
        lambda: watcher.current,
        settings.require_key,
        settings.source.profile,
        None if cors is None else Preflight(cors),
    )


def sites_of(
    reactor: Any,
    settings: Settings,
    scheduler: FlushScheduler,
    watcher: ConfigWatcher | FollowedConfig,
    backends: Backends,
    secured: security.Security = security.NONE,
    team: Team | None = None,
) -> Sites:
    """
    The factories of inbound connections, with their resources, timeouts and limits.

    :param team: other processes that serve with this one; None: there are none.
    """
    admission: Turns = Admission(settings.max_transcriptions, settings.max_queue)
    if team is not None and settings.max_transcriptions:
        admission = team.admission
    registry = Registry(
        reactor.seconds,
        [server.target.server for server in backends.servers],
        lambda: admission.waiting,
        shows_clients=settings.monitor_clients,
    )
    open_files = descriptors.usable(descriptors.raise_limit(), reactor)
    limits = limits_of(settings, open_files)
    started = reactor.seconds()

    def snapshot() -> dict[str, Any]:
        now = reactor.seconds()
        return {
            "version": __version__,
            "uptime_s": round(now - started, 3),
            **backends.snapshot(now),
            "max_clients": limits.clients,
            "descriptors": {"open": descriptors.open_now(), "limit": open_files},
            "process": {
                "memory_bytes": vitals.memory(),
                "memory_peak_bytes": vitals.memory_peak(),
                "timers_late_seconds": {
                    "last": round(registry.lateness[-1], 6),
                    "minute_max": round(max(registry.lateness), 6),
                },
            },
            **secured.snapshot(),
        }

    timeouts = Timeouts(
        head=settings.head_timeout,
        body=settings.body_timeout,
        idle=settings.idle_timeout,
        drain=settings.drain_timeout,
    )
    cors = CrossOrigin(settings.cors_origin) if settings.cors_origin else None
    access_log = AccessLog(FORMATS[settings.log_format], settings.log_level)
    trusted = TrustedPeers(settings.trust_forwarded)
    pages = pages_of(reactor, settings, watcher, backends, registry, snapshot, team)
    tree = tree_of(reactor, settings, watcher, backends, NO_PAGES if settings.monitor else pages, admission, cors)

    def site(resource: IResource, limits: Limits, cors: CrossOrigin | None = None) -> Site:
        return Site(
            resource,
            reactor,
            scheduler,
            registry,
            timeouts,
            limits,
            trusted,
            cors,
            access_log,
            server_timing=settings.server_timing,
        )

    few = Limits(limits.body, MONITOR_CLIENTS, "That is the most at the listeners of --monitor.")
    return Sites(site(tree, limits, cors), site(MonitorRoot(pages), few) if settings.monitor else None)
