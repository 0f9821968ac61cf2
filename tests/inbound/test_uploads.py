"""
Tests for :mod:`sttproxy.inbound.channel`: bodies on their way in, and answers that do not wait for their end.
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
        """A client with the beginning of an upload, and who takes it."""
        client = self.client(*segments)
        return client, Taken(self.requests[-1].body)

    def test_dispatched_at_head(self) -> None:
        """A request is dispatched when its head is there and none of its body."""
        client = self.client(post(4))
        self.assertEqual(len(self.requests), 1)
        client.send(b"ab")
        taken = Taken(self.requests[0].body)
        client.send(b"cd")
        self.assertEqual((taken.data, taken.ended), (b"abcd", True))

    def test_any_cut(self) -> None:
        """A body arrives whole, however the network cut it, and the next request behind it too."""
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
        """Nothing is read from a client whose body nobody takes yet, beyond what one read brought."""
        client = self.client(post(1_000_000) + b"x" * 1000, *[b"x" * 10_000] * 20)
        self.assertFalse(client.heard)
        self.assertEqual(len(client.socket.arriving), 20)
        taken = Taken(self.requests[0].body)
        self.assertTrue(client.heard)
        self.reactor.settle()
        self.assertEqual(len(taken.data), 201_000)

    def test_held_from_the_head(self) -> None:
        """That holds also for a client that has sent no more than the head."""
        client = self.client(post(1_000_000))
        self.assertFalse(client.heard)

    def test_paced(self) -> None:
        """The receiver's pause reaches the client, and its resumption too."""
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
        """A pause ends with the body that it held back."""
        client, _ = self.upload(post(4, body=b"a"))
        self.requests[0].body.pauseProducing()
        client.send(b"bcd" + get(b"/now"))
        self.requests[0].fail(UpstreamError("broken"))
        self.reactor.settle()
        self.assertTrue(client.heard)

    def test_continue(self) -> None:
        """A client that asked is told to go on when somebody takes its body, and then gets one answer."""
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
        """A client that asked and is refused is not told to go on first."""
        client = self.client(post(2, b"Expect: 100-continue"))
        self.requests[0].fail(UpstreamError("nobody there"))
        self.reactor.settle()
        self.assertEqual(error_of(client.received), (502, "bad_gateway"))
        self.assertIn(b"\r\nConnection: close\r\n", client.received)

    def test_malformed(self) -> None:
        """Broken framing reaches the receiver; the connection ends with the answer, and what follows is dropped."""
        client, taken = self.upload(post(None, body=chunked(b"ab", last=False) + b"xyz\r\n" + get(b"/now")))
        assert taken.error is not None
        self.requests[0].fail(taken.error)
        client.send(get(b"/now"))
        self.assertEqual(error_of(client.received), (400, "bad_request"))
        self.assertEqual((len(self.requests), client.ending), (1, Ending.HALF))

    def test_malformed_before_taken(self) -> None:
        """Framing that breaks before anybody takes the body breaks it all the same."""
        client = self.client(post(None, body=b"xyz\r\n"), *[chunked(b"ab")] * 3)
        taken = Taken(self.requests[0].body)
        assert taken.error is not None
        self.requests[0].fail(taken.error)
        self.reactor.settle()
        self.assertEqual(error_of(client.received), (400, "bad_request"))

    def test_announced_limit(self) -> None:
        """A length over the limit is refused with the head."""
        self.serve_with(body=10)
        client = self.client(post(11, b"Expect: 100-continue"))
        self.assertEqual(error_of(client.received), (413, "body_too_large"))
        self.assertEqual(self.requests, [])
        _, taken = self.upload(post(10, body=b"x" * 10))
        self.assertTrue(taken.ended)

    def test_limit(self) -> None:
        """A chunked body over the limit is failed when it gets there."""
        self.serve_with(body=10)
        client, taken = self.upload(post(None, body=chunked(b"x" * 10, last=False)))
        self.assertIsNone(taken.error)
        client.send(chunked(b"x", last=False))
        self.assertIsInstance(taken.error, BodyTooLarge)


class EarlyAnswerTests(ScriptedTestCase):
    """An answer that is complete before the upload is."""

    def answered(self, *segments: bytes) -> Peer:
        """A client in the middle of its upload that has just been answered."""
        client = self.client(*segments)
        Taken(self.requests[0].body)
        self.requests[0].send_head(413, b"Too much", [(b"Content-Length", b"2")], 2)
        self.requests[0].write(b"no")
        self.requests[0].finish()
        self.reactor.settle()
        return client

    def test_answer(self) -> None:
        """The client gets the answer at once, told that the connection ends, and sees its end; once."""
        client = self.answered(post(1000, body=b"ab"))
        fields = (b"Content-Length: 2", b"Connection: close")
        self.assertEqual(client.received, message(b"HTTP/1.1 413 Too much", *fields, body=b"no"))
        self.assertEqual(client.ending, Ending.HALF)
        client.send(b"x" * 998 + get(b"/now"))
        self.assertEqual(client.news().count(b"HTTP/1.1"), 1)
        self.assertEqual((len(self.requests), self.stats.in_flight), (1, 0))

    def test_read_on(self) -> None:
        """The rest of the upload is read and dropped, so that no reset takes the answer away."""
        client = self.answered(post(1_000_000, body=b"ab"))
        for _ in range(100):
            client.send(b"x" * 10_000)
            self.assertEqual((client.ending, len(client.socket.arriving)), (Ending.HALF, 0))
        client.close()
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_dropped_without_a_limit(self) -> None:
        """Not for ever: who has sent more than anybody would is broken off."""
        client = self.answered(post(None))
        piece = b"x" * 65536
        whole = MAX_DRAINED // len(piece)
        client.protocol._dropped = (whole - 1) * len(piece)
        client.send(piece)
        self.assertEqual(client.ending, Ending.HALF)
        client.send(b"x")
        self.assertEqual(client.ending, Ending.RESET)

    def test_paused(self) -> None:
        """A client that was held back in its upload goes on with it, to nowhere."""
        client = self.client(post(1000))
        self.assertFalse(client.heard)
        self.requests[0].fail(UpstreamError("nobody there"))
        self.reactor.settle()
        self.assertTrue(client.heard)
        client.send(b"x" * 1000)
        self.assertEqual(len(client.socket.arriving), 0)

    def test_held_back_in_pipelining(self) -> None:
        """So does one that was held back in sending further requests behind its last one."""
        client = self.client(get(b"/x", b"Connection: close"), *[b"x" * 50_000] * 3)
        self.assertFalse(client.heard)
        self.requests[0].finish()
        self.reactor.settle()
        self.assertTrue(client.heard)
        self.assertEqual((client.ending, len(client.socket.arriving)), (Ending.HALF, 0))

    def test_slow_reader(self) -> None:
        """A client that reads a long answer slowly gets all of it before the end."""
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
        """The connection ends also where the upload was complete between the answer's head and its end."""
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
        """Where the upload was complete when the answer began, nothing ends."""
        client = self.client(post(4, body=b"abcd"))
        Taken(self.requests[0].body)
        self.requests[0].send_head(413, b"Too much", [(b"Content-Length", b"0")], 0)
        self.requests[0].finish()
        client.send(get(b"/now"))
        self.assertEqual(len(self.requests), 2)

    def test_untouched_body(self) -> None:
        """A body that came whole and that nobody wanted does not get in the way of the next request."""
        client = self.client(post(4, body=b"abcd") + get(b"/now"))
        self.requests[0].finish()
        self.reactor.settle()
        self.assertEqual(client.received.count(b"HTTP/1.1 200"), 2)
        self.assertEqual(client.ending, Ending.OPEN)


class DepartureTests(ScriptedTestCase):
    """A client leaves: the request hears of it at once, whatever was going on, and only once."""

    def departures(self, *segments: bytes, within: float = 0.0) -> None:
        """Have clients that sent something leave in each way."""
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
        """While it waits for its answer."""
        self.departures(get())

    def test_uploading(self) -> None:
        """In the middle of its upload."""
        client = self.client(post(10, body=b"ab"))
        taken = Taken(self.requests[0].body)
        client.close()
        self.assertEqual((taken.data, taken.ended), (b"ab", False))
        self.assertEqual((self.stats.in_flight, self.stats.clients_gone), (0, 1))

    def test_held_back(self) -> None:
        """While nothing is read from it, within a second."""
        self.departures(post(1_000_000, body=b"ab"), b"x" * 100_000, within=1.0)

    def test_pipelining(self) -> None:
        """While its further requests are held back, within a second."""
        self.departures(get(), get(b"/now") * 20_000, get(b"/now"), within=1.0)
        self.assertEqual(len(self.requests), 2)

    def test_held_back_and_staying(self) -> None:
        """A client that is held back and stays is not taken for one that left."""
        client = self.client(post(1_000_000, body=b"ab"), b"x" * 100_000)
        self.reactor.pass_time(60)
        self.assertEqual((client.ending, self.stats.in_flight), (Ending.OPEN, 1))

    def test_in_a_head(self) -> None:
        """Before its head is complete it was never a request."""
        for leave in (Peer.close, Peer.reset):
            leave(self.client(get()[:-1]))
        self.assertEqual((self.requests, self.stats.total_requests, self.stats.connections), ([], 0, 0))

    def test_after_refusal(self) -> None:
        """After it was refused."""
        for leave in (Peer.close, Peer.reset):
            leave(self.client(b"GARBAGE\r\n\r\n"))
        self.assertEqual(self.stats.connections, 0)

    def test_answer_to_nobody(self) -> None:
        """What is written to somebody who left goes nowhere, and no error comes of it."""
        client = self.client(get())
        request = self.requests[0]
        client.reset()
        request.write(b"hi")
        request.fail(UpstreamError("too late"))
        request.send_informational(103, b"Early Hints", [])
        self.assertTrue(request.over)
