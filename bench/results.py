"""
The results of a run.
"""

from __future__ import annotations

from collections import defaultdict


class Results:
    """
    Values by metric, peer and round, and faults by workload and peer.

    :ivar faults: messages, by workload (the part of a metric's key before the point) and peer.
    """

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(dict)
        self.faults: dict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, metric: str, peer: str, turn: int, value: float) -> None:
        """Add a value.  Several values of one round are averaged."""
        self._values[metric, peer].setdefault(turn, []).append(value)

    def _rounds(self, metric: str, peer: str) -> dict[int, float]:
        return {turn: sum(values) / len(values) for turn, values in self._values.get((metric, peer), {}).items()}

    def values(self, metric: str, peer: str) -> list[float]:
        """One value for each round that has values."""
        return list(self._rounds(metric, peer).values())

    def pairs(self, own: tuple[str, str], other: tuple[str, str]) -> list[tuple[float, float]]:
        """The values of two metrics and peers, for each round with both: machines drift less within a round."""
        ours, theirs = self._rounds(*own), self._rounds(*other)
        return [(value, theirs[turn]) for turn, value in ours.items() if turn in theirs]
