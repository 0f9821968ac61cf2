"""
The members of ``/stats`` that are not about requests, of several processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any


def merge_facts(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """
    Sums of what is counted, the worst of what is late, and the best of what is reachable.

    :param parts: at least one.
    """
    process = [part["process"] for part in parts]
    late = [each["timers_late_seconds"] for each in process]
    return {
        **parts[0],
        "servers": [_server(same) for same in zip(*(part["servers"] for part in parts), strict=True)],
        "max_clients": sum(part["max_clients"] for part in parts),
        "descriptors": {name: _total([part["descriptors"][name] for part in parts]) for name in ("open", "limit")},
        "process": {
            "memory_bytes": _total([each["memory_bytes"] for each in process]),
            "memory_peak_bytes": _total([each["memory_peak_bytes"] for each in process]),
            "timers_late_seconds": {name: max(each[name] for each in late) for name in ("last", "minute_max")},
        },
    }


def _server(same: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One server, as several processes see it."""
    best = next((each for each in same if each["reachable"]), same[0])
    errors: Counter[str] = Counter()
    connections: Counter[str] = Counter()
    for each in same:
        errors.update(each["errors"])
        connections.update(each["connections"])
    ages = {name: _youngest([each[name] for each in same]) for name in same[0] if name.endswith("_age_seconds")}
    return {**best, "connections": dict(connections), "errors": dict(sorted(errors.items())), **ages}


def _total(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _youngest(ages: Sequence[float | None]) -> float | None:
    return min((age for age in ages if age is not None), default=None)
