"""
The parts of the twistd plugin: `Options` reads the command line, `makeService` creates the daemon.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.logger import Logger
from twisted.python import usage
from twisted.python.reflect import namedAny

from . import backends, compose, logbook, pidfile, privileges, security
from .clock import make_monotonic
from .commands import COMMANDS
from .daemon import Daemon, StartError
from .errors import printable
from .options import OPTIONS
from .settings import Process, Settings, Sources, settings_of, unknown_variables
from .usage import TableOptions, suggestion
from .writer import FlushScheduler

log = Logger()

#: twistd's default for --pidfile.
_DEFAULT_PIDFILE = "twistd.pid"
#: twistd's default for --prefix.
_DEFAULT_PREFIX = "twisted"


class Options(TableOptions):
    """
    The options of ``twistd sttproxy``.

    :ivar settings: the validated settings, set when the command line is parsed.
    """

    table = OPTIONS
    longdesc = (
        "A proxy in front of a speech-to-text server: it forces the form fields of a JSON file into every "
        "transcription request and passes everything else untouched. The file is read again whenever it changes.\n\n"
        "An option overrides the environment, the environment overrides the default.\n\n"
        f"Commands that start no daemon: {', '.join(f'sttproxy {name}' for name in COMMANDS)}. Each has a --help."
    )
    settings: Settings

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
        self._check_pidfile()
        self.settings = settings_of(Sources(self, os.environ), self._process())

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
        try:
            pidfile.clear(os.path.abspath(twistd["pidfile"]))
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
        user = privileges.ids(twistd["uid"], twistd["gid"])
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


def makeService(options: Options) -> Daemon:
    """
    Create the daemon.  In the background, make it listen, too, because twistd reports later errors badly.

    :raises StartError: when the configuration, an endpoint, the log file or the embedded engine cannot be used.
    """
    from twisted.internet import reactor

    make_monotonic(reactor)
    settings = options.settings
    for warning in unknown_variables(os.environ):
        log.warn("{warning}", warning=warning)
    watcher = compose.watcher_of(reactor, settings)
    scheduler = FlushScheduler(reactor)
    journal = logbook.log_of(reactor, settings, scheduler)
    engine = compose.engine_of(reactor, settings)
    secured = security.security_of(reactor, settings)
    servers = backends.backends_of(reactor, settings, scheduler, engine, secured.key)
    sites = compose.sites_of(reactor, settings, scheduler, watcher, servers, secured)
    daemon = compose.daemon_of(reactor, settings, sites, servers, watcher, journal, secured)
    if engine is not None:
        engine.setServiceParent(daemon)
    if settings.process.background:
        daemon.open()
    return daemon
