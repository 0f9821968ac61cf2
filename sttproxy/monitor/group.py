"""
The numbers of the requests that have something in common: since the start, and over the last minutes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import zip_longest
from operator import add

import attrs

from .histogram import QUANTILES, Histogram, Packed, joined, summary_of
from .record import PHASES, TOTAL
from .tally import REAL_TIME_FACTOR, Tally

#: Seconds of one window.  The last minutes are made of whole windows.
WINDOW_S = 10.0
#: The quantiles of a point.
_P50_P99 = (0.5, 0.99)
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
    :ivar audio_seconds, transcribing_seconds: as those of a tally.
    """

    requests: int
    failures: int
    seconds: tuple[float, ...]
    p50: float
    p99: float
    audio_seconds: float
    transcribing_seconds: float

    @classmethod
    def of(cls, tally: Tally) -> Point:
        """The point of a window's requests."""
        p50, p99 = tally.durations.summary().quantiles(TOTAL, _P50_P99)
        audio, transcribing = tally.audio_seconds, tally.transcribing_seconds
        return cls(tally.requests, tally.failures, tuple(tally.seconds), p50, p99, audio, transcribing)

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of audio for each second of transcribing; None: unknown."""
        return self.audio_seconds / self.transcribing_seconds if self.transcribing_seconds > 0 else None

    def plus(self, other: Point, durations: Packed) -> Point:
        """
        The point of the requests of two points.

        :param durations: of these requests.
        """
        p50, p99 = summary_of(durations, TOTAL).quantiles(TOTAL, _P50_P99)
        return Point(
            self.requests + other.requests,
            self.failures + other.failures,
            tuple(map(add, self.seconds, other.seconds)),
            p50,
            p99,
            self.audio_seconds + other.audio_seconds,
            self.transcribing_seconds + other.transcribing_seconds,
        )


#: Names of quantiles of a real-time factor: the smaller, the slower.
_FACTORS = {"p50": 0.5, "p10": 0.1, "p1": 0.01}

#: What is shown of each distribution: its name, its number, and the quantiles.
_SHOWN = (
    *((f"{phase}_seconds", number, QUANTILES) for number, phase in enumerate(PHASES)),
    ("real_time_factor", REAL_TIME_FACTOR, _FACTORS),
)


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
        #: The windows of the last ten minutes.
        self._past: deque[Packed] = deque()
        self._minute = Histogram()
        self._ten_minutes = Histogram()
        self._quantiles: dict[str, dict[str, dict[str, float]]] = {}

    def add(self, tally: Tally) -> None:
        """Add finished requests."""
        self.all.add(tally)
        self._window.add(tally)
        self._minute.add(tally.durations)
        self._ten_minutes.add(tally.durations)
        self._quantiles = {}

    def step(self) -> None:
        """A window is over, and the next one begins."""
        window = self._window
        self._past.append(window.durations.packed())
        self.points.append(self.current())
        if window.requests:
            self._window = Tally()
        self._leave_out(self._minute, MINUTE)
        self._leave_out(self._ten_minutes, WINDOWS)
        if len(self._past) > WINDOWS:
            self._past.popleft()

    def merge(self, other: Group) -> None:
        """Add the numbers of a group of another process, whose windows begin and end at the same moments."""
        self.all.add(other.all)
        self._window.add(other._window)
        self._minute.add(other._minute)
        self._ten_minutes.add(other._ten_minutes)
        self._quantiles = {}
        past: deque[Packed] = deque()
        points: list[Point | None] = []
        for mine, theirs in zip_longest(reversed(self._past), reversed(other._past)):
            both = joined([packed for packed in (mine, theirs) if packed is not None])
            past.appendleft(both)
            if len(points) < WINDOWS:
                index = -1 - len(points)
                known = [
                    each
                    for group in (self, other)
                    if len(group.points) >= -index and (each := group.points[index]) is not None
                ]
                points.append(known[0].plus(known[1], both) if len(known) > 1 else known[0] if known else None)
        self._past = past
        self.points = deque(reversed(points), maxlen=WINDOWS)

    def current(self) -> Point | None:
        """The point of the window that has not ended; None without a request."""
        return Point.of(self._window) if self._window.requests else None

    def _leave_out(self, span: Histogram, length: int) -> None:
        """Subtract the window that is too old for a span of time."""
        if len(self._past) > length:
            old = self._past[-1 - length]
            if old[0]:
                span.subtract(old)
                self._quantiles = {}

    def quantiles(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """
        Quantiles of the durations and of the real-time factor: by span of time, by name, and by name of the quantile.

        They are computed again only if there was a request.
        """
        if not self._quantiles:
            spans = {"minute": self._minute, "ten_minutes": self._ten_minutes, "since_start": self.all.durations}
            for name, span in spans.items():
                summary = span.summary()
                self._quantiles[name] = {
                    name: dict(zip(parts, summary.quantiles(number, parts.values()), strict=True))
                    for name, number, parts in _SHOWN
                    if number != REAL_TIME_FACTOR or self.all.timed
                }
        return self._quantiles
