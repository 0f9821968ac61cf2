"""
What another user may do, for a daemon that is started by root and gives its rights away.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable

from twisted.python.util import switchUID


def ids(uid: int | None, gid: int | None) -> tuple[int, int] | None:
    """The uid and gid that twistd will switch to; None where it does not."""
    if uid is None:
        return None if gid is None else (os.geteuid(), gid)
    return uid, pwd.getpwuid(uid).pw_gid if gid is None else gid


def unreadable(paths: Iterable[str], uid: int, gid: int) -> str | None:
    """
    The first of some files that another user cannot read, and why; None where all can be.

    A child process tries it, since what counts is the system's word: groups, folders on the way, access lists.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        told = b"the user cannot be switched to"
        try:
            switchUID(uid, gid)
            told = b""
            for path in paths:
                try:
                    with open(path, "rb"):
                        pass
                except FileNotFoundError:
                    continue
                except OSError as error:
                    told = os.fsencode(f"{path}: {error.strerror}")
                    break
        finally:
            os.write(writing, told[:4096])
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        told = answer.read()
    os.waitpid(child, 0)
    return os.fsdecode(told) or None
