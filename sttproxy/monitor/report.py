"""
The numbers of a registry as names and values, for JSON.  Units stand in the names.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from ..http1.requests import shown_path
from .entry import entry
from .group import MINUTE, WINDOW_S, Group, Point
from .record import CLIENT_GONE, OWN, PASS_THROUGH, PHASES, STOPPED, TRANSCRIPTION, WAITING, Record
from .registry import Registry

#: Of the form of the report.  It grows if a member changes its meaning; new members do not change it.
SCHEMA = 1
#: Most requests in flight that are shown one by one.
MOST_UNDER_WAY = 50


def report(registry: Registry) -> dict[str, Any]:
    """All numbers."""
    registry.count()
    now = registry.now()
    flying = list(registry.in_flight)
    tallies = [group.all for group in registry.routes.values()]
    answers: Counter[int] = sum([tally.answers for tally in tallies], Counter(registry.rejected))
    endings: Counter[Any] = sum([tally.endings for tally in tallies], Counter())
    errors: Counter[str] = sum([server.errors for server in registry.servers], Counter())
    began = Counter([record.route for record in flying])
    return {
        "schema": SCHEMA,
        "total_requests": sum(tally.requests for tally in tallies) + len(flying),
        "stt_requests": registry.routes[TRANSCRIPTION].all.requests + began[TRANSCRIPTION],
        "forwarded_requests": registry.routes[PASS_THROUGH].all.requests + began[PASS_THROUGH],
        "preflights": registry.preflights,
        "refused_requests": sum(registry.rejected.values()),
        "in_flight": len(flying),
        "queued": registry.queued(),
        "oldest_seconds": round(now - flying[0].began, 3) if flying else None,
        "connections": registry.connections,
        "clients_refused": registry.clients_refused,
        "answers": _classes(answers),
        "upstream_errors": dict(sorted(errors.items())),
        "moved_on": registry.moved_on,
        "clients_gone": endings[CLIENT_GONE],
        "broken_off": sum(tally.broken_off for tally in tallies),
        "stopped": endings[STOPPED],
        "routes": _groups(registry.routes, flying, now, lambda record: record.route),
        "profiles": _groups(registry.profiles, flying, now, lambda record: record.profile),
        "http_versions": _groups(registry.versions, flying, now, lambda record: record.version.decode()[5:]),
        "rules": _fields(registry),
        "transcripts": {
            "read": registry.transcripts,
            "rendered": registry.rendered,
            "passed": dict(sorted(registry.passed.items())),
            "changes": _changes(registry),
        },
        "chosen": dict(sorted(registry.chosen.items())),
        "realtime": dict(sorted(registry.realtime.items())),
        "refusals": dict(sorted(registry.refusals.items())),
    }


def recent(registry: Registry, time: float, after: int = 0) -> dict[str, Any]:
    """
    The last requests, oldest first, and how many there have been.

    :param time: of this moment, in seconds since 1970.
    :param after: how many there had been when they were read before; only later ones are returned.
    """
    now = registry.now()
    kept, new = len(registry.recent), registry.recorded - after
    later = islice(registry.recent, kept - new if 0 <= new <= kept else 0, None)
    shown = [entry(record, time - (now - record.ended), client=registry.shows_clients) for record in later]
    return {"number": registry.recorded, "requests": shown}


def under_way(registry: Registry) -> list[dict[str, Any]]:
    """The requests in flight, oldest first, without those that the proxy itself answers; at most `MOST_UNDER_WAY`."""
    now = registry.now()
    forwarded = (record for record in registry.in_flight if record.route != OWN)
    return [
        {
            "route": record.route,
            "profile": record.profile,
            "method": record.method.decode(),
            "target": shown_path(record.target),
            "phase": PHASES[record.phase],
            "total_seconds": round(now - record.began, 3),
        }
        for record in islice(forwarded, MOST_UNDER_WAY)
    ]


def _classes(answers: Mapping[int, int]) -> dict[str, int]:
    return {f"{first}xx": number for first, number in sorted(answers.items())}


def _fields(registry: Registry) -> dict[str, dict[str, int]]:
    """How often something was done to a field, by action."""
    fields: dict[str, dict[str, int]] = {}
    for (action, name), number in sorted(registry.fields.items()):
        fields.setdefault(action, {})[name] = number
    return fields


def _changes(registry: Registry) -> dict[str, dict[str, int]]:
    """What the rules for transcripts did, by rule and by the number of the phrase or key."""
    changes: dict[str, dict[str, int]] = {}
    for (rule, number), count in sorted(registry.cleaning.items()):
        changes.setdefault(rule, {})[str(number)] = count
    return changes


def _groups(
    groups: Mapping[Any, Group], flying: list[Record], now: float, key: Callable[[Record], str]
) -> dict[str, Any]:
    in_flight = Counter(map(key, flying))
    queued = Counter([key(record) for record in flying if record.phase == WAITING and record.route != OWN])
    oldest = {key(record): round(now - record.began, 3) for record in reversed(flying)}
    return {
        name: _group(group, in_flight[name], queued[name], oldest.get(name)) for name, group in sorted(groups.items())
    }


def _group(group: Group, in_flight: int, queued: int, oldest: float | None) -> dict[str, Any]:
    tally = group.all
    shown: dict[str, Any] = {
        "requests": tally.requests + in_flight,
        "in_flight": in_flight,
        "queued": queued,
        "oldest_seconds": oldest,
        "answers": _classes(tally.answers),
        "request_bytes": tally.request_bytes,
        "sent_bytes": tally.sent_bytes,
        "response_bytes": tally.response_bytes,
        "durations": group.quantiles(),
    }
    if tally.recordings or tally.timed:
        shown["recordings"] = tally.recordings
        shown["recording_bytes"] = tally.recording_bytes
        shown["audio_seconds"] = round(tally.audio_seconds, 3)
        shown["transcribing_seconds"] = round(tally.transcribing_seconds, 3)
    return shown


def _mean(phase: int, point: Point) -> float:
    return round(point.seconds[phase] / point.requests, 6)


def _columns(points: Iterable[Point | None]) -> dict[str, list[float | None]]:
    """What points have in common as lists, in which None stands for a window without a request."""
    known = list(points)

    def column(read: Callable[[Point], float | None]) -> list[float | None]:
        return [None if point is None else read(point) for point in known]

    columns = {
        "requests": column(lambda point: point.requests),
        "failures": column(lambda point: point.failures),
        "p50_seconds": column(lambda point: point.p50),
        "p99_seconds": column(lambda point: point.p99),
        "real_time_factor": column(lambda point: point.real_time_factor and round(point.real_time_factor, 3)),
    }
    for index, phase in enumerate(PHASES):
        columns[f"{phase}_seconds"] = column(functools.partial(_mean, index))
    return columns


def last_minute(registry: Registry) -> dict[str, int]:
    """How many transcriptions have ended in the last windows, a minute long, and how many of them failed."""
    group = registry.routes[TRANSCRIPTION]
    points = [point for point in (*list(group.points)[-MINUTE:], group.current()) if point is not None]
    return {
        "ended_last_minute": sum(point.requests for point in points),
        "failed_last_minute": sum(point.failures for point in points),
    }


def series(registry: Registry) -> dict[str, Any]:
    """
    The last ten minutes in windows of `WINDOW_S`, oldest first: loads, and by route the numbers of
    requests, means of their phases, quantiles of their total, and seconds of audio for each second.

    The last window is that of this moment, which began ``window_age_seconds`` ago.
    """
    registry.count()
    loads = [*registry.loads, registry.current_load()]
    return {
        "window_seconds": WINDOW_S,
        "window_age_seconds": round(registry.window_age, 3),
        "in_flight": [load.in_flight for load in loads],
        "queued": [load.queued for load in loads],
        "routes": {route: _columns((*group.points, group.current())) for route, group in registry.routes.items()},
    }
