"""
Rejecting a request whose head cannot be accepted, before there is a `Request`.
"""

from __future__ import annotations

import functools

from ..errors import Header, ProxyError
from ..headers import Peer
from ..http1.requests import RequestHead
from ..http1.responses import write_response
from . import accesslog
from .interfaces import Serving


def reject(
    site: Serving, peer: Peer, error: ProxyError, head: RequestHead | None, data: bytes, seconds: float
) -> tuple[list[Header], bytes]:
    """
    Count and log a rejected request.

    :param head: None if it could not be read.
    :param data: begins with the head, if it could not be read.
    :param seconds: since the head began.
    :return: the headers and the body of the response.
    """
    site.stats.refused_requests += 1
    site.stats.answered(error.status)
    if head is None:
        client, asked = peer.name, accesslog.asked_by(data)
    else:
        client, asked = peer.client(head), (head.method.decode(), head.shown_target())
    headers, body = error.answer()
    if site.cors is not None:
        headers = site.cors.amended(head, headers)
    level = accesslog.level_of(error)
    line = functools.partial(accesslog.write, level, client, *asked, error.status, len(body), seconds, error.message)
    site.scheduler.add(line)
    return headers, body


def last_response(error: ProxyError, headers: list[Header], body: bytes) -> bytes:
    """
    The response to a rejected request over HTTP/1, after which the connection is closed.

    :param headers: as `reject` returns them, like the body.
    """
    return write_response(error.status, error.phrase(), [*headers, (b"Connection", b"close")]) + body
