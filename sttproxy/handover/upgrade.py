"""
Replaces the program of this process while it serves.

The PID stays, so that pidfiles, service managers, containers and terminals see one process all the time:

1. The program is started anew as a child, the *stand-in*, with the listening sockets.  If it does not start, it is said
   why, and nothing else happens.
2. When the stand-in serves, this process drains: it accepts no more connections, and ends its requests in flight.
3. This process executes the program anew, with the same sockets.
4. When it serves again, the stand-in drains and ends.

The sockets are never closed, so no connection is refused.
"""

from __future__ import annotations

import enum
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..deadline import Deadline
from .given import CONTROL, STDERR, Given, Role
from .program import Program, how_it_ended
from .sockets import Sockets, layout
from .talk import DRAIN, RELY, SERVING, Talk, talk_over

log = Logger()

#: Seconds that the stand-in may take until it serves; importing on a slow machine included.
START_S = 60.0
#: Most bytes of the stand-in's errors that are kept: the last ones.
_KEPT = 4096


class _State(enum.Enum):
    IDLE = "no upgrade is in progress"
    STARTING = "the stand-in starts"
    DRAINING = "the stand-in serves"


class _StandIn(ProcessProtocol):
    """The stand-in as this process sees it."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        """
        :param ended: called with the last line of its errors, or how it has ended.
        """
        self._ended = ended
        self._errors = b""

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._errors = (self._errors + data)[-_KEPT:]

    def processEnded(self, reason: Failure) -> None:
        lines = self._errors.decode("utf-8", "replace").strip().splitlines()
        self._ended(lines[-1].removeprefix("sttproxy: ") if lines else how_it_ended(reason))


class Upgrade:
    """Replaces the program of this process, each time it is asked to."""

    def __init__(
        self,
        reactor: Any,
        program: Program,
        sockets: Sockets,
        drain: Callable[[], None],
        report: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        """
        :param program: is started anew.
        :param sockets: what this process listens at.
        :param drain: makes this process end, without closing the sockets.
        :param report: called with the outcome of each upgrade: empty, or why it failed.
        """
        self._reactor = reactor
        self._program = program
        self._sockets = sockets
        self._drain = drain
        self._report = report
        self._state = _State.IDLE
        self._process: Any = None
        self._control: socket.socket | None = None
        self._talk: Talk | None = None
        #: Copies of the listening sockets, for the time after this process has stopped to listen.
        self._kept: dict[str, int] = {}
        self._limit = Deadline(reactor, self._too_late)

    def begin(self) -> None:
        """Start the stand-in.  Does nothing during an upgrade."""
        if self._state is not _State.IDLE:
            log.info("An upgrade is in progress already.")
            return
        log.info("Upgrading: starting {command}.", command=" ".join(self._program.command))
        self._state = _State.STARTING
        self._control, theirs = socket.socketpair()
        with theirs:
            others = {CONTROL: theirs.fileno(), STDERR: 2}
            placed, names = layout(self._sockets.descriptors(), others)
            given = Given(Role.STAND_IN, names, names.pop(CONTROL), names.pop(STDERR))
            self._limit.set(START_S)
            try:
                self._process = self._program.spawn(
                    self._reactor, _StandIn(self._ended), given, {0: 0, 1: 1, 2: "r", **placed}
                )
            except OSError as error:
                self._fail(str(error))
                return
        self._talk = talk_over(self._reactor, self._control.fileno(), self._heard, lambda: None)

    def cancel(self) -> None:
        """This process shall end, and with it the stand-in."""
        if self._state is _State.STARTING:
            self._signal(signal.SIGTERM)
        elif self._state is _State.DRAINING:
            # Not by a signal: a service manager may have sent one already, and a second one cuts requests off.  At
            # once: the reactor may not run another iteration.
            assert self._control is not None, "there is one since the stand-in was started"
            with suppress(OSError):
                self._control.send(DRAIN + b"\n")
            for number in self._kept.values():
                os.close(number)
            self._sockets.close()
        self._state = _State.IDLE

    def forward(self, number: int) -> None:
        """Pass a signal on to the stand-in, if it serves for this process."""
        if self._state is _State.DRAINING:
            self._signal(number)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessExitedAlready):
                self._process.signalProcess(number)

    def _heard(self, line: bytes) -> None:
        if line != SERVING or self._state is not _State.STARTING:
            return
        assert self._talk is not None, "a line has arrived over it"
        self._limit.cancel()
        self._state = _State.DRAINING
        self._talk.say(RELY)
        # When the reactor stops, Twisted would shut down what it still reads.
        self._talk.transport.stopReading()
        log.info("Process {pid} serves meanwhile; this one drains, and starts anew.", pid=self._process.pid)
        self._report("")
        self._sockets.handed_over = True
        self._kept = {name: os.dup(number) for name, number in self._sockets.descriptors().items()}
        self._reactor.addSystemEventTrigger("after", "shutdown", self._replace)
        self._drain()

    def _too_late(self) -> None:
        self._signal(signal.SIGKILL)

    def _ended(self, reason: str) -> None:
        self._process = None
        if self._state is _State.STARTING:
            self._fail(reason)
        elif self._state is _State.DRAINING:
            log.error("The process that served meanwhile has ended: {reason}", reason=reason)

    def _fail(self, reason: str) -> None:
        self._limit.cancel()
        self._state = _State.IDLE
        if self._talk is not None:
            self._talk.transport.loseConnection()
            self._talk = None
        if self._control is not None:
            self._control.close()
        log.error("The upgrade failed, and this process goes on as before: {reason}", reason=reason)
        self._report(reason)

    def _replace(self) -> None:
        """Execute the program, unless this process shall end."""
        if self._state is not _State.DRAINING:
            return
        assert self._control is not None, "there is one since the stand-in was started"
        placed, names = layout(self._kept, {CONTROL: self._control.fileno()})
        other = 0 if self._process is None else self._process.pid
        self._program.replace(Given(Role.RENEWED, names, names.pop(CONTROL), other=other), placed)
