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

#: Status, type and code of every error, as the README and the SDKs know them.
ANSWERS = {
    "ProxyError": (500, "server_error", "internal_error"),
    "BadRequest": (400, "invalid_request_error", "bad_request"),
    "MalformedForm": (400, "invalid_request_error", "malformed_form"),
    "ForbiddenProfile": (403, "invalid_request_error", "forbidden_profile"),
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
    "UpstreamBroke": (502, "upstream_error", "upstream_closed"),
    "UpstreamBusy": (503, "upstream_error", "upstream_busy"),
    "UpstreamTimeout": (504, "upstream_error", "upstream_timeout"),
}


def proxy_errors() -> dict[str, type[ProxyError]]:
    """Every error that the module has, by its name."""
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, ProxyError) and value.__module__ == errors.__name__
    }


class AnswerTests(SynchronousTestCase):
    """An error knows its answer."""

    def test_every_error(self) -> None:
        """Each error has the status, type and code of the table, and none is missing there."""
        found = {name: (error.status, error.type, error.code) for name, error in proxy_errors().items()}
        self.assertEqual(found, ANSWERS)

    def test_codes_differ(self) -> None:
        """No two errors share a code, so that a client can tell them apart."""
        codes = [error.code for error in proxy_errors().values()]
        self.assertEqual(sorted(codes), sorted(set(codes)))

    def test_blame(self) -> None:
        """What the client did wrong is a BadRequest, and a form that is malformed is one of them."""
        for name, error in proxy_errors().items():
            self.assertEqual(issubclass(error, BadRequest), error.type == "invalid_request_error", name)
        self.assertTrue(issubclass(MalformedForm, BadRequest))

    def test_shape(self) -> None:
        """The body is the JSON object that the OpenAI SDKs read, ended by a line break."""
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
        """Where no field is at fault, `param` is there and null."""
        self.assertIsNone(json.loads(ProxyError("x").body())["error"]["param"])

    def test_readable(self) -> None:
        """Text outside ASCII stays readable in the answer's bytes."""
        self.assertIn("会议".encode(), BadRequest("会议").body())

    def test_answer(self) -> None:
        """The answer's headers tell its type and length, and then come those of the error itself."""
        headers, body = MethodNotAllowed("No.", headers=((b"Allow", b"GET"),)).answer()
        length = b"%d" % len(body)
        self.assertEqual(
            headers, [(b"Content-Type", b"application/json"), (b"Content-Length", length), (b"Allow", b"GET")]
        )

    @given(st.text(), st.none() | st.text())
    def test_any_text(self, message: str, param: str | None) -> None:
        """Whatever the message holds, the body says exactly it, in the length that the headers promise."""
        headers, body = MalformedForm(message, param=param).answer()
        error = json.loads(body)["error"]
        self.assertEqual((error["message"], error["param"]), (message, param))
        self.assertEqual(dict(headers)[b"Content-Length"], str(len(body)).encode())

    def test_str(self) -> None:
        """In a log the error is its message."""
        self.assertEqual(str(BadRequest("Wrong.")), "Wrong.")


class ConfigErrorTests(SynchronousTestCase):
    """A configuration's error holds everything that is wrong."""

    def test_lines(self) -> None:
        """Each finding is a line, its place first, and stays at hand."""
        findings = [Finding("no", "c.json", 3, 4, "$.a"), Finding("never", "c.json")]
        error = ConfigError(findings)
        self.assertEqual(str(error), "c.json:3:4: $.a: no\nc.json: never")
        self.assertEqual(error.findings, findings)

    def test_no_answer(self) -> None:
        """It is no request's fault and cannot become an answer."""
        self.assertFalse(issubclass(ConfigError, ProxyError))


class PrintableTests(SynchronousTestCase):
    """Paths in messages."""

    def test_shown(self) -> None:
        """What can be read stays; bytes that are not UTF-8 and what is no character are escaped."""
        for path, shown in (
            (b"/tmp/a b.json", "/tmp/a b.json"),
            ("/tmp/\u914d\u7f6e.json".encode(), "/tmp/\u914d\u7f6e.json"),
            (b"/tmp/\xff\xc3\xa4.json", "/tmp/\\xff\u00e4.json"),
            (b"/tmp/a\nb\x1b.json", "/tmp/a\\nb\\x1b.json"),
        ):
            self.assertEqual(printable(path.decode("utf-8", "surrogateescape")), shown)

    @given(st.binary())
    def test_any(self, path: bytes) -> None:
        """Whatever its bytes, it is one line in UTF-8."""
        shown = printable(path.decode("utf-8", "surrogateescape"))
        self.assertTrue(shown.isprintable() and shown.encode("utf-8").decode() == shown)
