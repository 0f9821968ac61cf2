"""
Tests for :mod:`sttproxy.monitor.merging`: the numbers of several processes are those of one that has done it all.
"""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.monitor.group import WINDOW_S
from sttproxy.monitor.merging import dump, load, merge, retire
from sttproxy.monitor.record import PASS_THROUGH, TRANSCRIPTION
from sttproxy.monitor.registry import Registry
from sttproxy.monitor.report import last_minute, recent, report, series, under_way
from sttproxy.monitor.server import Server

from ..support.requests import finished, record


class MergingCase(SynchronousTestCase):
    """Two registries, and one that is told all that both are told."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1003)
        self.waiting = [0, 0, 0]
        self.parts = [self.registry(number) for number in range(2)]
        self.whole = self.registry(2)

    def registry(self, number: int) -> Registry:
        """A registry with one server."""
        return Registry(self.clock.seconds, [Server("s")], lambda: self.waiting[number])

    def end(self, part: int, **attributes: Any) -> None:
        """A request ends in one process, and no other one at this moment."""
        self.clock.advance(1 / 1024)
        for registry in (self.parts[part], self.whole):
            ended = finished(self.clock.seconds(), **attributes)
            registry.begin(ended)
            registry.end(ended)

    def tick(self, seconds: int) -> None:
        """Time passes."""
        for _ in range(seconds):
            self.clock.advance(1)
            for registry in (*self.parts, self.whole):
                registry.tick(0.0)

    def merged(self) -> Registry:
        """The sum of both, as another process makes it."""
        return merge([load(dump(part), self.clock.seconds) for part in self.parts], self.clock.seconds)


class MergeTests(MergingCase):
    """What is shown of the sum."""

    def assert_same(self) -> None:
        """The sum shows what the registry shows that was told all."""
        merged = self.merged()
        now = self.clock.seconds()
        for show in (report, series, last_minute, under_way, lambda registry: recent(registry, now)):
            self.assertEqual(show(merged), show(self.whole))

    def test_requests(self) -> None:
        """Counts, quantiles, charts and the last requests are the same, whichever process a request was in."""
        rng = random.Random(1)
        for _ in range(30):
            for _ in range(rng.randrange(8)):
                profile, audio = rng.choice(["", "a", "b"]), rng.choice([None, 3.0])
                times = [0.0, 0.0, 0.0, 0.0, 0.0, rng.random()]
                route = rng.choice([TRANSCRIPTION, PASS_THROUGH])
                self.end(rng.randrange(2), route=route, profile=profile, audio_seconds=audio, times=times)
            self.tick(rng.choice([1, 3, 11]))
        self.assert_same()
        self.tick(int(70 * WINDOW_S))
        self.assert_same()

    def test_one_has_nothing(self) -> None:
        """A process that has just begun changes nothing."""
        self.end(0, route=PASS_THROUGH)
        self.tick(25)
        self.parts[1] = self.registry(1)
        self.assert_same()

    def test_in_flight(self) -> None:
        """Requests in flight are shown, the oldest first."""
        for number, part in enumerate((1, 0, 1)):
            flying = record(self.clock.seconds(), target=b"/%d" % number)
            flying.route = PASS_THROUGH
            self.parts[part].begin(flying)
            self.whole.begin(flying)
            self.tick(1)
        self.waiting = [1, 2, 3]
        self.assert_same()
        self.assertEqual([each["target"] for each in under_way(self.merged())], ["/0", "/1", "/2"])

    def test_others(self) -> None:
        """What else is counted is added; the latest success of a server counts."""
        for number, part in enumerate(self.parts, 1):
            part.connections = part.moved_on = number
            part.refusals["e"] += number
            part.chosen["c"] += number
            part.rejected[4] += number
            part.tick(number / 8)
            part.servers[0].errors["x"] += number
            part.servers[0].last_success = float(number)
        merged = self.merged()
        self.assertEqual((merged.connections, merged.moved_on, max(merged.lateness)), (3, 3, 0.25))
        self.assertEqual((merged.refusals, merged.chosen, merged.rejected), ({"e": 3}, {"c": 3}, {4: 3}))
        server = merged.servers[0]
        self.assertEqual((server.errors, server.last_success, server.last_failure), ({"x": 3}, 2.0, None))

    def test_retired(self) -> None:
        """Of a process that has ended, only what it has done remains."""
        self.end(0, route=PASS_THROUGH)
        self.parts[0].begin(record(self.clock.seconds()))
        self.parts[0].connections = 1
        self.parts[0].tick(5.0)
        retire(self.parts[0])
        merged = self.merged()
        shown = report(merged)
        self.assertEqual((shown["total_requests"], shown["in_flight"], shown["connections"]), (1, 0, 0))
        self.assertEqual(max(merged.lateness), 0.0)
        again = load(dump(merged), self.clock.seconds)
        self.assertEqual(report(again), shown)
