"""
The performance targets of sttproxy.  No test depends on them, because machines differ.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

from .results import Results

SUBJECT = "sttproxy"


@dataclass(frozen=True)
class Target:
    """
    A bound on one metric of sttproxy.

    :ivar text: the description in the table.
    :ivar metric: the key of the metric.
    :ivar limit: the bound, in the unit of the metric or as a ratio.
    :ivar most: whether the bound is a maximum; if not, it is a minimum.
    :ivar against: the reference peer, in the same round; None if the value itself is compared.
    :ivar compare: combines the value with that of the reference peer: a ratio or a difference.
    """

    text: str
    metric: str
    limit: float
    most: bool
    against: str | None = None
    compare: Callable[[float, float], float] = operator.truediv

    def seen(self, results: Results) -> list[float]:
        """The compared value of each round that has the required values."""
        if self.against is None:
            return results.values(self.metric, SUBJECT)
        pairs = results.pairs(self.metric, SUBJECT, self.against)
        return [self.compare(own, other) for own, other in pairs if other or self.compare is operator.sub]

    def met(self, value: float) -> bool:
        """Whether a value is within the bound."""
        return value <= self.limit if self.most else value >= self.limit


TARGETS = (
    Target("16 KB transcriptions: rate, × Caddy", "form.rate", 0.8, False, "Caddy"),
    Target("16 KB transcriptions: rate, × FastAPI+httpx", "form.rate", 20, False, "FastAPI+httpx"),
    Target("Large uploads: rate, × nginx", "upload.rate", 1, False, "nginx"),
    Target("Large uploads: CPU s/GB, × nginx", "upload.cpu", 1.2, True, "nginx"),
    Target("Large uploads: growth to the peak, MB", "upload.memory", 8, True),
    Target("Latency over direct: p50, ms", "latency.p50", 0.3, True, "direct", operator.sub),
    Target("Latency over direct: p99, ms", "latency.p99", 1, True, "direct", operator.sub),
    Target("Event passed on: p99, ms", "events.p99", 1, True),
    Target("Idle client: KB", "idle.memory", 25, True),
    Target("Slow upload: KB", "slow.memory", 100, True),
    Target("Start to listening: s", "start", 0.6, True),
    Target("At rest: % of a core", "rest.cpu", 0.1, True),
)
