"""
Tests for :mod:`sttproxy.inbound.channel`: arriving bodies, and responses before the end of the body.
"""

from __future__ import annotations

from sttproxy.errors import BodyTooLarge, UpstreamError
from sttproxy.inbound.channel import MAX_DRAINED

from ..support.fakes import Ending, Peer
from ..support.stage import ScriptedTestCase, Taken, chunked, error_of, get, message, ok, post

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
FORM = bytes(range(256)) * 4


class UploadTests(ScriptedTestCase):
    """A body arrives while its request is being answered."""

    def upload(self, *segments: bytes) -> tuple[Peer, Taken]:
        """Return a client that has begun an upload, and the receiver of the body."""
        client = self.client(*segments)
        return client, Taken(self.requests[-1].body)

    def test_dispatched_at_head(self) -> None:
        """A request is dispatched when its head is complete, before any byte of its body."""
        client = self.client(post(4))
        self.assertEqual(len(self.requests), 1)
        client.send(b"ab")
        taken = Taken(self.requests[0].body)
        client.send(b"cd")
        self.assertEqual((taken.data, taken.ended), (b"abcd", True))

    def test_any_cut(self) -> None:
        """However the network cut it, a body arrives completely, and so does the next request after it."""
        for data in (post(len(FORM), body=FORM), post(None, body=chunked(FORM[:100], FORM[100:]))):
            for cut in range(1, len(data), 7):
                client, taken = self.upload(post(3, body=b"abc"))
                self.requests[-1].finish()
                client.send(data[:cut])
                if self.requests[-1].body is not taken:
                    taken = Taken(self.requests[-1].body)
                client.send(data[cut:] + get(b"/now"))
                if cut < data.index(b"\r\n\r\n") + 4:
                    taken = Taken(self.requests[-1].body)
                self.reactor.settle()
                self.assertEqual((taken.data, taken.ended), (FORM, True), cut)
                self.requests[-1].finish()
                self.reactor.settle()
                self.assertTrue(client.received.endswith(b"/now"), cut)
                self.assertEqual(client.ending, Ending.OPEN)

    def test_held_until_taken(self) -> None:
        """Until a receiver takes the body, the client is paused: no more than one read is buffered."""
        client = self.client(post(1_000_000) + b"x" * 1000, *[b"x" * 10_000] * 20)
        self.assertFalse(client.heard)
        self.assertEqual(len(client.socket.arriving), 20)
        taken = Taken(self.requests[0].body)
        self.assertTrue(client.heard)
        self.reactor.settle()
        self.assertEqual(len(taken.data), 201_000)

    def test_held_from_the_head(self) -> None:
        """The same holds for a client that has sent only the head."""
        client = self.client(post(1_000_000))
        self.assertFalse(client.heard)

    def test_paced(self) -> None:
        """The receiver's pause and resume reach the client."""
        client, taken = self.upload(post(4, body=b"a"))
        body = self.requests[0].body
        body.pauseProducing()
        self.assertFalse(client.heard)
        client.send(b"b")
        self.assertEqual(taken.data, b"a")
        body.resumeProducing()
        self.reactor.settle()
        self.assertEqual(taken.data, b"ab")
        client.send(b"cd")
        self.assertTrue(taken.ended)

    def test_pause_outlived(self) -> None:
        """A pause ends together with the body that was paused."""
        client, _ = self.upload(post(4, body=b"a"))
        self.requests[0].body.pauseProducing()
        client.send(b"bcd" + get(b"/now"))
        self.requests[0].fail(UpstreamError("broken"))
        self.reactor.settle()
        self.assertTrue(client.heard)

    def test_continue(self) -> None:
        """A client that expects 100 Continue gets it when a receiver takes its body, and then gets one response."""
        client = self.client(post(2, b"Expect: 100-continue"))
        self.assertEqual(client.received, b"")
        taken = Taken(self.requests[0].body)
        self.reactor.settle()
        self.assertEqual(client.news(), CONTINUE)
        client.send(b"ab")
        self.assertTrue(taken.ended)
        self.requests[0].write(b"done")
        self.requests[0].finish()
        self.reactor.settle()
        self.assertEqual(client.news().count(b"HTTP/1.1"), 1)

    def test_no_continue(self) -> None:
        """A client that expects 100 Continue and is refused does not get 100 first."""
        client = self.client(post(2, b"Expect: 100-continue"))
        self.requests[0].fail(UpstreamError("nobody there"))
        self.reactor.settle()
        self.assertEqual(error_of(client.received), (502, "bad_gateway"))
        self.assertIn(b"\r\nConnection: close\r\n", client.received)

    def test_malformed(self) -> None:
        """
        Broken framing reaches the receiver; the connection is closed after the response, and later bytes are dropped.
        """
        client, taken = self.upload(post(None, body=chunked(b"ab", last=False) + b"xyz\r\n" + get(b"/now")))
        assert taken.error is not None
        self.requests[0].fail(taken.error)
        client.send(get(b"/now"))
        self.assertEqual(error_of(client.received), (400, "bad_request"))
        self.assertEqual((len(self.requests), client.ending), (1, Ending.HALF))

    def test_malformed_before_taken(self) -> None:
        """Framing that breaks before a receiver takes the body fails the body too."""
        client = self.client(post(None, body=b"xyz\r\n"), *[chunked(b"ab")] * 3)
        taken = Taken(self.requests[0].body)
        assert taken.error is not None
        self.requests[0].fail(taken.error)
        self.reactor.settle()
        self.assertEqual(error_of(client.received), (400, "bad_request"))

    def test_announced_limit(self) -> None:
        """An announced length over the limit is refused at the head."""
        self.serve_with(body=10)
        client = self.client(post(11, b"Expect: 100-continue"))
        self.assertEqual(error_of(client.received), (413, "body_too_large"))
        self.assertEqual(self.requests, [])
        _, taken = self.upload(post(10, body=b"x" * 10))
        self.assertTrue(taken.ended)

    def test_limit(self) -> None:
        """A chunked body fails when it exceeds the limit."""
        self.serve_with(body=10)
        client, taken = self.upload(post(None, body=chunked(b"x" * 10, last=False)))
        self.assertIsNone(taken.error)
        client.send(chunked(b"x", last=False))
        self.assertIsInstance(taken.error, BodyTooLarge)


class EarlyResponseTests(ScriptedTestCase):
    """A response that is complete before the upload is."""

    def answered(self, *segments: bytes) -> Peer:
        """Return a client in the middle of its upload that has just got its response."""
        client = self.client(*segments)
        Taken(self.requests[0].body)
        self.requests[0].send_head(413, b"Too much", [(b"Content-Length", b"2")], 2)
        self.requests[0].write(b"no")
        self.requests[0].finish()
        self.reactor.settle()
        return client

    def test_answer(self) -> None:
        """The client gets the response at once, with ``Connection: close``, and then the close; only once."""
        client = self.answered(post(1000, body=b"ab"))
        fields = (b"Content-Length: 2", b"Connection: close")
        self.assertEqual(client.received, message(b"HTTP/1.1 413 Too much", *fields, body=b"no"))
        self.assertEqual(client.ending, Ending.HALF)
        client.send(b"x" * 998 + get(b"/now"))
        self.assertEqual(client.news().count(b"HTTP/1.1"), 1)
        self.assertEqual((len(self.requests), self.stats.in_flight), (1, 0))

    def test_read_on(self) -> None:
        """The rest of the upload is read and dropped, so that the response is not lost to a reset."""
        client = self.answered(post(1_000_000, body=b"ab"))
        for _ in range(100):
            client.send(b"x" * 10_000)
            self.assertEqual((client.ending, len(client.socket.arriving)), (Ending.HALF, 0))
        client.close()
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_dropped_without_a_limit(self) -> None:
        """The drain is limited: a client that sends far too much is aborted."""
        client = self.answered(post(None))
        piece = b"x" * 65536
        whole = MAX_DRAINED // len(piece)
        client.protocol._dropped = (whole - 1) * len(piece)
        client.send(piece)
        self.assertEqual(client.ending, Ending.HALF)
        client.send(b"x")
        self.assertEqual(client.ending, Ending.RESET)

    def test_paused(self) -> None:
        """A client that was paused in its upload is resumed, and its bytes are dropped."""
        client = self.client(post(1000))
        self.assertFalse(client.heard)
        self.requests[0].fail(UpstreamError("nobody there"))
        self.reactor.settle()
        self.assertTrue(client.heard)
        client.send(b"x" * 1000)
        self.assertEqual(len(client.socket.arriving), 0)

    def test_held_back_in_pipelining(self) -> None:
        """A client that was paused while it sent further pipelined requests is resumed in the same way."""
        client = self.client(get(b"/x", b"Connection: close"), *[b"x" * 50_000] * 3)
        self.assertFalse(client.heard)
        self.requests[0].finish()
        self.reactor.settle()
        self.assertTrue(client.heard)
        self.assertEqual((client.ending, len(client.socket.arriving)), (Ending.HALF, 0))

    def test_slow_reader(self) -> None:
        """A client that reads a long response slowly gets all of it before the close."""
        client = self.client(post(1000, body=b"ab"))
        client.stall()
        self.requests[0].send_head(413, b"Too much", [(b"Content-Length", b"100000")], 100_000)
        self.requests[0].write(b"x" * 100_000)
        self.requests[0].finish()
        self.reactor.settle()
        self.assertEqual(client.ending, Ending.OPEN)
        client.read()
        self.assertTrue(client.received.endswith(b"x" * 100_000))
        self.assertEqual(client.ending, Ending.HALF)

    def test_complete_at_the_end(self) -> None:
        """The connection is closed also if the upload was completed between the response's head and its end."""
        client = self.client(post(4, body=b"ab"))
        taken = Taken(self.requests[0].body)
        self.requests[0].send_head(200, b"OK", [(b"Content-Length", b"2")], 2)
        client.send(b"cd")
        self.assertTrue(taken.ended)
        self.requests[0].write(b"hi")
        self.requests[0].finish()
        self.reactor.settle()
        self.assertEqual(client.received, ok(b"hi", b"Connection: close"))
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_complete_at_the_head(self) -> None:
        """If the upload was complete when the response began, the connection persists."""
        client = self.client(post(4, body=b"abcd"))
        Taken(self.requests[0].body)
        self.requests[0].send_head(413, b"Too much", [(b"Content-Length", b"0")], 0)
        self.requests[0].finish()
        client.send(get(b"/now"))
        self.assertEqual(len(self.requests), 2)

    def test_untouched_body(self) -> None:
        """A complete body that no receiver took does not affect the next request."""
        client = self.client(post(4, body=b"abcd") + get(b"/now"))
        self.requests[0].finish()
        self.reactor.settle()
        self.assertEqual(client.received.count(b"HTTP/1.1 200"), 2)
        self.assertEqual(client.ending, Ending.OPEN)


class DisconnectTests(ScriptedTestCase):
    """When a client disconnects, the request is notified at once and only once, in every state."""

    def disconnects(self, *segments: bytes, within: float = 0.0) -> None:
        """Return clients that sent something and then disconnect in each way."""
        for leave in (Peer.close, Peer.reset):
            client = self.client(*segments)
            finished = self.requests[-1].notifyFinish()
            leave(client)
            self.reactor.pass_time(within)
            self.failureResultOf(finished)
            self.assertTrue(self.requests[-1].over)
            self.assertNotEqual(client.ending, Ending.OPEN)
            self.assertEqual((self.stats.in_flight, self.stats.connections), (0, 0))
        self.assertEqual(self.stats.clients_gone, 2)

    def test_waiting(self) -> None:
        """It disconnects while it waits for its response."""
        self.disconnects(get())

    def test_uploading(self) -> None:
        """It disconnects in the middle of its upload."""
        client = self.client(post(10, body=b"ab"))
        taken = Taken(self.requests[0].body)
        client.close()
        self.assertEqual((taken.data, taken.ended), (b"ab", False))
        self.assertEqual((self.stats.in_flight, self.stats.clients_gone), (0, 1))

    def test_held_back(self) -> None:
        """It disconnects while it is paused; this is noticed within a second."""
        self.disconnects(post(1_000_000, body=b"ab"), b"x" * 100_000, within=1.0)

    def test_pipelining(self) -> None:
        """It disconnects while its pipelined requests are paused; this is noticed within a second."""
        self.disconnects(get(), get(b"/now") * 20_000, get(b"/now"), within=1.0)
        self.assertEqual(len(self.requests), 2)

    def test_held_back_and_staying(self) -> None:
        """A paused client that stays is not mistaken for a disconnected one."""
        client = self.client(post(1_000_000, body=b"ab"), b"x" * 100_000)
        self.reactor.pass_time(60)
        self.assertEqual((client.ending, self.stats.in_flight), (Ending.OPEN, 1))

    def test_in_a_head(self) -> None:
        """It disconnects before its head is complete: no request exists."""
        for leave in (Peer.close, Peer.reset):
            leave(self.client(get()[:-1]))
        self.assertEqual((self.requests, self.stats.total_requests, self.stats.connections), ([], 0, 0))

    def test_after_refusal(self) -> None:
        """It disconnects after it was refused."""
        for leave in (Peer.close, Peer.reset):
            leave(self.client(b"GARBAGE\r\n\r\n"))
        self.assertEqual(self.stats.connections, 0)

    def test_answer_to_nobody(self) -> None:
        """Writing to a disconnected client has no effect and raises no error."""
        client = self.client(get())
        request = self.requests[0]
        client.reset()
        request.write(b"hi")
        request.fail(UpstreamError("too late"))
        request.send_informational(103, b"Early Hints", [])
        self.assertTrue(request.over)
