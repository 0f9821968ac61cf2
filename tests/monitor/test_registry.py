"""
Tests for :mod:`sttproxy.monitor.registry`, and for the groups and tallies in it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import ProxyError
from sttproxy.monitor.group import WINDOW_S, WINDOWS, Group
from sttproxy.monitor.record import (
    CLIENT_GONE,
    FAILED,
    PASS_THROUGH,
    REFUSED,
    STOPPED,
    TOTAL,
    TRANSCRIPTION,
    UPSTREAM_FAILED,
)
from sttproxy.monitor.registry import BATCH, MAX_FIELDS, MAX_PROFILES, OTHERS, RECENT, Load, Registry
from sttproxy.monitor.tally import REAL_TIME_FACTOR

from ..support.requests import finished, record


class RegistryCase(SynchronousTestCase):
    """A registry with a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.waiting = 0
        self.registry = Registry(self.clock.seconds, queued=lambda: self.waiting)

    def end(self, **attributes: Any) -> None:
        """A request ends at this moment."""
        ended = finished(self.clock.seconds(), **attributes)
        self.registry.begin(ended)
        self.registry.end(ended)

    def group(self) -> Group:
        """The group of all requests in which these tests end some."""
        self.registry.count()
        return self.registry.versions["1.1"]


class CountTests(RegistryCase):
    """Sums."""

    def test_groups(self) -> None:
        """A request is counted once by its route, once by its profile and once by its version."""
        self.end(route=TRANSCRIPTION, profile="home")
        self.end(route=TRANSCRIPTION, profile="home", version=b"HTTP/2")
        self.end(route=PASS_THROUGH)
        self.registry.count()
        counted = [
            {name: group.all.requests for name, group in groups.items() if group.all.requests}
            for groups in (self.registry.routes, self.registry.profiles, self.registry.versions)
        ]
        self.assertEqual(counted, [{TRANSCRIPTION: 2, PASS_THROUGH: 1}, {"home": 2, "": 1}, {"1.1": 2, "2": 1}])

    def test_late(self) -> None:
        """It does not matter whether requests are counted alone, together, or in more than one batch."""
        for ended in range(2 * BATCH + 10):
            self.end(took=1.0, response_bytes=3)
            if ended < 5:
                self.registry.count()
        tally = self.group().all
        self.assertEqual((tally.requests, tally.response_bytes), (2 * BATCH + 10, 3 * (2 * BATCH + 10)))
        self.assertEqual(tally.seconds[TOTAL], 2 * BATCH + 10)
        self.assertEqual(tally.durations.summary().size(TOTAL), 2 * BATCH + 10)

    def test_endings(self) -> None:
        """A part of a response is broken off, but not because of a client that is gone or a daemon that stops."""
        for ending in (UPSTREAM_FAILED, FAILED, CLIENT_GONE, STOPPED):
            self.end(ending=ending, status=200, complete=False)
        self.end(status=500)
        self.end(status=404)
        tally = self.group().all
        self.assertEqual((tally.broken_off, tally.failures), (2, 3))
        self.assertEqual(tally.answers, {5: 1, 4: 1})
        self.assertEqual((tally.endings[CLIENT_GONE], tally.endings[STOPPED]), (1, 1))

    def test_recordings(self) -> None:
        """Known recordings are counted, and the real-time factor of those whose duration is known."""
        self.end(took=2.0, recording_bytes=100, audio_seconds=60.0)
        self.end(took=8.0, recording_bytes=50)
        self.end(took=4.0)
        tally = self.group().all
        self.assertEqual((tally.recordings, tally.recording_bytes), (2, 150))
        self.assertEqual((tally.timed, tally.audio_seconds, tally.transcribing_seconds), (1, 60.0, 2.0))
        (factor,) = tally.durations.summary().quantiles(REAL_TIME_FACTOR, (0.5,))
        self.assertEqual(round(factor), 30)

    def test_no_time(self) -> None:
        """A transcription that took no time has no real-time factor."""
        self.end(took=0.0, audio_seconds=60.0)
        self.assertEqual(self.group().all.durations.summary().size(REAL_TIME_FACTOR), 0)
        self.clock.advance(WINDOW_S)
        (point,) = self.group().points
        assert point is not None
        self.assertIsNone(point.real_time_factor)

    def test_tunnels(self) -> None:
        """The duration of a tunnel says nothing about the server, so it is left out."""
        self.end(took=3600.0, status=101)
        tally = self.group().all
        self.assertEqual((tally.requests, tally.answers), (1, {1: 1}))
        self.assertEqual((tally.seconds[TOTAL], tally.durations.summary().size(TOTAL)), (0.0, 0))

    def test_refusals(self) -> None:
        """Errors of the proxy are counted by code: rejected heads at once, and requests when they are counted."""
        error = ProxyError("No.")
        self.end(status=error.status, ending=REFUSED, error=error)
        self.end(status=502, ending=UPSTREAM_FAILED, error=ProxyError("No."))
        self.registry.reject(finished(self.clock.seconds(), status=431, ending=REFUSED, error=error))
        self.registry.count()
        self.assertEqual(self.registry.refusals, {error.code: 2})
        self.assertEqual(self.registry.rejected, {4: 1})
        self.assertEqual(self.group().all.requests, 2)


class BoundTests(RegistryCase):
    """Memory does not grow with what clients send, or with the configurations that were in force."""

    def test_profiles(self) -> None:
        """Profiles above the limit are counted together; those before keep their numbers."""
        for number in range(MAX_PROFILES + 30):
            self.end(profile=f"profile{number}")
            self.registry.count()
        self.end(profile="profile0")
        self.registry.count()
        self.assertEqual(len(self.registry.profiles), MAX_PROFILES + 1)
        self.assertEqual(self.registry.profiles[OTHERS].all.requests, 30)
        self.assertEqual(self.registry.profiles["profile0"].all.requests, 2)

    def test_fields(self) -> None:
        """Fields above the limit are not counted; those before are, further on."""
        for number in range(MAX_FIELDS + 30):
            self.end(fields=(("forced", (f"field{number}",)),))
        self.end(fields=(("forced", ("field0", "another")), ("mapped", ("field0",))))
        self.registry.count()
        self.assertEqual(len(self.registry.fields), MAX_FIELDS)
        self.assertEqual(self.registry.fields["forced", "field0"], 2)
        self.assertNotIn(("mapped", "field0"), self.registry.fields)

    def test_recent(self) -> None:
        """The last records are kept, rejected ones included."""
        for _ in range(RECENT):
            self.end()
        last = finished(self.clock.seconds(), status=400, ending=REFUSED)
        self.registry.reject(last)
        self.assertEqual(len(self.registry.recent), RECENT)
        self.assertIs(self.registry.recent[-1], last)

    def test_windows(self) -> None:
        """No more windows are kept than are shown, however long the proxy runs."""
        for _ in range(3 * WINDOWS):
            self.end()
            self.registry.tick(0.0)
            self.clock.advance(WINDOW_S)
        self.assertEqual([len(self.registry.loads), len(self.group().points)], [WINDOWS, WINDOWS])
        self.assertEqual(len(self.group()._past), WINDOWS)


class WindowTests(RegistryCase):
    """The last minute and the last ten minutes."""

    def _largest(self) -> dict[str, float]:
        """The longest request in each span, in whole seconds."""
        return {name: round(span["total_seconds"]["max"]) for name, span in self.group().quantiles().items()}

    def _pass(self, seconds: int) -> None:
        """Let time pass, with a pulse every second."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.registry.tick(0.0)

    def test_spans(self) -> None:
        """A request leaves the minute after one, and the ten minutes after ten, a window later at most."""
        self.end(took=30.0)
        self._pass(59)
        self.assertEqual(self._largest(), {"minute": 30, "ten_minutes": 30, "since_start": 30})
        self._pass(11)
        self.assertEqual(self._largest(), {"minute": 0, "ten_minutes": 30, "since_start": 30})
        self._pass(529)
        self.assertEqual(self._largest(), {"minute": 0, "ten_minutes": 30, "since_start": 30})
        self._pass(11)
        self.assertEqual(self._largest(), {"minute": 0, "ten_minutes": 0, "since_start": 30})

    def test_later(self) -> None:
        """Those that came later stay for as long."""
        self.end(took=30.0)
        self._pass(40)
        self.end(took=20.0)
        self._pass(30)
        self.assertEqual(self._largest(), {"minute": 20, "ten_minutes": 30, "since_start": 30})
        self._pass(40)
        self.assertEqual(self._largest(), {"minute": 0, "ten_minutes": 30, "since_start": 30})

    def test_pause(self) -> None:
        """After hours without a pulse, as after sleep, all spans of time are empty, and go on."""
        self.end(took=30.0)
        self.clock.advance(7200)
        self.assertEqual(self._largest(), {"minute": 0, "ten_minutes": 0, "since_start": 30})
        self.assertEqual(list(self.group().points), [None] * WINDOWS)
        self.end(took=20.0)
        self.assertEqual(self._largest(), {"minute": 20, "ten_minutes": 20, "since_start": 30})
        self._pass(10)
        point = self.group().points[-1]
        assert point is not None
        self.assertEqual(point.requests, 1)

    def test_points(self) -> None:
        """Each window is one point; one without a request is None."""
        self.end(took=1.0, audio_seconds=8.0)
        self.end(took=3.0, status=500)
        self._pass(20)
        point, empty = self.group().points
        self.assertIsNone(empty)
        assert point is not None
        self.assertEqual((point.requests, point.failures, point.seconds[TOTAL]), (2, 1, 4.0))
        self.assertEqual(point.real_time_factor, 8.0)
        self.assertEqual((round(point.p50), round(point.p99)), (1, 3))

    def test_factor(self) -> None:
        """Quantiles of the real-time factor are shown once one is known; the first percent is the slowest."""
        self.end(took=1.0)
        self.assertNotIn("real_time_factor", self.group().quantiles()["since_start"])
        self.end(took=1.0, audio_seconds=4.0)
        self.end(took=1.0, audio_seconds=64.0)
        shown = self.group().quantiles()["since_start"]["real_time_factor"]
        self.assertEqual({name: round(value) for name, value in shown.items()}, {"p50": 4, "p10": 4, "p1": 4})

    def test_again(self) -> None:
        """Quantiles are computed again only after a request, or when one leaves a span."""
        self.end(took=1.0)
        first = self.group().quantiles()
        self._pass(20)
        self.assertIs(self.group().quantiles(), first)
        self.end(took=1.0)
        self.assertIsNot(self.group().quantiles(), first)


class PulseTests(RegistryCase):
    """What is sampled once a second."""

    def test_loads(self) -> None:
        """The load of a window is the most that a pulse saw; requests in flight count in the next window, too."""
        flying = [record(), record()]
        for each in flying:
            each.route = TRANSCRIPTION
            self.registry.begin(each)
        self.waiting = 3
        self.registry.tick(0.0)
        self.registry.end(flying[0])
        self.waiting = 1
        for _ in range(2):
            self.clock.advance(WINDOW_S)
            self.registry.tick(0.0)
        self.assertEqual(list(self.registry.loads), [Load(2, 3), Load(1, 1)])

    def test_lateness(self) -> None:
        """The lateness of the last sixty pulses is kept; before the first, it is 0."""
        self.assertEqual(list(self.registry.lateness), [0.0])
        for late in range(100):
            self.registry.tick(float(late))
        self.assertEqual(list(self.registry.lateness), [float(late) for late in range(40, 100)])

    def test_counts(self) -> None:
        """A pulse counts what has ended, so that reading is quick."""
        self.end(route=PASS_THROUGH)
        self.registry.tick(0.0)
        self.assertEqual(self.registry.routes[PASS_THROUGH].all.requests, 1)


class OtherTests(RegistryCase):
    """What happens beside requests."""

    def test_in_flight(self) -> None:
        """Requests in flight are kept in the order of their heads."""
        flying = [record() for _ in range(3)]
        for each in flying:
            self.registry.begin(each)
        self.registry.end(flying[1])
        self.assertEqual(list(self.registry.in_flight), [flying[0], flying[2]])

    def test_chosen(self) -> None:
        """Choices of profiles are counted by what has chosen; requests without a profile are not."""
        self.registry.chose("webui", "url")
        self.registry.chose("webui", "url")
        self.registry.chose("", "")
        self.assertEqual(self.registry.chosen, {"url: webui": 2})
