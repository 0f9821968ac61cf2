"""
Destinations of the log: a file that rotates, or a stream such as standard output.

A destination never blocks.  While a disk or a pipe is full, it keeps up to `MAX_PENDING` bytes of lines and drops
further lines.  When it can write again, it completes a partly written line, writes the kept lines, and logs how many
lines it dropped.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import stat
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import formatTime

#: The origin of lines about the log itself.
NAMESPACE = "sttproxy.logs"
#: Maximum bytes of lines that are kept while nothing can be written.
MAX_PENDING = 256 * 1024
#: Seconds between two attempts to write the kept lines.  Each new line causes an attempt, too.
RETRY_S = 0.5
#: Maximum seconds that the end of the process waits for the kept lines to be written.
CLOSE_S = 1.0
#: Maximum size of a log file in bytes, the same as in Twisted.  A larger file is rotated.
ROTATE_BYTES = 1_000_000
#: Errors that mean that a stream is closed or broken.  It accepts no bytes afterwards.
_CLOSED = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.ENXIO, errno.EBADF})


class Clock(Protocol):
    """The part of the reactor that a destination uses."""

    def callLater(self, delay: float, call: Any) -> IDelayedCall: ...


#: Returns a log line about the log itself, with its line break.
Own = Callable[[str], str]


def text_line(text: str) -> str:
    """A line about the log itself in the format of Twisted's text log."""
    return f"{formatTime(time.time())} [{NAMESPACE}#warn] {text}\n"


class Destination:
    """
    Accepts lines, writes what it can write without blocking, and retries the rest later.
    """

    def __init__(self, clock: Clock, own: Own = text_line) -> None:
        """
        :param own: returns a line about the log itself.
        """
        self._clock = clock
        self._own = own
        self._pending: deque[bytes] = deque()
        self._size = 0
        #: Number of bytes of the first pending chunk that are already written.
        self._begun = 0
        self._lost = 0
        self._retry: IDelayedCall | None = None

    def write(self, lines: str) -> None:
        """
        Write lines, each with its line break.

        If they cannot be written now, all of them are kept or all of them are dropped.
        """
        data = lines.encode("utf-8", "backslashreplace")
        if self._size + len(data) > MAX_PENDING and self._pending:
            self._lost += lines.count("\n")
        else:
            self._pending.append(data)
            self._size += len(data)
        self.flush()

    def flush(self) -> None:
        """Write what can be written without blocking.  Retry after `RETRY_S` if bytes are left."""
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
                self.write(self._own(f"{lost} lines of the log were lost here, because they could not be written."))

    def _again(self) -> None:
        self._retry = None
        self.flush()

    def reopen(self) -> None:
        """
        Open the path again, because the file may have been renamed.  Does nothing for streams.

        :raises OSError: when the path cannot be opened.  The file that is open stays in use.
        """

    def close(self) -> None:
        """Write the kept lines.  Gives up after `CLOSE_S` seconds."""
        end = time.monotonic() + CLOSE_S
        self.flush()
        while self._pending and time.monotonic() < end:
            time.sleep(0.02)
            self.flush()

    def _put(self, data: bytes, start: int) -> int:
        """
        Write ``data`` from the index ``start`` on, without blocking.

        :return: the number of bytes that were written, possibly 0.
        """
        raise NotImplementedError


def _end(data: bytes, start: int) -> int:
    """
    The end of the next write to a stream: at most ``PIPE_BUF`` bytes, which is atomic; only whole lines if possible.
    """
    most = start + select.PIPE_BUF
    return most if most >= len(data) else data.rfind(b"\n", start, most) + 1 or most


class Stream(Destination):
    """
    A pipe, a terminal, a socket or a device.

    The descriptor stays in blocking mode, and `select` tells whether a write would block.  ``O_NONBLOCK`` would change
    the mode for all processes that share the descriptor, for example the shell that started this process.

    For a terminal, `select` reports it writable when a single byte fits, so a longer write can still block.  A terminal
    is therefore opened again by its name, non-blocking, for this process only.
    """

    def __init__(self, clock: Clock, fd: int, own: Own = text_line) -> None:
        super().__init__(clock, own)
        self._fd = fd
        if os.isatty(fd):
            with suppress(OSError):
                self._fd = os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        self._closed = False

    def _put(self, data: bytes, start: int) -> int:
        if self._closed:
            return len(data) - start
        at = start
        try:
            # Not poll(), which does not support terminals on macOS.
            while at < len(data) and select.select((), (self._fd,), (), 0)[1]:
                at += os.write(self._fd, data[at : _end(data, at)])
        except OSError as error:
            if error.errno in _CLOSED:
                self._closed = True
                return len(data) - start
        return at - start


class File(Destination):
    """
    A file that is rotated when it reaches `ROTATE_BYTES`.

    The full file gets the suffix ``.1``; the numbers of older files rise by one.  The new file has the owner and the
    mode of the full one.  Several processes may write to the file: one of them rotates it, and the others go on with
    the new file.
    """

    def __init__(
        self, clock: Clock, path: str, keep: int, owner: tuple[int, int] | None = None, own: Own = text_line
    ) -> None:
        """
        :param path: the absolute path of the file.
        :param keep: the number of rotated files to keep; 0 keeps all.
        :param owner: uid and gid of the user that the process switches to; None: the owner is not changed.
        :raises OSError: when the file cannot be opened.
        """
        super().__init__(clock, own)
        self._path = path
        self._keep = keep
        self._fd, _ = self._open(0o666)  # the umask applies to the first file
        if owner is not None:
            os.fchown(self._fd, *owner)
        self._length = os.fstat(self._fd).st_size
        #: The size at which the file is rotated.
        self._limit = ROTATE_BYTES

    def _open(self, mode: int) -> tuple[int, bool]:
        """Open the file, and create it if it does not exist.  Returns the descriptor and whether it was created."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        with suppress(FileExistsError):
            return os.open(self._path, flags | os.O_EXCL, mode), True
        return os.open(self._path, flags, mode), False

    def _put(self, data: bytes, start: int) -> int:
        if not start and self._length and self._length + len(data) > self._limit:
            self._rotate()
        try:
            written = os.write(self._fd, data[start:] if start else data)
        except OSError:
            return 0
        self._length = os.lseek(self._fd, 0, os.SEEK_CUR)  # with what other processes have written
        return written

    def _rotate(self) -> None:
        """Rotate the file, unless another process does so at this moment, or has done so."""
        # If this fails, the next attempt follows after another `ROTATE_BYTES`.
        self._limit = self._length + ROTATE_BYTES
        locked = self._fd
        try:
            fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        if self._is_at_path():
            self._shift()
        else:
            with suppress(OSError):
                self.reopen()
        if self._fd == locked:
            fcntl.flock(locked, fcntl.LOCK_UN)

    def _is_at_path(self) -> bool:
        """Whether the path leads to the open file; also if it leads nowhere."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        except OSError:
            return True

    def _shift(self) -> None:
        """Give the file, and older ones, their new names, and begin a new one."""
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
            self._pending.append(self._own(f"{self._path} cannot be renamed, and grows: {error.strerror}").encode())
            self._size += len(self._pending[-1])

    def reopen(self) -> None:
        before = os.fstat(self._fd)
        fd, made = self._open(0o600)
        if made:
            os.fchmod(fd, stat.S_IMODE(before.st_mode))
            with suppress(PermissionError):
                os.fchown(fd, before.st_uid, before.st_gid)
        fcntl.flock(self._fd, fcntl.LOCK_UN)  # closing is not enough if a child has a copy
        os.close(self._fd)
        self._fd = fd
        self._length = os.fstat(fd).st_size
        self._limit = ROTATE_BYTES
        # A partly written line is written again, completely, to the new file.
        self._begun = 0


def open_file(clock: Clock, path: str, keep: int, owner: tuple[int, int] | None, own: Own = text_line) -> Destination:
    """
    The destination for a path: a `Stream` if the path is not a regular file, like ``/dev/stdout``, else a `File`.

    :raises OSError: when the path cannot be opened.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            # Non-blocking: to open a FIFO without a reader would block the start.
            return Stream(clock, os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), own)
    return File(clock, path, keep, owner, own)
