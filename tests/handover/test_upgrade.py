"""
Tests for :mod:`sttproxy.handover.upgrade` and :mod:`sttproxy.handover.successor`: both sides, with fakes of processes.
"""

from __future__ import annotations

import os
import signal
import socket
from typing import Any, NoReturn

from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.handover.given import CONTROL, STDERR, VARIABLE, Given, Role, take
from sttproxy.handover.sockets import layout
from sttproxy.handover.successor import Successor
from sttproxy.handover.talk import DRAIN, RELY, SERVING
from sttproxy.handover.upgrade import START_S, Upgrade


class Replaced(Exception):
    """The program would have been executed."""


class FakeReactor(Clock):
    """A clock that takes connections, and remembers what shall happen at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.talks: list[Any] = []
        self.ends: list[Any] = []

    def adoptStreamConnection(self, descriptor: int, family: int, factory: Factory) -> None:
        talk: Any = factory.buildProtocol(None)
        talk.makeConnection(StringTransport())
        talk.transport.stopReading = lambda: None
        self.talks.append(talk)

    def addSystemEventTrigger(self, phase: str, event: str, call: Any) -> None:
        self.ends.append(call)

    def callWhenRunning(self, call: Any) -> None:
        call()


class FakeProcess:
    """A child."""

    pid = 77

    def __init__(self) -> None:
        self.signals: list[int] = []
        self.ended = False

    def signalProcess(self, number: int) -> None:
        if self.ended:
            raise ProcessExitedAlready
        self.signals.append(number)


class FakeProgram:
    """A program that starts when the test says so."""

    command = ("program",)
    problem: OSError | None = None

    def __init__(self) -> None:
        self.child = FakeProcess()
        self.control: Any = None
        self.given: list[Given] = []
        self.protocol: Any = None

    def spawn(self, reactor: Any, protocol: Any, given: Given, descriptors: Any) -> FakeProcess:
        if self.problem is not None:
            raise self.problem
        self.protocol = protocol
        self.given.append(given)
        self.control = socket.socket(fileno=os.dup(descriptors[given.control]))
        return self.child

    def replace(self, given: Given, descriptors: Any) -> NoReturn:
        self.given.append(given)
        raise Replaced


class FakeSockets:
    """One listening socket."""

    handed_over = closed = False

    def __init__(self, number: int) -> None:
        self._number = number

    def descriptors(self) -> dict[str, int]:
        return {"tcp::1": self._number}

    def close(self) -> None:
        self.closed = True

    def close_unused(self) -> None:
        """There is none."""

    def unlink(self) -> None:
        self.closed = True


class UpgradeTests(SynchronousTestCase):
    """The side of the process that is replaced."""

    def setUp(self) -> None:
        self.reactor, self.program = FakeReactor(), FakeProgram()
        listening = socket.socket()
        self.addCleanup(listening.close)
        self.sockets = FakeSockets(listening.fileno())
        self.events: list[str] = []
        program: Any = self.program
        sockets: Any = self.sockets
        self.upgrade = Upgrade(
            self.reactor, program, sockets, lambda: self.events.append("drain"), lambda text: self.events.append(text)
        )

    def tearDown(self) -> None:
        if self.program.control is not None:
            self.program.control.close()

    def end(self, errors: bytes = b"") -> None:
        """The stand-in ends."""
        self.program.protocol.childDataReceived(2, errors)
        self.program.child.ended = True
        self.program.protocol.processEnded(Failure(ProcessDone(0)))

    def serve(self) -> None:
        """The stand-in serves."""
        self.upgrade.begin()
        self.reactor.talks[-1].dataReceived(SERVING + b"\n")

    def test_complete(self) -> None:
        """When the stand-in serves, it is relied on; this process drains, and executes the program with its sockets."""
        self.serve()
        self.assertEqual(self.reactor.talks[0].transport.value(), RELY + b"\n")
        self.assertEqual(self.events, ["", "drain"])
        self.assertTrue(self.sockets.handed_over)
        (end,) = self.reactor.ends
        self.assertRaises(Replaced, end)
        stand_in, renewed = self.program.given
        self.assertEqual((stand_in.role, [*stand_in.sockets]), (Role.STAND_IN, ["tcp::1"]))
        self.assertEqual((renewed.role, [*renewed.sockets], renewed.other), (Role.RENEWED, ["tcp::1"], 77))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_does_not_start(self) -> None:
        """If the stand-in ends, the last line of its errors is told, nothing drains, and the next upgrade can begin."""
        self.upgrade.begin()
        self.end(b"Traceback\nsttproxy: no such file\n")
        self.program.child = FakeProcess()
        self.upgrade.begin()
        self.end()
        self.assertEqual(self.events, ["no such file", "exit status 0"])
        self.assertEqual((len(self.program.given), self.reactor.getDelayedCalls()), (2, []))

    def test_cannot_fork(self) -> None:
        """Nor does anything happen if no process can be made."""
        self.program.problem = OSError(11, "Resource temporarily unavailable")
        self.upgrade.begin()
        self.assertEqual(self.events, ["[Errno 11] Resource temporarily unavailable"])

    def test_too_late(self) -> None:
        """A stand-in that does not say that it serves is killed."""
        self.upgrade.begin()
        self.reactor.advance(START_S)
        self.assertEqual(self.program.child.signals, [signal.SIGKILL])
        self.end()
        self.assertEqual(len(self.events), 1)

    def test_once(self) -> None:
        """During an upgrade no other one begins."""
        self.serve()
        self.upgrade.begin()
        self.assertEqual(len(self.program.given), 1)

    def test_cancel(self) -> None:
        """
        If this process shall end meanwhile, so shall the stand-in, which gets no signal that may be its second one; the
        sockets are closed, and nothing is executed.
        """
        self.serve()
        self.upgrade.cancel()
        self.assertEqual((self.program.child.signals, self.sockets.closed), ([], True))
        self.assertEqual(self.program.control.recv(100), DRAIN + b"\n")
        self.reactor.ends[0]()
        self.assertEqual(len(self.program.given), 1)

    def test_cancel_early(self) -> None:
        """A stand-in that does not serve yet is ended."""
        self.upgrade.begin()
        self.upgrade.cancel()
        self.end()
        self.assertEqual((self.program.child.signals, self.events), ([signal.SIGTERM], []))
        self.reactor.advance(START_S)

    def test_forward(self) -> None:
        """Signals are passed on only to a stand-in that serves."""
        self.upgrade.forward(signal.SIGHUP)
        self.upgrade.begin()
        self.upgrade.forward(signal.SIGHUP)
        self.reactor.talks[0].dataReceived(SERVING + b"\n")
        self.upgrade.forward(signal.SIGUSR1)
        self.end()
        self.upgrade.forward(signal.SIGHUP)
        self.assertEqual(self.program.child.signals, [signal.SIGUSR1])


class SuccessorTests(SynchronousTestCase):
    """The side of the process that was started."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.sockets = FakeSockets(-1)
        self.events: list[str] = []
        self.copies: list[tuple[int, int]] = []

    def start(self, role: Role) -> Any:
        """Start a process; return its connection to the other one."""
        self.patch(os, "close", lambda number: None)
        self.patch(os, "dup2", lambda old, new: self.copies.append((old, new)))
        sockets: Any = self.sockets
        self.successor = Successor(
            self.reactor,
            Given(role, control=8, stderr=9),
            sockets,
            lambda: self.events.append("drain"),
            lambda write: self.events.append("writes pidfile" if write else "owns pidfile"),
            self.reactor.callWhenRunning,
        )
        self.successor.startService()
        return self.reactor.talks[0]

    def test_stand_in(self) -> None:
        """A stand-in says that it serves, takes its standard error, and drains when it is told to."""
        talk = self.start(Role.STAND_IN)
        self.assertEqual((talk.transport.value(), self.copies), (SERVING + b"\n", [(9, 2)]))
        talk.dataReceived(RELY + b"\n" + DRAIN + b"\n")
        self.assertEqual(self.events, ["drain"])
        self.successor.stopService()
        self.assertFalse(self.sockets.closed)

    def test_not_needed(self) -> None:
        """A stand-in drains when the other process goes away before it relies on it."""
        self.start(Role.STAND_IN).connectionLost()
        self.assertEqual(self.events, ["drain"])

    def test_takes_over(self) -> None:
        """If the other process dies while it relies on the stand-in, that one takes its place."""
        talk = self.start(Role.STAND_IN)
        talk.dataReceived(RELY + b"\n")
        talk.connectionLost()
        self.assertEqual(self.events, ["writes pidfile"])
        self.successor.stopService()
        self.assertTrue(self.sockets.closed)

    def test_renewed(self) -> None:
        """The renewed process owns the pidfile, and lets the stand-in drain."""
        talk = self.start(Role.RENEWED)
        self.assertEqual((talk.transport.value(), self.events), (DRAIN + b"\n", ["owns pidfile"]))
        talk.connectionLost()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_ends_early(self) -> None:
        """A renewed process that is told to end before it serves lets the stand-in end, too."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        sockets: Any = self.sockets
        given = Given(Role.RENEWED, control=theirs.fileno())
        successor = Successor(
            self.reactor, given, sockets, lambda: None, lambda write: None, lambda call: self.events.append("not yet")
        )
        successor.startService()
        successor.stopService()
        self.assertEqual((ours.recv(100), self.events), (DRAIN + b"\n", ["not yet"]))


class DescriptorTests(SynchronousTestCase):
    """What a process gets, and where."""

    def test_layout(self) -> None:
        """A socket of systemd's keeps its number; the others follow."""
        placed, names = layout({"tcp::1": 20, "systemd:4": 21}, {CONTROL: 22, STDERR: 2})
        self.assertEqual(placed, {4: 21, 5: 20, 6: 22, 7: 2})
        self.assertEqual(names, {"tcp::1": 5, CONTROL: 6, STDERR: 7})
        self.assertEqual(layout({"tcp::1": 20}, {}), ({3: 20}, {"tcp::1": 3}))

    def test_given(self) -> None:
        """What is given is taken from the environment once; the sockets are not for children."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        os.set_inheritable(reading, True)
        given = Given(Role.STAND_IN, {"tcp::1": reading}, writing, other=5)
        environment = {VARIABLE: given.dump(), "X": "1"}
        self.assertEqual(take(environment), given)
        self.assertFalse(os.get_inheritable(reading))
        self.assertEqual(environment, {"X": "1"})
        self.assertEqual(take(environment).role, Role.FIRST)
