"""
How long transcriptions wait for their turn: a simulation of one queue before several speech servers.

``python -m bench.capacity --help`` tells what it can be asked; `docs/scaling.md` tells what to do with the answers.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from statistics import mean

import attrs

#: Quantiles of the wait that are shown.
QUANTILES = (0.5, 0.95, 0.99)


@attrs.frozen
class Demand:
    """
    What clients ask.

    :ivar per_hour: recordings that arrive in an hour, at random moments (a Poisson process).
    :ivar minutes: the mean length of a recording.
    :ivar spread: the standard deviation of the lengths, as a multiple of their mean; 0: all are equal.
    """

    per_hour: float
    minutes: float
    spread: float = 1.0

    def lengths(self, chance: random.Random) -> Iterator[float]:
        """Lengths of recordings, in seconds: a lognormal distribution, which has many short and a few long ones."""
        middle = math.log(1 + self.spread**2)
        mu = math.log(self.minutes * 60) - middle / 2
        while True:
            yield chance.lognormvariate(mu, math.sqrt(middle))


@attrs.frozen
class Job:
    """
    A recording.

    :ivar arrives: in seconds since the beginning.
    :ivar takes: seconds of a server.
    """

    arrives: float
    takes: float


def jobs(demand: Demand, speed: float, count: int, seed: int = 1) -> list[Job]:
    """
    Recordings that arrive.

    :param speed: seconds of audio that a server transcribes in a second.
    """
    chance = random.Random(seed)
    lengths = demand.lengths(chance)
    moment, arrived = 0.0, []
    for _ in range(count):
        moment += chance.expovariate(demand.per_hour / 3600)
        arrived.append(Job(moment, next(lengths) / speed))
    return arrived


def waits(arrived: Sequence[Job], servers: int) -> list[float]:
    """
    How many seconds each job waits for its turn, in the order of arrival.

    Each server has one job at a time; the first job of the queue goes to the first server that is free.
    """
    free = [0.0] * servers
    waited = []
    for job in arrived:
        begins = max(job.arrives, heapq.heappop(free))
        waited.append(begins - job.arrives)
        heapq.heappush(free, begins + job.takes)
    return waited


def longest_queue(arrived: Sequence[Job], waited: Sequence[float]) -> int:
    """The most jobs that have waited at a time."""
    changes = sorted(
        itertools.chain.from_iterable(
            ((job.arrives, 1), (job.arrives + wait, -1)) for job, wait in zip(arrived, waited, strict=True) if wait > 0
        )
    )
    return max(itertools.accumulate((change for _, change in changes), initial=0))


def busy(arrived: Sequence[Job], servers: int) -> float:
    """The share of the servers' time that is work."""
    return sum(job.takes for job in arrived) / (arrived[-1].arrives * servers)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def table(demand: Demand, speed: float, servers: Sequence[int], count: int) -> Iterator[str]:
    """The lines of a Markdown table with one row for each number of servers."""
    arrived = jobs(demand, speed, count)
    heads = "".join(f" wait, p{share * 100:.0f} |" for share in QUANTILES)
    yield f"| servers | busy | no wait | mean wait |{heads} longest queue |"
    yield "|---:|" * 1 + "---:|" * (4 + len(QUANTILES))
    for number in servers:
        share = busy(arrived, number)
        if share >= 1:
            yield f"| {number} | {share:.0%} | – |" + " ∞ |" * (1 + len(QUANTILES)) + " ∞ |"
            continue
        waited = waits(arrived, number)
        at_once = sum(wait == 0 for wait in waited) / len(waited)
        cells = "".join(f" {shown(quantile(waited, each))} |" for each in QUANTILES)
        queue = longest_queue(arrived, waited)
        yield f"| {number} | {share:.0%} | {at_once:.0%} | {shown(mean(waited))} |{cells} {queue} |"


def shown(seconds: float) -> str:
    """A time for people."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def command_line() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser("python -m bench.capacity", description=__doc__)
    parser.add_argument("--per-hour", type=float, default=60, help="recordings that arrive in an hour [%(default)s]")
    parser.add_argument("--minutes", type=float, default=10, help="mean length of a recording [%(default)s]")
    parser.add_argument(
        "--spread", type=float, default=1, help="standard deviation of the lengths, in means; 0: equal [%(default)s]"
    )
    parser.add_argument(
        "--speed", type=float, default=20, help="seconds of audio that a server transcribes in a second [%(default)s]"
    )
    parser.add_argument("--servers", type=int, nargs="+", default=[1, 2, 3, 4], help="numbers of servers [1 2 3 4]")
    parser.add_argument("--count", type=int, default=200_000, help="recordings that are simulated [%(default)s]")
    parser.add_argument(
        "--replay",
        type=float,
        metavar="SECONDS",
        help="send the first recordings to a real sttproxy, so much faster that it takes about this long, and compare",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    given = command_line().parse_args(arguments)
    demand = Demand(given.per_hour, given.minutes, given.spread)
    if given.replay is None:
        print(*table(demand, given.speed, given.servers, given.count), sep="\n")
        return
    from .replay import compare

    print(*compare(demand, given.speed, given.servers, given.replay), sep="\n")


if __name__ == "__main__":
    main()
