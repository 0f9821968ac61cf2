"""
The common part of request and response heads: the record `Head`, field lines, and body framing (RFC 9112 §5–6).

A head is parsed when it is complete, so the result does not depend on TCP segmentation.  A head that two HTTP
implementations could read differently is rejected, never repaired: repairs make request smuggling possible.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from ..errors import BadRequest, Header, HeadTooLarge, NotImplementedHere

#: Longest head, in bytes, including the request line and the empty line.
MAX_HEAD = 64 * 1024
#: Most field lines in one head.
MAX_FIELDS = 100

#: Ends every head.
HEAD_END = b"\r\n\r\n"

#: Every number of 18 digits fits into a signed 64-bit integer.
_LENGTH = re.compile(rb"[0-9]{1,18}")
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
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


def options(values: Sequence[bytes]) -> frozenset[bytes]:
    """The elements of comma-separated field values, lower-cased."""
    return frozenset(option.strip(b" \t").lower() for option in b",".join(values).split(b",")) - {b""}


def connection_options(index: dict[bytes, list[bytes]]) -> frozenset[bytes]:
    """The options of all Connection fields, lower-cased (RFC 9110 §7.6.1)."""
    return options(index[b"connection"]) if b"connection" in index else _NO_OPTIONS


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


def parse_trailers(section: bytes) -> list[Header]:
    """
    Parse a trailer section; the limits of heads apply.

    :param section: the field lines and the empty line.
    :raises BadRequest: when a line does not conform to RFC 9112 §5, or is a field that frames a body.
    :raises HeadTooLarge: when the section is too long, or there are more than `MAX_FIELDS` fields.
    """
    if len(section) > MAX_HEAD:
        raise HeadTooLarge(f"The trailer section is longer than {MAX_HEAD} bytes.")
    check_line_ends(section)
    pairs, index = parse_fields(b"\r\n" + section)
    if not _FRAMING.isdisjoint(index):
        raise BadRequest("A trailer section must not contain Content-Length or Transfer-Encoding.")
    return pairs


def check_line_ends(part: bytes) -> None:
    """
    Check that all lines end in CRLF.

    :param part: the beginning of a head or a trailer section.
    :raises BadRequest: when it contains another line end.
    """
    breaks = part.count(b"\r\n")
    if part.count(b"\n") > breaks or part.count(b"\r", 0, -1) > breaks:
        raise BadRequest("A line does not end in CRLF.")


def body_framing(version: bytes, headers: list[Header], index: dict[bytes, list[bytes]]) -> tuple[int | None, bool]:
    """
    Find out the length of the body, and whether it is chunked; (None, False) if the head states neither.

    llhttp has already rejected a length together with a coding, and two lengths.  Servers read leading zeros of a
    length differently, so this removes them.

    :param headers: the fields in order; a length with leading zeros is replaced here and in the index.
    :raises BadRequest: when the length is not a decimal number, or the head is HTTP/1.0 and has a coding.
    :raises NotImplementedHere: when the transfer coding is not a single chunked.
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


def field_lines(headers: Sequence[Header]) -> bytes:
    """Encode the field lines, without the empty line that ends a head."""
    return b"\r\n".join([*map(b": ".join, headers), b""])
