"""
Tests for :mod:`sttproxy.monitor.report`: what the page of ``/stats`` asks for besides the numbers.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.monitor.group import WINDOW_S
from sttproxy.monitor.record import DONE, OWN, RECEIVING, TRANSCRIPTION, Ending, Record, Route
from sttproxy.monitor.registry import RECENT, Registry
from sttproxy.monitor.report import last_minute, recent, series, under_way


class ViewTests(SynchronousTestCase):
    """A registry with a clock of its own."""

    def setUp(self) -> None:
        self.time = 1000.0
        self.registry = Registry(lambda: self.time)

    def begin(self, route: Route = TRANSCRIPTION, target: bytes = b"/v1/audio/transcriptions") -> Record:
        """A request in flight."""
        record = Record(self.time, b"POST", target, b"HTTP/1.1", "192.0.2.7")
        record.route = route
        self.registry.begin(record)
        return record

    def end(self, record: Record, status: int = 200, ending: Ending = DONE, shown: bool = True) -> None:
        """The request ends."""
        record.status, record.complete = status, True
        record.end(ending, self.time)
        self.registry.end(record, shown)

    def test_recent(self) -> None:
        """Those that ended after a look before are returned; all that are kept for any other number."""
        for name in (b"/1", b"/2", b"/3"):
            self.end(self.begin(target=name))
        for after, targets in (
            (0, ["/1", "/2", "/3"]),
            (2, ["/3"]),
            (3, []),
            (4, ["/1", "/2", "/3"]),
        ):
            found = recent(self.registry, 0.0, after)
            self.assertEqual((found["number"], [each["target"] for each in found["requests"]]), (3, targets), after)
        for _ in range(RECENT):
            self.end(self.begin())
        self.assertEqual(len(recent(self.registry, 0.0, 1)["requests"]), RECENT)
        self.assertEqual(len(recent(self.registry, 0.0, RECENT)["requests"]), 3)

    def test_not_shown(self) -> None:
        """A look at the numbers is counted, but does not drive the others out of the list."""
        self.end(self.begin(OWN), shown=False)
        self.assertEqual(recent(self.registry, 0.0), {"number": 0, "requests": []})
        self.registry.count()
        self.assertEqual(self.registry.routes[OWN].all.requests, 1)

    def test_time(self) -> None:
        """Times are dates, however long ago a request ended."""
        self.end(self.begin())
        self.time += 30
        self.assertEqual(recent(self.registry, 5000.0)["requests"][0]["time"], 4970.0)

    def test_under_way(self) -> None:
        """Requests in flight have their phase and their age; the proxy's own are left out."""
        self.begin(OWN)
        record = self.begin()
        record.profile = "medical"
        self.time += 2
        record.enter(RECEIVING, self.time)
        self.time += 1
        self.assertEqual(
            under_way(self.registry),
            [
                {
                    "route": "transcription",
                    "profile": "medical",
                    "method": "POST",
                    "target": "/v1/audio/transcriptions",
                    "phase": "receiving",
                    "total_seconds": 3.0,
                }
            ],
        )

    def test_series(self) -> None:
        """The last window is that of this moment; requests of the proxy's own do not count as load."""
        record = self.begin()
        self.begin(OWN)
        self.time += 2
        self.end(record)
        shown = series(self.registry)
        self.assertEqual(shown["window_age_seconds"], 2.0)
        self.assertEqual((shown["in_flight"], shown["queued"]), ([0], [0]))
        self.assertEqual(shown["routes"]["transcription"]["requests"], [1])
        self.assertEqual(shown["routes"]["transcription"]["waiting_seconds"], [2.0])
        self.begin()
        self.time += WINDOW_S
        shown = series(self.registry)
        self.assertEqual(shown["routes"]["transcription"]["requests"], [1, None])
        self.assertEqual(shown["in_flight"], [0, 1])

    def test_last_minute(self) -> None:
        """Transcriptions that failed within a minute are counted, and forgotten then."""
        for status in (200, 500, 404, 503):
            self.end(self.begin(), status)
        self.registry.count()
        self.assertEqual(last_minute(self.registry), {"ended_last_minute": 4, "failed_last_minute": 2})
        self.time += 50
        self.registry.count()
        self.assertEqual(last_minute(self.registry), {"ended_last_minute": 4, "failed_last_minute": 2})
        self.time += 2 * WINDOW_S
        self.registry.count()
        self.assertEqual(last_minute(self.registry), {"ended_last_minute": 0, "failed_last_minute": 0})
