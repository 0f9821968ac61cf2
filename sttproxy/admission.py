"""
Limits the number of concurrent transcriptions: many servers transcribe one recording at a time and respond to nothing
else meanwhile.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from twisted.internet.defer import Deferred, succeed

from .errors import UpstreamBusy

#: Retry-After of a rejected request, in seconds: about the time that a short recording takes.
RETRY_AFTER_S = 10


class Turns(Protocol):
    """What requests ask for admission."""

    @property
    def unlimited(self) -> bool: ...

    @property
    def waiting(self) -> int: ...

    def enter(self) -> Deferred[None]: ...

    def leave(self, admitted: Deferred[None], /) -> None: ...


class Admission:
    """
    Admits a limited number of requests.  Further requests wait in a first-in, first-out queue; if it is full, they are
    rejected.

    The proxy does not read the body of a waiting request, so the queue needs no memory for uploads.
    """

    def __init__(self, most: int, queue: int) -> None:
        """
        :param most: the most requests admitted at the same time; 0: no limit.
        :param queue: the most requests that wait.
        """
        self._most = most
        self._queue = queue
        self._inside: set[Deferred[None]] = set()
        self._waiting: deque[Deferred[None]] = deque()
        self._serving = False

    @property
    def unlimited(self) -> bool:
        """Whether the number is unlimited; then callers need not call `enter`."""
        return not self._most

    @property
    def waiting(self) -> int:
        """The number of waiting requests."""
        return len(self._waiting)

    def enter(self) -> Deferred[None]:
        """
        Ask for admission.

        :return: fires when the request is admitted.  Pass it to `leave` at the end, whether or not it has fired.
        :raises UpstreamBusy: when the queue is full.
        """
        if self.unlimited or len(self._inside) < self._most:
            admitted: Deferred[None] = succeed(None)
            self._inside.add(admitted)
            return admitted
        if len(self._waiting) >= self._queue:
            raise UpstreamBusy(
                f"{len(self._inside)} transcriptions are in progress and {len(self._waiting)} wait; try again later.",
                headers=((b"Retry-After", b"%d" % RETRY_AFTER_S),),
            )
        admitted = Deferred()
        self._waiting.append(admitted)
        return admitted

    def leave(self, admitted: Deferred[None]) -> None:
        """End a request: it is finished, or its client has disconnected."""
        if admitted in self._inside:
            self._inside.remove(admitted)
            self._serve()
        else:
            self._waiting.remove(admitted)

    def _serve(self) -> None:
        """Admit waiting requests, in their order."""
        if self._serving:
            return  # a request was admitted and left at once; the outer call continues its loop
        self._serving = True
        try:
            while self._waiting and len(self._inside) < self._most:
                admitted = self._waiting.popleft()
                self._inside.add(admitted)
                admitted.callback(None)
        finally:
            self._serving = False
