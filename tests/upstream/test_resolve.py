"""
Tests for :mod:`sttproxy.upstream.resolve`, with the test as the name server.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sttproxy.errors import UpstreamTimeout, UpstreamUnreachable
from sttproxy.upstream.dial import Dialer
from sttproxy.upstream.resolve import FRESH_S, STALE_S, NameResolver, Resolving

from ..support.fakes import FakeReactor

V4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))
V6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0))


@implementer(IResolutionReceiver)
class Receiver:
    """Records the calls that it receives."""

    def __init__(self) -> None:
        self.addresses: list[IAddress] = []
        self.complete = False

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        verifyObject(IHostResolution, resolutionInProgress)

    def addressResolved(self, address: IAddress) -> None:
        self.addresses.append(address)

    def resolutionComplete(self) -> None:
        self.complete = True


class ResolverTestCase(SynchronousTestCase):
    """
    Base class: one resolver, whose threads run when the test says so.

    :ivar found: the name server's result; an exception is raised.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.asked: list[tuple[Any, ...]] = []
        self.found: list[Any] | Exception = [V6, V4]
        self.threads: list[Any] = []
        self.resolver = NameResolver(self.reactor, "whisper_server", self.look_up)
        self.assertTrue(verifyObject(IHostnameResolver, self.resolver))
        test = self

        class Thread:
            def __init__(self, target: Any, name: str, daemon: bool) -> None:
                test.assertTrue(daemon)
                self.start = lambda: test.threads.append(target)

        self.patch(threading, "Thread", Thread)

    def look_up(self, *arguments: Any) -> list[Any]:
        self.asked.append(arguments)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def ask(self) -> Receiver:
        """Ask for the addresses."""
        receiver = Receiver()
        self.resolver.resolveHostName(receiver, "upstream", 80)
        return receiver

    def answer(self) -> None:
        """Let the name server respond."""
        self.threads.pop()()
        self.reactor.settle()


class ResolverTests(ResolverTestCase):
    """Look-ups and their results."""

    def test_shared(self) -> None:
        """Concurrent requests share one look-up, of the name that was given first."""
        receivers = [self.ask() for _ in range(20)]
        self.assertEqual((len(self.threads), self.resolver.waiting), (1, True))
        self.answer()
        for receiver in receivers:
            self.assertEqual(
                receiver.addresses, [IPv6Address("TCP", "2001:db8::1", 80), IPv4Address("TCP", "192.0.2.1", 80)]
            )
            self.assertTrue(receiver.complete)
        self.assertEqual(self.asked, [("whisper_server", 0, socket.AF_UNSPEC, socket.SOCK_STREAM)])
        self.assertFalse(self.resolver.waiting)

    def test_known(self) -> None:
        """A cached result is used at once: first without a look-up, later during one; an old result is not used."""
        self.ask()
        self.answer()
        for age_s, threads in ((FRESH_S - 1, 0), (FRESH_S + 1, 1), (FRESH_S + 2, 1)):
            self.reactor.advance(age_s - self.reactor.seconds())
            self.assertEqual((self.ask().complete, len(self.threads)), (True, threads))
        self.found = [V4]
        self.answer()
        self.assertEqual(len(self.ask().addresses), 1)
        self.reactor.advance(STALE_S + 1)
        self.assertFalse(self.ask().complete)

    def test_forgotten(self) -> None:
        """A result that proved wrong is treated in the same way."""
        self.ask()
        self.answer()
        self.resolver.forget()
        self.assertFalse(self.ask().complete)

    def test_addresses(self) -> None:
        """An IP address needs no name server."""
        for name, address in (
            ("127.0.0.1", IPv4Address("TCP", "127.0.0.1", 80)),
            ("::1", IPv6Address("TCP", "::1", 80)),
        ):
            self.resolver = NameResolver(self.reactor, name, self.look_up)
            self.assertEqual((self.ask().addresses, self.threads), ([address], []))

    def test_trouble(self) -> None:
        """
        If a look-up fails, all waiting requests fail at once and the reason is kept; the next request looks up again.
        """
        self.found = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        receivers = self.ask(), self.ask()
        self.answer()
        for receiver in receivers:
            self.assertEqual((receiver.addresses, receiver.complete), ([], True))
        self.assertEqual(self.resolver.trouble, "Name or service not known")
        self.found = [V4]
        receiver = self.ask()
        self.answer()
        self.assertEqual((len(receiver.addresses), self.resolver.trouble), (1, ""))

    def test_trouble_with_known(self) -> None:
        """A failed look-up does not discard a cached result that is not too old."""
        self.ask()
        self.answer()
        self.reactor.advance(FRESH_S + 1)
        self.found = OSError(5, "broken")
        self.ask()
        self.answer()
        self.assertTrue(self.ask().complete)


class DialTests(ResolverTestCase):
    """A dialer with such a resolver."""

    def setUp(self) -> None:
        super().setUp()
        reactor = Resolving(self.reactor, self.resolver)
        self.assertTrue(IReactorPluggableNameResolver.providedBy(reactor))
        endpoint = HostnameEndpoint(reactor, "upstream", 80)
        self.dialer = Dialer(self.reactor, endpoint, "whisper_server:80", 5.0, resolver=self.resolver)

    def test_underscore(self) -> None:
        """A name that Twisted would refuse can be connected to."""
        self.dialer.connect(Factory())
        self.answer()
        self.reactor.advance(1)
        hosts = [host for host, *_ in self.reactor.tcpClients]
        self.assertEqual(hosts, ["2001:db8::1", "192.0.2.1"])

    def test_unknown(self) -> None:
        """For an unknown name the error says so."""
        self.found = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        connecting = self.dialer.connect(Factory())
        self.answer()
        message = self.failureResultOf(connecting, UpstreamUnreachable).value.message
        self.assertIn("its name cannot be resolved: Name or service not known", message)

    def test_silence(self) -> None:
        """If the name server does not respond within the connection timeout, the error says so."""
        connecting = self.dialer.connect(Factory())
        self.reactor.advance(4.9)
        self.assertNoResult(connecting)
        self.reactor.advance(0.2)
        message = self.failureResultOf(connecting, UpstreamTimeout).value.message
        self.assertIn("whisper_server could not be resolved within 5 s: the name server does not answer", message)
        self.answer()
