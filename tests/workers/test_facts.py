"""
Tests for :mod:`sttproxy.workers.facts` and :mod:`sttproxy.workers.hello`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.settings import Process, Sources, settings_of
from sttproxy.workers.facts import merge_facts
from sttproxy.workers.hello import Hello


def facts(number: int, reachable: bool) -> dict[str, Any]:
    """The facts of a process."""
    return {
        "version": "1",
        "max_clients": number,
        "servers": [
            {
                "name": "s",
                "reachable": reachable,
                **({} if reachable else {"error": "refused"}),
                "connections": {"open": number},
                "errors": {"x": number},
                "last_success_age_seconds": None if number == 1 else 5.0,
                "last_failure_age_seconds": float(number),
            }
        ],
        "descriptors": {"open": None if number == 1 else 3, "limit": 10},
        "process": {
            "memory_bytes": number,
            "memory_peak_bytes": number,
            "timers_late_seconds": {"last": number / 2, "minute_max": 1.0},
        },
    }


class FactsTests(SynchronousTestCase):
    """What several processes know."""

    def test_sum(self) -> None:
        """Counts are added; a server is reachable if any process reaches it; the worst lateness counts."""
        server = {
            "name": "s",
            "reachable": True,
            "connections": {"open": 3},
            "errors": {"x": 3},
            "last_success_age_seconds": 5.0,
            "last_failure_age_seconds": 1.0,
        }
        expected = {
            "version": "1",
            "max_clients": 3,
            "servers": [server],
            "descriptors": {"open": 3, "limit": 20},
            "process": {
                "memory_bytes": 3,
                "memory_peak_bytes": 3,
                "timers_late_seconds": {"last": 1.0, "minute_max": 1.0},
            },
        }
        self.assertEqual(merge_facts([facts(1, False), facts(2, True)]), expected)
        self.assertEqual(merge_facts([facts(1, False)]), facts(1, False))


class HelloTests(SynchronousTestCase):
    """A worker's part."""

    def test_shares(self) -> None:
        """The parts of all workers add up to the whole."""
        for count in range(1, 6):
            for whole in range(20):
                shares = [Hello(index, count, 1, {}, b"").share(whole) for index in range(count)]
                self.assertEqual(sum(shares), whole)
                self.assertLessEqual(max(shares) - min(shares), 1)

    def test_settings(self) -> None:
        """A worker has its part of the limits; it is in no background of its own, and changes no user."""
        given = {"pool-size": "5", "max-connections": "3", "max-clients": "4", "max-transcriptions": "2"}
        whole = settings_of(Sources(given, {}), Process(background=True, log_file="/x", user=(1, 1)))
        part = Hello(0, 2, 1, {}, b"").settings(whole)
        self.assertEqual((part.pool_size, part.max_connections, part.max_clients), (3, 2, 2))
        self.assertEqual(part.process, Process(log_file="/x"))
