"""
Tests for :mod:`sttproxy.relay`: upstreams that fail, respond early, or time out.
"""

from __future__ import annotations

from sttproxy.errors import UpstreamTimeout, UpstreamUnreachable
from sttproxy.upstream.pool import PoolLimits

from ..support.fakes import Ending, Peer
from ..support.stage import ProxyTestCase, chunked, error_of, get, message, ok, post

CHUNKED = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")
REFUSAL = message(b"HTTP/1.1 413 Too much", b"Content-Length: 2", body=b"no")
LEAVE = (Peer.close, Peer.reset)


class EndingTestCase(ProxyTestCase):
    """Base class for tests of failed requests."""

    def assert_aborted(self) -> None:
        """Check that the upstream connection was aborted, and that the request it got looks incomplete."""
        self.assertEqual(self.server.ending, Ending.RESET)
        self.assertFalse(self.server.received.endswith(chunked()))
        self.assertFalse(self.pool.busy)

    def forget_errors(self) -> None:
        """Count the upstream's errors from 0 again."""
        self.registry.servers[0].errors.clear()


class UpstreamFailedTests(EndingTestCase):
    """The upstream fails before its response has begun: the client gets one error response of ours."""

    def failed(self, client: Peer, status: int, code: str) -> None:
        """Check that the client got this response and no other one, and that it is counted."""
        self.reactor.settle()
        self.assertEqual(error_of(client.news()), (status, code))
        self.assertEqual((self.stats.in_flight, self.stats.upstream_errors[code]), (0, 1))
        self.forget_errors()
        client.send(b"x" * 10)
        self.assertEqual(client.news(), b"")

    def test_unreachable(self) -> None:
        """If the upstream is unreachable, the client gets 502 at once, even before an upload of a gigabyte."""
        self.upstream.at_once = False
        for data in (get(), post(1 << 30, body=b"x" * 1000), post(4, b"Expect: 100-continue")):
            client = self.client(data)
            self.upstream.refuse(UpstreamUnreachable("nobody there"))
            self.failed(client, 502, "upstream_unreachable")

    def test_does_not_take(self) -> None:
        """If the upstream does not accept the connection in time, the client gets 504."""
        self.upstream.at_once = False
        client = self.client(post(4, body=b"ab"))
        self.upstream.refuse(UpstreamTimeout("too slow"))
        self.failed(client, 504, "upstream_timeout")

    def test_busy(self) -> None:
        """If all allowed connections are busy for too long, the client gets 503 with Retry-After."""
        self.proxy(pool=PoolLimits(total=1, wait_s=5.0))
        self.client(get())
        client = self.client(post(4, body=b"ab"))
        self.reactor.pass_time(4.9)
        self.assertEqual(client.received, b"")
        self.reactor.pass_time(0.2)
        self.assertEqual(error_of(client.received), (503, "upstream_busy"))
        self.assertIn(b"\r\nRetry-After: ", client.received)
        self.assertEqual((self.stats.upstream_errors.total(), len(self.upstream.peers)), (0, 1))

    def test_leaves(self) -> None:
        """If the upstream closes without a response, the client gets 502 at once, even in the middle of its upload."""
        for leave in LEAVE:
            for data in (get(), post(1 << 30, body=b"x" * 1000), post(None, body=chunked(b"ab", last=False))):
                client = self.client(data)
                leave(self.server)
                self.failed(client, 502, "upstream_closed")

    def test_leaves_with_the_client_held_back(self) -> None:
        """In this case a paused client is resumed and its upload dropped, until it has read its response."""
        client = self.client(post(1 << 30))
        self.server.stall()
        while client.heard:
            client.send(b"x" * 50_000)
        self.server.close()
        self.failed(client, 502, "upstream_closed")
        self.assertTrue(client.heard)
        self.assertEqual(client.ending, Ending.HALF)

    def test_garbage(self) -> None:
        """If the upstream sends something that is not HTTP, or too much of it, the client gets 502 at once."""
        for said in (b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000):
            for data in (get(), post(1 << 30, body=b"x" * 1000)):
                client = self.client(data)
                self.server.send(said)
                self.failed(client, 502, "bad_gateway")

    def test_sent_once(self) -> None:
        """A request that was sent on a reused connection is not sent again on another one."""
        client = self.client(get())
        self.server.send(ok())
        client.news()
        client.send(post(2, body=b"ab"))
        self.server.close()
        self.failed(client, 502, "upstream_closed")
        self.assertEqual(len(self.upstream.peers), 1)

    def test_next_request(self) -> None:
        """A client whose own upload was complete can send another request on the same connection."""
        client = self.client(get())
        self.server.close()
        client.news()
        client.send(get())
        self.server.send(ok())
        self.assertEqual(client.news(), ok())


class PrematureCloseTests(EndingTestCase):
    """After a premature close in the middle of the response, the client's connection is reset too."""

    def broken(self, begun: bytes, request: bytes = get()) -> None:
        """Check that after any such failure the client cannot take the partial response for a complete one."""
        for end in (Peer.close, Peer.reset, lambda peer: peer.send(b"zzz\r\n\r\n")):
            if end not in LEAVE and b"chunked" not in begun:
                continue
            client = self.client(request)
            self.server.send(begun)
            self.assertEqual(client.ending, Ending.OPEN)
            end(self.server)
            self.assertEqual(client.ending, Ending.RESET)
            self.assertEqual(client.received.count(b"HTTP/1.1"), 1)
            self.assertFalse(client.received.endswith(chunked()))
            self.assertEqual((self.stats.in_flight, self.stats.upstream_errors.total()), (0, 1))
            self.forget_errors()

    def test_counted(self) -> None:
        """The body is shorter than its length, by as little as a byte."""
        self.broken(ok(b"hello")[:-1])
        self.broken(ok(b"hello")[:-5])

    def test_chunked(self) -> None:
        """The last chunk is missing, or its last byte, or a chunk is malformed."""
        self.broken(CHUNKED)
        self.broken(CHUNKED + chunked(b"hello", last=False))
        self.broken(CHUNKED + chunked(b"hello", last=False) + b"0\r\n")

    def test_http10_client(self) -> None:
        """An HTTP/1.0 client, for which a close ends the body, gets a reset instead."""
        self.broken(CHUNKED + chunked(b"hello", last=False), get(version=b"HTTP/1.0"))

    def test_until_close(self) -> None:
        """A body that ends with the upstream's connection is aborted by a reset."""
        client = self.client(get(version=b"HTTP/1.0"))
        self.server.send(message(b"HTTP/1.1 200 OK", body=b"hello"))
        self.server.reset()
        self.assertEqual(client.ending, Ending.RESET)

    def test_slow_client(self) -> None:
        """A client that is still reading is aborted too, before it can take a partial response for a complete one."""
        client = self.client(get(version=b"HTTP/1.0"))
        client.stall()
        self.server.send(CHUNKED + chunked(b"x" * 30_000, last=False))
        self.server.close()
        self.assertEqual(client.ending, Ending.RESET)

    def test_while_uploading(self) -> None:
        """A success response that fails while the upload goes on ends both."""
        client = self.client(post(1 << 30, body=b"x" * 1000))
        self.server.send(ok(b"hello")[:-1])
        self.server.close()
        self.assertEqual(client.ending, Ending.RESET)


class EarlyResponseTests(EndingTestCase):
    """The upstream responds before it has read the request: the client gets exactly that response."""

    def test_every_way(self) -> None:
        """In one segment or in pieces, with or without a FIN or a reset after it, while reading on or not."""
        for cuts in ((len(REFUSAL),), (len(REFUSAL) - 2,), (len(REFUSAL) - 1,), (20, 40)):
            for leave in (None, *LEAVE):
                for reads in (True, False):
                    client = self.client(post(1 << 30, body=b"x" * 1000))
                    if not reads:
                        self.server.refuse_to_read()
                        client.send(b"x" * 1000)
                    for start, end in zip((0, *cuts), (*cuts, len(REFUSAL)), strict=True):
                        self.server.send(REFUSAL[start:end])
                    if leave is not None:
                        leave(self.server)
                    expected = REFUSAL.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
                    self.assertEqual(client.received, expected, (cuts, leave, reads))
                    sent = self.server.received
                    client.send(b"x" * 1000)
                    self.assertEqual((client.received, client.ending), (expected, Ending.HALF))
                    self.assertEqual(self.server.received, sent)
                    self.assertFalse(self.pool.busy)

    def test_held_back(self) -> None:
        """A client that was paused in its upload also gets the response, and can read it."""
        client = self.client(post(1 << 30))
        self.server.stall()
        while client.heard:
            client.send(b"x" * 50_000)
        self.server.send(REFUSAL)
        self.assertTrue(client.received.endswith(b"no"))
        self.assertEqual((client.ending, client.socket.arriving), (Ending.HALF, type(client.socket.arriving)()))
        self.assert_aborted()

    def test_success(self) -> None:
        """
        With an early success response, the upstream gets the rest of the upload, and the client the rest of the
        response.
        """
        client = self.client(post(4, body=b"ab"))
        self.server.send(CHUNKED + chunked(b"1", last=False))
        client.send(b"cd")
        self.assertTrue(self.server.received.endswith(b"abcd"))
        self.server.send(chunked(b"2"))
        self.assertTrue(client.received.endswith(chunked(b"1", b"2")))
        self.assertFalse(self.pool.busy)

    def test_success_whole(self) -> None:
        """If a success response is complete before the upload ends, the rest of the upload is not sent."""
        client = self.client(post(1 << 30, body=b"x" * 1000))
        self.server.send(ok())
        self.assertEqual(client.received, ok(b"hi", b"Connection: close"))
        self.assert_aborted()


class ResponseTimeoutTests(EndingTestCase):
    """The response timeout."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(response_s=10.0)

    def test_too_late(self) -> None:
        """An upstream that has the whole request and does not respond in time is aborted; the client must not retry."""
        client = self.client(post(4, body=b"abcd"))
        self.reactor.pass_time(9.9)
        self.assertEqual(client.received, b"")
        self.reactor.pass_time(0.2)
        self.assertEqual(error_of(client.received), (504, "upstream_timeout"))
        self.assertIn(b"\r\nx-should-retry: false\r\n", client.received)
        self.assertEqual(self.stats.upstream_errors, {"upstream_timeout": 1})
        self.assertEqual(client.ending, Ending.OPEN)
        self.assert_aborted()

    def test_not_while_uploading(self) -> None:
        """The time starts at the end of the upload."""
        client = self.client(post(4, body=b"ab"))
        self.reactor.pass_time(20)
        client.send(b"cd")
        self.reactor.pass_time(9.9)
        self.assertEqual(client.received, b"")
        self.server.send(ok())
        self.assertEqual(client.received, ok())

    def test_from_the_refusal_on(self) -> None:
        """The time also starts when the upstream stops the upload."""
        client = self.client(post(1_000_000, body=b"ab"))
        self.server.refuse_to_read()
        client.send(b"cd")
        self.reactor.pass_time(9.9)
        self.assertEqual(client.received, b"")
        self.reactor.pass_time(0.2)
        self.assertEqual(error_of(client.received), (504, "upstream_timeout"))

    def test_interim_is_no_answer(self) -> None:
        """An interim response does not stop the timer."""
        client = self.client(get())
        self.reactor.pass_time(5)
        self.server.send(message(b"HTTP/1.1 103 Early Hints"))
        self.reactor.pass_time(5.1)
        self.assertIn(b"HTTP/1.1 504 ", client.received)

    def test_not_while_answering(self) -> None:
        """A response that has begun has no timeout, also if it began before the upload ended."""
        for early in (True, False):
            client = self.client(post(4, body=b"ab" if early else b"abcd"))
            self.server.send(CHUNKED)
            client.send(b"cd" * early)
            self.reactor.pass_time(30)
            self.server.send(chunked(b"x"))
            self.assertTrue(client.received.endswith(chunked(b"x")), early)

    def test_unlimited(self) -> None:
        """By default there is no timeout: a response after ten minutes is relayed."""
        self.proxy()
        client = self.client(post(4, body=b"abcd"))
        self.reactor.pass_time(600, 1)
        self.server.send(ok())
        self.assertEqual(client.received, ok())

    def test_nothing_left(self) -> None:
        """A client disconnect cancels the timer."""
        client = self.client(post(4, body=b"abcd"))
        self.pool.close()
        client.close()
        self.assertEqual(self.reactor.pending(), [])
