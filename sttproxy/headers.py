"""
Header rules of the proxy: hop-by-hop headers, upgrades, and Content-Type.

Headers are lists of raw pairs of name and value, in their original order and spelling.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from .errors import Header, UnsupportedBody
from .http1.heads import Head

#: Hop-by-hop headers (RFC 9110 §7.6.1, RFC 9112 §9.6), which are never forwarded.  Connection can name more of them.
#: Expect is one of them because the proxy itself responds to it.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)

#: Headers that are forwarded even if Connection names them.  Without this list, a client could make the proxy remove
#: headers that the upstream relies on.  RFC 8586 §2 requires it for CDN-Loop.
_END_TO_END = frozenset({b"host", b"content-length", b"content-type", b"authorization", b"cdn-loop"})

#: X-Request-ID, which the proxy writes itself in both directions, also with underscores: servers behind CGI-like
#: gateways cannot tell them from hyphens.
REQUEST_ID = frozenset(b"x%crequest%cid" % (first, second) for first in b"-_" for second in b"-_")
_NOT_FORWARDED = HOP_BY_HOP | REQUEST_ID

#: Headers that are true of one body only: its length, its parts, its version, its digests (RFC 9530, RFC 3230,
#: RFC 1864), and what is signed with them (RFC 9421).
_OF_ONE_BODY = frozenset(
    {
        b"accept-ranges",
        b"content-digest",
        b"content-length",
        b"content-md5",
        b"digest",
        b"etag",
        b"repr-digest",
        b"signature",
        b"signature-input",
        b"unencoded-digest",
    }
)

#: Headers that describe a body.  Trailer does, because the trailers of a rewritten body are dropped.
_DESCRIBING = frozenset({b"content-type", b"content-length", b"trailer"})

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_MEDIA_TYPE = re.compile(rb"(%b/%b)[ \t]*" % (_TOKEN, _TOKEN))
#: An unquoted value may contain more characters than a token: Java writes boundaries with equals signs.
_BARE_VALUE = rb"[^\x00-\x20\x7f-\xff\",;\\]+"
_QUOTED_VALUE = rb'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~])*)"'
_PARAMETER = re.compile(rb";[ \t]*(?:(%b)=(?:(%b)|%b)[ \t]*)?" % (_TOKEN, _BARE_VALUE, _QUOTED_VALUE))
_KEEP_ALIVE_TIMEOUT = re.compile(rb"(?:^|[,;])[ \t]*(?i:timeout)[ \t]*=[ \t]*([0-9]{1,9})[ \t]*(?:[,;]|$)")
#: RFC 2046 §5.1.1 allows fewer characters, but clients use others too, and the proxy sends a boundary of its own.  Some
#: receivers remove a space at the end.
_BOUNDARY = re.compile(rb"[ -~]{0,69}[!-~]")


def end_to_end(head: Head) -> list[Header]:
    """The headers that the proxy forwards as they are, in a new list."""
    if not head.has(_NOT_FORWARDED):
        return head.headers.copy()
    stop = _NOT_FORWARDED.union(head.connection) - _END_TO_END
    return [header for header in head.headers if header[0].lower() not in stop]


def describing(headers: list[Header], content_type: bytes, length: int | None) -> list[Header]:
    """
    Adapt Content-Type and Content-Length to a new body; each keeps its position and the spelling of its name.  Drop
    Trailer.

    :param length: the length of the body in bytes; None if it is chunked.
    """
    new = {b"content-type": content_type}
    if length is not None:
        new[b"content-length"] = b"%d" % length
    described = []
    for header in headers:
        key = header[0].lower()
        if key in _DESCRIBING:
            if key in new:
                described.append((header[0], new.pop(key)))
        else:
            described.append(header)
    if b"content-length" in new:
        described.append((b"Content-Length", new[b"content-length"]))
    return described


def of_another_body(headers: Iterable[Header]) -> list[Header]:
    """Headers, or trailers, without those that are true of one body only; Content-Type is kept."""
    return [header for header in headers if header[0].lower() not in _OF_ONE_BODY]


def unencoded(headers: list[Header]) -> list[Header]:
    """The headers of a request, asking for a response without a content coding (RFC 9110 §12.5.3)."""
    kept = [header for header in headers if header[0].lower() != b"accept-encoding"]
    return [*kept, (b"Accept-Encoding", b"identity")]


def keep_alive_timeout(values: Sequence[bytes]) -> float | None:
    """
    The idle timeout that a server announces, in seconds; None if it does not.

    :param values: the values of Keep-Alive (RFC 2068 §19.7.1.1; servers still send it).
    """
    found = _KEEP_ALIVE_TIMEOUT.search(b",".join(values))
    return float(found.group(1)) if found else None


def upgrade_asked(head: Head) -> bytes | None:
    """The value of Upgrade that is forwarded with a request; None if the request cannot switch protocols."""
    if b"upgrade" not in head.connection or head.length != 0 or head.version != b"HTTP/1.1":
        return None
    return upgrade_of(head.connection, head.values(b"upgrade"))


def upgrade_of(head_options: Collection[bytes], upgrades: Sequence[bytes]) -> bytes | None:
    """
    The value of Upgrade if a request asks to switch protocols (RFC 9110 §7.8), else None.

    An upgrade to HTTP/2 is ignored: RFC 9113 §3.1 deprecates it, and requests in such a tunnel would bypass all
    rules of the proxy.

    :param head_options: the lower-cased options of all Connection fields.
    :param upgrades: the values of Upgrade.
    """
    if b"upgrade" not in head_options or len(upgrades) != 1:
        return None
    protocols = [protocol.strip(b" \t").lower() for protocol in upgrades[0].split(b",")]
    if b"" in protocols or any(protocol.startswith(b"h2c") for protocol in protocols):
        return None
    return upgrades[0]


def parse_content_type(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """
    Parse a Content-Type (RFC 9110 §8.3.1).

    :return: the media type in lower case, and the unquoted parameters by lower-cased name.
    :raises UnsupportedBody: when it is malformed or repeats a parameter, because receivers read that differently.
    """
    media = _MEDIA_TYPE.match(value)
    if media is None:
        raise UnsupportedBody(f"The Content-Type {_shown(value)} is not a media type.")
    parameters: dict[bytes, bytes] = {}
    at = media.end()
    while at < len(value):
        parameter = _PARAMETER.match(value, at)
        if parameter is None:
            raise UnsupportedBody(f"The parameters of the Content-Type {_shown(value)} are not well-formed.")
        at = parameter.end()
        name, token, quoted = parameter.groups()
        if name is None:
            continue  # an empty parameter; RFC 9110 §5.6.6 allows it
        name = name.lower()
        if name in parameters:
            raise UnsupportedBody(f"The Content-Type has more than one parameter {_shown(name)}.")
        parameters[name] = token if token is not None else re.sub(rb"\\(.)", rb"\1", quoted)
    return media.group(1).lower(), parameters


def boundary_of(parameters: dict[bytes, bytes]) -> bytes:
    """
    The boundary of a multipart form.

    :raises UnsupportedBody: when it is missing, empty or too long (RFC 2046 §5.1.1), contains other characters than
        printable ASCII, or ends in a space.
    """
    boundary = parameters.get(b"boundary")
    if boundary is None:
        raise UnsupportedBody("The Content-Type multipart/form-data needs a boundary parameter.")
    if not _BOUNDARY.fullmatch(boundary):
        raise UnsupportedBody(
            f"The boundary {_shown(boundary)} is not allowed: it must have 1 to 70 printable ASCII characters and "
            "must not end in a space."
        )
    return boundary


def _shown(value: bytes) -> str:
    """Format a value for a message: limited in length, with unprintable bytes escaped."""
    text = value[:100].decode("utf-8", "backslashreplace")
    return repr(text + "…" if len(value) > 100 else text)
