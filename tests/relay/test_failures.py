"""
Tests for :mod:`sttproxy.relay`: upstreams that fail, answer early, or not in time.
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
    """Tests of endings."""

    def assert_given_up(self) -> None:
        """The upstream's connection is broken, and what it got does not look complete."""
        self.assertEqual(self.server.ending, Ending.RESET)
        self.assertFalse(self.server.received.endswith(chunked()))
        self.assertFalse(self.pool.busy)


class UpstreamFailedTests(EndingTestCase):
    """The upstream fails before its answer has begun: the client gets an answer of ours, once."""

    def failed(self, client: Peer, status: int, code: str) -> None:
        """The client has got that answer and no other one, and it is counted."""
        self.reactor.settle()
        self.assertEqual(error_of(client.news()), (status, code))
        self.assertEqual((self.stats.in_flight, self.stats.upstream_errors[code]), (0, 1))
        self.stats.upstream_errors.clear()
        client.send(b"x" * 10)
        self.assertEqual(client.news(), b"")

    def test_unreachable(self) -> None:
        """It cannot be reached: 502 at once, also for a client that is about to upload a gigabyte."""
        self.upstream.at_once = False
        for data in (get(), post(1 << 30, body=b"x" * 1000), post(4, b"Expect: 100-continue")):
            client = self.client(data)
            self.upstream.refuse(UpstreamUnreachable("nobody there"))
            self.failed(client, 502, "upstream_unreachable")

    def test_does_not_take(self) -> None:
        """It does not take the connection in time: 504."""
        self.upstream.at_once = False
        client = self.client(post(4, body=b"ab"))
        self.upstream.refuse(UpstreamTimeout("too slow"))
        self.failed(client, 504, "upstream_timeout")

    def test_busy(self) -> None:
        """All connections that it may have are busy for too long: 503, with the time after which to ask again."""
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
        """It closes without an answer: 502 at once, also in the middle of the upload."""
        for leave in LEAVE:
            for data in (get(), post(1 << 30, body=b"x" * 1000), post(None, body=chunked(b"ab", last=False))):
                client = self.client(data)
                leave(self.server)
                self.failed(client, 502, "upstream_closed")

    def test_leaves_with_the_client_held_back(self) -> None:
        """A client that was held back then goes on, to nowhere, until it has read its answer."""
        client = self.client(post(1 << 30))
        self.server.stall()
        while client.heard:
            client.send(b"x" * 50_000)
        self.server.close()
        self.failed(client, 502, "upstream_closed")
        self.assertTrue(client.heard)
        self.assertEqual(client.ending, Ending.HALF)

    def test_garbage(self) -> None:
        """It says something that is not HTTP, or too much of it: 502 at once."""
        for said in (b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000):
            for data in (get(), post(1 << 30, body=b"x" * 1000)):
                client = self.client(data)
                self.server.send(said)
                self.failed(client, 502, "bad_gateway")

    def test_sent_once(self) -> None:
        """What was sent on a connection that rested is not sent again on another one."""
        client = self.client(get())
        self.server.send(ok())
        client.news()
        client.send(post(2, body=b"ab"))
        self.server.close()
        self.failed(client, 502, "upstream_closed")
        self.assertEqual(len(self.upstream.peers), 1)

    def test_next_request(self) -> None:
        """A client whose own upload was complete may ask again on the same connection."""
        client = self.client(get())
        self.server.close()
        client.news()
        client.send(get())
        self.server.send(ok())
        self.assertEqual(client.news(), ok())


class UpstreamClosedTests(EndingTestCase):
    """The upstream breaks off in the middle of its answer: so does the client's connection."""

    def broken(self, begun: bytes, request: bytes = get()) -> None:
        """However it breaks off, the client cannot take what it got for all."""
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
            self.stats.upstream_errors.clear()

    def test_counted(self) -> None:
        """A length falls short, by as little as a byte."""
        self.broken(ok(b"hello")[:-1])
        self.broken(ok(b"hello")[:-5])

    def test_chunked(self) -> None:
        """The last chunk is missing, or its last byte, or a chunk is malformed."""
        self.broken(CHUNKED)
        self.broken(CHUNKED + chunked(b"hello", last=False))
        self.broken(CHUNKED + chunked(b"hello", last=False) + b"0\r\n")

    def test_http10_client(self) -> None:
        """A client for which the close is the end gets a reset instead."""
        self.broken(CHUNKED + chunked(b"hello", last=False), get(version=b"HTTP/1.0"))

    def test_until_close(self) -> None:
        """A body that ends with the upstream's connection is broken off by a reset."""
        client = self.client(get(version=b"HTTP/1.0"))
        self.server.send(message(b"HTTP/1.1 200 OK", body=b"hello"))
        self.server.reset()
        self.assertEqual(client.ending, Ending.RESET)

    def test_slow_client(self) -> None:
        """A client that is still reading is broken off too, before it can take a part for the whole."""
        client = self.client(get(version=b"HTTP/1.0"))
        client.stall()
        self.server.send(CHUNKED + chunked(b"x" * 30_000, last=False))
        self.server.close()
        self.assertEqual(client.ending, Ending.RESET)

    def test_while_uploading(self) -> None:
        """A good answer that breaks off while the upload goes on ends both."""
        client = self.client(post(1 << 30, body=b"x" * 1000))
        self.server.send(ok(b"hello")[:-1])
        self.server.close()
        self.assertEqual(client.ending, Ending.RESET)


class EarlyAnswerTests(EndingTestCase):
    """The upstream answers before it has read the request: the client gets just that answer."""

    def test_every_way(self) -> None:
        """In one segment or in pieces, closing or not, by FIN or reset behind it, reading on or not."""
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
        """A client that was held back in its upload gets it too, and can read it."""
        client = self.client(post(1 << 30))
        self.server.stall()
        while client.heard:
            client.send(b"x" * 50_000)
        self.server.send(REFUSAL)
        self.assertTrue(client.received.endswith(b"no"))
        self.assertEqual((client.ending, client.socket.arriving), (Ending.HALF, type(client.socket.arriving)()))
        self.assert_given_up()

    def test_success(self) -> None:
        """An upstream that begins to answer well gets the rest of the upload, and the client the rest of the answer."""
        client = self.client(post(4, body=b"ab"))
        self.server.send(CHUNKED + chunked(b"1", last=False))
        client.send(b"cd")
        self.assertTrue(self.server.received.endswith(b"abcd"))
        self.server.send(chunked(b"2"))
        self.assertTrue(client.received.endswith(chunked(b"1", b"2")))
        self.assertFalse(self.pool.busy)

    def test_success_whole(self) -> None:
        """If all of a good answer comes before the upload's end, the rest of that is not sent on."""
        client = self.client(post(1 << 30, body=b"x" * 1000))
        self.server.send(ok())
        self.assertEqual(client.received, ok(b"hi", b"Connection: close"))
        self.assert_given_up()


class AnswerTimeoutTests(EndingTestCase):
    """How long the upstream may think."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(response_s=10.0)

    def test_too_late(self) -> None:
        """An upstream that has all of a request and does not answer in time is given up; nobody is to ask again."""
        client = self.client(post(4, body=b"abcd"))
        self.reactor.pass_time(9.9)
        self.assertEqual(client.received, b"")
        self.reactor.pass_time(0.2)
        self.assertEqual(error_of(client.received), (504, "upstream_timeout"))
        self.assertIn(b"\r\nx-should-retry: false\r\n", client.received)
        self.assertEqual(self.stats.upstream_errors, {"upstream_timeout": 1})
        self.assertEqual(client.ending, Ending.OPEN)
        self.assert_given_up()

    def test_not_while_uploading(self) -> None:
        """The time counts from the end of the upload."""
        client = self.client(post(4, body=b"ab"))
        self.reactor.pass_time(20)
        client.send(b"cd")
        self.reactor.pass_time(9.9)
        self.assertEqual(client.received, b"")
        self.server.send(ok())
        self.assertEqual(client.received, ok())

    def test_from_the_refusal_on(self) -> None:
        """It counts also from the moment that the upstream takes no more of an upload."""
        client = self.client(post(1_000_000, body=b"ab"))
        self.server.refuse_to_read()
        client.send(b"cd")
        self.reactor.pass_time(9.9)
        self.assertEqual(client.received, b"")
        self.reactor.pass_time(0.2)
        self.assertEqual(error_of(client.received), (504, "upstream_timeout"))

    def test_interim_is_no_answer(self) -> None:
        """An interim response does not stop it."""
        client = self.client(get())
        self.reactor.pass_time(5)
        self.server.send(message(b"HTTP/1.1 103 Early Hints"))
        self.reactor.pass_time(5.1)
        self.assertIn(b"HTTP/1.1 504 ", client.received)

    def test_not_while_answering(self) -> None:
        """An answer that has begun may take its time, also where it began before the upload had ended."""
        for early in (True, False):
            client = self.client(post(4, body=b"ab" if early else b"abcd"))
            self.server.send(CHUNKED)
            client.send(b"cd" * early)
            self.reactor.pass_time(30)
            self.server.send(chunked(b"x"))
            self.assertTrue(client.received.endswith(chunked(b"x")), early)

    def test_unlimited(self) -> None:
        """Unless told so there is no limit: ten minutes of silence are fine."""
        self.proxy()
        client = self.client(post(4, body=b"abcd"))
        self.reactor.pass_time(600, 1)
        self.server.send(ok())
        self.assertEqual(client.received, ok())

    def test_nothing_left(self) -> None:
        """A client that leaves takes the timer along."""
        client = self.client(post(4, body=b"abcd"))
        self.pool.close()
        client.close()
        self.assertEqual(self.reactor.pending(), [])
