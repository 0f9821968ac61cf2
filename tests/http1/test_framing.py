"""
Tests for :mod:`sttproxy.http1.framing`, but for the chunked coding.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.http1.framing import Chunked, Counted, UntilClose, decoder_for
from sttproxy.http1.heads import parse_request, parse_response

from .reading import Read, bytewise, read


class CountedTests(SynchronousTestCase):
    """Bodies of a known length."""

    def test_read(self) -> None:
        """Exactly the announced bytes are body, however they come."""
        wire = b"abcdefgh"
        for length in range(len(wire) + 1):
            expected = Read(wire[:length], wire[length:], True)
            self.assertEqual(read(Counted(length), [wire]), expected)
            self.assertEqual(read(Counted(length), bytewise(wire)), expected)
            for at in range(len(wire)):
                self.assertEqual(read(Counted(length), [wire[:at], wire[at:]]), expected, (length, at))

    def test_end(self) -> None:
        """A connection may end where all has come, and nowhere before."""
        decoder = Counted(2)
        for done in (False, False, True):
            self.assertEqual((decoder.done, decoder.end()), (done, done))
            decoder.feed(b"a")
        self.assertEqual(Counted(0).end(), True)

    def test_uncopied(self) -> None:
        """A slice that is all of what arrived is the very same object."""
        decoder = Counted(6)
        for data in (b"abc", b"def"):
            self.assertIs(decoder.feed(data)[0][0], data)

    def test_after_end(self) -> None:
        """Behind its end a body takes nothing, and gives no empty slice that would end a chunked message."""
        for decoder in (Counted(0), Counted(1)):
            decoder.feed(b"a")
            self.assertEqual(decoder.feed(b"abc"), ([], b"abc"))


class UntilCloseTests(SynchronousTestCase):
    """Bodies that end with their connection."""

    def test_read(self) -> None:
        """Everything is body; it is never complete by itself, and always where the connection ends."""
        decoder = UntilClose()
        self.assertTrue(decoder.end())
        for data in (b"a", b"0\r\n\r\n", b"\x00"):
            self.assertEqual(decoder.feed(data), ([data], b""))
            self.assertFalse(decoder.done)
            self.assertTrue(decoder.end())


class ChoiceTests(SynchronousTestCase):
    """Which decoder a head gets."""

    def test_decoder_for(self) -> None:
        """A coding asks for chunks, a length for counting, neither for the end of the connection."""
        for lines, kind in (
            (b"Transfer-Encoding: chunked\r\n", Chunked),
            (b"Content-Length: 3\r\n", Counted),
            (b"", UntilClose),
        ):
            head = parse_response(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n", b"GET")
            self.assertIsInstance(decoder_for(head), kind)
        request = parse_request(b"POST / HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertTrue(decoder_for(request).done)
        answer = parse_response(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"HEAD")
        self.assertTrue(decoder_for(answer).done)
