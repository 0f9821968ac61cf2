"""
Tests for :mod:`sttproxy.http2.outbound`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.http2.outbound import Outbound


class OutboundTests(SynchronousTestCase):
    """A body that waits for windows."""

    def test_taken(self) -> None:
        """Bytes are taken in order and in any sizes; the last ones are known as such only when the body has ended."""
        outbound = Outbound()
        self.assertFalse(outbound.sendable)
        outbound.add(b"abc")
        outbound.add(b"de")
        self.assertEqual((outbound.sendable, outbound.waiting), (True, 5))
        self.assertEqual([outbound.take(most) for most in (2, 5, 5)], [(b"ab", False), (b"c", False), (b"de", False)])
        self.assertEqual((outbound.sendable, outbound.sent, outbound.waiting), (False, False, 0))
        outbound.add(b"f")
        outbound.end()
        self.assertEqual(outbound.take(5), (b"f", True))
        self.assertEqual((outbound.sendable, outbound.sent), (False, True))

    def test_trailers(self) -> None:
        """Trailers are kept until the last bytes are taken."""
        outbound = Outbound()
        outbound.add(b"ab")
        outbound.end([(b"X", b"a")])
        self.assertEqual(outbound.take(1), (b"a", False))
        self.assertEqual((outbound.take(1), outbound.trailers), ((b"b", True), [(b"X", b"a")]))

    def test_end_alone(self) -> None:
        """An end without bytes is sent too, once."""
        outbound = Outbound()
        outbound.end()
        self.assertTrue(outbound.sendable)
        self.assertEqual(outbound.take(0), (b"", True))
        self.assertFalse(outbound.sendable)
