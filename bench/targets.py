"""
What sttproxy is held to, and whether a run shows it.  Nothing depends on the verdict: machines differ.
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

    :ivar text: what it is about.
    :ivar metric: the metric's key.
    :ivar limit: the bound, in the metric's unit, or as a multiple.
    :ivar most: whether it may not be exceeded; else it has to be reached.
    :ivar against: the peer to compare with, in the same round; None: none.
    :ivar compare: how to.
    """

    text: str
    metric: str
    limit: float
    most: bool
    against: str | None = None
    compare: Callable[[float, float], float] = operator.truediv

    def seen(self, results: Results) -> list[float]:
        """What each round says that has the figures for it."""
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
