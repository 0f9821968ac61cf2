"""
Tests for :mod:`sttproxy.notify`, with a service manager's socket of their own.
"""

from __future__ import annotations

import os
import sys
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.notify import Notifier, notifier_of, watchdog_s

from .support.servicemanager import ServiceManager


class NotifierTests(SynchronousTestCase):
    """Messages to a service manager."""

    def setUp(self) -> None:
        self.manager = ServiceManager()
        self.addCleanup(self.manager.close)

    def notifier(self, address: str) -> Notifier:
        """A notifier that is closed at the end."""
        notifier = notifier_of({"NOTIFY_SOCKET": address})
        assert notifier is not None
        self.addCleanup(notifier.close)
        return notifier

    def test_message(self) -> None:
        """Each message is one datagram, with a line for each variable."""
        notifier = self.notifier(self.manager.address)
        notifier.send(READY=1, STATUS="Serving: 1 client")
        notifier.send(WATCHDOG=1)
        self.assertEqual(self.manager.texts(), ["READY=1\nSTATUS=Serving: 1 client", "WATCHDOG=1"])

    @skipUnless(sys.platform == "linux", "only Linux has abstract sockets")
    def test_abstract(self) -> None:
        """A socket in the abstract namespace, whose address begins with @."""
        manager = ServiceManager(abstract=True)
        self.addCleanup(manager.close)
        self.assertTrue(manager.address.startswith("@"))
        self.notifier(manager.address).send(READY=1)
        self.assertEqual(manager.texts(), ["READY=1"])

    def test_absent(self) -> None:
        """A service manager that is gone is no error, and one that comes back at the same path is told again."""
        path = f"{self.manager.address}-2"
        ServiceManager(path=path).close()
        notifier = self.notifier(path)
        notifier.send(READY=1)
        os.unlink(path)
        notifier.send(READY=1)
        again = ServiceManager(path=path)
        self.addCleanup(again.close)
        notifier.send(WATCHDOG=1)
        self.assertEqual(again.texts(), ["WATCHDOG=1"])

    def test_full(self) -> None:
        """A service manager that does not read blocks nothing: the messages are lost."""
        notifier = self.notifier(self.manager.address)
        for _ in range(10_000):
            notifier.send(STATUS="x" * 1000)
        self.assertLess(len(self.manager.texts()), 10_000)
        notifier.send(READY=1)
        self.assertEqual(self.manager.texts(), ["READY=1"])

    def test_nobody_asks(self) -> None:
        """Without an address, and with one of another family, there is no notifier."""
        for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "@"}, {"NOTIFY_SOCKET": "vsock:2:1234"}):
            self.assertIsNone(notifier_of(environment))


class WatchdogTests(SynchronousTestCase):
    """The time within which a sign of life is due."""

    def test_time(self) -> None:
        """It is given in microseconds; other texts and the process ID of another process mean that none is due."""
        own = str(os.getpid())
        for usec, pid, expected in (
            ("30000000", own, 30.0),
            ("1500000", "", 1.5),
            ("30000000", "1", None if own != "1" else 30.0),
            ("0", own, None),
            ("", own, None),
            ("-5", own, None),
            ("soon", own, None),
            ("٣", own, None),
        ):
            self.assertEqual(watchdog_s({"WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}), expected, usec)
        self.assertEqual(watchdog_s({"WATCHDOG_USEC": "2000000"}), 2.0)
        self.assertIsNone(watchdog_s({}))
