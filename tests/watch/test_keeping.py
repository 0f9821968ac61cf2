"""
Tests for :mod:`sttproxy.watch`: the last good configuration, reloading, and what the log says.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import LogLevel, formatEvent

from sttproxy.watch import ConfigWatcher, Source

from .test_watcher import BAD, EN, ZH, WatcherTestCase


class KeepingTests(WatcherTestCase):
    """The configuration in force when the file is unusable."""

    def test_last_good(self) -> None:
        """The last good configuration stays in force; the reason is in the error, and logged once with its place."""
        self.watch()
        current = self.watcher.current
        for number, (data, reason) in enumerate(BAD.items(), 1):
            self.write(data)
            self.looks(10)
            self.assertIs(self.watcher.current, current)
            self.assertIn(reason, self.watcher.error)
            self.assertEqual(len(self.logged(LogLevel.error)), number)
            self.assertIn(reason, self.logged(LogLevel.error)[-1])
            self.assertIn(self.path, self.logged(LogLevel.error)[-1])
        self.assertEqual(self.watcher.current.generation, 1)

    def test_gone(self) -> None:
        """The last good configuration stays in force if the file is deleted."""
        for required in (True, False):
            self.watch(required=required)
            os.unlink(self.path)
            self.looks(10)
            self.assertEqual(self.language(), "zh")
            self.assertIn("No such file", self.watcher.error)
            self.assertEqual(len(self.logged(LogLevel.error)), 1)

    def test_unknown_encoding(self) -> None:
        """A file whose name the file system's encoding does not have cannot be read; watching continues."""
        self.watch()

        def no_such_name(*_: object) -> int:
            raise UnicodeEncodeError("ascii", "会", 0, 1, "no")

        with mock.patch("os.open", no_such_name):
            self.looks(10)
        self.assertIn("cannot be read: 'ascii'", self.watcher.error)
        self.write(EN)
        self.looks()
        self.assertEqual(self.language(), "en")

    def test_no_descriptor(self) -> None:
        """If too many files are open to read it, the configuration stays in force, without an error."""
        self.watch()
        for number in (errno.EMFILE, errno.ENFILE):
            with mock.patch("os.open", side_effect=OSError(number, os.strerror(number))):
                self.write(EN)
                self.looks(10)
            self.assertEqual((self.language(), self.watcher.error), ("zh", ""))
            self.looks()
            self.assertEqual(self.language(), "en")
            self.write(ZH)
            self.looks()
        self.assertEqual(self.logged(LogLevel.error), [])

    def test_no_descriptor_when_asked(self) -> None:
        """A reload at that time is an error; the file is read as soon as it can be opened."""
        self.watch()
        with mock.patch("os.open", side_effect=OSError(errno.EMFILE, "Too many open files")):
            self.watcher.reload()
        self.assertIn("it cannot be read: Too many open files", self.watcher.error)
        self.looks()
        self.assertEqual((self.language(), self.watcher.error), ("zh", ""))

    def test_goes_on_after_a_fault(self) -> None:
        """An unexpected exception in one look does not stop the looks."""
        self.watch()
        with mock.patch("sttproxy.watch.watcher.look", side_effect=RuntimeError):
            self.assertRaises(RuntimeError, self.looks)
        self.write(EN)
        self.looks()
        self.assertEqual(self.language(), "en")

    def test_folder(self) -> None:
        """A folder in the file's place uses up no file descriptors, even after many looks."""
        self.watch()
        os.unlink(self.path)
        os.mkdir(self.path)
        self.looks(2)
        before = len(os.listdir("/dev/fd"))
        self.looks(50)
        self.assertEqual(len(os.listdir("/dev/fd")), before)
        self.assertEqual(len(self.logged(LogLevel.error)), 1)

    def test_recovers(self) -> None:
        """A valid file, with new or with the previous content, is in force again, and the error is gone."""
        self.watch()
        for data, language, generation in ((EN, "en", 2), (EN, "en", 2), (ZH, "zh", 3)):
            self.write(b"{")
            self.looks()
            self.assertNotEqual(self.watcher.error, "")
            self.logs.clear()
            self.write(data)
            self.looks()
            self.assertEqual(
                (self.language(), self.watcher.current.generation, self.watcher.error), (language, generation, "")
            )
            self.assertEqual(len(self.logged(LogLevel.info)), 1)

    def test_goes_on(self) -> None:
        """The next look comes after any exception from reading or checking."""
        self.watch()
        self.patch(os, "open", lambda *args: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        self.looks(3)
        self.assertIn("Input/output", self.watcher.error)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)


class ReloadTests(WatcherTestCase):
    """Reloading."""

    def test_at_once(self) -> None:
        """The file's content is in force at once, without a second look."""
        self.watch()
        self.write(EN)
        self.watcher.reload()
        self.assertEqual((self.language(), self.watcher.current.generation), ("en", 2))
        self.looks(3)
        self.assertEqual(self.watcher.current.generation, 2)

    def test_unchanged(self) -> None:
        """If nothing changed, the reload has no effect; the log has the request, and that nothing has changed."""
        self.watch()
        current = self.watcher.current
        self.watcher.reload()
        self.assertIs(self.watcher.current, current)
        self.assertEqual(self.watcher.current.generation, 1)
        self.assertEqual(self.logged(LogLevel.info)[1:], ["Nothing has changed (generation 1)."])

    def test_unusable(self) -> None:
        """Each reload of an unusable file logs the reason again; the last good configuration stays in force."""
        self.watch()
        self.write(b"{")
        for number in (1, 2):
            self.watcher.reload()
            self.assertEqual((self.language(), len(self.logged(LogLevel.error))), ("zh", number))
        self.looks(5)
        self.assertEqual(len(self.logged(LogLevel.error)), 2)


class ElsewhereTests(WatcherTestCase):
    """Checking in a thread."""

    def watch_slowly(self) -> list[Callable[[], None]]:
        """Start a watcher whose checks wait until the test runs them."""
        waiting: list[Callable[[], None]] = []

        def elsewhere(check: Callable[[], Any]) -> Deferred[Any]:
            checked: Deferred[Any] = Deferred()
            waiting.append(lambda: maybeDeferred(check).chainDeferred(checked))
            return checked

        self.write(ZH)
        self.watcher = ConfigWatcher(Source(self.path), self.clock, elsewhere)
        self.watcher.load()
        self.watcher.startService()
        self.addCleanup(self.watcher.stopService)
        self.write(EN)
        return waiting

    def test_once(self) -> None:
        """During a check the old configuration stays in force, and no second check starts."""
        waiting = self.watch_slowly()
        self.looks(20)
        self.assertEqual((len(waiting), self.language()), (1, "zh"))
        waiting.pop()()
        self.assertEqual(self.language(), "en")
        self.looks(5)
        self.assertEqual(waiting, [])

    def test_asked_meanwhile(self) -> None:
        """A reload during a check reads the files again after it."""
        waiting = self.watch_slowly()
        self.looks(2)
        self.write(b'{"language": "de"}')
        reloads = [self.watcher.reload(), self.watcher.reload()]
        waiting.pop()()
        self.assertEqual(len(waiting), 1)
        for reload in reloads:
            self.assertNoResult(reload)
        waiting.pop()()
        self.assertEqual(self.language(), "de")
        for reload in reloads:
            self.successResultOf(reload)

    def test_reload_ends(self) -> None:
        """A reload ends whatever comes of it: errors, an exception in the check, or the end of the daemon."""
        waiting = self.watch_slowly()
        self.write(b"{")
        refused = self.watcher.reload()
        self.assertNoResult(refused)
        waiting.pop()()
        self.successResultOf(refused)
        with mock.patch("sttproxy.watch.source.Source.check", side_effect=RuntimeError):
            failed = self.watcher.reload()
            waiting.pop()()
        self.successResultOf(failed)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        stopped = [self.watcher.reload(), self.watcher.reload()]
        self.watcher.stopService()
        waiting.pop()()
        self.assertEqual((waiting, len(list(map(self.successResultOf, stopped)))), ([], 2))
        self.watcher.startService()

    def test_stopped_meanwhile(self) -> None:
        """A stopped watcher puts nothing into force."""
        waiting = self.watch_slowly()
        self.looks(2)
        self.watcher.stopService()
        waiting.pop()()
        self.assertEqual((self.language(), self.clock.getDelayedCalls()), ("zh", []))
        self.watcher.startService()

    def test_fault(self) -> None:
        """An unexpected exception in a check is logged once, and watching continues."""
        self.watch()
        with mock.patch("sttproxy.watch.source.Source.check", side_effect=RuntimeError):
            self.write(EN)
            self.looks(10)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.write(b'{"language": "de"}')
        self.looks()
        self.assertEqual(self.language(), "de")


class MountTests(WatcherTestCase):
    """A mounted file that was replaced outside of its mount: its path leads to a file without a name."""

    def stat(self, links: int) -> Any:
        """Patch ``os.stat`` to report this number of links."""
        return mock.patch("sttproxy.watch.files.os.stat", return_value=mock.Mock(st_nlink=links))

    def test_told(self) -> None:
        """The log has it once, the error has it while it lasts, and the configuration stays in force."""
        self.watch()
        with self.stat(0):
            self.looks(10)
            (line,) = self.logged(LogLevel.error)
            self.assertIn(f"{self.path}: the file was replaced outside of its mount", line)
            self.assertIn("mount the folder", line)
            self.assertIn("mount the folder", self.watcher.snapshot()["error"])
            self.assertEqual(self.language(), "zh")
            self.write(b"{")
            self.looks(2)
            self.assertIn(":1:2: ", self.watcher.error)
            self.assertIn("mount the folder", self.watcher.error)
        self.write(EN)
        with self.stat(1):
            self.looks(2)
        self.assertEqual((self.watcher.error, self.language()), ("", "en"))

    def test_at_start(self) -> None:
        """A file that was replaced before the start is reported, too."""
        self.write(ZH)
        watcher = ConfigWatcher(Source(self.path), self.clock)
        with self.stat(0):
            watcher.load()
        self.assertIn("mount the folder", watcher.error)


class LogTests(WatcherTestCase):
    """The log lines about a change."""

    def test_fields(self) -> None:
        """They name the fields that were changed, added or removed, without values."""
        self.watch(b'{"language": "secret1", "prompt": "secret2", "temperature": 0}')
        self.write(b'{"language": "secret3", "temperature": 0, "model": "secret4"}')
        self.looks()
        (line,) = self.logged(LogLevel.info)
        self.assertIn("changed: language, model, prompt.", line)
        self.assertIn("generation 2", line)
        self.write(b'{"language": "secret5" "x"}')
        self.looks()
        for event in self.logs:
            self.assertNotIn("secret", formatEvent(event))

    def test_same_meaning(self) -> None:
        """A file with the same meaning in other words changes nothing, and nothing is logged."""
        self.watch(b'{"language": "zh", "prompt": "a"}')
        self.write(b'\n{ "prompt" : "a",\t"language" : "zh" }')
        self.looks(5)
        self.assertEqual((self.watcher.current.generation, list(self.logs)), (1, []))
