"""
Creates the parts of the daemon from the settings and connects them: one function for each part.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger

from . import embedded, loops, privileges, security, vitals
from .announcing import announcing_of, numbers
from .backends import Backends
from .daemon import Daemon, StartError
from .errors import ConfigError, printable
from .listening import endpoints_of, monitor_endpoints_of, proxied
from .logbook import Log
from .progress import Progress
from .settings import Settings
from .sites import Sites, elsewhere_of
from .watch import ConfigWatcher
from .watch.follower import FileFollower

if TYPE_CHECKING:
    from .workers.configuration import FollowedConfig

log = Logger()

Watcher = TypeVar("Watcher", bound=ConfigWatcher)


def watcher_of(reactor: Any, settings: Settings, make: Callable[..., Watcher]) -> Watcher:
    """
    The watcher of the configuration, which is loaded.

    :param make: makes it, from what `ConfigWatcher` takes.
    :raises StartError: when the configuration cannot be used, or when the user of --uid and --gid cannot read it.
    """
    watcher = make(settings.source, reactor, elsewhere_of(reactor))
    try:
        watcher.load()
    except ConfigError as error:
        raise StartError(str(error)) from None
    if settings.process.user is not None:
        problem = privileges.unreadable(watcher.files, *settings.process.user)
        if problem is not None:
            raise StartError(f"the user of --uid and --gid cannot read the configuration: {printable(problem)}")
    return watcher


def engine_of(reactor: Any, settings: Settings) -> Any:
    """
    The speech engine of --embedded; None without the option.

    :raises StartError: when the engine is not installed.
    """
    if not settings.embedded:
        return None
    try:
        embedded.check_installed()
    except Exception as error:
        raise StartError(str(error)) from None
    return embedded.EmbeddedEngine(reactor, settings.embedded_model)


def daemon_of(
    reactor: Any,
    settings: Settings,
    sites: Sites,
    backends: Backends,
    watcher: ConfigWatcher | FollowedConfig,
    journal: Log,
    secured: security.Security = security.NONE,
    sockets: Any = None,
) -> Daemon:
    """
    The daemon, with its listeners and the watcher as children.

    :param sockets: the reactor for the listeners; None: the same.
    """
    sockets = sockets or reactor
    watchers: tuple[ConfigWatcher | FollowedConfig | FileFollower, ...] = (watcher, *secured.followers)

    def reload() -> Deferred[Any]:
        return gatherResults([maybeDeferred(each.reload) for each in watchers])

    announcing = announcing_of(
        reactor,
        os.environ,
        partial(numbers, sites.clients.registry),
        lambda: getattr(sockets, "handed_over", False),
    )

    pools = [server.pool for server in backends.servers]
    site = sites.clients
    daemon = Daemon(
        reactor,
        site,
        pools,
        backends.name,
        settings.grace,
        announcing.around(reload) if announcing else reload,
        leads_to_of(settings),
        journal.observer,
        journal.reopen,
        monitor=sites.monitor,
    )
    backends.failover.setServiceParent(daemon)
    for beat in (site.registry.tick, Progress(site.registry, journal.terminal).beat):
        vitals.Pulse(reactor, beat).setServiceParent(daemon)
    for each in watchers:
        each.setServiceParent(daemon)
    if announcing is not None:
        announcing.setServiceParent(daemon)
    for endpoint, name, is_monitor in listening_of(reactor, sockets, settings, secured):
        daemon.listen(endpoint, name, sites.monitor if is_monitor else None)
    return daemon


def leads_to_of(settings: Settings) -> Callable[[str, int], bool]:
    """Tells whether requests to a target arrive at a host and port."""
    return lambda host, port: any(loops.leads_to(where.host, where.port, host, port) for where in settings.destinations)


def listening_of(
    reactor: Any, sockets: Any, settings: Settings, secured: security.Security
) -> Iterator[tuple[IStreamServerEndpoint, str, bool]]:
    """
    Where the daemon listens: endpoints, their names, and whether they are for monitoring.

    :param sockets: the reactor for the listeners.
    :raises StartError: when a description is not a valid endpoint.
    """
    for endpoint, name in endpoints_of(sockets, settings):
        yield secured.listening(reactor, proxied(reactor, settings, endpoint)), name, False
    for endpoint, name in monitor_endpoints_of(sockets, settings):
        yield endpoint, name, True
