"""
Tests for :mod:`sttproxy.upstream.dial`.
"""

from __future__ import annotations

import errno

from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sttproxy.errors import ProxyError, UpstreamTimeout, UpstreamUnreachable
from sttproxy.upstream.dial import Dialer


@implementer(IStreamClientEndpoint)
class FakeEndpoint:
    """An endpoint where connecting ends as the test says."""

    def __init__(self, result: Deferred[Protocol]) -> None:
        self.result = result

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Protocol]:
        return self.result


class DialerTests(SynchronousTestCase):
    """Connecting, and what goes wrong, in words."""

    def dial(self, result: Deferred[Protocol]) -> Deferred[Protocol]:
        """Connect, with that result."""
        endpoint = FakeEndpoint(result)
        self.assertTrue(verifyObject(IStreamClientEndpoint, endpoint))
        return Dialer(endpoint, "h:1", 5.0).connect(Factory())

    def failure(self, reason: Exception) -> ProxyError:
        """What a reason of the endpoint's becomes."""
        found = self.failureResultOf(self.dial(fail(reason))).value
        assert isinstance(found, ProxyError)
        self.assertIn("h:1", found.message)
        return found

    def test_connected(self) -> None:
        """A connection is handed on."""
        protocol = Protocol()
        self.assertIs(self.successResultOf(self.dial(succeed(protocol))), protocol)

    def test_timeout(self) -> None:
        """An upstream that does not take the connection in time is 504, and the message says how long that is."""
        found = self.failure(error.TimeoutError())
        self.assertIsInstance(found, UpstreamTimeout)
        self.assertIn("5 s", found.message)

    def test_refused(self) -> None:
        """One that refuses is 502, with a hint at the usual reason."""
        found = self.failure(error.ConnectionRefusedError())
        self.assertIsInstance(found, UpstreamUnreachable)
        self.assertIn("running", found.message)

    def test_unknown_name(self) -> None:
        """A name that nobody knows is 502 and says so."""
        found = self.failure(error.DNSLookupError("no results"))
        self.assertIsInstance(found, UpstreamUnreachable)
        self.assertIn("name is not known", found.message)

    def test_others(self) -> None:
        """Whatever else the system says against connecting is 502 and is quoted."""
        for reason in (
            error.NoRouteError(errno.EHOSTUNREACH, "No route to host"),
            error.ConnectError(errno.ENETUNREACH, "Network is unreachable"),
            error.UnknownHostError(),
            error.ConnectBindError(errno.EADDRNOTAVAIL, "Cannot assign requested address"),
            OSError(errno.EMFILE, "Too many open files"),
            error.SSLError("certificate"),
        ):
            found = self.failure(reason)
            self.assertIsInstance(found, UpstreamUnreachable)
            self.assertEqual((found.status, found.code), (502, "upstream_unreachable"))

    def test_cancelled(self) -> None:
        """A connection that nobody wants any more is no failure of the upstream's."""
        connecting = self.dial(Deferred())
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)

    def test_bug(self) -> None:
        """What is none of the upstream's doing stays what it is."""
        self.failureResultOf(self.dial(fail(ZeroDivisionError())), ZeroDivisionError)
