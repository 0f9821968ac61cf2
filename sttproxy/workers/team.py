"""
The other processes, as a worker sees them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..monitor.merging import dump, load, merge
from ..monitor.registry import Registry
from .facts import merge_facts
from .inquiry import ANSWER_S, Numbers
from .turns import SharedAdmission

#: Most seconds that a page waits for the numbers of all workers; then it shows the last ones.
_WAIT_S = 2 * ANSWER_S


class Team:
    """
    Shows the numbers of all workers, and limits them together.

    :ivar admission: the queue of transcriptions for all workers.
    :ivar numbers: the numbers of all workers, as they were gathered last.
    :ivar state: how many workers there are.
    """

    def __init__(self, clock: IReactorTime, send: Callable[..., None]) -> None:
        """
        :param send: sends a message to the supervisor.
        """
        self.admission = SharedAdmission(send)
        self.state: dict[str, Any] = {}
        self._clock = clock
        self._send = send
        self._asked = count()
        self._gathering: Deferred[None] | None = None

    def shows(self, registry: Registry, facts: Callable[[], dict[str, Any]]) -> None:
        """
        Use the numbers of this worker.

        :param facts: returns the members of ``/stats`` that are not about requests.
        """
        self._registry = registry
        self._own_facts = facts
        self.numbers = Registry(registry.now, registry.servers, shows_clients=registry.shows_clients)
        self._facts: dict[str, Any] = {}

    def facts(self) -> dict[str, Any]:
        """The members of ``/stats`` that are not about requests, of all workers."""
        return self._facts

    def gather(self) -> Deferred[None]:
        """Bring `numbers` and `facts` up to date.  Never fails."""
        done: Deferred[None] = Deferred()
        if self._gathering is None:
            self._gathering = Deferred()
            self._gathering.addTimeout(_WAIT_S, self._clock, onTimeoutCancel=self._too_late)
            self._send("collect", next(self._asked))
        self._gathering.addCallback(functools.partial(_pass_on, done))
        return done

    def _too_late(self, *_: Any) -> None:
        self._gathering = None
        if not self._facts:
            self._take([(dump(self._registry), self._own_facts())], None, {"config": {}, "workers": self.state})

    def tell(self, number: int) -> None:
        """The supervisor asks for the numbers of this worker."""
        self._send("numbers", number, dump(self._registry), self._own_facts())

    def whole(self, number: int, answers: list[Numbers], departed: bytes | None, shared: dict[str, Any]) -> None:
        """The numbers of all workers have arrived."""
        self._take(answers, departed, shared)
        gathering, self._gathering = self._gathering, None
        if gathering is not None:
            gathering.callback(None)

    def _take(self, answers: list[Numbers], departed: bytes | None, shared: dict[str, Any]) -> None:
        registries = [data for data, _ in answers] + ([departed] if departed else [])
        whole = merge([load(data, self._clock.seconds) for data in registries], self._clock.seconds)
        vars(self.numbers).update(vars(whole))
        self._facts = {**merge_facts([facts for _, facts in answers]), **shared}

    def changed(self, state: dict[str, Any]) -> None:
        """Workers have come or gone."""
        self.state.update(state)


def _pass_on(done: Deferred[None], result: None) -> None:
    done.callback(None)
