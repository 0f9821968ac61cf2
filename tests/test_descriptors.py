"""
Tests for :mod:`sttproxy.descriptors`, with fake limits.
"""

from __future__ import annotations

import os
import resource

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import descriptors
from sttproxy.descriptors import ENOUGH, FD_SETSIZE, OPEN_MAX, RESERVE

ANY = resource.RLIM_INFINITY


class LimitTests(SynchronousTestCase):
    """Raising the soft limit."""

    def raised(self, soft: int, hard: int, most: int = 1 << 30) -> tuple[int, tuple[int, int]]:
        """
        The returned limit, and the limits that are then set.

        :param most: the maximum that the system accepts, whatever the hard limit is.
        """
        limits = soft, hard

        def setrlimit(which: int, wanted: tuple[int, int]) -> None:
            nonlocal limits
            if wanted[0] > most or wanted[0] < 0:
                raise ValueError("current limit exceeds maximum limit")
            limits = wanted

        self.patch(resource, "getrlimit", lambda which: limits)
        self.patch(resource, "setrlimit", setrlimit)
        return descriptors.raise_limit(), limits

    def test_raised(self) -> None:
        """The soft limit rises to the hard limit or to ENOUGH; the hard limit does not change."""
        self.assertEqual(self.raised(256, 4096), (4096, (4096, 4096)))
        self.assertEqual(self.raised(1024, 1 << 20), (ENOUGH, (ENOUGH, 1 << 20)))
        self.assertEqual(self.raised(1024, ANY), (ENOUGH, (ENOUGH, ANY)))

    def test_high_enough(self) -> None:
        """A limit that is high enough does not change."""
        for soft, hard in ((64, 64), (ENOUGH + 1, ENOUGH + 2), (1 << 20, ANY)):
            self.assertEqual(self.raised(soft, hard), (soft, (soft, hard)))
        self.assertEqual(self.raised(ANY, ANY), (ENOUGH, (ANY, ANY)))

    def test_macos(self) -> None:
        """On macOS, an unlimited hard limit means OPEN_MAX."""
        self.assertEqual(self.raised(256, ANY, OPEN_MAX), (OPEN_MAX, (OPEN_MAX, ANY)))

    def test_not_granted(self) -> None:
        """If the system accepts no higher limit, it does not change."""
        self.assertEqual(self.raised(256, ANY, 256), (256, (256, ANY)))

    def test_select(self) -> None:
        """select() accepts descriptors below FD_SETSIZE only; other reactors accept all."""
        selecting = type("SelectReactor", (), {"__module__": "twisted.internet.selectreactor"})()
        self.assertEqual(descriptors.usable(5000, selecting), FD_SETSIZE)
        self.assertEqual(descriptors.usable(256, selecting), 256)
        self.assertEqual(descriptors.usable(5000, object()), 5000)


class ClientsTests(SynchronousTestCase):
    """The number of clients that a limit allows."""

    def test_two_each(self) -> None:
        """Each client may need a second descriptor for an upstream connection."""
        self.assertEqual(descriptors.clients(RESERVE + 200, 0), 100)

    def test_bounded_connections(self) -> None:
        """With a maximum of upstream connections, the clients get the remaining descriptors."""
        self.assertEqual(descriptors.clients(RESERVE + 200, 20), 180)
        self.assertEqual(descriptors.clients(RESERVE + 200, 150), 100)

    def test_at_least_one(self) -> None:
        """Even with too few descriptors, one client is allowed."""
        for limit in (RESERVE, RESERVE + 1, 8):
            self.assertEqual(descriptors.clients(limit, 0), 1)
            self.assertEqual(descriptors.clients(limit, 50), 1)


class OpenTests(SynchronousTestCase):
    """The number of open descriptors."""

    def test_counted(self) -> None:
        """Each open descriptor counts."""
        before = descriptors.open_now()
        assert before is not None
        reading, writing = os.pipe()
        self.assertEqual(descriptors.open_now(), before + 2)
        os.close(reading)
        os.close(writing)

    def test_not_told(self) -> None:
        """The number is None if the system does not provide it, or has no free descriptor to find it out."""

        def fail(path: str) -> list[str]:
            raise OSError(24, "Too many open files")

        self.patch(os, "listdir", fail)
        self.assertIsNone(descriptors.open_now())
