"""
Creates the processes of ``--workers`` from the settings: the supervisor, and a worker.
"""

from __future__ import annotations

import atexit
import os
from typing import Any

from twisted.internet.protocol import Factory
from twisted.logger import Logger

from . import backends, compose, logbook, loops, security
from .admission import Admission
from .announcing import announcing_of
from .daemon import Daemon, Listener, StartError
from .handover.given import Given
from .handover.program import Program
from .handover.sockets import HeldSockets, Sockets
from .settings import Settings
from .sites import elsewhere_of, sites_of
from .workers.channel import read_first
from .workers.configuration import FollowedConfig, LeadingWatcher
from .workers.hello import Hello
from .workers.supervisor import Supervisor
from .workers.worker import Worker
from .writer import FlushScheduler

log = Logger()


class Workers(Factory):
    """Stands for the workers at the supervisor's listeners.  It never gets a connection."""

    noisy = False


def count_of(settings: Settings) -> int:
    """The number of workers: those that were asked for, and no more than each can have a part of every limit."""
    limits = {
        "--max-connections": settings.max_connections * len(settings.destinations),
        "--max-clients": settings.max_clients,
    }
    count = settings.workers
    for name, limit in limits.items():
        if 0 < limit < count:
            log.warn("{name} leaves room for {count} workers.", name=name, count=limit)
            count = limit
    return count


def supervisor_of(reactor: Any, settings: Settings, program: Program, sockets: HeldSockets) -> Supervisor:
    """
    The supervisor.

    :raises StartError: when the configuration, an endpoint, the log file or a certificate cannot be used.
    """
    scheduler = FlushScheduler(reactor)
    journal = logbook.log_of(reactor, settings, scheduler)
    secured = security.security_of(reactor, settings)
    # A server's certificates are read by the workers; this shows whether they can be.
    servers = backends.backends_of(reactor, settings, scheduler, None, secured.key)
    leads_to = compose.leads_to_of(settings)
    supervisor = Supervisor(
        reactor,
        program,
        sockets,
        count_of(settings),
        loops.new_pseudonym(),
        Admission(settings.max_transcriptions, settings.max_queue),
        check=lambda listener: listener.check(servers.name, leads_to),
        reopen=journal.reopen,
        observer=journal.observer,
        fail=lambda reason: _fail(reactor, reason),
    )
    supervisor.watcher = compose.watcher_of(
        reactor,
        settings,
        lambda source, clock, elsewhere: LeadingWatcher(
            source, clock, elsewhere, supervisor.prepare, supervisor.commit
        ),
    )
    supervisor.watcher.setServiceParent(supervisor)

    def status() -> str:
        team = supervisor.team()
        return f"{team['serving']} of {team['wanted']} workers"

    announcing = announcing_of(reactor, os.environ, status, lambda: sockets.handed_over)
    if announcing is not None:
        announcing.setServiceParent(supervisor)
    held: Any = Workers()
    for endpoint, name, _ in compose.listening_of(reactor, sockets, settings, secured):
        supervisor.hold(Listener(endpoint, name, held))
    return supervisor


def _fail(reactor: Any, reason: str) -> None:
    """End this process, because it cannot start."""
    log.critical("The daemon cannot start: {reason}.", reason=reason)

    def end() -> None:
        atexit._run_exitfuncs()
        os.write(2, f"{StartError(reason)}\n".encode())
        os._exit(1)

    reactor.addSystemEventTrigger("after", "shutdown", end)
    reactor.stop()


def worker_of(reactor: Any, whole: Settings, given: Given) -> Daemon:
    """
    A worker.

    :param whole: the settings of all workers.
    :raises StartError: when the supervisor has ended, or a file cannot be used.
    """
    try:
        hello: Hello = read_first(given.control)
    except OSError as error:
        raise StartError(f"this worker has no supervisor: {error}") from None
    settings = hello.settings(whole)
    worker = Worker(reactor, given.control)
    config = FollowedConfig(settings.source, elsewhere_of(reactor), lambda number: worker.send("prepared", number))
    config.load(hello.look, hello.generation)
    scheduler = FlushScheduler(reactor)
    journal = logbook.log_of(reactor, settings, scheduler)
    secured = security.security_of(reactor, settings)
    servers = backends.backends_of(reactor, settings, scheduler, None, secured.key, hello.pseudonym)
    sites = sites_of(reactor, settings, scheduler, config, servers, secured, worker.team)
    sockets = Sockets(reactor, given.sockets, shared=True)
    daemon = compose.daemon_of(reactor, settings, sites, servers, config, journal, secured, sockets)

    def reload() -> None:
        for follower in secured.followers:
            follower.reload()

    worker.join(daemon, config, reload)
    return daemon
