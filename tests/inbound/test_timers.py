"""
Tests for :mod:`sttproxy.inbound.channel`: what takes too long.
"""

from __future__ import annotations

from sttproxy.errors import RequestTimeout, UpstreamError
from sttproxy.inbound.body import BODY_PROGRESS
from sttproxy.inbound.interfaces import Timeouts

from ..support.fakes import Ending
from ..support.stage import ScriptedTestCase, Taken, chunked, error_of, get, post

#: No two are the same, so that no phase can be timed by another one's limit.
TIMEOUTS = Timeouts(head=10, body=30, idle=75, drain=20)


class TimedTestCase(ScriptedTestCase):
    """Tests with limits."""

    def setUp(self) -> None:
        super().setUp()
        self.serve_with(TIMEOUTS)


class HeadTimeoutTests(TimedTestCase):
    """Ten seconds for a head."""

    def test_too_late(self) -> None:
        """A head that is not complete in time gets 408 and the connection's end, however steadily it drips."""
        client = self.client(b"G")
        for byte in get(b"/now", b"X: " + b"y" * 100)[1:33]:
            self.reactor.advance(0.3)
            client.send(bytes([byte]))
        self.assertEqual(client.received, b"")
        self.reactor.advance(0.5)
        self.assertEqual(error_of(client.received), (408, "request_timeout"))
        self.assertEqual(client.ending, Ending.HALF)
        self.reactor.pass_time(20)
        self.assertNotEqual(client.ending, Ending.HALF)

    def test_in_time(self) -> None:
        """One that is complete just in time is answered, and its time does not go on."""
        client = self.client(get()[:-1])
        self.reactor.advance(9.9)
        client.send(get()[-1:])
        self.reactor.pass_time(100, 1)
        self.assertEqual((client.received, len(self.requests)), (b"", 1))

    def test_next_head(self) -> None:
        """It counts from a head's first byte, not from the connection's beginning or the request before."""
        client = self.client()
        self.reactor.pass_time(60, 1)
        client.send(get(b"/now"))
        self.reactor.pass_time(60, 1)
        client.send(get(b"/now")[:5])
        self.reactor.advance(9.9)
        client.send(get(b"/now")[5:])
        self.assertEqual(client.received.count(b"200 OK"), 2)

    def test_behind_an_answer(self) -> None:
        """It counts for the beginning of a head that arrived while another request was answered, once that is done."""
        client = self.client(get() + get()[:5])
        self.reactor.pass_time(60, 1)
        self.requests[0].finish()
        self.reactor.advance(9.9)
        self.assertNotIn(b"408", client.received)
        self.reactor.advance(0.2)
        self.assertIn(b"HTTP/1.1 408", client.received)


class BodyTimeoutTests(TimedTestCase):
    """Thirty seconds for each four KiB of body."""

    def upload(self, *segments: bytes) -> Taken:
        self.peer = self.client(*segments)
        return Taken(self.requests[-1].body)

    def test_too_slow(self) -> None:
        """A body that drips is failed with 408, and the SDKs are told not to ask again."""
        taken = self.upload(post(1_000_000))
        for _ in range(99):
            self.reactor.advance(0.3)
            self.peer.send(b"x")
        self.assertIsNone(taken.error)
        self.reactor.advance(0.5)
        assert isinstance(taken.error, RequestTimeout)
        self.requests[0].fail(taken.error)
        self.reactor.settle()
        self.assertEqual(error_of(self.peer.received), (408, "request_timeout"))
        self.assertIn(b"\r\nx-should-retry: false\r\n", self.peer.received)
        self.assertEqual(self.peer.ending, Ending.HALF)

    def test_steady(self) -> None:
        """A body of any size that comes in steadily is not."""
        taken = self.upload(post(None))
        for _ in range(20):
            self.reactor.advance(29)
            self.peer.send(chunked(b"x" * BODY_PROGRESS, last=False))
        self.assertEqual((len(taken.data), taken.error), (20 * BODY_PROGRESS, None))

    def test_drips_after_progress(self) -> None:
        """A body that was fast before is no better when it begins to drip."""
        taken = self.upload(post(1_000_000, body=b"x" * 100_000))
        self.reactor.pass_time(30.5, 0.5)
        self.assertIsInstance(taken.error, RequestTimeout)

    def test_complete(self) -> None:
        """Once the body is complete its time is over, however long the answer takes."""
        taken = self.upload(post(4, body=b"abcd"))
        self.reactor.pass_time(600, 10)
        self.assertTrue(taken.ended)
        self.assertEqual((self.peer.received, self.peer.ending), (b"", Ending.OPEN))

    def test_not_taken(self) -> None:
        """The time that we let a client wait with its body is not held against it."""
        self.peer = self.client(post(1_000_000, body=b"x" * 10_000))
        self.reactor.pass_time(600, 10)
        taken = Taken(self.requests[0].body)
        self.reactor.advance(29)
        self.assertIsNone(taken.error)
        self.reactor.advance(2)
        self.assertIsInstance(taken.error, RequestTimeout)

    def test_held_back(self) -> None:
        """Nor is the time that it is held back in the middle of it."""
        taken = self.upload(post(1_000_000, body=b"x"))
        self.requests[0].body.pauseProducing()
        self.reactor.pass_time(600, 10)
        self.requests[0].body.resumeProducing()
        self.reactor.advance(29)
        self.assertIsNone(taken.error)

    def test_overrun(self) -> None:
        """Bytes that arrive although the client is held back, as they do over TLS, do not start its time."""
        taken = self.upload(post(1_000_000, body=b"x"))
        self.requests[0].body.pauseProducing()
        self.peer.protocol.dataReceived(b"x" * BODY_PROGRESS)
        self.reactor.pass_time(600, 10)
        self.assertIsNone(taken.error)

    def test_no_limit(self) -> None:
        """It can be without a limit."""
        self.serve_with(Timeouts(body=None))
        taken = self.upload(post(1_000_000, body=b"x"))
        self.reactor.pass_time(3600, 60)
        self.assertEqual((taken.error, self.peer.ending), (None, Ending.OPEN))


class IdleTimeoutTests(TimedTestCase):
    """Seventy-five seconds between requests."""

    def test_new(self) -> None:
        """A connection on which nothing ever comes is closed, without a word."""
        client = self.client()
        self.reactor.pass_time(74.5, 0.5)
        self.assertEqual(client.ending, Ending.OPEN)
        self.reactor.pass_time(1)
        self.assertEqual((client.ending, client.received), (Ending.CLOSED, b""))

    def test_between(self) -> None:
        """The time counts from the last answer."""
        client = self.client(get(b"/now"))
        self.reactor.pass_time(70, 1)
        client.send(get(b"/now"))
        self.reactor.pass_time(74.5, 0.5)
        self.assertEqual(client.ending, Ending.OPEN)
        self.reactor.pass_time(1)
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_answering(self) -> None:
        """It does not count while a request is being answered."""
        client = self.client(get())
        self.reactor.pass_time(600, 10)
        self.assertEqual(client.ending, Ending.OPEN)

    def test_at_the_edge(self) -> None:
        """A request that has arrived and was not read yet when the time is over is answered, not reset."""
        client = self.client()
        self.reactor.pass_time(74.5, 0.5)
        client.socket.arriving.append(get(b"/now"))
        self.reactor.advance(1)
        self.assertTrue(client.received.endswith(b"/now"))
        self.assertEqual(client.ending, Ending.OPEN)

    def test_unread_answer(self) -> None:
        """Who has not even read its last answer by then may still do so."""
        client = self.client()
        client.stall()
        client.send(get(b"/now"))
        self.reactor.pass_time(200, 1)
        client.read()
        self.assertTrue(client.received.endswith(b"/now"))
        self.assertEqual(client.ending, Ending.CLOSED)


class DrainTimeoutTests(TimedTestCase):
    """Twenty seconds for whoever was told to stop."""

    def test_uploading(self) -> None:
        """A client that goes on uploading after its answer is broken off in the end."""
        client = self.client(post(None))
        self.requests[0].fail(UpstreamError("broken"))
        for _ in range(19):
            self.reactor.advance(1)
            client.send(chunked(b"x" * 10_000, last=False))
        self.assertEqual(client.ending, Ending.HALF)
        self.reactor.advance(1.1)
        self.assertNotIn(client.ending, (Ending.OPEN, Ending.HALF))

    def test_slow_reader(self) -> None:
        """Not so one that has sent all it had to, and takes its time to read an answer, be it the last."""
        client = self.client()
        client.stall()
        client.send(get(b"/now", b"Connection: close"))
        self.reactor.pass_time(200, 1)
        client.read()
        self.assertTrue(client.received.endswith(b"/now"))
        self.assertEqual(client.ending, Ending.CLOSED)
