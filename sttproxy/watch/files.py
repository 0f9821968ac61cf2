"""
Reads the files of a configuration into memory, or says why a file cannot be read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator

from .. import config

#: The bytes of files by path; a message instead of the bytes says why a file cannot be read.
Look = dict[str, "bytes | str"]


def look(paths: Iterable[str], known: Look | None = None) -> Look:
    """
    Read files.

    :param known: an earlier look.  It supplies a file that cannot be opened because too many descriptors are in use,
        which says nothing about the file.
    """
    seen: Look = {}
    for path in paths:
        try:
            seen[path] = _read(path)
        except _NoDescriptor as error:
            seen[path] = known[path] if known and path in known else str(error)
    return seen


class _NoDescriptor(Exception):
    """A file cannot be opened, because too many descriptors are in use."""


def has_no_name(path: str) -> bool:
    """Whether a path leads to a file without a name in its file system.  Only a mount can lead to one."""
    try:
        return not os.stat(path).st_nlink
    except (OSError, ValueError):
        return False


def _pieces(fd: int) -> Iterator[bytes]:
    """The bytes of a file in pieces.  Stops when they are more than a configuration may have."""
    size = 0
    while size <= config.MAX_BYTES and (piece := os.read(fd, 65536)):
        size += len(piece)
        yield piece


def _read(path: str) -> bytes | str:
    """
    The bytes of a file, or a message that says why it cannot be read.

    :raises _NoDescriptor: when too many descriptors are in use.
    """
    try:
        # Non-blocking, because the path may lead to a pipe, whose opening blocks.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return "it is not a regular file"
            return b"".join(_pieces(fd))
        finally:
            os.close(fd)
    except (OSError, ValueError) as error:  # ValueError: the file system's encoding does not have the name
        reason = f"it cannot be read: {getattr(error, 'strerror', error)}"
        if getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE):
            raise _NoDescriptor(reason) from None
        return reason
