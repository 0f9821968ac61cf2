"""
What can go wrong with a request, as exceptions that know their own answer.

Each error carries the HTTP status it becomes and renders the JSON body that the OpenAI SDKs show to a person.  Rooms
that know nothing of sockets raise them all the same: the Resource tree turns them into an answer in one place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

#: A header as it travels: name and value.
Header = tuple[bytes, bytes]


def printable(path: str) -> str:
    """
    A path as it may stand in a message, an answer or the log: one line that can be encoded, whatever its bytes are.

    Bytes that are not UTF-8 are in a `str` as halves of surrogate pairs (PEP 383), which no encoder takes.
    """
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode-escape").decode() for char in text)


class ProxyError(Exception):
    """
    An error with its answer.

    :ivar message: one sentence for a person: what is wrong and what would be right.
    :ivar param: the form field or the option at fault, if there is one.
    :ivar headers: further response headers (``Retry-After``, ``Allow``).
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, headers: tuple[Header, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers = headers

    def body(self) -> bytes:
        """The answer's body, in the shape of https://platform.openai.com/docs/guides/error-codes (UTF-8 JSON)."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return json.dumps({"error": error}, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def phrase(cls) -> bytes:
        """The reason phrase of its status."""
        return HTTPStatus(cls.status).phrase.encode()

    def answer(self) -> tuple[list[Header], bytes]:
        """The answer's headers, its length among them, and its body."""
        body = self.body()
        fixed = [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(body))]
        return [*fixed, *self.headers], body


class BadRequest(ProxyError):
    """400: the request cannot be read in exactly one way."""

    status = 400
    type = "invalid_request_error"
    code = "bad_request"


class MalformedForm(BadRequest):
    """400: the body is not a well-formed form, or one that upstreams would read differently."""

    code = "malformed_form"


class ForbiddenProfile(BadRequest):
    """403: the request's API key belongs to another profile than its URL asks for."""

    status = 403
    code = "forbidden_profile"


class NotFound(BadRequest):
    """404: nothing of the proxy's own is there."""

    status = 404
    code = "not_found"


class MethodNotAllowed(BadRequest):
    """405: one of the proxy's own pages, asked with a method that it does not know."""

    status = 405
    code = "method_not_allowed"


class RequestTimeout(BadRequest):
    """408: the client took too long to send its request (RFC 9110 §15.5.9)."""

    status = 408
    code = "request_timeout"


class BodyTooLarge(BadRequest):
    """413: the body is longer than the proxy was told to accept (RFC 9110 §15.5.14)."""

    status = 413
    code = "body_too_large"


class TargetTooLong(BadRequest):
    """414: the request line is longer than the proxy reads (RFC 9110 §15.5.15)."""

    status = 414
    code = "target_too_long"


class UnsupportedBody(BadRequest):
    """415: a transcription whose body is of a kind that cannot be rewritten."""

    status = 415
    code = "unsupported_media_type"


class ExpectationFailed(BadRequest):
    """417: the client expects something other than 100-continue (RFC 9110 §10.1.1)."""

    status = 417
    code = "expectation_failed"


class HeadTooLarge(BadRequest):
    """431: the request's head is larger than the proxy reads (RFC 6585 §5)."""

    status = 431
    code = "head_too_large"


class NotImplementedHere(BadRequest):
    """501: a method or a coding that a reverse proxy does not offer."""

    status = 501
    code = "not_implemented"


class VersionNotSupported(BadRequest):
    """505: the request speaks a version of HTTP that is not spoken here (RFC 9110 §15.6.6)."""

    status = 505
    code = "http_version_not_supported"


class UpstreamError(ProxyError):
    """502: the upstream could not be reached, or what it said is not HTTP."""

    status = 502
    type = "upstream_error"
    code = "bad_gateway"


class UpstreamUnreachable(UpstreamError):
    """502: no connection to the upstream could be made."""

    code = "upstream_unreachable"


class UpstreamBroke(UpstreamError):
    """502: the upstream closed the connection before its answer was whole."""

    code = "upstream_closed"


class UpstreamBusy(ProxyError):
    """503: nothing was sent, for too much is under way; asking again later may help."""

    status = 503
    type = "upstream_error"
    code = "upstream_busy"


class ShuttingDown(ProxyError):
    """503: the daemon stops before the response has begun; asking again reaches the next one."""

    status = 503
    code = "shutting_down"


class OutOfDescriptors(ProxyError):
    """503: the system's limit on open files is reached; asking again later may help."""

    status = 503
    code = "out_of_descriptors"


class LoopDetected(ProxyError):
    """508: the request has been here before (RFC 5842 §7.2)."""

    status = 508
    code = "loop_detected"


class UpstreamTimeout(ProxyError):
    """504: the upstream did not take the connection, or did not answer, in time."""

    status = 504
    type = "upstream_error"
    code = "upstream_timeout"


class ConfigError(ValueError):
    """
    A configuration that cannot be used.

    :ivar findings: everything that is wrong, one or more; each is a line for a person, its place first.
    """

    def __init__(self, findings: Sequence[Any]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings
