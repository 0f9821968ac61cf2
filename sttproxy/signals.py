"""
Signals, from the first moment of the process on.

They are caught before anything slow is imported, and acted on when the daemon runs: a process that does nothing about
SIGHUP or SIGUSR1 is killed by it, and a reload may well come right after the start.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

#: What ends the daemon.
ENDING = (signal.SIGTERM, signal.SIGINT)
#: What has it read again, and reopen.
REOPENING = (signal.SIGHUP, signal.SIGUSR1)
#: What would kill a process that does not know it.
MEANINGLESS = (signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGIO)


class Signals:
    """
    Keeps the signals that come before somebody acts on them.
    """

    def __init__(self) -> None:
        self._early: list[int] = []
        self._act: Callable[[int], None] | None = None
        self._before: dict[int, Any] = {}

    def catch(self) -> None:
        """From now on no signal does what the system does by default; but a second one that ends the process does."""
        for number in (*ENDING, *REOPENING, *MEANINGLESS):
            self._before.setdefault(number, signal.getsignal(number))
            signal.signal(number, self._caught)

    def release(self) -> None:
        """Let all be as it was, and forget what came."""
        self._act = None
        self._early.clear()
        while self._before:
            signal.signal(*self._before.popitem())

    def act(self, act: Callable[[int], None]) -> None:
        """
        Have something called for each signal, in its handler, and now for those that came before.

        Others may have put handlers of their own in place meanwhile, as the reactor does.
        """
        self._act = act
        self.catch()
        early, self._early = self._early, []
        for number in early:
            act(number)

    def _caught(self, number: int, _: FrameType | None) -> None:
        if self._act is not None:
            self._act(number)
            return
        self._early.append(number)
        if number in ENDING:
            signal.signal(number, signal.SIG_DFL)


#: Those of this process.
signals = Signals()
