"""
The observer that makes lines of Twisted's log events.
"""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, formatEventAsClassicLogText, formatTime
from zope.interface import implementer

from ..writer import FlushScheduler
from .destination import Destination

#: The key of an event whose text is ready: one line, which `log_system` goes before.
READY = "sttproxy_line"


@implementer(ILogObserver)
class TextObserver:
    """
    Writes events as Twisted's own observer does.

    Requests come with their line ready.  Their lines are written together at the end of the reactor iteration, which
    takes a quarter of the time.
    """

    def __init__(self, destination: Destination, scheduler: FlushScheduler) -> None:
        self.destination = destination
        self._scheduler = scheduler
        #: Lines that will be written at the end of the iteration.
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
        """Write the lines that wait."""
        if self._lines:
            lines, self._lines = self._lines, []
            self.destination.write("".join(lines))
