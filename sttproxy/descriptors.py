"""
File descriptors: how many the process may have, how many it has, and how many clients that allows.

A client needs one for its own connection, and one for the server's while a request of it is under way.  Where clients
could take all, their requests would fail for want of the second, and so would whatever else opens a file.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from typing import Any

#: Descriptors beyond which the limit is not raised: each may come to cost some KB of memory.
ENOUGH = 65536
#: What macOS allows (OPEN_MAX) where its hard limit says that any number is allowed.
OPEN_MAX = 10240
#: The first descriptor that select() does not take (FD_SETSIZE).  Twisted uses it on macOS, unless told otherwise.
FD_SETSIZE = 1024
#: Descriptors that clients and the server's side leave free: for what every process has open, listening ports, log and
#: configuration files, name resolution, the probes of /health, and clients that are being turned away.
RESERVE = 32


def raise_limit() -> int:
    """
    Raise the soft limit as far as the system lets us.

    :return: the limit that is in force then.
    """
    soft, hard = (ENOUGH if limit == resource.RLIM_INFINITY else limit for limit in _limits())
    for wanted in (min(hard, ENOUGH), min(hard, OPEN_MAX)):
        if wanted > soft:
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, _limits()[1]))
                return wanted
    return soft


def _limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def usable(limit: int, reactor: Any) -> int:
    """Of the descriptors that the system allows, those that a reactor can wait for."""
    selects = type(reactor).__module__ == "twisted.internet.selectreactor"
    return min(limit, FD_SETSIZE) if selects else limit


def clients(limit: int, connections: int) -> int:
    """
    The clients that a number of descriptors is enough for, one at least.

    :param connections: to the server that may exist at all; 0: any number, so that each client may need one.
    """
    free = limit - RESERVE
    return max(1, free // 2, free - connections if connections else 0)


def open_now() -> int | None:
    """The descriptors that are open; None where the system does not tell."""
    try:
        return len(os.listdir("/dev/fd")) - 1  # one of them was for the folder
    except OSError:
        return None
