"""
Tests for :mod:`sttproxy.upstream.connection`: upstreams that fail, and answers that come early.
"""

from __future__ import annotations

from sttproxy.errors import UpstreamClosed, UpstreamError, UpstreamTimeout
from sttproxy.http1.heads import MAX_HEAD

from ..support.fakes import Ending, Peer
from ..support.stage import chunked, message, ok
from .exchange import ConnectionTestCase, FakeOutgoing, upload
from .test_connection import FRAMINGS


class BrokenTests(ConnectionTestCase):
    """An upstream that does not keep to HTTP, or not to its end."""

    def test_no_answer(self) -> None:
        """A server that leaves without an answer, or in the middle of its head, fails the request at once."""
        for leave in (Peer.close, Peer.reset):
            for said in (b"", b"HT", ok()[:20], message(b"HTTP/1.1 100 Continue")):
                for outgoing in (FakeOutgoing(), upload()):
                    self.connect()
                    answer = self.request(outgoing)
                    self.server.send(said)
                    self.assertNoResult(answer)
                    leave(self.server)
                    self.failureResultOf(answer, UpstreamClosed)
                    self.assertEqual((self.released, self.lost), ([], [self.connection]))

    def test_upload_given_up(self) -> None:
        """A server that leaves in the middle of the upload stops it, once."""
        for leave in (Peer.close, Peer.reset):
            self.connect()
            outgoing = upload()
            answer = self.request(outgoing)
            outgoing.send(b"ab")
            leave(self.server)
            self.failureResultOf(answer, UpstreamClosed)
            self.assertGreaterEqual(outgoing.stopped, 1)

    def test_garbage(self) -> None:
        """What is not HTTP fails the request at once, also in the middle of the upload, and ends the connection."""
        for said in (
            b"garbage\r\n\r\n",
            message(b"HTTP/2 200 OK"),
            message(b"HTTP/1.1 20 OK"),
            message(b"HTTP/1.1 099 OK"),
            message(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"Transfer-Encoding: chunked"),
            message(b"HTTP/1.1 200 OK", b"Content-Length: 1", b"Content-Length: 2"),
            message(b"HTTP/1.1 200 OK", b"Content-Length: -1"),
            message(b"HTTP/1.1 200 OK", b"A b: c"),
            message(b"HTTP/1.1 200 OK", b"A: b", b" folded"),
            message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: gzip"),
            message(b"HTTP/1.1 200 OK", b"A: " + b"b" * MAX_HEAD),
            b"HTTP/1.1 200 " + b"x" * MAX_HEAD,
            b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
            b"HTTP/1.1 200 OK\r\nA: b\n",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"HTTPS",
            b"\x15\x03\x01\x00\x02",
        ):
            for outgoing in (FakeOutgoing(), upload()):
                self.connect()
                answer = self.request(outgoing)
                self.server.send(said)
                self.failureResultOf(answer, UpstreamError)
                self.assertEqual((self.server.ending, self.released), (Ending.RESET, []), said[:60])

    def test_bytewise(self) -> None:
        """A good head is awaited to its end, wherever the network cuts it; and what breaks off in it is told so."""
        data = ok()
        for cut in range(1, data.index(b"\r\n\r\n") + 3):
            self.connect()
            answer = self.request(FakeOutgoing())
            self.server.send(data[:cut])
            self.assertNoResult(answer)
            self.server.close()
            error = self.failureResultOf(answer, UpstreamClosed).value
            self.assertIn("in the middle of its response's head", error.message)

    def test_unasked_switch(self) -> None:
        """A switch of protocols that nobody asked for is no answer."""
        answer = self.request(FakeOutgoing())
        self.server.send(message(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: x"))
        error = self.failureResultOf(answer, UpstreamError).value
        self.assertIn("did not ask for", error.message)
        self.assertEqual(self.server.ending, Ending.RESET)

    def test_truncated(self) -> None:
        """A response that ends before its end is told apart from one that is whole, in each framing, at each byte."""
        for name in ("counted", "chunked"):
            data = FRAMINGS[name][0]
            for leave in (Peer.close, Peer.reset):
                for cut in range(data.index(b"\r\n\r\n") + 4, len(data)):
                    self.connect()
                    _, bodies = self.exchange(data[:cut])
                    self.assertIsNone(bodies[0].reason)
                    leave(self.server)
                    assert bodies[0].reason is not None
                    self.assertTrue(bodies[0].reason.check(UpstreamClosed), (name, cut))
                    self.assertEqual(self.released, [])

    def test_reset_is_no_end(self) -> None:
        """A body that ends with its connection is not complete if that was reset."""
        _, bodies = self.exchange(message(b"HTTP/1.1 200 OK"), b"hel")
        self.server.reset()
        assert bodies[0].reason is not None
        self.assertTrue(bodies[0].reason.check(UpstreamClosed))

    def test_malformed_body(self) -> None:
        """A body whose framing breaks is broken off, behind what came before."""
        head = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")
        _, bodies = self.exchange(head, chunked(b"ab", last=False), b"xyz\r\n", b"more")
        assert bodies[0].reason is not None
        self.assertTrue(bodies[0].reason.check(UpstreamError))
        self.assertEqual((bodies[0].data, self.server.ending, self.released), (b"ab", Ending.RESET, []))

    def test_extra_bytes(self) -> None:
        """Bytes behind a response belong to no request: the response is good, the connection is not."""
        for name, (data, expected) in FRAMINGS.items():
            self.connect()
            _, bodies = self.exchange(data + b"x")
            self.assertEqual((bodies[0].data, bodies[0].whole), (expected, True), name)
            self.assertEqual((self.released, self.server.ending), ([], Ending.RESET), name)

    def test_second_answer(self) -> None:
        """So does a second response."""
        _, bodies = self.exchange(ok(b"one") + ok(b"two"))
        self.assertEqual((bodies[0].data, self.released), (b"one", []))

    def test_unsolicited(self) -> None:
        """Bytes that arrive while nothing was asked end the connection, and answer nothing."""
        self.server.send(ok())
        self.assertEqual((self.server.ending, self.lost), (Ending.RESET, [self.connection]))

    def test_idle_close(self) -> None:
        """A close while nothing was asked is told to the owner and nobody else."""
        for leave in (Peer.close, Peer.reset):
            self.connect()
            leave(self.server)
            self.assertEqual((self.released, self.lost), ([], [self.connection]))


class StallTests(ConnectionTestCase):
    """A server that takes connections and does not read."""

    SIZE = 30_000_000

    def setUp(self) -> None:
        super().setUp()
        self.server.close()
        self.connect(send_s=60.0)
        self.outgoing = upload(self.SIZE)
        self.answer = self.request(self.outgoing)
        self.server.stall()

    def feed(self) -> None:
        """Send until the connection wants no more."""
        while not self.outgoing.paused:
            self.outgoing.send(b"x" * 65536)
            self.reactor.settle()

    def test_never_reads(self) -> None:
        """After the time for some bytes the request fails, and it is told how many were taken."""
        self.server.read(1_000_000)
        self.feed()
        self.reactor.pass_time(59)
        self.assertNoResult(self.answer)
        self.reactor.pass_time(2)
        error = self.failureResultOf(self.answer, UpstreamTimeout).value
        taken = int(error.message.split()[3])
        self.assertTrue(1_000_000 - 200 <= taken <= 1_000_000 + 65536, taken)
        self.assertEqual(error.headers, ((b"x-should-retry", b"false"),))
        self.assertEqual((self.server.ending, self.outgoing.stopped), (Ending.RESET, 1))

    def test_slow(self) -> None:
        """One that takes enough in each period takes as long as it likes."""
        self.feed()
        for _ in range(20):
            self.reactor.pass_time(50, step=10)
            self.server.read(70_000)
            self.feed()
        self.assertNoResult(self.answer)
        self.reactor.pass_time(130, step=10)
        self.failureResultOf(self.answer, UpstreamTimeout)

    def test_slow_client(self) -> None:
        """While the client is slow, the server has taken all there is, and nothing runs."""
        self.feed()
        self.server.read()
        self.assertFalse(self.outgoing.paused)
        self.reactor.pass_time(1000, step=50)
        self.assertNoResult(self.answer)
        self.feed_end()

    def feed_end(self) -> None:
        """The end of the upload, and an answer."""
        self.outgoing.end()
        self.server.send(ok())
        self.assertTrue(self.body(self.answer).whole)

    def test_computes(self) -> None:
        """One that has read all takes its time to answer."""
        self.outgoing.send(b"x" * 1000)
        self.server.read()
        self.outgoing.end()
        self.reactor.pass_time(1000, step=50)
        self.assertNoResult(self.answer)
        self.server.send(ok())
        self.assertTrue(self.body(self.answer).whole)


class EarlyAnswerTests(ConnectionTestCase):
    """A server that answers before it has read the request."""

    REFUSAL = message(b"HTTP/1.1 413 Too much", b"Content-Length: 2", body=b"no")

    def test_refusal(self) -> None:
        """A refusal stops the upload, is passed on, and ends the connection; nothing more of the request is sent."""
        for cut in (len(self.REFUSAL), len(self.REFUSAL) - 2, 10):
            self.connect()
            outgoing = upload()
            answer = self.request(outgoing)
            outgoing.send(b"ab")
            self.server.send(self.REFUSAL[:cut])
            sent = self.server.received
            self.server.send(self.REFUSAL[cut:])
            body = self.body(answer)
            self.assertEqual((body.data, body.whole, outgoing.stopped), (b"no", True, 1))
            self.assertEqual((self.server.ending, self.released), (Ending.RESET, []))
            self.assertEqual(self.server.received, sent)

    def test_refusal_ahead_of_body(self) -> None:
        """The upload stops with the refusal's head."""
        outgoing = upload()
        answer = self.request(outgoing)
        self.server.send(self.REFUSAL[:-2])
        self.assertEqual(outgoing.stopped, 1)
        body = self.body(answer)
        self.assertIsNone(body.reason)
        self.server.send(self.REFUSAL[-2:])
        self.assertTrue(body.whole)

    def test_never_completed(self) -> None:
        """A chunked upload that was stopped is never made to look complete."""
        outgoing = upload(None)
        answer = self.request(outgoing)
        outgoing.send(b"ab")
        self.server.send(self.REFUSAL)
        self.body(answer)
        self.assertFalse(self.server.received.endswith(chunked()))

    def test_success(self) -> None:
        """A server that begins to answer well while it reads gets the rest of the upload."""
        outgoing = upload()
        answer = self.request(outgoing)
        self.server.send(ok(b"hello")[:-1])
        body = self.body(answer)
        outgoing.send(b"abcd")
        outgoing.end()
        self.reactor.settle()
        self.assertTrue(self.server.received.endswith(b"\r\n\r\nabcd"))
        self.server.send(b"o")
        self.assertTrue(body.whole)
        self.assertEqual((self.released, outgoing.stopped), ([self.connection], 0))

    def test_success_ends_first(self) -> None:
        """If the good answer ends before the upload, the upload is given up and the connection too."""
        outgoing = upload()
        answer = self.request(outgoing)
        self.server.send(ok())
        body = self.body(answer)
        self.assertTrue(body.whole)
        self.assertEqual((outgoing.stopped, self.released, self.server.ending), (1, [], Ending.RESET))

    def test_answer_and_close(self) -> None:
        """An answer is read also where the server has closed and the upload fails at its end."""
        outgoing = upload(1_000_000)
        answer = self.request(outgoing)
        self.server.refuse_to_read()
        outgoing.send(b"x" * 1000)
        self.reactor.settle()
        self.assertEqual(outgoing.stopped, 1)
        self.assertNoResult(answer)
        self.server.send(self.REFUSAL)
        self.assertEqual(self.body(answer).data, b"no")

    def test_close_after_failed_write(self) -> None:
        """Without an answer it is a failure as soon as the close arrives."""
        outgoing = upload(1_000_000)
        answer = self.request(outgoing)
        self.server.refuse_to_read()
        outgoing.send(b"x" * 1000)
        self.reactor.settle()
        self.server.close()
        self.failureResultOf(answer, UpstreamClosed)

    def test_failed_write_spoils(self) -> None:
        """A connection on which a write failed is not used again, although the request had been complete."""
        answer = self.connection.request(FakeOutgoing())
        self.server.refuse_to_read()
        self.reactor.settle()
        self.server.send(ok())
        self.assertTrue(self.body(answer).whole)
        self.assertEqual(self.released, [])
