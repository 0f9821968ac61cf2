"""
Tests for :mod:`sttproxy.workers.supervisor`, with fakes of processes and a clock.
"""

from __future__ import annotations

import pickle
import signal
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from twisted.internet.error import ProcessTerminated
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.admission import Admission
from sttproxy.config import Config
from sttproxy.monitor.merging import dump
from sttproxy.monitor.registry import Registry
from sttproxy.workers import member
from sttproxy.workers.inquiry import ANSWER_S
from sttproxy.workers.supervisor import KEEP_S, LONGEST_PAUSE_S, PAUSE_S, PREPARE_S, STABLE_S, Supervisor

from ..support.requests import finished


class FakeReactor(Clock):
    """A clock that runs functions at once."""

    def callWhenRunning(self, call: Any, *arguments: Any) -> None:
        call(*arguments)

    def addSystemEventTrigger(self, *_: Any) -> None:
        """Signals are not installed here."""


class FakeWorker:
    """The process of a worker, and what it is told."""

    def __init__(self, protocol: Any, pid: int) -> None:
        self.protocol = protocol
        self.pid: int | None = pid

    def told(self) -> Iterator[tuple[Any, ...]]:
        """The messages since the last call."""
        transport = self.protocol._channel.transport
        data = transport.value()
        transport.clear()
        while data:
            (size,) = struct.unpack("!I", data[:4])
            yield pickle.loads(data[4 : 4 + size])
            data = data[4 + size :]

    def says(self, name: str, *arguments: Any) -> None:
        """The worker sends a message."""
        self.protocol._channel.stringReceived(pickle.dumps((name, *arguments)))

    def ends(self, errors: bytes = b"") -> None:
        """The process ends with status 1."""
        self.protocol.childDataReceived(2, errors)
        self.pid = None
        self.protocol.processEnded(Failure(ProcessTerminated(1)))


class SupervisorTests(SynchronousTestCase):
    """Two workers."""

    problem: OSError | None = None

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.workers: list[FakeWorker] = []
        self.failures: list[str] = []
        self.events: list[str] = []
        self.patch(member, "connect_pair", lambda reactor, number, channel: channel.makeConnection(StringTransport()))
        program: Any = SimpleNamespace(spawn=self.spawn)
        sockets: Any = SimpleNamespace(
            descriptors=dict, handed_over=False, close=lambda: self.events.append("sockets closed")
        )
        self.supervisor = Supervisor(
            self.reactor,
            program,
            sockets,
            2,
            b"name",
            Admission(1, 5),
            check=lambda listener: None,
            reopen=lambda: self.events.append("reopened"),
            observer=None,
            fail=self.failures.append,
        )
        watcher: Any = SimpleNamespace(
            current=Config(), look={"/c": b"{}"}, snapshot=lambda: {"generation": 1}, reload=lambda: None
        )
        self.supervisor.watcher = watcher
        self.supervisor.startService()

    def spawn(self, reactor: Any, protocol: Any, given: Any, descriptors: Any) -> FakeWorker:
        if self.problem is not None:
            raise self.problem
        self.workers.append(FakeWorker(protocol, 100 + len(self.workers)))
        return self.workers[-1]

    def serve(self) -> None:
        """All workers serve."""
        for worker in self.workers:
            worker.says("serving")
            list(worker.told())

    def names(self, worker: FakeWorker) -> list[str]:
        """The names of the messages to a worker, without news of the others."""
        return [name for name, *_ in worker.told() if name != "team"]

    def test_start(self) -> None:
        """Each worker is told which one it is; the supervisor serves when all of them do."""
        hellos = [next(worker.told())[1] for worker in self.workers]
        self.assertEqual(
            [(hello.index, hello.count, hello.look) for hello in hellos], [(n, 2, {"/c": b"{}"}) for n in (0, 1)]
        )
        self.supervisor.when_serving(lambda: self.events.append("serving"))
        self.workers[0].says("serving")
        self.assertEqual(self.events, [])
        self.workers[1].says("serving")
        self.assertEqual(self.events, ["serving"])
        self.assertEqual(self.supervisor.team()["serving"], 2)

    def test_cannot_start(self) -> None:
        """If a worker ends before any has served, the daemon cannot start; that is said once."""
        for worker in self.workers:
            worker.ends(b"Traceback\nsttproxy: no file\n")
        self.assertEqual((self.failures, len(self.workers)), (["worker 1 has ended: no file"], 2))

    def test_cannot_fork(self) -> None:
        """The same holds if no process can be made; later it is tried again."""
        self.problem = OSError(11, "Resource temporarily unavailable")
        self.serve()
        self.workers[0].ends()
        self.reactor.advance(0)
        self.assertEqual((len(self.workers), self.failures), (2, []))
        self.problem = None
        self.reactor.advance(PAUSE_S)
        self.assertEqual(len(self.workers), 3)
        self.problem = OSError(11, "Resource temporarily unavailable")
        self.supervisor._has_served = False
        self.supervisor._start(0)
        self.assertEqual(self.failures, [f"worker 1 cannot be started: {self.problem}"])

    def test_replaced(self) -> None:
        """A worker that has lived long is replaced at once; its turns go to others."""
        self.serve()
        first, second = self.workers
        first.says("enter", 7)
        second.says("enter", 8)
        self.assertEqual((self.names(first), self.names(second)), (["admitted"], []))
        self.reactor.advance(STABLE_S)
        first.ends()
        self.assertIn("admitted", self.names(second))
        self.reactor.advance(0)
        self.assertEqual((len(self.workers), self.supervisor.team()["replaced"]), (3, 1))
        self.assertEqual(next(self.workers[2].told())[1].index, 0)

    def test_brake(self) -> None:
        """Pauses double while workers end at once, up to a limit, and begin anew after one that has lived long."""
        self.serve()
        self.workers[0].ends()
        self.reactor.advance(0)
        pause = PAUSE_S
        for _ in range(8):
            count = len(self.workers)
            self.workers[-1].ends()
            self.reactor.advance(pause - 0.01)
            self.assertEqual(len(self.workers), count)
            self.reactor.advance(0.02)
            self.assertEqual(len(self.workers), count + 1)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        self.reactor.advance(STABLE_S)
        self.workers[-1].ends()
        self.reactor.advance(0)
        self.assertEqual(len(self.workers), count + 2)

    def test_stop(self) -> None:
        """At the end the sockets are closed first; the end waits for all workers, and none is replaced."""
        self.serve()
        stopped = self.supervisor.stopService()
        self.assertEqual(self.events, ["sockets closed"])
        for worker in self.workers:
            self.assertEqual(self.names(worker), ["stop"])
            self.assertNoResult(stopped)
            worker.ends()
        self.successResultOf(stopped)
        self.assertEqual((len(self.workers), self.reactor.getDelayedCalls()), (2, []))

    def test_hurry(self) -> None:
        """A second signal to stop reaches the workers, too."""
        self.serve()
        self.supervisor.hurry()
        self.assertEqual([self.names(worker) for worker in self.workers], [["hurry"]] * 2)

    def test_reload(self) -> None:
        """Workers are told to read their files again, and to open the log again."""
        self.serve()
        self.supervisor._signalled(signal.SIGHUP)
        self.assertEqual([self.names(worker) for worker in self.workers], [["reopen", "reload"]] * 2)
        self.assertEqual(self.events, ["reopened"])

    def test_prepare(self) -> None:
        """A configuration is ready when all workers have prepared it, or have ended, or are too slow."""
        self.serve()
        ready = self.supervisor.prepare({"/c": b"1"})
        self.workers[0].says("prepared", 1)
        self.assertNoResult(ready)
        self.workers[1].says("prepared", 1)
        self.successResultOf(ready)
        self.supervisor.commit(2, {"/c": b"1"})
        self.assertEqual([self.names(worker) for worker in self.workers], [["prepare", "commit"]] * 2)
        ready = self.supervisor.prepare({"/c": b"2"})
        self.workers[0].says("prepared", 2)
        self.workers[1].ends()
        self.successResultOf(ready)
        ready = self.supervisor.prepare({"/c": b"3"})
        self.reactor.advance(PREPARE_S)
        self.successResultOf(ready)

    def numbers(self, requests: int) -> bytes:
        """The registry of a worker."""
        registry = Registry(self.reactor.seconds)
        for _ in range(requests):
            ended = finished(self.reactor.seconds(), version=b"HTTP/1.1")
            registry.begin(ended)
            registry.end(ended)
        return dump(registry)

    def test_numbers(self) -> None:
        """The worker that asks gets the numbers of all, and those of workers that have ended, as they were last."""
        self.serve()
        first, second = self.workers
        for round_ in range(2):
            first.says("collect", 5)
            asked = [[message for message in worker.told() if message[0] == "tell"] for worker in (first, second)]
            self.assertEqual([len(each) for each in asked], [1, 1])
            for worker, ((_, number),) in zip((first, second), asked, strict=True):
                worker.says("numbers", number, self.numbers(3), {"fact": 1})
            (whole,) = (message for message in first.told() if message[0] == "whole")
            self.assertEqual((whole[1], len(whole[2]), whole[3] is None), (5, 2, not round_))
            self.assertEqual(whole[4]["config"], {"generation": 1})
            second.ends()
            self.reactor.advance(0 if not round_ else PAUSE_S)
            second = self.workers[-1]
            second.says("serving")

    def test_silent(self) -> None:
        """A worker that does not answer is left out after a while; one that ends, at once."""
        self.serve()
        first, second = self.workers
        for end in (lambda: self.reactor.advance(ANSWER_S), second.ends):
            first.says("collect", 5)
            (number,) = (message[1] for message in first.told() if message[0] == "tell")
            first.says("numbers", number, self.numbers(1), {})
            self.assertNotIn("whole", self.names(first))
            end()
            self.assertIn("whole", self.names(first))

    def test_kept(self) -> None:
        """The numbers of all workers are asked for now and then, so that those of a killed one are known."""
        self.serve()
        for _ in range(KEEP_S):
            self.reactor.advance(1)
        self.assertEqual([self.names(worker) for worker in self.workers], [["tell"]] * 2)
