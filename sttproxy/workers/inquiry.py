"""
How the numbers of all workers come to the one that was asked for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..monitor.merging import dump, load, merge, retire
from ..monitor.registry import Registry
from .member import Member

#: Most seconds that the numbers of a worker are awaited.
ANSWER_S = 2.0

#: The numbers of one worker: its registry as bytes, and its facts.
Numbers = tuple[bytes, dict[str, Any]]


class Inquiry:
    """One question, and the answers so far."""

    def __init__(self, asked: Iterable[Member], done: Callable[[list[Numbers]], None]) -> None:
        self.missing = set(asked)
        self.done = done
        self.answers: list[Numbers] = []
        self.limit: IDelayedCall | None = None


class Inquiries:
    """
    Asks all workers for their numbers, and keeps those of workers that have ended, so that no count ever falls.
    """

    def __init__(self, clock: IReactorTime, members: Callable[[], list[Member]]) -> None:
        """
        :param members: returns the workers that serve.
        """
        self._clock = clock
        self._members = members
        self._numbers = count()
        self._open: dict[int, Inquiry] = {}
        self._departed: Registry | None = None

    def ask(self, done: Callable[[list[Numbers]], None]) -> None:
        """
        Ask all workers.

        :param done: called with what they have answered, after `ANSWER_S` at the latest.
        """
        number = next(self._numbers)
        inquiry = self._open[number] = Inquiry(self._members(), done)
        inquiry.limit = self._clock.callLater(ANSWER_S, self._finish, number)
        for member in list(inquiry.missing):
            member.send("tell", number)

    def answered(self, member: Member, number: int, registry: bytes, facts: dict[str, Any]) -> None:
        """A worker has answered."""
        member.last = registry
        inquiry = self._open.get(number)
        if inquiry is not None and member in inquiry.missing:
            inquiry.answers.append((registry, facts))
            self._heard(number, member)

    def ended(self, member: Member) -> None:
        """A worker has ended.  What it has shown of its work stays."""
        for number in list(self._open):
            self._heard(number, member)
        if member.last is None:
            return
        registry = load(member.last, self._clock.seconds)
        retire(registry)
        parts = [registry] if self._departed is None else [self._departed, registry]
        self._departed = merge(parts, self._clock.seconds)
        retire(self._departed)

    def departed(self) -> bytes | None:
        """The numbers of workers that have ended; None: none has."""
        return None if self._departed is None else dump(self._departed)

    def _heard(self, number: int, member: Member) -> None:
        missing = self._open[number].missing
        missing.discard(member)
        if not missing:
            self._finish(number)

    def _finish(self, number: int) -> None:
        inquiry = self._open.pop(number)
        if inquiry.limit is not None and inquiry.limit.active():
            inquiry.limit.cancel()
        inquiry.done(inquiry.answers)
