"""
Tests for :mod:`sttproxy.inbound.body`: bodies and their receivers, without a connection.
"""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from sttproxy.deadline import Deadline
from sttproxy.errors import BadRequest, BodyTooLarge, ProxyError, RequestTimeout
from sttproxy.http1.framing import decoder_for
from sttproxy.http1.requests import parse_request
from sttproxy.inbound.body import Collected, RequestBody, WholeBody

from ..support.stage import Taken, chunked, post


class FakeChannel:
    """
    What a body calls on its channel.

    :ivar held: whether the client is paused.
    :ivar continued: how many times 100 Continue was sent.
    """

    body: RequestBody

    def __init__(self) -> None:
        self.held = False
        self.continued = 0

    def update_reading(self) -> None:
        self.held = self.body.paused

    def send_continue(self) -> None:
        self.continued += 1


class Pausing(Taken):
    """A receiver that pauses at its first piece."""

    def __init__(self, body: RequestBody) -> None:
        super().__init__()
        self.body = body

    def body_received(self, data: bytes) -> None:
        super().body_received(data)
        self.body.pauseProducing()


class Stopping(Taken):
    """A receiver that stops after its first piece."""

    def __init__(self, body: RequestBody) -> None:
        super().__init__()
        self.body = body

    def body_received(self, data: bytes) -> None:
        super().body_received(data)
        self.body.stopProducing()


class BodyTestCase(SynchronousTestCase):
    """Base class for tests of request bodies."""

    def body(self, length: int | None, *fields: bytes, most: int | None = None) -> RequestBody:
        """Return the body of a request, and its channel."""
        self.channel = FakeChannel()
        head = parse_request(post(length, *fields))
        self.clock = Clock()
        deadline = Deadline(self.clock, lambda: body.too_slow())
        body = RequestBody(self.channel, head, decoder_for(head), most, deadline, 30)
        self.channel.body = body
        return body


class RequestBodyTests(BodyTestCase):
    """A body that arrives from the network."""

    def test_interface(self) -> None:
        """A body implements the push producer interface."""
        self.assertTrue(verifyClass(IPushProducer, RequestBody))
        self.assertTrue(verifyObject(IPushProducer, self.body(1)))

    def test_counted(self) -> None:
        """
        A body of known length is delivered as it comes, and ends with its last byte; the bytes after it are returned.
        """
        body = self.body(5)
        self.assertEqual((body.length, body.complete), (5, False))
        taken = Taken(body)
        self.assertEqual(body.feed(b"ab"), b"")
        self.assertEqual((taken.pieces, taken.ended, body.complete), ([b"ab"], False, False))
        self.assertEqual(body.feed(b"cdeNEXT"), b"NEXT")
        self.assertEqual((taken.pieces, taken.ended, body.complete), ([b"ab", b"cde"], True, True))

    def test_trailers(self) -> None:
        """Trailers are passed on with the end of the body, also to a receiver that comes after it."""
        data = chunked(b"ab", last=False) + b"0\r\nX: a\r\nx: b\r\n\r\n"
        for early in (False, True):
            body = self.body(None)
            if early:
                taken = Taken(body)
            for at in range(len(data)):
                self.assertEqual(body.feed(data[at : at + 1]), b"")
            if not early:
                taken = Taken(body)
            self.assertEqual((taken.data, taken.ended, taken.trailers), (b"ab", True, [(b"X", b"a"), (b"x", b"b")]))

    def test_chunked(self) -> None:
        """A chunked body is delivered without the chunked coding."""
        body = self.body(None)
        self.assertIsNone(body.length)
        taken = Taken(body)
        self.assertEqual(body.feed(chunked(b"ab", b"cde") + b"NEXT"), b"NEXT")
        self.assertEqual((taken.data, taken.ended), (b"abcde", True))

    def test_empty(self) -> None:
        """An empty body is complete from the beginning, and ends as soon as a receiver takes it."""
        body = self.body(0)
        self.assertTrue(body.complete)
        self.assertTrue(Taken(body).ended)

    def test_held(self) -> None:
        """The client is paused until a receiver takes the body; the bytes that have arrived are delivered then."""
        body = self.body(6)
        body.feed(b"ab")
        self.assertTrue(self.channel.held)
        body.feed(b"cd")
        taken = Taken(body)
        self.assertEqual((taken.data, taken.ended, self.channel.held), (b"abcd", False, False))
        body.feed(b"ef")
        self.assertEqual((taken.data, taken.ended), (b"abcdef", True))

    def test_held_whole(self) -> None:
        """A body that arrived completely before a receiver takes it does not pause the client."""
        body = self.body(2)
        self.assertEqual(body.feed(b"abNEXT"), b"NEXT")
        self.assertFalse(self.channel.held)
        taken = Taken(body)
        self.assertEqual((taken.data, taken.ended), (b"ab", True))

    def test_pause(self) -> None:
        """
        pauseProducing pauses the client and resumeProducing resumes it; both do nothing once the body is complete.
        """
        body = self.body(2)
        Taken(body)
        body.pauseProducing()
        self.assertTrue(self.channel.held)
        body.resumeProducing()
        self.assertFalse(self.channel.held)
        body.feed(b"ab")
        body.pauseProducing()
        self.assertFalse(self.channel.held)

    def test_pause_at_delivery(self) -> None:
        """If a receiver pauses while it gets the buffered bytes, the client stays paused."""
        body = self.body(10)
        body.feed(b"ab")
        body.deliver(Pausing(body))
        self.assertTrue(self.channel.held)

    def test_stop(self) -> None:
        """
        After a stop the remaining bytes are read and dropped, and the receiver gets no more calls, not even for the
        end.
        """
        body = self.body(6)
        taken = Taken(body)
        body.feed(b"ab")
        body.pauseProducing()
        body.stopProducing()
        self.assertFalse(self.channel.held)
        self.assertEqual(body.feed(b"cdefNEXT"), b"NEXT")
        self.assertEqual((taken.data, taken.ended, body.complete), (b"ab", False, True))

    def test_stop_in_between(self) -> None:
        """A receiver that stops at one of several pieces gets none of the others, whether buffered or just arrived."""
        for held in (True, False):
            body = self.body(None)
            stopping = Stopping(body)
            if held:
                body.feed(chunked(b"ab", b"cd", b"ef"))
                body.deliver(stopping)
            else:
                body.deliver(stopping)
                body.feed(chunked(b"ab", b"cd", b"ef"))
            self.assertEqual((stopping.pieces, stopping.ended), ([b"ab"], False), held)

    def test_stop_before_delivery(self) -> None:
        """A body that is stopped before a receiver takes it buffers nothing."""
        body = self.body(100)
        body.feed(b"ab")
        body.stopProducing()
        self.assertFalse(self.channel.held)
        body.feed(b"cd")
        self.assertFalse(self.channel.held)
        taken = Taken(body)
        self.assertEqual((taken.data, taken.ended), (b"", False))

    def test_awaited(self) -> None:
        """The body is awaited as long as a receiver takes it."""
        body = self.body(2)
        self.assertFalse(body.awaited)
        Taken(body)
        self.assertTrue(body.awaited)
        body.stopProducing()
        self.assertFalse(body.awaited)

    def test_malformed(self) -> None:
        """Broken framing fails the body with the same error that is raised, after the pieces before it."""
        body = self.body(None)
        taken = Taken(body)
        body.feed(chunked(b"ab", last=False))
        error = self.assertRaises(BadRequest, body.feed, b"xyz\r\n")
        self.assertIs(taken.error, error)
        self.assertEqual((taken.data, taken.ended), (b"ab", False))

    def test_malformed_again(self) -> None:
        """A broken body stays broken: well-formed bytes after the error are not delivered."""
        body = self.body(None)
        taken = Taken(body)
        error = self.assertRaises(BadRequest, body.feed, b"xyz\r\n")
        with contextlib.suppress(BadRequest):
            body.feed(chunked(b"ab"))
        self.assertEqual((taken.error, taken.data, taken.ended), (error, b"", False))

    def test_malformed_before_delivery(self) -> None:
        """A receiver that takes an already broken body gets its error."""
        body = self.body(None)
        self.assertRaises(BadRequest, body.feed, chunked(b"ab", last=False) + b"xyz\r\n")
        self.assertIsInstance(Taken(body).error, BadRequest)

    def test_limit(self) -> None:
        """A chunked body fails at the first byte over the limit; a body of exactly that size passes."""
        body = self.body(None, most=4)
        taken = Taken(body)
        body.feed(chunked(b"ab", b"cd", last=False))
        self.assertRaises(BodyTooLarge, body.feed, chunked(b"e"))
        self.assertIsInstance(taken.error, BodyTooLarge)
        self.assertEqual(taken.data, b"abcd")
        whole = self.body(None, most=4)
        taken = Taken(whole)
        whole.feed(chunked(b"ab", b"cd"))
        self.assertTrue(taken.ended)

    def test_failed(self) -> None:
        """A body can be failed from outside, once, before or after a receiver takes it."""
        error = RequestTimeout("too slow")
        for early in (True, False):
            body = self.body(4)
            taken = Taken()
            if early:
                body.fail(error)
            body.deliver(taken)
            if not early:
                body.fail(error)
            self.assertIs(taken.error, error)
            body.fail(RequestTimeout("again"))
            body.feed(b"abcd")
            self.assertEqual((taken.error, taken.data, taken.ended), (error, b"", False))

    def test_continue(self) -> None:
        """A client that expects 100 Continue gets it once, when a receiver takes the body."""
        body = self.body(2, b"Expect: 100-continue")
        self.assertEqual(self.channel.continued, 0)
        Taken(body)
        self.assertEqual(self.channel.continued, 1)

    def test_no_continue(self) -> None:
        """100 Continue is not sent to a client that did not expect it, has begun its body, or has no body to send."""
        began = self.body(2, b"Expect: 100-continue")
        began.feed(b"a")
        for body in (began, self.body(2), self.body(0, b"Expect: 100-continue")):
            channel: Any = body._connection
            Taken(body)
            self.assertEqual(channel.continued, 0)


class WholeBodyTests(SynchronousTestCase):
    """A body that is complete in memory."""

    def test_whole(self) -> None:
        """It is delivered at once, and pausing and resuming do nothing."""
        body = WholeBody(b"abc")
        body.pauseProducing()
        self.assertEqual(body.length, 3)
        taken = Taken(body)
        self.assertEqual((taken.pieces, taken.ended), ([b"abc"], True))
        body.resumeProducing()
        body.stopProducing()

    def test_nothing(self) -> None:
        """An empty body ends without any piece."""
        taken = Taken(WholeBody(b""))
        self.assertEqual((taken.pieces, taken.ended), ([], True))


class CollectedTests(BodyTestCase):
    """Collecting a small body in memory."""

    def test_collected(self) -> None:
        """The pieces are joined."""
        body = self.body(None)
        whole = Collected(body, 5).whole
        body.feed(chunked(b"ab", b"cd", last=False))
        self.assertNoResult(whole)
        body.feed(chunked(b"e"))
        self.assertEqual(self.successResultOf(whole), b"abcde")

    def test_too_much(self) -> None:
        """One byte over the limit fails the collection: nothing is kept or read any more; the error names the limit."""
        body = self.body(None)
        whole = Collected(body, 5).whole
        body.feed(chunked(b"abcdef", b"g", last=False))
        error = self.failureResultOf(whole, BodyTooLarge).value
        self.assertIn("5 bytes", error.message)
        body.feed(chunked(b"h"))
        self.assertFalse(body.awaited)

    def test_broken(self) -> None:
        """A body that fails also fails the collection."""
        body = self.body(None)
        whole = Collected(body, 5).whole
        self.assertRaises(ProxyError, body.feed, b"xyz\r\n")
        self.failureResultOf(whole, BadRequest)
