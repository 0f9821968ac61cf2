"""
Tests for :mod:`sttproxy.workers.configuration`.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.watch import Source
from sttproxy.workers.configuration import FollowedConfig, LeadingWatcher


class ConfigurationCase(SynchronousTestCase):
    """A configuration in a temporary file."""

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())
        self.source = Source(self.path)
        self.write("one")

    def write(self, name: str) -> None:
        """Write a configuration with one field."""
        with open(self.path, "w") as file:
            file.write(f'{{"{name}": "x"}}')

    def look(self, name: str) -> dict[str, Any]:
        """What is read of such a configuration."""
        return {self.path: f'{{"{name}": "x"}}'.encode()}


class LeaderTests(ConfigurationCase):
    """The supervisor's side."""

    def test_two_steps(self) -> None:
        """A change comes into force when the workers have prepared it; errors never reach them."""
        events: list[Any] = []
        ready: Deferred[None] = Deferred()

        def prepare(look: Any) -> Deferred[None]:
            events.append(("prepare", look))
            return ready

        watcher = LeadingWatcher(
            self.source, Clock(), maybeDeferred, prepare, lambda *commit: events.append(("commit", *commit))
        )
        watcher.load()
        watcher.startService()
        self.addCleanup(watcher.stopService)
        self.assertEqual(events, [("commit", 1, self.look("one"))])
        del events[:]
        self.write("two")
        watcher.reload()
        self.assertEqual((events, watcher.current.generation), ([("prepare", self.look("two"))], 1))
        ready.callback(None)
        self.assertEqual(events[1:], [("commit", 2, self.look("two"))])
        self.assertEqual((watcher.current.generation, watcher.look), (2, self.look("two")))
        with open(self.path, "w") as file:
            file.write("[")
        ready = succeed(None)
        watcher.reload()
        self.assertEqual(len(events), 2)
        self.assertTrue(watcher.error)


class FollowerTests(ConfigurationCase):
    """A worker's side."""

    def setUp(self) -> None:
        super().setUp()
        self.ready: list[int] = []
        self.checks: list[tuple[Deferred[Any], Any]] = []
        self.config = FollowedConfig(self.source, self.elsewhere, self.ready.append)
        self.config.load(self.look("one"), 4)

    def elsewhere(self, call: Any) -> Deferred[Any]:
        """Run a function when the test says so."""
        result: Deferred[Any] = Deferred()
        self.checks.append((result, call))
        return result

    def check(self) -> None:
        """Run the next function."""
        result, call = self.checks.pop(0)
        result.callback(call())

    def assert_force(self, name: str, generation: int) -> None:
        """Check what is in force."""
        current = self.config.current
        self.assertEqual((current.base.spellings(), current.generation), ([name], generation))

    def test_load(self) -> None:
        """At the start, what the supervisor has read is in force, whatever the file is now."""
        self.write("other")
        self.assert_force("one", 4)
        self.assertEqual((self.config.files, self.config.snapshot()), ([self.path], {}))
        self.config.reload()
        self.assert_force("one", 4)

    def test_prepared(self) -> None:
        """A prepared configuration is used only when it is committed."""
        self.config.prepare(1, self.look("two"))
        self.assertEqual(self.ready, [])
        self.check()
        self.assertEqual(self.ready, [1])
        self.assert_force("one", 4)
        self.config.commit(1, 5, self.look("two"))
        self.assert_force("two", 5)

    def test_late(self) -> None:
        """A slow worker uses it as soon as it has prepared it."""
        self.config.prepare(1, self.look("two"))
        self.config.commit(1, 5, self.look("two"))
        self.assert_force("one", 4)
        self.check()
        self.assert_force("two", 5)
        self.assertEqual(self.checks, [])

    def test_new_worker(self) -> None:
        """A worker that has started between both steps prepares what is committed."""
        self.config.commit(1, 5, self.look("two"))
        self.check()
        self.assert_force("two", 5)

    def test_replaced(self) -> None:
        """What was prepared and not committed is forgotten."""
        for number, name in ((1, "two"), (2, "three")):
            self.config.prepare(number, self.look(name))
            self.check()
        self.config.commit(2, 5, self.look("three"))
        self.assert_force("three", 5)
        self.assertEqual(self.config._prepared, {})
