"""
Tests for :mod:`sttproxy.inbound.accesslog`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs, eventAsText
from twisted.trial.unittest import SynchronousTestCase

from sttproxy import errors
from sttproxy.http1.requests import RequestHead
from sttproxy.inbound.accesslog import AccessLog, Changes, asked_by, level_of, log
from sttproxy.monitor.record import DONE, FAILED, REFUSED, Record

from ..support.requests import finished


class WriteTests(SynchronousTestCase):
    """Writing a log line."""

    def test_as_logger(self) -> None:
        """At each level, a line is the same as the one that Twisted's own logger makes."""
        for level, status, ending in (
            (LogLevel.info, 200, DONE),
            (LogLevel.warn, 500, DONE),
            (LogLevel.error, 500, FAILED),
        ):
            record = finished(0.0, 1.5, status, ending, target=b"/{log_level}", response_bytes=4, request_id="7")
            with capturedLogs() as captured:
                AccessLog().write(record, None)
                log.emit(
                    level,
                    "{line}",
                    line=f"192.0.2.7 GET /{{log_level}} HTTP/1.1 {status} 4 B 1.500 s waiting=1.500 id=7 {ending}",
                )
            ours, theirs = (eventAsText(event, includeTimestamp=False) for event in captured)
            self.assertEqual(ours, theirs)
            self.assertIn(f"[sttproxy.inbound.request#{level.name}] ", ours)
            self.assertEqual([event["log_level"] for event in captured], [level, level])

    def test_level(self) -> None:
        """Lines below the level are not written, and not even formatted."""
        formatted: list[str] = []

        def format(record: Record, head: RequestHead | None, now: float, level: str, namespace: str) -> str:
            formatted.append(f"{namespace} {level}")
            return ""

        access = AccessLog(format, "warn")
        with capturedLogs() as captured:
            for status in (200, 404, 500):
                access.write(finished(status=status), None)
        self.assertEqual((formatted, len(captured)), (["sttproxy.inbound.request warn"], 1))


class LevelTests(SynchronousTestCase):
    """The log level of a line."""

    def test_errors(self) -> None:
        """
        Client faults are logged as info, whatever their status; upstream faults and limits as warnings; bugs as
        errors.
        """
        for kind, level in (
            (errors.BadRequest, LogLevel.info),
            (errors.RequestTimeout, LogLevel.info),
            (errors.NotImplementedHere, LogLevel.info),
            (errors.UpstreamUnreachable, LogLevel.warn),
            (errors.UpstreamBusy, LogLevel.warn),
            (errors.UpstreamTimeout, LogLevel.warn),
            (errors.OutOfDescriptors, LogLevel.warn),
            (errors.ShuttingDown, LogLevel.warn),
            (errors.LoopDetected, LogLevel.warn),
            (errors.ProxyError, LogLevel.error),
        ):
            record = finished(ending=FAILED if kind is errors.ProxyError else REFUSED, error=kind("no"))
            self.assertIs(level_of(record), level, kind)

    def test_answers(self) -> None:
        """Failure responses are logged as warnings, also those that come from the upstream."""
        for status, level in ((101, "info"), (200, "info"), (404, "info"), (499, "info"), (500, "warn"), (599, "warn")):
            self.assertEqual(level_of(finished(status=status)).name, level, status)


class AskedTests(SynchronousTestCase):
    """What the access log shows of a refused request head."""

    def test_whole(self) -> None:
        """Method and path are taken from any readable head, without the parts that may be secret."""
        for beginning, asked in (
            (b"GET /a/b?token=secret HTTP/1.1\r\nA: b\r\n", ("GET", "/a/b")),
            (b"GET /a secret HTTP/1.1\r\n", ("GET", "/a")),
            (b"OPTIONS * HTTP/1.1\r\n", ("OPTIONS", "*")),
            (b"GET http://user:secret@h/a?secret HTTP/1.1\r\n", ("GET", "/a")),
            (b"GET HTTPS://user:secret@h HTTP/1.1\r\n", ("GET", "/")),
            (b"GET ftp://user:secret@h/a HTTP/1.1\r\n", ("GET", "-")),
            (b"CONNECT user:secret@h:1 HTTP/1.1\r\n", ("CONNECT", "-")),
            (b"GET\r\nSecret: x\r\n", ("GET", "-")),
            (b"GET \r\n", ("GET", "-")),
            (b"GET /a\nSecret: x\n", ("GET", "/a")),
            (b"GET  /a HTTP/1.1\r\n", ("GET", "-")),
            (b"GET\t/a\tHTTP/1.1\r\n", ("-", "-")),
            (b"\x16\x03\x01\x02\0\1 /a\r\n", ("-", "-")),
            (b"GET /\xc3\xa4\xff HTTP/1.1\r\n", ("GET", "/\u00e4\\xff")),
            (b"GET /\x1b[0m HTTP/1.1\r\n", ("GET", "/\\x1b[0m")),
            (b"G" * 33 + b" /a HTTP/1.1\r\n", ("-", "-")),
            (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\n", ("GET", "/" + "a" * 199 + "…")),
        ):
            self.assertEqual(asked_by(beginning), asked, beginning)

    def test_cut(self) -> None:
        """A value that may be incomplete ends in an ellipsis."""
        for beginning, asked in (
            (b"", ("-", "-")),
            (b"PO", ("PO…", "-")),
            (b"POST ", ("POST", "-")),
            (b"POST /v1/au", ("POST", "/v1/au…")),
            (b"POST /v1/audio ", ("POST", "/v1/audio")),
            (b"POST /v1/audio\r", ("POST", "/v1/audio")),
            (b"POST /v1?secr", ("POST", "/v1")),
            (b"POST http://user:secr", ("POST", "/…")),
            (b"POST /" + b"a" * 300, ("POST", "/" + "a" * 199 + "…")),
        ):
            self.assertEqual(asked_by(beginning), asked, beginning)

    @given(st.binary(max_size=60) | st.binary(max_size=60).map(b"GET /".__add__))
    def test_one_word_each(self, beginning: bytes) -> None:
        """For any input, method and path are one printable word each."""
        for word in asked_by(beginning):
            self.assertEqual((word.split(), word.isprintable()), ([word], True))


class ChangesTests(SynchronousTestCase):
    """Detecting changes."""

    def test_changes(self) -> None:
        """The first ending is a change, and so is each ending that differs from the one before."""
        changes = Changes()
        endings = [(200, ""), (200, ""), (503, "a"), (503, "b"), (503, "b"), (200, ""), ("client gone", "")]
        self.assertEqual([changes.new(ending) for ending in endings], [True, False, True, True, False, True, True])
