"""
Heads of HTTP/2 and what they are in HTTP/1.1, in which the rest of the proxy thinks (RFC 9113 §8).

A request's head is written as an HTTP/1.1 head and read by the parser of those, so that whatever is rejected over
HTTP/1.1 is rejected over HTTP/2 too: a downgrade adds nothing that the upstream could read in another way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus

from ..errors import BadRequest, Header
from ..http1.heads import parse_trailers
from ..http1.requests import RequestHead, parse_request
from ..http1.responses import ResponseHead, parse_response

#: A value has no bytes that end a line, or that servers cut strings at, and no space at its ends (RFC 9113 §8.2.1).
_VALUE = re.compile(rb"(?![ \t])[^\r\n\0]*(?<![ \t])")
_NAME = re.compile(rb":?[!#$%&'*+\-.^_`|~0-9a-z]+")
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})
#: HTTP/2 has no reason phrases; clients of HTTP/1.1 get the usual ones.
_PHRASES = {b"%d" % status: status.phrase.encode() for status in HTTPStatus}
#: Fields that concern one connection (RFC 9113 §8.2.2), which HTTP/2 does not have.
_CONNECTION = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})


def request_head(fields: list[Header], ended: bool) -> RequestHead:
    """
    The head of a request.

    :param fields: as they were received, the pseudo-header fields among them.
    :param ended: whether the stream has ended, so that there is no body.
    :raises BadRequest: when it is malformed, or can be read in more than one way.
    """
    pseudo: dict[bytes, bytes] = {}
    cookies: list[bytes] = []
    lines: list[Header] = []
    for name, value in fields:
        _check(name, value)
        if name.startswith(b":"):
            if name not in _PSEUDO or name in pseudo or lines or cookies:
                raise BadRequest("The pseudo-header fields must be known, come first, and not be repeated.")
            pseudo[name] = value
        elif name in _CONNECTION or (name == b"te" and value != b"trailers"):
            raise BadRequest("A field that concerns one connection of HTTP/1.1 must not be sent over HTTP/2.")
        elif name == b"cookie":
            cookies.append(value)
        elif name == b"host" and pseudo.get(b":authority", value) != value:
            raise BadRequest("Host and :authority are not the same.")
        elif not (name == b"host" and b":authority" in pseudo):
            lines.append((name, value))
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if not _METHOD.fullmatch(method) or method == b"CONNECT":
        raise BadRequest("The method is missing or cannot be used here.")
    if pseudo.get(b":scheme") not in (b"http", b"https"):
        raise BadRequest("The scheme must be http or https.")
    if not path.startswith(b"/") and not (path == b"*" and method == b"OPTIONS"):
        raise BadRequest("The path must begin with '/'.")
    if b" " in path:
        raise BadRequest("The path contains a space: percent-encode it.")
    if b":authority" in pseudo:
        lines.insert(0, (b"host", pseudo[b":authority"]))
    if cookies:
        lines.append((b"cookie", b"; ".join(cookies)))
    if not ended and not any(name == b"content-length" for name, _ in lines):
        lines.append((b"transfer-encoding", b"chunked"))
    text = b"".join([name + b": " + value + b"\r\n" for name, value in lines])
    head = parse_request(b"%b %b HTTP/1.1\r\n%b\r\n" % (method, path, text))
    if ended and head.length:
        raise BadRequest("The Content-Length announces a body, and the request ends without one.")
    return head


def _check(name: bytes, value: bytes) -> None:
    """
    Check that a field is one line.

    :raises BadRequest: when its name is not a token in lower case, or its value is none.
    """
    if not _NAME.fullmatch(name):
        raise BadRequest("A field's name is not a token in lower case.")
    if not _VALUE.fullmatch(value):
        raise BadRequest("A field's value contains a line break or a NUL, or begins or ends with a space.")


def response_fields(status: int, headers: list[Header]) -> list[Header]:
    """The fields of a response's head: names in lower case, after the status."""
    return [(b":status", b"%d" % status), *[(name.lower(), value) for name, value in headers]]


def request_fields(method: bytes, scheme: bytes, target: bytes, headers: list[Header]) -> list[Header]:
    """
    The fields of a request's head: the pseudo-header fields, and names in lower case.

    :param headers: of the request over HTTP/1.1; those that frame a body or concern a connection are left out.
    """
    host = next((value for name, value in headers if name.lower() == b"host"), b"")
    fields = [(b":method", method), (b":scheme", scheme), (b":authority", host), (b":path", target)]
    for name, value in headers:
        key = name.lower()
        if key != b"host" and key not in _CONNECTION:
            fields.append((key, value))
    return fields


def response_head(fields: list[Header], method: bytes) -> ResponseHead:
    """
    The head of a response.

    :param method: of the request that it answers.
    :raises BadRequest: when it is malformed.
    """
    status = b""
    lines: list[bytes] = []
    for name, value in fields:
        _check(name, value)
        if name == b":status" and not status and not lines:
            status = value
        elif name.startswith(b":") or name in _CONNECTION:
            raise BadRequest(f"it contains the field {name.decode()}, which must not be there.")
        else:
            lines.append(name + b": " + value + b"\r\n")
    phrase = _PHRASES.get(status, b"")
    head = parse_response(b"HTTP/1.1 %b %b\r\n%b\r\n" % (status, phrase, b"".join(lines)), method)
    if head.status == 101:
        raise BadRequest("it switches protocols, which HTTP/2 cannot.")
    return head


def trailer_section(fields: list[Header]) -> list[Header]:
    """
    The trailer section that a second block of fields is.

    :raises BadRequest: when it is malformed, or contains a field that it must not contain (RFC 9113 §8.1, §8.2.2).
    :raises HeadTooLarge: when it exceeds the limits of a head.
    """
    lines: list[bytes] = []
    for name, value in fields:
        _check(name, value)
        if name.startswith(b":") or name in _CONNECTION or name == b"te":
            raise BadRequest(f"A trailer section must not contain {name.decode()}.")
        lines.append(name + b": " + value + b"\r\n")
    return parse_trailers(b"".join([*lines, b"\r\n"]))


def trailer_fields(headers: Sequence[Header]) -> list[Header]:
    """The fields of a trailer section: names in lower case."""
    return [(name.lower(), value) for name, value in headers]
