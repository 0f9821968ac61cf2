"""
Tests for :mod:`sttproxy.errors`.
"""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy import errors
from sttproxy.config import Finding
from sttproxy.errors import BadRequest, ConfigError, MalformedForm, MethodNotAllowed, ProxyError, printable

#: Status, type and code of every error, as documented in the README.
ANSWERS = {
    "ProxyError": (500, "server_error", "internal_error"),
    "BadRequest": (400, "invalid_request_error", "bad_request"),
    "MalformedForm": (400, "invalid_request_error", "malformed_form"),
    "InvalidKey": (401, "invalid_request_error", "invalid_api_key"),
    "ForbiddenProfile": (403, "invalid_request_error", "forbidden_profile"),
    "ForbiddenClient": (403, "invalid_request_error", "forbidden_client"),
    "ForbiddenOrigin": (403, "invalid_request_error", "forbidden_origin"),
    "ForbiddenValues": (403, "invalid_request_error", "forbidden_values"),
    "NotFound": (404, "invalid_request_error", "not_found"),
    "MethodNotAllowed": (405, "invalid_request_error", "method_not_allowed"),
    "RequestTimeout": (408, "invalid_request_error", "request_timeout"),
    "BodyTooLarge": (413, "invalid_request_error", "body_too_large"),
    "TargetTooLong": (414, "invalid_request_error", "target_too_long"),
    "UnsupportedBody": (415, "invalid_request_error", "unsupported_media_type"),
    "ExpectationFailed": (417, "invalid_request_error", "expectation_failed"),
    "HeadTooLarge": (431, "invalid_request_error", "head_too_large"),
    "NotImplementedHere": (501, "invalid_request_error", "not_implemented"),
    "LoopDetected": (508, "server_error", "loop_detected"),
    "ShuttingDown": (503, "server_error", "shutting_down"),
    "OutOfDescriptors": (503, "server_error", "out_of_descriptors"),
    "VersionNotSupported": (505, "invalid_request_error", "http_version_not_supported"),
    "UpstreamError": (502, "upstream_error", "bad_gateway"),
    "UpstreamUnreachable": (502, "upstream_error", "upstream_unreachable"),
    "UpstreamClosed": (502, "upstream_error", "upstream_closed"),
    "UpstreamRefused": (503, "upstream_error", "upstream_refused"),
    "UpstreamCertificate": (502, "upstream_error", "upstream_certificate"),
    "UpstreamBusy": (503, "upstream_error", "upstream_busy"),
    "UpstreamTimeout": (504, "upstream_error", "upstream_timeout"),
}


def proxy_errors() -> dict[str, type[ProxyError]]:
    """All errors of the module, by name."""
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, ProxyError) and value.__module__ == errors.__name__
    }


class AnswerTests(SynchronousTestCase):
    """The responses of errors."""

    def test_every_error(self) -> None:
        """Each error has the status, type and code of the table, and the table is complete."""
        found = {name: (error.status, error.type, error.code) for name, error in proxy_errors().items()}
        self.assertEqual(found, ANSWERS)

    def test_codes_differ(self) -> None:
        """Each error has a code of its own, so that clients can distinguish them."""
        codes = [error.code for error in proxy_errors().values()]
        self.assertEqual(sorted(codes), sorted(set(codes)))

    def test_blame(self) -> None:
        """Exactly the errors of clients are subclasses of BadRequest."""
        for name, error in proxy_errors().items():
            self.assertEqual(issubclass(error, BadRequest), error.type == "invalid_request_error", name)
        self.assertTrue(issubclass(MalformedForm, BadRequest))

    def test_shape(self) -> None:
        """The body is the JSON object that the OpenAI SDKs read, and ends with a line feed."""
        body = BadRequest("Wrong.", param="language").body()
        self.assertTrue(body.endswith(b"}\n"))
        self.assertEqual(
            json.loads(body),
            {
                "error": {
                    "message": "Wrong.",
                    "type": "invalid_request_error",
                    "param": "language",
                    "code": "bad_request",
                }
            },
        )

    def test_no_param(self) -> None:
        """Without a field that caused the error, `param` is null."""
        self.assertIsNone(json.loads(ProxyError("x").body())["error"]["param"])

    def test_readable(self) -> None:
        """Text outside ASCII is not escaped in the body."""
        self.assertIn("会议".encode(), BadRequest("会议").body())

    def test_answer(self) -> None:
        """The headers are Content-Type, Content-Length, and then those of the error."""
        headers, body = MethodNotAllowed("No.", headers=((b"Allow", b"GET"),)).answer()
        length = b"%d" % len(body)
        self.assertEqual(
            headers, [(b"Content-Type", b"application/json"), (b"Content-Length", length), (b"Allow", b"GET")]
        )

    @given(st.text(), st.none() | st.text())
    def test_any_text(self, message: str, param: str | None) -> None:
        """Random messages: the body contains the exact message and has the length of Content-Length."""
        headers, body = MalformedForm(message, param=param).answer()
        error = json.loads(body)["error"]
        self.assertEqual((error["message"], error["param"]), (message, param))
        self.assertEqual(dict(headers)[b"Content-Length"], str(len(body)).encode())

    def test_str(self) -> None:
        """`str` gives the message."""
        self.assertEqual(str(BadRequest("Wrong.")), "Wrong.")


class ConfigErrorTests(SynchronousTestCase):
    """Errors of configurations."""

    def test_lines(self) -> None:
        """Each finding is one line that begins with its place; the findings are available too."""
        findings = [Finding("no", "c.json", 3, 4, "$.a"), Finding("never", "c.json")]
        error = ConfigError(findings)
        self.assertEqual(str(error), "c.json:3:4: $.a: no\nc.json: never")
        self.assertEqual(error.findings, findings)

    def test_no_answer(self) -> None:
        """It is not the error of a request and has no response."""
        self.assertFalse(issubclass(ConfigError, ProxyError))


class PrintableTests(SynchronousTestCase):
    """The formatting of paths."""

    def test_shown(self) -> None:
        """Printable characters are kept; control characters, and bytes that are not UTF-8, are escaped."""
        for path, shown in (
            (b"/tmp/a b.json", "/tmp/a b.json"),
            ("/tmp/\u914d\u7f6e.json".encode(), "/tmp/\u914d\u7f6e.json"),
            (b"/tmp/\xff\xc3\xa4.json", "/tmp/\\xff\u00e4.json"),
            (b"/tmp/a\nb\x1b.json", "/tmp/a\\nb\\x1b.json"),
        ):
            self.assertEqual(printable(path.decode("utf-8", "surrogateescape")), shown)

    @given(st.binary())
    def test_any(self, path: bytes) -> None:
        """Random bytes become one printable line."""
        shown = printable(path.decode("utf-8", "surrogateescape"))
        self.assertTrue(shown.isprintable() and shown.encode("utf-8").decode() == shown)
