"""
Tests for :mod:`sttproxy.daemon`: starting, stopping in order, and signals.
"""

from __future__ import annotations

import errno
import signal
import socket
import sys
from io import StringIO
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReadDescriptor, IStreamServerEndpoint
from twisted.logger import capturedLogs, formatEvent
from zope.interface.verify import verifyObject

from sttproxy.daemon import Daemon, Listener, StartError
from sttproxy.inbound.channel import LINGER_S
from sttproxy.logs.destination import Destination
from sttproxy.logs.observer import TextObserver
from sttproxy.signals import ENDING, MEANINGLESS, REOPENING, signals
from sttproxy.upstream.pool import Pool, PoolLimits
from sttproxy.writer import FlushScheduler

from .support.fakes import Ending, FakeUpstream
from .support.ports import FakeEndpoint, FakePort, SocketPort
from .support.stage import ScriptedTestCase, error_of, get


class Child(Service):
    """Another service of the daemon; notes what happens to it."""

    def __init__(self, events: list[str]) -> None:
        self.events = events

    def startService(self) -> None:
        super().startService()
        self.events.append("started")

    def stopService(self) -> None:
        super().stopService()
        self.events.append("stopped")


class DaemonTestCase(ScriptedTestCase):
    """Tests of a daemon."""

    def setUp(self) -> None:
        super().setUp()
        self.upstream = FakeUpstream(self.reactor)
        self.pool = Pool(self.reactor, self.upstream.connect, PoolLimits(), FlushScheduler(self.reactor))
        self.events: list[str] = []
        capturing = capturedLogs()
        self.logs = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)
        self.daemon = Daemon(self.reactor, self.site, self.pool, "h:1", 30.0, lambda: self.events.append("reload"))

    def start(self, *ports: FakePort) -> None:
        """Start it on ports, with another child."""
        for port in ports:
            self.daemon.listen(FakeEndpoint(port), "h:80")
        Child(self.events).setServiceParent(self.daemon)
        self.daemon.privilegedStartService()
        self.daemon.startService()

    def tearDown(self) -> None:
        self.pool.close()
        super().tearDown()


class ListenTests(DaemonTestCase):
    """Listening, or not starting."""

    def test_interfaces(self) -> None:
        """The daemon and what listens are services; the fakes of these tests are what they stand for."""
        self.assertTrue(verifyObject(IService, self.daemon))
        self.assertTrue(verifyObject(IService, Listener(FakeEndpoint(FakePort()), "h:80", self.site)))
        self.assertTrue(verifyObject(IStreamServerEndpoint, FakeEndpoint(FakePort())))
        self.assertTrue(verifyObject(IReadDescriptor, SocketPort()))

    def test_listens(self) -> None:
        """It listens with its site at each endpoint before it starts anything."""
        endpoints = [FakeEndpoint(FakePort()), FakeEndpoint(FakePort())]
        for endpoint in endpoints:
            self.daemon.listen(endpoint, "h:80")
        Child(self.events).setServiceParent(self.daemon)
        self.daemon.privilegedStartService()
        self.assertEqual([endpoint.factory for endpoint in endpoints], [self.site] * 2)
        self.assertEqual(self.events, [])
        self.daemon.startService()
        self.assertEqual(self.events, ["started"])
        self.assertIn("Requests go to h:1.", [formatEvent(event) for event in self.logs])

    def refused(self, error: Exception) -> str:
        """What is said where an address cannot be had."""
        self.daemon.listen(FakeEndpoint(error), "unix:/run/x")
        return str(self.assertRaises(StartError, self.daemon.privilegedStartService))

    def test_cannot_be_had(self) -> None:
        """An address that cannot be had is one line that names it and the reason, of whatever kind."""
        for error, reason in (
            (CannotListenError("", 80, OSError(errno.EADDRINUSE, "Address already in use")), "Address already in use"),
            (CannotListenError("x", 80, socket.gaierror(-2, "Name or service not known")), "Name or service not known"),
            (CannotListenError("x", 80, "odd"), "odd"),  # type: ignore[arg-type]
            (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
            (ValueError("no such thing"), "no such thing"),
        ):
            self.setUp()
            self.assertEqual(self.refused(error), f"sttproxy: cannot listen on unix:/run/x: {reason}")

    def test_itself(self) -> None:
        """It does not start where requests would come back to what it listens on; a Unix socket is no target."""
        asked: list[tuple[str, int]] = []

        def leads_to(host: str, port: int) -> bool:
            asked.append((host, port))
            return port == 80

        addresses = UNIXAddress("/run/x"), IPv6Address("TCP", "::", 81), IPv4Address("TCP", "192.0.2.1", 80)
        for count in (2, 3):
            self.daemon = Daemon(self.reactor, self.site, self.pool, "h:80", 30.0, lambda: None, leads_to)
            for number, address in enumerate(addresses[:count]):
                self.daemon.listen(FakeEndpoint(FakePort(address)), f"address {number}")
            if count == 2:
                self.daemon.privilegedStartService()
        error = str(self.assertRaises(StartError, self.daemon.privilegedStartService))
        self.assertIn("the target h:80 is this proxy itself, which listens on address 2;", error)
        self.assertEqual(asked, [("::", 81)] * 2 + [("192.0.2.1", 80)])

    def test_where_it_is_said(self) -> None:
        """It is said on the real stderr, where twistd has put a log in its place, and only there twice."""
        real = StringIO()
        self.patch(sys, "__stderr__", real)
        self.patch(sys, "stderr", StringIO())
        said = self.refused(ValueError("no such thing"))
        self.assertEqual(real.getvalue(), said + "\n")
        real.truncate(0)
        self.patch(sys, "stderr", real)
        self.setUp()
        self.refused(ValueError("no such thing"))
        self.assertNotIn("no such thing", real.getvalue())


class StartErrorTests(DaemonTestCase):
    """Why the daemon cannot start."""

    def test_kinds(self) -> None:
        """It ends the process without a traceback, with a status that is not 0, and is an error to whoever asks."""
        error = StartError("no")
        self.assertIsInstance(error, SystemExit)
        self.assertIsInstance(error, Exception)
        self.assertEqual((error.code, str(error)), ("sttproxy: no", "sttproxy: no"))


class StopTests(DaemonTestCase):
    """Stopping: listen no more, then let requests end, then all the rest."""

    def test_idle(self) -> None:
        """A daemon without connections stops at once."""
        port = FakePort()
        self.start(port)
        stopped = self.daemon.stopService()
        self.assertNoResult(stopped)
        assert port.stopping is not None
        port.stopping.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.events, ["started", "stopped"])
        self.assertFalse(self.daemon.running)

    def test_turn(self) -> None:
        """What waits for the end of the reactor's turn is done: there may be no other turn."""
        self.start()
        self.site.scheduler.add(lambda: self.events.append("logged"))
        self.successResultOf(self.daemon.stopService())
        self.assertEqual(self.events, ["started", "stopped", "logged"])
        self.reactor.settle()

    def test_order(self) -> None:
        """No port is open while requests end, and no other child is stopped before they have."""
        ports = [FakePort(), FakePort()]
        self.start(*ports)
        client = self.client(get())
        stopped = self.daemon.stopService()
        for port in ports:
            self.assertFalse(self.site.draining)
            assert port.stopping is not None
            port.stopping.callback(None)
        self.assertTrue(self.site.draining)
        self.reactor.pass_time(20, 1)
        self.assertEqual(self.events, ["started"])
        self.assertNoResult(stopped)
        self.requests[0].finish()
        self.reactor.settle()
        self.assertEqual((client.ending, self.events), (Ending.CLOSED, ["started", "stopped"]))
        self.successResultOf(stopped)

    def test_pool(self) -> None:
        """Resting connections are closed, but not before the requests that could need them have ended."""
        self.start()
        connection = self.successResultOf(self.pool.acquire())
        self.client(get())
        stopped = self.daemon.stopService()
        self.assertFalse(self.pool._closed)
        self.requests[0].finish()
        self.reactor.settle()
        self.successResultOf(stopped)
        self.assertTrue(self.pool._closed)
        connection.abort()

    def test_grace(self) -> None:
        """Requests that do not end in time are answered with 503, and the daemon stops."""
        self.start()
        client = self.client(get())
        stopped = self.daemon.stopService()
        self.reactor.pass_time(29.5, 0.5)
        self.assertNoResult(stopped)
        self.reactor.pass_time(1)
        self.successResultOf(stopped)
        self.assertEqual((error_of(client.received), client.ending), ((503, "shutting_down"), Ending.CLOSED))

    def test_accepted_at_the_end(self) -> None:
        """Who has connected, and was not accepted yet when the end began, is not reset but answered."""
        port = SocketPort()
        self.start(port)
        for _ in range(3):
            port.arrive(lambda: self.client(get(b"/now")))
        silent: list[Any] = []
        port.arrive(lambda: silent.append(self.client()))
        stopped = self.daemon.stopService()
        self.assertTrue(port.closed)
        self.assertEqual([peer.received.count(b"/now") for peer in self.peers], [1, 1, 1, 0])
        self.reactor.pass_time(LINGER_S + 0.2)
        self.assertEqual(silent[0].ending, Ending.CLOSED)
        self.successResultOf(stopped)

    def test_accepting_ends(self) -> None:
        """A port that stays ready, for want of descriptors or for a flood, does not keep the daemon from its end."""
        port = SocketPort()
        self.start(port)
        port.socket.arriving.append(b"x")
        stopped = self.daemon.stopService()
        self.assertTrue(port.closed)
        self.successResultOf(stopped)

    def test_port_that_does_not_close(self) -> None:
        """A port that cannot be closed is logged; requests in flight end in peace all the same."""
        port = FakePort()
        self.start(port)
        client = self.client(get())
        stopped = self.daemon.stopService()
        assert port.stopping is not None
        port.stopping.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.site.draining)
        self.requests[0].finish()
        self.reactor.settle()
        self.assertEqual((client.ending, self.events), (Ending.CLOSED, ["started", "stopped"]))
        self.successResultOf(stopped)


class RecordingDestination(Destination):
    """Counts how often it is opened again, which fails where a test says so."""

    reopened = 0
    problem: OSError | None = None

    def reopen(self) -> None:
        self.reopened += 1
        if self.problem is not None:
            raise self.problem


class SignalTests(DaemonTestCase):
    """Signals, by their handlers."""

    def setUp(self) -> None:
        super().setUp()
        self.handlers: dict[int, Any] = {}
        self.patch(signal, "signal", self.handlers.__setitem__)
        self.addCleanup(signals.release)
        self.daemon.startService()
        self.assertEqual(self.handlers, {})
        for call, args, settings in self.reactor.whenRunningHooks:
            call(*args, **settings)

    def receive(self, number: int) -> bool:
        """Have a signal come, which does nothing in its handler itself; whether it then stops the reactor."""
        before = list(self.events), self.reactor.hasStopped
        self.handlers[number](number, None)
        self.assertEqual((self.events, self.reactor.hasStopped), before)
        self.reactor.hasStopped = False
        self.reactor.settle()
        return self.reactor.hasStopped

    def test_installed(self) -> None:
        """All are handled, once the reactor runs and has put its own handlers in place."""
        self.assertEqual(self.handlers.keys(), {*ENDING, *REOPENING, *MEANINGLESS})

    def test_reopen(self) -> None:
        """SIGHUP and SIGUSR1 have the log file opened again; where that fails, the log says so and goes on."""
        destination = RecordingDestination(self.reactor)
        self.daemon._observer = TextObserver(destination, FlushScheduler(self.reactor))
        for number in REOPENING:
            self.assertFalse(self.receive(number))
        self.assertEqual((destination.reopened, self.events), (2, ["reload"]))
        destination.problem = PermissionError(errno.EACCES, "Permission denied")
        self.receive(signal.SIGUSR1)
        self.assertIn("cannot be opened again: Permission denied", str(formatEvent(self.logs[-1])))

    def test_meaningless(self) -> None:
        """Others are named in the log, and do nothing else."""
        for number in MEANINGLESS:
            self.assertFalse(self.receive(number))
            self.assertIn(f"The signal {number.name} means nothing here", str(formatEvent(self.logs[-1])))
        self.assertEqual(self.events, [])

    def test_reload(self) -> None:
        """SIGHUP reloads, each time, and stops nothing."""
        self.assertEqual([self.receive(signal.SIGHUP) for _ in range(2)], [False, False])
        self.assertEqual(self.events, ["reload", "reload"])

    def test_stop(self) -> None:
        """SIGTERM stops the reactor, which stops the daemon; so does an interrupt."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self.setUp()
            self.assertTrue(self.receive(number))
            self.assertEqual(self.events, [])

    def test_again(self) -> None:
        """A second one ends what is left, says so, and stops nothing twice."""
        client = self.client(get())
        stopped = self.daemon.stopService()
        self.assertTrue(self.receive(signal.SIGTERM))
        self.assertEqual(client.ending, Ending.OPEN)
        self.assertFalse(self.receive(signal.SIGINT))
        self.assertEqual(client.ending, Ending.CLOSED)
        self.successResultOf(stopped)
        self.assertIn("again", " ".join(map(str, map(formatEvent, self.logs))))
