"""
The service that starts and stops the engine's port and its thread in the daemon.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, TimeoutError, fail, maybeDeferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IListeningPort, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from sttproxy.embedded.engine import Engine
from sttproxy.embedded.server import make_site
from sttproxy.embedded.whisper import Transcriber, load_model
from sttproxy.errors import printable

LOOPBACK = "127.0.0.1"

#: Seconds that the stopping daemon waits for the thread.  The thread can stop only between two half minutes of audio,
#: which a small model computes in a second or two, and cannot stop while a model is downloaded.  A shorter time is not
#: safe, because CTranslate2 crashes when the process ends while it computes.
STOP_WAIT_S = 30.0


class DaemonThread(Thread):
    """A thread that does not keep the process alive when the daemon has stopped waiting for it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, daemon=True, **kwargs)


class OneThread(ThreadPool):
    """A thread pool with one thread."""

    threadFactory = DaemonThread

    def __init__(self) -> None:
        super().__init__(minthreads=1, maxthreads=1, name="embedded")


@implementer(IStreamClientEndpoint)
class EmbeddedEngine(Service):
    """
    A speech server on an ephemeral loopback port, and the endpoint that connects to it.

    Stop it after the services that send requests to it, because stopping abandons the running request.

    :param reactor: listens, connects, keeps time and takes calls from the thread.
    :param model: a model's name or its folder.  A relative folder is resolved at once, so it stays the same when the
        daemon changes directory.
    :param load: loads the model, in the thread.  It raises `EmbeddedError` when that
        fails; then the response to each transcription is 503 with the reason.
    :param make_pool: makes the pool of one thread.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        model: str,
        load: Callable[[str], Transcriber] = load_model,
        make_pool: Callable[[], ThreadPool] = OneThread,
    ) -> None:
        self._reactor = reactor
        self._pool = make_pool()
        self._model = os.path.abspath(model) if os.path.isdir(model) else model
        in_thread = partial(deferToThreadPool, reactor, self._pool)
        self._engine = Engine(reactor, in_thread, partial(load, self._model))
        self._port: IListeningPort | None = None

    def startService(self) -> None:
        """Listen, and start to load the model."""
        super().startService()
        site = make_site(self._reactor, self._engine, printable(self._model))
        self._port = self._reactor.listenTCP(0, site, interface=LOOPBACK)
        self._log.info(
            "embedded engine on {host}:{port}, loading model {model}",
            host=LOOPBACK,
            port=_number(self._port),
            model=printable(self._model),
        )
        self._pool.start()
        self._engine.start()

    def stopService(self) -> Deferred[None]:
        """
        Stop listening, refuse waiting requests, abandon the running one, and end the thread.

        :return: fires when the thread has ended, or after :data:`STOP_WAIT_S`.
        """
        super().stopService()
        if self._port is None:
            return succeed(None)
        port, self._port = self._port, None
        return Deferred.fromCoroutine(self._stop(port))

    async def _stop(self, port: IListeningPort) -> None:
        idle = self._engine.stop()
        await maybeDeferred(port.stopListening)
        try:
            await idle.addTimeout(STOP_WAIT_S, self._reactor)
        except TimeoutError:
            self._log.warn("the embedded engine is still busy after {seconds:.0f} s", seconds=STOP_WAIT_S)
        else:
            self._pool.stop()

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect to the engine.

        :return: fails with ``ConnectionRefusedError`` when the service is not running.
        """
        if self._port is None:
            return fail(ConnectionRefusedError("the embedded engine is not running"))
        return TCP4ClientEndpoint(self._reactor, LOOPBACK, _number(self._port)).connect(protocolFactory)


def _number(port: IListeningPort) -> int:
    """The number that the system chose for an ephemeral port."""
    address = port.getHost()
    assert isinstance(address, IPv4Address)
    return address.port
