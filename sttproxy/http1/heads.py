"""
Message heads: reads bytes into checked records, and writes them (RFC 9112 §2–6).

A head is parsed when it is complete, so the result does not depend on TCP segmentation.  A head that two HTTP
implementations could read differently is rejected, never repaired: repairs make request smuggling possible.
"""

from __future__ import annotations

import re
from urllib.parse import quote_from_bytes

import attrs
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from ..errors import (
    BadRequest,
    ExpectationFailed,
    Header,
    HeadTooLarge,
    NotImplementedHere,
    TargetTooLong,
    VersionNotSupported,
)

#: Longest request line, in bytes.  RFC 9112 §3 recommends at least 8000.
MAX_REQUEST_LINE = 8 * 1024
#: Longest head, in bytes, including the request line and the empty line.
MAX_HEAD = 64 * 1024
#: Most field lines in one head.
MAX_FIELDS = 100

#: Ends every head.
HEAD_END = b"\r\n\r\n"

_EMPTY_LINES = re.compile(rb"(?:\r\n)+")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!\"$-~]+) (HTTP/1\.[01])")
#: Also matches targets that must be percent-encoded, and versions and targets that get an error message of their own.
_UNUSUAL_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) (HTTP/[0-9]\.[0-9])")
_PRINTABLE = bytes(range(0x21, 0x7F))
_HTTP_1 = b"HTTP/1."
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-9][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")
#: Host and optional port (RFC 3986 §3.2.2): a name, an IPv4 address or an IPv6 address in brackets.
_HOST = re.compile(rb"(?:(?:\[[0-9A-Fa-f:.%a-z]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]+)(?::[0-9]{0,5})?)?")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)(.*)")
#: Every number of 18 digits fits into a signed 64-bit integer.
_LENGTH = re.compile(rb"[0-9]{1,18}")
#: Servers behind CGI-like gateways read these as the framing fields: they cannot tell an underscore from a hyphen.
_FRAMING_LOOKALIKES = frozenset({b"content_length", b"transfer_encoding"})

_NONE: tuple[bytes, ...] = ()
_NO_OPTIONS: frozenset[bytes] = frozenset()


@attrs.define
class Head:
    """
    The common part of request and response heads.

    :ivar version: ``b"HTTP/1.0"`` or ``b"HTTP/1.1"``.
    :ivar headers: the field lines in their original order: names as received, values without surrounding white space.
    :ivar index: all values of each field, by lower-cased name.
    :ivar connection: the options of all Connection fields, lower-cased (RFC 9110 §7.6.1).
    :ivar length: the length of the body in bytes; None if the body is chunked or ends when the connection closes.
    :ivar chunked: whether the body is in the chunked coding.
    """

    version: bytes
    headers: list[Header]
    index: dict[bytes, list[bytes]]
    connection: frozenset[bytes]
    length: int | None
    chunked: bool

    def has(self, names: frozenset[bytes]) -> bool:
        """Whether the head has a field with one of these lower-cased names."""
        return not names.isdisjoint(self.index)

    def values(self, name: bytes) -> list[bytes] | tuple[bytes, ...]:
        """All values of a field, by its lower-cased name."""
        return self.index.get(name, _NONE)

    def keeps_alive(self) -> bool:
        """Whether the sender keeps the connection open after this message (RFC 9112 §9.3)."""
        if b"close" in self.connection:
            return False
        return self.version == b"HTTP/1.1" or b"keep-alive" in self.connection


@attrs.define
class RequestHead(Head):
    """
    The head of a request.

    :ivar target: the request target in origin form, as received, except that raw UTF-8 is percent-encoded; ``b"*"``
        for a server-wide OPTIONS.
    :ivar expects_continue: whether the client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    """

    method: bytes
    target: bytes
    expects_continue: bool

    def shown_target(self) -> str:
        """The target, formatted for a log line."""
        return shown_path(self.target)


@attrs.define
class ResponseHead(Head):
    """
    The head of a response.

    :ivar phrase: the reason phrase; None if the status line ends after the status code, without a space.
    """

    status: int
    phrase: bytes | None


def shown_path(target: bytes) -> str:
    """Format a target for a log line: one line of limited length, without the query, which may contain secrets."""
    path = target.partition(b"?")[0].decode("utf-8", "backslashreplace")
    if not path.isprintable():
        path = path.encode("unicode-escape").decode()
    return path if len(path) <= 200 else path[:200] + "…"


def options(values: list[bytes]) -> frozenset[bytes]:
    """The elements of comma-separated field values, lower-cased."""
    return frozenset(option.strip(b" \t").lower() for option in b",".join(values).split(b",")) - {b""}


class _Fields:
    """Collects the fields that llhttp finds."""

    def __init__(self) -> None:
        self.pairs: list[Header] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value.rstrip(b" \t")))


def parse_fields(block: bytes) -> tuple[list[Header], dict[bytes, list[bytes]]]:
    """
    Parse field lines.

    :param block: CRLF, the field lines, and the empty line: a head without its first line.
    :return: the pairs of name and value in order, and the values by lower-cased name.
    :raises BadRequest: when a line does not conform to RFC 9112 §5, or the framing fields contradict each other.
    :raises HeadTooLarge: when there are more than `MAX_FIELDS` fields.
    """
    fields = _Fields()
    try:
        # The request line is a constant, because llhttp rejects methods and targets that this proxy accepts.
        HttpRequestParser(fields).feed_data(b"POST / HTTP/1.1" + block)
    except HttpParserUpgrade:
        pass  # httptools raises this when a complete head asks for an upgrade
    except HttpParserError as error:
        raise BadRequest(f"The head is malformed: {error}.") from None
    pairs = fields.pairs
    if len(pairs) > MAX_FIELDS:
        raise HeadTooLarge(f"The head has {len(pairs)} header fields; at most {MAX_FIELDS} are allowed.")
    index: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        key = name.lower()
        if key in index:
            index[key].append(value)
        else:
            index[key] = [value]
    if not _FRAMING_LOOKALIKES.isdisjoint(index):
        raise BadRequest("Content-Length or Transfer-Encoding is spelled with an underscore.")
    return pairs, index


def _framing(version: bytes, headers: list[Header], index: dict[bytes, list[bytes]]) -> tuple[int | None, bool]:
    """
    Find out the length of the body, and whether it is chunked; (None, False) if the head states neither.

    llhttp has already rejected a length together with a coding, and two lengths.  Servers read leading zeros of a
    length differently, so this removes them.
    """
    codings = index.get(b"transfer-encoding")
    if codings is not None:
        if version == b"HTTP/1.0":
            raise BadRequest("Transfer-Encoding is not part of HTTP/1.0.")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            raise NotImplementedHere("The only supported transfer coding is a single 'chunked'.")
        return None, True
    lengths = index.get(b"content-length")
    if lengths is None:
        return None, False
    if not _LENGTH.fullmatch(lengths[0]):
        raise BadRequest("Content-Length must be a decimal number of at most 18 digits.")
    length = int(lengths[0])
    if lengths[0].startswith(b"0") and len(lengths[0]) > 1:
        lengths[0] = b"%d" % length
        for at, (name, _) in enumerate(headers):
            if name.lower() == b"content-length":
                headers[at] = name, lengths[0]
    return length, False


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
    length, chunked = _framing(version, headers, index)
    _check_host(version, index)
    if method == b"CONNECT":
        raise NotImplementedHere("CONNECT is a method for forward proxies; this is a reverse proxy.")
    if not target.startswith(b"/"):
        target = _origin_form(method, target, headers, index)
    if length is None and not chunked:
        length = 0
    expects_continue = _expects_continue(version, index)
    connection = _connection(index)
    return RequestHead(version, headers, index, connection, length, chunked, method, target, expects_continue)


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


def _connection(index: dict[bytes, list[bytes]]) -> frozenset[bytes]:
    return options(index[b"connection"]) if b"connection" in index else _NO_OPTIONS


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
        raise BadRequest("This is not an HTTP request. If it is TLS: this port does not support HTTPS.")
    line = part.find(b"\r\n")
    _check_request_line_length(len(part.rstrip(b"\r")) if line < 0 else line)
    if len(part) >= MAX_HEAD:
        raise HeadTooLarge(f"The head is longer than {MAX_HEAD} bytes.")
    breaks = part.count(b"\r\n")
    if part.count(b"\n") > breaks or part.count(b"\r", 0, -1) > breaks:
        raise BadRequest("A line of the head does not end in CRLF.")


def _check_request_line_length(length: int) -> None:
    if length > MAX_REQUEST_LINE:
        raise TargetTooLong(f"The request line is longer than {MAX_REQUEST_LINE} bytes.")


def _check_host(version: bytes, index: dict[bytes, list[bytes]]) -> None:
    """
    Check the Host field (RFC 9112 §3.2).

    :raises BadRequest: when it is malformed or repeated, or an HTTP/1.1 request has none.
    """
    hosts = index.get(b"host", _NONE)
    if len(hosts) == 1:
        if not _HOST.fullmatch(hosts[0]):
            raise BadRequest("The Host header must be a host name or address with an optional port.")
    elif hosts:
        raise BadRequest("The request has more than one Host header.")
    elif version == b"HTTP/1.1":
        raise BadRequest("The Host header is missing.")


def parse_response(head: bytes, method: bytes) -> ResponseHead:
    """
    Parse the head of a response.

    :param head: the bytes from the status line to the empty line, both included.
    :param method: the method of the request: a response to HEAD has no body (RFC 9112 §6.3).
    :raises BadRequest: when the head is malformed or ambiguous.
    """
    end = head.index(b"\r\n")
    line = _STATUS_LINE.fullmatch(head, 0, end)
    if line is None:
        raise BadRequest("The status line must consist of HTTP/1.1, a three-digit status code, and a reason phrase.")
    version, code, phrase = line.groups()
    status = int(code)
    headers, index = parse_fields(head[end:])
    length, chunked = _framing(version, headers, index)
    if method == b"HEAD" or status < 200 or status == 204 or status == 304:
        length, chunked = 0, False
    return ResponseHead(version, headers, index, _connection(index), length, chunked, status, phrase)


def check_response_beginning(part: bytes) -> None:
    """
    Check an incomplete response head, so that a malformed one is rejected before its end comes.

    :param part: the bytes received so far.
    :raises BadRequest: when they are not the beginning of a response, when a line does not end in CRLF, or when they
        exceed the limit.
    """
    if not part.startswith(_HTTP_1) and not _HTTP_1.startswith(part):
        raise BadRequest("The response does not begin with 'HTTP/1.'.")
    if len(part) >= MAX_HEAD:
        raise BadRequest(f"The response head is longer than {MAX_HEAD} bytes.")
    if part.count(b"\n") > part.count(b"\r\n"):
        raise BadRequest("A line of the response head ends in a line feed without a carriage return.")


def write_request(method: bytes, target: bytes, headers: list[Header]) -> bytes:
    """Encode the head of a request."""
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, _field_lines(headers))


def write_response(status: int, phrase: bytes | None, headers: list[Header]) -> bytes:
    """
    Encode the head of a response.

    :param phrase: the reason phrase; with None the status line ends after the status code, without a space.
    """
    gap = b"" if phrase is None else b" " + phrase
    return b"HTTP/1.1 %d%b\r\n%b\r\n" % (status, gap, _field_lines(headers))


def _field_lines(headers: list[Header]) -> bytes:
    return b"\r\n".join([*map(b": ".join, headers), b""])
