"""
Tests for :mod:`sttproxy.relay`: bodies and responses from socket to socket.  Failures are tested in `test_failures`
and `test_departures`.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Sequence

from zope.interface.verify import verifyClass, verifyObject

from sttproxy.errors import Header, ProxyError
from sttproxy.inbound.body import WholeBody
from sttproxy.inbound.channel import MAX_PIPELINED
from sttproxy.upload import Untouched, Upload
from sttproxy.upstream.interfaces import IOutgoing, OutgoingHead

from ..support.fakes import Ending, Peer
from ..support.requests import request_to_send
from ..support.stage import ProxyTestCase, chunked, get, message, ok, post, transcription

CHUNKED = b"Transfer-Encoding: chunked"


class StoppingReceiver:
    """
    Stops an upload at its first bytes.

    :ivar calls: the calls that it received.
    """

    upload: Upload
    unsent = 0

    def __init__(self) -> None:
        self.calls: list[object] = []

    def body_received(self, data: bytes) -> None:
        self.calls.append(data)
        self.upload.stopProducing()

    def body_ended(self, trailers: Sequence[Header] = ()) -> None:
        self.calls.append("ended")

    def body_failed(self, error: ProxyError) -> None:
        self.calls.append(error)


class UploadTests(ProxyTestCase):
    """A body on its way to the upstream."""

    def test_interface(self) -> None:
        """An upload implements the interface that the upstream connection expects of a request."""
        upload = Upload(request_to_send(), WholeBody(b""), Untouched(), 0)
        upload.head = OutgoingHead(b"POST", b"/", [], False, False)
        self.assertTrue(verifyClass(IOutgoing, Upload))
        self.assertTrue(verifyObject(IOutgoing, upload))

    def test_stopped(self) -> None:
        """After a stop no further call comes, not even for the end of the body."""
        receiver = StoppingReceiver()
        receiver.upload = Upload(request_to_send(), WholeBody(b"x"), Untouched(), 1)
        receiver.upload.deliver(receiver)
        self.assertEqual(receiver.calls, [b"x"])

    def test_head_before_body(self) -> None:
        """The upstream gets the head before the client has sent any of the body, and each byte as it comes."""
        client = self.client(post(4))
        head, _, rest = self.server.news().partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: 4", head)
        self.assertEqual(rest, b"")
        for piece in (b"a", b"bc", b"d"):
            client.send(piece)
            self.assertEqual(self.server.news(), piece)

    def test_framings(self) -> None:
        """A body with a length is sent with it, a chunked one is sent chunked; without a body neither field is sent."""
        self.client(post(4, body=b"abcd"))
        self.assertTrue(self.server.news().endswith(b"\r\n\r\nabcd"))
        client = self.client(post(None, body=chunked(b"ab", last=False)))
        received = self.server.news()
        self.assertTrue(received.endswith(b"\r\n\r\n" + chunked(b"ab", last=False)))
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n", received)
        client.send(chunked())
        self.assertEqual(self.server.news(), chunked())
        self.client(get())
        received = self.server.news()
        self.assertNotIn(b"Content-Length", received)
        self.assertNotIn(b"Transfer-Encoding", received)
        self.client(post(0))
        self.assertIn(b"\r\nContent-Length: 0\r\n", self.server.news())

    def test_any_cut(self) -> None:
        """The upstream receives the same bytes, however the network cut the client's bytes."""
        for data in (post(11, body=b"hello world"), post(None, body=chunked(b"hello ", b"world"))):
            for cut in range(1, len(data)):
                self.proxy()
                self.client(data[:cut], data[cut:])
                parsed = self.server.received.partition(b"\r\n\r\n")[2]
                if b"chunked" in data:
                    parsed = b"".join(parsed.split(b"\r\n")[1::2])
                self.assertEqual(parsed, b"hello world", cut)

    def test_held_until_connected(self) -> None:
        """The client is paused until the upstream connection is made; then all that it sent is forwarded in order."""
        self.upstream.at_once = False
        client = self.client(post(200_000, body=b"a" * 1000), *[b"b" * 50_000] * 3)
        self.assertFalse(client.heard)
        self.upstream.accept()
        self.assertTrue(self.server.received.endswith(b"a" * 1000 + b"b" * 150_000))

    def test_backpressure(self) -> None:
        """An upstream that does not read pauses the client; memory use stays bounded, and no byte is lost."""
        client = self.client(post(10_000_000))
        self.server.stall()
        for _ in range(100):
            client.send(b"z" * 50_000)
        self.assertFalse(client.heard)
        self.assertLess(self.server.unsent, 200_000)
        while client.socket.arriving:
            self.server.read(70_000)
        self.server.read()
        self.assertEqual(self.server.received.count(b"z"), 5_000_000)
        self.assertTrue(client.heard)

    def test_backpressure_at_delivery(self) -> None:
        """The client is paused too if the upstream does not read what the client sent during the connection attempt."""
        self.upstream.at_once = False
        client = self.client(post(10_000_000) + b"x" * 65_536, *[b"x" * 50_000] * 10)
        self.upstream.accept()
        self.server.stall()
        self.reactor.settle()
        self.assertLess(self.server.unsent, 200_000)
        self.server.read()
        self.assertTrue(client.heard)


class ResponseTests(ProxyTestCase):
    """A response on its way to the client."""

    def answered(self, answer: bytes, request: bytes = get()) -> tuple[Peer, bytes]:
        """Return a client, and what it gets of an upstream's response."""
        client = self.client(request)
        self.server.send(answer)
        return client, client.received

    def test_as_it_came(self) -> None:
        """Status, phrase, body, and headers in their order and spelling are relayed unchanged."""
        fields = (b"dAte: yesterday", b"sErver: x", b"Set-Cookie: a=1", b"Set-Cookie: b=2", b"X-\xe4: \xe4")
        for line in (b"HTTP/1.1 200 OK", b"HTTP/1.1 299 Odd  phrase", b"HTTP/1.1 500 ", b"HTTP/1.1 404"):
            answer = message(line, *fields[:4], b"Content-Length: 3", body=b"abc")
            self.assertEqual(self.answered(answer)[1], answer)

    def test_framings(self) -> None:
        """Length and chunked framing are kept; a body that ends with the upstream's connection is sent chunked."""
        self.assertEqual(self.answered(ok())[1], ok())
        answer = message(b"HTTP/1.1 200 OK", CHUNKED, body=chunked(b"hel", b"lo"))
        self.assertEqual(self.answered(answer)[1], answer)
        client, _ = self.answered(message(b"HTTP/1.1 200 OK", body=b"hello"))
        self.server.close()
        self.assertEqual(client.received, message(b"HTTP/1.1 200 OK", CHUNKED, body=chunked(b"hello")))
        self.assertEqual(client.ending, Ending.OPEN)

    def test_http10_client(self) -> None:
        """To an HTTP/1.0 client a body without a length ends with the connection."""
        answer = message(b"HTTP/1.1 200 OK", CHUNKED, body=chunked(b"hel", b"lo"))
        client, received = self.answered(answer, get(b"/x", b"Connection: keep-alive", version=b"HTTP/1.0"))
        self.assertEqual(received, message(b"HTTP/1.1 200 OK", b"Connection: close", body=b"hello"))
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_bodiless(self) -> None:
        """Responses to HEAD, 204 and 304 keep their length and have no body; connections on both sides persist."""
        client = self.client()
        for method, answer in (
            (b"HEAD", message(b"HTTP/1.1 200 OK", b"Content-Length: 10")),
            (b"GET", message(b"HTTP/1.1 204 No Content")),
            (b"GET", message(b"HTTP/1.1 304 Not Modified", b"Content-Length: 10")),
        ):
            client.send(get(method=method))
            self.server.send(answer)
            self.assertEqual(client.news(), answer)
        self.assertEqual((client.ending, len(self.upstream.peers)), (Ending.OPEN, 1))

    def test_hop_by_hop(self) -> None:
        """Hop-by-hop fields of the upstream are dropped."""
        fields = (b"Connection: X-Hop, close", b"Keep-Alive: timeout=5", b"X-Hop: 1", b"X: y")
        self.assertEqual(self.answered(ok(b"hi", *fields))[1], ok(b"hi", b"X: y"))

    def test_streamed(self) -> None:
        """Server-sent events are relayed as they arrive."""
        client = self.client(get())
        self.server.send(message(b"HTTP/1.1 200 OK", b"Content-Type: text/event-stream", CHUNKED))
        self.assertTrue(client.news().endswith(b"\r\n\r\n"))
        for event in (b"data: 1\n\n", b"data: 2\n\n"):
            self.server.send(chunked(event, last=False))
            self.assertEqual(client.news(), chunked(event, last=False))

    def test_interim(self) -> None:
        """103 is relayed without its hop-by-hop fields, 100 is not relayed; HTTP/1.0 clients get neither."""
        early = message(b"HTTP/1.1 103 Early Hints", b"Link: </s>", b"Keep-Alive: 5")
        answer = early + message(b"HTTP/1.1 100 Continue") + ok()
        self.assertEqual(self.answered(answer)[1], message(b"HTTP/1.1 103 Early Hints", b"Link: </s>") + ok())
        received = self.answered(answer, get(version=b"HTTP/1.0"))[1]
        self.assertTrue(received.startswith(b"HTTP/1.1 200 OK"))

    def test_backpressure(self) -> None:
        """A client that does not read pauses the upstream; memory use stays bounded, and no byte is lost."""
        client = self.client(get())
        client.stall()
        self.server.send(message(b"HTTP/1.1 200 OK", b"Content-Length: 5000000"))
        for _ in range(100):
            self.server.send(b"x" * 50_000)
        self.assertFalse(self.server.heard)
        self.assertLess(client.unsent, 200_000)
        while self.server.socket.arriving:
            client.read(70_000)
        client.read()
        self.assertEqual(client.received.count(b"x"), 5_000_000)
        self.assertFalse(self.pool.busy)

    def test_backpressure_at_the_end(self) -> None:
        """A client that still reads one response does not pause the next response on the same upstream connection."""
        slow = self.client(get())
        slow.stall()
        self.server.send(message(b"HTTP/1.1 200 OK", b"Content-Length: 100000", body=b"x" * 40_000), b"x" * 60_000)
        other = self.client(get())
        self.server.send(ok())
        self.assertEqual((other.received, len(self.upstream.peers)), (ok(), 1))
        slow.read()
        self.assertEqual(slow.received.count(b"x"), 100_000)

    def test_slow_reader_is_answered_on(self) -> None:
        """For a client that pipelines requests and reads nothing, only a limited number of responses is fetched."""
        client = self.client()
        client.stall()
        client.send(get() * 1000)
        for _ in range(100):
            if self.server.heard and self.pool.busy:
                self.server.send(ok(b"x" * 10_000))
        self.assertLess(client.unsent, 300_000)

    def test_slow_reader_goes_on(self) -> None:
        """
        A client that pipelines requests and reads in small pieces, or pauses anywhere, gets all responses in the end.
        """
        answers = [ok(b"x" * 66_000), ok(b"hello"), ok(b"x" * 66_000), ok(b"hi")]
        for cuts in itertools.product((-3, 70_000), repeat=2):
            for goes_on_at in range(2 * len(answers) + 1):
                for bit in (0, 66_000):
                    self.proxy()
                    client = self.client()
                    client.stall()
                    client.send(get() * len(answers))
                    for number in range(2 * len(answers)):
                        answer, cut = answers[number // 2], cuts[number // 2 % 2]
                        asked = self.server.received.count(b"GET") > number // 2
                        client.read(None if number >= goes_on_at or not asked else bit)
                        self.assertGreater(self.server.received.count(b"GET"), number // 2, (cuts, goes_on_at, bit))
                        self.server.send(answer[cut:] if number % 2 else answer[:cut])
                    client.read()
                    self.assertEqual(client.received, b"".join(answers), (cuts, goes_on_at, bit))

    def test_pipelined(self) -> None:
        """Pipelined requests are answered in order, over one upstream connection."""
        client = self.client(b"".join(get(b"/%d" % number) for number in range(5)))
        for number in range(5):
            self.assertIn(b"GET /%d " % number, self.server.news())
            self.server.send(ok(b"%d" % number))
        self.assertEqual(client.received, b"".join(ok(b"%d" % number) for number in range(5)))
        self.assertEqual(len(self.upstream.peers), 1)

    def test_flood(self) -> None:
        """A client that pipelines more than the buffer limit is paused, with and without bodies."""
        for request in (post(2, body=b"ab"), get()):
            client = self.client()
            client.socket.arriving.extend([request * (65536 // len(request))] * 60)
            self.reactor.settle()
            for _ in range(40):
                self.server.send(ok())
            self.assertLess(len(client.protocol._buffer), 4 * MAX_PIPELINED)

    def test_two_clients(self) -> None:
        """Two clients share nothing but idle connections."""
        one, other = self.client(get(b"/one")), self.client(get(b"/other"))
        first, second = self.upstream.peers
        second.send(ok(b"other"))
        first.send(ok(b"one"))
        self.assertEqual((one.received, other.received), (ok(b"one"), ok(b"other")))


class GarbageTests(ProxyTestCase):
    """Memory of finished requests."""

    def test_nothing_left_to_collect(self) -> None:
        """A finished request is freed by reference counting; garbage collector runs would cost more than relaying."""
        self.proxy(response_s=60)
        client = self.client()
        requests = (get(), post(2, body=b"ab"), post(None, body=chunked(b"ab")), transcription())
        for request in requests * 2:
            gc.collect()
            client.send(request)
            self.server.send(ok())
            self.assertTrue(client.news().endswith(b"hi"))
            self.assertEqual(gc.collect(), 0, request)
