"""
The numbers of a site, by the names that ``/stats`` has.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from sttproxy.monitor.registry import Registry
from sttproxy.monitor.report import report


class Numbers:
    """Shows members of the report as attributes: ``stats.in_flight``.  Missing codes and classes count as 0."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __getattr__(self, name: str) -> Any:
        value = report(self._registry)[name]
        return Counter(value) if isinstance(value, dict) else value


def facts(*, connections: dict[str, int] | None = None, **others: Any) -> dict[str, Any]:
    """
    The members of ``/stats`` that are not about requests, as the metrics need them.

    :param connections: of the only server.
    :param others: members that are added or replaced.
    """
    made = connections or {"open": 3, "idle": 1, "made": 5, "reused": 7, "lost_idle": 2}
    return {
        "version": "1",
        "max_clients": 100,
        "servers": [{"connections": made}],
        "config": {"generation": 4, "warnings": ["one"], "error": None},
        **others,
    }
