"""
What is done to each peer, and what is read off.

Every measurement has a fresh process, which has answered one form and one GET before: what one workload leaves behind
in memory does not make the next one look better or worse.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import clients, forms, load, measure
from .processes import Unable


@dataclass(frozen=True)
class Scale:
    """
    How much of everything.

    :ivar seconds: how long each rate is measured.
    :ivar upload_bytes: size of the large upload.
    :ivar crowd: how many clients are idle or slow at once.
    :ivar events: how many events there are in a stream.
    :ivar rest_s: seconds over which CPU at rest is counted.
    """

    seconds: float = 2.0
    upload_bytes: int = 256 << 20
    crowd: int = 1000
    events: int = 400
    rest_s: float = 3.0


@dataclass(frozen=True)
class Subject:
    """
    The peer under load.

    :ivar port: where it listens.
    :ivar pid: its process; None where there is no proxy.
    :ivar rewrites: whether it puts the configuration in.
    :ivar folder: where files of the load may be put.
    """

    port: int
    pid: int | None
    rewrites: bool
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """
    What came out.

    :ivar values: by the key of the metric.
    :ivar faults: what went wrong meanwhile; empty where nothing did.
    """

    values: dict[str, float]
    faults: str = ""


@dataclass(frozen=True)
class Metric:
    """
    A line of the table.

    :ivar key: its name among the values.
    :ivar title: what is measured, with its unit.
    :ivar digits: how many stand after the point.
    :ivar against: the peer whose value others are shown as a multiple of; None: no multiples.
    """

    key: str
    title: str
    digits: int = 0
    against: str | None = None


def _rate(subject: Subject, scale: Scale, name: str, target: str, lua: Path | None) -> Outcome:
    # Pools fill, and Go's and Python's memory settles.
    load.wrk(subject.port, target, 1, 16, lua)
    before = measure.cpu_s(subject.pid) if subject.pid else 0.0
    seen = load.wrk(subject.port, target, scale.seconds, 16, lua)
    values = {f"{name}.rate": seen.per_second}
    if not seen.requests:
        raise Unable(f"no request was answered; {seen.faults}")
    if subject.pid:
        spent_s = measure.cpu_s(subject.pid) - before
        values[f"{name}.cpu"] = spent_s / seen.requests * 1e6
        values[f"{name}.busy"] = spent_s / seen.seconds * 100
    return Outcome(values, seen.faults)


def get(subject: Subject, scale: Scale) -> Outcome:
    """GET over 16 connections."""
    return _rate(subject, scale, "get", "/", None)


def form(subject: Subject, scale: Scale) -> Outcome:
    """Transcriptions of 16 KB over 16 connections."""
    return _rate(subject, scale, "form", forms.PATH, load.script(subject.folder, 16_000))


def upload(subject: Subject, scale: Scale) -> Outcome:
    """Large transcriptions, one after the other, at least one."""
    memory = measure.Memory(subject.pid) if subject.pid else None
    before = measure.cpu_s(subject.pid) if subject.pid else 0.0
    took_s, sent = 0.0, 0
    while took_s < scale.seconds:
        took_s += clients.upload(subject.port, scale.upload_bytes, subject.rewrites)
        sent += scale.upload_bytes
    values = {"upload.rate": sent / took_s / 1e6}
    if subject.pid and memory:
        values["upload.cpu"] = (measure.cpu_s(subject.pid) - before) / (sent / 1e9)
        values["upload.memory"] = memory.growth() / 1e6
    return Outcome(values)


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def latency(subject: Subject, scale: Scale) -> Outcome:
    """Transcriptions of 16 KB, one at a time."""
    message = forms.request(forms.recording(16_000))
    clients.latencies(subject.port, 0.2, message)
    taken = clients.latencies(subject.port, scale.seconds, message)
    return Outcome({"latency.p50": _percentile(taken, 0.5) * 1e3, "latency.p99": _percentile(taken, 0.99) * 1e3})


def events(subject: Subject, scale: Scale) -> Outcome:
    """Server-sent events, one each 4 ms."""
    delays = clients.events(subject.port, scale.events)
    return Outcome({"events.p50": _percentile(delays, 0.5) * 1e3, "events.p99": _percentile(delays, 0.99) * 1e3})


def idle(subject: Subject, scale: Scale) -> Outcome:
    """Clients that asked once and stay."""
    if not subject.pid:
        return Outcome({})
    memory = measure.Memory(subject.pid)
    return Outcome({"idle.memory": clients.idle(subject.port, scale.crowd, memory.growth) / scale.crowd / 1e3})


def slow(subject: Subject, scale: Scale) -> Outcome:
    """Clients that upload slowly, all at once."""
    if not subject.pid:
        return Outcome({})
    memory = measure.Memory(subject.pid)
    grown, failed = clients.slow(subject.port, scale.crowd, 0.15, memory.growth, subject.rewrites)
    return Outcome({"slow.memory": grown / scale.crowd / 1e3}, f"{failed} uploads failed" if failed else "")


def rest(subject: Subject, scale: Scale) -> Outcome:
    """Nothing at all."""
    if not subject.pid:
        return Outcome({})
    time.sleep(0.5)
    before = measure.fine_cpu_s(subject.pid)
    time.sleep(scale.rest_s)
    return Outcome({"rest.cpu": (measure.fine_cpu_s(subject.pid) - before) / scale.rest_s * 100})


Workload = Callable[[Subject, Scale], Outcome]
WORKLOADS: dict[str, Workload] = {
    "get": get,
    "form": form,
    "upload": upload,
    "latency": latency,
    "events": events,
    "idle": idle,
    "slow": slow,
    "rest": rest,
}


def metrics(scale: Scale) -> list[Metric]:
    """The lines of the table."""
    large = f"{scale.upload_bytes >> 20} MiB transcriptions"
    return [
        Metric("get.rate", "GET, 16 connections: requests/s", 0, "Caddy"),
        Metric("get.cpu", "… CPU µs/request", 1, "Caddy"),
        Metric("get.busy", "… % of its core in use"),
        Metric("form.rate", "16 KB transcriptions, 16 connections: requests/s", 0, "Caddy"),
        Metric("form.cpu", "… CPU µs/request", 1, "Caddy"),
        Metric("form.busy", "… % of its core in use"),
        Metric("upload.rate", f"{large}: MB/s", 0, "nginx"),
        Metric("upload.cpu", "… CPU s/GB", 3, "nginx"),
        Metric("upload.memory", "… growth to the peak, MB", 1),
        Metric("latency.p50", "16 KB transcription, one connection: p50, ms", 3),
        Metric("latency.p99", "… p99, ms", 3),
        Metric("events.p50", "Event passed on: p50, ms", 3),
        Metric("events.p99", "… p99, ms", 3),
        Metric("idle.memory", f"{scale.crowd} idle clients: KB each", 1),
        Metric("slow.memory", f"{scale.crowd} slow uploads: KB each", 1),
        Metric("start", "Start to listening: s", 3),
        Metric("rest.cpu", "At rest: % of a core", 3),
    ]
