"""
The row type of the tables of connections, and helpers to write rows.

Two servers that disagree on the end of a request see different requests.  Each row is what one client sends on one
connection, with the expected results: the requests that the upstream sees, and the statuses that the client gets, in
order.  ``/smuggled`` is a request that the client did not send, unless the row says that the upstream sees it.
"""

from __future__ import annotations

import attrs

#: The recorder's response to every request that it reads.
OK = 200


@attrs.frozen
class Stream:
    """
    One connection of a client.

    :ivar reason: which servers disagree.
    :ivar seen: method, target and body of each complete request that the upstream sees.
    :ivar statuses: the statuses of all responses.
    :ivar goes_on: the connection can carry another request; otherwise it is closed after the last response.
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
    """A request with these field lines, and the bytes after them."""
    return b"\r\n".join([b"POST %b %b" % (target, version), b"Host: h", *fields, b"", b""]) + body


def length(body: bytes) -> bytes:
    """The Content-Length line for a body."""
    return b"Content-Length: %d" % len(body)


def refused(name: str, reason: str, sent: bytes, status: int = 400) -> Stream:
    """Nothing is forwarded; one response, then a close."""
    return Stream(name, reason, sent, (), (status,))


def broken(name: str, reason: str, body: bytes) -> Stream:
    """A chunked body that fails: the upstream sees no complete request."""
    return refused(name, reason, post(TE, body=body))


def passes(name: str, reason: str, sent: bytes, *bodies: bytes) -> Stream:
    """Exactly these requests to /a pass, with these bodies."""
    return Stream(name, reason, sent, tuple((b"POST", b"/a", body) for body in bodies), (OK,) * len(bodies), True)
