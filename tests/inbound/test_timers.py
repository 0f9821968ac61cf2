"""
Tests for the timeouts of :mod:`sttproxy.inbound.channel`.
"""

from __future__ import annotations

from sttproxy.errors import RequestTimeout, UpstreamError
from sttproxy.inbound.body import BODY_PROGRESS
from sttproxy.inbound.interfaces import Timeouts

from ..support.fakes import Ending
from ..support.stage import ScriptedTestCase, Taken, chunked, error_of, get, post

#: All limits differ, so that a test cannot pass with the limit of another phase.
TIMEOUTS = Timeouts(head=10, body=30, idle=75, drain=20)


class TimedTestCase(ScriptedTestCase):
    """Base class: a site with limits."""

    def setUp(self) -> None:
        super().setUp()
        self.serve_with(TIMEOUTS)


class HeadTimeoutTests(TimedTestCase):
    """The head must be complete in ten seconds."""

    def test_too_late(self) -> None:
        """A head that is not complete in time gets 408 and a close, however steadily its bytes arrive."""
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
        """A head that is complete just in time is answered, and its timer stops."""
        client = self.client(get()[:-1])
        self.reactor.advance(9.9)
        client.send(get()[-1:])
        self.reactor.pass_time(100, 1)
        self.assertEqual((client.received, len(self.requests)), (b"", 1))

    def test_next_head(self) -> None:
        """The time starts at a head's first byte, not at the connection's start or at the request before."""
        client = self.client()
        self.reactor.pass_time(60, 1)
        client.send(get(b"/now"))
        self.reactor.pass_time(60, 1)
        client.send(get(b"/now")[:5])
        self.reactor.advance(9.9)
        client.send(get(b"/now")[5:])
        self.assertEqual(client.received.count(b"200 OK"), 2)

    def test_behind_an_answer(self) -> None:
        """For a partial head that arrived while another request was answered, the time starts after that response."""
        client = self.client(get() + get()[:5])
        self.reactor.pass_time(60, 1)
        self.requests[0].finish()
        self.reactor.advance(9.9)
        self.assertNotIn(b"408", client.received)
        self.reactor.advance(0.2)
        self.assertIn(b"HTTP/1.1 408", client.received)


class BodyTimeoutTests(TimedTestCase):
    """Each four KiB of the body must arrive in thirty seconds."""

    def upload(self, *segments: bytes) -> Taken:
        self.peer = self.client(*segments)
        return Taken(self.requests[-1].body)

    def test_too_slow(self) -> None:
        """A body that arrives too slowly is failed with 408, and a header tells the SDKs not to retry."""
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
        """A body of any size that arrives steadily does not time out."""
        taken = self.upload(post(None))
        for _ in range(20):
            self.reactor.advance(29)
            self.peer.send(chunked(b"x" * BODY_PROGRESS, last=False))
        self.assertEqual((len(taken.data), taken.error), (20 * BODY_PROGRESS, None))

    def test_drips_after_progress(self) -> None:
        """A body that was fast at first still times out when it becomes slow."""
        taken = self.upload(post(1_000_000, body=b"x" * 100_000))
        self.reactor.pass_time(30.5, 0.5)
        self.assertIsInstance(taken.error, RequestTimeout)

    def test_complete(self) -> None:
        """When the body is complete its timer stops, however long the response takes."""
        taken = self.upload(post(4, body=b"abcd"))
        self.reactor.pass_time(600, 10)
        self.assertTrue(taken.ended)
        self.assertEqual((self.peer.received, self.peer.ending), (b"", Ending.OPEN))

    def test_not_taken(self) -> None:
        """The time before a receiver takes the body does not count."""
        self.peer = self.client(post(1_000_000, body=b"x" * 10_000))
        self.reactor.pass_time(600, 10)
        taken = Taken(self.requests[0].body)
        self.reactor.advance(29)
        self.assertIsNone(taken.error)
        self.reactor.advance(2)
        self.assertIsInstance(taken.error, RequestTimeout)

    def test_held_back(self) -> None:
        """The time in which the client is paused in the middle of its body does not count."""
        taken = self.upload(post(1_000_000, body=b"x"))
        self.requests[0].body.pauseProducing()
        self.reactor.pass_time(600, 10)
        self.requests[0].body.resumeProducing()
        self.reactor.advance(29)
        self.assertIsNone(taken.error)

    def test_overrun(self) -> None:
        """Bytes that arrive although the client is paused, as over TLS, do not start the timer."""
        taken = self.upload(post(1_000_000, body=b"x"))
        self.requests[0].body.pauseProducing()
        self.peer.protocol.dataReceived(b"x" * BODY_PROGRESS)
        self.reactor.pass_time(600, 10)
        self.assertIsNone(taken.error)

    def test_no_limit(self) -> None:
        """The body timeout can be disabled."""
        self.serve_with(Timeouts(body=None))
        taken = self.upload(post(1_000_000, body=b"x"))
        self.reactor.pass_time(3600, 60)
        self.assertEqual((taken.error, self.peer.ending), (None, Ending.OPEN))


class IdleTimeoutTests(TimedTestCase):
    """A connection may be idle for seventy-five seconds."""

    def test_new(self) -> None:
        """A new connection without any byte is closed, without a response."""
        client = self.client()
        self.reactor.pass_time(74.5, 0.5)
        self.assertEqual(client.ending, Ending.OPEN)
        self.reactor.pass_time(1)
        self.assertEqual((client.ending, client.received), (Ending.CLOSED, b""))

    def test_between(self) -> None:
        """The time starts at the end of the last response."""
        client = self.client(get(b"/now"))
        self.reactor.pass_time(70, 1)
        client.send(get(b"/now"))
        self.reactor.pass_time(74.5, 0.5)
        self.assertEqual(client.ending, Ending.OPEN)
        self.reactor.pass_time(1)
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_answering(self) -> None:
        """The time does not run while a request is being answered."""
        client = self.client(get())
        self.reactor.pass_time(600, 10)
        self.assertEqual(client.ending, Ending.OPEN)

    def test_at_the_edge(self) -> None:
        """A request that has arrived but was not read yet at the timeout is answered, not reset."""
        client = self.client()
        self.reactor.pass_time(74.5, 0.5)
        client.socket.arriving.append(get(b"/now"))
        self.reactor.advance(1)
        self.assertTrue(client.received.endswith(b"/now"))
        self.assertEqual(client.ending, Ending.OPEN)

    def test_unread_answer(self) -> None:
        """A client that has not read its last response by then may still read it."""
        client = self.client()
        client.stall()
        client.send(get(b"/now"))
        self.reactor.pass_time(200, 1)
        client.read()
        self.assertTrue(client.received.endswith(b"/now"))
        self.assertEqual(client.ending, Ending.CLOSED)


class DrainTimeoutTests(TimedTestCase):
    """A client has twenty seconds to stop sending after an early response."""

    def test_uploading(self) -> None:
        """A client that goes on uploading after its response is aborted at the timeout."""
        client = self.client(post(None))
        self.requests[0].fail(UpstreamError("broken"))
        for _ in range(19):
            self.reactor.advance(1)
            client.send(chunked(b"x" * 10_000, last=False))
        self.assertEqual(client.ending, Ending.HALF)
        self.reactor.advance(1.1)
        self.assertNotIn(client.ending, (Ending.OPEN, Ending.HALF))

    def test_slow_reader(self) -> None:
        """A client that has sent its whole request may read its response slowly, even the last response."""
        client = self.client()
        client.stall()
        client.send(get(b"/now", b"Connection: close"))
        self.reactor.pass_time(200, 1)
        client.read()
        self.assertTrue(client.received.endswith(b"/now"))
        self.assertEqual(client.ending, Ending.CLOSED)
