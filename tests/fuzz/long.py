"""
A long run of the strategies: ``python -m tests.fuzz.long --minutes 60``, or ``--examples 1000000``.

It runs rounds of a few thousand bodies, each with its own seed, until the time or the number is reached.  The first
body that bypasses the rules ends the run, and is reduced to the smallest such body.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings

from sttproxy.config import parse

from .invariants import INSTALLED, check_readers, check_rewriter
from .strategies import Attempt, attempts

#: Bodies in a round; the memory of a round is freed after it.
ROUND = 2000


class Tally:
    """
    :ivar bodies: how many bodies were checked.
    :ivar accepted: how many of them were accepted.
    :ivar refused: by reader, how many accepted bodies it refused.
    """

    def __init__(self) -> None:
        self.bodies = 0
        self.accepted = 0
        self.refused: Counter[str] = Counter()

    def check(self, attempt: Attempt) -> None:
        """Check all invariants of a form."""
        rules = parse(attempt.configuration).base
        self.bodies += 1
        left = check_rewriter(rules, attempt.boundary, attempt.pieces, attempt.counted)
        if left is not None:
            self.accepted += 1
            check_readers(rules, left, self.refused)

    def __str__(self) -> str:
        refused = ", ".join(f"{self.refused[name]} by {name}" for name in INSTALLED)
        return f"{self.bodies} bodies, {self.accepted} accepted; of these refused: {refused}"


def run_round(tally: Tally, number: int, examples: int) -> None:
    """Check this many bodies, generated from a seed."""

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(attempts())
    def check(attempt: Attempt) -> None:
        tally.check(attempt)

    check()


def main() -> None:
    options = argparse.ArgumentParser(description="Run the strategies for forms for long.")
    options.add_argument("--minutes", type=float, default=0, help="how long; by default as long as --examples takes")
    options.add_argument("--examples", type=int, default=0, help="how many bodies; by default as many as --minutes has")
    options.add_argument("--seed", type=int, default=int(time.time()), help="of the first round")
    chosen = options.parse_args()
    if not chosen.minutes and not chosen.examples:
        options.error("give --minutes or --examples")
    tally = Tally()
    begun = shown = time.monotonic()
    number = chosen.seed
    print(f"seed {number}; readers: {', '.join(INSTALLED)}", flush=True)
    while True:
        if chosen.minutes and time.monotonic() - begun > chosen.minutes * 60:
            break
        if chosen.examples and tally.bodies >= chosen.examples:
            break
        try:
            run_round(tally, number, ROUND)
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
