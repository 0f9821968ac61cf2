"""
Twisted's log events as JSON, and the keys that the events of this proxy have besides Twisted's.
"""

from __future__ import annotations

import functools
import json
import time
from typing import Any

from twisted.logger import LogEvent, LogLevel, formatEvent

from .destination import NAMESPACE

#: The key of an event's finished line, without the line break, and in text without timestamp and ``log_system``.
READY = "sttproxy_line"

#: The namespace of all events from code that uses the old module for logging.
_OLD = "log_legacy"

#: Encodes objects as the lines of a JSON log.
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


def utc(seconds: float) -> str:
    """
    A time as RFC 3339 defines it, in UTC, with milliseconds.

    :param seconds: since 1970.
    """
    milliseconds = round(seconds * 1000)
    return f"{_utc(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@functools.lru_cache(maxsize=2)
def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def as_json(event: LogEvent) -> str | None:
    """An event as a JSON object in one line; None if it says nothing."""
    line = event.get(READY)
    if line is not None:
        return str(line)
    failure = event.get("log_failure")
    message = formatEvent(event) or ("" if failure is None else failure.getErrorMessage())
    if not message:
        return None
    shown: dict[str, Any] = {
        "time": utc(event.get("log_time", 0.0)),
        "level": event.get("log_level", LogLevel.info).name,
        "namespace": _origin(event),
        "message": message,
    }
    if failure is not None:
        shown["traceback"] = failure.getTraceback()
    return encode(shown)


def _origin(event: LogEvent) -> str:
    """Who has logged an event."""
    namespace = event.get("log_namespace", _OLD)
    return str(event.get("log_system", "") if namespace == _OLD else namespace)


def json_line(text: str) -> str:
    """A line about the log itself, as `Destination` writes it."""
    return f"{encode({'time': utc(time.time()), 'level': 'warn', 'namespace': NAMESPACE, 'message': text})}\n"
