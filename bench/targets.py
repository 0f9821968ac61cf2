"""
The performance targets of sttproxy.  No test depends on them, because machines differ.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

from .peers import CADDY_2, OTHER, SUBJECT, WORKERS
from .results import Results


@dataclass(frozen=True)
class Target:
    """
    A bound on one metric of sttproxy.

    :ivar text: the description in the table.
    :ivar metric: the key of the metric.
    :ivar limit: the bound, in the unit of the metric or as a ratio.
    :ivar most: whether the bound is a maximum; if not, it is a minimum.
    :ivar against: the reference peer, in the same round; None: sttproxy itself.
    :ivar compare: combines the value with the reference: a ratio or a difference.
    :ivar to: the reference metric; None: the same one.  Without `to` and `against`, the value itself is compared.
    :ivar own: the peer that has the target.
    """

    text: str
    metric: str
    limit: float
    most: bool
    against: str | None = None
    compare: Callable[[float, float], float] = operator.truediv
    to: str | None = None
    own: str = SUBJECT

    def seen(self, results: Results) -> list[float]:
        """The compared value of each round that has the required values."""
        if self.against is None and self.to is None:
            return results.values(self.metric, self.own)
        pairs = results.pairs((self.metric, self.own), (self.to or self.metric, self.against or self.own))
        return [self.compare(own, other) for own, other in pairs if other or self.compare is operator.sub]

    def met(self, value: float) -> bool:
        """Whether a value is within the bound."""
        return value <= self.limit if self.most else value >= self.limit


TARGETS = (
    Target("16 KB transcriptions: rate, × Caddy", "form.rate", 0.8, False, "Caddy"),
    Target("16 KB transcriptions: rate, × FastAPI+httpx", "form.rate", 20, False, "FastAPI+httpx"),
    Target("16 KB transcriptions over TLS: rate, × Caddy", "form-tls.rate", 0.7, False, "Caddy"),
    Target("16 KB transcriptions over HTTP/2: rate, × Caddy", "form-h2.rate", 0.4, False, "Caddy"),
    Target("16 KB transcriptions, 2 workers: rate, × 1 worker", "form.rate", 1.7, False, SUBJECT, own=WORKERS),
    Target("16 KB transcriptions, 2 workers: rate, × Caddy, 2 cores", "form.rate", 0.8, False, CADDY_2, own=WORKERS),
    Target("Large uploads: rate, × nginx", "upload.rate", 1, False, "nginx"),
    Target("Large uploads: CPU s/GB, × nginx", "upload.cpu", 1.2, True, "nginx"),
    Target("Large uploads: growth to the peak, MB", "upload.memory", 8, True),
    Target("Large uploads over TLS: rate, × nginx", "upload-tls.rate", 0.8, False, "nginx"),
    Target(
        "Large uploads over HTTP/2, TLS: rate, × HTTP/1.1, TLS",
        "upload-h2.rate",
        0.5,
        False,
        to="upload-tls.rate",
    ),
    Target(
        "Large uploads over HTTP/2, clear: rate, × HTTP/1.1, clear", "upload-h2c.rate", 0.5, False, to="upload.rate"
    ),
    Target("Uploads that share a connection: slowest / fastest", "share-h2.evenness", 0.8, False),
    Target("Latency over direct: p50, ms", "latency.p50", 0.3, True, "direct", operator.sub),
    Target("Latency over direct: p99, ms", "latency.p99", 1, True, "direct", operator.sub),
    Target("Event passed on: p99, ms", "events.p99", 1, True),
    Target("Idle client: KB", "idle.memory", 25, True),
    Target("Slow upload: KB", "slow.memory", 100, True),
    Target("Slow upload over HTTP/2: KB", "slow-h2.memory", 300, True),
    Target("Paused upload over HTTP/2: KB", "paused-h2.memory", 300, True),
    Target("Start to listening: s", "start", 0.4, True),
    Target("At rest: % of a core", "rest.cpu", 0.1, True),
    Target("GET: rate, × the other checkout", "get.rate", 0.98, False, OTHER),
    Target("16 KB transcriptions: rate, × the other checkout", "form.rate", 0.98, False, OTHER),
    Target("Large uploads: rate, × the other checkout", "upload.rate", 0.98, False, OTHER),
)
