"""
Where the lines of the log go: to a file that rotates, or to a stream such as standard output.

A destination never blocks.  While a disk is full, or nobody reads the other end of a pipe, it keeps some lines and
drops the others.  As soon as it can write again, it completes the line that it had begun, and one line says how many
are lost.
"""

from __future__ import annotations

import errno
import os
import re
import select
import stat
import time
from collections import deque
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import formatTime

#: Most bytes of lines that are kept while nothing can be written.
MAX_PENDING = 256 * 1024
#: Seconds between two attempts meanwhile; each further line is one, too.
RETRY_S = 0.5
#: Seconds that lines are tried for when the process ends.
CLOSE_S = 1.0
#: Bytes of a log file beyond which it is renamed, and a new one begun; Twisted's own figure.
ROTATE_BYTES = 1_000_000
#: Errors after which a stream takes no bytes any more.
_OVER = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.ENXIO, errno.EBADF})


class Clock(Protocol):
    """Of the reactor, what a destination needs."""

    def callLater(self, delay: float, call: Any) -> IDelayedCall: ...


def line_of_ours(text: str) -> str:
    """A line that tells of the log itself."""
    return f"{formatTime(time.time())} [sttproxy.logs#warn] {text}\n"


class Destination:
    """
    Takes lines, and writes them as far as it can at once.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pending: deque[bytes] = deque()
        self._size = 0
        #: Bytes of the first line that are written already.
        self._begun = 0
        self._lost = 0
        self._retry: IDelayedCall | None = None

    def write(self, lines: str) -> None:
        """Take lines, each with its line break.  They are kept or dropped together."""
        data = lines.encode("utf-8", "backslashreplace")
        if self._size + len(data) > MAX_PENDING and self._pending:
            self._lost += lines.count("\n")
        else:
            self._pending.append(data)
            self._size += len(data)
        self.flush()

    def flush(self) -> None:
        """Write what can be written at once, and try again later where that is not all."""
        while self._pending:
            data = self._pending[0]
            self._begun += self._put(data, self._begun)
            if self._begun < len(data):
                if self._retry is None:
                    self._retry = self._clock.callLater(RETRY_S, self._again)
                return
            self._begun = 0
            self._size -= len(self._pending.popleft())
            if not self._pending and self._lost:
                lost, self._lost = self._lost, 0
                self.write(line_of_ours(f"{lost} lines of the log were lost here, for it could not be written."))

    def _again(self) -> None:
        self._retry = None
        self.flush()

    def reopen(self) -> None:
        """
        Write to whatever has the name now, where there is one.

        :raises OSError: when it cannot be opened; then nothing changes.
        """

    def close(self) -> None:
        """Write what is left, for `CLOSE_S` at most."""
        end = time.monotonic() + CLOSE_S
        self.flush()
        while self._pending and time.monotonic() < end:
            time.sleep(0.02)
            self.flush()

    def _put(self, data: bytes, start: int) -> int:
        """Write bytes from a place on; how many were written, which may be none."""
        raise NotImplementedError


class Stream(Destination):
    """
    A pipe, a terminal, a socket or a device.

    It is asked whether it takes bytes before it is given any.  To make it non-blocking instead would do that to all
    processes that have it from the same place, such as the shell that started this one.  A terminal says that it takes
    bytes when it takes a single one; but it can be opened once more, by its name, for this process alone.
    """

    def __init__(self, clock: Clock, fd: int) -> None:
        super().__init__(clock)
        self._fd = fd
        if os.isatty(fd):
            with suppress(OSError):
                self._fd = os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        self._over = False

    def _put(self, data: bytes, start: int) -> int:
        if self._over:
            return len(data) - start
        at = start
        try:
            # Not poll(): that of macOS does not know terminals.
            while at < len(data) and select.select((), (self._fd,), (), 0)[1]:
                at += os.write(self._fd, data[at : at + select.PIPE_BUF])
        except OSError as error:
            if error.errno in _OVER:
                self._over = True
                return len(data) - start
        return at - start


class File(Destination):
    """
    A file that is renamed when it is full: to its name with ``.1`` behind it, and those before it to the next numbers.

    A new file has the owner and the mode of the one before.
    """

    def __init__(self, clock: Clock, path: str, keep: int, owner: tuple[int, int] | None = None) -> None:
        """
        :param path: absolute.
        :param keep: how many full ones are kept; 0: all.
        :param owner: uid and gid of whoever will write it.
        :raises OSError: when it cannot be opened.
        """
        super().__init__(clock)
        self._path = path
        self._keep = keep
        self._fd, _ = self._open(0o666)  # and the umask, for a first file
        if owner is not None:
            os.fchown(self._fd, *owner)
        self._length = os.fstat(self._fd).st_size

    def _open(self, mode: int) -> tuple[int, bool]:
        """The file, made if it is not there, and whether it was made."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        with suppress(FileExistsError):
            return os.open(self._path, flags | os.O_EXCL, mode), True
        return os.open(self._path, flags, mode), False

    def _put(self, data: bytes, start: int) -> int:
        if not start and self._length and self._length + len(data) > ROTATE_BYTES:
            self._rotate()
        try:
            written = os.write(self._fd, data[start:] if start else data)
        except OSError:
            return 0
        self._length += written
        return written

    def _rotate(self) -> None:
        # Whether it can be renamed or not: the next attempt is as many bytes away.
        self._length = 0
        folder, name = os.path.split(self._path)
        try:
            full = (re.fullmatch(re.escape(name) + r"\.([1-9][0-9]*)", each) for each in os.listdir(folder))
            for number in sorted((int(found.group(1)) for found in full if found), reverse=True):
                if self._keep and number >= self._keep:
                    os.unlink(f"{self._path}.{number}")
                else:
                    os.rename(f"{self._path}.{number}", f"{self._path}.{number + 1}")
            os.rename(self._path, self._path + ".1")
            self.reopen()
        except OSError as error:
            self._pending.append(line_of_ours(f"{self._path} cannot be renamed, and grows: {error.strerror}").encode())
            self._size += len(self._pending[-1])

    def reopen(self) -> None:
        before = os.fstat(self._fd)
        fd, made = self._open(0o600)
        if made:
            os.fchmod(fd, stat.S_IMODE(before.st_mode))
            with suppress(PermissionError):
                os.fchown(fd, before.st_uid, before.st_gid)
        os.close(self._fd)
        self._fd = fd
        self._length = os.fstat(fd).st_size
        # What was begun in the one is written as a whole to the other.
        self._begun = 0


def open_file(clock: Clock, path: str, keep: int, owner: tuple[int, int] | None) -> Destination:
    """
    The destination of a path: a `File`, unless something is there that is none, like ``/dev/stdout``.

    :raises OSError: when it cannot be opened.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            # Non-blocking, for a pipe that nobody reads must not keep the start waiting.
            return Stream(clock, os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC))
    return File(clock, path, keep, owner)
