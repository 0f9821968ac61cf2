"""
The workloads and their metrics.

Each measurement starts a new process of the peer, which first handles one form and one GET.  So the memory that one
workload leaves does not affect the next one.
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
    The sizes and durations of the workloads.

    :ivar seconds: the duration of each measurement of a rate, in seconds.
    :ivar upload_bytes: the size of the large upload, in bytes.
    :ivar crowd: the number of clients that are idle or slow at the same time.
    :ivar events: the number of events in a stream.
    :ivar rest_s: the duration of the measurement of an idle proxy's CPU time, in seconds.
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

    :ivar port: the port that it listens on.
    :ivar pid: the PID of its process; None if there is no proxy.
    :ivar rewrites: whether it applies the configuration.
    :ivar folder: a folder for temporary files of the load.
    """

    port: int
    pid: int | None
    rewrites: bool
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """
    The result of one workload.

    :ivar values: the values by the key of the metric.
    :ivar faults: a message about errors during the workload; empty if there were none.
    """

    values: dict[str, float]
    faults: str = ""


@dataclass(frozen=True)
class Metric:
    """
    A line of the table.

    :ivar key: the key of its values.
    :ivar title: what is measured, with its unit.
    :ivar digits: the number of decimal places.
    :ivar against: the reference peer for the ratios; None if no ratios are shown.
    """

    key: str
    title: str
    digits: int = 0
    against: str | None = None


def _rate(subject: Subject, scale: Scale, name: str, target: str, lua: Path | None) -> Outcome:
    # Warm up: connection pools fill, and the memory of Go and Python settles.
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
    """Idle clients, which have sent one request and stay connected."""
    if not subject.pid:
        return Outcome({})
    memory = measure.Memory(subject.pid)
    return Outcome({"idle.memory": clients.idle(subject.port, scale.crowd, memory.growth) / scale.crowd / 1e3})


def slow(subject: Subject, scale: Scale) -> Outcome:
    """Clients that upload slowly and concurrently."""
    if not subject.pid:
        return Outcome({})
    memory = measure.Memory(subject.pid)
    grown, failed = clients.slow(subject.port, scale.crowd, 0.15, memory.growth, subject.rewrites)
    return Outcome({"slow.memory": grown / scale.crowd / 1e3}, f"{failed} uploads failed" if failed else "")


def rest(subject: Subject, scale: Scale) -> Outcome:
    """No clients: the CPU usage of the idle proxy."""
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
