"""
Checks for a daemon that root starts and that then switches to another user.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable

from twisted.python.util import switchUID


def ids(uid: int | None, gid: int | None) -> tuple[int, int] | None:
    """The uid and gid that twistd switches to after the start; None if it does not switch."""
    if uid is None:
        return None if gid is None else (os.geteuid(), gid)
    return uid, pwd.getpwuid(uid).pw_gid if gid is None else gid


def unreadable(paths: Iterable[str], uid: int, gid: int) -> str | None:
    """
    The first of some files that another user cannot read, with the reason; None if all can be read.

    A child process switches to the user and opens the files, because the result depends on groups, parent folders and
    access lists.  Missing files are skipped.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        problem = b"cannot switch to this user"
        try:
            switchUID(uid, gid)
            problem = b""
            for path in paths:
                try:
                    with open(path, "rb"):
                        pass
                except FileNotFoundError:
                    continue
                except OSError as error:
                    problem = os.fsencode(f"{path}: {error.strerror}")
                    break
        finally:
            os.write(writing, problem[:4096])
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        problem = pipe.read()
    os.waitpid(child, 0)
    return os.fsdecode(problem) or None
