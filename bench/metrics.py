"""
The lines of the table.
"""

from __future__ import annotations

from dataclasses import dataclass

from .streams import PER_CONNECTION
from .workloads import Scale


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


def metrics(scale: Scale) -> list[Metric]:
    """The lines of the table."""
    large = f"{scale.upload_bytes >> 20} MiB transcriptions"
    return [
        *_rate("get", "GET, 16 connections"),
        *_rate("form", "16 KB transcriptions, 16 connections"),
        *_rate("form-tls", "16 KB transcriptions over TLS, 16 connections"),
        *_rate("form-h2", "16 KB transcriptions over HTTP/2 and TLS, 4 × 4 streams"),
        *_upload("upload", large),
        *_upload("upload-tls", f"{large} over TLS"),
        *_upload("upload-h2", f"{large} over HTTP/2 and TLS"),
        *_upload("upload-h2c", f"{large} over HTTP/2 in the clear"),
        Metric("share-h2.evenness", f"{PER_CONNECTION} uploads over one connection: slowest / fastest", 2),
        Metric("latency.p50", "16 KB transcription, one connection: p50, ms", 3),
        Metric("latency.p99", "… p99, ms", 3),
        Metric("events.p50", "Event passed on: p50, ms", 3),
        Metric("events.p99", "… p99, ms", 3),
        Metric("idle.memory", f"{scale.crowd} idle clients: KB each", 1),
        Metric("slow.memory", f"{scale.crowd} slow uploads: KB each", 1),
        Metric("slow-h2.memory", f"{scale.crowd} slow uploads over HTTP/2: KB each", 1),
        Metric("paused-h2.memory", f"{scale.paused} paused uploads over HTTP/2: KB each", 1),
        Metric("start", "Start to listening: s", 3),
        Metric("start-tls", "Start to listening with TLS: s", 3),
        Metric("rest.cpu", "At rest: % of a core", 3),
    ]


def _rate(workload: str, title: str) -> list[Metric]:
    return [
        Metric(f"{workload}.rate", f"{title}: requests/s", 0, "Caddy"),
        Metric(f"{workload}.cpu", "… CPU µs/request", 1, "Caddy"),
        Metric(f"{workload}.busy", "… % of its core in use"),
    ]


def _upload(workload: str, title: str) -> list[Metric]:
    return [
        Metric(f"{workload}.rate", f"{title}: MB/s", 0, "nginx"),
        Metric(f"{workload}.cpu", "… CPU s/GB", 3, "nginx"),
        Metric(f"{workload}.memory", "… growth to the peak, MB", 1),
    ]
