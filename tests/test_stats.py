"""
Tests for :mod:`sttproxy.stats`.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.stats import Stats


class StatsTests(SynchronousTestCase):
    """The counters and their snapshots."""

    def test_fresh(self) -> None:
        """All counters begin at zero, and those that monitoring relies on exist."""
        snapshot = Stats().snapshot()
        for name in ("total_requests", "stt_requests", "forwarded_requests", "in_flight"):
            self.assertEqual(snapshot[name], 0, name)
        self.assertEqual([value for value in snapshot.values() if value], [])

    def test_answers(self) -> None:
        """Responses are counted by status class."""
        stats = Stats()
        for status in (200, 204, 299, 304, 400, 415, 502, 599, 101):
            stats.answered(status)
        self.assertEqual(stats.snapshot()["answers"], {"1xx": 1, "2xx": 3, "3xx": 1, "4xx": 2, "5xx": 2})

    def test_chosen(self) -> None:
        """Choices of profiles are counted; requests without a profile are not."""
        stats = Stats()
        for profile, by in (("webui", "$choose[0]"), ("webui", "$choose[0]"), ("", ""), ("home", "url")):
            stats.chose(profile, by)
        self.assertEqual(stats.snapshot()["chosen"], {"$choose[0]: webui": 2, "url: home": 1})

    def test_sorted(self) -> None:
        """A snapshot has status classes, error codes and kinds of rules in sorted order."""
        stats = Stats()
        for status in (500, 200, 400):
            stats.answered(status)
        for code in ("upstream_timeout", "bad_gateway"):
            stats.upstream_errors[code] += 1
        for act in ("mapped", "forced"):
            stats.rules[act] += 1
        self.assertEqual(list(stats.snapshot()["rules"]), ["forced", "mapped"])
        self.assertEqual(list(stats.snapshot()["answers"]), ["2xx", "4xx", "5xx"])
        self.assertEqual(list(stats.snapshot()["upstream_errors"]), ["bad_gateway", "upstream_timeout"])

    def test_json(self) -> None:
        """A snapshot can be converted to JSON and back."""
        stats = Stats()
        stats.total_requests += 3
        stats.answered(200)
        snapshot = stats.snapshot()
        self.assertEqual(json.loads(json.dumps(snapshot)), snapshot)

    def test_detached(self) -> None:
        """A snapshot does not change when the counters do."""
        stats = Stats()
        stats.answered(200)
        before = stats.snapshot()
        stats.answered(200)
        stats.total_requests += 1
        self.assertEqual(before["answers"], {"2xx": 1})
        self.assertEqual(before["total_requests"], 0)

    def test_apart(self) -> None:
        """Two objects share no counters."""
        one, other = Stats(), Stats()
        one.answered(200)
        one.upstream_errors["bad_gateway"] += 1
        self.assertEqual(other.snapshot(), Stats().snapshot())
