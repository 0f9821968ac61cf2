"""
Tests for :mod:`sttproxy.logbook`, and for twistd's options that it takes over.
"""

from __future__ import annotations

import atexit
import os
import pty
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, LogLevel
from twisted.python import log as old
from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

import sttproxy.logbook
from sttproxy.daemon import StartError
from sttproxy.logbook import Log, log_of
from sttproxy.logs import syslog
from sttproxy.logs.filters import BURST
from sttproxy.logs.terminal import Terminal
from sttproxy.settings import Settings
from sttproxy.writer import FlushScheduler

#: What the observers that --logger names have got.
events: list[LogEvent] = []


def new_observer() -> Any:
    """Return an observer of twisted.logger."""
    return sttproxy.logbook.LevelFilter("debug", events.append)  # type: ignore[arg-type]


def old_observer() -> Callable[[dict[str, Any]], None]:
    """Return an observer of the old module for logging."""
    return old.FileLogObserver(_Lines()).emit  # type: ignore[arg-type]


class _Lines:
    """A file that keeps what is written as events."""

    def write(self, text: str) -> None:
        events.append({"text": text})

    def flush(self) -> None:
        """Do nothing."""


class Output:
    """Standard output, at any descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


class LogbookTestCase(SynchronousTestCase):
    """Base class: makes logs from command lines."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.at_exit: list[Callable[[], None]] = []
        self.patch(atexit, "register", self.at_exit.append)
        self.environment = {"TERM": "xterm"}
        self.patch(os, "environ", self.environment)
        self.path = os.path.abspath(self.mktemp())
        events.clear()

    def settings(self, twistd: tuple[str, ...] = (), own: tuple[str, ...] = ()) -> Settings:
        """Parse a command line."""
        options = ServerOptions()
        options.parseOptions([*twistd, "sttproxy", *own])
        self.assertIsNone(options["logger"], "twistd would use it, too")
        settings: Settings = options.subOptions.settings
        return settings

    def log(self, twistd: tuple[str, ...] = (), own: tuple[str, ...] = ()) -> Log:
        """Make the log of a command line."""
        return log_of(self.clock, self.settings(twistd, own), FlushScheduler(self.clock))

    def exit(self) -> None:
        """Do what is done when the process ends."""
        for call in reversed(self.at_exit):
            call()

    def read(self) -> str:
        """Return the content of the log file."""
        with open(self.path, encoding="utf-8") as file:
            return file.read()


class LogTests(LogbookTestCase):
    """Where the log goes, and what it contains."""

    def test_file(self) -> None:
        """A file gets the lines from a level on; a flood is reported at the latest when the process ends."""
        log = self.log(("-n", "--logfile", self.path), ("--log-level", "warn"))
        logger = Logger("some.name", observer=log.observer)
        logger.info("no")
        for _ in range(BURST + 2):
            logger.warn("yes")
        self.exit()
        lines = self.read().splitlines()
        self.assertEqual(len(lines), BURST + 1)
        self.assertTrue(lines[-1].endswith("[some.name#warn] … 2 more in the last 10 s: yes"), lines[-1])

    def test_json(self) -> None:
        """The format is that of --log-format."""
        log = self.log(("-n", "--logfile", self.path), ("--log-format", "json"))
        Logger("some.name", observer=log.observer).warn("yes")
        line = r'\A\{"time":"[^"]+","level":"warn","namespace":"some.name","message":"yes"\}\n\Z'
        self.assertRegex(self.read(), line)

    def test_reopen(self) -> None:
        """The file can be opened again."""
        log = self.log(("-n", "--logfile", self.path))
        os.rename(self.path, self.path + ".1")
        log.reopen()
        Logger("some.name", observer=log.observer).warn("yes")
        self.assertIn("yes", self.read())

    def test_cannot_open(self) -> None:
        """A file that cannot be opened prevents the start."""
        os.mkdir(self.path)
        error = self.assertRaises(StartError, self.log, ("-n", "--logfile", self.path + "/a/b"))
        self.assertIn("cannot be opened: No such file", str(error))

    def test_logger(self) -> None:
        """The observers of --logger, new and old, get the events from a level on."""
        for name in ("new_observer", "old_observer"):
            log = self.log(("-n", "--logger", f"{__name__}.{name}"), ("--log-level", "warn"))
            logger = Logger("some.name", observer=log.observer)
            logger.info("no")
            logger.warn("yes")
            log.reopen()  # does nothing
        new, text = events
        self.assertEqual((new["log_format"], new["log_level"]), ("yes", LogLevel.warn))
        self.assertTrue(text["text"].endswith(" yes\n"), text)

    def test_wrong_logger(self) -> None:
        """A --logger that cannot be imported prevents the start, with one line."""
        error = self.assertRaises(StartError, self.settings, ("-n", "--logger", "no.such"))
        self.assertIn("--logger 'no.such' cannot be imported", str(error))

    def test_syslog(self) -> None:
        """With --syslog, the daemon must listen; the program has its name, or that of --prefix."""
        for twistd, name in (((), "sttproxy"), (("--prefix", "stt"), "stt")):
            self.assertEqual(self.settings(("-n", "--syslog", *twistd)).process.syslog, name)
        self.patch(syslog, "SOCKETS", (self.path,))
        error = self.assertRaises(StartError, self.log, ("-n", "--syslog"))
        self.assertIn(f"--syslog cannot be used: no syslog daemon listens on {self.path}", str(error))
        with open(self.path, "w"):
            pass
        self.assertIsInstance(self.log(("-n", "--syslog")).observer, sttproxy.logbook.LevelFilter)

    def test_twistd_refuses(self) -> None:
        """In the background, twistd refuses to log to standard output, so there is no observer."""
        self.assertIsNone(self.log(("--logfile", "-")).observer)


class JournalTests(LogbookTestCase):
    """Standard output that systemd's journal reads."""

    def test_journal(self) -> None:
        """Lines have severities where the environment names standard output, and only there."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        self.patch(sttproxy.logbook.sys, "stdout", Output(writing))
        status = os.fstat(writing)
        for stream, beginning in ((f"{status.st_dev}:{status.st_ino}", "<4>[x#warn] "), ("8:1", "20")):
            self.environment["JOURNAL_STREAM"] = stream
            Logger("x", observer=self.log(("-n",)).observer).warn("text")
            self.assertTrue(os.read(reading, 1000).decode().startswith(beginning))
        self.log(("-n", "--logfile", self.path))
        self.assertTrue(os.path.exists(self.path))


class TerminalTests(LogbookTestCase):
    """Whether the progress of requests is shown."""

    def setUp(self) -> None:
        super().setUp()
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        self.terminal = Output(slave)

    def shown(self, *own: str, twistd: tuple[str, ...] = ("-n",)) -> bool:
        """Return whether it is, on a terminal."""
        self.patch(sttproxy.logbook.sys, "stdout", self.terminal)
        terminal = self.log(twistd, own).terminal
        if terminal is not None:
            self.assertIsInstance(terminal, Terminal)
            os.close(terminal._fd)
        return terminal is not None

    def test_foreground(self) -> None:
        """It is shown in the foreground, also if the log goes elsewhere."""
        self.assertTrue(self.shown())
        self.assertTrue(self.shown(twistd=("-n", "--logfile", self.path)))
        self.assertFalse(self.shown(twistd=("--logfile", self.path)))

    def test_not(self) -> None:
        """It is not shown on request, or where it cannot be shown."""
        self.assertFalse(self.shown("--no-progress"))
        for term in ("dumb", None):
            self.environment.pop("TERM", None)
            self.environment.update({"TERM": term} if term else {})
            self.assertFalse(self.shown())

    def test_pipe(self) -> None:
        """It is never shown on a pipe."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        self.terminal = Output(writing)
        self.assertFalse(self.shown())
