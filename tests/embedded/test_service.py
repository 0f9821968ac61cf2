"""
Tests for :mod:`sttproxy.embedded.service`: no model, no sockets, no thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from sttproxy.embedded import EmbeddedEngine
from sttproxy.embedded.task import Task
from sttproxy.embedded.transcript import Transcript


class FakePool(ThreadPool):
    """A fake thread pool that does its work on demand."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.held: list[Callable[[], None]] = []
        self.life: list[str] = []

    def start(self) -> None:
        self.life.append("started")

    def stop(self) -> None:
        self.life.append("stopped")

    def callInThreadWithCallback(self, onResult: Any, func: Any, *args: Any, **kw: Any) -> None:
        self.held.append(lambda: onResult(True, func(*args, **kw)))


class Silent:
    """A fake model whose transcripts are empty."""

    def transcribe(self, task: Task, abandoned: Callable[[], bool]) -> Transcript:
        return Transcript("en", 0.0, ())


class FakeReactor(MemoryReactorClock):
    """A reactor with a queue for calls from the thread, which is always empty."""

    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kw: Any) -> None:
        callable(*args, **kw)


class ServiceTests(SynchronousTestCase):
    """The port and the thread from start to stop."""

    def setUp(self) -> None:
        self.reactor, self.pool = FakeReactor(), FakePool()
        self.named: list[str] = []
        self.service = EmbeddedEngine(self.reactor, "tiny.en", self.load, lambda: self.pool)

    def load(self, name: str) -> Silent:
        """Return a fake model."""
        self.named.append(name)
        return Silent()

    def test_interface(self) -> None:
        """The service is the endpoint of its own port."""
        verifyObject(IStreamClientEndpoint, self.service)

    def test_start(self) -> None:
        """It listens only on loopback, on an ephemeral port, and loads its model at once."""
        self.service.startService()
        [(port, _, _, interface)] = self.reactor.tcpServers
        self.assertEqual((port, interface, self.pool.life), (0, "127.0.0.1", ["started"]))
        self.pool.held.pop()()
        self.assertEqual(self.named, ["tiny.en"])

    def test_folder(self) -> None:
        """A relative folder of a model is resolved when the service is made, before the daemon changes directory."""
        folder = self.mktemp()
        os.makedirs(folder)
        service = EmbeddedEngine(self.reactor, folder, self.load, lambda: self.pool)
        service.startService()
        self.pool.held.pop()()
        self.assertEqual(self.named, [os.path.abspath(folder)])

    def test_connect(self) -> None:
        """Connections reach the port while the service is running, and are refused before and after."""
        factory = Factory.forProtocol(Protocol)
        self.failureResultOf(self.service.connect(factory), ConnectionRefusedError)
        self.service.startService()
        self.service.connect(factory)
        self.assertEqual(self.reactor.tcpClients[0][0], "127.0.0.1")
        self.service.stopService()
        self.failureResultOf(self.service.connect(factory), ConnectionRefusedError)

    def test_stop(self) -> None:
        """The thread ends when its work is done."""
        self.service.startService()
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        self.pool.held.pop()()
        self.successResultOf(stopped)
        self.assertEqual(self.pool.life, ["started", "stopped"])

    def test_stop_in_time(self) -> None:
        """The daemon stops waiting for a busy thread after the limit."""
        self.service.startService()
        stopped = self.service.stopService()
        self.reactor.advance(31)
        self.successResultOf(stopped)
        self.assertEqual(self.pool.life, ["started"])

    def test_stop_unstarted(self) -> None:
        """Stopping a service that was not started has no effect."""
        self.successResultOf(self.service.stopService())
