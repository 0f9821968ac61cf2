"""
The reactor's clock, made monotonic.

On POSIX, `twisted.python.runtime.seconds` is `time.time`, so Twisted's timers follow the wall clock: when NTP, a
resumed virtual machine or a person sets it back by an hour, each timer fires an hour late, and durations become
negative.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.python import runtime


def make_monotonic(reactor: Any) -> None:
    """
    Have a reactor that goes by the wall clock count seconds by one that is never set.

    From then on its `seconds` tells no date.  Pending delayed calls keep the time that is left to them.  A reactor with
    another clock is left alone.

    :param reactor: a `twisted.internet.base.ReactorBase`; its delayed calls ask it for the time when they are made.
    """
    if reactor.seconds is not runtime.seconds:
        return
    now = reactor.seconds()
    pending = [(call, call.getTime() - now) for call in reactor.getDelayedCalls()]
    reactor.seconds = time.monotonic
    for call, left in pending:
        call.seconds = time.monotonic
        call.reset(max(0.0, left))
