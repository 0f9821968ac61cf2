"""
Tests for :mod:`sttproxy.monitor.report` and :mod:`sttproxy.monitor.entry`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import ProxyError
from sttproxy.monitor.entry import entry
from sttproxy.monitor.group import WINDOW_S, WINDOWS
from sttproxy.monitor.record import (
    CLIENT_GONE,
    PASS_THROUGH,
    REALTIME,
    REFUSED,
    ROUTES,
    STOPPED,
    TRANSCRIPTION,
    UPSTREAM_FAILED,
    WORKING,
    Record,
    Route,
)
from sttproxy.monitor.registry import Registry
from sttproxy.monitor.report import SCHEMA, recent, report, series
from sttproxy.monitor.server import Server

from ..support.requests import finished, record

#: What no number of a proxy may contain.
_SECRET = "s3cret"


class ReportCase(SynchronousTestCase):
    """A registry after some requests of all kinds, with one in flight."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.server = Server("one:10240")
        self.registry = Registry(self.clock.seconds, [self.server, Server("two:10240")], lambda: 4)
        self.end(
            route=TRANSCRIPTION,
            profile="home",
            took=2.0,
            server=self.server,
            target=b"/v1/audio/transcriptions",
            fields=(("forced", ("language", "prompt")), ("removed", ("prompt",))),
            received_bytes=120,
            sent_bytes=130,
            response_bytes=50,
            recording_bytes=100,
            audio_seconds=60.0,
        )
        self.end(route=TRANSCRIPTION, ending=CLIENT_GONE, complete=False, status=0)
        self.end(route=PASS_THROUGH, ending=UPSTREAM_FAILED, complete=False)
        self.end(route=REALTIME, status=101, version=b"HTTP/2")
        self.end(ending=STOPPED, complete=False)
        self.error = ProxyError("The key is unknown.")
        self.end(ending=REFUSED, status=401, error=self.error)
        self.registry.reject(finished(self.clock.seconds(), status=431, ending=REFUSED, error=self.error))
        self.server.failed("upstream_reset", self.clock.seconds())
        self.registry.chose("home", "url")
        self.registry.cleaned({("known", 3): 2, ("repeats", 0): 1}, rendered=True)
        self.registry.passed["too_long"] += 1
        self.clock.advance(1)

    def end(self, **attributes: Any) -> None:
        """A request ends at this moment."""
        ended = finished(self.clock.seconds(), **attributes)
        self.registry.begin(ended)
        self.registry.end(ended)

    def begin(self, route: Route, profile: str = "") -> Record:
        """A request begins at this moment."""
        flying = record(self.clock.seconds(), target=b"/" + _SECRET.encode())
        flying.route, flying.profile = route, profile
        self.registry.begin(flying)
        return flying


class ReportTests(ReportCase):
    """All numbers."""

    def test_numbers(self) -> None:
        """Each member has the number of its kind."""
        shown = report(self.registry)
        expected = {
            "schema": SCHEMA,
            "total_requests": 6,
            "stt_requests": 2,
            "forwarded_requests": 1,
            "preflights": 0,
            "refused_requests": 1,
            "in_flight": 0,
            "queued": 4,
            "oldest_seconds": None,
            "connections": 0,
            "clients_refused": 0,
            "answers": {"1xx": 1, "2xx": 1, "4xx": 2},
            "upstream_errors": {"upstream_reset": 1},
            "moved_on": 0,
            "clients_gone": 1,
            "broken_off": 1,
            "stopped": 1,
            "rules": {"forced": {"language": 1, "prompt": 1}, "removed": {"prompt": 1}},
            "transcripts": {
                "read": 1,
                "rendered": 1,
                "passed": {"too_long": 1},
                "changes": {"known": {"3": 2}, "repeats": {"0": 1}},
            },
            "chosen": {"url: home": 1},
            "realtime": {},
            "refusals": {self.error.code: 2},
        }
        groups = {"routes": set(ROUTES), "profiles": {"", "home"}, "http_versions": {"1.1", "2"}}
        self.assertEqual(shown.keys(), expected.keys() | groups.keys())
        self.assertEqual({name: shown[name] for name in expected}, expected)
        self.assertEqual({name: set(shown[name]) for name in groups}, groups)

    def test_group(self) -> None:
        """A group has its sums; those of recordings only where there are some."""
        home = report(self.registry)["profiles"]["home"]
        durations = home.pop("durations")
        self.assertEqual(
            home,
            {
                "requests": 1,
                "in_flight": 0,
                "queued": 0,
                "oldest_seconds": None,
                "answers": {"2xx": 1},
                "request_bytes": 120,
                "sent_bytes": 130,
                "response_bytes": 50,
                "recordings": 1,
                "recording_bytes": 100,
                "audio_seconds": 60.0,
                "transcribing_seconds": 2.0,
            },
        )
        self.assertEqual(list(durations), ["minute", "ten_minutes", "since_start"])
        for span in durations.values():
            self.assertEqual(round(span["total_seconds"]["p50"]), 2)
            self.assertEqual(round(span["real_time_factor"]["p50"]), 30)
        self.assertNotIn("recordings", report(self.registry)["routes"][PASS_THROUGH])

    def test_empty(self) -> None:
        """A proxy without a request has all members, too."""
        empty = report(Registry(self.clock.seconds))
        self.assertEqual(empty.keys(), report(self.registry).keys())
        self.assertEqual(empty["routes"].keys(), set(ROUTES))
        self.assertEqual((empty["total_requests"], empty["answers"], empty["profiles"]), (0, {}, {}))

    def test_json(self) -> None:
        """All that is shown is JSON without NaN and infinity, and comes back as it was."""
        self.begin(TRANSCRIPTION)
        self.clock.advance(2 * WINDOW_S)
        for shown in (report(self.registry), series(self.registry), recent(self.registry, 1e9)):
            self.assertEqual(json.loads(json.dumps(shown, allow_nan=False)), shown)

    def test_read_only(self) -> None:
        """Reading changes nothing."""
        self.assertEqual(report(self.registry), report(self.registry))


class FlightTests(ReportCase):
    """Requests in flight."""

    def test_counted(self) -> None:
        """They are counted in their groups from their beginning, also in one that has no other request."""
        before = report(self.registry)
        self.begin(TRANSCRIPTION, "new")
        self.clock.advance(2.5)
        self.begin(PASS_THROUGH).enter(WORKING, self.clock.seconds())
        shown = report(self.registry)
        for name, more in (("total_requests", 2), ("stt_requests", 1), ("forwarded_requests", 1), ("in_flight", 2)):
            self.assertEqual(shown[name] - before[name], more, name)
        self.assertEqual(shown["oldest_seconds"], 2.5)
        new = shown["profiles"]["new"]
        self.assertEqual((new["requests"], new["in_flight"], new["queued"]), (1, 1, 1))
        self.assertEqual(shown["http_versions"]["1.1"]["in_flight"], 2)
        working = shown["routes"][PASS_THROUGH]
        self.assertEqual((working["requests"], working["in_flight"], working["queued"]), (2, 1, 0))

    def test_own(self) -> None:
        """A request for a page of the proxy's own, such as this one, is not queued."""
        self.begin("own")
        shown = report(self.registry)
        for groups, name in (("routes", "own"), ("profiles", ""), ("http_versions", "1.1")):
            self.assertEqual((shown[groups][name]["in_flight"], shown[groups][name]["queued"]), (1, 0), groups)


class RecentTests(ReportCase):
    """The last requests."""

    def test_order(self) -> None:
        """They are shown oldest first, with the time when each one ended."""
        self.clock.advance(9)
        self.end(route=PASS_THROUGH)
        shown = recent(self.registry, 5000.0)["requests"]
        self.assertEqual([each["time"] for each in shown], [4990.0] * 7 + [5000.0])
        self.assertEqual(shown[0]["target"], "/v1/audio/transcriptions")
        self.assertEqual((shown[6]["status"], shown[6]["error"]), (431, self.error.code))

    def test_entry(self) -> None:
        """An entry has the phases in seconds and the names of fields; the client only where it is asked for."""
        first = self.registry.recent[0]
        shown = entry(first, 1.0)
        self.assertEqual(shown["fields"], {"forced": ["language", "prompt"], "removed": ["prompt"]})
        self.assertEqual((shown["server"], shown["http_version"], shown["audio_seconds"]), ("one:10240", "1.1", 60.0))
        self.assertEqual((shown["waiting_seconds"], shown["total_seconds"]), (2.0, 2.0))
        self.assertNotIn("client", shown)
        self.assertEqual(entry(first, 1.0, client=True)["client"], "192.0.2.7")

    def test_hostile(self) -> None:
        """Any bytes in a target can be shown, in one line, and its query cannot."""
        target = b"/\xff\n\x1b[31m" + b"x" * 5000 + f"?key={_SECRET}".encode()
        shown = json.dumps(entry(finished(target=target), 1.0))
        self.assertNotIn(_SECRET, shown)
        self.assertLess(len(shown), 1500)
        self.assertTrue(json.loads(shown)["target"].isprintable())


class ValueTests(ReportCase):
    """What the numbers tell of clients."""

    def test_no_values(self) -> None:
        """The report and the series contain neither clients nor targets."""
        self.begin(TRANSCRIPTION)
        text = json.dumps([report(self.registry), series(self.registry)])
        for value in (_SECRET, "192.0.2.7", "/v1/"):
            self.assertNotIn(value, text)


class SeriesTests(ReportCase):
    """The numbers of the last windows."""

    def test_windows(self) -> None:
        """Each window has its load, and a number or None in each column of a route; the last is that of this moment."""
        self.clock.advance(WINDOW_S)
        self.begin(TRANSCRIPTION)
        self.registry.tick(0.0)
        self.clock.advance(WINDOW_S)
        shown = series(self.registry)
        self.assertEqual(shown["window_seconds"], WINDOW_S)
        self.assertEqual((shown["in_flight"], shown["queued"]), ([1, 1, 1], [4, 0, 4]))
        self.assertEqual(shown["routes"].keys(), set(ROUTES))
        columns = shown["routes"][TRANSCRIPTION]
        self.assertEqual((columns["requests"], columns["failures"]), ([2, None, None], [0, None, None]))
        self.assertEqual((columns["waiting_seconds"][0], columns["real_time_factor"][0]), (1.05, 30.0))

    def test_length(self) -> None:
        """There are as many windows as ten minutes have, and that of this moment."""
        self.clock.advance(3600)
        shown = series(self.registry)
        self.assertEqual([len(shown["in_flight"]), len(shown["routes"]["own"]["requests"])], [WINDOWS + 1] * 2)


class ServerTests(SynchronousTestCase):
    """The numbers of one server."""

    def test_numbers(self) -> None:
        """Errors are counted by code; ages are None as long as there was neither a success nor a failure."""
        server = Server("one:10240")
        self.assertEqual(
            server.numbers(5.0), {"errors": {}, "last_success_age_seconds": None, "last_failure_age_seconds": None}
        )
        server.last_success = 1.0
        server.failed("upstream_reset", 3.0)
        server.failed("upstream_reset", 4.5)
        self.assertEqual(
            server.numbers(5.0),
            {"errors": {"upstream_reset": 2}, "last_success_age_seconds": 4.0, "last_failure_age_seconds": 0.5},
        )
