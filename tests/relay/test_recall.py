"""
Tests for :class:`sttproxy.upload.Upload`: a body that is delivered a second time.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import BadRequest, Header, ProxyError
from sttproxy.inbound.interfaces import BodyReceiver
from sttproxy.upload import MAX_KEPT, Untouched, Upload

from ..http1.reading import request
from ..support.requests import request_to_send


class Source:
    """The client's body."""

    receiver: BodyReceiver | None = None
    paused = False
    stopped = False

    def deliver(self, receiver: BodyReceiver) -> None:
        self.receiver = receiver

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped = True


class Sink:
    """What one wire gets."""

    unsent = 0

    def __init__(self) -> None:
        self.data = b""
        self.ended = False
        self.trailers: Sequence[Header] = ()
        self.error: ProxyError | None = None

    def body_received(self, data: bytes) -> None:
        self.data += data

    def body_ended(self, trailers: Sequence[Header] = ()) -> None:
        self.ended = True
        self.trailers = trailers

    def body_failed(self, error: ProxyError) -> None:
        self.error = error


class RecallTests(SynchronousTestCase):
    """The second delivery."""

    def setUp(self) -> None:
        self.source = Source()
        self.upload = Upload(request_to_send(), self.source, Untouched(), None)
        self.first, self.second = Sink(), Sink()
        self.upload.deliver(self.first)

    def test_part(self) -> None:
        """The second sink gets all bytes from the first one on, those that come meanwhile, and the end."""
        self.upload.body_received(b"a")
        self.assertTrue(self.upload.recall())
        self.assertTrue(self.source.paused)
        self.upload.body_received(b"b")
        self.upload.deliver(self.second)
        self.assertFalse(self.source.paused)
        self.upload.body_received(b"c")
        self.upload.body_ended()
        self.assertEqual((self.first.data, self.first.ended), (b"a", False))
        self.assertEqual((self.second.data, self.second.ended), (b"abc", True))

    def test_complete(self) -> None:
        """So it is with a body that is complete, before the recall or after it; its end is notified once."""
        ends = []
        self.upload.when_ended(lambda: ends.append(1))
        self.upload.body_received(b"a")
        self.upload.body_ended()
        self.assertTrue(self.upload.recall())
        self.upload.deliver(self.second)
        self.assertEqual((self.second.data, self.second.ended, ends), (b"a", True, [1]))

    def test_trailers(self) -> None:
        """Trailers are delivered again with the end."""
        client = request_to_send()
        client.head = request()
        upload = Upload(client, self.source, Untouched(), None, keeps_trailers=True)
        upload.deliver(self.first)
        upload.body_ended([(b"X", b"a"), (b"Host", b"evil")])
        self.assertTrue(upload.recall())
        upload.deliver(self.second)
        self.assertEqual((self.first.trailers, self.second.trailers), ([(b"X", b"a")], [(b"X", b"a")]))

    def test_failed(self) -> None:
        """A body that fails meanwhile fails at the second sink."""
        self.upload.body_received(b"a")
        self.upload.recall()
        error = BadRequest("malformed")
        self.upload.body_failed(error)
        self.upload.deliver(self.second)
        self.assertIs(self.second.error, error)
        self.assertIsNone(self.first.error)

    def test_large(self) -> None:
        """More than the limit is not kept."""
        self.upload.body_received(bytes(MAX_KEPT))
        self.assertTrue(self.upload.recall())
        self.upload.deliver(self.second)
        self.upload.body_received(b"a")
        self.assertFalse(self.upload.recall())
        self.assertEqual(len(self.second.data), MAX_KEPT + 1)
        self.assertFalse(self.source.paused)

    def test_stopped(self) -> None:
        """A body that was stopped is not delivered again."""
        self.upload.stopProducing()
        self.assertFalse(self.upload.recall())

    def test_stopped_again(self) -> None:
        """The second sink may stop it at any byte."""
        self.upload.body_received(b"a")
        self.upload.body_received(b"b")
        self.upload.recall()

        class Stopping(Sink):
            def body_received(self, data: bytes) -> None:
                super().body_received(data)
                upload.stopProducing()

        upload, sink = self.upload, Stopping()
        upload.deliver(sink)
        self.assertEqual((sink.data, self.source.stopped), (b"a", True))
