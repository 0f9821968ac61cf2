"""
Identifiers of requests: in ``X-Request-ID`` to the server and back to the client, in the log and in error bodies.

The identifier of a client is kept, whoever it is: nothing is decided by an identifier, and a client that finds its own
one in the log, in an error or at the server is why it sends one.  The line in the log has the client's address, too, so
two clients with the same identifier can be told apart.  It must be one token of limited length, so that it cannot
change the form of a line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .http1.heads import Head

HEADER = b"X-Request-ID"

#: Visible ASCII; other proxies make identifiers of 20 to 40 characters, and accept some more.
_SANE = re.compile(rb"[!-~]{1,128}")
_TRACE_PARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")

#: Bytes of an identifier: 64 random bits are enough to tell apart the requests of some years.
_SIZE = 8
#: How many identifiers are made at once.  A call of the system for each would take six times as long.
_BLOCK = 256


def _identifiers() -> Iterator[str]:
    while True:
        digits = os.urandom(_SIZE * _BLOCK).hex()
        for at in range(0, len(digits), 2 * _SIZE):
            yield digits[at : at + 2 * _SIZE]


_made = _identifiers()


def stated(head: Head) -> str:
    """The identifier in a head; empty: none, or not a sane one."""
    values = head.index.get(b"x-request-id")
    return values[0].decode() if values and len(values) == 1 and _SANE.fullmatch(values[0]) else ""


def request_id(head: Head | None) -> str:
    """
    The identifier of a request: the client's, if there is one and it is sane, else a new one.

    :param head: None if it could not be read.
    """
    if head is None or b"x-request-id" not in head.index:
        return next(_made)
    return stated(head) or next(_made)


def trace_id(head: Head) -> str | None:
    """The trace that a request belongs to, by its ``traceparent`` (W3C Trace Context); None: it says none."""
    values = head.values(b"traceparent")
    found = _TRACE_PARENT.fullmatch(values[0]) if len(values) == 1 else None
    return found.group(1).decode() if found else None
