"""
A timer that is cheap to move.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """
    Calls a function once at a moment, unless the deadline is moved or cleared before.

    Moving it later costs one assignment: the delayed call stays scheduled, and when it fires too early, it is scheduled
    again.  This makes a difference for connections, which move their timeouts at each request.
    """

    def __init__(self, clock: IReactorTime, expired: Callable[[], None]) -> None:
        """
        :param clock: schedules the delayed call.
        :param expired: called when the deadline passes.
        """
        self._clock = clock
        self._expired = expired
        self._moment: float | None = None
        self._call: IDelayedCall | None = None
        #: When the pending call fires, in seconds of the clock.
        self._due = 0.0

    def set(self, seconds: float | None) -> None:
        """Expire in that many seconds from now; None means never."""
        if seconds is None:
            self._moment = None
            return
        self._moment = moment = self._clock.seconds() + seconds
        if self._call is None:
            self._due = moment
            self._call = self._clock.callLater(seconds, self._fire)
        elif self._due > moment:
            self._due = moment
            self._call.reset(seconds)

    def clear(self) -> None:
        """Do not expire.  The delayed call stays scheduled and does nothing when it fires."""
        self._moment = None

    def cancel(self) -> None:
        """Do not expire, and cancel the delayed call."""
        self._moment = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _fire(self) -> None:
        self._call = None
        if self._moment is None:
            return
        left = self._moment - self._clock.seconds()
        if left > 0:
            self._due = self._moment
            self._call = self._clock.callLater(left, self._fire)
        else:
            self._moment = None
            self._expired()
