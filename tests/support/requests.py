"""
Requests and heads for the parts that need only little of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock

from sttproxy.errors import Header, ProxyError
from sttproxy.http1.heads import Head
from sttproxy.monitor.record import DONE, Ending, Record


def head_of(headers: list[Header], connection: Iterable[bytes] = ()) -> Head:
    """A head with the given headers and, separately, the options of Connection."""
    index: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        index.setdefault(name.lower(), []).append(value)
    options = frozenset(connection)
    if options:
        index[b"connection"] = list(options)
    return Head(b"HTTP/1.1", headers, index, options, 0, False)


def record(now: float = 0.0, method: bytes = b"GET", target: bytes = b"/x", client: str = "192.0.2.7") -> Record:
    """Return the record of a request in flight."""
    return Record(now, method, target, b"HTTP/1.1", client)


def finished(
    now: float = 0.0,
    took: float = 0.1,
    status: int = 200,
    ending: Ending = DONE,
    error: ProxyError | None = None,
    **attributes: Any,
) -> Record:
    """
    Return the record of a request with a complete response.

    :param now: when it ends.
    :param took: seconds, all of the phase that a request begins with.
    :param error: with which the proxy ended it.
    :param attributes: further attributes of the record.
    """
    names = {name: attributes.pop(name) for name in ("method", "target", "client") if name in attributes}
    ended = record(now - took, **names)
    ended.status, ended.complete = status, True
    if error is not None:
        ended.blame(error)
    for name, value in attributes.items():
        setattr(ended, name, value)
    ended.end(ending, now)
    return ended


def request_to_send(clock: Clock | None = None) -> Any:
    """Return what an upload needs of a request; its body has not arrived yet."""
    site = SimpleNamespace(clock=clock or Clock())
    return SimpleNamespace(record=record(), body=SimpleNamespace(complete=False), site=site)
