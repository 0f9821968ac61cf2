"""
Signal handling from the start of the process on.

By default, SIGHUP and SIGUSR1 kill a process, and a supervisor may send them right after the start.  So the handlers
are installed before the slow imports.  They store the signals that arrive before the daemon runs.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

#: Signals that stop the daemon.
ENDING = (signal.SIGTERM, signal.SIGINT)
#: Signals that reopen the log file.  SIGHUP reloads the configuration, too.
REOPENING = (signal.SIGHUP, signal.SIGUSR1)
#: The signal that replaces the program by the one that is installed now.
UPGRADING = signal.SIGUSR2
#: Signals without a meaning for the daemon.  They would kill a process without a handler.
MEANINGLESS = (signal.SIGALRM, signal.SIGVTALRM, signal.SIGIO)
#: All signals that have a handler.
ALL = (*ENDING, *REOPENING, UPGRADING, *MEANINGLESS)


class Signals:
    """
    Stores signals until a callback is set, and then calls it for each signal.
    """

    def __init__(self) -> None:
        self._early: list[int] = []
        self._act: Callable[[int], None] | None = None
        self._before: dict[int, Any] = {}

    def catch(self) -> None:
        """
        Install the handlers.

        Until a callback is set, the second of several equal signals in `ENDING` ends the process, so that a start that
        hangs can be interrupted.
        """
        for number in ALL:
            self._before.setdefault(number, signal.getsignal(number))
            signal.signal(number, self._caught)
        # A program that replaces another one in the same process begins with blocked signals.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ALL)

    def release(self) -> None:
        """Restore the previous handlers, and drop the callback and the stored signals."""
        self._act = None
        self._early.clear()
        while self._before:
            signal.signal(*self._before.popitem())

    def block(self) -> None:
        """Block the signals in `ENDING` until a callback is set, while other code replaces the handlers."""
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)

    def act(self, act: Callable[[int], None]) -> None:
        """
        Set the callback, and call it at once for the stored signals, in their order.

        Installs the handlers again, because other code, such as the reactor, may have replaced them; then ends
        `block`.

        :param act: called with the number of each signal, inside of the signal handler.
        """
        self._act = act
        self.catch()
        early, self._early = self._early, []
        for number in early:
            act(number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def _caught(self, number: int, _: FrameType | None) -> None:
        if self._act is not None:
            self._act(number)
            return
        self._early.append(number)
        if number in ENDING:
            signal.signal(number, signal.SIG_DFL)


#: The signals of this process.
signals = Signals()
