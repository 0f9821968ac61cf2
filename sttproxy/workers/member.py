"""
One worker, as the supervisor sees it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..admission import Admission
from ..handover.given import CONTROL, Given, Role
from ..handover.program import Program, how_it_ended
from ..handover.sockets import layout
from ..handover.talk import connect_pair
from .channel import Channel
from .hello import Hello
from .turns import MemberTurns

log = Logger()

#: Most bytes of a line of its standard error that has not ended.
_LONGEST = 1 << 16


class Member(ProcessProtocol):
    """
    The process of a worker and the channel to it.

    :ivar index: of the worker, from 0.
    :ivar process: the process.
    :ivar began: when it was started, in the clock's seconds.
    :ivar serving: whether it has said that it serves.
    :ivar prepared: the number of the last configuration that it has prepared.
    :ivar last: its numbers, as they were shown last; None: never.
    :ivar turns: the turns that it has in the queue of transcriptions.
    """

    process: Any

    def __init__(
        self,
        index: int,
        began: float,
        admission: Admission,
        ended: Callable[[Member, str], None],
    ) -> None:
        """
        :param ended: called with the last line of its standard error, or how it has ended.
        """
        self.index = index
        self.began = began
        self.serving = False
        self.prepared = 0
        self.last: bytes | None = None
        self.turns = MemberTurns(admission, self.send)
        self._ended = ended
        self._channel: Channel | None = None
        #: The last line of its standard error, and the beginning of the next one.
        self._last_error = ""
        self._rest = b""

    def start(
        self,
        reactor: Any,
        program: Program,
        sockets: Mapping[str, int],
        hello: Hello,
        handlers: Mapping[str, Callable[..., None]],
    ) -> None:
        """
        Start the process.

        :param sockets: descriptors of the listening sockets, by name.
        :param handlers: called with the messages of the worker.
        :raises OSError: when no process can be made.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs:
            placed, names = layout(sockets, {CONTROL: theirs.fileno()})
            given = Given(Role.WORKER, names, names.pop(CONTROL))
            self.process = program.spawn(reactor, self, given, {0: 0, 1: 1, 2: "r", **placed})
            own = {"enter": self.turns.enter, "leave": self.turns.leave}
            self._channel = Channel({**own, **handlers}, lambda: None)
            connect_pair(reactor, ours.fileno(), self._channel)
        self.send("hello", hello)

    def send(self, name: str, *arguments: Any) -> None:
        """Send a message to the worker."""
        if self._channel is not None:
            self._channel.send(name, *arguments)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_LONGEST:]
        for line in lines:
            self._last_error = line.decode("utf-8", "backslashreplace").removeprefix("sttproxy: ")
            log.warn("Worker {number}: {line}", number=self.index + 1, line=self._last_error)

    def processEnded(self, reason: Failure) -> None:
        if self._rest:
            self.childDataReceived(2, b"\n")
        self.turns.leave_all()
        self._ended(self, self._last_error or how_it_ended(reason))
