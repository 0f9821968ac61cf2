"""
The parts of the twistd plugin: `Options` reads the command line, `makeService` creates the daemon.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from twisted.python import usage
from twisted.python.reflect import namedAny

from . import backends, compose, logbook, pidfile, privileges, security
from .clock import make_monotonic
from .commands import COMMANDS
from .daemon import Daemon, StartError
from .errors import printable
from .handover.given import Given, Role, take
from .handover.outcome import Outcome
from .handover.program import Program
from .handover.sockets import HeldSockets, Sockets
from .handover.successor import Successor
from .handover.upgrade import Upgrade
from .options import OPTIONS
from .settings import Process, Settings, Sources, settings_of, unknown_variables
from .sites import sites_of
from .steering import Steered
from .usage import TableOptions, suggestion
from .watch import ConfigWatcher
from .writer import FlushScheduler

if TYPE_CHECKING:
    from .workers.supervisor import Supervisor

log = Logger()

#: twistd's default for --pidfile.
_DEFAULT_PIDFILE = "twistd.pid"
#: twistd's default for --prefix.
_DEFAULT_PREFIX = "twisted"


class Options(TableOptions):
    """
    The options of ``twistd sttproxy``.

    :ivar settings: the validated settings, set when the command line is parsed.
    :ivar given: what another process of ours has given this one.
    :ivar program: how this process was started.
    """

    table = OPTIONS
    longdesc = (
        "A proxy in front of a speech-to-text server: it forces the form fields of a JSON file into every "
        "transcription request and passes everything else untouched. The file is read again whenever it changes.\n\n"
        "An option overrides the environment, the environment overrides the default.\n\n"
        f"Commands that start no daemon: {', '.join(f'sttproxy {name}' for name in COMMANDS)}. Each has a --help."
    )
    settings: Settings
    given: Given
    program: Program
    _pidfile = ""

    def getSynopsis(self) -> str:
        return "Usage: sttproxy [options]\n   or: twistd [options of twistd] sttproxy [options]"

    def parseOptions(self, options: Any = None) -> None:
        """
        Read the command line.

        :raises StartError: when the command line is wrong.  The message is one line.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise StartError(f"{error} (see --help)") from None

    def parseArgs(self, *arguments: str) -> None:
        """
        Takes no positional arguments.

        :raises UsageError: when there is one.
        """
        if arguments:
            hint = suggestion(arguments[0], COMMANDS)
            raise usage.UsageError(f"unexpected argument {arguments[0]!r}{hint}")

    def postOptions(self) -> None:
        self.given = take()
        self.program = Program.current()
        self._check_pidfile()
        self.settings = settings_of(Sources(self, os.environ), self._process())
        if self.parent is not None and self.given.role is not Role.FIRST:
            self._go_on()

    def _go_on(self) -> None:
        """Have twistd leave out what the first process has done: the background, the user, the pidfile."""
        twistd: Any = self.parent
        twistd["nodaemon"] = True
        twistd["pidfile"], twistd["uid"], twistd["gid"] = "", None, None

    @property
    def outcome(self) -> Outcome | None:
        """Where ``sttproxy upgrade`` waits for the outcome of an upgrade; None: there is no pidfile."""
        return Outcome(self._pidfile) if self._pidfile else None

    def own_pidfile(self, write: bool) -> None:
        """
        Have twistd remove the pidfile at the end.

        :param write: whether it names another process; then it is written.
        """
        if not self._pidfile or self.parent is None:
            return
        try:
            if write:
                pidfile.write(self._pidfile)
        except OSError as error:
            log.error("The pidfile {path} cannot be written: {reason}", path=self._pidfile, reason=error.strerror)
        self.parent["pidfile"] = self._pidfile

    def _check_pidfile(self) -> None:
        """
        Check an existing pidfile.  In the foreground, turn off twistd's default pidfile.

        :raises StartError: when the pidfile prevents the start.  twistd's own message would have several lines.
        """
        twistd: Any = self.parent
        if twistd is None or not twistd["pidfile"]:
            return
        if twistd["nodaemon"] and twistd["pidfile"] == _DEFAULT_PIDFILE:
            twistd["pidfile"] = ""
            return
        self._pidfile = os.path.abspath(twistd["pidfile"])
        if self.given.role is not Role.FIRST:
            return
        try:
            pidfile.clear(self._pidfile)
        except pidfile.PidfileError as error:
            raise StartError(printable(str(error))) from None

    def _process(self) -> Process:
        """
        The settings from twistd's own options.

        :raises StartError: when --uid or --gid is given, and the user is not root; when --logger cannot be imported.
        """
        twistd: Any = self.parent
        if twistd is None:
            return Process()
        background = not twistd["nodaemon"]
        path = twistd["logfile"] or ("twistd.log" if background else "-")
        if path == "-" and background:
            path = None  # twistd refuses to start
        elif path != "-":
            path = os.path.abspath(path)
        user = privileges.ids(twistd["uid"], twistd["gid"]) if self.given.role is Role.FIRST else None
        if user is not None and os.geteuid():
            raise StartError("--uid and --gid need root: only root can switch to another user")
        name = twistd["prefix"] if twistd["prefix"] != _DEFAULT_PREFIX else "sttproxy"
        return Process(background, path, user, _logger(twistd), name if twistd["syslog"] else None)


def _logger(twistd: Any) -> Any:
    """
    What --logger names, which makes an observer; None without the option.

    The option is taken from twistd, so that levels and the summaries of floods apply to this observer, too.

    :raises StartError: when it cannot be imported.
    """
    name, twistd["logger"] = twistd["logger"], None
    if name is None:
        return None
    try:
        return namedAny(name)
    except Exception as error:  # importing runs any code
        raise StartError(f"--logger {name!r} cannot be imported: {error}") from None


def makeService(options: Options) -> Daemon | Supervisor:
    """
    Create the daemon.  In the background, make it listen, too, because twistd reports later errors badly.

    :raises StartError: when the configuration, an endpoint, the log file or the embedded engine cannot be used.
    """
    from twisted.internet import reactor

    make_monotonic(reactor)
    settings = options.settings
    if options.given.role is Role.WORKER:
        from . import teamwork

        return teamwork.worker_of(reactor, settings, options.given)
    for warning in unknown_variables(os.environ):
        log.warn("{warning}", warning=warning)
    process: Daemon | Supervisor
    if settings.workers > 1:
        from . import teamwork

        held = HeldSockets(reactor, options.given.sockets)
        process = teamwork.supervisor_of(reactor, settings, options.program, held)
        prepare_upgrades(reactor, options, held, process, process.when_serving)
    else:
        sockets = Sockets(reactor, options.given.sockets)
        process = _daemon_of(reactor, settings, sockets)
        prepare_upgrades(reactor, options, sockets, process, lambda call: _when_running(reactor, call))
    if settings.process.background:
        process.open()
    return process


def _when_running(reactor: Any, call: Callable[[], None]) -> None:
    reactor.callWhenRunning(call)


def _daemon_of(reactor: Any, settings: Settings, sockets: Sockets) -> Daemon:
    """
    The daemon as one process.

    :raises StartError: as `makeService`.
    """
    watcher = compose.watcher_of(reactor, settings, ConfigWatcher)
    scheduler = FlushScheduler(reactor)
    journal = logbook.log_of(reactor, settings, scheduler)
    engine = compose.engine_of(reactor, settings)
    secured = security.security_of(reactor, settings)
    servers = backends.backends_of(reactor, settings, scheduler, engine, secured.key)
    sites = sites_of(reactor, settings, scheduler, watcher, servers, secured)
    daemon = compose.daemon_of(reactor, settings, sites, servers, watcher, journal, secured, sockets)
    if engine is not None:
        engine.setServiceParent(daemon)
    return daemon


def prepare_upgrades(
    reactor: Any, options: Options, sockets: Sockets, process: Steered, ready: Callable[[Callable[[], None]], object]
) -> None:
    """
    Have the service of a process take part in upgrades.

    :param sockets: what it listens at.
    :param ready: calls a function when the process serves.
    """
    outcome, given = options.outcome, options.given
    process.upgrade = Upgrade(
        reactor, options.program, sockets, process.drain_for_another, outcome.write if outcome else lambda _: None
    )
    if given.role is Role.STAND_IN:
        # A terminal sends it to all processes; the first one decides.
        process.ignored = (signal.SIGINT,)

    def take_place(write: bool) -> None:
        process.ignored = ()
        options.own_pidfile(write)

    if given.role in (Role.STAND_IN, Role.RENEWED):
        Successor(reactor, given, sockets, process.stop, take_place, ready).setServiceParent(process)
