"""
Request heads: parses, checks and writes them (RFC 9112 §2–3).
"""

from __future__ import annotations

import re
from urllib.parse import quote_from_bytes

import attrs

from .. import proxyheader
from ..errors import (
    BadRequest,
    ExpectationFailed,
    Header,
    HeadTooLarge,
    NotImplementedHere,
    TargetTooLong,
    VersionNotSupported,
)
from .heads import (
    MAX_HEAD,
    Head,
    body_framing,
    check_line_ends,
    connection_options,
    field_lines,
    options,
    parse_fields,
)

#: Longest request line, in bytes.  RFC 9112 §3 recommends at least 8000.
MAX_REQUEST_LINE = 8 * 1024

#: The beginning of a PROXY header of version 2, without its empty lines.
_PROXY_SIGNATURE = proxyheader.SIGNATURE.lstrip(b"\r\n")
#: What the first line of a PROXY header begins with, of version 1 and 2.
_PROXY_LINES = (proxyheader.LINE, _PROXY_SIGNATURE.partition(b"\r\n")[0])
_EMPTY_LINES = re.compile(rb"(?:\r\n)+")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!\"$-~]+) (HTTP/1\.[01])")
#: Also matches targets that must be percent-encoded, and versions and targets that get an error message of their own.
_UNUSUAL_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) (HTTP/[0-9]\.[0-9])")
_PRINTABLE = bytes(range(0x21, 0x7F))
#: Host and optional port (RFC 3986 §3.2.2): a name, an IPv4 address or an IPv6 address in brackets.
_HOST = re.compile(rb"(?:(?:\[[0-9A-Fa-f:.%a-z]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]+)(?::[0-9]{0,5})?)?")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)(.*)")


@attrs.define
class RequestHead(Head):
    """
    The head of a request.

    :ivar target: the request target in origin form, to the byte, except that an absolute form is reduced to it and raw
        UTF-8 is percent-encoded; ``b"*"`` for a server-wide OPTIONS.
    :ivar expects_continue: whether the client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    """

    method: bytes
    target: bytes
    expects_continue: bool

    def shown_target(self) -> str:
        """The target, formatted for a log line."""
        return shown_path(self.target)


def shown_path(target: bytes) -> str:
    """Format a target for a log line: one line of limited length, without the query, which may contain secrets."""
    path = target.partition(b"?")[0].decode("utf-8", "backslashreplace")
    if not path.isprintable():
        path = path.encode("unicode-escape").decode()
    return path if len(path) <= 200 else path[:200] + "…"


def skip_empty_lines(data: bytes) -> bytes:
    """Remove the empty lines that some clients send before a request line (RFC 9112 §2.2)."""
    lines = _EMPTY_LINES.match(data)
    return data[lines.end() :] if lines else data


def check_beginning(part: bytes) -> None:
    """
    Check an incomplete request head, so that a malformed one is rejected before its end comes.

    :param part: the bytes received so far.
    :raises BadRequest: when they are not the beginning of a request, or a line does not end in CRLF.
    :raises TargetTooLong, HeadTooLarge: when they exceed the limits.
    """
    if part not in (b"", b"\r") and not _TOKEN.match(part):
        if part.startswith(_PROXY_SIGNATURE):
            raise BadRequest(proxyheader.REFUSED)
        raise BadRequest("This is not an HTTP request. If it is TLS: this port does not support HTTPS.")
    line = part.find(b"\r\n")
    _check_request_line_length(len(part.rstrip(b"\r")) if line < 0 else line)
    if len(part) >= MAX_HEAD:
        raise HeadTooLarge(f"The head is longer than {MAX_HEAD} bytes.")
    check_line_ends(part)


def parse_request(head: bytes) -> RequestHead:
    """
    Parse the head of a request.

    :param head: the bytes from the request line to the empty line, both included.
    :raises BadRequest: when the head is malformed or ambiguous.
    :raises TargetTooLong, HeadTooLarge: when the head exceeds the limits.
    :raises VersionNotSupported: when the request line names another version of HTTP.
    :raises NotImplementedHere: when the method is CONNECT, or the body has a transfer coding other than chunked.
    :raises ExpectationFailed: when the client expects anything other than 100-continue.
    """
    end = head.index(b"\r\n")
    _check_request_line_length(end)
    line = _REQUEST_LINE.fullmatch(head, 0, end)
    method, target, version = line.groups() if line is not None else _unusual_line(head[:end])
    headers, index = parse_fields(head[end:])
    length, chunked = body_framing(version, headers, index)
    _check_host(version, index)
    if method == b"CONNECT":
        raise NotImplementedHere("CONNECT is a method for forward proxies; this is a reverse proxy.")
    if not target.startswith(b"/"):
        target = _origin_form(method, target, headers, index)
    if length is None and not chunked:
        length = 0
    expects_continue = _expects_continue(version, index)
    connection = connection_options(index)
    return RequestHead(version, headers, index, connection, length, chunked, method, target, expects_continue)


def _check_request_line_length(length: int) -> None:
    if length > MAX_REQUEST_LINE:
        raise TargetTooLong(f"The request line is longer than {MAX_REQUEST_LINE} bytes.")


def _unusual_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """
    Parse a request line that does not match `_REQUEST_LINE`; return the method, the target and the version.

    Percent-encodes a target in raw UTF-8 (RFC 3987 §3.1): curl sends non-ASCII characters unescaped, and strict
    servers close the connection when they receive them.

    :raises BadRequest: when the line is malformed, or servers would read its target differently.
    :raises VersionNotSupported: when the line names another version of HTTP.
    :raises TargetTooLong: when the line is too long after the encoding.
    """
    found = _UNUSUAL_LINE.fullmatch(line)
    if found is None:
        if line.startswith(_PROXY_LINES):
            raise BadRequest(proxyheader.REFUSED)
        raise BadRequest("The request line must consist of a method, one space, a target, one space, and HTTP/1.1.")
    method, target, version = found.groups()
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise VersionNotSupported(f"This server supports HTTP/1.1 and HTTP/1.0, not {version.decode()}.")
    if b"#" in target:
        raise BadRequest("The request target contains a '#': leave the fragment out, or write %23.")
    try:
        target.decode()
    except UnicodeDecodeError:
        raise BadRequest(
            "The request target contains bytes that are neither ASCII nor UTF-8: percent-encode them."
        ) from None
    encoded = quote_from_bytes(target, safe=_PRINTABLE).encode()
    _check_request_line_length(len(line) - len(target) + len(encoded))
    return method, encoded, version


def _check_host(version: bytes, index: dict[bytes, list[bytes]]) -> None:
    """
    Check the Host field (RFC 9112 §3.2).

    :raises BadRequest: when it is malformed or repeated, or an HTTP/1.1 request has none.
    """
    hosts = index.get(b"host", [])
    if len(hosts) == 1:
        if not _HOST.fullmatch(hosts[0]):
            raise BadRequest("The Host header must be a host name or address with an optional port.")
    elif hosts:
        raise BadRequest("The request has more than one Host header.")
    elif version == b"HTTP/1.1":
        raise BadRequest("The Host header is missing.")


def _origin_form(method: bytes, target: bytes, headers: list[Header], index: dict[bytes, list[bytes]]) -> bytes:
    """
    Reduce an absolute-form target to origin form; its authority replaces the Host field (RFC 9112 §3.2.2).

    :raises BadRequest: when the target has neither form, or its authority is invalid.
    """
    if target == b"*" and method == b"OPTIONS":
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise BadRequest("The request target must begin with '/' or be an http URL.")
    authority, rest = absolute.groups()
    if not authority or not _HOST.fullmatch(authority):
        raise BadRequest("The authority of the request target must be a host name or address with an optional port.")
    index[b"host"] = [authority]
    headers[:] = [header for header in headers if header[0].lower() != b"host"]
    headers.insert(0, (b"Host", authority))
    if rest.startswith(b"/"):
        return rest
    return b"*" if method == b"OPTIONS" and not rest else b"/" + rest


def _expects_continue(version: bytes, index: dict[bytes, list[bytes]]) -> bool:
    """
    Whether the client expects 100-continue.  Expect is ignored in HTTP/1.0 (RFC 9110 §10.1.1).

    :raises ExpectationFailed: when the client expects anything else.
    """
    expectations = index.get(b"expect")
    if expectations is None or version == b"HTTP/1.0":
        return False
    if options(expectations) != {b"100-continue"}:
        raise ExpectationFailed("The only supported expectation is 100-continue.")
    return True


def write_request(method: bytes, target: bytes, headers: list[Header]) -> bytes:
    """Encode the head of a request."""
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, field_lines(headers))
