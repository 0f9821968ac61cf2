"""
The service that watches the configuration while the daemon runs, and keeps the last good one.

Each look reads the files again and compares their bytes, because only the bytes show every change: a write in place, a
rename, a swapped link, a write of the same size within the same tick of the clock.  The files are small, and a read
takes some microseconds.
"""

from __future__ import annotations

import enum
import functools
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..config import Config
from ..errors import ConfigError, printable
from .files import Look, has_no_name, look
from .source import CheckResult, Source

#: The namespace, which the log shows, is that of the package, without the module.
log = Logger(namespace="sttproxy.watch")

#: Seconds between two looks while the files do not change.  Each look wakes up an idle machine.
LOOK_EVERY_S = 0.5
#: Seconds until the next look after a change.  Changed files are used when two looks in a row see the same bytes.
LOOK_AGAIN_S = 0.25
#: Seconds after which a file that changes at each look is used as it is at one moment, if it is valid then.  Half of a
#: JSON object is not valid.  Half of an included text is valid and can be used; the whole text replaces it when the
#: file stops changing.
RESTLESS_S = 3.0
#: Largest number of changes that one log line names.
MAX_CHANGES = 100
_DETACHED = (
    "{}: the file was replaced outside of its mount, so edits do not arrive here; mount the folder instead of the file"
)


class _Urgency(enum.Enum):
    """Why the configuration is checked."""

    SETTLED = "two looks in a row saw the same bytes"
    RESTLESS = "the files change at each look"
    ASKED = "reload was called"


@attrs.frozen
class Refusal:
    """
    A configuration that has errors and did not come into force.

    :ivar at: when it was refused, in seconds since 1970.
    :ivar findings: the errors, one line each.
    """

    at: float
    findings: tuple[str, ...]


class ConfigWatcher(Service):
    """
    Holds the configuration in force, and replaces it when its files change.

    :ivar current: the configuration in force.  Each request reads it once and uses it until the end.
    :ivar since: when the current configuration came into force, in seconds of the clock.
    :ivar refusal: the last refused configuration; None if none was refused so far.
    """

    def __init__(
        self,
        source: Source,
        clock: IReactorTime,
        elsewhere: Callable[..., Deferred[Any]] = maybeDeferred,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """
        :param source: where the configuration comes from.
        :param clock: schedules the looks.
        :param elsewhere: runs a function, normally in a thread, because checking a large file is slow.
        :param wall: returns the date, in seconds since 1970.
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
        self._checked: Look | None = None
        self._stale = False
        #: Paths of mounted files that were replaced outside of their mounts.
        self._detached: list[str] = []
        #: The time since which each look sees other bytes; None if the last two looks saw the same.
        self._restless_since: float | None = None
        self._checking = False
        self._asked_again = False
        #: Fire when the check ends that a reload has asked for.
        self._reloads: list[Deferred[None]] = []
        self._next: IDelayedCall | None = None

    @property
    def files(self) -> list[str]:
        """The paths of all watched files."""
        return [*self._seen]

    @property
    def path(self) -> str:
        """The absolute path of the configuration file, printable."""
        return printable(self._source.path)

    @property
    def error(self) -> str:
        """Why the current content of the files is not in force; empty if it is."""
        refused = self.refusal.findings if self.refusal and self._stale else ()
        return "; ".join((*refused, *map(_DETACHED.format, self._detached)))

    def snapshot(self) -> dict[str, Any]:
        """The configuration's state for the statistics, ready for JSON: names of fields, no values."""
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

        :raises ConfigError: when the configuration cannot be used.
        """
        result, self._seen = self._source.read()
        if isinstance(result.found, ConfigError):
            raise result.found
        if isinstance(self._seen[self._source.path], str):
            log.warn("Found no configuration at {path}: transcriptions pass unchanged until it exists.", path=self.path)
        self._adopt(result.found, self.current.changes(result.found))
        self._look_at_mounts()

    def startService(self) -> None:
        super().startService()
        self._next = self._clock.callLater(LOOK_EVERY_S, self._look)

    def stopService(self) -> None:
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def reload(self) -> Deferred[None]:
        """
        Read the files now, without the delay between two looks.  A consistent result is used at once.

        :return: fires when the files have been checked, whatever the result is.
        """
        reloaded: Deferred[None] = Deferred()
        self._reloads.append(reloaded)
        if self._checking:
            self._asked_again = True  # the check in progress may be of older bytes
        else:
            self._reload()
        return reloaded

    def _reload(self) -> None:
        log.info("Reading {path} again, as requested.", path=self.path)
        self._check(self._source.read, _Urgency.ASKED)

    def _look(self) -> None:
        try:
            if not self._checking:
                self._look_at_files()
                self._look_at_mounts()
        finally:
            settled = self._seen == self._checked
            self._next = self._clock.callLater(LOOK_EVERY_S if settled else LOOK_AGAIN_S, self._look)

    def _look_at_files(self) -> None:
        found = look(self._seen, self._seen)
        moves = found != self._seen
        self._seen = found
        if not moves:
            self._restless_since = None
            if found != self._checked:
                self._check(functools.partial(self._check_seen, found), _Urgency.SETTLED)
        elif self._restless_since is None:
            self._restless_since = self._clock.seconds()  # the file may be half-written; the next look shows
        elif self._clock.seconds() - self._restless_since >= RESTLESS_S and look(found) == found:
            self._check(functools.partial(self._check_seen, found), _Urgency.RESTLESS)

    def _check_seen(self, seen: Look) -> tuple[CheckResult, Look]:
        return self._source.check(seen), seen

    def _look_at_mounts(self) -> None:
        """
        Find files that are mounted themselves, as in containers, and were replaced outside of the mount.

        Such a mount still shows the old file, which has no name in its file system.
        """
        detached = [path for path in self._seen if has_no_name(path)]
        for path in detached:
            if path not in self._detached:
                log.error("{fault}", fault=_DETACHED.format(path))
        self._detached = detached

    def _check(self, check: Callable[[], tuple[CheckResult, Look]], urgency: _Urgency) -> None:
        """
        Check the files and compare them with the configuration in force, elsewhere; then adopt or refuse them.

        :param check: does the check.
        """
        self._checking = True
        current = self.current

        def compare() -> tuple[CheckResult, Look, list[str]]:
            result, seen = check()
            found = result.found
            return result, seen, [] if isinstance(found, ConfigError) else current.changes(found)

        checking = self._elsewhere(compare)
        checking.addCallback(self._conclude, urgency)
        checking.addErrback(self._failed)
        checking.addCallback(self._ended)

    def _ended(self, _: None) -> None:
        """The check has ended; another one follows if it was asked for meanwhile."""
        if self._asked_again and self.running:
            self._asked_again = False
            self._reload()
        elif not self._checking:
            reloads, self._reloads = self._reloads, []
            for reloaded in reloads:
                reloaded.callback(None)

    def _conclude(self, checked: tuple[CheckResult, Look, list[str]], urgency: _Urgency) -> None:
        self._checking = False
        result, seen, changes = checked
        found = result.found
        if not self.running:
            return
        if result.files != seen.keys() and urgency is not _Urgency.ASKED:
            self._seen = look(result.files)  # newly included files may be half-written, too
        elif not isinstance(found, ConfigError):
            self._seen = seen
            self._restless_since = None
            self._adopt(found, changes)
            if urgency is _Urgency.ASKED and not changes:
                log.info("Nothing has changed (generation {generation}).", generation=self.current.generation)
        elif urgency is not _Urgency.RESTLESS:
            self._seen = self._checked = seen
            self._refuse(found)

    def _failed(self, failure: Failure) -> None:
        """Log an unexpected exception in the check.  The same files are not checked again."""
        self._checking = False
        self._checked = self._seen
        log.failure("Checking {path} failed", failure, path=self.path)

    def _refuse(self, error: ConfigError) -> None:
        self.refusal = Refusal(self._wall(), tuple(map(str, error.findings)))
        self._stale = True
        log.error(
            "{errors}.  The previous configuration stays in force (generation {generation}).",
            errors="; ".join(self.refusal.findings),
            generation=self.current.generation,
        )

    def _adopt(self, newer: Config, changes: list[str]) -> None:
        """
        Put a configuration into force.

        :param changes: what differs from the configuration in force.
        """
        self._checked = self._seen
        if isinstance(self._seen[self._source.path], bytes):
            # The file exists, so a missing file later is a deleted file, which is an error.
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
            log.info("{path} is valid again and equal to the configuration in force.", path=self.path)


def _listed(changes: list[str]) -> str:
    """The changes for a log line: at most `MAX_CHANGES`, and the number of the others."""
    more = len(changes) - MAX_CHANGES
    return ", ".join(changes[:MAX_CHANGES]) + (f" and {more} more" if more > 0 else "") or "nothing"


def _iso(moment: float) -> str:
    """A date and time in UTC (RFC 3339), from seconds since 1970."""
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds")
