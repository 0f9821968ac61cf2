"""
Tests for :mod:`sttproxy.logs.filters`: levels and floods.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from sttproxy.logs.events import READY
from sttproxy.logs.filters import BURST, MAX_PLACES, WINDOW_S, FloodFilter, LevelFilter


class FilterTestCase(SynchronousTestCase):
    """Base class: keeps the events that pass."""

    def setUp(self) -> None:
        self.passed: list[LogEvent] = []
        self.clock = Clock()

    def texts(self) -> list[str]:
        """The texts of the events that have passed since the last call."""
        passed, self.passed[:] = self.passed[:], []
        return [formatEvent(event) for event in passed]


class LevelTests(FilterTestCase):
    """Levels."""

    def test_levels(self) -> None:
        """Only events of the level and above pass, and those without a level."""
        for lowest, expected in (
            ("debug", ["debug", "info", "warn", "error", "critical", ""]),
            ("info", ["info", "warn", "error", "critical", ""]),
            ("error", ["error", "critical", ""]),
        ):
            observer = LevelFilter(lowest, self.passed.append)  # type: ignore[arg-type]
            self.assertTrue(verifyObject(ILogObserver, observer))
            log = Logger("some.name", observer=observer)
            for level in LogLevel.iterconstants():
                log.emit(level, level.name)
            observer({"log_format": ""})
            self.assertEqual(self.texts(), expected)


class FloodTests(FilterTestCase):
    """Floods."""

    def setUp(self) -> None:
        super().setUp()
        self.floods = FloodFilter(self.clock, self.passed.append)  # type: ignore[arg-type]
        self.log = Logger("some.name", observer=self.floods)

    def test_interface(self) -> None:
        """It is an observer."""
        self.assertTrue(verifyObject(ILogObserver, self.floods))

    def test_summary(self) -> None:
        """The first events pass at once; one line says how many more there were, with the text of the last one."""
        for number in range(4312 + BURST):
            self.log.warn("no {what}", what=number)
        self.assertEqual(self.texts(), [f"no {number}" for number in range(BURST)])
        self.clock.advance(WINDOW_S)
        (event,) = self.passed
        self.assertEqual(self.texts(), [f"… 4,312 more in the last 10 s: no {4311 + BURST}"])
        self.assertEqual((event["log_level"], event["log_namespace"]), (LogLevel.warn, "some.name"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_next_window(self) -> None:
        """Each window logs its first events, and has a summary only if there were more."""
        for more in (1, 0, 5):
            for _ in range(BURST + more):
                self.log.info("x")
            self.clock.advance(WINDOW_S)
            summary = [f"… {more} more in the last 10 s: x"] if more else []
            self.assertEqual(self.texts(), ["x"] * BURST + summary)

    def test_places(self) -> None:
        """Other messages, levels and loggers are counted apart."""
        for _ in range(BURST + 1):
            self.log.warn("a")
        self.log.warn("b")
        self.log.error("a")
        Logger("other.name", observer=self.floods).warn("a")
        self.assertEqual(self.texts()[BURST:], ["b", "a", "a"])

    def test_exceptions(self) -> None:
        """Exceptions are told apart by their type and by the line that raises them."""

        def fail(number: int) -> None:
            if number % 2:
                raise KeyError(number)
            if number % 4:
                raise ValueError(number)
            raise ValueError(-number)

        for number in range(4 * BURST + 4):
            try:
                fail(number)
            except Exception:
                self.log.failure("it failed")
        # Two lines raise a ValueError, each in a quarter of the cases; one raises a KeyError, in half of them.
        self.assertEqual(len(self.texts()), 3 * BURST)
        self.clock.advance(WINDOW_S)
        counts = sorted(event["count"] for event in self.passed)
        self.assertEqual(counts, [1, 1, BURST + 2])

    def test_old(self) -> None:
        """Events of the old module for logging have one format for all messages, so their texts tell them apart."""
        for number in range(3):
            for _ in range(BURST + 1):
                self.floods({"log_format": "{log_text}", "log_text": str(number), "log_level": LogLevel.info})
        self.assertEqual(len(self.texts()), 3 * BURST)

    def test_always(self) -> None:
        """Lines of requests always pass, and so does what debugging asks for."""
        for _ in range(3 * BURST):
            self.floods({"log_level": LogLevel.warn, "log_format": "", READY: "line"})
            self.log.debug("x")
        self.assertEqual(len(self.passed), 6 * BURST)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """Many places share one count, so that memory and lines are bounded; those that are over are forgotten."""
        for _ in range(3):
            for number in range(10 * MAX_PLACES):
                self.log.warn(f"x{number}")
            self.assertEqual(len(self.floods._floods), MAX_PLACES + 1)
            self.assertEqual(len(self.texts()), MAX_PLACES + BURST)
            self.clock.advance(WINDOW_S)
            (summary,) = self.texts()
            self.assertIn(f"… {9 * MAX_PLACES - BURST} more", summary)

    def test_end(self) -> None:
        """At the end of the process, what was counted is reported."""
        for _ in range(BURST + 7):
            self.log.warn("x")
        self.passed.clear()
        self.floods.flush()
        self.assertEqual(self.texts(), ["… 7 more in the last 10 s: x"])
        self.clock.advance(WINDOW_S)
        self.assertEqual(self.texts(), [])

    def test_long(self) -> None:
        """A summary is short, however long the messages are."""
        event: dict[str, Any] = {}
        for _ in range(BURST + 1):
            self.log.warn("{text}", text="x" * 10_000)
        self.clock.advance(WINDOW_S)
        event = self.passed[-1]
        self.assertLess(len(formatEvent(event)), 400)
