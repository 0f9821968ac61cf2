"""
A service of the whole process, which signals steer.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized

from .handover.upgrade import Upgrade
from .signals import ENDING, REOPENING, UPGRADING, signals

log = Logger()

#: Containers that are allocated and not freed before Python looks for cycles among them.  Some requests in flight at
#: the same time already need more than Python's 700, and nearly all are freed without a cycle: a collection at each
#: burst of requests costs 4 % of a small request (measured).
COLLECT_AT = 10_000


def _spare_collections() -> None:
    """Let collections be rare, and not look at what exists already: modules and settings stay for good."""
    gc.freeze()
    gc.set_threshold(COLLECT_AT)


class Steered(MultiService):
    """
    Acts on signals: stops, reloads, opens the log again, and starts an upgrade.

    :ivar upgrade: replaces the program; None: SIGUSR2 is ignored.
    :ivar ignored: signals that are for another process, although this one gets them, too.
    """

    upgrade: Upgrade | None = None
    ignored: tuple[int, ...] = ()

    def __init__(
        self,
        reactor: Any,
        reload: Callable[[], object],
        reopen: Callable[[], None],
        observer: ILogObserver | None,
    ) -> None:
        """
        :param reload: called on SIGHUP.
        :param reopen: opens the file of the log again; raises OSError when it cannot be opened.
        :param observer: writes the log; None if twistd uses another observer.
        """
        super().__init__()
        self._reactor = reactor
        self._reload = reload
        self._reopen = reopen
        self._observer = observer
        self._terminated = self._stopping = False

    def setServiceParent(self, parent: Any) -> None:
        if self._observer is not None and isinstance(parent, Componentized):
            # twistd uses the observer that this component names, and creates its own one only without it.
            parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)

    def startService(self) -> None:
        super().startService()
        # The reactor installs its own signal handlers during its start.  Ours must replace them, and the reactor's must
        # not run: with them, twistd kills itself with the same signal.  A requested stop should exit with 0.
        self._reactor.addSystemEventTrigger("before", "startup", signals.block)
        self._reactor.callWhenRunning(self._handle_signals)
        self._reactor.callWhenRunning(_spare_collections)

    def hurry(self) -> None:
        """End the requests in flight: called for a second signal to stop."""
        raise NotImplementedError

    def hand_over(self) -> None:
        """Another process has the listening sockets from now on."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop the process.  Does nothing if it stops already."""
        if not self._stopping:
            self._stopping = True
            self._reactor.stop()

    def drain_for_another(self) -> None:
        """Stop the process, and leave its sockets open for another one."""
        self.hand_over()
        self.stop()

    def _handle_signals(self) -> None:
        signals.act(lambda number: self._reactor.callFromThread(self._signalled, number))

    def _signalled(self, number: int) -> None:
        if number in self.ignored:
            return
        if number in ENDING:
            self._terminate()
        elif number in REOPENING:
            if self.upgrade is not None:
                self.upgrade.forward(number)
            self.reopen_log()
            if number == signal.SIGHUP:
                self._reload()
        elif number == UPGRADING and self.upgrade is not None:
            self.upgrade.begin()
        else:
            log.info("Ignoring the signal {name}: sttproxy does not use it.", name=signal.Signals(number).name)

    def reopen_log(self) -> None:
        """Open the file of the log again, because it may have been renamed."""
        try:
            self._reopen()
        except OSError as error:
            log.error("Cannot reopen the log file: {reason}.", reason=error.strerror)

    def _terminate(self) -> None:
        if self._terminated:
            log.info("Stop signal again: ending the requests in flight now.")
            self.hurry()
            return
        self._terminated = True
        if self.upgrade is not None:
            self.upgrade.cancel()
        self.stop()
