"""
Tells the service manager, such as systemd, what the daemon does: that it serves, reloads or stops, and its numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred

from .monitor.registry import Registry
from .notify import Notifier, notifier_of, watchdog_s
from .vitals import BEAT_S, Pulse

#: Microseconds that the service manager waits for the next message while requests in flight finish.  With ``--grace``
#: the daemon knows best how long that may take.
_PATIENCE_US = 30_000_000


class Announcing(MultiService):
    """
    Sends READY when the daemon serves, STATUS and WATCHDOG once a second or more often, RELOADING around a reload, and
    STOPPING when the shutdown begins.

    The signs of life come from the reactor's timers, so a reactor that hangs sends none.
    """

    def __init__(
        self,
        reactor: Any,
        notifier: Notifier,
        status: Callable[[], str],
        watchdog_s: float | None = None,
        is_upgrade: Callable[[], bool] = lambda: False,
    ) -> None:
        """
        :param status: returns the numbers of the moment, in words.
        :param is_upgrade: tells at the shutdown whether the process serves again soon.
        :param watchdog_s: seconds within which the service manager wants a sign of life; None: it wants none.
        """
        super().__init__()
        self._reactor = reactor
        self._notifier = notifier
        self._status = status
        self._is_upgrade = is_upgrade
        self._watched = watchdog_s is not None
        self._reloads = 0
        self._stopping = False
        self._sent = ""
        every_s = BEAT_S if watchdog_s is None else min(BEAT_S, watchdog_s / 2)
        Pulse(reactor, self._beat, every_s).setServiceParent(self)

    def startService(self) -> None:
        super().startService()
        self._reactor.callWhenRunning(self._serve)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._stop)

    def around(self, reload: Callable[[], Deferred[Any]]) -> Callable[[], None]:
        """
        A reload that the service manager is told about.

        :param reload: the reload itself; fires when the files are in force or refused.
        """

        def told() -> None:
            self._reloads += 1
            self._send_reloading()
            reload().addBoth(self._reloaded)

        return told

    def _send_reloading(self) -> None:
        # The time shows the service manager that this answers its own request, not an older one.
        self._notifier.send(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

    def _reloaded(self, _: object) -> None:
        self._reloads -= 1
        if not self._reloads and not self._stopping:
            self._notifier.send(READY=1)

    def _serve(self) -> None:
        self._notifier.send(READY=1, **self._state())

    def _stop(self) -> None:
        if self._is_upgrade():
            self._send_reloading()
            return
        self._stopping = True
        self._notifier.send(STOPPING=1, **self._state())

    def _beat(self, late_s: float) -> None:
        state = self._state()
        if state:
            self._notifier.send(**state)

    def _state(self) -> dict[str, object]:
        """What each message has: the status if it is not the last one, and what is asked for."""
        state: dict[str, object] = {}
        status = f"{'Stopping' if self._stopping else 'Serving'}: {self._status()}"
        if status != self._sent:
            self._sent = state["STATUS"] = status
        if self._watched:
            state["WATCHDOG"] = 1
        if self._stopping:
            state["EXTEND_TIMEOUT_USEC"] = _PATIENCE_US
        return state


def numbers(registry: Registry) -> str:
    """The status of one process."""
    return (
        f"{registry.connections} clients, {len(registry.in_flight)} requests in flight, "
        f"{registry.queued()} transcriptions waiting; {registry.recorded} requests since the start"
    )


def announcing_of(
    reactor: Any,
    environment: Mapping[str, str],
    status: Callable[[], str],
    is_upgrade: Callable[[], bool] = lambda: False,
) -> Announcing | None:
    """
    What tells the service manager; None if there is none that asks.

    :param status: as that of `Announcing`.
    :param is_upgrade: as that of `Announcing`.
    """
    notifier = notifier_of(environment)
    if notifier is None:
        return None
    return Announcing(reactor, notifier, status, watchdog_s(environment), is_upgrade)
