"""
Tests for :mod:`sttproxy.inbound.site`: the factory, and closing its connections.
"""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import capturedLogs, formatEvent
from twisted.web import http
from zope.interface.verify import verifyObject

from sttproxy.inbound.channel import LINGER_S, HTTPChannel
from sttproxy.inbound.interfaces import Limits, Timeouts
from sttproxy.inbound.site import STOP_S, Site
from sttproxy.writer import FlushScheduler

from ..support.fakes import Ending, FakeReactor
from ..support.stage import ScriptedTestCase, error_of, get, post


class SiteTests(ScriptedTestCase):
    """The factory for inbound connections."""

    def test_interface(self) -> None:
        """It implements Twisted's factory interface."""
        self.assertTrue(verifyObject(IProtocolFactory, self.site))

    def test_no_work_of_its_own(self) -> None:
        """Starting and stopping it opens no log and schedules nothing, unlike Twisted's own factory."""
        reactor = FakeReactor()
        site = Site(self.site.resource, reactor, FlushScheduler(reactor), self.registry)
        site.doStart()
        self.assertEqual(reactor.pending(), [])
        site.doStop()

    def test_protocols(self) -> None:
        """Over TLS it offers HTTP/2 and HTTP/1.1."""
        for enabled in (False, True):
            self.patch(http, "H2_ENABLED", enabled)
            self.assertEqual(self.site.acceptableProtocols(), [b"h2", b"http/1.1"])

    def test_connections(self) -> None:
        """It tracks and counts its connections."""
        one, other = self.client(), self.client(get())
        self.assertEqual(self.site.channels, {one.protocol, other.protocol})
        self.assertEqual(self.stats.connections, 2)
        one.close()
        self.assertEqual((self.site.channels, self.stats.connections), ({other.protocol}, 1))

    def test_apart(self) -> None:
        """Connections share nothing: each gets the responses to its own requests."""
        one, other = self.client(get(b"/one")), self.client(get(b"/other"))
        for request in reversed(self.requests):
            request.write(request.path)
            request.finish()
        self.reactor.settle()
        self.assertIn(b"/one", one.received)
        self.assertIn(b"/other", other.received)
        self.assertIsInstance(self.site.buildProtocol(None), HTTPChannel)

    def test_stop_nothing(self) -> None:
        """It can be stopped without any connection."""
        self.site.stop()

    def test_stop(self) -> None:
        """Stopping stops each connection."""
        clients = [self.client(), self.client(get())]
        self.site.stop()
        self.reactor.settle()
        self.assertEqual([client.ending for client in clients], [Ending.RESET, Ending.CLOSED])


class SettingsTests(ScriptedTestCase):
    """Default limits."""

    def test_defaults(self) -> None:
        """Every phase has a timeout; the size of a body is unlimited."""
        self.assertEqual(attrs.astuple(Timeouts()), (10, 30, 75, 30))
        self.assertIsNone(Limits().body)


class EndTests(ScriptedTestCase):
    """When the daemon stops, connections end after the requests in flight."""

    def test_nobody(self) -> None:
        """Without connections the stop is complete at once."""
        self.successResultOf(self.site.drain(30))

    def test_idle(self) -> None:
        """Idle connections are closed after a grace period, together."""
        idle, used = self.client(), self.client(get(b"/now"))
        drained = self.site.drain(30)
        self.reactor.advance(LINGER_S - 0.1)
        self.assertEqual({idle.ending, used.ending}, {Ending.OPEN})
        self.reactor.advance(0.2)
        self.assertEqual({idle.ending, used.ending}, {Ending.CLOSED})
        self.successResultOf(drained)

    def test_late_request(self) -> None:
        """A request that arrives in the grace period is answered, with ``Connection: close``."""
        client = self.client()
        drained = self.site.drain(30)
        client.send(get(b"/now"))
        self.assertIn(b"\r\nConnection: close\r\n", client.received)
        self.assertEqual(client.ending, Ending.CLOSED)
        self.successResultOf(drained)

    def test_in_flight(self) -> None:
        """A request in flight gets its full response, with ``Connection: close``."""
        client = self.client(get())
        drained = self.site.drain(30)
        self.reactor.pass_time(29, 1)
        self.requests[0].write(b"hi")
        self.requests[0].finish()
        self.assertNoResult(drained)
        self.reactor.settle()
        self.assertRegex(client.received, rb"(?s)\r\nConnection: close\r\n.*hi.*0\r\n\r\n\Z")
        self.successResultOf(drained)

    def test_half_answered(self) -> None:
        """
        If the head of the response was already sent, the connection then waits for the grace period like an idle one.
        """
        client = self.client(get())
        self.requests[0].write(b"hi")
        drained = self.site.drain(30)
        self.reactor.pass_time(10, 1)
        self.requests[0].finish()
        self.reactor.pass_time(LINGER_S + 0.2)
        self.assertTrue(client.received.endswith(b"0\r\n\r\n"))
        self.assertEqual(client.ending, Ending.CLOSED)
        self.successResultOf(drained)

    def test_pipelined(self) -> None:
        """Of pipelined requests the one in flight is the last to be answered."""
        client = self.client(get() + get())
        self.site.drain(30)
        self.requests[0].finish()
        self.reactor.settle()
        self.assertIn(b"\r\nConnection: close\r\n", client.received)
        self.assertEqual(len(self.requests), 1)

    def test_in_a_head(self) -> None:
        """A head that has begun may be completed."""
        client = self.client(get(b"/now")[:5])
        self.site.drain(30)
        self.reactor.pass_time(5)
        client.send(get(b"/now")[5:])
        self.assertIn(b"\r\nConnection: close\r\n", client.received)

    def test_latecomer(self) -> None:
        """A connection accepted after the stop began may send one request, and does not delay the stop otherwise."""
        self.client()
        drained = self.site.drain(30)
        late, silent = self.client(get(b"/now")), self.client()
        self.assertIn(b"\r\nConnection: close\r\n", late.received)
        self.reactor.pass_time(LINGER_S + 0.2)
        self.assertEqual(silent.ending, Ending.CLOSED)
        self.successResultOf(drained)

    def test_limit(self) -> None:
        """At the limit, requests without a response get 503 and all others are aborted; the daemon logs how many."""
        clients = [self.client(*sent) for sent in ((get(),), (post(1000, body=b"x"),), (get()[:5],), (get(),))]
        self.requests[-1].write(b"half an answer")
        drained = self.site.drain(5)
        self.reactor.advance(4.9)
        self.assertEqual({client.ending for client in clients}, {Ending.OPEN})
        with capturedLogs() as logs:
            self.reactor.advance(0.2)
        self.assertNoResult(drained)
        for client in clients[:2]:
            self.assertEqual(error_of(client.received), (503, "shutting_down"))
            self.assertIn(b"\r\nRetry-After: 1\r\n", client.received)
            self.assertIn(b"\r\nConnection: close\r\n", client.received)
        self.assertEqual([client.ending for client in clients[2:]], [Ending.RESET, Ending.RESET])
        self.assertIn("3 were ended", " ".join(map(str, map(formatEvent, logs))))
        # The client may still upload; it has a short time to read the response.
        self.reactor.advance(STOP_S + 0.1)
        self.successResultOf(drained)
        stats = self.stats
        self.assertEqual((stats.stopped, stats.clients_gone, stats.broken_off, stats.answers["5xx"]), (3, 0, 0, 2))

    def test_no_limit(self) -> None:
        """Without a limit the stop waits for the requests as long as they take."""
        client = self.client(get())
        drained = self.site.drain(None)
        self.reactor.pass_time(100_000, step=10_000)
        self.assertNoResult(drained)
        self.requests[0].finish()
        self.reactor.settle()
        self.successResultOf(drained)
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_stop(self) -> None:
        """Requests can be ended at once; a second call aborts all connections."""
        clients = [self.client(*sent) for sent in ((), (get(),), (post(1000, body=b"x"),))]
        drained = self.site.drain(30)
        self.site.stop()
        self.reactor.settle()
        self.assertEqual([client.ending for client in clients], [Ending.RESET, Ending.CLOSED, Ending.HALF])
        self.site.stop()
        self.reactor.settle()
        self.assertEqual(clients[2].ending, Ending.RESET)
        self.successResultOf(drained)
