"""
Tests for :mod:`sttproxy.announcing`: what the service manager is told, and when.
"""

from __future__ import annotations

import time
from functools import partial

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from sttproxy.announcing import Announcing, announcing_of, numbers
from sttproxy.monitor.registry import Registry
from sttproxy.notify import Notifier
from sttproxy.vitals import BEAT_S

from .support.servicemanager import ServiceManager


class AnnouncingTests(SynchronousTestCase):
    """A daemon whose service manager asks to be told."""

    def setUp(self) -> None:
        self.manager = ServiceManager()
        self.addCleanup(self.manager.close)
        self.reactor = MemoryReactorClock()
        self.registry = Registry(self.reactor.seconds, queued=lambda: 4)

    def start(self, watchdog_s: float | None = None) -> Announcing:
        """Start the service, and the reactor."""
        notifier = Notifier(self.manager.address)
        self.addCleanup(notifier.close)
        announcing = Announcing(self.reactor, notifier, partial(numbers, self.registry), watchdog_s)
        announcing.startService()
        return announcing

    def run_reactor(self) -> None:
        """What happens when the reactor begins to run."""
        for hook, args, kwargs in self.reactor.whenRunningHooks:
            hook(*args, **kwargs)

    def shut_down(self) -> None:
        """What happens when the reactor is told to stop."""
        for trigger, args, kwargs in self.reactor.triggers["before"]["shutdown"]:
            trigger(*args, **kwargs)

    def test_ready(self) -> None:
        """READY comes when the reactor runs and not before, with the status."""
        self.assertTrue(verifyObject(IService, self.start()))
        self.assertEqual(self.manager.states(), [])
        self.run_reactor()
        (state,) = self.manager.states()
        self.assertEqual(
            state,
            {
                "READY": "1",
                "STATUS": "Serving: 0 clients, 0 requests in flight, 4 transcriptions waiting; "
                "0 requests since the start",
            },
        )

    def test_status(self) -> None:
        """The status is sent when it has changed, once a second at most."""
        self.start()
        self.run_reactor()
        self.manager.texts()
        self.reactor.advance(BEAT_S)
        self.assertEqual(self.manager.texts(), [])
        self.registry.connections = 7
        self.reactor.advance(BEAT_S / 2)
        self.assertEqual(self.manager.texts(), [])
        self.reactor.advance(BEAT_S / 2)
        (state,) = self.manager.states()
        self.assertEqual(list(state), ["STATUS"])
        self.assertIn("7 clients", state["STATUS"])

    def test_upgrade(self) -> None:
        """A process that ends to serve again soon reloads, and does not stop."""
        notifier = Notifier(self.manager.address)
        self.addCleanup(notifier.close)
        Announcing(self.reactor, notifier, lambda: "2 of 2 workers", None, lambda: True).startService()
        self.run_reactor()
        (state,) = self.manager.states()
        self.assertEqual(state, {"READY": "1", "STATUS": "Serving: 2 of 2 workers"})
        self.shut_down()
        (state,) = self.manager.states()
        self.assertEqual(sorted(state), ["MONOTONIC_USEC", "RELOADING"])

    def test_watchdog(self) -> None:
        """Signs of life come at least twice in the time that is given, whether or not anything happens."""
        for watchdog_s, count in ((60.0, 10), (2 * BEAT_S, 10), (BEAT_S, 20)):
            announcing = self.start(watchdog_s)
            self.manager.texts()
            signs: list[str] = []
            for _ in range(40):
                self.reactor.advance(BEAT_S / 4)
                signs += [state["WATCHDOG"] for state in self.manager.states()]  # few fit into the socket
            self.assertEqual(signs, ["1"] * count, watchdog_s)
            announcing.stopService()

    def test_reload(self) -> None:
        """RELOADING comes with the time of the system's clock, READY when the last of several reloads has ended."""
        reloads: list[Deferred[None]] = []

        def reload() -> Deferred[None]:
            reloads.append(Deferred())
            return reloads[-1]

        told = self.start().around(reload)
        before_us = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
        told()
        (state,) = self.manager.states()
        self.assertEqual(state["RELOADING"], "1")
        self.assertTrue(before_us - 1 <= int(state["MONOTONIC_USEC"]) <= time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6)
        told()
        self.manager.texts()
        reloads[0].callback(None)
        self.assertEqual(self.manager.texts(), [])
        reloads[1].errback(ValueError())
        self.assertEqual(self.manager.states(), [{"READY": "1"}])

    def test_stop(self) -> None:
        """
        STOPPING comes when the shutdown begins.  Until it ends, the service manager is asked for patience, and a reload
        that ends meanwhile does not say READY.
        """
        reload: Deferred[None] = Deferred()
        announcing = self.start(60.0)
        announcing.around(lambda: reload)()
        self.manager.texts()
        self.shut_down()
        (state,) = self.manager.states()
        self.assertEqual((state["STOPPING"], state["STATUS"].partition(":")[0]), ("1", "Stopping"))
        reload.callback(None)
        self.assertEqual(self.manager.texts(), [])
        self.reactor.advance(BEAT_S)
        (state,) = self.manager.states()
        self.assertEqual(state, {"WATCHDOG": "1", "EXTEND_TIMEOUT_USEC": "30000000"})
        announcing.stopService()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_of_environment(self) -> None:
        """There is a service only if the environment names the service manager's socket."""
        self.assertIsNone(announcing_of(self.reactor, {}, partial(numbers, self.registry)))
        environment = {"NOTIFY_SOCKET": self.manager.address, "WATCHDOG_USEC": "4000000"}
        announcing = announcing_of(self.reactor, environment, partial(numbers, self.registry))
        assert announcing is not None
        self.addCleanup(announcing._notifier.close)
        announcing.startService()
        self.run_reactor()
        (state,) = self.manager.states()
        self.assertEqual(state["WATCHDOG"], "1")
