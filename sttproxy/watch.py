"""
The configuration while the daemon runs: read, watched, and the last good one kept.

The file is read anew at each look and its bytes compared, for nothing else tells all changes apart: a write in place, a
rename, a link swapped, the same size within the same tick of the clock.  It is small, and a read costs some
microseconds.
"""

from __future__ import annotations

import os
import stat

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from . import config
from .config import Config
from .errors import ConfigError

log = Logger()

#: Seconds between two looks.  A change counts when two looks see the same, so it is in force within twice this.
LOOK_EVERY_S = 0.25


class ConfigWatcher(Service):
    """
    Holds the configuration in force.

    :ivar path: of the file, absolute.
    :ivar current: the configuration in force; each request asks once and keeps what it got.
    :ivar generation: counts the configurations that came into force; the first is 1.
    :ivar since: when the current one came into force, in the clock's seconds.
    :ivar error: why the file as it is now is not in force; empty where it is.
    """

    def __init__(self, path: str, clock: IReactorTime, required: bool) -> None:
        """
        :param required: whether a missing file is an error; else it counts as empty.
        """
        self.path = path
        self.current = Config()
        self.generation = 0
        self.since = clock.seconds()
        self.error = ""
        self._clock = clock
        self._required = required
        self._seen: bytes | str | None = None
        self._judged: bytes | str | None = None
        self._next: IDelayedCall | None = None

    def load(self) -> None:
        """
        Read the file for the first time.

        :raises ConfigError: when it cannot be used.
        """
        found = self._seen = self._judged = self._read()
        if isinstance(found, bytes):
            self._adopt(config.parse(found))
        elif self._required or os.path.lexists(self.path):
            raise ConfigError(found)
        else:
            log.warn(
                "There is no configuration at {path}: transcriptions pass unchanged until there is one.", path=self.path
            )
            self.generation = 1

    def startService(self) -> None:
        super().startService()
        self._next = self._clock.callLater(LOOK_EVERY_S, self._look)

    def stopService(self) -> None:
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def reload(self) -> None:
        """Look now, and take what is there without a second look."""
        log.info("Reading {path} again, as asked.", path=self.path)
        self._seen = self._read()
        self._judged = None
        self._judge()

    def _look(self) -> None:
        self._next = self._clock.callLater(LOOK_EVERY_S, self._look)
        found = self._read()
        if found != self._seen:
            self._seen = found  # perhaps half-written; the next look tells
        elif found != self._judged:
            self._judge()

    def _judge(self) -> None:
        """Put what was seen into force, or say once why not."""
        found = self._judged = self._seen
        try:
            if not isinstance(found, bytes):
                raise ConfigError(found or "")
            newer = config.parse(found)
        except ConfigError as error:
            self.error = str(error)
            log.error(
                "{path}: {error}.  The configuration of before stays in force (generation {generation}).",
                path=self.path,
                error=self.error,
                generation=self.generation,
            )
            return
        self._adopt(newer)

    def _adopt(self, newer: Config) -> None:
        changes = self.current.changes(newer)
        recovered, self.error = self.error, ""
        if changes or self.generation == 0:
            self.current = newer
            self.generation += 1
            self.since = self._clock.seconds()
            log.info(
                "{path} is in force (generation {generation}); changed: {changes}.",
                path=self.path,
                generation=self.generation,
                changes=", ".join(changes) or "nothing",
            )
        elif recovered:
            log.info("{path} is good again and says what is in force already.", path=self.path)

    def _read(self) -> bytes | str:
        """The file's bytes, or why there are none."""
        try:
            # Non-blocking, for what was meant to be a file may be a pipe.
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    return "it is not a regular file"
                with open(fd, "rb", closefd=False) as file:
                    return file.read(config.MAX_BYTES + 1)
            finally:
                os.close(fd)
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
