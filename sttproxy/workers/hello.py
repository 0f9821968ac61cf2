"""
What a worker learns from the supervisor before it starts.
"""

from __future__ import annotations

import attrs

from ..settings import Settings
from ..watch.files import Look


@attrs.frozen
class Hello:
    """
    :ivar index: of the worker, from 0.
    :ivar count: of all workers.
    :ivar generation: of the configuration in force.
    :ivar look: the files that it comes from.
    :ivar pseudonym: by which all workers recognize requests that have passed one of them before.
    """

    index: int
    count: int
    generation: int
    look: Look
    pseudonym: bytes

    def share(self, whole: int) -> int:
        """This worker's part of a number that is meant for all; the parts of all workers add up to it."""
        return whole // self.count + (self.index < whole % self.count)

    def settings(self, whole: Settings) -> Settings:
        """
        The settings of this worker.

        :param whole: those of the whole.
        """
        process = attrs.evolve(whole.process, background=False, user=None)
        return attrs.evolve(
            whole,
            process=process,
            no_progress=True,
            pool_size=self.share(whole.pool_size),
            max_connections=self.share(whole.max_connections),
            max_clients=self.share(whole.max_clients),
        )
