"""
Distributions of durations in bounded memory.

A bin is a range of values of which the largest is at most 1/32 above the smallest: what is left of a value, as an
IEEE 754 single, without its last 18 bits.  So the value that stands for a bin is at most 1.6 % wrong.  The bins of
many values are found by functions that are written in C, in a tenth of a microsecond each.

Several distributions are counted together.  The distribution's number stands in the bits above the bin's.
"""

from __future__ import annotations

import functools
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, cycle, repeat
from operator import add, rshift

#: The greatest error of a quantile, as a part of its value.
ERROR = 1 / 64

#: Bits of a single that are not part of the bin, and those that are: an exponent of 8, and 5 of the fraction.
_DROPPED = 18
_BITS = 13
_BIN = (1 << _BITS) - 1

#: Keys and counts.
Packed = tuple["array[int]", "array[int]"]

#: Some quantiles by name, for durations; the last one is the largest value.
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@functools.cache  # there are 8192 bins, of which a process meets a few hundred
def _value_of(bin_: int) -> float:
    """The value whose error is the same part of both ends of a bin, with five significant digits."""
    if not bin_:
        return 0.0
    low, high = memoryview(array("I", (bin_ << _DROPPED, (bin_ + 1) << _DROPPED))).cast("B").cast("f")
    return float(f"{2 * low * high / (low + high):.5g}")


class Histogram:
    """
    Counts of values of several distributions.
    """

    __slots__ = ("_counts", "_keys")

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        #: The keys in their order, as they were when they were sorted last.
        self._keys: list[int] = []

    def count(self, values: Sequence[float], distributions: Iterable[int]) -> None:
        """
        Count values.

        :param values: not negative; one of each distribution, then one of each again, and so on.
        :param distributions: the distributions' numbers.
        """
        singles = memoryview(array("f", values)).cast("B").cast("I")
        above = cycle([number << _BITS for number in distributions])
        self._counts.update(map(add, map(rshift, singles, repeat(_DROPPED)), above))

    def add(self, other: Histogram) -> None:
        """Add the counts of another one."""
        self._counts.update(other._counts)

    def packed(self) -> Packed:
        """The counts, in a small part of the memory, for `subtract`."""
        return array("H", self._counts.keys()), array("L", self._counts.values())

    def subtract(self, packed: Packed) -> None:
        """Take counts away that were added before."""
        counts = self._counts
        for key, number in zip(*packed, strict=True):
            left = counts[key] - number
            if left:
                counts[key] = left
            else:
                del counts[key]
                self._keys = []

    def summary(self) -> Summary:
        """What can be read from the counts of this moment."""
        if len(self._keys) != len(self._counts):  # a key is only ever removed where the order is dropped
            self._keys = sorted(self._counts)
        return Summary(self._keys, list(accumulate(map(self._counts.__getitem__, self._keys), initial=0)))


def joined(parts: Iterable[Packed]) -> Packed:
    """The sum of some counts.  A key may stand there several times, each time with a part of its count."""
    keys, numbers = array("H"), array("L")
    for more_keys, more_numbers in parts:
        keys += more_keys
        numbers += more_numbers
    return keys, numbers


def summary_of(packed: Packed, distribution: int) -> Summary:
    """What can be read from the counts of one distribution."""
    first, end = distribution << _BITS, (distribution + 1) << _BITS
    counts = sorted([count for count in zip(*packed, strict=True) if first <= count[0] < end])
    return Summary([key for key, _ in counts], list(accumulate([number for _, number in counts], initial=0)))


class Summary:
    """
    What is read from a histogram.
    """

    __slots__ = ("_keys", "_sums")

    def __init__(self, keys: list[int], sums: list[int]) -> None:
        """
        :param keys: in their order.
        :param sums: how many values come before each key, and how many there are.
        """
        self._keys = keys
        self._sums = sums

    def _ends(self, distribution: int) -> tuple[int, int]:
        """The positions of a distribution's first bin, and behind its last one."""
        first = bisect_left(self._keys, distribution << _BITS)
        return first, bisect_left(self._keys, (distribution + 1) << _BITS, first)

    def size(self, distribution: int) -> int:
        """How many values were counted."""
        first, end = self._ends(distribution)
        return self._sums[end] - self._sums[first]

    def quantiles(self, distribution: int, parts: Iterable[float]) -> Iterator[float]:
        """
        The values that a part of all values does not exceed; 0 if there is no value.

        :param parts: more than 0, up to 1.
        """
        first, end = self._ends(distribution)
        before, size = self._sums[first], self._sums[end] - self._sums[first]
        for part in parts:
            if not size:
                yield 0.0
                continue
            position = bisect_left(self._sums, before + part * size, first + 1)
            yield _value_of(self._keys[position - 1] & _BIN)

    def below(self, distribution: int, limits: Iterable[float]) -> Iterator[int]:
        """How many values are below each limit, for cumulative buckets; exact for powers of two."""
        first, end = self._ends(distribution)
        for limit in limits:
            (bits,) = memoryview(array("f", (limit,))).cast("B").cast("I")
            position = bisect_left(self._keys, (distribution << _BITS) + (bits >> _DROPPED), first, end)
            yield self._sums[position] - self._sums[first]
