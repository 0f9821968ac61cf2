"""
The log observer that formats Twisted's log events as lines of text.
"""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, formatEventAsClassicLogText, formatTime
from zope.interface import implementer

from ..writer import FlushScheduler
from .destination import Destination

#: The key of an event's finished text: one line, without timestamp and `log_system`, which the observer adds.
READY = "sttproxy_line"


@implementer(ILogObserver)
class TextObserver:
    """
    Writes events in the format of Twisted's own text log.

    Events of requests bring their finished line (`READY`).  These lines are written together at the end of the reactor
    iteration, which takes a quarter of the time of single writes.
    """

    def __init__(self, destination: Destination, scheduler: FlushScheduler) -> None:
        self.destination = destination
        self._scheduler = scheduler
        #: Lines that are written at the end of the reactor iteration.
        self._lines: list[str] = []
        self._second = -1
        self._time = ""

    def __call__(self, event: LogEvent) -> None:
        line = event.get(READY)
        if line is None:
            text = formatEventAsClassicLogText(event)
            if text:
                self.flush()
                self.destination.write(text)
            return
        second = int(event["log_time"])
        if second != self._second:
            self._second = second
            self._time = formatTime(float(second))
        if "\n" in line:
            line = line.replace("\n", "\n\t")
        if not self._lines:
            self._scheduler.add(self.flush)
        self._lines.append(f"{self._time} [{event['log_system']}] {line}\n")

    def flush(self) -> None:
        """Write the collected lines now."""
        if self._lines:
            lines, self._lines = self._lines, []
            self.destination.write("".join(lines))
