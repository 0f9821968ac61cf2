"""
What decides which events are logged: their level, and how often they are repeated.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from zope.interface import implementer

from .destination import Clock as DelayingClock
from .events import READY

#: Seconds over which the events of a flood are counted.
WINDOW_S = 10.0
#: How many events of one place are logged in each window as they come.
BURST = 10
#: Most places that are told apart.  The events of all further ones are counted together.
MAX_PLACES = 100
#: Longest text of the last event in a summary, in characters.
_MAX_TEXT = 300


class Clock(DelayingClock, Protocol):
    """The part of the reactor that the filter of floods uses."""

    def seconds(self) -> float: ...


@implementer(ILogObserver)
class LevelFilter:
    """Drops events below a level.  Events without a level, which old code sends, pass."""

    def __init__(self, level: str, observer: ILogObserver) -> None:
        """
        :param level: the name of the lowest level that passes.
        """
        lowest = LogLevel.levelWithName(level)
        self._dropped = frozenset(each for each in LogLevel.iterconstants() if each < lowest)
        self._observer = observer

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level") not in self._dropped:
            self._observer(event)


class _Flood:
    """
    The events of one place in one window.

    :ivar ends: the end of the window, in the clock's seconds.
    :ivar passed: how many were logged.
    :ivar dropped: how many were counted only.
    :ivar last: the last of those.
    """

    __slots__ = ("dropped", "ends", "last", "passed")

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self.passed = self.dropped = 0
        self.last: LogEvent = {}


@implementer(ILogObserver)
class FloodFilter:
    """
    Summarises floods: of the events that the same place sends within `WINDOW_S` seconds the first `BURST` pass at once,
    the others are counted, and one event says at the end of the window how many they were.

    A place is a logger, a level and a message, whatever its values are; for an exception also its type and the line
    that raised it.  Two kinds of events always pass: the lines of requests, because each of them is another request,
    which its client may ask for by its identifier; and those at debug level, because they have been asked for.
    """

    def __init__(self, clock: Clock, observer: ILogObserver) -> None:
        self._clock = clock
        self._observer = observer
        self._floods: dict[Any, _Flood] = {}
        self._summary: IDelayedCall | None = None

    def __call__(self, event: LogEvent) -> None:
        if READY in event or event.get("log_level") is LogLevel.debug:
            self._observer(event)
            return
        now = self._clock.seconds()
        flood = self._flood(_place(event), now)
        if flood.passed < BURST:
            flood.passed += 1
            self._observer(event)
            return
        flood.dropped += 1
        flood.last = event
        if self._summary is None:
            self._summary = self._clock.callLater(max(0.0, flood.ends - now), self._summarise)

    def _flood(self, place: Any, now: float) -> _Flood:
        """What is known of a place in this window."""
        flood = self._floods.get(place)
        if flood is None and len(self._floods) >= MAX_PLACES:
            self._forget(now)
            if len(self._floods) >= MAX_PLACES:
                place = None
                flood = self._floods.get(place)
        if flood is not None and now >= flood.ends:
            self._report(flood)
            flood = None
        if flood is None:
            flood = self._floods[place] = _Flood(now + WINDOW_S)
        return flood

    def _forget(self, now: float) -> None:
        """Forget the places whose window is over."""
        for place, flood in list(self._floods.items()):
            if now >= flood.ends:
                del self._floods[place]
                self._report(flood)

    def _summarise(self) -> None:
        self._summary = None
        now = self._clock.seconds()
        self._forget(now)
        ends = [flood.ends for flood in self._floods.values() if flood.dropped]
        if ends:
            self._summary = self._clock.callLater(max(0.0, min(ends) - now), self._summarise)

    def flush(self) -> None:
        """Report what was counted until now, because the process ends."""
        floods, self._floods = self._floods, {}
        for flood in floods.values():
            self._report(flood)

    def _report(self, flood: _Flood) -> None:
        if not flood.dropped:
            return
        last = flood.last
        text = formatEvent(last) or last["log_failure"].getErrorMessage()
        self._observer(
            {
                "log_logger": last.get("log_logger"),
                "log_level": last.get("log_level", LogLevel.info),
                "log_namespace": last.get("log_namespace", ""),
                "log_system": last.get("log_system"),
                "log_source": None,
                "log_format": "… {count:,} more in the last {seconds:.0f} s: {text}",
                "count": flood.dropped,
                "seconds": WINDOW_S,
                "text": text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…",
                "log_time": time.time(),
            }
        )
        flood.dropped = 0


def _place(event: LogEvent) -> Any:
    """Identifies the place that an event comes from."""
    message = event.get("log_format")
    if event.get("log_logger") is None:
        message = formatEvent(event)[:_MAX_TEXT]  # old code, whose formats are all the same
    raised = None
    failure = event.get("log_failure")
    if failure is not None:
        frames = failure.frames or [("", "", 0)]
        raised = (failure.type, *frames[-1][1:3])
    return event.get("log_namespace"), event.get("log_level"), message, raised
