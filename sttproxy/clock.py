"""
Makes the reactor's clock monotonic.

On POSIX, ``twisted.python.runtime.seconds`` is ``time.time``, so Twisted's timers follow the wall clock.  If NTP, a
resumed virtual machine or a person sets the wall clock back by an hour, each timer fires an hour late, and durations
become negative.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.python import runtime


def make_monotonic(reactor: Any) -> None:
    """
    Replace the wall clock of a reactor by the monotonic clock.

    Afterwards, ``reactor.seconds()`` is not a date.  Pending delayed calls keep their remaining time.  A reactor that
    already has another clock does not change.

    :param reactor: a ``twisted.internet.base.ReactorBase``.  New delayed calls take the time from its `seconds`.
    """
    if reactor.seconds is not runtime.seconds:
        return
    now = reactor.seconds()
    pending = [(call, call.getTime() - now) for call in reactor.getDelayedCalls()]
    reactor.seconds = time.monotonic
    for call, left in pending:
        call.seconds = time.monotonic
        call.reset(max(0.0, left))
