"""
The rows of the tables of connections, and the words in which they are written.

Two servers that disagree on where a request ends see different requests.  Each row is what one client sends on one
connection, and what must come of it: the requests that the upstream sees, and the statuses that the client gets, in
order.  ``/smuggled`` is a request that nobody has sent, unless a row says that it is seen.
"""

from __future__ import annotations

import attrs

#: What the recorder answers to every request that it reads.
OK = 200


@attrs.frozen
class Stream:
    """
    One connection of a client.

    :ivar reason: who disagrees.
    :ivar seen: method, target and body of each request that the upstream sees whole.
    :ivar statuses: of all answers.
    :ivar goes_on: the connection is good for another request; else it is closed after the last answer.
    """

    name: str
    reason: str
    sent: bytes
    seen: tuple[tuple[bytes, bytes, bytes], ...]
    statuses: tuple[int, ...]
    goes_on: bool = False


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
CL5 = b"Content-Length: 5"
TE = b"Transfer-Encoding: chunked"


def post(*fields: bytes, body: bytes = b"", target: bytes = b"/a", version: bytes = b"HTTP/1.1") -> bytes:
    """A request of its field lines and whatever follows."""
    return b"\r\n".join([b"POST %b %b" % (target, version), b"Host: h", *fields, b"", b""]) + body


def length(body: bytes) -> bytes:
    """The field line for a body."""
    return b"Content-Length: %d" % len(body)


def refused(name: str, reason: str, sent: bytes, status: int = 400) -> Stream:
    """Nothing is forwarded, one answer, and the end."""
    return Stream(name, reason, sent, (), (status,))


def broken(name: str, reason: str, body: bytes) -> Stream:
    """A body in chunks that breaks off: the upstream sees no whole request."""
    return refused(name, reason, post(TE, body=body))


def passes(name: str, reason: str, sent: bytes, *bodies: bytes) -> Stream:
    """Requests to /a with these bodies, and no other."""
    return Stream(name, reason, sent, tuple((b"POST", b"/a", body) for body in bodies), (OK,) * len(bodies), True)
