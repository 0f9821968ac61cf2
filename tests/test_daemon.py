"""
Tests for :mod:`sttproxy.daemon`: start, shutdown in order, and signals.
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

from sttproxy.daemon import MONITOR_GRACE_S, Daemon, Listener, StartError
from sttproxy.inbound.channel import LINGER_S
from sttproxy.inbound.site import Site
from sttproxy.logs.destination import Destination
from sttproxy.signals import ALL, MEANINGLESS, REOPENING, UPGRADING, signals
from sttproxy.upstream.pool import Pool, PoolLimits
from sttproxy.writer import FlushScheduler

from .support.fakes import Ending, FakeUpstream
from .support.ports import FakeEndpoint, FakePort, SocketPort
from .support.stage import Scripted, ScriptedTestCase, error_of, get


class Child(Service):
    """Another child of the daemon; records its starts and stops."""

    def __init__(self, events: list[str]) -> None:
        self.events = events

    def startService(self) -> None:
        super().startService()
        self.events.append("started")

    def stopService(self) -> None:
        super().stopService()
        self.events.append("stopped")


class DaemonTestCase(ScriptedTestCase):
    """A test with a daemon on a reactor in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.upstream = FakeUpstream(self.reactor)
        self.pool = Pool(self.reactor, self.upstream.connect, PoolLimits(), FlushScheduler(self.reactor))
        self.events: list[str] = []
        capturing = capturedLogs()
        self.logs = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)
        self.daemon = Daemon(self.reactor, self.site, [self.pool], "h:1", 30.0, lambda: self.events.append("reload"))

    def start(self, *ports: FakePort) -> None:
        """Start the daemon with listeners on `ports`, and with another child."""
        for port in ports:
            self.daemon.listen(FakeEndpoint(port), "h:80")
        Child(self.events).setServiceParent(self.daemon)
        self.daemon.privilegedStartService()
        self.daemon.startService()

    def tearDown(self) -> None:
        self.pool.close()
        super().tearDown()


class ListenTests(DaemonTestCase):
    """The start: the daemon listens, or raises StartError."""

    def test_interfaces(self) -> None:
        """Daemon and Listener are services; the fakes of these tests provide the interfaces that they replace."""
        self.assertTrue(verifyObject(IService, self.daemon))
        self.assertTrue(verifyObject(IService, Listener(FakeEndpoint(FakePort()), "h:80", self.site)))
        self.assertTrue(verifyObject(IStreamServerEndpoint, FakeEndpoint(FakePort())))
        self.assertTrue(verifyObject(IReadDescriptor, SocketPort()))

    def test_listens(self) -> None:
        """The daemon listens with its site at each endpoint before it starts its children."""
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
        """The message of the StartError when listening fails with `error`."""
        self.daemon.listen(FakeEndpoint(error), "unix:/run/x")
        return str(self.assertRaises(StartError, self.daemon.privilegedStartService))

    def test_cannot_be_had(self) -> None:
        """A failure to listen is one line with the endpoint and the reason, for each type of error."""
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
        """The daemon refuses to start if a listener is the target of its requests; Unix sockets are not checked."""
        asked: list[tuple[str, int]] = []

        def leads_to(host: str, port: int) -> bool:
            asked.append((host, port))
            return port == 80

        addresses = UNIXAddress("/run/x"), IPv6Address("TCP", "::", 81), IPv4Address("TCP", "192.0.2.1", 80)
        for count in (2, 3):
            self.daemon = Daemon(self.reactor, self.site, [self.pool], "h:80", 30.0, lambda: None, leads_to)
            for number, address in enumerate(addresses[:count]):
                self.daemon.listen(FakeEndpoint(FakePort(address)), f"address {number}")
            if count == 2:
                self.daemon.privilegedStartService()
        error = str(self.assertRaises(StartError, self.daemon.privilegedStartService))
        self.assertIn("the target h:80 is this proxy itself, which listens on address 2;", error)
        self.assertEqual(asked, [("::", 81)] * 2 + [("192.0.2.1", 80)])

    def test_where_it_is_said(self) -> None:
        """A StartError is printed to the real stderr if twistd has replaced sys.stderr, and only then."""
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
    """The exception that ends a failed start."""

    def test_kinds(self) -> None:
        """It is a SystemExit with a message, so the process exits with status 1; and it is an Exception."""
        error = StartError("no")
        self.assertIsInstance(error, SystemExit)
        self.assertIsInstance(error, Exception)
        self.assertEqual((error.code, str(error)), ("sttproxy: no", "sttproxy: no"))


class StopTests(DaemonTestCase):
    """Shutdown: close the ports, wait for requests in flight, then stop the other children."""

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

    def test_end_of_iteration(self) -> None:
        """What is scheduled for the end of the reactor iteration is done, because no other iteration may follow."""
        self.start()
        self.site.scheduler.add(lambda: self.events.append("logged"))
        self.successResultOf(self.daemon.stopService())
        self.assertEqual(self.events, ["started", "stopped", "logged"])
        self.reactor.settle()

    def test_order(self) -> None:
        """All ports close before requests in flight end, and the other children stop afterwards."""
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
        """Idle upstream connections are closed after the requests in flight, which may need them."""
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
        """Requests that last longer than the grace time get 503, and the daemon stops."""
        self.start()
        client = self.client(get())
        stopped = self.daemon.stopService()
        self.reactor.pass_time(29.5, 0.5)
        self.assertNoResult(stopped)
        self.reactor.pass_time(1)
        self.successResultOf(stopped)
        self.assertEqual((error_of(client.received), client.ending), ((503, "shutting_down"), Ending.CLOSED))

    def test_accepted_at_the_end(self) -> None:
        """Connections that wait to be accepted when the shutdown begins are accepted and get responses."""
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
        """A port that stays readable, without free descriptors or in a flood, does not block the shutdown."""
        port = SocketPort()
        self.start(port)
        port.socket.arriving.append(b"x")
        stopped = self.daemon.stopService()
        self.assertTrue(port.closed)
        self.successResultOf(stopped)

    def test_monitor(self) -> None:
        """
        Ports for monitoring are open until the requests in flight have ended, and then they close, also if a client
        there stays.
        """
        monitor = Site(Scripted(), self.reactor, FlushScheduler(self.reactor), self.registry)
        self.daemon = Daemon(self.reactor, self.site, [self.pool], "h:1", 30.0, lambda: None, monitor=monitor)
        observed = FakePort()
        self.daemon.listen(FakeEndpoint(observed), "h:90", monitor)
        port = FakePort()
        self.start(port)
        self.assertIn("The monitoring pages are at h:90 only.", [formatEvent(event) for event in self.logs])
        client, idle, slow = self.client(get()), self.client(site=monitor), self.client(get(), site=monitor)
        stopped = self.daemon.stopService()
        self.assertTrue(self.registry.draining)
        assert port.stopping is not None
        port.stopping.callback(None)
        self.reactor.pass_time(20, 1)
        self.assertTrue(self.site.draining)
        self.assertFalse(monitor.draining)
        self.assertIsNone(observed.stopping)
        self.assertIn(b"/now", self.client(get(b"/now"), site=monitor).received)
        self.requests[0].finish()
        self.reactor.settle()
        self.assertEqual((client.ending, idle.ending), (Ending.CLOSED, Ending.OPEN))
        assert observed.stopping is not None
        observed.stopping.callback(None)
        self.assertTrue(monitor.draining)
        self.reactor.pass_time(MONITOR_GRACE_S + 0.1)
        self.successResultOf(stopped)
        self.assertEqual((idle.ending, error_of(slow.received)), (Ending.CLOSED, (503, "shutting_down")))
        self.assertEqual(self.events, ["started", "stopped"])

    def test_port_that_does_not_close(self) -> None:
        """A failure to close a port is logged; requests in flight still end normally."""
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
    """Counts calls of `reopen`, which raises `problem` if the test sets it."""

    reopened = 0
    problem: OSError | None = None

    def reopen(self) -> None:
        self.reopened += 1
        if self.problem is not None:
            raise self.problem


class SignalTests(DaemonTestCase):
    """Signals, through the handlers that the daemon installs."""

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
        """Deliver a signal; its handler must do nothing at once.  Returns whether the reactor then stops."""
        before = list(self.events), self.reactor.hasStopped
        self.handlers[number](number, None)
        self.assertEqual((self.events, self.reactor.hasStopped), before)
        self.reactor.hasStopped = False
        self.reactor.settle()
        return self.reactor.hasStopped

    def test_installed(self) -> None:
        """Handlers for all signals are installed after the reactor has installed its own."""
        self.assertEqual(self.handlers.keys(), {*ALL})

    def test_reopen(self) -> None:
        """SIGHUP and SIGUSR1 reopen the log file; a failure is logged and changes nothing."""
        destination = RecordingDestination(self.reactor)
        self.daemon._reopen = destination.reopen
        for number in REOPENING:
            self.assertFalse(self.receive(number))
        self.assertEqual((destination.reopened, self.events), (2, ["reload"]))
        destination.problem = PermissionError(errno.EACCES, "Permission denied")
        self.receive(signal.SIGUSR1)
        self.assertIn("Cannot reopen the log file: Permission denied", str(formatEvent(self.logs[-1])))

    def test_meaningless(self) -> None:
        """Other signals are logged by name and have no other effect, as that for an upgrade where none can be."""
        for number in (*MEANINGLESS, UPGRADING):
            self.assertFalse(self.receive(number))
            self.assertIn(f"Ignoring the signal {number.name}:", str(formatEvent(self.logs[-1])))
        self.assertEqual(self.events, [])

    def test_reload(self) -> None:
        """Each SIGHUP reloads the configuration and does not stop the daemon."""
        self.assertEqual([self.receive(signal.SIGHUP) for _ in range(2)], [False, False])
        self.assertEqual(self.events, ["reload", "reload"])

    def test_stop(self) -> None:
        """SIGTERM and SIGINT stop the reactor, which stops the daemon."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self.setUp()
            self.assertTrue(self.receive(number))
            self.assertEqual(self.events, [])

    def test_again(self) -> None:
        """A second stop signal ends the requests in flight, is logged, and does not stop the reactor again."""
        client = self.client(get())
        stopped = self.daemon.stopService()
        self.assertTrue(self.receive(signal.SIGTERM))
        self.assertEqual(client.ending, Ending.OPEN)
        self.assertFalse(self.receive(signal.SIGINT))
        self.assertEqual(client.ending, Ending.CLOSED)
        self.successResultOf(stopped)
        self.assertIn("Stop signal again:", " ".join(map(str, map(formatEvent, self.logs))))
