"""
The log observer that writes Twisted's log events as lines.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import ILogObserver, LogEvent, formatEventAsClassicLogText, formatTime
from zope.interface import implementer

from ..writer import FlushScheduler
from .destination import Destination
from .events import READY, as_json


def _as_json_line(event: LogEvent) -> str | None:
    text = as_json(event)
    return None if text is None else text + "\n"


@implementer(ILogObserver)
class LineObserver:
    """
    Writes events in the format of Twisted's own text log, or as JSON objects.

    Events of requests bring their finished line (`READY`).  These lines are written together at the end of the reactor
    iteration, which takes a quarter of the time of single writes.
    """

    def __init__(
        self, destination: Destination, scheduler: FlushScheduler, *, json: bool = False, stamped: bool = True
    ) -> None:
        """
        :param json: whether events are written as JSON objects.
        :param stamped: whether finished lines get a timestamp and their origin.
        """
        self._destination = destination
        self._scheduler = scheduler
        self._text: Callable[[LogEvent], str | None] = _as_json_line if json else formatEventAsClassicLogText
        self._json = json
        self._stamped = stamped
        #: Lines that are written at the end of the reactor iteration.
        self._lines: list[str] = []
        self._second = -1
        self._time = ""

    def __call__(self, event: LogEvent) -> None:
        line = event.get(READY)
        if line is None:
            text = self._text(event)
            if text:
                self.flush()
                self._destination.write(text)
            return
        if not self._lines:
            self._scheduler.add(self.flush)
        if not self._stamped:
            self._lines.append(line + "\n")
            return
        second = int(event["log_time"])
        if second != self._second:
            self._second = second
            self._time = formatTime(float(second))
        if "\n" in line:
            line = line.replace("\n", "\n\t")
        self._lines.append(f"{self._time} [{event['log_system']}] {line}\n")

    def flush(self) -> None:
        """Write the collected lines now."""
        if self._lines:
            lines, self._lines = self._lines, []
            self._destination.write("".join(lines))
