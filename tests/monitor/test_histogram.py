"""
Tests for :mod:`sttproxy.monitor.histogram`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.monitor.histogram import ERROR, Histogram


def _counted(*values: float, distribution: int = 0) -> Histogram:
    """Return a histogram of one distribution."""
    histogram = Histogram()
    histogram.count(values, (distribution,))
    return histogram


def _quantiles(histogram: Histogram, parts: Sequence[float], distribution: int = 0) -> list[float]:
    return list(histogram.summary().quantiles(distribution, parts))


class ErrorTests(SynchronousTestCase):
    """Quantiles of values of all magnitudes."""

    def _check(self, value: float) -> None:
        (shown,) = _quantiles(_counted(value), (1.0,))
        self.assertLessEqual(abs(shown - value), value * ERROR, f"{value!r} is shown as {shown!r}")

    def test_bins(self) -> None:
        """At both ends of each bin, the error is at most the stated one; from less than 1 ns up to 10^36."""
        for exponent in range(-32, 120):
            for part in range(32):
                low, high = (2.0**exponent * (1 + each / 32) for each in (part, part + 1))
                self._check(low)
                self._check(high * (1 - 1e-7))  # about the last single in front of the next bin

    def test_any(self) -> None:
        """The error is at most the stated one for any values."""
        chance = random.Random(1)
        for _ in range(2000):
            self._check(10 ** chance.uniform(-9, 30))

    def test_zero(self) -> None:
        """0 is shown as 0."""
        self.assertEqual(_quantiles(_counted(0.0, 0.0), (0.5, 1.0)), [0.0, 0.0])

    def test_ranks(self) -> None:
        """A quantile is the value of its rank."""
        values = [float(number) for number in range(1, 1001)]
        random.Random(2).shuffle(values)
        parts = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0)
        for part, shown in zip(parts, _quantiles(_counted(*values), parts), strict=True):
            self.assertLessEqual(abs(shown - part * 1000), part * 1000 * ERROR)

    def test_none(self) -> None:
        """Without a value, each quantile is 0."""
        self.assertEqual(_quantiles(Histogram(), (0.5, 1.0)), [0.0, 0.0])
        self.assertEqual(_quantiles(_counted(1.0, distribution=1), (0.5,), 0), [0.0])
        self.assertEqual(_quantiles(_counted(1.0, distribution=1), (0.5,), 2), [0.0])


class DistributionTests(SynchronousTestCase):
    """Several distributions in one histogram."""

    def test_apart(self) -> None:
        """Values are counted for their own distribution, in turn."""
        histogram = Histogram()
        histogram.count([1.0, 1e30, 0.0, 1.0, 1e30, 0.0], range(3))
        summary = histogram.summary()
        self.assertEqual([summary.size(number) for number in range(4)], [2, 2, 2, 0])
        self.assertEqual(_quantiles(histogram, (1.0,), 2), [0.0])
        self.assertGreater(_quantiles(histogram, (0.1,), 1)[0], 9e29)

    def test_below(self) -> None:
        """The number of values below a power of two is exact."""
        summary = _counted(0.0, 0.4999, 0.5, 0.75, 1.0, 7.0).summary()
        self.assertEqual(list(summary.below(0, (0.25, 0.5, 1.0, 2.0, 8.0))), [1, 2, 4, 5, 6])
        self.assertEqual(list(summary.below(1, (0.5, 8.0))), [0, 0])


class WindowTests(SynchronousTestCase):
    """Histograms that are added, and subtracted again."""

    def test_subtract(self) -> None:
        """What was added and subtracted leaves nothing behind, however the values overlap."""
        chance = random.Random(3)
        span, windows = Histogram(), []
        for _ in range(20):
            values = [10 ** chance.uniform(-3, 1) for _ in range(30)]
            window = _counted(*values)
            span.add(window)
            span.summary()
            windows.append((values, window.packed()))
            if len(windows) > 3:
                span.subtract(windows.pop(0)[1])
            left = _counted(*(value for values, _ in windows for value in values))
            parts = (0.01, 0.5, 0.99, 1.0)
            self.assertEqual(_quantiles(span, parts), _quantiles(left, parts))
            self.assertEqual(span.summary().size(0), 30 * len(windows))
        for _, packed in windows:
            span.subtract(packed)
        self.assertEqual(_quantiles(span, (1.0,)), [0.0])
        self.assertEqual(tuple(map(len, span.packed())), (0, 0))

    def test_replaced(self) -> None:
        """A bin that is gone and another that is new do not hide each other."""
        span = _counted(1.0, 2.0)
        span.summary()
        span.subtract(_counted(1.0).packed())
        span.add(_counted(4.0))
        self.assertEqual([round(shown) for shown in _quantiles(span, (0.5, 1.0))], [2, 4])


class MemoryTests(SynchronousTestCase):
    """The size of a histogram."""

    def test_bounded(self) -> None:
        """A million different values need no more bins than their magnitudes have: 32 for each power of two."""
        histogram = Histogram()
        for start in range(0, 1_000_000, 50_000):
            histogram.count([1 + number / 1e6 for number in range(start, start + 50_000)], (0,))
        self.assertEqual(histogram.summary().size(0), 1_000_000)
        self.assertEqual(len(histogram.packed()[0]), 32)
