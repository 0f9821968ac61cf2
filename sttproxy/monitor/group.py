"""
The numbers of the requests that have something in common: since the start, and over the last minutes.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Mapping

import attrs

from . import histogram
from .record import TOTAL
from .tally import Tally

#: Seconds of one window.  The last minutes are made of whole windows.
WINDOW_S = 10.0
#: How many windows the last ten minutes have, and the last minute.
WINDOWS, MINUTE = 60, 6


@attrs.frozen
class Point:
    """
    One window, for charts.

    :ivar requests: that ended in it.
    :ivar failures: those among them whose response has a status above 499, or was cut off by the server or the proxy.
    :ivar seconds: sums of phases and totals, indexed as `Record.times`.
    :ivar p50, p99: of the total, in seconds.
    :ivar real_time_factor: seconds of audio for each second of transcribing; None: unknown.
    """

    requests: int
    failures: int
    seconds: tuple[float, ...]
    p50: float
    p99: float
    real_time_factor: float | None

    @classmethod
    def of(cls, tally: Tally) -> Point:
        """The point of a window's requests."""
        p50, p99 = histogram.Summary(tally.durations).quantiles(TOTAL, (0.5, 0.99))
        known = tally.transcribing_seconds > 0
        factor = tally.audio_seconds / tally.transcribing_seconds if known else None
        return cls(tally.requests, tally.failures, tuple(tally.seconds), p50, p99, factor)


class Group:
    """
    The numbers of a group of requests.

    :ivar all: those since the start.
    :ivar points: the last windows, oldest first; None for those without a request.
    """

    def __init__(self) -> None:
        self.all = Tally()
        self.points: deque[Point | None] = deque(maxlen=WINDOWS)
        self._window = Tally()
        #: The windows of the last ten minutes: keys and counts of their durations, in a small part of a dict's memory.
        self._past: deque[tuple[array[int], array[int]]] = deque()
        self._spans: dict[str, histogram.Counts] = {"minute": Counter(), "ten_minutes": Counter()}
        self._summaries: dict[str, histogram.Summary] | None = None

    def add(self, tally: Tally) -> None:
        """Add finished requests."""
        self.all.add(tally)
        self._window.add(tally)
        for counts in self._spans.values():
            counts.update(tally.durations)
        self._summaries = None

    def step(self) -> None:
        """A window is over, and the next one begins."""
        window = self._window
        counts = window.durations
        self._past.append((array("H", counts.keys()), array("L", counts.values())))
        self.points.append(Point.of(window) if window.requests else None)
        if window.requests:
            self._window = Tally()
        for span, length in (("minute", MINUTE), ("ten_minutes", WINDOWS)):
            if len(self._past) > length:
                keys, numbers = self._past[-1 - length]
                if keys:
                    histogram.subtract(self._spans[span], dict(zip(keys, numbers, strict=True)))
                    self._summaries = None
        if len(self._past) > WINDOWS:
            self._past.popleft()

    def summaries(self) -> Mapping[str, histogram.Summary]:
        """The durations of the last minute, the last ten minutes, and since the start; computed if one has changed."""
        if self._summaries is None:
            spans = {**self._spans, "since_start": self.all.durations}
            self._summaries = {span: histogram.Summary(counts) for span, counts in spans.items()}
        return self._summaries
