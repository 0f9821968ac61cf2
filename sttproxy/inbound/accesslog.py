"""
The access log: one line for each request, and for each head that was rejected.

`lines` has their formats.
"""

from __future__ import annotations

import re
import time
from typing import Any

from twisted.logger import Logger, LogLevel

from ..errors import BadRequest
from ..http1.requests import RequestHead, shown_path
from ..logs.events import READY
from ..monitor.record import FAILED, Record
from .lines import ABSENT, Format, text

#: One origin for all lines, wherever a request ends.
log = Logger(namespace="sttproxy.inbound.request")

#: One of `LogLevel`, which is not typed.
Level = Any

#: The origin in a log line, by level, as Twisted writes it.
_SYSTEMS = {level: f"{log.namespace}#{level.name}" for level in LogLevel.iterconstants()}

_INFO, _WARN, _ERROR = LogLevel.info, LogLevel.warn, LogLevel.error
#: For observers that format events themselves.
_FORMAT = f"{{{READY}}}"
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


class AccessLog:
    """Writes the lines of requests."""

    def __init__(self, format: Format = text, level: str = "debug") -> None:
        """
        :param format: writes a line.
        :param level: the name of the lowest level that is logged.
        """
        self._format = format
        lowest = LogLevel.levelWithName(level)
        self._levels = frozenset(each for each in LogLevel.iterconstants() if each >= lowest)

    def write(self, record: Record, head: RequestHead | None) -> None:
        """
        Log a finished request as ``Logger.emit`` would, in a third of the time.

        The event is made here as Twisted would make it, with its finished line, which `LineObserver` writes as it is.

        :param head: of the request; None if it could not be read.
        """
        level = level_of(record)
        if level not in self._levels:
            return
        now = time.time()
        log.observer(
            {
                "log_logger": log,
                "log_level": level,
                "log_namespace": log.namespace,
                "log_source": None,
                "log_system": _SYSTEMS[level],
                "log_format": _FORMAT,
                READY: self._format(record, head, now, level.name, log.namespace),
                "log_time": now,
            }
        )


#: The default of `Site`.
TEXT_LOG = AccessLog()


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
        return ABSENT, ABSENT
    if not space:
        return method.decode() + "…" * (not end), ABSENT
    authority = _AUTHORITY.match(target)
    if authority is not None:
        target = target[authority.end() :] or b"/"
    if not target.startswith(b"/") and target != b"*":
        return method.decode(), ABSENT
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
