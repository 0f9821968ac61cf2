"""
The access log: one line for each request, and for each head that was refused before it became one.

All lines look the same, whatever became of the request, so that one search finds them: the client, the method, the
path, the status or how it ended otherwise, bytes of the answer's body, seconds, and why where the proxy itself says so.
"""

from __future__ import annotations

import re
import time
from typing import Any

from twisted.logger import Logger, LogLevel

from ..errors import ProxyError
from ..http1.requests import shown_path
from ..logs.observer import READY

#: One origin for all lines, wherever a request ends.
log = Logger(namespace="sttproxy.inbound.request")

#: One of `LogLevel`, which is not typed.
Level = Any

#: What a log line names as its origin, as Twisted writes it.
_SYSTEMS = {level: f"{log.namespace}#{level.name}" for level in LogLevel.iterconstants()}

_INFO, _WARN = LogLevel.info, LogLevel.warn
#: By the type of an error of the proxy's own: what clients do wrong is their business, what the upstream does and which
#: limits are reached is an operator's, and the proxy's own failures are bugs.
_LEVELS = {"upstream_error": _WARN, "server_error": LogLevel.error}

#: What stands in place of a method or a path that was not read.
_ABSENT = "-"
#: Most bytes of a method that are shown; the longest registered one has 17.
_MAX_METHOD = 32
_BEGINNING = re.compile(rb"([^ \r\n]*)(?:( )([^ \r\n]*))?([ \r\n])?")
_METHOD = re.compile(rb"[!#$%%&'*+\-.^_`|~0-9A-Za-z]{1,%d}" % _MAX_METHOD)
_AUTHORITY = re.compile(rb"(?i:https?)://[^/?#]*")


def level_of(error: ProxyError) -> Level:
    """The level at which a request is logged that ended with an error of the proxy's own."""
    return _LEVELS.get(error.type, _INFO)


def level_of_answer(status: int) -> Level:
    """
    Likewise, where it was answered otherwise.

    A failure that the upstream tells of is a failure like one that the proxy finds: its client has no transcript.
    """
    return _WARN if status >= 500 else _INFO


def write(
    level: Level, client: str, method: str, path: str, outcome: object, size: int, seconds: float, why: str
) -> None:
    """
    Log a request as `Logger.emit` would, for a third of the price.

    What takes Twisted long is done for it: to check the level, to put the system together, and to format the line,
    which holds no fields and is declared to be flattened.  Our own observer finds the line ready.

    :param outcome: the status, or how it ended without a complete answer.
    :param why: what the proxy says of it; empty: nothing.
    """
    line = f"{client} {method} {path} {outcome} {size} B {seconds:.3f} s{' ' * bool(why)}{why}"
    log.observer(
        {
            "log_logger": log,
            "log_level": level,
            "log_namespace": log.namespace,
            "log_source": None,
            "log_system": _SYSTEMS[level],
            "log_format": line.replace("{", "{{").replace("}", "}}"),
            "log_flattened": {},
            READY: line,
            "log_time": time.time(),
        }
    )


def asked_by(beginning: bytes) -> tuple[str, str]:
    """
    Method and path of a head that was refused, as far as they were read and may stand in a log line.

    The path is without the query, and of an http URL without the authority, for both may hold secrets.

    :param beginning: what was read of the head.  An ellipsis stands where the one or the other is cut off.
    """
    words = _BEGINNING.match(beginning)
    assert words is not None, "it matches nothing at all, too"
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
    Remembers how requests ended, for the proxy's own pages: those who watch ask for them again and again, and what is
    worth a line is a change.
    """

    def __init__(self) -> None:
        self._last: object = None

    def new(self, ending: object) -> bool:
        """Whether a request ended in another way than the one before."""
        last, self._last = self._last, ending
        return ending != last
