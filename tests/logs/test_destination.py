"""
Tests for :mod:`sttproxy.logs.destination`, with temporary files, and with writes that fail when the test says so.
"""

from __future__ import annotations

import errno
import fcntl
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
    """A test with a log file in a temporary folder."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, "stt.log")

    def file(self, keep: int = 0, owner: tuple[int, int] | None = None) -> File:
        """Open the log file."""
        log = File(self.clock, self.path, keep, owner)
        self.addCleanup(os.close, os.dup(log._fd))
        return log

    def read(self, suffix: str = "") -> str:
        """The content of the log file, or of a rotated one."""
        with open(self.path + suffix, encoding="utf-8") as file:
            return file.read()

    def limit_writes(self, room: Callable[[], int]) -> None:
        """Limit each write to `room()` bytes; it raises ENOSPC if these are 0."""
        write = os.write

        def limited(fd: int, data: bytes) -> int:
            size = room()
            if not size:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(fd, data[:size])

        self.patch(os, "write", limited)


class FileTests(LogTestCase):
    """A log file: writing, rotation, owner and mode."""

    def test_append(self) -> None:
        """Lines are appended at once, in UTF-8; characters that UTF-8 cannot encode are escaped."""
        with open(self.path, "w") as file:
            file.write("before\n")
        log = self.file()
        log.write(LINE)
        log.write("a\udcffb\n")
        self.assertEqual(self.read(), f"before\n{LINE}a\\udcffb\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def fill(self, log: File, times: int) -> None:
        """Fill `times` files, each with another letter."""
        for number in range(times):
            for _ in range(4):
                log.write(chr(ord("a") + number) * (ROTATE_BYTES // 4 - 1) + "\n")

    def test_rotate(self) -> None:
        """A full file gets the suffix .1, and the numbers of older files rise by one; no line is split."""
        for keep, names in ((0, ["", ".1", ".2", ".3", ".4"]), (2, ["", ".1", ".2"]), (1, ["", ".1"])):
            log = self.file(keep)
            self.fill(log, 5)
            self.assertEqual(sorted(os.listdir(self.folder)), [f"stt.log{name}" for name in names])
            for letter, name in zip("edcba", names, strict=False):
                self.assertEqual(set(self.read(name)), {letter, "\n"})
                self.assertEqual(len(self.read(name)), ROTATE_BYTES)
            for name in names:
                os.unlink(self.path + name)

    def test_rotated_by_another(self) -> None:
        """When another process has rotated the file, a full one is left where it is, and the new file is used."""
        log, other = self.file(), self.file()
        self.fill(log, 1)
        for each in (other, log, other):
            each.write(LINE)
        self.assertEqual(sorted(os.listdir(self.folder)), ["stt.log", "stt.log.1"])
        self.assertEqual(self.read(), 2 * LINE)

    def test_rotated_at_once(self) -> None:
        """While another process rotates the file, this one writes to it, and rotates none."""
        log, other = self.file(), self.file()
        self.fill(log, 1)
        fcntl.flock(other._fd, fcntl.LOCK_EX)
        log.write(LINE)
        self.assertEqual(os.listdir(self.folder), ["stt.log"])
        self.assertTrue(self.read().endswith(LINE))

    def test_size_of_all(self) -> None:
        """What other processes have written counts."""
        log, other = self.file(), self.file()
        for each in (log, other) * 3:
            each.write("x" * (ROTATE_BYTES // 4 - 1) + "\n")
        self.assertEqual((len(self.read(".1")), len(self.read())), (5 * ROTATE_BYTES // 4, ROTATE_BYTES // 4))

    def test_others_are_left_alone(self) -> None:
        """Rotation renames and removes only files whose names it has given."""
        others = {"stt.log.01", "stt.log.gz", "stt.log.1.gz", "stt.log1", "xstt.log.7"}
        for name in others:
            with open(os.path.join(self.folder, name), "w"):
                pass
        self.fill(self.file(1), 3)
        self.assertEqual({*os.listdir(self.folder)}, {*others, "stt.log", "stt.log.1"})

    def test_mode(self) -> None:
        """A new file has the mode of the previous one, whatever the umask is."""
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
        """The file, and each file after a rotation, belongs to the given user and group."""
        log = self.file(owner=(12345, 23456))
        self.fill(log, 2)
        for name in ("", ".1"):
            found = os.stat(self.path + name)
            self.assertEqual((found.st_uid, found.st_gid), (12345, 23456))

    test_owner.skip = None if os.geteuid() == 0 else "only root gives files away"  # type: ignore[attr-defined]

    def test_cannot_rotate(self) -> None:
        """A file that cannot be renamed grows and loses no line; each failed rotation is logged once."""

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
        """After a rename and a reopen, lines go to the file at the path; an existing file keeps its mode."""
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
        """When reopening fails, the open file stays in use."""
        log = self.file()
        os.rename(self.folder, self.folder + "2")
        self.assertRaises(OSError, log.reopen)
        log.write(LINE)
        os.rename(self.folder + "2", self.folder)
        self.assertEqual(self.read(), LINE)

    def test_kinds(self) -> None:
        """A path may name a regular file or a device; a FIFO without a reader is an error."""
        self.assertIsInstance(open_file(self.clock, self.path, 0, None), File)
        self.assertIsInstance(open_file(self.clock, "/dev/null", 0, None), Stream)
        os.unlink(self.path)
        os.mkfifo(self.path)
        self.assertRaises(OSError, open_file, self.clock, self.path, 0, None)


class FullDiskTests(LogTestCase):
    """A disk that is full for some time."""

    def setUp(self) -> None:
        super().setUp()
        self.log = self.file()
        self.room = 10
        self.limit_writes(self.take)

    def take(self) -> int:
        """How many bytes the next write may write; later writes may write none."""
        room, self.room = self.room, 0
        return room

    def test_torn_line(self) -> None:
        """A partly written line is completed later without a further line, and no line is lost."""
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
        """Lines beyond MAX_PENDING bytes are dropped; one line in their place says how many."""
        count = 3 * MAX_PENDING // len(LINE)
        self.room = 0
        for number in range(count):
            self.log.write(f"{number:>{len(LINE)}}\n")
        self.assertLess(sum(map(len, self.log._pending)), MAX_PENDING + 100)
        self.patch(os, "write", type(self)._originals_write)
        self.clock.advance(RETRY_S)
        *lines, notice = self.read().splitlines()
        self.assertEqual([int(line) for line in lines], [*range(len(lines))])
        self.assertIn(f" {count - len(lines)} lines of the log were lost here", notice)
        self.log.write(LINE)
        self.assertTrue(self.read().endswith(LINE))

    _originals_write = staticmethod(os.write)

    def test_reopened(self) -> None:
        """After a reopen, a partly written line is written completely to the new file."""
        self.log.write("a" * 20 + "\n")
        os.rename(self.path, self.path + ".old")
        self.log.reopen()
        self.room = 1000
        self.clock.advance(RETRY_S)
        self.assertEqual((self.read(".old"), self.read()), ("a" * 10, "a" * 20 + "\n"))

    def test_end(self) -> None:
        """Closing retries the kept lines for CLOSE_S seconds, and then gives up."""
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
    """Pipes and terminals."""

    def setUp(self) -> None:
        self.clock = Clock()

    def pipe(self) -> tuple[int, Stream]:
        """A pipe: its read end, and a stream that writes to it."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        return reading, Stream(self.clock, writing)

    def test_stopped_reader(self) -> None:
        """A reader that stops reading blocks nothing; later it gets whole lines, and the number of lost ones."""
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
        *lines, notice = received.decode().splitlines()
        self.assertEqual([int(line) for line in lines], [*range(len(lines))])
        self.assertIn(f" {count - len(lines)} lines of the log were lost here", notice)
        self.assertGreater(len(lines) * 51, MAX_PENDING)
        stream.write("more\n")
        self.assertEqual(os.read(reading, 100), b"more\n")

    def test_whole_lines(self) -> None:
        """Each write has whole lines, so that other processes can write to the same pipe between two of them."""
        reading, stream = self.pipe()
        self.addCleanup(os.close, reading)
        writes: list[bytes] = []
        write = os.write

        def noted(fd: int, data: bytes) -> int:
            writes.append(data)
            return write(fd, data)

        self.patch(os, "write", noted)
        lines = "".join([f"{'x' * (number % 300)}\n" for number in range(200)])
        stream.write(lines)
        self.assertGreater(len(writes), 2)
        self.assertEqual([data for data in writes if not data.endswith(b"\n")], [])
        self.assertEqual(b"".join(writes).decode(), lines)

    def test_gone_reader(self) -> None:
        """After the read end is closed, no line is kept and no retry is scheduled."""
        reading, stream = self.pipe()
        os.close(reading)
        for _ in range(3):
            stream.write(LINE)
        self.assertEqual((len(stream._pending), self.clock.getDelayedCalls()), (0, []))

    def test_left_as_it_was(self) -> None:
        """The pipe stays in blocking mode for other processes that share it."""
        reading, stream = self.pipe()
        self.addCleanup(os.close, reading)
        for _ in range(5000):
            stream.write(LINE)
        self.assertTrue(os.get_blocking(stream._fd))

    def test_terminal(self) -> None:
        """A stopped terminal (Ctrl-S) blocks nothing."""
        reading, writing = pty.openpty()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        stream = Stream(self.clock, writing)
        self.addCleanup(os.close, stream._fd)
        self.assertTrue(os.get_blocking(writing))
        for _ in range(3000):
            stream.write(LINE)
        self.assertIn(LINE.strip(), os.read(reading, 4096).decode("utf-8", "replace"))
