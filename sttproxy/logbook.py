"""
Creates the log: where it goes, its format, and what it leaves out.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from typing import Any

import attrs
from twisted.logger import ILogObserver, LegacyLogObserverWrapper

from .daemon import StartError
from .errors import printable
from .logs import journal, syslog
from .logs.destination import Destination, Own, Stream, open_file, text_line
from .logs.events import json_line
from .logs.filters import FloodFilter, LevelFilter
from .logs.observer import LineObserver
from .logs.terminal import Terminal
from .settings import Settings
from .writer import FlushScheduler


def _nothing() -> None:
    pass


@attrs.frozen
class Log:
    """
    The log.

    :ivar observer: takes all events; None if twistd uses another observer.
    :ivar reopen: opens the file again; raises OSError when it cannot be opened.
    :ivar terminal: shows the progress of requests; None: there is no terminal, or it shall not show it.
    """

    observer: ILogObserver | None = None
    reopen: Callable[[], None] = _nothing
    terminal: Terminal | None = None


def log_of(reactor: Any, settings: Settings, scheduler: FlushScheduler) -> Log:
    """
    The log.

    :raises StartError: when the log file cannot be opened, or when no syslog daemon listens.
    """
    process = settings.process
    if process.logger is None and process.syslog is None and process.log_file is None:
        return Log()
    terminal = _terminal(reactor, settings)
    if terminal is not None:
        atexit.register(terminal.close)
    reopen: Callable[[], None] = _nothing
    observer: ILogObserver
    if process.logger is not None:
        observer = process.logger()
        if not ILogObserver.providedBy(observer):
            observer = LegacyLogObserverWrapper(observer)
    elif process.syslog is not None:
        observer = _syslog(reactor, settings, process.syslog)
    else:
        to_journal = process.log_file == "-" and journal.reads(sys.stdout.fileno(), os.environ)
        own = journal.own_line(json=settings.log_format == "json") if to_journal else _own(settings)
        destination = terminal if process.log_file == "-" and terminal else _destination(reactor, settings, own)
        reopen = destination.reopen
        atexit.register(destination.close)
        kind = journal.JournalObserver if to_journal else LineObserver
        observer = lines = kind(destination, scheduler, **_form(settings))
        atexit.register(lines.flush)
    floods = FloodFilter(reactor, observer)
    atexit.register(floods.flush)
    return Log(LevelFilter(settings.log_level, floods), reopen, terminal)


def _form(settings: Settings) -> dict[str, bool]:
    """How observers write lines."""
    return {"json": settings.log_format == "json", "stamped": settings.log_format == "text"}


def _own(settings: Settings) -> Own:
    return json_line if settings.log_format == "json" else text_line


def _terminal(reactor: Any, settings: Settings) -> Terminal | None:
    """The terminal that shows the progress of requests; None: there is none, or it shall not."""
    if settings.no_progress or settings.process.background or os.environ.get("TERM", "dumb") == "dumb":
        return None
    output = sys.stdout.fileno()
    return Terminal(reactor, output, _own(settings)) if os.isatty(output) else None


def _destination(reactor: Any, settings: Settings, own: Own) -> Destination:
    """
    Standard output, or the log file.

    :param own: returns a line about the log itself.
    :raises StartError: when the file cannot be opened.
    """
    path = settings.process.log_file
    if path is None or path == "-":
        return Stream(reactor, sys.stdout.fileno(), own)
    try:
        return open_file(reactor, path, settings.log_keep, settings.process.user, own)
    except OSError as error:
        raise StartError(f"the log file {printable(path)} cannot be opened: {error.strerror}") from None


def _syslog(reactor: Any, settings: Settings, name: str) -> ILogObserver:
    """
    The observer for --syslog.

    :param name: the name of this program in the messages.
    :raises StartError: when no daemon listens.
    """
    try:
        path = syslog.path()
    except FileNotFoundError as error:
        raise StartError(f"--syslog cannot be used: {error}") from None
    form = _form(settings)
    daemon = syslog.Daemon(reactor, path, name, json=form["json"])
    atexit.register(daemon.close)
    return syslog.SyslogObserver(daemon, **form)
