"""
Tests for :mod:`sttproxy.logs.events`: events as objects.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.logger import LogEvent, Logger, LogLevel, LogPublisher
from twisted.python import log as old
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.logs.events import READY, as_json, json_line, utc


class JSONTests(SynchronousTestCase):
    """An event as a line."""

    def setUp(self) -> None:
        self.objects: list[dict[str, Any]] = []
        self.log = Logger("some.name", observer=self.see)

    def see(self, event: LogEvent) -> None:
        text = as_json(event)
        assert text is not None and "\n" not in text
        self.objects.append(json.loads(text))

    def test_message(self) -> None:
        """Time, level, origin and message are there; a message may have several lines and any characters."""
        self.log.warn("a {b}", b='"x"\n\u2028中\udcff')
        (shown,) = self.objects
        self.assertRegex(shown.pop("time"), r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
        self.assertEqual(shown, {"level": "warn", "namespace": "some.name", "message": 'a "x"\n\u2028中\udcff'})

    def test_failure(self) -> None:
        """An exception has its traceback in a member of its own, and its message if the event has none."""
        try:
            raise ValueError("why")
        except ValueError:
            self.log.failure("it failed")
        self.see({"log_failure": Failure(ValueError("x")), "log_format": None, "log_level": LogLevel.critical})
        first, second = self.objects
        self.assertEqual((first["message"], first["level"], second["message"]), ("it failed", "critical", "x"))
        self.assertIn("raise ValueError", first["traceback"])
        self.assertIn("ValueError: x", second["traceback"])

    def test_old(self) -> None:
        """Events of the old module for logging have their system as origin."""
        publisher = old.LogPublisher(observerPublisher=LogPublisher(), publishPublisher=LogPublisher(self.see))
        publisher.msg("text", system="that")
        self.assertEqual((self.objects[0]["message"], self.objects[0]["namespace"]), ("text", "that"))

    def test_nothing(self) -> None:
        """An event that says nothing has no line."""
        self.assertIsNone(as_json({}))

    def test_ready(self) -> None:
        """A finished line stays as it is."""
        self.assertEqual(as_json({READY: "{}"}), "{}")

    def test_own(self) -> None:
        """A line about the log itself is an object, too."""
        text = json_line("Lost.")
        shown = json.loads(text)
        self.assertTrue(text.endswith("}\n"))
        self.assertEqual((shown["level"], shown["namespace"], shown["message"]), ("warn", "sttproxy.logs", "Lost."))

    def test_utc(self) -> None:
        """Times are rounded to milliseconds, also over the edge of a second."""
        for seconds, text in (
            (0.0, "1970-01-01T00:00:00.000Z"),
            (1.0006, "1970-01-01T00:00:01.001Z"),
            (0.9999, "1970-01-01T00:00:01.000Z"),
        ):
            self.assertEqual(utc(seconds), text)
