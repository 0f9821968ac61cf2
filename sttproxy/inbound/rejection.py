"""
Rejecting a request whose head cannot be accepted, before there is a `Request`.
"""

from __future__ import annotations

import functools

from .. import requestid
from ..errors import Header, ProxyError
from ..http1.requests import RequestHead
from ..http1.responses import write_response
from ..monitor.record import RECEIVING, REFUSED, Record
from ..peers import Peer
from . import accesslog
from .interfaces import Serving


def reject(
    site: Serving,
    peer: Peer,
    error: ProxyError,
    head: RequestHead | None,
    data: bytes,
    seconds: float,
    *,
    multiplexed: bool = False,
) -> tuple[list[Header], bytes]:
    """
    Count and log a rejected request.

    :param head: None if it could not be read.
    :param data: begins with the head, if it could not be read.
    :param seconds: since the head began.
    :param multiplexed: whether it came over HTTP/2.
    :return: the headers and the body of the response.
    """
    request_id = requestid.request_id(head)
    headers, body = error.answer(request_id)
    headers.append((requestid.HEADER, request_id.encode()))
    if site.cors is not None:
        headers = site.cors.amended(head, headers)
    version = b"HTTP/2" if multiplexed else b"" if head is None else head.version
    now = site.clock.seconds()
    if head is None:
        method, path = accesslog.asked_by(data)
        record = Record(now - seconds, method.encode(), path.encode(), version, peer.name)
    else:
        target = head.target.partition(b"?")[0]
        record = Record(now - seconds, head.method, target, version, peer.client(head))
    record.request_id = request_id
    record.enter(RECEIVING, record.began)
    record.blame(error)
    record.status = error.status
    record.response_bytes = len(body)
    record.complete = True
    record.end(REFUSED, now)
    site.registry.reject(record)
    site.scheduler.add(functools.partial(site.access.write, record, head))
    return headers, body


def last_response(error: ProxyError, headers: list[Header], body: bytes) -> bytes:
    """
    The response to a rejected request over HTTP/1, after which the connection is closed.

    :param headers: as `reject` returns them, like the body.
    """
    return write_response(error.status, error.phrase(), [*headers, (b"Connection", b"close")]) + body
