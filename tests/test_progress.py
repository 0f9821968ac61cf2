"""
Tests for :mod:`sttproxy.progress` and :mod:`sttproxy.monitor.progress`.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.logs.terminal import Terminal
from sttproxy.monitor.progress import Minutes, duration, size, status
from sttproxy.monitor.record import PASS_THROUGH, TRANSCRIPTION, WAITING, WORKING, Record
from sttproxy.monitor.registry import Registry
from sttproxy.progress import Progress

from .support.requests import record


def flying(began: float, route: Any = TRANSCRIPTION, target: bytes = b"/v1/audio/transcriptions") -> Record:
    """Return a request that the server works on."""
    found = record(began, b"POST", target)
    found.route = route
    found.enter(WORKING, began + 1)
    return found


class Shown:
    """Keeps what a terminal was told to show."""

    def __init__(self) -> None:
        self.statuses: list[str] = []

    def show(self, status: str) -> None:
        self.statuses.append(status)


class StatusTests(SynchronousTestCase):
    """The line about requests in flight."""

    def test_status(self) -> None:
        """It counts requests and bytes, and names the oldest."""
        self.assertEqual(status([], 7.0), "")
        records = [flying(10.0), flying(20.0, target=b"/x?secret")]
        records[0].sent_bytes, records[1].sent_bytes, records[1].response_bytes = 1_000_000, 234_000, 999
        self.assertEqual(
            status(records, 75.5),
            "2 in flight, 1.23 MB sent, 999 B received; oldest 1:05 working: POST /v1/audio/transcriptions",
        )
        records.append(record(30.0))
        self.assertEqual(records[-1].phase, WAITING)
        self.assertTrue(status(records, 75.5).startswith("3 in flight (1 waiting), "))

    def test_size(self) -> None:
        """A size has three digits at most, and a unit."""
        for number, text in (
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (12_345, "12.3 kB"),
            (999_499, "999 kB"),
            (999_600, "1 MB"),
            (123_456_789, "123 MB"),
            (999_999_999, "1 GB"),
            (5 * 10**12, "5 TB"),
        ):
            self.assertEqual(size(number), text)

    def test_duration(self) -> None:
        """A duration has minutes and seconds, and hours from the first one on."""
        for seconds, text in (
            (0.9, "0:00"),
            (61.0, "1:01"),
            (3599.9, "59:59"),
            (3600.0, "1:00:00"),
            (90061, "25:01:01"),
        ):
            self.assertEqual(duration(seconds), text)


class MinutesTests(SynchronousTestCase):
    """Transcriptions that run for minutes."""

    def test_each_minute(self) -> None:
        """Each transcription is named once in each of its minutes, however late a call is."""
        minutes = Minutes(0.0)
        records = [flying(0.0), flying(30.0, PASS_THROUGH), flying(30.0)]
        times = (1.0, 59.9, 60.1, 61.0, 89.0, 91.0, 125.0, 126.0, 400.0)
        said = {now: len(minutes.passed(records, now)) for now in times}
        self.assertEqual([now for now, count in said.items() if count], [60.1, 91.0, 125.0, 400.0])
        self.assertEqual(said[400.0], 2)

    def test_sentence(self) -> None:
        """It says for how long, what it waits for, and how to find the request."""
        found = flying(0.0)
        found.profile, found.request_id, found.sent_bytes = "meeting", "0af7", 5_000_000
        self.assertEqual(
            Minutes(0.0).passed([found], 185.0),
            [
                "A transcription has been running for 3:05: working for 3:04, 5 MB sent; client 192.0.2.7, "
                "/v1/audio/transcriptions, profile meeting, id=0af7"
            ],
        )


class ProgressTests(SynchronousTestCase):
    """What is called once a second."""

    def test_beat(self) -> None:
        """The terminal shows the status, and the log gets the sentences; without a terminal, only the log does."""
        clock = Clock()
        registry = Registry(clock.seconds, [], lambda: 0)
        shown = Shown()
        both = [Progress(registry, cast(Terminal, shown)), Progress(registry, None)]
        registry.begin(flying(0.0))
        with capturedLogs() as logs:
            for _ in range(61):
                clock.advance(1)
                for each in both:
                    each.beat(0.0)
        self.assertEqual(len(shown.statuses), 61)
        self.assertIn("oldest 1:01 working", shown.statuses[-1])
        texts = [formatEvent(event) for event in logs]
        self.assertEqual(len(texts), 2)
        self.assertIn("running for 1:00: working", texts[0])
