"""
Tests for :mod:`sttproxy.http1.framing`; `test_chunked` tests the chunked coding.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.http1.framing import Chunked, Counted, UntilClose, decoder_for
from sttproxy.http1.requests import parse_request
from sttproxy.http1.responses import parse_response

from .reading import Read, bytewise, read


class CountedTests(SynchronousTestCase):
    """Bodies of a known length."""

    def test_read(self) -> None:
        """The body has exactly the stated length, at every segmentation."""
        wire = b"abcdefgh"
        for length in range(len(wire) + 1):
            expected = Read(wire[:length], wire[length:], True)
            self.assertEqual(read(Counted(length), [wire]), expected)
            self.assertEqual(read(Counted(length), bytewise(wire)), expected)
            for at in range(len(wire)):
                self.assertEqual(read(Counted(length), [wire[:at], wire[at:]]), expected, (length, at))

    def test_end(self) -> None:
        """A connection may close only after the whole body."""
        decoder = Counted(2)
        for done in (False, False, True):
            self.assertEqual((decoder.done, decoder.end()), (done, done))
            decoder.feed(b"a")
        self.assertEqual(Counted(0).end(), True)

    def test_uncopied(self) -> None:
        """If all received bytes are body, the decoder returns the same bytes object."""
        decoder = Counted(6)
        for data in (b"abc", b"def"):
            self.assertIs(decoder.feed(data)[0][0], data)

    def test_after_end(self) -> None:
        """After the end, the decoder returns all bytes as the rest, and no empty slice."""
        for decoder in (Counted(0), Counted(1)):
            decoder.feed(b"a")
            self.assertEqual(decoder.feed(b"abc"), ([], b"abc"))


class UntilCloseTests(SynchronousTestCase):
    """Bodies that end when the connection closes."""

    def test_read(self) -> None:
        """All bytes are body, and the body is complete only when the connection closes."""
        decoder = UntilClose()
        self.assertTrue(decoder.end())
        for data in (b"a", b"0\r\n\r\n", b"\x00"):
            self.assertEqual(decoder.feed(data), ([data], b""))
            self.assertFalse(decoder.done)
            self.assertTrue(decoder.end())


class ChoiceTests(SynchronousTestCase):
    """The choice of the decoder for a head."""

    def test_decoder_for(self) -> None:
        """The decoder follows from the coding, else from the length; without both it reads until the close."""
        for lines, kind in (
            (b"Transfer-Encoding: chunked\r\n", Chunked),
            (b"Content-Length: 3\r\n", Counted),
            (b"", UntilClose),
        ):
            head = parse_response(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n", b"GET")
            self.assertIsInstance(decoder_for(head), kind)
        request = parse_request(b"POST / HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertTrue(decoder_for(request).done)
        response = parse_response(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"HEAD")
        self.assertTrue(decoder_for(response).done)
