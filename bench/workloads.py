"""
The workloads.

Each measurement starts a new process of the peer, which first handles one form and one GET.  So the memory that one
workload leaves does not affect the next one.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import clients, forms, load, measure, streams
from .processes import Unable
from .server import Server, Wire


@dataclass(frozen=True)
class Scale:
    """
    The sizes and durations of the workloads.

    :ivar seconds: the duration of each measurement of a rate, in seconds.
    :ivar upload_bytes: the size of the large upload, in bytes.
    :ivar crowd: the number of clients that are idle or slow at the same time.
    :ivar paused: the number of uploads that are paused at the same time.
    :ivar shared_bytes: the size of each upload that shares a connection with others, in bytes.
    :ivar events: the number of events in a stream.
    :ivar rest_s: the duration of the measurement of an idle proxy's CPU time, in seconds.
    """

    seconds: float = 2.0
    upload_bytes: int = 256 << 20
    crowd: int = 1000
    paused: int = 200
    shared_bytes: int = 2 << 20
    events: int = 400
    rest_s: float = 3.0


@dataclass(frozen=True)
class Subject:
    """
    The peer under load.

    :ivar server: where it listens.
    :ivar pid: the PID of its process; None if there is no proxy.
    :ivar rewrites: whether it applies the configuration.
    :ivar folder: a folder for temporary files of the load.
    """

    server: Server
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


#: Runs a load generator for some seconds.
Generator = Callable[[float], load.Rate]


def _rate(subject: Subject, scale: Scale, name: str, generate: Generator) -> Outcome:
    # Warm up: connection pools fill, and the memory of Go and Python settles.
    generate(1)
    before = measure.cpu_s(subject.pid) if subject.pid else 0.0
    seen = generate(scale.seconds)
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
    return _rate(subject, scale, "get", lambda seconds: load.wrk(subject.server, "/", seconds, 16))


def form(subject: Subject, scale: Scale, name: str = "form") -> Outcome:
    """Transcriptions of 16 KB over 16 connections."""
    lua = load.script(load.form_file(subject.folder, 16_000))
    return _rate(subject, scale, name, lambda seconds: load.wrk(subject.server, forms.PATH, seconds, 16, lua))


def form_h2(subject: Subject, scale: Scale) -> Outcome:
    """Transcriptions of 16 KB over 4 HTTP/2 connections, 4 at a time on each."""
    path = load.form_file(subject.folder, 16_000)
    return _rate(subject, scale, "form-h2", lambda seconds: load.h2load(subject.server, path, seconds, 4, 4))


def _uploads(subject: Subject, scale: Scale, name: str, send: Callable[[], float]) -> Outcome:
    """
    Large transcriptions, one after the other, at least one.

    :param send: sends one, and returns the seconds that it took.
    """
    memory = measure.Memory(subject.pid) if subject.pid else None
    before = measure.cpu_s(subject.pid) if subject.pid else 0.0
    took_s, sent = 0.0, 0
    while took_s < scale.seconds:
        took_s += send()
        sent += scale.upload_bytes
    values = {f"{name}.rate": sent / took_s / 1e6}
    if subject.pid and memory:
        values[f"{name}.cpu"] = (measure.cpu_s(subject.pid) - before) / (sent / 1e9)
        values[f"{name}.memory"] = memory.growth() / 1e6
    return Outcome(values)


def upload(subject: Subject, scale: Scale) -> Outcome:
    """Large transcriptions from our own client."""

    def send() -> float:
        return clients.upload(subject.server, scale.upload_bytes, subject.rewrites)

    return _uploads(subject, scale, "upload", send)


def curl(subject: Subject, scale: Scale, name: str, version: str) -> Outcome:
    """Large transcriptions from curl."""
    path = load.form_file(subject.folder, scale.upload_bytes)

    def send() -> float:
        took_s, body = load.curl(subject.server, path, version)
        clients.check_length(body.encode(), scale.upload_bytes, subject.rewrites)
        return took_s

    return _uploads(subject, scale, name, send)


def share(subject: Subject, scale: Scale) -> Outcome:
    """Uploads on all streams of one HTTP/2 connection."""
    path = load.form_file(subject.folder, scale.shared_bytes)
    evenness, faults = load.shares(subject.server, path, streams.PER_CONNECTION)
    return Outcome({"share-h2.evenness": evenness}, faults)


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def latency(subject: Subject, scale: Scale) -> Outcome:
    """Transcriptions of 16 KB, one at a time."""
    message = forms.request(forms.recording(16_000))
    clients.latencies(subject.server, 0.2, message)
    taken = clients.latencies(subject.server, scale.seconds, message)
    return Outcome({"latency.p50": _percentile(taken, 0.5) * 1e3, "latency.p99": _percentile(taken, 0.99) * 1e3})


def events(subject: Subject, scale: Scale) -> Outcome:
    """Server-sent events, one each 4 ms."""
    delays = clients.events(subject.server, scale.events)
    return Outcome({"events.p50": _percentile(delays, 0.5) * 1e3, "events.p99": _percentile(delays, 0.99) * 1e3})


def idle(subject: Subject, scale: Scale) -> Outcome:
    """Idle clients, which have sent one request and stay connected."""
    if not subject.pid:
        return Outcome({})
    memory = measure.Memory(subject.pid)
    return Outcome({"idle.memory": clients.idle(subject.server, scale.crowd, memory.growth) / scale.crowd / 1e3})


def slow(subject: Subject, scale: Scale) -> Outcome:
    """Clients that upload slowly and concurrently."""
    if not subject.pid:
        return Outcome({})
    memory = measure.Memory(subject.pid)
    grown, failed = clients.slow(subject.server, scale.crowd, 0.15, memory.growth, subject.rewrites)
    return Outcome({"slow.memory": grown / scale.crowd / 1e3}, f"{failed} uploads failed" if failed else "")


def slow_h2(subject: Subject, scale: Scale) -> Outcome:
    """Slow and concurrent uploads over HTTP/2."""
    if not subject.pid:
        return Outcome({})
    memory = measure.Memory(subject.pid)
    grown = streams.slow(subject.server, scale.crowd, 0.15, memory.growth, subject.rewrites)
    return Outcome({"slow-h2.memory": grown / scale.crowd / 1e3})


def paused_h2(subject: Subject, scale: Scale) -> Outcome:
    """Uploads over HTTP/2 whose bodies the sink does not read."""
    if not subject.pid:
        return Outcome({})
    memory = measure.Memory(subject.pid)
    return Outcome(
        {"paused-h2.memory": streams.paused(subject.server, scale.paused, memory.growth) / scale.paused / 1e3}
    )


def rest(subject: Subject, scale: Scale) -> Outcome:
    """No clients: the CPU usage of the idle proxy."""
    if not subject.pid:
        return Outcome({})
    time.sleep(0.5)
    before = measure.fine_cpu_s(subject.pid)
    time.sleep(scale.rest_s)
    return Outcome({"rest.cpu": (measure.fine_cpu_s(subject.pid) - before) / scale.rest_s * 100})


@dataclass(frozen=True)
class Workload:
    """
    One of the measurements.

    :ivar run: measures.
    :ivar wire: what the peer has to serve.
    """

    run: Callable[[Subject, Scale], Outcome]
    wire: Wire = Wire.CLEAR


WORKLOADS = {
    "get": Workload(get),
    "form": Workload(form),
    "form-tls": Workload(functools.partial(form, name="form-tls"), Wire.TLS),
    "form-h2": Workload(form_h2, Wire.TLS),
    "upload": Workload(upload),
    "upload-tls": Workload(functools.partial(curl, name="upload-tls", version="--http1.1"), Wire.TLS),
    "upload-h2": Workload(functools.partial(curl, name="upload-h2", version="--http2"), Wire.TLS),
    "upload-h2c": Workload(
        functools.partial(curl, name="upload-h2c", version="--http2-prior-knowledge"), Wire.PRIOR_KNOWLEDGE
    ),
    "share-h2": Workload(share, Wire.TLS),
    "latency": Workload(latency),
    "events": Workload(events),
    "idle": Workload(idle),
    "slow": Workload(slow),
    "slow-h2": Workload(slow_h2, Wire.TLS),
    "paused-h2": Workload(paused_h2, Wire.TLS),
    "rest": Workload(rest),
}
