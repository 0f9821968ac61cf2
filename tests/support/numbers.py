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
