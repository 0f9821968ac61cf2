"""
The daemon as one service: what starts with it, what ends with it and in which order, and what signals mean to it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from .inbound.site import Site
from .upstream.pool import Pool

log = Logger()


class StartError(SystemExit, Exception):
    """
    Why the daemon cannot start: one line on stderr and exit status 1.

    As a SystemExit it comes without a traceback; as an Exception it has twistd take its pidfile away.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"sttproxy: {reason}")


class Daemon(MultiService):
    """
    Its children are what listens and whatever else starts and stops with the daemon.

    It stops in order: it listens no more, requests in flight end, and then the rest.
    """

    def __init__(
        self, reactor: Any, site: Site, pool: Pool, upstream: str, grace_s: float, reload: Callable[[], None]
    ) -> None:
        """
        :param upstream: what requests go to, for the log.
        :param grace_s: seconds that requests in flight are given after SIGTERM.
        :param reload: called on SIGHUP.
        """
        super().__init__()
        self._reactor = reactor
        self._site = site
        self._pool = pool
        self._upstream = upstream
        self._grace_s = grace_s
        self._reload = reload
        self._listeners: list[IService] = []
        self._terminated = False

    def add_listener(self, service: IService) -> None:
        """A child that is stopped before the others."""
        self.addService(service)
        self._listeners.append(service)

    def privilegedStartService(self) -> None:
        """
        Listen.

        :raises StartError: when an address cannot be had.
        """
        try:
            super().privilegedStartService()
        except CannotListenError as error:
            where = f"{error.interface}:{error.port}" if error.interface else f"port {error.port}"
            refusal = StartError(f"cannot listen on {where}: {_reason(error.socketError)}")
            if sys.stderr is not sys.__stderr__:
                # By now twistd has turned stderr into log entries.
                print(refusal, file=sys.__stderr__)
            raise refusal from error

    def startService(self) -> None:
        super().startService()
        log.info("Requests go to {upstream}.", upstream=self._upstream)
        # The reactor puts its own handlers in place as it starts to run; ours come after them.
        self._reactor.callWhenRunning(self._handle_signals)

    def stopService(self) -> Deferred[None]:
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        for listener in self._listeners:
            await maybeDeferred(listener.disownServiceParent)
        self._listeners = []
        if self._site.channels:
            log.info("Waiting for requests in flight, {grace:g} s at most.", grace=self._grace_s)
        await self._site.drain(self._grace_s)
        self._pool.close()
        await maybeDeferred(super().stopService)

    def _handle_signals(self) -> None:
        # twistd would end with the status of the signal; a daemon that was told to stop and did so has succeeded.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        signal.signal(signal.SIGHUP, self._signalled)

    def _signalled(self, number: int, _: FrameType | None) -> None:
        self._reactor.callFromThread(self._reload if number == signal.SIGHUP else self._terminate)

    def _terminate(self) -> None:
        if self._terminated:
            log.info("Told to stop again: breaking off what is left.")
            self._site.abort()
        else:
            self._terminated = True
            self._reactor.stop()


def _reason(error: Any) -> str:
    return getattr(error, "strerror", None) or str(error)
