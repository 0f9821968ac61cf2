"""
The other side of an upgrade: what the stand-in does, and the first process after it was replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

from .given import Given, Role
from .sockets import Sockets
from .talk import DRAIN, RELY, SERVING, Talk, talk_over

log = Logger()

#: Seconds between two looks whether the stand-in has ended.
_LOOK_S = 0.5


class Successor(Service):
    """
    Tells the other process that this one serves, and does what it says.
    """

    def __init__(
        self,
        reactor: Any,
        given: Given,
        sockets: Sockets,
        drain: Callable[[], None],
        pidfile: Callable[[bool], None],
        ready: Callable[[Callable[[], None]], object],
    ) -> None:
        """
        :param sockets: what this process listens at.
        :param drain: makes this process end.
        :param pidfile: makes the pidfile this process's own, which is removed at the end; with True, it names another
            process, and is written first.
        :param ready: calls a function when this process serves.
        """
        self._reactor = reactor
        self._given = given
        self._sockets = sockets
        self._drain = drain
        self._pidfile = pidfile
        self._ready = ready
        self._needed = False
        #: Whether this is the process that the user knows.
        self._is_first = given.role is Role.RENEWED
        self._talk: Talk | None = None

    def startService(self) -> None:
        super().startService()
        self._ready(self._serving)

    def stopService(self) -> None:
        super().stopService()
        if self._given.role is Role.RENEWED and self._talk is None:
            # It ends before it has served.  At once: the reactor may not run another iteration.
            with suppress(OSError):
                os.write(self._given.control, DRAIN + b"\n")
        if self._is_first:
            self._sockets.unlink()

    def _serving(self) -> None:
        given = self._given
        self._sockets.close_unused()
        lost = self._stand_in_lost if self._is_first else self._first_lost
        self._talk = talk_over(self._reactor, given.control, self._heard, lost)
        os.close(given.control)
        if self._is_first:
            self._pidfile(False)
            log.info("The upgrade is complete.")
            self._talk.say(DRAIN)
            return
        os.dup2(given.stderr, 2)
        os.close(given.stderr)
        self._talk.say(SERVING)

    def _heard(self, line: bytes) -> None:
        if line == RELY:
            self._needed = True
        elif line == DRAIN:
            self._needed = False
            self._drain()

    def _first_lost(self) -> None:
        """The first process has ended, or does not need this one."""
        if self._needed:
            log.error("The first process has ended during the upgrade; this one goes on in its place.")
            self._is_first = True
            self._pidfile(True)
        elif self.running:
            self._drain()

    def _stand_in_lost(self) -> None:
        """The stand-in is ending: fetch its exit status, which the system keeps until then."""
        with suppress(ChildProcessError):
            if self._given.other and os.waitpid(self._given.other, os.WNOHANG) == (0, 0):
                self._reactor.callLater(_LOOK_S, self._stand_in_lost)
