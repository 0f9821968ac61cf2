"""
Tests for :mod:`sttproxy.page.summary`.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.page.summary import DOWN, HEALTHY, WARNING, age, summarize
from sttproxy.page.texts import load

LANGUAGES = load()


def route(in_flight: int = 0, oldest: float | None = None, queued: int = 0) -> dict[str, Any]:
    """What the line needs of one route."""
    return {"in_flight": in_flight, "oldest_seconds": oldest, "queued": queued}


class SummaryTests(SynchronousTestCase):
    """The state in one line."""

    def line(self, language: str = "en", transcription: Any = None, others: int = 0, **members: Any) -> tuple[str, str]:
        """The state and the text for some numbers."""
        numbers = {
            "routes": {"transcription": transcription or route(), "pass_through": route(others), "own": route(5)},
            "servers": [{"reachable": True}],
            "failed_last_minute": 0,
            "ended_last_minute": 10,
            **members,
        }
        summary = summarize(numbers, LANGUAGES[language])
        return summary.state, summary.text

    def test_in_flight(self) -> None:
        """It tells how many transcriptions are in flight, for how long, and how many wait."""
        for flying, text in (
            (route(), "No transcription is in flight. Nothing waits."),
            (route(1, 3.9), "1 transcription in flight, for 3 s. Nothing waits."),
            (route(2, 40.0), "2 transcriptions in flight, the older for 40 s. Nothing waits."),
            (route(5, 150.0, 1), "5 transcriptions in flight, the oldest for 2 min. 1 waits."),
            (route(9, 8000.0, 7), "9 transcriptions in flight, the oldest for 2 h 13 min. 7 wait."),
        ):
            self.assertEqual(self.line(transcription=flying), (HEALTHY, f"Healthy. {text}"))

    def test_others(self) -> None:
        """Other requests for the server are told; the proxy's own pages are not."""
        self.assertIn(" 1 other request in flight. ", self.line(others=1)[1])
        self.assertIn(" 3 other requests in flight. ", self.line(others=3)[1])

    def test_servers(self) -> None:
        """Servers that take no connections come first."""
        down, up = {"reachable": False}, {"reachable": True}
        self.assertEqual(self.line(servers=[down])[0], DOWN)
        self.assertIn("The server takes no connections.", self.line(servers=[down])[1])
        state, text = self.line(servers=[down, up])
        self.assertEqual((state, text[:41]), (WARNING, "1 of 2 servers take no connections. No tr"))

    def test_draining(self) -> None:
        """A daemon that stops says so."""
        self.assertEqual(self.line(draining=True)[0], WARNING)
        self.assertIn("Stopping", self.line(draining=True)[1])

    def test_errors(self) -> None:
        """Failed transcriptions and a configuration that is not in force make the state doubtful, and no better."""
        for members, text in (
            ({"failed_last_minute": 3}, "Serving, but with errors. In the last minute, 3 of 10 transcriptions failed."),
            ({"config": {"error": "x"}}, "Serving, but with errors. The changed configuration has errors;"),
        ):
            state, line = self.line(**members)
            self.assertEqual(state, WARNING)
            self.assertIn(text, line)
            self.assertEqual(self.line(**members, servers=[{"reachable": False}])[0], DOWN)

    def test_chinese(self) -> None:
        """In Chinese it says the same."""
        self.assertEqual(
            self.line("zh", route(2, 40.0)), (HEALTHY, "运行正常。2 个转写进行中，较早的已用 40 秒。无人排队。")
        )

    def test_age(self) -> None:
        """Durations are given in whole seconds, then in minutes, then in hours."""
        ages = [age(seconds, LANGUAGES["en"]) for seconds in (0.9, 119.9, 120, 7199, 7200)]
        self.assertEqual(ages, ["0 s", "119 s", "2 min", "119 min", "2 h 0 min"])
