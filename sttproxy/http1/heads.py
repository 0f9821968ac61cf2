"""
Message heads: bytes in, checked records out (RFC 9112 §2–6).

A head is read when it is complete, so the verdict does not depend on how the network cut it.  Whatever two HTTP
implementations might read differently is refused, never repaired: a repaired request is how requests are smuggled.
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

#: Longest request line, in bytes; RFC 9112 §3 asks for 8000 at least.
MAX_REQUEST_LINE = 8 * 1024
#: Longest head, in bytes, its request line and the empty line included.
MAX_HEAD = 64 * 1024
#: Most field lines in one head.
MAX_FIELDS = 100

#: Ends every head.
HEAD_END = b"\r\n\r\n"

_EMPTY_LINES = re.compile(rb"(?:\r\n)+")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!\"$-~]+) (HTTP/1\.[01])")
#: The same with targets and versions that need a word, or a rewrite.
_UNUSUAL_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) (HTTP/[0-9]\.[0-9])")
_PRINTABLE = bytes(range(0x21, 0x7F))
_HTTP_1 = b"HTTP/1."
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-9][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")
#: RFC 3986 §3.2.2 host and port, as far as a Host header needs it: a name, an IPv4 or a bracketed IPv6 address.
_HOST = re.compile(rb"(?:(?:\[[0-9A-Fa-f:.%a-z]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]+)(?::[0-9]{0,5})?)?")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)(.*)")
#: 18 digits: what every implementation's 64-bit integer holds.
_LENGTH = re.compile(rb"[0-9]{1,18}")
#: Names that decide over framing.  Servers behind CGI-like gateways read an underscore as a hyphen.
_FRAMING_LOOKALIKES = frozenset({b"content_length", b"transfer_encoding"})

_NONE: tuple[bytes, ...] = ()
_NO_OPTIONS: frozenset[bytes] = frozenset()


@attrs.define
class Head:
    """
    What request and response heads share.

    :ivar version: ``b"HTTP/1.0"`` or ``b"HTTP/1.1"``.
    :ivar headers: the field lines in their order, names as written, values without the white space around them.
    :ivar index: the same by lower-cased name, each with all its values.
    :ivar connection: the options of every Connection line, lower-cased (RFC 9110 §7.6.1).
    :ivar length: bytes of body that follow; None where the end is found otherwise (`chunked`, or by closing).
    :ivar chunked: whether the body is in the chunked coding.
    """

    version: bytes
    headers: list[Header]
    index: dict[bytes, list[bytes]]
    connection: frozenset[bytes]
    length: int | None
    chunked: bool

    def has(self, names: frozenset[bytes]) -> bool:
        """Whether there is a header of any of these lower-cased names."""
        return not names.isdisjoint(self.index)

    def values(self, name: bytes) -> list[bytes] | tuple[bytes, ...]:
        """All values of a header, by its lower-cased name."""
        return self.index.get(name, _NONE)

    def keeps_alive(self) -> bool:
        """Whether the sender lets the connection live on after this message (RFC 9112 §9.3)."""
        if b"close" in self.connection:
            return False
        return self.version == b"HTTP/1.1" or b"keep-alive" in self.connection


@attrs.define
class RequestHead(Head):
    """
    A request's head.

    :ivar target: the request target in origin form, as the client wrote it, raw UTF-8 percent-encoded; ``b"*"`` for a
        server-wide OPTIONS.
    :ivar expects_continue: the client waits to be told to send its body (RFC 9110 §10.1.1).
    """

    method: bytes
    target: bytes
    expects_continue: bool

    def shown_target(self) -> str:
        """The target as it may stand in a log line."""
        return shown_path(self.target)


@attrs.define
class ResponseHead(Head):
    """
    A response's head.

    :ivar phrase: the reason phrase; None where the status line had not even the space before one.
    """

    status: int
    phrase: bytes | None


def shown_path(target: bytes) -> str:
    """A target as it may stand in a log line: one line, bounded, without the query, which may hold secrets."""
    path = target.partition(b"?")[0].decode("utf-8", "backslashreplace")
    if not path.isprintable():
        path = path.encode("unicode-escape").decode()
    return path if len(path) <= 200 else path[:200] + "…"


def options(values: list[bytes]) -> frozenset[bytes]:
    """The elements of comma-separated header values, lower-cased."""
    return frozenset(option.strip(b" \t").lower() for option in b",".join(values).split(b",")) - {b""}


class _Fields:
    """Collects what llhttp calls back."""

    def __init__(self) -> None:
        self.pairs: list[Header] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value.rstrip(b" \t")))


def parse_fields(block: bytes) -> tuple[list[Header], dict[bytes, list[bytes]]]:
    """
    Read field lines.

    :param block: CRLF, the lines, and the empty line that ends them: a head without its first line.
    :return: the pairs in order, and the values by lower-cased name.
    :raises BadRequest: when a line is not exactly what RFC 9112 §5 allows, or framing fields contradict each other.
    :raises HeadTooLarge: when there are more than `MAX_FIELDS`.
    """
    fields = _Fields()
    try:
        # The line in front is a constant: methods, targets and statuses that llhttp does not know are not its business.
        HttpRequestParser(fields).feed_data(b"POST / HTTP/1.1" + block)
    except HttpParserUpgrade:
        pass  # its way to say that the head is complete and asks for an upgrade
    except HttpParserError as error:
        raise BadRequest(f"The head is not well-formed: {error}.") from None
    pairs = fields.pairs
    if len(pairs) > MAX_FIELDS:
        raise HeadTooLarge(f"The head has {len(pairs)} header fields; at most {MAX_FIELDS} are read.")
    index: dict[bytes, list[bytes]] = {}
    for name, value in pairs:
        key = name.lower()
        if key in index:
            index[key].append(value)
        else:
            index[key] = [value]
    if not _FRAMING_LOOKALIKES.isdisjoint(index):
        raise BadRequest("A header that decides where the body ends is spelled with an underscore.")
    return pairs, index


def _framing(version: bytes, headers: list[Header], index: dict[bytes, list[bytes]]) -> tuple[int | None, bool]:
    """
    The length and the coding that a head announces; (None, False) where it announces neither.

    llhttp has refused a length beside a coding, and two lengths.  A length with leading zeros, on which servers differ,
    is rewritten without them.
    """
    codings = index.get(b"transfer-encoding")
    if codings is not None:
        if version == b"HTTP/1.0":
            raise BadRequest("Transfer-Encoding is not part of HTTP/1.0.")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            raise NotImplementedHere("The only transfer coding understood here is a single 'chunked'.")
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
    Read a request's head.

    :param head: from the first byte of the request line to the empty line, both included.
    :raises BadRequest: when it can be read in more than one way, or in none.
    :raises TargetTooLong, HeadTooLarge: when it is over the limits.
    :raises VersionNotSupported: when it is in another version of HTTP.
    :raises NotImplementedHere: when its body is in a coding other than chunked.
    """
    end = head.index(b"\r\n")
    _check_request_line_length(end)
    line = _REQUEST_LINE.fullmatch(head, 0, end)
    method, target, version = line.groups() if line is not None else _unusual_line(head[:end])
    headers, index = parse_fields(head[end:])
    length, chunked = _framing(version, headers, index)
    _check_host(version, index)
    if method == b"CONNECT":
        raise NotImplementedHere("CONNECT is for forward proxies; this is a reverse proxy.")
    if not target.startswith(b"/"):
        target = _origin_form(method, target, headers, index)
    if length is None and not chunked:
        length = 0
    expects_continue = _expects_continue(version, index)
    connection = _connection(index)
    return RequestHead(version, headers, index, connection, length, chunked, method, target, expects_continue)


def _unusual_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """
    Method, target and version of a request line that is not made of the characters of RFC 9112 §3.

    A target in raw UTF-8, as curl sends what a person types, is percent-encoded (RFC 3987 §3.1): strict servers drop
    the connection over it.

    :raises BadRequest: when servers would differ on it.
    :raises VersionNotSupported: when it names another version of HTTP.
    :raises TargetTooLong: when it is too long once it is encoded.
    """
    found = _UNUSUAL_LINE.fullmatch(line)
    if found is None:
        raise BadRequest("The request line must be: a method, one space, a target, one space, and HTTP/1.1.")
    method, target, version = found.groups()
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise VersionNotSupported(f"This port speaks HTTP/1.1 and HTTP/1.0, not {version.decode()}.")
    if b"#" in target:
        raise BadRequest("The request target holds a '#': leave the fragment out, or write %23.")
    try:
        target.decode()
    except UnicodeDecodeError:
        raise BadRequest(
            "The request target holds bytes that are neither ASCII nor UTF-8: percent-encode it."
        ) from None
    encoded = quote_from_bytes(target, safe=_PRINTABLE).encode()
    _check_request_line_length(len(line) - len(target) + len(encoded))
    return method, encoded, version


def _connection(index: dict[bytes, list[bytes]]) -> frozenset[bytes]:
    return options(index[b"connection"]) if b"connection" in index else _NO_OPTIONS


def _expects_continue(version: bytes, index: dict[bytes, list[bytes]]) -> bool:
    """Whether 100-continue is expected; in HTTP/1.0 there is no such thing and Expect is ignored."""
    expectations = index.get(b"expect")
    if expectations is None or version == b"HTTP/1.0":
        return False
    if options(expectations) != {b"100-continue"}:
        raise ExpectationFailed("The only expectation that can be met here is 100-continue.")
    return True


def _origin_form(method: bytes, target: bytes, headers: list[Header], index: dict[bytes, list[bytes]]) -> bytes:
    """
    Reduce an absolute-form target to origin form; its authority replaces the Host (RFC 9112 §3.2.2).

    :raises BadRequest: when the target has none of the forms that a reverse proxy serves.
    """
    if target == b"*" and method == b"OPTIONS":
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise BadRequest("The request target must begin with '/' or be an http URL.")
    authority, rest = absolute.groups()
    if not authority or not _HOST.fullmatch(authority):
        raise BadRequest("The request target's authority is not a host name or address with an optional port.")
    index[b"host"] = [authority]
    headers[:] = [header for header in headers if header[0].lower() != b"host"]
    headers.insert(0, (b"Host", authority))
    if rest.startswith(b"/"):
        return rest
    return b"*" if method == b"OPTIONS" and not rest else b"/" + rest


def skip_empty_lines(data: bytes) -> bytes:
    """What follows the empty lines that some clients send before a request line (RFC 9112 §2.2)."""
    lines = _EMPTY_LINES.match(data)
    return data[lines.end() :] if lines else data


def check_beginning(part: bytes) -> None:
    """
    Judge a request's head that is not complete, so that nobody waits for the end of what can have none.

    :param part: what has come of it.
    :raises BadRequest: when it is none, or its lines do not end in CRLF.
    :raises TargetTooLong, HeadTooLarge: when it is over the limits.
    """
    if part not in (b"", b"\r") and not _TOKEN.match(part):
        raise BadRequest("This is not an HTTP request; if it is TLS: HTTPS is not spoken on this port.")
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
    """Exactly one well-formed Host (RFC 9112 §3.2); HTTP/1.0 may do without."""
    hosts = index.get(b"host", _NONE)
    if len(hosts) == 1:
        if not _HOST.fullmatch(hosts[0]):
            raise BadRequest("The Host header is not a host name or address with an optional port.")
    elif hosts:
        raise BadRequest("There is more than one Host header.")
    elif version == b"HTTP/1.1":
        raise BadRequest("The Host header is missing.")


def parse_response(head: bytes, method: bytes) -> ResponseHead:
    """
    Read a response's head.

    :param head: from the first byte of the status line to the empty line, both included.
    :param method: of the request that it answers; it decides whether a body follows (RFC 9112 §6.3).
    :raises BadRequest: when it can be read in more than one way, or in none.
    """
    end = head.index(b"\r\n")
    line = _STATUS_LINE.fullmatch(head, 0, end)
    if line is None:
        raise BadRequest("The status line must be: HTTP/1.1, a three-digit status, and a reason phrase.")
    version, code, phrase = line.groups()
    status = int(code)
    headers, index = parse_fields(head[end:])
    length, chunked = _framing(version, headers, index)
    if method == b"HEAD" or status < 200 or status == 204 or status == 304:
        length, chunked = 0, False
    return ResponseHead(version, headers, index, _connection(index), length, chunked, status, phrase)


def check_response_beginning(part: bytes) -> None:
    """
    Judge a response's head that is not complete, so that nobody waits for the end of what can have none.

    :param part: what has come of it.
    :raises BadRequest: when it is none, when its lines do not end in CRLF, or when it is over the limit.
    """
    if not part.startswith(_HTTP_1) and not _HTTP_1.startswith(part):
        raise BadRequest("It does not begin with HTTP/1.")
    if len(part) >= MAX_HEAD:
        raise BadRequest(f"Its head is longer than {MAX_HEAD} bytes.")
    if part.count(b"\n") > part.count(b"\r\n"):
        raise BadRequest("A line of its head ends in a line feed without a carriage return.")


def write_request(method: bytes, target: bytes, headers: list[Header]) -> bytes:
    """A request's head, ready to be sent."""
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, _field_lines(headers))


def write_response(status: int, phrase: bytes | None, headers: list[Header]) -> bytes:
    """
    A response's head, ready to be sent.

    :param phrase: None leaves out even the space before it.
    """
    gap = b"" if phrase is None else b" " + phrase
    return b"HTTP/1.1 %d%b\r\n%b\r\n" % (status, gap, _field_lines(headers))


def _field_lines(headers: list[Header]) -> bytes:
    return b"\r\n".join([*map(b": ".join, headers), b""])
