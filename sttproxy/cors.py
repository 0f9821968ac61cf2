"""
Cross-origin resource sharing: which web pages of other origins may read responses.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol.  The proxy decides alone: what the upstream says is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .errors import BadRequest, ForbiddenOrigin, Header
from .http1.heads import Head, options
from .http1.requests import RequestHead

#: Stands for every origin.
ANY = "*"
#: Seconds for which a browser may keep the result of a preflight; Chromium keeps none for longer than two hours.
MAX_AGE_S = 600
#: Headers that a page may read, besides those that the upstream exposes and those that the Fetch standard lists.
EXPOSED = (b"retry-after", b"x-request-id", b"x-should-retry", b"x-sttproxy-config", b"x-sttproxy-transcript")

_EXPOSE = b"access-control-expose-headers"
_PREFIX = b"access-control-"
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NAMES = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z, \t]*")


def is_preflight(head: RequestHead) -> bool:
    """Whether a browser asks, before a request, whether its page may send it."""
    return head.method == b"OPTIONS" and b"origin" in head.index and b"access-control-request-method" in head.index


class CrossOrigin:
    """The origins whose pages may read responses."""

    def __init__(self, origins: Iterable[str]) -> None:
        """
        :param origins: as browsers write them in Origin; `ANY` stands for all others.
        """
        named = set(origins)
        self._any = ANY in named
        self._named = frozenset(origin.encode() for origin in named - {ANY})

    def check_preflight(self, head: RequestHead) -> None:
        """
        Check a preflight.

        :raises ForbiddenOrigin: when its origin may not read responses.
        :raises BadRequest: when it asks for something that is no method, or no header.
        """
        if not self._granted(head):
            origin = b", ".join(head.values(b"origin")).decode("ascii", "backslashreplace")
            raise ForbiddenOrigin(
                f"Pages of the origin {origin[:200]!r} may not use this proxy; --cors-origin lists those that may."
            )
        methods, names = _asked(head)
        if len(methods) != 1 or not _METHOD.fullmatch(methods[0]) or not all(map(_NAMES.fullmatch, names)):
            raise BadRequest("The Access-Control-Request-* headers must name one method and any number of headers.")

    def amended(self, head: RequestHead | None, headers: list[Header]) -> list[Header]:
        """
        The headers of a response, with those that let pages read it in place of the upstream's.

        :param head: of the request; None if it could not be read.
        """
        if not any(name[:15].lower() == _PREFIX for name, _ in headers):
            kept, exposed = headers, list(EXPOSED)
        else:
            kept = [header for header in headers if header[0][:15].lower() != _PREFIX]
            theirs = options([value for name, value in headers if name.lower() == _EXPOSE])
            exposed = [*EXPOSED, *sorted(theirs.difference(EXPOSED))]
        origin = self._granted(head)
        # A response without an Origin in its request varies, too: caches may give it to a page.
        varies = [(b"Vary", b"Origin")] if self._named else []
        if not origin:
            return kept + varies
        granted = [(b"Access-Control-Allow-Origin", origin)]
        if origin != ANY.encode():
            granted.append((b"Access-Control-Allow-Credentials", b"true"))
        if head is not None and is_preflight(head):
            granted += _permissions(head)
        else:
            granted.append((b"Access-Control-Expose-Headers", b", ".join(exposed)))
        return kept + granted + varies

    def _granted(self, head: Head | None) -> bytes:
        """The value of Access-Control-Allow-Origin; empty if the page may not read the response."""
        origins = head.values(b"origin") if head is not None else ()
        if len(origins) == 1 and origins[0] in self._named:
            return origins[0]
        return ANY.encode() if self._any else b""


def _asked(head: RequestHead) -> tuple[list[bytes], list[bytes]]:
    """The methods and the lists of headers that a preflight asks for."""
    return list(head.values(b"access-control-request-method")), list(head.values(b"access-control-request-headers"))


def _permissions(head: RequestHead) -> list[Header]:
    """What a preflight asks for, as permissions."""
    methods, names = _asked(head)
    permissions = [
        (b"Access-Control-Allow-Methods", b", ".join(methods)),
        (b"Access-Control-Max-Age", b"%d" % MAX_AGE_S),
    ]
    if any(names):
        permissions.append((b"Access-Control-Allow-Headers", b", ".join(names)))
    if [value.lower() for value in head.values(b"access-control-request-private-network")] == [b"true"]:
        # https://wicg.github.io/private-network-access/: a public page asks for a server on a private network.
        permissions.append((b"Access-Control-Allow-Private-Network", b"true"))
    return permissions
