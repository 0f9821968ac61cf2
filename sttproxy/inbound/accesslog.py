"""
The access log: one line for each request, and for each head that was rejected.

All lines have the same form: the client, the method, the path, the status or another outcome, bytes of the response's
body, seconds, and a reason if the proxy gives one.
"""

from __future__ import annotations

import re
import time
from typing import Any

from twisted.logger import Logger, LogLevel

from ..errors import BadRequest
from ..http1.requests import shown_path
from ..logs.observer import READY
from ..monitor.record import FAILED, TOTAL, Record

#: One origin for all lines, wherever a request ends.
log = Logger(namespace="sttproxy.inbound.request")

#: One of `LogLevel`, which is not typed.
Level = Any

#: The origin in a log line, by level, as Twisted writes it.
_SYSTEMS = {level: f"{log.namespace}#{level.name}" for level in LogLevel.iterconstants()}

_INFO, _WARN, _ERROR = LogLevel.info, LogLevel.warn, LogLevel.error
#: Replaces a method or a path that was not read.
_ABSENT = "-"
#: Longest method in a log line, in bytes; the longest registered one has 17.
_MAX_METHOD = 32
_BEGINNING = re.compile(rb"([^ \r\n]*)(?:( )([^ \r\n]*))?([ \r\n])?")
_METHOD = re.compile(rb"[!#$%%&'*+\-.^_`|~0-9A-Za-z]{1,%d}" % _MAX_METHOD)
_AUTHORITY = re.compile(rb"(?i:https?)://[^/?#]*")


def level_of(record: Record) -> Level:
    """
    The log level of a finished request.

    Errors of clients are information.  Errors of the upstream and reached limits are warnings for the operator, also
    those that the upstream reports: the client gets no transcript.  Failures of the proxy itself are bugs.
    """
    if record.ending == FAILED:
        return _ERROR
    if record.error:
        return _INFO if record.error_type == BadRequest.type else _WARN
    return _WARN if record.status >= 500 else _INFO


def write(record: Record) -> None:
    """
    Log a finished request as `Logger.emit` would, in a third of the time.

    The event is made here as Twisted would make it, with a line that is formatted already: it has no fields, and counts
    as flattened.  `TextObserver` writes the line as it is.
    """
    level = level_of(record)
    line = text(record)
    log.observer(
        {
            "log_logger": log,
            "log_level": level,
            "log_namespace": log.namespace,
            "log_source": None,
            "log_system": _SYSTEMS[level],
            "log_format": line.replace("{", "{{").replace("}", "}}") if "{" in line or "}" in line else line,
            "log_flattened": {},
            READY: line,
            "log_time": time.time(),
        }
    )


def text(record: Record) -> str:
    """The line of a finished request."""
    asked = f"{record.client} {record.method.decode()} {shown_path(record.target)}"
    got = f"{record.outcome} {record.response_bytes} B {record.times[TOTAL]:.3f} s"
    return f"{asked} {got} {record.why}" if record.why else f"{asked} {got}"


def asked_by(beginning: bytes) -> tuple[str, str]:
    """
    Method and path of a rejected head, as far as they were read and may appear in a log line.

    The path has no query, and no authority of an http URL: both may contain secrets.

    :param beginning: what was read of the head.  A method or path that is cut off ends with an ellipsis.
    """
    words = _BEGINNING.match(beginning)
    assert words is not None, "it matches an empty string too"
    method, space, target, end = words.groups()
    if not _METHOD.fullmatch(method):
        return _ABSENT, _ABSENT
    if not space:
        return method.decode() + "…" * (not end), _ABSENT
    authority = _AUTHORITY.match(target)
    if authority is not None:
        target = target[authority.end() :] or b"/"
    if not target.startswith(b"/") and target != b"*":
        return method.decode(), _ABSENT
    path = shown_path(target)
    whole = end or b"?" in target or path.endswith("…")
    return method.decode(), path if whole else path + "…"


class Changes:
    """
    Remembers the outcome of the last request for a page of the proxy's own.  Monitoring asks for these pages all the
    time; only a change is worth a log line.
    """

    def __init__(self) -> None:
        self._last: object = None

    def new(self, ending: object) -> bool:
        """Whether an outcome differs from the one before."""
        last, self._last = self._last, ending
        return ending != last
