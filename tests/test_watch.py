"""
Tests for :mod:`sttproxy.watch`, on files of their own: reading, and ways of editing.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.application.service import IService
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from sttproxy.config import MAX_BYTES
from sttproxy.errors import ConfigError
from sttproxy.watch import LOOK_AGAIN_S, LOOK_EVERY_S, ConfigWatcher, Source

ZH, EN = b'{"language": "zh"}', b'{"language": "en"}'
#: Files that cannot be used, and what the reason says.
BAD = {
    b"": ":1:1: ",
    b'{\n "language": zh}': ":2:14: ",
    b"[]": "object",
    b'{"a": 1, "a": 2}': ":1:10: ",
    b"\xff": "UTF-8",
    b'"' + b"x" * MAX_BYTES + b'"': "larger",
    b"[" * 100_000: "",
}


class WatcherTestCase(SynchronousTestCase):
    """Tests of one watcher and its file."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = self.mktemp()
        os.makedirs(self.folder)
        self.path = os.path.join(self.folder, "stt.json")
        capturing = capturedLogs()
        self.logs = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)

    def write(self, data: bytes, path: str | None = None) -> None:
        """Write the file in place."""
        with open(path or self.path, "wb") as file:
            file.write(data)

    def watch(self, data: bytes | None = ZH, required: bool = True) -> ConfigWatcher:
        """A watcher that runs."""
        if data is not None:
            self.write(data)
        source = Source(self.path, required=required)
        watcher = self.watcher = ConfigWatcher(source, self.clock, wall=self.clock.seconds)
        watcher.load()
        watcher.startService()
        self.addCleanup(watcher.stopService)
        self.logs.clear()
        return watcher

    def language(self) -> str | None:
        """What is in force."""
        field = self.watcher.current.base.forced_by_name.get("language")
        return field.parts[0][1] if field else None

    def looks(self, count: int = 2) -> None:
        """Let the watcher look so many times."""
        for _ in range(count):
            self.clock.advance(LOOK_EVERY_S)

    def logged(self, level: LogLevel) -> list[str]:
        """What was said since."""
        return [formatEvent(event) for event in self.logs if event["log_level"] is level]


class LoadTests(WatcherTestCase):
    """The first reading."""

    def test_interface(self) -> None:
        """A watcher is a service."""
        self.assertTrue(verifyObject(IService, self.watch()))

    def test_loaded(self) -> None:
        """The file is in force before the service runs."""
        self.write(ZH)
        self.clock.advance(7)
        self.watcher = ConfigWatcher(Source(self.path), self.clock)
        self.watcher.load()
        self.assertEqual(self.language(), "zh")
        self.assertEqual((self.watcher.current.generation, self.watcher.since, self.watcher.error), (1, 7, ""))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unusable(self) -> None:
        """A file that cannot be used is an error that says where."""
        for required in (True, False):
            for data, reason in BAD.items():
                self.write(data)
                watcher = ConfigWatcher(Source(self.path, required=required), self.clock)
                error = self.assertRaises(ConfigError, watcher.load)
                self.assertIn(reason, str(error))

    def test_missing(self) -> None:
        """A missing file is an error if it was asked for, else a warning that names it, and an empty configuration."""
        error = self.assertRaises(ConfigError, ConfigWatcher(Source(self.path), self.clock).load)
        self.assertIn("No such file", str(error))
        watcher = ConfigWatcher(Source(self.path, required=False), self.clock)
        watcher.load()
        self.assertIn(self.path, self.logged(LogLevel.warn)[0])
        self.assertEqual((watcher.current.base.forced, watcher.current.generation, watcher.error), ((), 1, ""))

    def test_not_a_file(self) -> None:
        """A folder, a pipe and a link to nowhere are errors in any case, and nobody waits for the pipe."""
        os.mkdir(os.path.join(self.folder, "d"))
        os.mkfifo(os.path.join(self.folder, "p"))
        os.symlink("nowhere", os.path.join(self.folder, "l"))
        for name in "dpl":
            for required in (True, False):
                watcher = ConfigWatcher(Source(os.path.join(self.folder, name), required=required), self.clock)
                self.assertRaises(ConfigError, watcher.load)

    def test_stopped(self) -> None:
        """A watcher that was stopped does not look any more, and can be started again."""
        watcher = self.watch()
        watcher.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.write(EN)
        self.clock.advance(10)
        self.assertEqual(self.language(), "zh")
        watcher.startService()
        self.looks()
        self.assertEqual(self.language(), "en")


class EditTests(WatcherTestCase):
    """Ways of changing the file: each is in force within two looks, whatever the clock of the file says."""

    def edited(self, edit: Callable[[], None]) -> None:
        """See an edit through."""
        self.clock.advance(0.1)
        edit()
        self.looks(1)
        self.assertEqual(self.language(), "zh")
        self.looks(1)
        self.assertEqual(self.language(), "en")
        self.assertEqual((self.watcher.current.generation, self.watcher.since), (2, self.clock.seconds()))

    def test_within_a_second(self) -> None:
        """Two looks take less than a second."""
        self.assertLess(LOOK_EVERY_S + LOOK_AGAIN_S, 1)

    def test_in_place(self) -> None:
        """Written in place, with the same size and the same times."""
        self.watch()
        before = os.stat(self.path)

        def edit() -> None:
            self.write(EN)
            os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))

        self.edited(edit)

    def test_renamed_over(self) -> None:
        """Another file renamed over it."""
        self.watch()
        self.write(EN, self.path + ".new")
        self.edited(lambda: os.replace(self.path + ".new", self.path))

    def test_link_swapped(self) -> None:
        """A link to a folder swapped, as Kubernetes does with a ConfigMap."""
        for name, data in (("1", ZH), ("2", EN)):
            os.mkdir(os.path.join(self.folder, name))
            self.write(data, os.path.join(self.folder, name, "stt.json"))
        link = os.path.join(self.folder, "..data")
        os.symlink("1", link)
        os.symlink("..data/stt.json", self.path)
        self.watch(None)

        def edit() -> None:
            os.symlink("2", link + "_tmp")
            os.replace(link + "_tmp", link)

        self.edited(edit)

    def test_deleted_and_put_back(self) -> None:
        """Deleted, and after a while put back with something else."""
        self.watch()
        os.unlink(self.path)
        self.looks(5)
        self.assertEqual(self.language(), "zh")
        self.edited(lambda: self.write(EN))

    def test_appears(self) -> None:
        """A file that was missing at first."""
        self.watch(None, required=False)
        self.write(EN)
        self.looks()
        self.assertEqual((self.language(), self.watcher.current.generation), ("en", 2))

    def test_half_written(self) -> None:
        """A file that changes between two looks is not judged before it rests; a half of it never is."""
        self.watch()
        for size in range(1, len(EN), 4):
            self.write(EN[:size])
            self.looks(1)
        self.write(EN)
        self.looks(1)
        self.assertEqual((self.language(), self.watcher.error, self.logged(LogLevel.error)), ("zh", "", []))
        self.looks(1)
        self.assertEqual(self.language(), "en")

    def test_never_rests(self) -> None:
        """A file that is rewritten all the time is in force in between, whenever it is good; its halves are not."""
        self.watch()
        for number in range(100):
            self.write(b'{"language": "%d"}' % number if number % 3 else b'{"language": "')
            self.looks(1)
        self.assertGreater(self.watcher.current.generation, 10)
        self.assertEqual((self.watcher.error, self.logged(LogLevel.error)), ("", []))
        self.write(EN)
        self.looks(2)
        self.assertEqual(self.language(), "en")

    def test_emptied_and_written(self) -> None:
        """Nor is a file judged that is seen empty once, as editors truncate before they write."""
        self.watch()
        self.write(b"")
        self.looks(1)
        self.edited(lambda: self.write(EN))
        self.assertEqual(self.logged(LogLevel.error), [])

    def test_back(self) -> None:
        """A change that is taken back before it was in force never was."""
        self.watch()
        self.write(EN)
        self.looks(1)
        self.write(ZH)
        self.looks(5)
        self.assertEqual((self.watcher.current.generation, list(self.logs)), (1, []))
