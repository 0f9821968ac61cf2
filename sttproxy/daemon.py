"""
The daemon as one service: what starts with it, what ends with it and in which order, and what signals mean to it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.interfaces import IListeningPort, IReadDescriptor, IStreamServerEndpoint
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from .inbound.site import Site
from .logs.observer import TextObserver
from .signals import ENDING, REOPENING, signals
from .transport import readable
from .upstream.pool import Pool

log = Logger()


#: How often whoever has connected is accepted before a port is closed; a flood must not keep it open.
ACCEPT_ROUNDS = 100


class StartError(SystemExit, Exception):
    """
    Why the daemon cannot start: one line on stderr and exit status 1.

    As a SystemExit it comes without a traceback; as an Exception it has twistd take its pidfile away.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"sttproxy: {reason}")


class Listener(Service):
    """
    Listens at an endpoint, or refuses to start.

    The service of `twisted.application.strports` keeps its port to itself, and at the end the port is needed: whoever
    has connected and not been accepted yet would be reset by a mere close.
    """

    def __init__(self, endpoint: IStreamServerEndpoint, name: str, site: Site) -> None:
        """
        :param name: the endpoint as messages call it.
        """
        self._name = name
        self._endpoint = endpoint
        self._site = site
        self._port: IListeningPort | None = None

    def open(self) -> None:
        """
        Listen, if it does not yet.

        :raises StartError: when the address cannot be had.
        """
        if self._port is not None:
            return
        failures: list[Failure] = []
        self._endpoint.listen(self._site).addCallbacks(self._listening, failures.append)
        if failures:
            error = failures[0].value
            if isinstance(error, CannotListenError):
                error = error.socketError
            raise StartError(f"cannot listen on {self._name}: {getattr(error, 'strerror', None) or error}")

    def _listening(self, port: IListeningPort) -> None:
        self._port = port

    def check(self, upstream: str, leads_to: Callable[[str, int], bool]) -> None:
        """
        Look whether requests would come back.

        :raises StartError: when they go to what is listened on.
        """
        address = self._port.getHost() if self._port is not None else None
        if isinstance(address, IPv4Address | IPv6Address) and leads_to(address.host, address.port):
            raise StartError(
                f"the target {upstream} is this proxy itself, which listens on {self._name}; "
                "the target must be the speech-to-text server"
            )

    def stopService(self) -> Deferred[None] | None:
        """Listen no more; fires when the port is closed."""
        super().stopService()
        if self._port is None:
            return None
        port, self._port = self._port, None
        if IReadDescriptor.providedBy(port):
            for _ in range(ACCEPT_ROUNDS):
                if not readable(port):
                    break
                port.doRead()
            # At once: stopListening would leave it open for another reactor iteration, without accepting clients.
            port.connectionLost(Failure(ConnectionDone()))
            return None
        stopped: Deferred[None] | None = port.stopListening()
        return stopped


class Daemon(MultiService):
    """
    Its children are what listens and whatever else starts and stops with the daemon.

    It stops in order: it listens no more, requests in flight end, and then the rest.
    """

    def __init__(
        self,
        reactor: Any,
        site: Site,
        pool: Pool,
        upstream: str,
        grace_s: float | None,
        reload: Callable[[], None],
        leads_to: Callable[[str, int], bool] = lambda host, port: False,
        observer: TextObserver | None = None,
    ) -> None:
        """
        :param upstream: what requests go to, for the log.
        :param grace_s: seconds that requests in flight are given after SIGTERM; None: any time.
        :param reload: called on SIGHUP.
        :param leads_to: whether requests go to an address and port that is listened on.
        :param observer: writes the log; None: twistd has another one do so.
        """
        super().__init__()
        self._reactor = reactor
        self._site = site
        self._pool = pool
        self._upstream = upstream
        self._grace_s = grace_s
        self._reload = reload
        self._leads_to = leads_to
        self._observer = observer
        self._terminated = False

    def setServiceParent(self, parent: Any) -> None:
        if self._observer is not None and isinstance(parent, Componentized):
            # Where twistd looks for an observer before it makes one of its own.
            parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)

    def listen(self, endpoint: IStreamServerEndpoint, name: str) -> None:
        """
        Listen at an endpoint too.

        :param name: the endpoint as messages call it.
        """
        Listener(endpoint, name, self._site).setServiceParent(self)

    def open(self) -> None:
        """
        Listen.

        It may be called before the daemon starts: once twistd has gone into the background, it says of an error little
        more than that there is one.

        :raises StartError: when an address cannot be had, or is the one that requests go to.
        """
        for listener in self._listeners():
            listener.open()
            listener.check(self._upstream, self._leads_to)

    def _listeners(self) -> list[Listener]:
        return [child for child in self if isinstance(child, Listener)]

    def privilegedStartService(self) -> None:
        """
        Listen, and whatever else needs the rights that the daemon is started with.

        :raises StartError: as `open` does.
        """
        try:
            self.open()
            super().privilegedStartService()
        except StartError as error:
            if sys.stderr is not sys.__stderr__:
                # By now twistd has turned stderr into log entries.
                print(error, file=sys.__stderr__)
            raise

    def startService(self) -> None:
        super().startService()
        log.info("Requests go to {upstream}.", upstream=self._upstream)
        # The reactor puts its own handlers in place as it starts to run; ours come after them.
        self._reactor.callWhenRunning(self._handle_signals)

    def stopService(self) -> Deferred[None]:
        stopped = ensureDeferred(self._stop())
        # Whoever called drops a failure without a word.
        stopped.addErrback(lambda failure: log.failure("The daemon did not stop in order", failure))
        return stopped

    async def _stop(self) -> None:
        for listener in self._listeners():
            try:
                await maybeDeferred(listener.disownServiceParent)
            except Exception:
                log.failure("A port could not be closed")
        if self._site.channels:
            limit = "" if self._grace_s is None else f", {self._grace_s:g} s at most"
            log.info("Waiting for requests in flight{limit}.", limit=limit)
        await self._site.drain(self._grace_s)
        self._pool.close()
        await maybeDeferred(super().stopService)
        # The reactor may not run another iteration.
        self._site.scheduler.end()

    def _handle_signals(self) -> None:
        # twistd would end with the status of the signal; a daemon that was told to stop and did so has succeeded.
        signals.act(lambda number: self._reactor.callFromThread(self._signalled, number))

    def _signalled(self, number: int) -> None:
        if number in ENDING:
            self._terminate()
        elif number in REOPENING:
            self._reopen_log()
            if number == signal.SIGHUP:
                self._reload()
        else:
            log.info("The signal {name} means nothing here.", name=signal.Signals(number).name)

    def _reopen_log(self) -> None:
        if self._observer is None:
            return
        try:
            self._observer.destination.reopen()
        except OSError as error:
            log.error("The log file cannot be opened again: {reason}.", reason=error.strerror)

    def _terminate(self) -> None:
        if self._terminated:
            log.info("Told to stop again.")
            self._site.stop()
        else:
            self._terminated = True
            self._reactor.stop()
