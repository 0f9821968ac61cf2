"""
Reads the numbers of the proxy when Prometheus asks for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client import Metric as Family
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ..monitor.histogram import Summary
from ..monitor.record import CLIENT_GONE, OWN, PHASES, STOPPED, TOTAL, WAITING
from ..monitor.registry import Registry
from . import families
from .families import BUCKETS, Kind, Metric
from .processes import processes

#: A sample: values of labels, and its value.
Sample = tuple[Sequence[str], float]

_LIMITS = tuple(map(floatToGoString, BUCKETS))
_FAMILIES = {Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily}


class Numbers(Collector):
    """
    The collector of all metrics of `families.METRICS`.

    :ivar up: whether each server takes connections, in the order of the servers; to be set before it is read.
    """

    def __init__(self, registry: Registry, facts: Callable[[], Mapping[str, Any]]) -> None:
        """
        :param facts: returns the members of ``/stats`` that are not about requests.
        """
        self._registry = registry
        self._facts = facts
        self.up: Sequence[bool] = ()

    def describe(self) -> Iterable[Family]:
        """Nothing; otherwise prometheus_client reads everything once to find the names."""
        return ()

    def collect(self) -> Iterator[Family]:
        """All metrics, as they are at this moment."""
        self._registry.count()
        facts = self._facts()
        yield from self._requests()
        yield from self._transcriptions()
        yield from self._clients(facts)
        yield from self._servers(facts)
        yield from self._process(facts)
        yield from processes(facts.get("workers", {}).get("processes", ()))

    def _requests(self) -> Iterator[Family]:
        registry = self._registry
        flying = list(registry.in_flight)
        tallies = {route: group.all for route, group in registry.routes.items()}
        yield _family(families.REQUESTS, registry.answers.items())
        reasons = []
        for route, tally in tallies.items():
            reasons.append(((route, "client_gone"), tally.endings[CLIENT_GONE]))
            reasons.append(((route, "stopped"), tally.endings[STOPPED]))
            reasons.append(((route, "broken_off"), tally.broken_off))
        yield _family(families.INCOMPLETE, reasons)
        yield _family(families.FAILURES, [((route,), tally.failures) for route, tally in tallies.items()])
        duration = _histogram(families.DURATION)
        phases = _histogram(families.PHASE)
        for route, tally in tallies.items():
            summary = tally.durations.summary()
            for number, phase in enumerate(PHASES):
                buckets = _buckets(summary, number)
                if number == TOTAL:
                    duration.add_metric((route,), buckets, tally.seconds[number])
                else:
                    phases.add_metric((route, phase), buckets, tally.seconds[number])
        yield duration
        yield phases
        yield _family(families.REQUEST_BYTES, [((route,), tally.request_bytes) for route, tally in tallies.items()])
        yield _family(families.SENT_BYTES, [((route,), tally.sent_bytes) for route, tally in tallies.items()])
        yield _family(families.RESPONSE_BYTES, [((route,), tally.response_bytes) for route, tally in tallies.items()])
        in_flight = Counter([record.route for record in flying])
        waiting = Counter([record.route for record in flying if record.phase == WAITING])
        yield _family(families.IN_FLIGHT, [((route,), in_flight[route]) for route in tallies])
        yield _family(families.WAITING, [((route,), waiting[route]) for route in tallies])
        oldest = next((record for record in flying if record.route != OWN), None)
        yield _single(families.OLDEST, registry.now() - oldest.began if oldest else 0)
        yield _single(families.QUEUED, registry.queued())
        yield _family(families.REJECTED, [((f"{digit}xx",), number) for digit, number in registry.rejected.items()])
        yield _family(families.REFUSALS, [((error,), number) for error, number in registry.refusals.items()])

    def _transcriptions(self) -> Iterator[Family]:
        registry = self._registry
        tallies = {name: group.all for name, group in registry.profiles.items()}
        recordings = {name: tally for name, tally in tallies.items() if tally.recordings}
        timed = {name: tally for name, tally in tallies.items() if tally.timed}
        yield _family(families.RECORDINGS, [((name,), tally.recordings) for name, tally in recordings.items()])
        yield _family(
            families.RECORDING_BYTES, [((name,), tally.recording_bytes) for name, tally in recordings.items()]
        )
        yield _family(families.AUDIO, [((name,), tally.audio_seconds) for name, tally in timed.items()])
        yield _family(families.TRANSCRIBING, [((name,), tally.transcribing_seconds) for name, tally in timed.items()])
        actions: Counter[str] = Counter()
        for (action, _), number in registry.fields.items():
            actions[action] += number
        yield _family(families.RULE_FIELDS, [((action,), number) for action, number in actions.items()])
        yield _single(families.TRANSCRIPTS, registry.transcripts)
        yield _single(families.TRANSCRIPTS_RENDERED, registry.rendered)
        yield _family(families.TRANSCRIPTS_PASSED, [((why,), number) for why, number in registry.passed.items()])
        changes: Counter[str] = Counter()
        for (rule, _), number in registry.cleaning.items():
            changes[rule] += number
        yield _family(families.TRANSCRIPT_CHANGES, [((rule,), number) for rule, number in changes.items()])
        realtime = registry.realtime
        yield _single(families.REALTIME_SESSIONS, realtime["sessions"])
        yield _single(families.REALTIME_REFUSED, realtime["refused"])
        yield _family(families.REALTIME_UPDATES, [((action,), realtime[action]) for action in ("changed", "added")])

    def _clients(self, facts: Mapping[str, Any]) -> Iterator[Family]:
        registry = self._registry
        yield _single(families.PREFLIGHTS, registry.preflights)
        yield _single(families.CLIENTS, registry.connections)
        yield _single(families.CLIENTS_LIMIT, facts["max_clients"])
        yield _single(families.CLIENTS_REFUSED, registry.clients_refused)

    def _servers(self, facts: Mapping[str, Any]) -> Iterator[Family]:
        names = _distinct([server.name for server in self._registry.servers])
        pools = [server["connections"] for server in facts["servers"]]
        yield _family(families.SERVER_UP, [((name,), up) for name, up in zip(names, self.up, strict=True)])
        errors = [
            ((name, error), number)
            for name, server in zip(names, self._registry.servers, strict=True)
            for error, number in server.errors.items()
        ]
        yield _family(families.SERVER_ERRORS, errors)
        states: list[Sample] = []
        for name, pool in zip(names, pools, strict=True):
            states.append(((name, "idle"), pool["idle"]))
            states.append(((name, "active"), pool["open"] - pool["idle"]))
        yield _family(families.SERVER_CONNECTIONS, states)
        for metric, member in (
            (families.SERVER_MADE, "made"),
            (families.SERVER_REUSED, "reused"),
            (families.SERVER_LOST, "lost_idle"),
        ):
            yield _family(metric, [((name,), pool[member]) for name, pool in zip(names, pools, strict=True)])
        yield _single(families.MOVED_ON, self._registry.moved_on)

    def _process(self, facts: Mapping[str, Any]) -> Iterator[Family]:
        config = facts["config"]
        yield _single(families.CONFIG_GENERATION, config["generation"])
        yield _single(families.CONFIG_WARNINGS, len(config["warnings"]))
        yield _single(families.CONFIG_GOOD, not config["error"])
        tls = facts.get("tls")
        if tls is not None:
            expiry = {each["file"]: datetime.fromisoformat(each["expires"]) for each in tls["certificates"]}
            yield _family(families.CERTIFICATE_EXPIRY, [((file,), when.timestamp()) for file, when in expiry.items()])
            yield _single(families.TLS_GOOD, not tls["error"])
        yield _single(families.LATE, max(self._registry.lateness))
        info = InfoMetricFamily(families.BUILD.name.removesuffix("_info"), families.BUILD.help)
        info.add_metric((), {"version": facts["version"]})
        yield info


def _family(metric: Metric, samples: Iterable[Sample]) -> Family:
    """A counter or a gauge with its samples."""
    made: CounterMetricFamily | GaugeMetricFamily
    made = _FAMILIES[metric.kind](metric.name, metric.help, labels=metric.labels)
    for labels, value in samples:
        made.add_metric(labels, value)
    return made


def _single(metric: Metric, value: float) -> Family:
    """A counter or a gauge without labels."""
    return _family(metric, [((), value)])


def _histogram(metric: Metric) -> HistogramMetricFamily:
    return HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)


def _buckets(summary: Summary, distribution: int) -> list[tuple[str, float]]:
    """The cumulative buckets of a distribution."""
    counts = summary.below(distribution, BUCKETS)
    return [*zip(_LIMITS, counts, strict=True), ("+Inf", summary.size(distribution))]


def _distinct(names: Sequence[str]) -> list[str]:
    """Names of servers that differ: servers at one address, which differ in their paths, get a number."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct
