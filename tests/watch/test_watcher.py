"""
Tests for :mod:`sttproxy.watch.watcher`, with real files: reading, and ways of editing.
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
from sttproxy.watch import ConfigWatcher, Source
from sttproxy.watch.watcher import LOOK_AGAIN_S, LOOK_EVERY_S

ZH, EN = b'{"language": "zh"}', b'{"language": "en"}'
#: Unusable files, and a part of the reason.
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
        """Start a watcher."""
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
        """The forced language in force."""
        field = self.watcher.current.base.forced_by_name.get("language")
        return field.parts[0][1] if field else None

    def looks(self, count: int = 2) -> None:
        """Let the watcher look a number of times."""
        for _ in range(count):
            self.clock.advance(LOOK_EVERY_S)

    def logged(self, level: LogLevel) -> list[str]:
        """The log lines of a level since the watcher started."""
        return [formatEvent(event) for event in self.logs if event["log_level"] is level]


class LoadTests(WatcherTestCase):
    """The first reading."""

    def test_interface(self) -> None:
        """A watcher is a service."""
        self.assertTrue(verifyObject(IService, self.watch()))

    def test_loaded(self) -> None:
        """The configuration is in force before the service runs."""
        self.write(ZH)
        self.clock.advance(7)
        self.watcher = ConfigWatcher(Source(self.path), self.clock)
        self.watcher.load()
        self.assertEqual(self.language(), "zh")
        self.assertEqual((self.watcher.current.generation, self.watcher.since, self.watcher.error), (1, 7, ""))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unusable(self) -> None:
        """An unusable file is an error that names the place."""
        for required in (True, False):
            for data, reason in BAD.items():
                self.write(data)
                watcher = ConfigWatcher(Source(self.path, required=required), self.clock)
                error = self.assertRaises(ConfigError, watcher.load)
                self.assertIn(reason, str(error))

    def test_missing(self) -> None:
        """A missing file is an error if it is required.  If not, a warning names it, and the configuration is empty."""
        error = self.assertRaises(ConfigError, ConfigWatcher(Source(self.path), self.clock).load)
        self.assertIn("No such file", str(error))
        watcher = ConfigWatcher(Source(self.path, required=False), self.clock)
        watcher.load()
        self.assertIn(self.path, self.logged(LogLevel.warn)[0])
        self.assertEqual((watcher.current.base.forced, watcher.current.generation, watcher.error), ((), 1, ""))

    def test_not_a_file(self) -> None:
        """A folder, a pipe and a broken link are always errors; the pipe does not block the reader."""
        os.mkdir(os.path.join(self.folder, "d"))
        os.mkfifo(os.path.join(self.folder, "p"))
        os.symlink("nowhere", os.path.join(self.folder, "l"))
        for name in "dpl":
            for required in (True, False):
                watcher = ConfigWatcher(Source(os.path.join(self.folder, name), required=required), self.clock)
                self.assertRaises(ConfigError, watcher.load)

    def test_stopped(self) -> None:
        """A stopped watcher does not look, and can be started again."""
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
    """Each way of changing the file is in force within two looks, whatever the file's time stamp is."""

    def edited(self, edit: Callable[[], None]) -> None:
        """Make an edit and check that it is in force after two looks."""
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
        """The file is written in place, with the same size and the same time stamps."""
        self.watch()
        before = os.stat(self.path)

        def edit() -> None:
            self.write(EN)
            os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))

        self.edited(edit)

    def test_renamed_over(self) -> None:
        """Another file is renamed over it."""
        self.watch()
        self.write(EN, self.path + ".new")
        self.edited(lambda: os.replace(self.path + ".new", self.path))

    def test_link_swapped(self) -> None:
        """A link to the folder is swapped, as Kubernetes does with a ConfigMap."""
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
        """The file is deleted, and later written again with other content."""
        self.watch()
        os.unlink(self.path)
        self.looks(5)
        self.assertEqual(self.language(), "zh")
        self.edited(lambda: self.write(EN))

    def test_appears(self) -> None:
        """The file is missing at first, and is written later."""
        self.watch(None, required=False)
        self.write(EN)
        self.looks()
        self.assertEqual((self.language(), self.watcher.current.generation), ("en", 2))

    def test_half_written(self) -> None:
        """A file that changes between two looks is checked only when it stops changing, so half of a file never is."""
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
        """A file that is rewritten all the time comes into force whenever it is valid; half of a file does not."""
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
        """A file that is empty at one look is not checked, because editors truncate a file before they write it."""
        self.watch()
        self.write(b"")
        self.looks(1)
        self.edited(lambda: self.write(EN))
        self.assertEqual(self.logged(LogLevel.error), [])

    def test_back(self) -> None:
        """A change that is undone before it comes into force has no effect."""
        self.watch()
        self.write(EN)
        self.looks(1)
        self.write(ZH)
        self.looks(5)
        self.assertEqual((self.watcher.current.generation, list(self.logs)), (1, []))
