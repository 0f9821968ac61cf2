"""
Tests for the chunked coding in :mod:`sttproxy.http1.framing`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import BadRequest, Header, HeadTooLarge
from sttproxy.http1.framing import MAX_CHUNK_LINE, MAX_EXTENSIONS, Chunked, chunk, last_chunk
from sttproxy.http1.heads import MAX_FIELDS, MAX_HEAD

from .reading import Read, bytewise, read
from .strategies import cuts, names, values

UPGRADE: tuple[Header, ...] = ((b"A", b"b"), (b"Connection", b"upgrade"), (b"Upgrade", b"h2c"))

#: Chunked bodies, each with its decoded content and its trailers.
BODIES: tuple[tuple[bytes, bytes, tuple[Header, ...]], ...] = (
    (b"0\r\n\r\n", b"", ()),
    (b"000\r\n\r\n", b"", ()),
    (b"3\r\nabc\r\n0\r\n\r\n", b"abc", ()),
    (b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc", ()),
    (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789", ()),
    (b"00000000000000a\r\n0123456789\r\n0\r\n\r\n", b"0123456789", ()),
    (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n", ()),
    (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n", ()),
    (b"1;\r\na\r\n0\r\n\r\n", b"a", ()),
    (b"1;x\r\na\r\n0;y=z\r\n\r\n", b"a", ()),
    (b'1 ; x="a b;c"\t;\xff\r\na\r\n0\r\n\r\n', b"a", ()),
    (b"1\r\na\r\n0\r\nA: b\r\n\r\n", b"a", ((b"A", b"b"),)),
    (b"0\r\nA: b\r\nX-Sum: \xff\r\na:\r\n\r\n", b"", ((b"A", b"b"), (b"X-Sum", b"\xff"), (b"a", b""))),
    (b"0\r\nA:b \r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", b"", UPGRADE),
    (b"0\r\nA: GET / HTTP/1.1\r\n\r\n", b"", ((b"A", b"GET / HTTP/1.1"),)),
)

#: Bytes that cannot begin a valid chunked body.
BROKEN = (
    b"\r\n",
    b"\n",
    b"x\r\n",
    b"-1\r\n",
    b"+1\r\n",
    b"0x1\r\n",
    b"1_0\r\n",
    b" 1\r\n",
    b"1 \r\n",
    b"1 2\r\n",
    b"1,2\r\n",
    b";x\r\n",
    b"1\n",
    b"1\r\r\n",
    b"1\x00\r\n",
    b"1;a\x00\r\n",
    b"1;a\x7f\r\n",
    b"1;a\rb\r\n",
    b"1;a\n",
    b"0;a\n\r\n",
    b"\xd9\xa1\r\n",
    b"1000000000000000\r\n",
    b"ffffffffffffffffffff\r\n",
    b"1\r\nab",
    b"1\r\na\n",
    b"1\r\na\r\r",
    b"1\r\na\r0\r\n",
    b"1\r\na0\r\n\r\n",
    b"3\r\nabc0\r\n\r\n",
    b"0\r\nA\r\n\r\n",
    b"0\r\nA : b\r\n\r\n",
    b"0\r\n A: b\r\n\r\n",
    b"0\r\nA: b\r\n c\r\n\r\n",
    b"0\r\nA: b\nC: d\r\n\r\n",
    b"0\r\nA: b\rC: d\r\n\r\n",
    b"0\r\nA: \x00\r\n\r\n",
    b"0\r\nContent-Length: 3\r\n\r\n",
    b"0\r\ncontent-length: 0\r\n\r\n",
    b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"0\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    b"0\r\ncontent_length: 3\r\n\r\n",
    b"0\r\nGET / HTTP/1.1\r\n\r\n",
)


class ChunkedTests(SynchronousTestCase):
    """Bodies in the chunked coding."""

    def test_read(self) -> None:
        """A body is decoded the same whole, byte by byte and at every cut; the bytes after it are returned."""
        for wire, body, trailers in BODIES:
            for after in (b"", b"GET / HTTP/1.1\r\n", b"\r\n", b"0"):
                data = wire + after
                expected = Read(body, after, True, trailers=trailers)
                self.assertEqual(read(Chunked(), [data]), expected, data)
                self.assertEqual(read(Chunked(), bytewise(data)), expected, data)
                for at in range(len(data)):
                    self.assertEqual(read(Chunked(), [data[:at], data[at:]]), expected, (data, at))

    def test_incomplete(self) -> None:
        """Every proper prefix of a body is accepted and incomplete, also when the connection closes there."""
        for wire, body, _ in BODIES:
            for at in range(len(wire)):
                for pieces in ([wire[:at]], bytewise(wire[:at])):
                    decoder = Chunked()
                    result = read(decoder, pieces)
                    self.assertEqual((result.done, result.refused, result.rest), (False, "", b""), (wire, at))
                    self.assertEqual(result.trailers, (), (wire, at))
                    self.assertTrue(body.startswith(result.body), (wire, at))
                    self.assertFalse(decoder.end(), (wire, at))
            decoder = Chunked()
            read(decoder, [wire])
            self.assertTrue(decoder.end(), wire)

    def test_broken(self) -> None:
        """Invalid framing is rejected, with the same message whole, byte by byte and at every cut."""
        for wire in BROKEN:
            refused = read(Chunked(), [wire]).refused
            self.assertNotEqual(refused, "", wire)
            self.assertEqual(read(Chunked(), bytewise(wire)).refused, refused, wire)
            for at in range(len(wire)):
                self.assertEqual(read(Chunked(), [wire[:at], wire[at:]]).refused, refused, (wire, at))

    def test_prompt(self) -> None:
        """Body bytes are returned before their chunk is complete, and no slice is empty."""
        decoder = Chunked()
        self.assertEqual(decoder.feed(b"5\r\nab"), ([b"ab"], b""))
        self.assertEqual(decoder.feed(b"c"), ([b"c"], b""))
        self.assertEqual(decoder.feed(b""), ([], b""))
        self.assertEqual(decoder.feed(b"de\r\n1\r\nf\r"), ([b"de", b"f"], b""))
        self.assertEqual(decoder.feed(b"\n0\r\n\r\nx"), ([], b"x"))

    def test_uncopied(self) -> None:
        """If all received bytes are body, the decoder returns the same bytes object."""
        decoder = Chunked()
        decoder.feed(b"10\r\n")
        data = b"0123456789"
        self.assertIs(decoder.feed(data)[0][0], data)

    def test_after_end(self) -> None:
        """After the end of the body, the decoder returns all bytes as the rest."""
        decoder = Chunked()
        decoder.feed(b"0\r\n\r\n")
        self.assertEqual(decoder.feed(b"abc"), ([], b"abc"))

    def test_size_line(self) -> None:
        """A size line of exactly the limit is accepted; a longer one is rejected before it is complete."""
        for extra, accepted in ((0, True), (1, False)):
            line = b"1;".ljust(MAX_CHUNK_LINE + extra - 2, b"x")
            for pieces in ([line + b"\r\na"], bytewise(line + b"\r\na"), [line, b"\r", b"\na"]):
                self.assertEqual(read(Chunked(), pieces).body, b"a" if accepted else b"", (extra, len(pieces)))
        decoder = Chunked()
        decoder.feed(b"1" * (MAX_CHUNK_LINE - 1))
        self.assertRaises(BadRequest, decoder.feed, b"1")

    def test_extensions(self) -> None:
        """The total length of the extensions in all chunks of a body is limited."""
        one = b"1;" + b"x" * 1023 + b"\r\na\r\n"
        count = MAX_EXTENSIONS // 1024
        self.assertEqual(read(Chunked(), [one * count + b"0\r\n\r\n"]), Read(b"a" * count, b"", True))
        for pieces in ([one * count + b"0;\r\n\r\n"], [one] * count + [b"0;\r\n\r\n"]):
            self.assertIn(str(MAX_EXTENSIONS), read(Chunked(), pieces).refused)

    def test_trailers(self) -> None:
        """A trailer section of exactly the limit is accepted; a longer one is rejected before it is complete."""
        for extra, accepted in ((0, True), (1, False)):
            section = b"A: ".ljust(MAX_HEAD + extra - 4, b"b") + b"\r\n\r\n"
            for pieces in ([b"0\r\n" + section], [b"0\r\n", section[:-1], b"\n"], [b"0\r\n", section[:9], section[9:]]):
                self.assertEqual(read(Chunked(), pieces).done, accepted, (extra, len(pieces)))
        decoder = Chunked()
        decoder.feed(b"0\r\n" + b"a" * (MAX_HEAD - 1))
        self.assertRaises(HeadTooLarge, decoder.feed, b"a")
        fields = b"A: b\r\n" * MAX_FIELDS
        self.assertTrue(read(Chunked(), [b"0\r\n" + fields + b"\r\n"]).done)
        self.assertRaises(HeadTooLarge, Chunked().feed, b"0\r\nA: b\r\n" + fields + b"\r\n")

    def test_malformed_trailers(self) -> None:
        """A line that does not end in CRLF is rejected before the trailer section is complete."""
        for part in (b"0\r\nA: b\n", b"0\r\nA: b\rc", b"0\r\nA: b\r\n\n"):
            self.assertIn("CRLF", read(Chunked(), [part]).refused, part)

    def test_any_byte(self) -> None:
        """No byte in a trailer makes another field of it, or ends the body earlier or later."""
        for byte in range(256):
            for line in (b"A: b%cc" % byte, b"A%cB: c" % byte):
                result = read(Chunked(), [b"0\r\n" + line + b"\r\n\r\nrest"])
                if not result.refused:
                    self.assertEqual((result.rest, len(result.trailers)), (b"rest", 1), line)

    def test_largest_size(self) -> None:
        """A chunk size of fifteen digits is accepted."""
        decoder = Chunked()
        decoder.feed(b"fffffffffffffff\r\n")
        self.assertEqual(decoder.feed(b"abc"), ([b"abc"], b""))

    @given(
        st.lists(
            st.tuples(st.binary(min_size=1, max_size=20), st.sampled_from((b"", b";", b";a=b", b' ; a="b;"'))),
            max_size=5,
        ),
        st.lists(st.tuples(names, values), max_size=3),
        st.binary(max_size=6),
        st.data(),
    )
    def test_any(
        self,
        chunks: list[tuple[bytes, bytes]],
        trailers: list[tuple[bytes, bytes]],
        after: bytes,
        data: st.DataObject,
    ) -> None:
        """Random chunks, extensions, trailers and segmentation: the body is decoded correctly."""
        wire = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece, extension in chunks)
        wire += b"0\r\n" + b"".join(b"%b: %b\r\n" % pair for pair in trailers) + b"\r\n"
        body = b"".join(piece for piece, _ in chunks)
        expected = Read(body, after, True, trailers=tuple(trailers))
        self.assertEqual(read(Chunked(), data.draw(cuts(wire + after))), expected)

    @given(st.lists(st.binary(min_size=1), max_size=5), st.lists(st.tuples(names, values), max_size=3))
    def test_written(self, pieces: list[bytes], trailers: list[Header]) -> None:
        """The decoder reads what the encoder writes."""
        wire = b"".join(map(chunk, pieces)) + last_chunk(trailers)
        self.assertEqual(read(Chunked(), [wire]), Read(b"".join(pieces), b"", True, trailers=tuple(trailers)))
