"""
Tests for :mod:`sttproxy.upstream.connection`: upstreams that fail, and early responses.
"""

from __future__ import annotations

from sttproxy.errors import UpstreamClosed, UpstreamError, UpstreamTimeout
from sttproxy.http1.heads import MAX_HEAD

from ..support.fakes import Ending, Peer
from ..support.stage import chunked, message, ok
from .exchange import ConnectionTestCase, FakeOutgoing, upload
from .test_connection import FRAMINGS


class BrokenTests(ConnectionTestCase):
    """An upstream that violates HTTP, or closes too early."""

    def test_no_answer(self) -> None:
        """If the server closes without a response, or in the middle of its head, the request fails at once."""
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
        """If the server closes in the middle of the upload, the upload is stopped, once."""
        for leave in (Peer.close, Peer.reset):
            self.connect()
            outgoing = upload()
            answer = self.request(outgoing)
            outgoing.send(b"ab")
            leave(self.server)
            self.failureResultOf(answer, UpstreamClosed)
            self.assertGreaterEqual(outgoing.stopped, 1)

    def test_garbage(self) -> None:
        """
        Bytes that are not HTTP fail the request at once, also in the middle of the upload, and close the connection.
        """
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
        """However it is cut, a valid head is read to its end; a premature close within it is reported as such."""
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
        """A 101 that was not requested is an invalid response."""
        answer = self.request(FakeOutgoing())
        self.server.send(message(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: x"))
        error = self.failureResultOf(answer, UpstreamError).value
        self.assertIn("did not ask for", error.message)
        self.assertEqual(self.server.ending, Ending.RESET)

    def test_truncated(self) -> None:
        """A truncated response is distinguished from a complete one, in each framing, at each byte."""
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
        """A body that ends with its connection is incomplete if the connection was reset."""
        _, bodies = self.exchange(message(b"HTTP/1.1 200 OK"), b"hel")
        self.server.reset()
        assert bodies[0].reason is not None
        self.assertTrue(bodies[0].reason.check(UpstreamClosed))

    def test_malformed_body(self) -> None:
        """A body whose framing breaks fails, after the bytes before the error."""
        head = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")
        _, bodies = self.exchange(head, chunked(b"ab", last=False), b"xyz\r\n", b"more")
        assert bodies[0].reason is not None
        self.assertTrue(bodies[0].reason.check(UpstreamError))
        self.assertEqual((bodies[0].data, self.server.ending, self.released), (b"ab", Ending.RESET, []))

    def test_extra_bytes(self) -> None:
        """With extra bytes after a response the response is valid, and the connection is not reused."""
        for name, (data, expected) in FRAMINGS.items():
            self.connect()
            _, bodies = self.exchange(data + b"x")
            self.assertEqual((bodies[0].data, bodies[0].whole), (expected, True), name)
            self.assertEqual((self.released, self.server.ending), ([], Ending.RESET), name)

    def test_second_answer(self) -> None:
        """A second response also prevents reuse."""
        _, bodies = self.exchange(ok(b"one") + ok(b"two"))
        self.assertEqual((bodies[0].data, self.released), (b"one", []))

    def test_unsolicited(self) -> None:
        """Unsolicited bytes on an idle connection close it, and are not taken for a response."""
        self.server.send(ok())
        self.assertEqual((self.server.ending, self.lost), (Ending.RESET, [self.connection]))

    def test_idle_close(self) -> None:
        """A close of an idle connection is reported to the owner only."""
        for leave in (Peer.close, Peer.reset):
            self.connect()
            leave(self.server)
            self.assertEqual((self.released, self.lost), ([], [self.connection]))


class StallTests(ConnectionTestCase):
    """A server that accepts connections and does not read."""

    SIZE = 30_000_000

    def setUp(self) -> None:
        super().setUp()
        self.server.close()
        self.connect(send_s=60.0)
        self.outgoing = upload(self.SIZE)
        self.answer = self.request(self.outgoing)
        self.server.stall()

    def feed(self) -> None:
        """Send until the connection pauses the upload."""
        while not self.outgoing.paused:
            self.outgoing.send(b"x" * 65536)
            self.reactor.settle()

    def test_never_reads(self) -> None:
        """After the write timeout the request fails, and the message has the number of bytes sent."""
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
        """A server that reads enough in each period can take any time."""
        self.feed()
        for _ in range(20):
            self.reactor.pass_time(50, step=10)
            self.server.read(70_000)
            self.feed()
        self.assertNoResult(self.answer)
        self.reactor.pass_time(130, step=10)
        self.failureResultOf(self.answer, UpstreamTimeout)

    def test_slow_client(self) -> None:
        """While the client is slow, the server has read all bytes, and the timer does not run."""
        self.feed()
        self.server.read()
        self.assertFalse(self.outgoing.paused)
        self.reactor.pass_time(1000, step=50)
        self.assertNoResult(self.answer)
        self.feed_end()

    def feed_end(self) -> None:
        """End the upload, and send a response."""
        self.outgoing.end()
        self.server.send(ok())
        self.assertTrue(self.body(self.answer).whole)

    def test_computes(self) -> None:
        """After a server has read the whole request, the write timeout does not apply."""
        self.outgoing.send(b"x" * 1000)
        self.server.read()
        self.outgoing.end()
        self.reactor.pass_time(1000, step=50)
        self.assertNoResult(self.answer)
        self.server.send(ok())
        self.assertTrue(self.body(self.answer).whole)


class EarlyResponseTests(ConnectionTestCase):
    """A server that responds before it has read the request."""

    REFUSAL = message(b"HTTP/1.1 413 Too much", b"Content-Length: 2", body=b"no")

    def test_refusal(self) -> None:
        """A refusal stops the upload, is passed on, and closes the connection; nothing more of the request is sent."""
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
        """The upload stops at the refusal's head."""
        outgoing = upload()
        answer = self.request(outgoing)
        self.server.send(self.REFUSAL[:-2])
        self.assertEqual(outgoing.stopped, 1)
        body = self.body(answer)
        self.assertIsNone(body.reason)
        self.server.send(self.REFUSAL[-2:])
        self.assertTrue(body.whole)

    def test_never_completed(self) -> None:
        """A chunked upload that was stopped never looks complete."""
        outgoing = upload(None)
        answer = self.request(outgoing)
        outgoing.send(b"ab")
        self.server.send(self.REFUSAL)
        self.body(answer)
        self.assertFalse(self.server.received.endswith(chunked()))

    def test_success(self) -> None:
        """A server that begins a success response while it reads gets the rest of the upload."""
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
        """If the success response ends before the upload, the upload is stopped and the connection closed."""
        outgoing = upload()
        answer = self.request(outgoing)
        self.server.send(ok())
        body = self.body(answer)
        self.assertTrue(body.whole)
        self.assertEqual((outgoing.stopped, self.released, self.server.ending), (1, [], Ending.RESET))

    def test_answer_and_close(self) -> None:
        """A response is read also if the server has closed and the end of the upload fails."""
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
        """Without a response it is a failure as soon as the close arrives."""
        outgoing = upload(1_000_000)
        answer = self.request(outgoing)
        self.server.refuse_to_read()
        outgoing.send(b"x" * 1000)
        self.reactor.settle()
        self.server.close()
        self.failureResultOf(answer, UpstreamClosed)

    def test_failed_write_spoils(self) -> None:
        """A connection on which a write failed is not reused, even if the request was complete."""
        answer = self.connection.request(FakeOutgoing())
        self.server.refuse_to_read()
        self.reactor.settle()
        self.server.send(ok())
        self.assertTrue(self.body(answer).whole)
        self.assertEqual(self.released, [])
