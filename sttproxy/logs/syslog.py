"""
The local syslog daemon as a destination of the log.

The stock observer calls syslog(3), which blocks when the daemon does not read, for example because its disk is full.
"""

from __future__ import annotations

import functools
import os
import socket
import syslog
import time
from contextlib import suppress

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

from .destination import NAMESPACE, Clock, Destination
from .events import READY, as_json, json_line

#: Where daemons listen: on Linux, macOS and FreeBSD.
SOCKETS = ("/dev/log", "/var/run/syslog", "/var/run/log")
#: Most bytes of a message: what daemons accept, and a datagram can have.
MAX_MESSAGE = 8000

#: The severities of syslog(3), by the levels of Twisted.
SEVERITIES = {
    LogLevel.debug: syslog.LOG_DEBUG,
    LogLevel.info: syslog.LOG_INFO,
    LogLevel.warn: syslog.LOG_WARNING,
    LogLevel.error: syslog.LOG_ERR,
    LogLevel.critical: syslog.LOG_CRIT,
}


def path() -> str:
    """
    The socket of the daemon.

    :raises FileNotFoundError: when there is none.
    """
    for each in SOCKETS:
        if os.path.exists(each):
            return each
    raise FileNotFoundError(f"no syslog daemon listens on {SOCKETS[0]}")


@functools.lru_cache(maxsize=2)
def _stamp(seconds: int) -> str:
    """A time in local messages (RFC 3164 §4.1.2)."""
    return time.strftime("%b %e %H:%M:%S", time.localtime(seconds))


class Daemon(Destination):
    """Sends each line as a message, without blocking."""

    def __init__(self, clock: Clock, path: str, name: str, *, json: bool = False) -> None:
        """
        :param path: of the daemon's socket.
        :param name: the name of this program in the messages.
        """
        self._json = json
        super().__init__(clock, self._about_itself)
        self._path = path
        self._name = name
        self._socket: socket.socket | None = None

    def _about_itself(self, text: str) -> str:
        line = json_line(text) if self._json else f"[{NAMESPACE}#warn] {text}"
        return self.message(syslog.LOG_WARNING, line)

    def message(self, severity: int, line: str) -> str:
        """A message with its line break, which is not sent."""
        # The number of the process changes when it goes into the background.
        return f"<{syslog.LOG_USER | severity}>{_stamp(int(time.time()))} {self._name}[{os.getpid()}]: {line}\n"

    def _put(self, data: bytes, start: int) -> int:
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                self._socket.connect(self._path)
            self._socket.send(data.rstrip(b"\n")[:MAX_MESSAGE])
        except BlockingIOError:
            return 0
        except OSError:
            self._disconnect()  # the daemon restarts
            return 0
        return len(data)

    def _disconnect(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None


@implementer(ILogObserver)
class SyslogObserver:
    """Sends events to the syslog daemon, with the severity that fits their level."""

    def __init__(self, daemon: Daemon, *, json: bool = False, stamped: bool = True) -> None:
        """
        :param json: whether events are written as JSON objects.
        :param stamped: whether finished lines get their origin.
        """
        self._daemon = daemon
        self._json = json
        self._stamped = stamped

    def __call__(self, event: LogEvent) -> None:
        if self._json:
            text = as_json(event)
        elif READY in event and not self._stamped:
            text = event[READY]
        else:
            text = eventAsText(event, includeTimestamp=False)
        severity = SEVERITIES.get(event.get("log_level"), syslog.LOG_INFO)
        for line in (text or "").splitlines():
            self._daemon.write(self._daemon.message(severity, line))
