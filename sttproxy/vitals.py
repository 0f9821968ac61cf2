"""
The state of this process: its memory, and a pulse once a second that shows how late the reactor's timers run.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

log = Logger()

#: Seconds between two beats, unless others are asked for.
BEAT_S = 1.0

#: What getrusage counts memory in: kilobytes, but bytes on macOS.
_UNIT = 1 if sys.platform == "darwin" else 1024


def memory() -> int | None:
    """The resident memory in bytes; None if the system does not show it in /proc."""
    try:
        with open("/proc/self/statm", "rb") as file:
            pages = int(file.read().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def memory_peak() -> int:
    """The most resident memory that the process has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
    return max(peak, memory() or 0)  # Linux brings the peak up to date later than the memory


class Pulse(Service):
    """Calls a function again and again, and tells it by how many seconds the call is late."""

    def __init__(self, clock: IReactorTime, beat: Callable[[float], None], every_s: float = BEAT_S) -> None:
        """
        :param beat: called with the seconds.  An exception is logged, and the pulse goes on.
        :param every_s: seconds between two calls.
        """
        self._clock = clock
        self._beat = beat
        self._every_s = every_s
        self._due = 0.0
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        self._next()

    def stopService(self) -> None:
        super().stopService()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _next(self) -> None:
        self._due = self._clock.seconds() + self._every_s
        self._call = self._clock.callLater(self._every_s, self._now)

    def _now(self) -> None:
        late = self._clock.seconds() - self._due
        self._next()
        try:
            self._beat(late)
        except Exception:
            log.failure("The statistics of the last second are wrong")
