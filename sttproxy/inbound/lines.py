"""
A finished request as a line of the log: as text, as a JSON object, or in Apache's combined format.

No line has a query, a value of a field, or a header but those that its format is made of.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import printable
from ..http1.requests import RequestHead, shown_path
from ..logs.events import encode, utc
from ..monitor.entry import entry
from ..monitor.record import ANSWERING, RECEIVING, SENDING, TOTAL, WAITING, WORKING, Fields, Record
from ..requestid import trace_id

#: Writes a line, without its line break: of a finished request, the head of that request if it could be read, the
#: seconds since 1970, and the names of a level and of its origin.
Format = Callable[[Record, "RequestHead | None", float, str, str], str]

#: Replaces a part that is not known.
ABSENT = "-"
#: The status of a response that has not begun, as nginx logs a client that disconnects: readers of the combined format
#: need a number.
_CLIENT_CLOSED = 499
#: Longest value of a header in a line, in characters.
_MAX_VALUE = 500

_VERSIONS = {b"HTTP/1.1": "HTTP/1.1", b"HTTP/1.0": "HTTP/1.0", b"HTTP/2": "HTTP/2", b"": ABSENT}
_CONNECTIONS = {True: " connection=reused", False: " connection=new", None: ""}
_PHASES = (
    (RECEIVING, " receiving=%.3f"),
    (WAITING, " waiting=%.3f"),
    (SENDING, " sending=%.3f"),
    (WORKING, " working=%.3f"),
    (ANSWERING, " answering=%.3f"),
)
#: Shorter phases would be shown as 0.
_SHORTEST_S = 0.0005
_QUOTED = re.compile(r'[\s"=,]')
_UNSAFE = re.compile(r'["\\]|[^ -~]')


def text(record: Record, head: RequestHead | None, now: float, level: str, namespace: str) -> str:
    """
    For people: client, method, target, version, status, bytes and seconds of the response; then what there is to say of
    sizes, phases, connection, profile and fields; the identifier, and how it ended.
    """
    status = record.status or ABSENT
    line = (
        f"{record.client} {record.method.decode()} {shown_path(record.target)} {_VERSIONS[record.version]} {status} "
        f"{record.response_bytes} B {record.times[TOTAL]:.3f} s"
    )
    if record.received_bytes:
        line += f" received={record.received_bytes}"
    if record.sent_bytes:
        line += f" sent={record.sent_bytes}"
    times = record.times
    for phase, shown in _PHASES:
        if times[phase] >= _SHORTEST_S:
            line += shown % times[phase]
    line += _CONNECTIONS[record.reused]
    if record.profile:
        line += f" profile={_word(record.profile)}"
    if record.fields:
        line += _fields(record.fields)
    if record.server_request_id not in ("", record.request_id):
        line += f" server_id={record.server_request_id}"
    if record.why:
        return f"{line} id={record.request_id} {record.ending}: {record.why}"
    return f"{line} id={record.request_id} {record.ending}"


@functools.lru_cache(maxsize=256)
def _fields(fields: Fields) -> str:
    return "".join([f" {action}={','.join(map(_word, names))}" for action, names in fields])


def _word(name: str) -> str:
    """A name as one word."""
    name = printable(name)
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' if _QUOTED.search(name) else name


def json(record: Record, head: RequestHead | None, now: float, level: str, namespace: str) -> str:
    """A JSON object, with the members of `entry` and those that all objects of the log have."""
    shown: dict[str, Any] = {"time": "", "level": level, "namespace": namespace, "message": ""}
    shown.update(entry(record, now, client=True))
    shown["time"] = utc(now)
    shown["message"] = f"{shown['method']} {shown['target']} {record.outcome}"
    shown["trace_id"] = None if head is None else trace_id(head)
    return encode(shown)


def combined(record: Record, head: RequestHead | None, now: float, level: str, namespace: str) -> str:
    """Apache's combined format; the client's Referer loses its query, as the target does."""
    referers = [value.partition(b"?")[0] for value in _values(head, b"referer")]
    asked = f"{record.method.decode()} {shown_path(record.target)} {_VERSIONS[record.version]}"
    return (
        f'{record.client} - - [{_apache_time(int(now))}] "{_escaped(asked)}" {record.status or _CLIENT_CLOSED} '
        f'{record.response_bytes} "{_header(referers)}" "{_header(_values(head, b"user-agent"))}"'
    )


def _values(head: RequestHead | None, name: bytes) -> Sequence[bytes]:
    return () if head is None else head.values(name)


def _header(values: Sequence[bytes]) -> str:
    """The first value of a header."""
    return _escaped(values[0].decode("latin-1")[:_MAX_VALUE]) if values else ABSENT


def _escaped(value: str) -> str:
    """What stands between quotes, escaped as Apache does."""
    return _UNSAFE.sub(lambda found: _escape(found[0]), value)


def _escape(char: str) -> str:
    return f"\\{char}" if char in '"\\' else "".join(f"\\x{byte:02x}" for byte in char.encode())


@functools.lru_cache(maxsize=2)
def _apache_time(seconds: int) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(seconds))


#: By the values of --log-format.
FORMATS: dict[str, Format] = {"text": text, "json": json, "combined": combined}
