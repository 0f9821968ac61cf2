"""
The configuration while the daemon runs: read, watched, and the last good one kept.

The files are read anew at each look and their bytes compared, for nothing else tells all changes apart: a write in
place, a rename, a link swapped, the same size within the same tick of the clock.  They are small, and a read costs some
microseconds.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from . import config
from .config import Config, Finding
from .errors import ConfigError

log = Logger()

#: Seconds between two looks while nothing changes; each wakes up an idle machine.
LOOK_EVERY_S = 0.5
#: Seconds to the next look after a change.  It counts when two looks see the same.
LOOK_AGAIN_S = 0.25
#: Looks in a row until two see the same; included files need one more than the file itself.
_MOST_LOOKS = 10


#: What files hold, or why they cannot be read, by path.
Look = dict[str, "bytes | str"]


def look(paths: Iterable[str]) -> Look:
    """Read files."""
    return {path: _read(path) for path in paths}


@attrs.frozen
class Judgement:
    """
    What files amount to.

    :ivar found: the configuration, or all that is wrong; it counts only if all of `files` were looked at.
    :ivar files: the paths of all files that it consists of.
    """

    found: Config | ConfigError
    files: frozenset[str]


@attrs.frozen
class Source:
    """
    Where a configuration comes from.

    :ivar path: of the file, absolute.
    :ivar keys: of the file that gives API keys their profiles, absolute; empty: there is none.
    :ivar profile: the profile of requests that name none; empty: the base.
    :ivar required: whether a missing file is an error; else it counts as empty.
    """

    path: str
    keys: str = ""
    profile: str = ""
    required: bool = True

    def read(self) -> tuple[Judgement, Look]:
        """Read the files now, with all that they include, and judge them."""
        seen = look((self.path,))
        for _ in range(_MOST_LOOKS):
            judgement = self.judge(seen)
            # A second look, for a link that is swapped between two files would make a mixture.
            again = look(judgement.files)
            if again == seen:
                return judgement, seen
            seen = again
        error = ConfigError([Finding("the files change faster than they can be read", self.path)])
        return Judgement(error, frozenset(seen)), seen

    def judge(self, seen: Look) -> Judgement:
        """Judge what files held."""
        files = {self.path}

        def read(path: str) -> bytes | str:
            files.add(path)
            return seen.get(path, b"")

        found: Config | ConfigError
        data = seen[self.path]
        if isinstance(data, str) and not self.required and not os.path.lexists(self.path):
            data = b"{}"
        try:
            if isinstance(data, str):
                raise ConfigError([Finding(data, self.path)])
            found = config.parse(data, file=self.path, read=read, keys=self.keys, profile=self.profile)
        except ConfigError as error:
            found = error
        return Judgement(found, frozenset(files))


@attrs.frozen
class Refusal:
    """
    A configuration that was not put into force.

    :ivar at: when, in the clock's seconds.
    :ivar findings: why, a line each.
    """

    at: float
    findings: tuple[str, ...]


class ConfigWatcher(Service):
    """
    Holds the configuration in force.

    :ivar current: the configuration in force; each request asks once and keeps what it got.
    :ivar since: when the current one came into force, in the clock's seconds.
    :ivar refusal: the last one that was refused, if there was any.
    """

    def __init__(self, source: Source, clock: IReactorTime) -> None:
        self.current = Config()
        self.since = clock.seconds()
        self.refusal: Refusal | None = None
        self._source = source
        self._clock = clock
        self._seen: Look = {}
        self._judged: Look | None = None
        self._stale = False
        self._next: IDelayedCall | None = None

    @property
    def path(self) -> str:
        """Of the configuration, absolute."""
        return self._source.path

    @property
    def error(self) -> str:
        """Why the files as they are now are not in force; empty where they are."""
        return "; ".join(self.refusal.findings) if self.refusal and self._stale else ""

    def snapshot(self) -> dict[str, Any]:
        """What there is to tell, ready for JSON; names of fields, no values."""
        current, refusal = self.current, self.refusal
        return {
            "path": self.path,
            "generation": current.generation,
            "since": _iso(self.since),
            "age_s": round(self._clock.seconds() - self.since, 3),
            "hash": current.digest,
            "fields": current.base.spellings(),
            "profiles": {name: rules.spellings() for name, rules in current.profiles.items()},
            "warnings": list(map(str, current.warnings)),
            "error": self.error or None,
            "last_refusal": {"at": _iso(refusal.at), "errors": list(refusal.findings)} if refusal else None,
        }

    def load(self) -> None:
        """
        Read the configuration for the first time.

        :raises ConfigError: when it cannot be used.
        """
        judgement, self._seen = self._source.read()
        if isinstance(judgement.found, ConfigError):
            raise judgement.found
        self._judged = self._seen
        if isinstance(self._seen[self.path], str):
            log.warn(
                "There is no configuration at {path}: transcriptions pass unchanged until there is one.", path=self.path
            )
        self._adopt(judgement.found)

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
        judgement, self._seen = self._source.read()
        self._conclude(judgement)

    def _look(self) -> None:
        try:
            found = look(self._seen)
            if found != self._seen:
                self._seen = found  # perhaps half-written; the next look tells
            elif found != self._judged:
                self._judge()
        finally:
            settled = self._seen == self._judged
            self._next = self._clock.callLater(LOOK_EVERY_S if settled else LOOK_AGAIN_S, self._look)

    def _judge(self) -> None:
        """Put what was seen into force, or say once why not."""
        judgement = self._source.judge(self._seen)
        if judgement.files == self._seen.keys():
            self._conclude(judgement)
        else:
            self._seen = look(judgement.files)  # perhaps half-written too

    def _conclude(self, judgement: Judgement) -> None:
        self._judged = self._seen
        if isinstance(judgement.found, ConfigError):
            self._refuse(judgement.found)
        else:
            self._adopt(judgement.found)

    def _refuse(self, error: ConfigError) -> None:
        self.refusal = Refusal(self._clock.seconds(), tuple(map(str, error.findings)))
        self._stale = True
        log.error(
            "{errors}.  The configuration of before stays in force (generation {generation}).",
            errors=self.error,
            generation=self.current.generation,
        )

    def _adopt(self, newer: Config) -> None:
        if isinstance(self._seen[self.path], bytes):
            # From now on a missing file is one that was deleted.
            self._source = attrs.evolve(self._source, required=True)
        changes = self.current.changes(newer)
        recovered, self._stale = self._stale, False
        old = self.current
        counted = old.generation + bool(changes or not old.generation)
        if counted > old.generation or newer.digest != old.digest:
            self.current = attrs.evolve(newer, generation=counted)
        for warning in newer.warnings if newer.warnings != old.warnings else ():
            log.warn("{finding}", finding=warning)
        if counted > old.generation:
            self.since = self._clock.seconds()
            log.info(
                "{path} is in force (generation {generation}); changed: {changes}.",
                path=self.path,
                generation=counted,
                changes=", ".join(changes) or "nothing",
            )
        elif recovered:
            log.info("{path} is good again and says what is in force already.", path=self.path)


def _iso(moment: float) -> str:
    """A moment in UTC (RFC 3339)."""
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds")


def _pieces(fd: int) -> Iterator[bytes]:
    """A file's bytes, up to more than a configuration may have."""
    size = 0
    while size <= config.MAX_BYTES and (piece := os.read(fd, 65536)):
        size += len(piece)
        yield piece


def _read(path: str) -> bytes | str:
    """A file's bytes, or why there are none."""
    try:
        # Non-blocking, for what was meant to be a file may be a pipe.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return "it is not a regular file"
            return b"".join(_pieces(fd))
        finally:
            os.close(fd)
    except (OSError, ValueError) as error:  # ValueError: a name that the file system's encoding does not have
        return f"it cannot be read: {getattr(error, 'strerror', error)}"
