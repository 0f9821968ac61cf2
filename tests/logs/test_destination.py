"""
Tests for :mod:`sttproxy.logs.destination`, with files of the test's own, and writes that the test lets fail.
"""

from __future__ import annotations

import errno
import os
import pty
import stat
import time
from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.logs import destination
from sttproxy.logs.destination import MAX_PENDING, RETRY_S, ROTATE_BYTES, File, Stream, open_file

LINE = "2026-11-22T17:59:00+0000 [a#info] ä\n"


class LogTestCase(SynchronousTestCase):
    """Tests of one file."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, "stt.log")

    def file(self, keep: int = 0, owner: tuple[int, int] | None = None) -> File:
        """The file, opened."""
        log = File(self.clock, self.path, keep, owner)
        self.addCleanup(os.close, os.dup(log._fd))
        return log

    def read(self, suffix: str = "") -> str:
        """What is in it, or in a rotated one."""
        with open(self.path + suffix, encoding="utf-8") as file:
            return file.read()

    def limit_writes(self, room: Callable[[], int]) -> None:
        """Have writes take so many bytes, and fail where these are none."""
        write = os.write

        def limited(fd: int, data: bytes) -> int:
            size = room()
            if not size:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(fd, data[:size])

        self.patch(os, "write", limited)


class FileTests(LogTestCase):
    """A file, its turns and its rights."""

    def test_append(self) -> None:
        """Lines go behind what was there, at once, in UTF-8; what has no UTF-8 is escaped."""
        with open(self.path, "w") as file:
            file.write("before\n")
        log = self.file()
        log.write(LINE)
        log.write("a\udcffb\n")
        self.assertEqual(self.read(), f"before\n{LINE}a\\udcffb\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def fill(self, log: File, times: int) -> None:
        """Write so many files full, each of its own letter."""
        for number in range(times):
            for _ in range(4):
                log.write(chr(ord("a") + number) * (ROTATE_BYTES // 4 - 1) + "\n")

    def test_rotate(self) -> None:
        """A full file gets a number, and those before it the next; no line is parted."""
        for keep, names in ((0, ["", ".1", ".2", ".3", ".4"]), (2, ["", ".1", ".2"]), (1, ["", ".1"])):
            log = self.file(keep)
            self.fill(log, 5)
            self.assertEqual(sorted(os.listdir(self.folder)), [f"stt.log{name}" for name in names])
            for letter, name in zip("edcba", names, strict=False):
                self.assertEqual(set(self.read(name)), {letter, "\n"})
                self.assertEqual(len(self.read(name)), ROTATE_BYTES)
            for name in names:
                os.unlink(self.path + name)

    def test_others_are_left_alone(self) -> None:
        """Only names that are made here are renamed or removed."""
        others = {"stt.log.01", "stt.log.gz", "stt.log.1.gz", "stt.log1", "xstt.log.7"}
        for name in others:
            with open(os.path.join(self.folder, name), "w"):
                pass
        self.fill(self.file(1), 3)
        self.assertEqual({*os.listdir(self.folder)}, {*others, "stt.log", "stt.log.1"})

    def test_mode(self) -> None:
        """A new file has the mode of the one before, whatever the umask is by then."""
        log = self.file()
        os.chmod(self.path, 0o644)
        log = self.file()
        before = os.umask(0o077)
        try:
            self.fill(log, 2)
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o644)

    def test_owner(self) -> None:
        """It belongs to whoever will write it, and so does the next one."""
        log = self.file(owner=(12345, 23456))
        self.fill(log, 2)
        for name in ("", ".1"):
            found = os.stat(self.path + name)
            self.assertEqual((found.st_uid, found.st_gid), (12345, 23456))

    test_owner.skip = None if os.geteuid() == 0 else "only root gives files away"  # type: ignore[attr-defined]

    def test_cannot_rotate(self) -> None:
        """Where it cannot be renamed it grows, loses nothing, and says so, once for each time that it would be full."""

        def rename(old: str, new: str) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        self.patch(os, "rename", rename)
        log = self.file()
        self.fill(log, 1)
        for _ in range(2):
            log.write(LINE)
        text = self.read()
        self.assertEqual(text.count("cannot be renamed, and grows: Permission denied\n"), 1)
        self.assertEqual((text.count("a" * 999 + "\n"), text.count(LINE)), (4, 2))

    def test_reopen(self) -> None:
        """After a rename lines go to the file that has the name now; one that is there keeps its mode."""
        log = self.file()
        log.write("one\n")
        os.rename(self.path, self.path + ".old")
        log.write("two\n")
        log.reopen()
        log.write("three\n")
        self.assertEqual((self.read(".old"), self.read()), ("one\ntwo\n", "three\n"))
        os.unlink(self.path)
        with open(self.path, "w"):
            os.chmod(self.path, 0o640)
        log.reopen()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o640)

    def test_cannot_reopen(self) -> None:
        """Where that fails it goes on as before."""
        log = self.file()
        os.rename(self.folder, self.folder + "2")
        self.assertRaises(OSError, log.reopen)
        log.write(LINE)
        os.rename(self.folder + "2", self.folder)
        self.assertEqual(self.read(), LINE)

    def test_kinds(self) -> None:
        """A path may name a device, or a pipe that somebody reads."""
        self.assertIsInstance(open_file(self.clock, self.path, 0, None), File)
        self.assertIsInstance(open_file(self.clock, "/dev/null", 0, None), Stream)
        os.unlink(self.path)
        os.mkfifo(self.path)
        self.assertRaises(OSError, open_file, self.clock, self.path, 0, None)


class FullDiskTests(LogTestCase):
    """A disk that is full for a while."""

    def setUp(self) -> None:
        super().setUp()
        self.log = self.file()
        self.room = 10
        self.limit_writes(self.take)

    def take(self) -> int:
        """What a write takes: what is left, once."""
        room, self.room = self.room, 0
        return room

    def test_torn_line(self) -> None:
        """A line of which a part was written is completed later, by itself, and nothing is lost."""
        self.log.write("a" * 20 + "\n")
        self.log.write("next\n")
        self.assertEqual(self.read(), "a" * 10)
        self.room = 11
        self.clock.advance(RETRY_S)
        self.assertEqual(self.read(), "a" * 20 + "\n")
        self.room = 5
        self.log.write("last\n")
        self.assertEqual(self.read(), "a" * 20 + "\nnext\n")
        self.room = 5
        self.clock.advance(RETRY_S)
        self.assertEqual(self.read(), "a" * 20 + "\nnext\nlast\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost(self) -> None:
        """Of very many some are lost, in bounded memory; one line says how many, where they would stand."""
        count = 3 * MAX_PENDING // len(LINE)
        self.room = 0
        for number in range(count):
            self.log.write(f"{number:>{len(LINE)}}\n")
        self.assertLess(sum(map(len, self.log._pending)), MAX_PENDING + 100)
        self.patch(os, "write", type(self)._originals_write)
        self.clock.advance(RETRY_S)
        *lines, told = self.read().splitlines()
        self.assertEqual([int(line) for line in lines], [*range(len(lines))])
        self.assertIn(f" {count - len(lines)} lines of the log were lost here", told)
        self.log.write(LINE)
        self.assertTrue(self.read().endswith(LINE))

    _originals_write = staticmethod(os.write)

    def test_reopened(self) -> None:
        """What was begun in one file is whole in the next."""
        self.log.write("a" * 20 + "\n")
        os.rename(self.path, self.path + ".old")
        self.log.reopen()
        self.room = 1000
        self.clock.advance(RETRY_S)
        self.assertEqual((self.read(".old"), self.read()), ("a" * 10, "a" * 20 + "\n"))

    def test_end(self) -> None:
        """At the end of the process what is left is tried for a while, and not for ever."""
        slept: list[float] = []
        self.patch(time, "sleep", slept.append)
        self.patch(time, "monotonic", lambda: sum(slept))
        self.room = 0
        self.log.write(LINE)
        self.log.close()
        self.assertAlmostEqual(sum(slept), destination.CLOSE_S, delta=0.1)
        self.patch(time, "sleep", lambda _: setattr(self, "room", 1000))
        self.log.close()
        self.assertEqual(self.read(), LINE)


class StreamTests(SynchronousTestCase):
    """A pipe, and a terminal."""

    def setUp(self) -> None:
        self.clock = Clock()

    def pipe(self) -> tuple[int, Stream]:
        """A pipe: its end for reading, and the stream at the other."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        return reading, Stream(self.clock, writing)

    def test_stopped_reader(self) -> None:
        """A reader that stops reading stops nothing; when it goes on, it gets whole lines, and how many are missing."""
        reading, stream = self.pipe()
        self.addCleanup(os.close, reading)
        count = 20_000
        for number in range(count):
            stream.write(f"{number:>50}\n")
        received = b""
        while self.clock.getDelayedCalls():
            received += os.read(reading, 1 << 20)
            self.clock.advance(RETRY_S)
        os.set_blocking(reading, False)
        while True:
            try:
                received += os.read(reading, 1 << 20)
            except BlockingIOError:
                break
        *lines, told = received.decode().splitlines()
        self.assertEqual([int(line) for line in lines], [*range(len(lines))])
        self.assertIn(f" {count - len(lines)} lines of the log were lost here", told)
        self.assertGreater(len(lines) * 51, MAX_PENDING)
        stream.write("more\n")
        self.assertEqual(os.read(reading, 100), b"more\n")

    def test_gone_reader(self) -> None:
        """When nobody can ever read again nothing is kept."""
        reading, stream = self.pipe()
        os.close(reading)
        for _ in range(3):
            stream.write(LINE)
        self.assertEqual((len(stream._pending), self.clock.getDelayedCalls()), (0, []))

    def test_left_as_it_was(self) -> None:
        """Other processes that have the same pipe still wait for it."""
        reading, stream = self.pipe()
        self.addCleanup(os.close, reading)
        for _ in range(5000):
            stream.write(LINE)
        self.assertTrue(os.get_blocking(stream._fd))

    def test_terminal(self) -> None:
        """A terminal that is stopped (Ctrl-S) stops nothing either."""
        reading, writing = pty.openpty()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        stream = Stream(self.clock, writing)
        self.addCleanup(os.close, stream._fd)
        self.assertTrue(os.get_blocking(writing))
        for _ in range(3000):
            stream.write(LINE)
        self.assertIn(LINE.strip(), os.read(reading, 4096).decode("utf-8", "replace"))
