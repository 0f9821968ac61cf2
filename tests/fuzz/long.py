"""
A long run of the strategies: ``python -m tests.fuzz.long forms --minutes 60``, or ``--examples 1000000``; ``clients``
and ``servers`` are HTTP/2's.  With ``--node``, the parsers of Node read the accepted forms, too.

It runs rounds of a few thousand examples, each with its own seed, until the time or the number is reached.  The first
example that breaks an invariant ends the run, and is reduced to the smallest such example.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import Any, Protocol

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from sttproxy.config import Rules, parse

from ..differential.installed import by_busboy, by_undici
from ..differential.process import Refused
from ..forms.rewriting import Rewritten
from . import connections
from .invariants import INSTALLED, Meaning, check_readers, check_rewriter
from .strategies import Attempt, attempts

#: Examples in a round; the memory of a round is freed after it.
ROUND = 2000
#: The parsers outside this Python, and how many forms each of them reads at once.
NODE, BATCH = {"undici": by_undici, "busboy": by_busboy}, 500


class Checking(Protocol):
    """
    Checks examples, and counts them.

    :ivar strategy: makes the examples.
    :ivar examples: how many were checked.
    """

    strategy: SearchStrategy[Any]
    examples: int

    def check(self, example: Any) -> None:
        """
        Check one example.

        :raises AssertionError: when an invariant does not hold.
        """


class Tally:
    """
    Forms.

    :ivar accepted: how many of them were accepted.
    :ivar refused: by reader, how many accepted bodies it refused.
    :ivar configurations: the different configurations of the accepted bodies.
    """

    def __init__(self, node: bool = False) -> None:
        """
        :param node: whether Node's parsers read the bodies, too.
        """
        self._readers = {**INSTALLED, **NODE} if node else INSTALLED
        self._outputs: list[tuple[Rules, Rewritten]] = []
        self.configurations: set[bytes] = set()
        self.strategy = attempts()
        self.examples = 0
        self.accepted = 0
        self.refused: Counter[str] = Counter()

    def check(self, attempt: Attempt) -> None:
        """Check all invariants of a form."""
        rules = parse(attempt.configuration).base
        self.examples += 1
        left = check_rewriter(rules, attempt.boundary, attempt.pieces, attempt.counted)
        if left is not None:
            self.accepted += 1
            self.configurations.add(attempt.configuration)
            check_readers(rules, left, self.refused)
            self._outputs.append((rules, left))
            if len(self._outputs) == BATCH:
                self._end_batch()

    def _end_batch(self) -> None:
        """Check what Node's parsers read."""
        outputs, self._outputs = self._outputs, []
        for reader in NODE.keys() & self._readers.keys():
            readings = NODE[reader]([left for _, left in outputs])
            for (rules, left), reading in zip(outputs, readings, strict=True):
                if isinstance(reading, Refused):
                    self.refused[reader] += 1
                else:
                    Meaning.of(rules, left).check(reader, reading)

    def __str__(self) -> str:
        refused = ", ".join(f"{self.refused[name]} by {name}" for name in self._readers)
        return (
            f"{self.examples} bodies, {self.accepted} accepted, under {len(self.configurations)} configurations; "
            f"of these refused: {refused}"
        )


def run_round(tally: Checking, number: int, examples: int) -> None:
    """Check this many examples, generated from a seed."""

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(tally.strategy)
    def check(example: Any) -> None:
        tally.check(example)

    check()


def main() -> None:
    options = argparse.ArgumentParser(description="Run the strategies for long.")
    options.add_argument("what", choices=("forms", "clients", "servers"), help="forms, or what attacks HTTP/2")
    options.add_argument("--minutes", type=float, default=0, help="how long; by default as long as --examples takes")
    options.add_argument("--examples", type=int, default=0, help="how many; by default as many as --minutes has")
    options.add_argument("--seed", type=int, default=int(time.time()), help="of the first round")
    options.add_argument("--node", action="store_true", help="let the parsers of Node read the forms, too")
    chosen = options.parse_args()
    if not chosen.minutes and not chosen.examples:
        options.error("give --minutes or --examples")
    tally: Checking = Tally(chosen.node) if chosen.what == "forms" else connections.Tally(chosen.what == "clients")
    begun = shown = time.monotonic()
    number = chosen.seed
    print(f"seed {number}; readers of forms: {', '.join(INSTALLED)}", flush=True)
    while True:
        if chosen.minutes and time.monotonic() - begun > chosen.minutes * 60:
            break
        if chosen.examples and tally.examples >= chosen.examples:
            break
        try:
            run_round(tally, number, min(ROUND, chosen.examples or ROUND))
        except BaseException:
            print(f"round {number} failed after {tally}", file=sys.stderr)
            raise
        number += 1
        if time.monotonic() - shown > 60:
            shown = time.monotonic()
            print(f"{shown - begun:.0f} s: {tally}", flush=True)
    print(f"through: {tally}")


if __name__ == "__main__":
    main()
