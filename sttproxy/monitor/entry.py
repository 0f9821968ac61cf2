"""
A finished record as names and values, for JSON: the same names wherever it is shown.
"""

from __future__ import annotations

from typing import Any

from ..http1.requests import shown_path
from .record import ANSWERING, PHASES, Record

#: The members with the phases and the total, in the order of `Record.times`.
_SECONDS = tuple(f"{phase}_seconds" for phase in PHASES)


def entry(record: Record, time: float, *, client: bool = False) -> dict[str, Any]:
    """
    A record, without values of fields, keys and queries.

    :param time: when it ended, in seconds since 1970.
    :param client: whether the client's address is shown.
    """
    shown: dict[str, Any] = {
        "time": round(time, 3),
        "route": record.route,
        "profile": record.profile,
        "method": record.method.decode(),
        "target": shown_path(record.target),
        "http_version": record.version.decode().removeprefix("HTTP/"),
        "status": record.status,
        "ending": record.ending,
        "error": record.error,
        "reason": record.why,
        "request_id": record.request_id,
        "server_request_id": record.server_request_id,
        "server": record.server.name if record.server else "",
        "connection_reused": record.reused,
        "request_bytes": record.received_bytes,
        "sent_bytes": record.sent_bytes,
        "response_bytes": record.response_bytes,
        "recording_bytes": record.recording_bytes,
        "audio_seconds": record.audio_seconds,
        "fields": {action: list(names) for action, names in record.fields},
    }
    for name, seconds in zip(_SECONDS, record.times, strict=True):
        shown[name] = round(seconds, 6) if seconds else 0.0  # rounding takes longer than all the rest
    if client:
        shown["client"] = record.client
    return shown


def server_timing(record: Record) -> bytes:
    """
    The phases before a response, and their sum, as a value of Server-Timing: in milliseconds.

    :param record: its response begins.
    """
    times = [*zip(PHASES[:ANSWERING], record.times, strict=False), ("total", record.since - record.began)]
    return ", ".join([f"{phase};dur={1000 * seconds:.1f}" for phase, seconds in times]).encode()
