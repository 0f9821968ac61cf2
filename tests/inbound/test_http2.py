"""
Tests for :mod:`sttproxy.inbound.http2` and its streams: requests, and ends of connections.
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, GoAwayFrame, SettingsFrame, WindowUpdateFrame

from sttproxy.http2.outbound import PREFACE
from sttproxy.inbound.channel import HTTP2_LINGER_S
from sttproxy.inbound.interfaces import Timeouts

from ..support.fakes import Ending
from ..support.http2 import FORM_TYPE, HTTP2TestCase
from ..support.stage import FORM, PATH, message, ok


class RequestTests(HTTP2TestCase):
    """Requests and their responses."""

    def test_get(self) -> None:
        """A request reaches the upstream as HTTP/1.1, and the response comes back; the connection goes on."""
        client = self.connected()
        for _ in range(3):
            number = client.ask(b"/v1/models", (b"x-a", b"1"))
            self.assertTrue(self.server.news().startswith(b"GET /v1/models HTTP/1.1\r\nhost: h\r\nx-a: 1\r\n"))
            self.server.send(ok(b"hello", b"X-B: 2", b"Connection: keep-alive"))
            client.exchange()
            self.assertEqual((client.status[number], client.bodies[number]), (200, b"hello"))
            self.assertEqual(client.fields[number], {b"content-length": b"5", b"x-b": b"2"})
            self.assertIn(number, client.ended)
        self.assertEqual((client.goaway, client.resets), (None, {}))

    def test_one_frame(self) -> None:
        """A short response ends with the frame of its body."""
        client = self.connected()
        number = client.ask(b"/x")
        self.server.send(ok(b"hello"))
        self.reactor.settle()
        self.assertTrue(client.peer.news().endswith(DataFrame(number, b"hello", flags=["END_STREAM"]).serialize()))

    def test_transcription(self) -> None:
        """A form is rewritten, with and without a length."""
        self.proxy(fields=b'{"language": "zh"}')
        client = self.connected()
        for fields in ([(b"content-length", b"%d" % len(FORM))], []):
            number = client.ask(PATH, (b"content-type", FORM_TYPE), *fields, method=b"POST", ends=False)
            client.send(number, FORM, ends=True)
            received = self.server.news()
            self.assertIn(b'name="language"\r\n\r\nzh\r\n', received)
            self.assertNotIn(b"\r\n\r\nen\r\n", received)
            self.server.send(ok())
            client.exchange()
            self.assertEqual(client.status[number], 200)

    def test_streams(self) -> None:
        """Several requests are in flight at once, and are answered in any order."""
        client = self.connected()
        first, second = client.ask(b"/1"), client.ask(b"/2")
        one, two = self.upstream.peers[-2:]
        two.send(ok(b"second"))
        client.exchange()
        self.assertEqual((client.bodies.get(first), client.bodies[second]), (None, b"second"))
        one.send(ok(b"first"))
        client.exchange()
        self.assertEqual(client.bodies[first], b"first")

    def test_bodiless(self) -> None:
        """HEAD, 204 and 304 have no body, and end."""
        client = self.connected()
        for method, response in (
            (b"HEAD", message(b"HTTP/1.1 200 OK", b"Content-Length: 5")),
            (b"GET", message(b"HTTP/1.1 204 No Content")),
            (b"GET", message(b"HTTP/1.1 304 Not Modified")),
        ):
            number = client.ask(method=method)
            self.server.send(response)
            client.exchange()
            self.assertIn(number, client.ended)
            self.assertEqual(client.bodies.get(number, b""), b"")

    def test_interim(self) -> None:
        """100 is sent to a client that expects it, and 103 is forwarded."""
        client = self.connected()
        fields = [(b"content-length", b"2"), (b"expect", b"100-continue")]
        number = client.ask(b"/x", *fields, method=b"POST", ends=False)
        self.assertEqual(client.interim, [100])
        client.send(number, b"ab", ends=True)
        self.server.send(message(b"HTTP/1.1 103 Early Hints", b"Link: a") + ok())
        client.exchange()
        self.assertEqual((client.interim, client.status[number]), ([100, 103], 200))

    def test_own_pages(self) -> None:
        """The proxy's own pages and errors work as over HTTP/1.1."""
        client = self.connected()
        stats, missing = client.ask(b"/stats"), client.ask(b"/profiles/none/x")
        self.assertEqual((client.status[stats], client.status[missing]), (200, 404))
        self.assertIn(b"total_requests", client.bodies[stats])

    def test_rejected(self) -> None:
        """A malformed head gets 400 and a log line, and costs no other stream anything."""
        client = self.connected()
        good = client.ask(b"/good")
        bad = client.ask(b"/a b")
        self.assertEqual(client.status[bad], 400)
        self.assertIn(b"percent-encode", client.bodies[bad])
        self.assertEqual(self.stats.refused_requests, 1)
        self.server.send(ok(b"good"))
        client.exchange()
        self.assertEqual(client.bodies[good], b"good")

    def test_prior_version(self) -> None:
        """A client that begins like the preface and goes on differently gets an error over HTTP/1.1."""
        for data in (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI /x HTTP/1.1\r\nHost: h\r\n\r\n"):
            client = self.client(data)
            self.assertTrue(client.received.startswith(b"HTTP/1.1 ") or self.server.received, data)

    def test_cut(self) -> None:
        """The preface may come in any pieces."""
        for cut in range(1, len(PREFACE)):
            peer = self.client(PREFACE[:cut])
            peer.send(PREFACE[cut:] + SettingsFrame(0).serialize())
            self.assertTrue(peer.received.startswith(b"\0\0"), cut)


class EndingTests(HTTP2TestCase):
    """Ends of connections."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(timeouts=Timeouts(idle=75))

    def test_idle(self) -> None:
        """An idle connection is closed with a GOAWAY; one with a request in flight is not."""
        client = self.connected()
        number = client.ask()
        self.reactor.pass_time(200, 1)
        self.server.send(ok())
        client.exchange()
        self.assertEqual((client.status[number], client.goaway), (200, None))
        self.reactor.pass_time(76, 1)
        self.assertEqual(client.peer.ending, Ending.CLOSED)
        client.exchange()
        self.assertEqual(client.goaway, 0)

    def test_drained(self) -> None:
        """When the daemon stops, requests in flight finish, and new ones are refused as not processed."""
        client = self.connected()
        number = client.ask()
        upstream = self.server
        drained = self.site.drain(30)
        self.reactor.settle()
        refused = client.ask(b"/2")
        self.assertEqual((client.resets, client.goaway), ({refused: ErrorCodes.REFUSED_STREAM}, None))
        self.assertNoResult(drained)
        upstream.send(ok(b"done"))
        client.exchange()
        self.assertEqual((client.bodies[number], client.goaway), (b"done", 0))
        client.peer.close()
        self.successResultOf(drained)

    def test_drained_slowly(self) -> None:
        """A client that still reads the last response gives windows back, which resets nothing."""
        client = self.connected()
        number = client.ask()
        self.site.drain(30)
        self.server.send(ok(bytes(50_000)))
        for _ in range(5):
            self.reactor.pass_time(HTTP2_LINGER_S - 0.5, 0.5)
            client.peer.send(WindowUpdateFrame(number, 1000).serialize())
        self.assertEqual(client.peer.ending, Ending.HALF)
        self.reactor.pass_time(HTTP2_LINGER_S, 0.5)
        self.assertEqual(client.peer.ending, Ending.CLOSED)

    def test_goaway(self) -> None:
        """After a client's GOAWAY its requests in flight finish, new ones are refused, and the connection closes."""
        for code in (ErrorCodes.NO_ERROR, ErrorCodes.CANCEL):
            client = self.connected()
            number = client.ask(b"/1", method=b"POST", ends=False)
            upstream = self.server
            client.raw(GoAwayFrame(0, error_code=code, additional_data=b"bye"))
            client.send(number, b"more", ends=True)
            refused = client.ask(b"/2")
            self.assertEqual(client.resets, {refused: ErrorCodes.REFUSED_STREAM})
            upstream.send(ok(b"done"))
            client.exchange()
            self.assertEqual((client.bodies[number], client.goaway), (b"done", 0))
            self.assertEqual(client.peer.ending, Ending.HALF)
            client.peer.close()

    def test_goaway_idle(self) -> None:
        """A GOAWAY closes a connection without requests."""
        client = self.connected()
        client.raw(GoAwayFrame(0))
        self.assertEqual((client.goaway, client.peer.ending), (0, Ending.CLOSED))

    def test_stopped(self) -> None:
        """After the grace period a request without a response gets 503."""
        client = self.connected()
        number = client.ask()
        self.site.drain(5)
        self.reactor.pass_time(6, 1)
        client.exchange()
        self.assertEqual((client.status[number], client.goaway), (503, 0))
        self.server.close()

    def test_disconnected(self) -> None:
        """A client that disconnects ends all its requests."""
        client = self.connected()
        client.ask(b"/1"), client.ask(b"/2")
        peers = self.upstream.peers[-2:]
        client.peer.reset()
        self.reactor.settle()
        self.assertEqual([peer.ending for peer in peers], [Ending.RESET] * 2)
        self.assertEqual(self.stats.clients_gone, 2)
