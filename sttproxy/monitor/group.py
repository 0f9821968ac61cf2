"""
The numbers of the requests that have something in common: since the start, and over the last minutes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import attrs

from .histogram import QUANTILES, Histogram, Packed
from .record import PHASES, TOTAL
from .tally import REAL_TIME_FACTOR, Tally

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
        p50, p99 = tally.durations.summary().quantiles(TOTAL, (0.5, 0.99))
        known = tally.transcribing_seconds > 0
        factor = tally.audio_seconds / tally.transcribing_seconds if known else None
        return cls(tally.requests, tally.failures, tuple(tally.seconds), p50, p99, factor)


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
