"""
Trailers: which fields of a trailer section the proxy forwards, and how it says that a client accepts them.

A trailer section becomes a trailer section again, of either version of HTTP, and never a part of a head.  It is dropped
where the framing has none: in a message with a Content-Length over HTTP/1.1, and to clients of HTTP/1.0.
"""

from __future__ import annotations

from collections.abc import Sequence

from .errors import Header
from .forwarded import FORWARDED
from .headers import HOP_BY_HOP
from .http1.heads import Head, options

#: Fields that a trailer section must not contain (RFC 9110 §6.5.1): they frame or route a message, authenticate its
#: sender, modify a request, control a response, or describe the content.  They are dropped, because a recipient that
#: merges trailers into the head would let the sender replace header fields that are already checked.
_NEVER = (
    HOP_BY_HOP
    | {name.replace(b"_", b"-") for name in FORWARDED}
    | {
        b"age",
        b"authorization",
        b"cache-control",
        b"cdn-loop",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-location",
        b"content-range",
        b"content-type",
        b"cookie",
        b"date",
        b"expires",
        b"host",
        b"http2-settings",
        b"location",
        b"max-forwards",
        b"pragma",
        b"proxy-authentication-info",
        b"range",
        b"retry-after",
        b"set-cookie",
        b"trailer",
        b"vary",
        b"warning",
        b"www-authenticate",
    }
)
_CONDITIONAL = b"if-"


def forwardable(head: Head, trailers: Sequence[Header]) -> list[Header]:
    """
    The fields of a trailer section that the proxy forwards.

    :param head: the head of their message; what its Connection header names is dropped.
    """
    return [trailer for trailer in trailers if _may_follow(trailer[0].lower(), head.connection)]


def _may_follow(name: bytes, connection: frozenset[bytes]) -> bool:
    """Whether a lower-cased name may be in a trailer section, also to servers that cannot tell ``_`` from ``-``."""
    plain = name.replace(b"_", b"-")
    return name not in connection and plain not in _NEVER and not plain.startswith(_CONDITIONAL)


def accepting(head: Head) -> list[Header]:
    """
    The headers that tell the server that the client accepts trailers; none if the client does not say so.

    TE concerns one connection.  "trailers" is the only part of it that the proxy can promise for the client (RFC 9110
    §6.5.1, §10.1.4).
    """
    if head.version == b"HTTP/1.0" or b"trailers" not in options(head.values(b"te")):
        return []
    return [(b"Connection", b"TE"), (b"TE", b"trailers")]
