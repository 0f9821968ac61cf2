"""
The process that holds the listening sockets, and lets workers serve.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import ILogObserver, Logger

from ..admission import Admission
from ..daemon import Listener
from ..handover.program import Program
from ..handover.sockets import HeldSockets
from ..steering import Steered
from ..vitals import Pulse
from ..watch.files import Look
from .configuration import LeadingWatcher
from .hello import Hello
from .inquiry import Inquiries, Numbers
from .member import Member

log = Logger()

#: A worker that ends sooner than this is not replaced at once.
STABLE_S = 10.0
#: Seconds before such a worker is replaced; they double each time, up to the limit.
PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
#: Seconds between two looks at the numbers of all workers: what a worker that is killed has counted since is lost.
KEEP_S = 10
#: Most seconds that a change of the configuration waits for a worker to check it.
PREPARE_S = 10.0


class Supervisor(Steered):
    """
    Starts the workers, replaces those that end, and speaks for all of them.

    :ivar watcher: the configuration; to be set before the start.
    """

    watcher: LeadingWatcher

    def __init__(
        self,
        reactor: Any,
        program: Program,
        sockets: HeldSockets,
        count: int,
        pseudonym: bytes,
        admission: Admission,
        *,
        check: Callable[[Listener], None],
        reopen: Callable[[], None],
        observer: ILogObserver | None,
        fail: Callable[[str], None],
    ) -> None:
        """
        :param count: of the workers.
        :param pseudonym: of all workers, for the detection of loops.
        :param admission: the queue of transcriptions.
        :param check: checks a listener that listens.
        :param reopen: as that of `Steered`.
        :param observer: as that of `Steered`.
        :param fail: called with the reason when the first worker cannot start; ends this process.
        """
        super().__init__(reactor, self._reload_all, lambda: self._reopen_all(reopen), observer)
        self._program = program
        self._sockets = sockets
        self._pseudonym = pseudonym
        self._admission = admission
        self._check = check
        self._fail = fail
        self._listeners: list[Listener] = []
        self._members: list[Member | None] = [None] * count
        #: Seconds after which the next worker of each place is started.
        self._pauses = [0.0] * count
        self._replaced = 0
        self._began = reactor.seconds()
        self._has_served = False
        self._on_serving: list[Callable[[], None]] = []
        self._stopped: Deferred[None] | None = None
        self._inquiries = Inquiries(reactor, self._serving)
        self._beats = 0
        Pulse(reactor, self._beat).setServiceParent(self)
        self._preparation = 0
        self._preparing: Deferred[None] | None = None

    # Start and stop.

    def hold(self, listener: Listener) -> None:
        """Add a listener."""
        self._listeners.append(listener)

    def open(self) -> None:
        """
        Make all listeners listen; as `Daemon.open`.

        :raises StartError: when a listener cannot listen.
        """
        for listener in self._listeners:
            listener.open()
            self._check(listener)

    def privilegedStartService(self) -> None:
        self.open()
        super().privilegedStartService()

    def startService(self) -> None:
        super().startService()
        log.info("Starting {count} workers.", count=len(self._members))
        for index in range(len(self._members)):
            self._reactor.callWhenRunning(self._start, index)

    def when_serving(self, call: Callable[[], None]) -> None:
        """Call a function when all workers serve."""
        self._on_serving.append(call)

    async def _stop(self) -> None:
        if not self._sockets.handed_over:
            self._sockets.close()  # the workers' copies are open still
        self._send_all("stop")
        if any(self._members):
            self._stopped = Deferred()
            await self._stopped
        await maybeDeferred(super().stopService)

    def stopService(self) -> Deferred[None]:
        self._stopping = True
        stopped = Deferred.fromCoroutine(self._stop())
        # Twisted ignores the failure of a service that stops.
        stopped.addErrback(lambda failure: log.failure("The supervisor did not stop in order", failure))
        return stopped

    def hurry(self) -> None:
        self._send_all("hurry")

    def hand_over(self) -> None:
        """The sockets stay open: they know it."""

    def _send_all(self, name: str, *arguments: Any) -> None:
        """
        Send a message to all workers.

        Also to stop them: a service manager may have sent them a signal, and a second one cuts requests off.
        """
        for member in filter(None, self._members):
            member.send(name, *arguments)

    # Workers.

    def _start(self, index: int) -> None:
        if self._stopping:
            return
        hello = Hello(
            index,
            len(self._members),
            self.watcher.current.generation,
            self.watcher.look,
            self._pseudonym,
        )
        member = Member(index, self._reactor.seconds(), self._admission, self._ended)
        handlers: dict[str, Callable[..., None]] = {
            "serving": lambda: self._serves(member),
            "prepared": lambda number: self._prepared(member, number),
            "collect": lambda number: self._inquiries.ask(lambda answers: self._tell(member, number, answers)),
            "numbers": lambda *answer: self._inquiries.answered(member, *answer),
        }
        try:
            member.start(self._reactor, self._program, self._sockets.descriptors(), hello, handlers)
        except OSError as error:
            self._lacking(index, f"cannot be started: {error}")
            return
        self._members[index] = member

    def _serving(self) -> list[Member]:
        return [member for member in self._members if member is not None and member.serving]

    def _serves(self, member: Member) -> None:
        member.serving = self._has_served = True
        self._tell_team()
        log.info("Worker {number} serves (process {pid}).", number=member.index + 1, pid=member.process.pid)
        if len(self._serving()) == len(self._members):
            calls, self._on_serving = self._on_serving, []
            for call in calls:
                call()

    def _ended(self, member: Member, reason: str) -> None:
        self._members[member.index] = None
        self._inquiries.ended(member)
        self._check_prepared()
        if self._stopping:
            if not any(self._members) and self._stopped is not None:
                self._stopped.callback(None)
            return
        self._replaced += 1
        self._tell_team()
        if self._reactor.seconds() - member.began >= STABLE_S:
            self._pauses[member.index] = 0.0
        self._lacking(member.index, f"has ended: {reason}")

    def _lacking(self, index: int, why: str) -> None:
        """
        There is no worker.  Start another one, after a pause if the last ones have lived shortly.

        If none has ever served, no other one would either: end this process.
        """
        if not self._has_served:
            self._stopping = True
            self._fail(f"worker {index + 1} {why.rstrip('.')}")
            return
        pause = self._pauses[index]
        self._pauses[index] = min(max(PAUSE_S, 2 * pause), LONGEST_PAUSE_S)
        log.error(
            "Worker {number} {why}; it is replaced{when}.",
            number=index + 1,
            why=why.rstrip("."),
            when=f" in {pause:g} s" if pause else "",
        )
        self._reactor.callLater(pause, self._start, index)

    # What concerns all workers.

    def team(self) -> dict[str, Any]:
        """The workers, for the statistics."""
        serving = self._serving()
        return {
            "wanted": len(self._members),
            "serving": len(serving),
            "replaced": self._replaced,
            "processes": [os.getpid(), *(member.process.pid for member in serving)],
        }

    def _tell_team(self) -> None:
        team = self.team()
        for member in self._serving():
            member.send("team", team)

    def _beat(self, late: float) -> None:
        self._beats += 1
        if self._beats % KEEP_S == 0:
            self._inquiries.ask(lambda answers: None)

    def _tell(self, member: Member, number: int, answers: Sequence[Numbers]) -> None:
        uptime = round(self._reactor.seconds() - self._began, 3)
        shared = {"uptime_s": uptime, "config": self.watcher.snapshot(), "workers": self.team()}
        member.send("whole", number, answers, self._inquiries.departed(), shared)

    def _reload_all(self) -> None:
        self.watcher.reload()
        self._send_all("reload")

    def _reopen_all(self, reopen: Callable[[], None]) -> None:
        self._send_all("reopen")
        reopen()

    def prepare(self, look: Look) -> Deferred[None]:
        """Make all workers check files; fires when they are ready, after `PREPARE_S` at the latest."""
        self._preparation += 1
        ready: Deferred[None] = Deferred()
        self._preparing = ready
        self._send_all("prepare", self._preparation, look)
        self._check_prepared()
        return ready.addTimeout(PREPARE_S, self._reactor, onTimeoutCancel=lambda result, _: None)

    def commit(self, generation: int, look: Look) -> None:
        """Make all workers use the files that they have checked."""
        self._preparing = None
        self._send_all("commit", self._preparation, generation, look)

    def _prepared(self, member: Member, number: int) -> None:
        member.prepared = number
        self._check_prepared()

    def _check_prepared(self) -> None:
        waiting = self._preparing
        if waiting is None or any(member.prepared < self._preparation for member in self._serving()):
            return
        self._preparing = None
        if not waiting.called:
            waiting.callback(None)
