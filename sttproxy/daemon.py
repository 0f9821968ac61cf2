"""
The daemon as one Twisted service: it listens, and shuts down in order.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.interfaces import IListeningPort, IReadDescriptor, IStreamServerEndpoint
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from .inbound.site import Site
from .steering import Steered
from .transport import readable
from .upstream.pool import Pool

log = Logger()


#: Seconds that the listeners for monitoring have for their last responses.
MONITOR_GRACE_S = 2.0
#: Maximum number of accept rounds before a port is closed.  The limit lets it close during a flood of connections.
ACCEPT_ROUNDS = 100


class StartError(SystemExit, Exception):
    """
    The daemon cannot start: prints one line to stderr and exits with status 1.

    Because it is a SystemExit, Python prints no traceback.  Because it is an Exception, twistd removes its pidfile.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"sttproxy: {reason}")


class Listener(Service):
    """
    Listens at an endpoint, or raises `StartError`.

    :ivar place: names the endpoint in messages.
    :ivar site: the factory of the connections.
    :ivar handed_over: whether another process listens at the socket from now on.

    The service of ``twisted.application.strports`` does not give access to its port.  We need the port at shutdown, to
    accept the connections in its backlog: closing the port would reset them.
    """

    def __init__(self, endpoint: IStreamServerEndpoint, name: str, site: Site) -> None:
        """
        :param endpoint: where to listen.
        :param name: names the endpoint in messages.
        :param site: the factory of the connections.
        """
        self.place = name
        self.site = site
        self.handed_over = False
        self._endpoint = endpoint
        self._port: IListeningPort | None = None

    def open(self) -> None:
        """
        Listen.  Does nothing if it listens already.

        :raises StartError: when the endpoint cannot listen, for example because the address is in use.
        """
        if self._port is not None:
            return
        failures: list[Failure] = []
        self._endpoint.listen(self.site).addCallbacks(self._listening, failures.append)
        if failures:
            error = failures[0].value
            if isinstance(error, CannotListenError):
                error = error.socketError
            raise StartError(f"cannot listen on {self.place}: {getattr(error, 'strerror', None) or error}")

    def _listening(self, port: IListeningPort) -> None:
        self._port = port

    def check(self, upstream: str, leads_to: Callable[[str, int], bool]) -> None:
        """
        Check that the target is not this listener.  Such a target would make each request loop.  Check also that a
        socket that systemd passed is of the family that its endpoint names: addresses of clients would be wrong.

        :param upstream: names the target in messages.
        :param leads_to: tells whether requests to the target arrive at a host and port.
        :raises StartError: when the target is this listener; when the socket is of another family.
        """
        if isinstance(self._port, tcp.Port):
            with socket.socket(fileno=os.dup(self._port.fileno())) as same:
                if same.family != self._port.socket.family:
                    family = same.family.name.removeprefix("AF_")
                    raise StartError(f"cannot listen on {self.place}: the socket that was passed has domain={family}")
        address = self._port.getHost() if self._port is not None else None
        if isinstance(address, IPv4Address | IPv6Address) and leads_to(address.host, address.port):
            raise StartError(
                f"the target {upstream} is this proxy itself, which listens on {self.place}; "
                "the target must be the speech-to-text server"
            )

    def stopService(self) -> Deferred[None] | None:
        """
        Accept the connections in the backlog, then close the port.  Fires when it is closed.

        A socket that was handed over stays open, with its backlog.
        """
        super().stopService()
        if self._port is None:
            return None
        port: Any = self._port
        self._port = None
        if self.handed_over:
            port.stopReading()
            return None
        if IReadDescriptor.providedBy(port):
            for _ in range(ACCEPT_ROUNDS):
                if not readable(port):
                    break
                port.doRead()
            # Not stopListening: it closes the port an iteration later and resets connections that arrive until then.
            port.connectionLost(Failure(ConnectionDone()))
            return None
        stopped: Deferred[None] | None = port.stopListening()
        return stopped


class Daemon(Steered):
    """
    The service of the whole process.  Its children are the listeners and all services that start and stop with it.

    Shutdown has an order: close the ports, wait for requests in flight, close the ports for monitoring, close the pool,
    stop the other children.
    """

    def __init__(
        self,
        reactor: Any,
        site: Site,
        pools: Sequence[Pool],
        upstream: str,
        grace_s: float | None,
        reload: Callable[[], object],
        leads_to: Callable[[str, int], bool] = lambda host, port: False,
        observer: ILogObserver | None = None,
        reopen: Callable[[], None] = lambda: None,
        monitor: Site | None = None,
    ) -> None:
        """
        :param site: the factory of inbound connections.
        :param pools: the connections to the servers.
        :param upstream: names the target of requests in messages.
        :param grace_s: maximum seconds that requests in flight may take after SIGTERM; None: no limit.
        :param reload: called on SIGHUP.
        :param leads_to: tells whether requests to the target arrive at a host and port.
        :param observer: writes the log; None if twistd uses another observer.
        :param reopen: opens the file of the log again; raises OSError when it cannot be opened.
        :param monitor: the factory of connections for monitoring, which stay until the requests in flight have ended;
            None: there are none.
        """
        super().__init__(reactor, reload, reopen, observer)
        self._site = site
        self._pools = pools
        self._upstream = upstream
        self._grace_s = grace_s
        self._leads_to = leads_to
        self._monitor = monitor

    def listen(self, endpoint: IStreamServerEndpoint, name: str, site: Site | None = None) -> None:
        """
        Add a listener.

        :param endpoint: where to listen.
        :param name: names the endpoint in messages.
        :param site: the factory of its connections, if it is the one for monitoring.
        """
        Listener(endpoint, name, site or self._site).setServiceParent(self)

    def open(self) -> None:
        """
        Make all listeners listen.

        May be called before the daemon starts.  In the background, twistd reports an error without its message, so the
        daemon has to listen before twistd forks.

        :raises StartError: when a listener cannot listen, or is itself the target of requests.
        """
        for listener in self._listeners():
            listener.open()
            listener.check(self._upstream, self._leads_to)

    def _listeners(self) -> list[Listener]:
        return [child for child in self if isinstance(child, Listener)]

    def privilegedStartService(self) -> None:
        """
        Listen, and start what needs the privileges of the user that started the daemon.

        :raises StartError: as in `open`.
        """
        try:
            self.open()
            super().privilegedStartService()
        except StartError as error:
            if sys.stderr is not sys.__stderr__:
                # twistd has replaced stderr by the log, so print to the real one.
                print(error, file=sys.__stderr__)
            raise

    def startService(self) -> None:
        super().startService()
        log.info("Requests go to {upstream}.", upstream=self._upstream)
        if self._monitor is not None:
            places = ", ".join(listener.place for listener in self._listeners() if listener.site is self._monitor)
            log.info("The monitoring pages are at {places} only.", places=places)

    def hurry(self) -> None:
        self._site.stop()

    def hand_over(self) -> None:
        for listener in self._listeners():
            listener.handed_over = True

    def stopService(self) -> Deferred[None]:
        stopped = ensureDeferred(self._stop())
        # Twisted ignores the failure of a service that stops.
        stopped.addErrback(lambda failure: log.failure("The daemon did not stop in order", failure))
        return stopped

    async def _stop(self) -> None:
        self._site.registry.draining = True
        await self._close_ports(self._site)
        if self._site.channels:
            limit = "" if self._grace_s is None else f", {self._grace_s:g} s at most"
            log.info("Waiting for requests in flight{limit}.", limit=limit)
        await self._site.drain(self._grace_s)
        if self._monitor is not None:
            await self._close_ports(self._monitor)
            await self._monitor.drain(MONITOR_GRACE_S)
        for pool in self._pools:
            pool.close()
        await maybeDeferred(super().stopService)
        # The reactor may not run another iteration, so flush now.
        self._site.scheduler.end()

    async def _close_ports(self, site: Site) -> None:
        """Close the ports of a factory."""
        for listener in self._listeners():
            if listener.site is not site:
                continue
            try:
                await maybeDeferred(listener.disownServiceParent)
            except Exception:
                log.failure("A port could not be closed")
