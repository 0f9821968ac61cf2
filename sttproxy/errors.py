"""
Exceptions for failed requests, each with its HTTP status and its response.

An error renders the JSON body that the OpenAI SDKs show to their users.  Modules without I/O raise these errors too;
the Resource tree and the connections turn them into responses.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

#: A header: name and value, as received or sent.
Header = tuple[bytes, bytes]


def printable(path: str) -> str:
    """
    Format a path for a message, a response or the log: one line of printable characters.

    In a ``str`` a path has halves of surrogate pairs for bytes that are not UTF-8 (PEP 383), and these cannot be
    encoded.
    """
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode-escape").decode() for char in text)


def shown(name: str) -> str:
    """Format the name of a field for a message, limited to 80 characters."""
    return repr(name if len(name) <= 80 else name[:80] + "…")


class ProxyError(Exception):
    """
    An error with its response.

    :ivar message: what is wrong and what would be right, in one sentence for a person.
    :ivar param: the form field or the option that caused the error; None if the cause is something else.
    :ivar headers: additional response headers (``Retry-After``, ``Allow``).
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, headers: tuple[Header, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers = headers

    def body(self, request_id: str = "") -> bytes:
        """
        The response body: UTF-8 JSON as in https://platform.openai.com/docs/guides/error-codes.

        :param request_id: of the request; empty: it has none.
        """
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        content: dict[str, Any] = {"error": error}
        if request_id:
            content["request_id"] = request_id
        return json.dumps(content, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def phrase(cls) -> bytes:
        """The reason phrase of the status."""
        return HTTPStatus(cls.status).phrase.encode()

    def answer(self, request_id: str = "") -> tuple[list[Header], bytes]:
        """
        The headers of the response, including Content-Length, and its body.

        :param request_id: as for `body`.
        """
        body = self.body(request_id)
        fixed = [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(body))]
        return [*fixed, *self.headers], body


class BadRequest(ProxyError):
    """400: the request is malformed or ambiguous."""

    status = 400
    type = "invalid_request_error"
    code = "bad_request"


class MalformedForm(BadRequest):
    """400: the form is malformed, or servers would read it differently."""

    code = "malformed_form"


class InvalidKey(BadRequest):
    """401: a key is required, and the request has none that is known (RFC 9110 §15.5.2)."""

    status = 401
    code = "invalid_api_key"


class ForbiddenProfile(BadRequest):
    """403: the API key of the request belongs to another profile than its URL."""

    status = 403
    code = "forbidden_profile"


class ForbiddenOrigin(BadRequest):
    """403: web pages of this origin may not use the proxy."""

    status = 403
    code = "forbidden_origin"


class ForbiddenClient(BadRequest):
    """403: clients at this address may not see the monitoring pages."""

    status = 403
    code = "forbidden_client"


class ForbiddenValues(BadRequest):
    """403: the client may not see the values of the configuration."""

    status = 403
    code = "forbidden_values"


class NotFound(BadRequest):
    """404: the profile of the request, or its path at the embedded engine or a monitoring listener, does not exist."""

    status = 404
    code = "not_found"


class MethodNotAllowed(BadRequest):
    """405: a page of the proxy does not support the method."""

    status = 405
    code = "method_not_allowed"


class RequestTimeout(BadRequest):
    """408: the client took too long to send its request (RFC 9110 §15.5.9)."""

    status = 408
    code = "request_timeout"


class BodyTooLarge(BadRequest):
    """413: the body is longer than the configured limit (RFC 9110 §15.5.14)."""

    status = 413
    code = "body_too_large"


class TargetTooLong(BadRequest):
    """414: the request line exceeds the limit (RFC 9110 §15.5.15)."""

    status = 414
    code = "target_too_long"


class UnsupportedBody(BadRequest):
    """415: the body of a transcription request has a type that the proxy cannot rewrite."""

    status = 415
    code = "unsupported_media_type"


class ExpectationFailed(BadRequest):
    """417: the client expects anything other than 100-continue (RFC 9110 §10.1.1)."""

    status = 417
    code = "expectation_failed"


class HeadTooLarge(BadRequest):
    """431: the head of the request exceeds a limit (RFC 6585 §5)."""

    status = 431
    code = "head_too_large"


class NotImplementedHere(BadRequest):
    """501: the proxy does not support the method or the transfer coding."""

    status = 501
    code = "not_implemented"


class VersionNotSupported(BadRequest):
    """505: the proxy does not support the HTTP version of the request (RFC 9110 §15.6.6)."""

    status = 505
    code = "http_version_not_supported"


class UpstreamError(ProxyError):
    """502: the proxy could not reach the upstream, or the response is not valid HTTP."""

    status = 502
    type = "upstream_error"
    code = "bad_gateway"


class UpstreamUnreachable(UpstreamError):
    """502: the proxy could not connect to the upstream."""

    code = "upstream_unreachable"


class UpstreamClosed(UpstreamError):
    """502: the upstream closed the connection before its response was complete."""

    code = "upstream_closed"


class UpstreamRefused(UpstreamError):
    """
    503: the upstream refused the request without processing it (RFC 9113 §8.7); a later retry may succeed.

    :ivar again: the source of the request can send it again, from the first byte of its body.
    """

    status = 503
    code = "upstream_refused"
    again = False


class UpstreamCertificate(UpstreamError):
    """502: the certificate of the upstream cannot be verified."""

    code = "upstream_certificate"


class UpstreamBusy(ProxyError):
    """503: too many requests are in progress, so the proxy did not send this one; a later retry may succeed."""

    status = 503
    type = "upstream_error"
    code = "upstream_busy"


class ShuttingDown(ProxyError):
    """503: the daemon stopped before the response began; a retry reaches the next daemon."""

    status = 503
    code = "shutting_down"


class OutOfDescriptors(ProxyError):
    """503: the process has reached its limit of open files; a later retry may succeed."""

    status = 503
    code = "out_of_descriptors"


class LoopDetected(ProxyError):
    """508: the proxy has already forwarded this request (RFC 5842 §7.2)."""

    status = 508
    code = "loop_detected"


class UpstreamTimeout(ProxyError):
    """504: the upstream did not accept the connection, take the request or respond in time."""

    status = 504
    type = "upstream_error"
    code = "upstream_timeout"


class ConfigError(ValueError):
    """
    An invalid configuration.

    :ivar findings: all errors, at least one.  As text each is one line: its place in the file, then the message.
    """

    def __init__(self, findings: Sequence[Any]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings
