"""
The configuration while the daemon runs: read, watched, and the last good one kept.

The files are read anew at each look and their bytes compared, for nothing else tells all changes apart: a write in
place, a rename, a link swapped, the same size within the same tick of the clock.  They are small, and a read costs some
microseconds.
"""

from __future__ import annotations

import enum
import errno
import functools
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from . import config
from .config import Config, Finding
from .errors import ConfigError, printable

log = Logger()

#: Seconds between two looks while nothing changes; each wakes up an idle machine.
LOOK_EVERY_S = 0.5
#: Seconds to the next look after a change.  It counts when two looks see the same.
LOOK_AGAIN_S = 0.25
#: Seconds after which a file that never rests is taken as it is at one moment, if it is good then.  Half of a JSON
#: object is none; half of an included text can be taken, and is corrected when it rests.
RESTLESS_S = 3.0
#: Changes that one line of the log names.
MAX_CHANGES = 100
_DETACHED = (
    "{}: the file was replaced outside of its mount, so edits do not arrive here; mount the folder instead of the file"
)
#: Looks in a row until two see the same; included files need one more than the file itself.
_MOST_LOOKS = 10


#: What files hold, or why they cannot be read, by path.
Look = dict[str, "bytes | str"]


def look(paths: Iterable[str], known: Look | None = None) -> Look:
    """
    Read files.

    :param known: what to go on with where no descriptor is left to read a file: that is no fault of its own.
    """
    seen: Look = {}
    for path in paths:
        try:
            seen[path] = _read(path)
        except _NoDescriptor as error:
            seen[path] = known[path] if known and path in known else str(error)
    return seen


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


class _NoDescriptor(Exception):
    """A file could not be opened, for too many are."""


class _Urgency(enum.Enum):
    """Why files are judged."""

    SETTLED = "two looks have seen the same"
    RESTLESS = "they change all the time"
    ASKED = "somebody wants to know"


@attrs.frozen
class Refusal:
    """
    A configuration that was not put into force.

    :ivar at: when, in seconds since 1970.
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

    def __init__(
        self,
        source: Source,
        clock: IReactorTime,
        elsewhere: Callable[..., Deferred[Any]] = maybeDeferred,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """
        :param elsewhere: calls a function where it holds nothing up, for to judge a large file takes a while.
        :param wall: gives the date, in seconds since 1970.
        """
        self.current = Config()
        self.since = clock.seconds()
        self.refusal: Refusal | None = None
        self._source = source
        self._clock = clock
        self._elsewhere = elsewhere
        self._wall = wall
        self._since_date = wall()
        self._seen: Look = {}
        self._judged: Look | None = None
        self._stale = False
        #: Mounted files that were replaced outside.
        self._detached: list[str] = []
        #: Since when no two looks have seen the same; None: they have.
        self._restless_since: float | None = None
        self._judging = False
        self._asked_again = False
        self._next: IDelayedCall | None = None

    @property
    def files(self) -> list[str]:
        """All that are watched, by their paths."""
        return [*self._seen]

    @property
    def path(self) -> str:
        """Of the configuration, absolute, as it may stand in a message."""
        return printable(self._source.path)

    @property
    def error(self) -> str:
        """Why the files as they are now are not in force; empty where they are."""
        refused = self.refusal.findings if self.refusal and self._stale else ()
        return "; ".join((*refused, *map(_DETACHED.format, self._detached)))

    def snapshot(self) -> dict[str, Any]:
        """What there is to tell, ready for JSON; names of fields, no values."""
        current, refusal = self.current, self.refusal
        return {
            "path": self.path,
            "generation": current.generation,
            "since": _iso(self._since_date),
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
        if isinstance(self._seen[self._source.path], str):
            log.warn(
                "There is no configuration at {path}: transcriptions pass unchanged until there is one.", path=self.path
            )
        self._adopt(judgement.found, self.current.changes(judgement.found))
        self._look_at_mounts()

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
        if self._judging:
            self._asked_again = True  # what is being judged may be older
            return
        log.info("Reading {path} again, as asked.", path=self.path)
        self._judge(self._source.read, _Urgency.ASKED)

    def _look(self) -> None:
        try:
            if not self._judging:
                self._look_at_files()
                self._look_at_mounts()
        finally:
            settled = self._seen == self._judged
            self._next = self._clock.callLater(LOOK_EVERY_S if settled else LOOK_AGAIN_S, self._look)

    def _look_at_files(self) -> None:
        found = look(self._seen, self._seen)
        moves = found != self._seen
        self._seen = found
        if not moves:
            self._restless_since = None
            if found != self._judged:
                self._judge(functools.partial(self._judge_seen, found), _Urgency.SETTLED)
        elif self._restless_since is None:
            self._restless_since = self._clock.seconds()  # perhaps half-written; the next look tells
        elif self._clock.seconds() - self._restless_since >= RESTLESS_S and look(found) == found:
            self._judge(functools.partial(self._judge_seen, found), _Urgency.RESTLESS)

    def _judge_seen(self, seen: Look) -> tuple[Judgement, Look]:
        return self._source.judge(seen), seen

    def _look_at_mounts(self) -> None:
        """
        Notice a file that is mounted by itself, as containers do, and was replaced outside: the mount still shows the
        old one, to which no name leads any more.
        """
        detached = [path for path in self._seen if _has_no_name(path)]
        for path in detached:
            if path not in self._detached:
                log.error("{fault}", fault=_DETACHED.format(path))
        self._detached = detached

    def _judge(self, judge: Callable[[], tuple[Judgement, Look]], urgency: _Urgency) -> None:
        """Judge files, and what differs in them, and put them into force or say once why not."""
        self._judging = True
        current = self.current

        def compare() -> tuple[Judgement, Look, list[str]]:
            judgement, seen = judge()
            found = judgement.found
            return judgement, seen, [] if isinstance(found, ConfigError) else current.changes(found)

        judging = self._elsewhere(compare)
        judging.addCallback(self._conclude, urgency)
        judging.addErrback(self._failed)

    def _conclude(self, judged: tuple[Judgement, Look, list[str]], urgency: _Urgency) -> None:
        self._judging = False
        judgement, seen, changes = judged
        found = judgement.found
        if not self.running:
            return
        if judgement.files != seen.keys() and urgency is not _Urgency.ASKED:
            self._seen = look(judgement.files)  # perhaps half-written too
        elif not isinstance(found, ConfigError):
            self._seen = seen
            self._restless_since = None
            self._adopt(found, changes)
            if urgency is _Urgency.ASKED and not changes:
                log.info("Nothing has changed (generation {generation}).", generation=self.current.generation)
        elif urgency is not _Urgency.RESTLESS:
            self._seen = self._judged = seen
            self._refuse(found)
        if self._asked_again:
            self._asked_again = False
            self.reload()

    def _failed(self, failure: Failure) -> None:
        """A fault of the proxy's own; the same files are not judged again and again."""
        self._judging = False
        self._judged = self._seen
        log.failure("{path} could not be judged", failure, path=self.path)

    def _refuse(self, error: ConfigError) -> None:
        self.refusal = Refusal(self._wall(), tuple(map(str, error.findings)))
        self._stale = True
        log.error(
            "{errors}.  The configuration of before stays in force (generation {generation}).",
            errors="; ".join(self.refusal.findings),
            generation=self.current.generation,
        )

    def _adopt(self, newer: Config, changes: list[str]) -> None:
        """
        :param changes: what differs in the newer configuration.
        """
        self._judged = self._seen
        if isinstance(self._seen[self._source.path], bytes):
            # From now on a missing file is one that was deleted.
            self._source = attrs.evolve(self._source, required=True)
        recovered, self._stale = self._stale, False
        old = self.current
        counted = old.generation + bool(changes or not old.generation)
        if counted > old.generation or newer.digest != old.digest:
            self.current = attrs.evolve(newer, generation=counted)
        for warning in newer.warnings if newer.warnings != old.warnings else ():
            log.warn("{finding}", finding=warning)
        if counted > old.generation:
            self.since = self._clock.seconds()
            self._since_date = self._wall()
            log.info(
                "{path} is in force (generation {generation}); changed: {changes}.",
                path=self.path,
                generation=counted,
                changes=_listed(changes),
            )
        elif recovered:
            log.info("{path} is good again and says what is in force already.", path=self.path)


def _listed(changes: list[str]) -> str:
    """Changes as a log line names them: not more than a person reads."""
    more = len(changes) - MAX_CHANGES
    return ", ".join(changes[:MAX_CHANGES]) + (f" and {more} more" if more > 0 else "") or "nothing"


def _has_no_name(path: str) -> bool:
    """Whether a path leads to a file that has no name in its file system any more; only a mount can do so."""
    try:
        return not os.stat(path).st_nlink
    except (OSError, ValueError):
        return False


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
    """
    A file's bytes, or why there are none.

    :raises _NoDescriptor: when that is not the file's fault.
    """
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
        reason = f"it cannot be read: {getattr(error, 'strerror', error)}"
        if getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE):
            raise _NoDescriptor(reason) from None
        return reason
