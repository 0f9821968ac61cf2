"""
Watches a few small files, such as certificates, and hands their contents over when they change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from .files import Look, look

log = Logger(namespace="sttproxy.watch")

#: Seconds between two looks at the files.  A change is used at the second look that sees it, so that no half-written
#: file is.
FOLLOW_EVERY_S = 1.0


class FileFollower(Service):
    """
    Hands the contents of files over: at the start, and when they have changed.
    """

    def __init__(self, clock: IReactorTime, paths: Iterable[str], adopt: Callable[[Look], None]) -> None:
        """
        :param paths: absolute.
        :param adopt: takes the contents of all files.  It raises ``ValueError`` if they cannot be used, with a message
            that names the file and the reason; the contents that it took before stay in force then.
        """
        self._clock = clock
        self._paths = sorted(paths)
        self._adopt = adopt
        #: The last look, and the one whose contents were handed over.
        self._seen: Look = {}
        self._taken: Look = {}
        self._next: IDelayedCall | None = None

    def load(self) -> None:
        """
        Hand the contents over for the first time.

        :raises ValueError: when they cannot be used.
        """
        self._seen = self._taken = look(self._paths)
        self._adopt(self._seen)

    def startService(self) -> None:
        super().startService()
        self._next = self._clock.callLater(FOLLOW_EVERY_S, self._look)

    def stopService(self) -> None:
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def reload(self) -> None:
        """Read the files at once, and use them without a second look."""
        self._seen = look(self._paths, self._seen)
        self._take()

    def _look(self) -> None:
        try:
            found = look(self._paths, self._seen)
            settled, self._seen = found == self._seen, found
            if settled and found != self._taken:
                self._take()
        finally:
            self._next = self._clock.callLater(FOLLOW_EVERY_S, self._look)

    def _take(self) -> None:
        self._taken = self._seen
        try:
            self._adopt(self._seen)
        except ValueError as error:
            log.error("{error}.  The previous contents stay in force.", error=str(error))
