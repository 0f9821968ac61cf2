"""
Response heads: parses, checks and writes them (RFC 9112 §4).
"""

from __future__ import annotations

import re

import attrs

from ..errors import BadRequest, Header
from .heads import MAX_HEAD, Head, body_framing, connection_options, field_lines, parse_fields

_HTTP_1 = b"HTTP/1."
_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-9][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")


@attrs.define
class ResponseHead(Head):
    """
    The head of a response.

    :ivar phrase: the reason phrase; None if the status line ends after the status code, without a space.
    """

    status: int
    phrase: bytes | None


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
    length, chunked = body_framing(version, headers, index)
    if method == b"HEAD" or status < 200 or status == 204 or status == 304:
        length, chunked = 0, False
    return ResponseHead(version, headers, index, connection_options(index), length, chunked, status, phrase)


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


def write_response(status: int, phrase: bytes | None, headers: list[Header]) -> bytes:
    """
    Encode the head of a response.

    :param phrase: the reason phrase; with None the status line ends after the status code, without a space.
    """
    gap = b"" if phrase is None else b" " + phrase
    return b"HTTP/1.1 %d%b\r\n%b\r\n" % (status, gap, field_lines(headers))
