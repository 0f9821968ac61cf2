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

from ..errors import BadRequest, ProxyError
from ..http1.requests import shown_path
from ..logs.observer import READY

#: One origin for all lines, wherever a request ends.
log = Logger(namespace="sttproxy.inbound.request")

#: One of `LogLevel`, which is not typed.
Level = Any

#: The origin in a log line, by level, as Twisted writes it.
_SYSTEMS = {level: f"{log.namespace}#{level.name}" for level in LogLevel.iterconstants()}

_INFO, _WARN = LogLevel.info, LogLevel.warn
#: Replaces a method or a path that was not read.
_ABSENT = "-"
#: Longest method in a log line, in bytes; the longest registered one has 17.
_MAX_METHOD = 32
_BEGINNING = re.compile(rb"([^ \r\n]*)(?:( )([^ \r\n]*))?([ \r\n])?")
_METHOD = re.compile(rb"[!#$%%&'*+\-.^_`|~0-9A-Za-z]{1,%d}" % _MAX_METHOD)
_AUTHORITY = re.compile(rb"(?i:https?)://[^/?#]*")


def level_of(error: ProxyError) -> Level:
    """
    The log level of a request that ended with an error of the proxy.

    Errors of clients are information.  Errors of the upstream and reached limits are warnings for the operator.
    Failures of the proxy itself are bugs.
    """
    if isinstance(error, BadRequest):
        return _INFO
    return LogLevel.error if error.code == ProxyError.code else _WARN


def level_of_status(status: int) -> Level:
    """
    The log level of a request with any other response.

    A failure that the upstream reports is a warning too: the client gets no transcript.
    """
    return _WARN if status >= 500 else _INFO


def write(
    level: Level, client: str, method: str, path: str, outcome: object, size: int, seconds: float, why: str
) -> None:
    """
    Log a request as `Logger.emit` would, in a third of the time.

    The event is made here as Twisted would make it, with a line that is formatted already: it has no fields, and counts
    as flattened.  `TextObserver` writes the line as it is.

    :param outcome: the status, or what ended the request without a complete response.
    :param why: the reason; empty: none.
    """
    line = f"{client} {method} {path} {outcome} {size} B {seconds:.3f} s{' ' * bool(why)}{why}"
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
