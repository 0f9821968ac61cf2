"""
The numbers of several processes as those of one.

A registry goes from one process to another as bytes, which only processes of ours may write: ``pickle`` reads them.
"""

from __future__ import annotations

import pickle
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

from .group import WINDOWS, Group
from .registry import RECENT, Load, Registry
from .server import Server

T = TypeVar("T")

#: What only its own process can compute.
_CALLABLE = ("now", "queued")


def dump(registry: Registry) -> bytes:
    """A registry at this moment, for `load`."""
    registry.count()
    state = {name: value for name, value in vars(registry).items() if name not in _CALLABLE}
    return pickle.dumps({**state, "waiting": registry.queued()}, pickle.HIGHEST_PROTOCOL)


def load(data: bytes, now: Callable[[], float]) -> Registry:
    """
    What `dump` has written.

    :param now: returns the clock's seconds, the same as those of the other process.
    """
    state = pickle.loads(data)
    waiting = state.pop("waiting")
    registry = Registry.__new__(Registry)
    vars(registry).update(state)
    registry.now, registry.queued = now, lambda: waiting
    return registry


def retire(registry: Registry) -> None:
    """The process of a registry has ended: nothing is in flight there any more."""
    registry.in_flight.clear()
    registry.connections = 0
    registry.queued = lambda: 0
    registry.draining = False
    registry.lateness.clear()


def merge(parts: Sequence[Registry], now: Callable[[], float]) -> Registry:
    """
    The sum of some registries, which are used up.

    :param parts: at least one.
    :param now: returns the clock's seconds.
    """
    for part in parts:
        part.now = now
    moment = now()
    whole = Registry(lambda: moment, _servers([part.servers for part in parts]), shows_clients=parts[0].shows_clients)
    for part in parts:
        part.now = whole.now
        part.count()
        _merge_groups(whole.routes, part.routes)
        _merge_groups(whole.profiles, part.profiles)
        _merge_groups(whole.versions, part.versions)
        for name, value in vars(part).items():
            if isinstance(value, Counter):
                getattr(whole, name).update(value)
            elif type(value) is int:  # all numbers are sums
                setattr(whole, name, getattr(whole, name) + value)
        whole.draining = whole.draining or part.draining
    flying = sorted((record for part in parts for record in part.in_flight), key=lambda record: record.began)
    whole.in_flight = dict.fromkeys(flying)
    kept = sorted((record for part in parts for record in part.recent), key=lambda record: record.ended)
    whole.recent = deque(kept, maxlen=RECENT)
    whole.loads = deque(_aligned([part.loads for part in parts], _sum), maxlen=WINDOWS)
    whole.lateness = deque(_aligned([part.lateness for part in parts], max) or (0.0,), maxlen=60)
    whole._load = _sum([part.current_load() for part in parts])
    waiting = sum(part.queued() for part in parts)
    whole.queued = lambda: waiting
    whole.now = now
    return whole


def _merge_groups(whole: dict[Any, Group], part: dict[Any, Group]) -> None:
    for name, group in part.items():
        whole.setdefault(name, Group()).merge(group)


def _servers(parts: Sequence[Sequence[Server]]) -> list[Server]:
    """The servers, which all processes have in the same order."""
    servers = []
    for same in zip(*parts, strict=True):
        server = Server(same[0].name)
        for each in same:
            server.errors.update(each.errors)
        server.last_success = max((each.last_success for each in same if each.last_success is not None), default=None)
        server.last_failure = max((each.last_failure for each in same if each.last_failure is not None), default=None)
        servers.append(server)
    return servers


def _sum(loads: Iterable[Load]) -> Load:
    known = list(loads)
    return Load(sum(load.in_flight for load in known), sum(load.queued for load in known))


def _aligned(columns: Sequence[Iterable[T]], join: Callable[[list[T]], T]) -> list[T]:
    """Values of the same moments joined; the last values of all columns are of the same moment."""
    rows = zip_longest(*[reversed([*column]) for column in columns])
    return [join([value for value in row if value is not None]) for row in rows][::-1]
