"""
The queue of transcriptions for all workers: the supervisor has it, and the workers ask for turns.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from twisted.internet.defer import Deferred

from ..admission import RETRY_AFTER_S, Admission
from ..errors import UpstreamBusy


class MemberTurns:
    """The turns of one worker, at the supervisor."""

    def __init__(self, admission: Admission, send: Callable[..., None]) -> None:
        """
        :param admission: of all workers.
        :param send: sends a message to the worker.
        """
        self._admission = admission
        self._send = send
        self._held: dict[int, Deferred[None]] = {}

    def enter(self, number: int) -> None:
        """A request of the worker asks for a turn."""
        try:
            turn = self._admission.enter()
        except UpstreamBusy as error:
            self._send("full", number, error.message)
            return
        self._held[number] = turn
        turn.addCallback(lambda _: self._send("admitted", number))

    def leave(self, number: int) -> None:
        """A request of the worker has ended.  One that was rejected has no turn."""
        turn = self._held.pop(number, None)
        if turn is not None:
            self._admission.leave(turn)

    def leave_all(self) -> None:
        """The worker has ended."""
        for number in list(self._held):
            self.leave(number)


class SharedAdmission:
    """What `Admission` is, for a worker."""

    def __init__(self, send: Callable[..., None]) -> None:
        """
        :param send: sends a message to the supervisor.
        """
        self._send = send
        self._numbers = count()
        self._turns: dict[Deferred[None], int] = {}
        self._asking: dict[int, Deferred[None]] = {}

    @property
    def unlimited(self) -> bool:
        """False: without a limit, workers do not ask."""
        return False

    @property
    def waiting(self) -> int:
        """The number of waiting requests of this worker."""
        return len(self._asking)

    def enter(self) -> Deferred[None]:
        """
        Ask for admission.

        :return: fires when the request is admitted, or fails with `UpstreamBusy`.  Pass it to `leave` at the end.
        """
        number = next(self._numbers)
        turn: Deferred[None] = Deferred()
        self._turns[turn] = number
        self._asking[number] = turn
        self._send("enter", number)
        return turn

    def leave(self, turn: Deferred[None]) -> None:
        """End a request, whether or not it was admitted."""
        number = self._turns.pop(turn)
        self._asking.pop(number, None)
        self._send("leave", number)

    def admitted(self, number: int) -> None:
        """The supervisor admits a request."""
        turn = self._asking.pop(number, None)
        if turn is not None:
            turn.callback(None)

    def full(self, number: int, message: str) -> None:
        """The supervisor rejects a request."""
        turn = self._asking.pop(number, None)
        if turn is not None:
            turn.errback(UpstreamBusy(message, headers=((b"Retry-After", b"%d" % RETRY_AFTER_S),)))
