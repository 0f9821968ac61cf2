"""
The command ``sttproxy upgrade``.
"""

from __future__ import annotations

import os
import time
from typing import Any, ClassVar, TextIO

from twisted.python import usage

from ..outcome import ERRORS, GOOD
from ..pidfile import PidfileError, running
from ..signals import UPGRADING
from ..usage import HelpfulOptions
from ..values import seconds
from .outcome import Outcome

#: Seconds between two looks at the outcome.
_LOOK_S = 0.05


class UpgradeOptions(HelpfulOptions):
    """``sttproxy upgrade``."""

    synopsis = "sttproxy upgrade --pidfile FILE"
    longdesc = (
        "Replaces a running daemon by the program that is installed now, without a request lost or a connection "
        f"refused. The exit status is {GOOD} when the new program serves. If it does not start, its error is printed, "
        f"the old one goes on, and the exit status is {ERRORS}. Without a pidfile, send the daemon SIGUSR2."
    )
    example = "sttproxy upgrade --pidfile /run/sttproxy/sttproxy.pid"
    optParameters: ClassVar[list[list[Any]]] = [
        ["pidfile", None, None, "The pidfile of the daemon."],
        ["wait", None, 90.0, "Seconds to wait until the new program serves.", seconds],
    ]

    def postOptions(self) -> None:
        if not self["pidfile"]:
            raise usage.UsageError("--pidfile is missing: it names the daemon")


def upgrade(options: UpgradeOptions, out: TextIO) -> int:
    """
    Upgrade a daemon.

    :return: the exit status.
    """
    path = os.path.abspath(options["pidfile"])
    outcome = Outcome(path)
    try:
        pid = running(path)
        outcome.expect(os.stat(path).st_uid if os.geteuid() else _owner(pid, path))
        os.kill(pid, UPGRADING)
        text = _wait(outcome, pid, options["wait"])
    except (OSError, PidfileError) as error:
        out.write(f"sttproxy upgrade: {error}\n")
        return ERRORS
    finally:
        outcome.forget()
    if text:
        out.write(f"The upgrade failed, and the daemon goes on as before: {text}\n")
        return ERRORS
    out.write(f"The new program serves, and process {pid} is replaced when its requests in flight have ended.\n")
    return GOOD


def _owner(pid: int, path: str) -> int:
    """The user of a process; where the system does not show it, that of its pidfile."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return os.stat(path).st_uid


def _wait(outcome: Outcome, pid: int, limit_s: float) -> str:
    """
    The outcome; empty: the new program serves.

    :raises OSError: when the daemon has ended.
    """
    end = time.monotonic() + limit_s
    while (text := outcome.read()) is None:
        if time.monotonic() > end:
            return f"it did not say within {limit_s:g} s that it serves; its log has more"
        time.sleep(_LOOK_S)
        os.kill(pid, 0)  # raises an error if it has ended
    return text
