"""
The observer that makes lines of Twisted's log events.
"""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, formatEventAsClassicLogText, formatTime
from zope.interface import implementer

from .destination import Destination

#: The key of an event whose text is ready: one line, which `log_system` goes before.
READY = "sttproxy_line"


@implementer(ILogObserver)
class TextObserver:
    """
    Writes events as Twisted's own observer does.  Those that are frequent come with their line, and take a third of the
    time.
    """

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self._second = -1
        self._time = ""

    def __call__(self, event: LogEvent) -> None:
        line = event.get(READY)
        if line is None:
            text = formatEventAsClassicLogText(event)
            if text:
                self.destination.write(text)
            return
        second = int(event["log_time"])
        if second != self._second:
            self._second = second
            self._time = formatTime(float(second))
        if "\n" in line:
            line = line.replace("\n", "\n\t")
        self.destination.write(f"{self._time} [{event['log_system']}] {line}\n")
