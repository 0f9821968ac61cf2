"""
File descriptors: the limit of the process, the number in use, and the number of clients that the limit allows.

A client needs one descriptor for its connection, and during a request a second one for the upstream connection.  If
clients used all descriptors, requests would fail without the second one, and so would everything else that opens files.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from typing import Any

#: The limit is not raised above this number of descriptors, because each connection costs some KB of memory.
ENOUGH = 65536
#: The real maximum on macOS (OPEN_MAX) when its hard limit is "unlimited".
OPEN_MAX = 10240
#: select() accepts only descriptors below this number (FD_SETSIZE).  Twisted's default reactor on macOS uses select().
FD_SETSIZE = 1024
#: Descriptors that are reserved for other uses than clients and their upstream connections: standard streams, listening
#: ports, log and configuration files, name resolution, the probes of /health, and clients that get 503.
RESERVE = 32


def raise_limit() -> int:
    """
    Raise the soft limit of the process up to the hard limit, at most to `ENOUGH`.

    :return: the soft limit that is now in force.
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
    """The number of descriptors that a reactor can use, at most `limit`."""
    selects = type(reactor).__module__ == "twisted.internet.selectreactor"
    return min(limit, FD_SETSIZE) if selects else limit


def clients(limit: int, connections: int) -> int:
    """
    The number of clients that a number of descriptors is enough for, at least 1.

    :param limit: the number of descriptors.
    :param connections: the maximum number of upstream connections; 0 means no maximum, so each client may need one.
    """
    free = limit - RESERVE
    return max(1, free // 2, free - connections if connections else 0)


def open_now() -> int | None:
    """The number of open descriptors; None if the system does not provide it."""
    try:
        return len(os.listdir("/dev/fd")) - 1  # listing the folder opens one itself
    except OSError:
        return None
