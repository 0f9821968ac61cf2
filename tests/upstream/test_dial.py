"""
Tests for :mod:`sttproxy.upstream.dial`.
"""

from __future__ import annotations

import errno

from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sttproxy.errors import OutOfDescriptors, ProxyError, UpstreamTimeout, UpstreamUnreachable
from sttproxy.upstream.dial import Dialer


@implementer(IStreamClientEndpoint)
class FakeEndpoint:
    """An endpoint whose connection attempts end as the test says."""

    def __init__(self, result: Deferred[Protocol]) -> None:
        self.result = result

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Protocol]:
        return self.result


class DialerTests(SynchronousTestCase):
    """Connecting, and the errors of failed attempts."""

    def setUp(self) -> None:
        self.clock = Clock()

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def dial(self, result: Deferred[Protocol]) -> Deferred[Protocol]:
        """Connect, with this result."""
        endpoint = FakeEndpoint(result)
        self.assertTrue(verifyObject(IStreamClientEndpoint, endpoint))
        return Dialer(self.clock, endpoint, "h:1", 5.0).connect(Factory())

    def failure(self, reason: Exception) -> ProxyError:
        """Return the error for a failure of the endpoint."""
        found = self.failureResultOf(self.dial(fail(reason))).value
        assert isinstance(found, ProxyError)
        self.assertIn("h:1", found.message)
        return found

    def test_connected(self) -> None:
        """A connection is passed to the caller."""
        protocol = Protocol()
        self.assertIs(self.successResultOf(self.dial(succeed(protocol))), protocol)

    def test_timeout(self) -> None:
        """An upstream that does not accept in time is 504; the message has the limit."""
        found = self.failure(error.TimeoutError())
        self.assertIsInstance(found, UpstreamTimeout)
        self.assertIn("5 s", found.message)

    def test_refused(self) -> None:
        """A refused connection is 502; the message has a hint at the usual reason."""
        found = self.failure(error.ConnectionRefusedError())
        self.assertIsInstance(found, UpstreamUnreachable)
        self.assertIn("running", found.message)

    def test_others(self) -> None:
        """Any other system error is 502; the message quotes it."""
        for reason in (
            error.NoRouteError(errno.EHOSTUNREACH, "No route to host"),
            error.ConnectError(errno.ENETUNREACH, "Network is unreachable"),
            error.UnknownHostError(),
            error.ConnectBindError(errno.EADDRNOTAVAIL, "Cannot assign requested address"),
            error.SSLError("certificate"),
        ):
            found = self.failure(reason)
            self.assertIsInstance(found, UpstreamUnreachable)
            self.assertEqual((found.status, found.code), (502, "upstream_unreachable"))

    def test_out_of_descriptors(self) -> None:
        """An error of the proxy's own system is not attributed to the upstream."""
        for reason in (
            OSError(errno.EMFILE, "Too many open files"),
            error.ConnectError(errno.ENFILE, "Too many open files in system"),
        ):
            found = self.failureResultOf(self.dial(fail(reason)), OutOfDescriptors).value
            self.assertEqual((found.status, found.headers), (503, ((b"Retry-After", b"1"),)))

    def test_out_of_descriptors_logged(self) -> None:
        """It is logged once, and again after a successful attempt."""
        server = FakeServer(OSError(errno.EMFILE, "Too many open files"))
        dialer = Dialer(self.clock, server, "h:1", 5.0, retry_s=2.0)
        with capturedLogs() as logs:
            for up, said in ((False, 1), (False, 1), (True, 1), (False, 2)):
                server.up = up
                dialer.connect(Factory()).addErrback(lambda failure: failure.trap(OutOfDescriptors))
                self.assertEqual(len(logs), said)
        self.assertIn("No file descriptor is left for a connection to h:1", str(formatEvent(logs[0])))
        self.assertEqual(server.attempts, 4)

    def test_late(self) -> None:
        """The limit holds also for an endpoint that ignores the cancellation."""
        connecting = self.dial(Deferred(lambda each: each.errback(error.DNSLookupError("cancelled"))))
        self.clock.advance(4.9)
        self.assertNoResult(connecting)
        self.clock.advance(0.2)
        self.assertIn("within 5 s", self.failureResultOf(connecting, UpstreamTimeout).value.message)

    def test_cancelled(self) -> None:
        """A cancelled attempt is not an upstream failure."""
        connecting = self.dial(Deferred())
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)

    def test_bug(self) -> None:
        """An unexpected exception is passed on unchanged."""
        self.failureResultOf(self.dial(fail(ZeroDivisionError())), ZeroDivisionError)


@implementer(IStreamClientEndpoint)
class FakeServer:
    """
    An endpoint of a server that can be down.

    :ivar attempts: how many connection attempts were made.
    """

    def __init__(self, trouble: Exception | None = None) -> None:
        """
        :param trouble: the failure of an attempt while it is down.
        """
        self.up = False
        self.attempts = 0
        self.trouble = trouble or error.ConnectionRefusedError()

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Protocol]:
        self.attempts += 1
        return succeed(Protocol()) if self.up else fail(self.trouble)


class RetryTests(SynchronousTestCase):
    """Retries while a server restarts."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.server = FakeServer()
        self.dialer = Dialer(self.clock, self.server, "h:1", 5.0, retry_s=2.0)

    def pass_time(self, seconds: float) -> None:
        """Let time pass step by step."""
        for _ in range(round(seconds * 100)):
            self.clock.advance(0.01)

    def test_comes_back(self) -> None:
        """A connection is made as soon as the server is back; the pauses between attempts grow."""
        connecting = self.dialer.connect(Factory())
        self.pass_time(1.0)
        self.assertNoResult(connecting)
        self.assertTrue(4 <= self.server.attempts <= 6, self.server.attempts)
        self.server.up = True
        self.pass_time(0.45)
        self.successResultOf(connecting)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stays_away(self) -> None:
        """After the retry time, the error is the same as for a single attempt."""
        connecting = self.dialer.connect(Factory())
        self.pass_time(1.5)
        self.assertNoResult(connecting)
        self.pass_time(0.5)
        self.assertIn("refuses connections", self.failureResultOf(connecting, UpstreamUnreachable).value.message)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """Cancelling ends the retries, in a pause or during an attempt."""
        for during in (False, True):
            if during:
                self.patch(self.server, "connect", lambda factory: Deferred(lambda each: each.errback(OSError())))
            connecting = self.dialer.connect(Factory())
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)
            attempts = self.server.attempts
            self.pass_time(3)
            self.assertEqual((self.server.attempts, self.clock.getDelayedCalls()), (attempts, []))

    def test_once(self) -> None:
        """A single attempt reports its result at once."""
        self.failureResultOf(self.dialer.attempt(Factory()), UpstreamUnreachable)
        self.assertEqual((self.server.attempts, self.clock.getDelayedCalls()), (1, []))
