"""
Letting transcriptions through a few at a time: the server behind computes one and answers nothing meanwhile.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred, succeed

from .errors import UpstreamBusy

#: Seconds after which a client that was turned away may ask again; a short recording takes about as long.
RETRY_AFTER_S = 10


class Admission:
    """
    Lets so many in at once; the others wait in order, and past the queue's end they are turned away.

    Whoever waits has not been asked for its upload, so waiting stores nothing.
    """

    def __init__(self, most: int, queue: int) -> None:
        """
        :param most: how many are in at once; 0: no limit.
        :param queue: how many may wait.
        """
        self._most = most
        self._queue = queue
        self._inside: set[Deferred[None]] = set()
        self._waiting: deque[Deferred[None]] = deque()
        self._serving = False

    @property
    def unlimited(self) -> bool:
        """Whether nobody ever waits, so that nobody has to ask."""
        return not self._most

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter(self) -> Deferred[None]:
        """
        Ask to be let in.

        :return: fires when it is its turn; give it to `leave` at the end, whether or not it has fired.
        :raises UpstreamBusy: when the queue is full.
        """
        if self.unlimited or len(self._inside) < self._most:
            turn: Deferred[None] = succeed(None)
            self._inside.add(turn)
            return turn
        if len(self._waiting) >= self._queue:
            raise UpstreamBusy(
                f"{len(self._inside)} transcriptions are under way and {len(self._waiting)} wait; try again later.",
                headers=((b"Retry-After", b"%d" % RETRY_AFTER_S),),
            )
        turn = Deferred()
        self._waiting.append(turn)
        return turn

    def leave(self, turn: Deferred[None]) -> None:
        """The one with this turn is done, or has gone."""
        if turn in self._inside:
            self._inside.remove(turn)
            self._serve()
        else:
            self._waiting.remove(turn)

    def _serve(self) -> None:
        """Let those who wait in, in their order."""
        if self._serving:
            return  # one was let in and left at once; the loop below goes on
        self._serving = True
        try:
            while self._waiting and len(self._inside) < self._most:
                following = self._waiting.popleft()
                self._inside.add(following)
                following.callback(None)
        finally:
            self._serving = False
