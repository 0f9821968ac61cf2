"""
One configuration in all processes: the supervisor watches the files, and the workers follow it.

A change takes two steps.  First each worker checks the bytes that the supervisor has read; when all are ready, all put
the configuration into force at the same moment, with the same generation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..config import Config
from ..errors import ConfigError
from ..watch import ConfigWatcher, Source
from ..watch.files import Look

#: Runs a function, normally in a thread.
Elsewhere = Callable[..., "Deferred[Any]"]


class LeadingWatcher(ConfigWatcher):
    """
    The supervisor's watcher.

    :ivar look: the files that the configuration in force comes from.
    """

    def __init__(
        self,
        source: Source,
        clock: IReactorTime,
        elsewhere: Elsewhere,
        prepare: Callable[[Look], Deferred[None]],
        commit: Callable[[int, Look], None],
    ) -> None:
        """
        :param prepare: makes all workers check the files; fires when they are ready.
        :param commit: makes all workers use them; called with the generation.
        """
        super().__init__(source, clock, self._check_everywhere)
        self.look: Look = {}
        self._here = elsewhere
        self._prepare = prepare
        self._commit = commit

    def _check_everywhere(self, check: Callable[[], Any]) -> Deferred[Any]:
        return self._here(check).addCallback(self._checked_here)

    def _checked_here(self, checked: Any) -> Any:
        result, seen, _ = checked
        if isinstance(result.found, ConfigError):
            return checked
        return self._prepare(seen).addCallback(lambda _: checked)

    def _adopt(self, newer: Config, changes: list[str]) -> None:
        super()._adopt(newer, changes)
        self.look = self._seen
        self._commit(self.current.generation, self.look)


class FollowedConfig(Service):
    """
    A worker's configuration.

    :ivar current: the configuration in force.
    """

    def __init__(self, source: Source, elsewhere: Elsewhere, ready: Callable[[int], None]) -> None:
        """
        :param ready: called with the number of a preparation that has ended.
        """
        self.current = Config()
        self._source = source
        self._elsewhere = elsewhere
        self._ready = ready
        self._look: Look = {}
        self._prepared: dict[int, Config] = {}
        self._preparing: set[int] = set()
        #: Generations that come into force when their preparation has ended.
        self._wanted: dict[int, int] = {}

    @property
    def files(self) -> list[str]:
        """The paths of all files of the configuration."""
        return [*self._look]

    def load(self, look: Look, generation: int) -> None:
        """Use files at once: the worker starts."""
        self._use(self._source.check(look).found, generation)
        self._look = look

    def prepare(self, number: int, look: Look) -> None:
        """
        Check files.

        :param number: identifies them.
        """
        self._look = look
        self._preparing.add(number)
        self._elsewhere(lambda: self._source.check(look).found).addCallback(self._checked, number)

    def commit(self, number: int, generation: int, look: Look) -> None:
        """
        Use prepared files, as soon as they are ready.

        :param look: the files, for a worker that has started since the others prepared them.
        """
        found = self._prepared.pop(number, None)
        if found is None:
            self._wanted[number] = generation
            if number not in self._preparing:
                self.prepare(number, look)
            return
        self._prepared.clear()
        self._use(found, generation)

    def reload(self) -> None:
        """Does nothing: the supervisor reads the files."""

    def snapshot(self) -> dict[str, Any]:
        """Empty: the supervisor knows it."""
        return {}

    def _checked(self, found: Config | ConfigError, number: int) -> None:
        if isinstance(found, Config):
            self._prepared[number] = found
        self._preparing.discard(number)
        self._ready(number)
        if number in self._wanted:
            self.commit(number, self._wanted.pop(number), self._look)

    def _use(self, found: Config | ConfigError, generation: int) -> None:
        if isinstance(found, Config):
            self.current = attrs.evolve(found, generation=generation)
