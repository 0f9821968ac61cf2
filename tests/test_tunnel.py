"""
Tests for :mod:`sttproxy.tunnel`, and for upgrades from socket to socket.
"""

from __future__ import annotations

from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.internet.testing import StringTransport
from zope.interface.verify import verifyClass, verifyObject

from sttproxy.inbound.interfaces import Timeouts
from sttproxy.tunnel import TunnelEnd, connect, ends
from sttproxy.websocket import Close, close_frame

from .support.fakes import Ending, FakeReactor, Peer
from .support.stage import ProxyTestCase, error_of, get, message, ok, post

UPGRADE = (b"Connection: keep-alive, Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: k")
SWITCH = message(b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade", b"Upgrade: websocket")


class EndsTests(ProxyTestCase):
    """The two ends of a tunnel."""

    def test_interfaces(self) -> None:
        """An end implements the protocol interface, and is the other end's producer."""
        end, other = ends(FakeReactor())
        self.assertTrue(verifyClass(IPushProducer, TunnelEnd))
        self.assertTrue(verifyObject(IPushProducer, end))
        self.assertTrue(verifyObject(IProtocol, other))

    def test_early(self) -> None:
        """Bytes that had arrived before at either end are sent first."""
        end, other = ends(self.reactor)
        here, there = Peer(self.reactor, end), Peer(self.reactor, other)
        connect(end, b"early here", b"early there")
        here.send(b", late here")
        there.send(b", late there")
        self.assertEqual((there.received, here.received), (b"early here, late here", b"early there, late there"))
        here.close()

    def test_ended_once(self) -> None:
        """The end that was lost first is not closed after the other one: TLS transports raise an exception then."""
        end, other = ends(self.reactor)
        here, there = StringTransport(), StringTransport()
        end.makeConnection(here)
        other.makeConnection(there)
        connect(end, b"", b"")
        end.connectionLost()
        self.assertTrue(there.disconnecting)
        other.connectionLost()
        self.assertFalse(here.disconnecting)


class UpgradeTests(ProxyTestCase):
    """The upgrade from a connection to a tunnel."""

    def test_asked(self) -> None:
        """The upstream gets the client's Upgrade field, and no other hop-by-hop field."""
        self.client(get(b"/x", *UPGRADE, b"TE: trailers"))
        received = self.server.received
        self.assertIn(b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", received)
        self.assertIn(b"\r\nSec-WebSocket-Key: k\r\n", received)
        self.assertEqual((received.lower().count(b"connection:"), received.count(b"TE:")), (1, 0))

    def test_switched(self) -> None:
        """The upstream's 101 reaches the client with its fields, and then bytes pass in both directions."""
        client = self.client(get(b"/x", *UPGRADE))
        self.server.news()
        self.server.send(SWITCH.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Accept: a\r\nKeep-Alive: 5\r\n\r\n"))
        head = (b"Sec-WebSocket-Accept: a", b"Connection: Upgrade", b"Upgrade: websocket")
        self.assertEqual(client.news(), message(b"HTTP/1.1 101 Switching Protocols", *head))
        for data in (b"\x81\x05hello", get(), b"\0" * 1000):
            client.send(data)
            self.assertEqual(self.server.news(), data)
            self.server.send(data)
            self.assertEqual(client.news(), data)

    def test_early_bytes(self) -> None:
        """Bytes that came along with the request or with the 101 are the first in the tunnel."""
        client = self.client(get(b"/x", *UPGRADE) + b"client first", b", second")
        self.assertTrue(self.server.news().endswith(b"\r\n\r\n"))
        self.server.send(SWITCH + b"server first", b", second")
        self.assertEqual(self.server.news(), b"client first, second")
        self.assertTrue(client.received.endswith(b"\r\n\r\nserver first, second"))

    def test_many_early_bytes(self) -> None:
        """A client that was paused because it sent much early is resumed in the tunnel."""
        client = self.client(get(b"/x", *UPGRADE) + b"z" * 65_000, *[b"z" * 50_000] * 3)
        self.assertFalse(client.heard)
        self.server.send(SWITCH)
        self.assertTrue(client.heard)
        self.assertEqual(self.server.received.count(b"z"), 215_000)

    def test_any_cut(self) -> None:
        """The upgrade works however the network cuts the 101 and the bytes after it."""
        data = SWITCH + b"\x81\x05hello"
        for cut in range(1, len(data)):
            client = self.client(get(b"/x", *UPGRADE))
            self.server.send(data[:cut], data[cut:])
            self.assertTrue(client.received.endswith(b"\r\n\r\n\x81\x05hello"), cut)
            client.close()

    def test_refused(self) -> None:
        """A refusal is a response like any other, and both connections persist."""
        client = self.client(get(b"/x", *UPGRADE))
        self.server.send(ok())
        self.assertEqual(client.news(), ok())
        client.send(get())
        self.server.send(ok())
        self.assertEqual((client.news(), len(self.upstream.peers)), (ok(), 1))

    def test_not_asked(self) -> None:
        """A 101 without an Upgrade request, or after one that is not forwarded, is an invalid response."""
        for data in (
            get(),
            get(b"/x", b"Upgrade: websocket"),
            get(b"/x", b"Connection: upgrade"),
            get(b"/x", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: x"),
            get(b"/x", *UPGRADE, version=b"HTTP/1.0"),
            post(4, *UPGRADE, body=b"abcd"),
        ):
            client = self.client(data)
            self.assertNotIn(b"pgrade:", self.server.received)
            self.server.send(SWITCH)
            self.assertEqual(error_of(client.received), (502, "bad_gateway"))

    def test_upstream_gone(self) -> None:
        """An upstream that closes instead of switching is handled like any premature close."""
        client = self.client(get(b"/x", *UPGRADE) + b"early")
        self.server.close()
        self.assertEqual(error_of(client.news()), (502, "upstream_closed"))


class TunnelTests(ProxyTestCase):
    """An established tunnel."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(timeouts=Timeouts(10, 10, 10, 10), response_s=10.0)
        self.open()

    def open(self, protocol: bytes = b"websocket") -> None:
        """Return a new tunnel."""
        self.near = self.client(get(b"/x", *(line.replace(b"websocket", protocol) for line in UPGRADE)))
        self.far = self.server
        self.far.send(SWITCH.replace(b"websocket", protocol))
        for peer in (self.near, self.far):
            peer.news()

    def test_no_limits(self) -> None:
        """The limits for requests do not apply to a tunnel, whether it is silent or busy."""
        self.reactor.pass_time(600, 1)
        self.near.send(b"x" * 100)
        self.reactor.pass_time(600, 1)
        self.assertEqual((self.far.news(), self.near.ending), (b"x" * 100, Ending.OPEN))

    def test_counted(self) -> None:
        """It is counted as one request in flight, and as one response when it ends."""
        self.assertEqual((self.stats.in_flight, self.pool.busy), (1, True))
        self.near.close()
        self.assertEqual((self.stats.in_flight, self.pool.busy, self.stats.answers), (0, False, {"1xx": 1}))
        self.assertEqual(self.stats.clients_gone, 0)

    def test_backpressure(self) -> None:
        """Backpressure passes through the tunnel; memory use stays bounded, and no byte is lost."""
        for source, sink in ((self.near, self.far), (self.far, self.near)):
            sink.stall()
            for _ in range(50):
                source.send(b"z" * 50_000)
            self.assertFalse(source.heard)
            self.assertLess(sink.unsent, 200_000)
            self.assertTrue(sink.heard)
            sink.read()
            self.assertEqual(sink.news(), b"z" * 2_500_000)
            self.assertTrue(source.heard)

    def test_backpressure_is_one_way(self) -> None:
        """If one side does not read, its own bytes still pass."""
        self.far.stall()
        for _ in range(5):
            self.near.send(b"z" * 50_000)
        self.far.send(b"hello")
        self.assertEqual(self.near.news(), b"hello")

    def test_close(self) -> None:
        """A close of one side reaches the other one, after the bytes sent before it."""
        for leaving, staying in (("near", "far"), ("far", "near")):
            self.open()
            getattr(self, leaving).send(b"bye")
            getattr(self, leaving).close()
            self.assertEqual(getattr(self, staying).news(), b"bye")
            self.assertEqual({self.near.ending, self.far.ending}, {Ending.CLOSED})

    def test_reset(self) -> None:
        """A reset of one side reaches the other one."""
        for leaving, staying in (("near", "far"), ("far", "near")):
            self.open()
            getattr(self, leaving).reset()
            self.assertEqual(getattr(self, staying).ending, Ending.RESET)

    def test_close_behind_a_slow_reader(self) -> None:
        """The close waits for a side that still reads."""
        for leaving, staying in (("near", "far"), ("far", "near")):
            self.open()
            slow = getattr(self, staying)
            slow.stall()
            getattr(self, leaving).send(b"z" * 30_000)
            getattr(self, leaving).close()
            self.assertEqual(slow.ending, Ending.OPEN)
            slow.read()
            self.assertEqual((slow.news(), slow.ending), (b"z" * 30_000, Ending.CLOSED))

    def test_leaving_while_held_back(self) -> None:
        """If a paused side disconnects, this is noticed within a second, and the other side is closed."""
        for leaving, staying in (("near", "far"), ("far", "near")):
            self.open()
            getattr(self, staying).stall()
            source = getattr(self, leaving)
            while source.heard:
                source.send(b"z" * 50_000)
            source.close()
            self.reactor.pass_time(1)
            self.assertEqual({self.near.ending, self.far.ending}, {Ending.RESET})

    def test_other_side_leaves_while_held_back(self) -> None:
        """A paused side is closed when the other side disconnects."""
        for leaving, held in (("near", "far"), ("far", "near")):
            self.open()
            getattr(self, leaving).stall()
            source = getattr(self, held)
            while source.heard:
                source.send(b"z" * 50_000)
            getattr(self, leaving).reset()
            self.assertEqual(source.ending, Ending.RESET)

    def test_write_fails(self) -> None:
        """A write error on one side closes that side."""
        self.near.refuse_to_read()
        self.far.send(b"hello")
        self.assertNotEqual(self.near.ending, Ending.OPEN)
        self.assertNotEqual(self.far.ending, Ending.OPEN)

    def test_daemon_stops(self) -> None:
        """When the daemon stops, a tunnel of an unknown protocol is closed after five seconds."""
        self.open(b"other")
        drained = self.site.drain(30)
        self.reactor.pass_time(4.5)
        self.near.send(b"still here")
        self.assertEqual(self.far.news(), b"still here")
        self.reactor.pass_time(1)
        self.assertEqual({self.near.ending, self.far.ending}, {Ending.RESET})
        self.successResultOf(drained)

    def test_websocket_told(self) -> None:
        """WebSocket peers get a close frame at once, and the connection ends when both have closed."""
        self.far.send(b"\x81\x05hello")
        drained = self.site.drain(30)
        self.reactor.settle()
        self.assertEqual(self.near.news()[-4:], b"\x88\x02\x03\xe9")
        frame = self.far.news()
        self.assertEqual(
            (frame[:2], bytes(frame[6 + at] ^ frame[2 + at] for at in range(2))), (b"\x88\x82", b"\x03\xe9")
        )
        self.far.send(b"\x81\x04late")
        self.assertEqual(self.near.news(), b"")
        self.near.send(close_frame(Close(1001), masked=True))
        self.assertEqual({self.near.ending, self.far.ending}, {Ending.CLOSED})
        self.successResultOf(drained)

    def test_websocket_between_frames(self) -> None:
        """A frame in transit is passed on completely, wherever it is cut, before our close frame."""
        whole = b"\x82\x7e\x01\x00" + b"z" * 256
        for cut in range(1, len(whole)):
            self.open()
            self.far.send(whole[:cut])
            drained = self.site.drain(30)
            self.reactor.settle()
            self.assertTrue(self.near.news().endswith(whole[:cut]))
            self.far.send(whole[cut:] + b"\x81\x04late")
            self.assertEqual(self.near.news(), whole[cut:] + b"\x88\x02\x03\xe9")
            self.reactor.pass_time(5.5)
            self.successResultOf(drained)
            self.tearDown()
            self.setUp()
