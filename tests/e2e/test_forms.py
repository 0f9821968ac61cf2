"""
The forwarded form: its framing, its end, its files, and its streaming.
"""

from __future__ import annotations

import re

from .case import UNPOOLED, EchoTestCase, RawTestCase, transcription
from .forms import BOUNDARY, File, Part, boundary_of, content_type, echoed, form, noise
from .message import CHUNKED, Message, counted, request, split_chunks

CONFIG = '{"language": "zh", "response_format": "srt"}'
FORCED: list[Part] = [("language", "zh"), ("response_format", "srt")]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Framing(RawTestCase):
    """The bytes on the wire to the upstream."""

    config = CONFIG
    options = UNPOOLED

    def received(self, parts: list[Part], chunks: int = 0) -> Message:
        """Return the upstream's request for a form, after its framing is checked."""
        received, answer = self.exchange(transcription(form(parts), chunks), OK)
        self.assertEqual(answer.status, 200)
        boundary = boundary_of(received)
        self.assertTrue(received.body.startswith(b"--" + boundary + b"\r\n"), received.body[:200])
        self.assertNotIn(BOUNDARY.encode(), boundary)
        return received

    def test_length_stays(self) -> None:
        """A form with a Content-Length is forwarded with an exact one, and without a transfer coding."""
        received = self.received([("model", "m"), ("file", File(noise(50_000)))])
        self.assertEqual(received.length, len(received.body))
        self.assertEqual(received.values(b"Transfer-Encoding"), [])

    def test_chunked_stays(self) -> None:
        """A chunked form is forwarded chunked, without a length."""
        received = self.received([("model", "m"), ("file", File(noise(50_000)))], chunks=9)
        self.assertTrue(received.chunked)
        self.assertEqual(received.values(b"Content-Length"), [])
        self.assertGreater(len(split_chunks(received.raw_body)), 1)

    def test_no_padding(self) -> None:
        """If nothing was dropped, the form ends with its closing boundary and a line break."""
        for chunks in (0, 3):
            received = self.received([("file", File(noise(5000))), ("model", "m")], chunks)
            self.assertTrue(received.body.endswith(b"\r\n--" + boundary_of(received) + b"--\r\n"), received.body[-200:])

    def test_padding(self) -> None:
        """In a form with a length, dropped bytes are replaced by spaces; a chunked form becomes shorter."""
        parts: list[Part] = [("language", "en"), ("file", File(noise(5000))), ("response_format", "json")]
        end = rb"\r\n--%b--\r\n( *)"
        for chunks, padded in ((0, True), (3, False)):
            received = self.received(parts, chunks)
            found = re.search(end % re.escape(boundary_of(received)) + rb"\Z", received.body)
            assert found is not None, received.body[-300:]
            self.assertEqual(bool(found.group(1)), padded)

    def test_no_file_of_the_clients_is_touched(self) -> None:
        """The bytes of a file do not change, even line breaks and partial delimiters."""
        for size in (0, 1, 2, 100, 70_000):
            data = noise(size)
            for chunks in (0, 5):
                received = self.received([("language", "en"), ("file", File(data))], chunks)
                self.assertIn(b"\r\n\r\n" + data + b"\r\n--" + boundary_of(received), received.body)


class Streaming(RawTestCase):
    """Forms are streamed."""

    config = CONFIG
    options = UNPOOLED

    def test_head_before_body(self) -> None:
        """
        The upstream gets the head before the client has sent a byte of the body, and then each piece as it arrives.
        """
        body = form([("file", File(b"first" + bytes(50_000) + b"second"))])
        cut = body.index(b"second")
        for head, pieces in (
            (request("POST", "/v1/audio/transcriptions", content_type(), counted(body)), (body[:cut], body[cut:])),
            (
                request("POST", "/v1/audio/transcriptions", content_type(), CHUNKED),
                (b"%x\r\n%b\r\n" % (cut, body[:cut]), b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - cut, body[cut:])),
            ),
        ):
            client = self.connect()
            client.send(head)
            upstream = self.listener.accept()
            self.assertEqual(upstream.read_head().target, b"/v1/audio/transcriptions")
            client.send(pieces[0])
            upstream.read_until(b"first")
            # Only a possible beginning of a delimiter is buffered.
            upstream.read_exactly(50_000 - 100)
            self.assertNotIn(b"second", upstream.received)
            client.send(pieces[1])
            upstream.read_until(b"second")
            upstream.send(OK)
            self.assertEqual(client.read_message().status, 200)


class Cuts(EchoTestCase):
    """The network may cut a form anywhere."""

    config = CONFIG

    def test_every_cut(self) -> None:
        """A small form in two segments is read the same for every cut."""
        audio = File(b"\r\n--" + BOUNDARY.encode()[:10] + b"\r\n\r\n\r", "a.wav")
        parts: list[Part] = [("language", "en"), ("file", audio), ("model", "m"), ("response_format[]", "x")]
        whole = b"\r\n" + form(parts) + b"epilogue"
        expected = echoed([*FORCED, ("file", audio), ("model", "m")])
        for head, body in (
            (request("POST", "/v1/audio/transcriptions", content_type(), counted(whole)), whole),
            (
                request("POST", "/v1/audio/transcriptions", content_type(), CHUNKED),
                b"%x\r\n%b\r\n0\r\n\r\n" % (len(whole), whole),
            ),
        ):
            client = self.connect()
            for cut in range(len(body) + 1):
                client.send(head + body[:cut])
                # The response shows that the first segment was read, so the second one arrives separately.
                self.daemon.stats()
                client.send(body[cut:])
                with self.naming(f"cut at {cut}"):
                    self.assertEqual(client.read_message().json()["form"], expected)

    def test_byte_by_byte(self) -> None:
        """A form, with its head, is read the same when each byte arrives separately."""
        parts: list[Part] = [("language", "en"), ("file", File(noise(100))), ("model", "m")]
        expected = echoed([*FORCED, *parts[1:]])
        for chunks in (0, 3):
            client = self.connect()
            sent = transcription(form(parts), chunks)
            client.send(*(sent[at : at + 1] for at in range(len(sent))))
            self.assertEqual(client.read_message().json()["form"], expected)


class Files(EchoTestCase):
    """Files arrive unchanged."""

    config = CONFIG

    def test_equal(self) -> None:
        """Bytes, name and content type of files of any size are the same, in both framings."""
        for size in (0, 1, 4095, 65_536, 65_537, 3_000_000):
            for file in (File(noise(size), "会议 (1).m4a", "audio/mp4; codecs=x"), File(noise(size, 1), "a'b;c=d.wav")):
                sent: list[Part] = [("file", file), ("language", "en")]
                for chunks in (0, 11):
                    self.assertEqual(self.transcribe(sent, chunks)["form"], echoed([*FORCED, ("file", file)]))

    def test_framing_seen(self) -> None:
        """The server sees the framing that the client chose."""
        parts: list[Part] = [("file", File(noise(1000)))]
        counted, chunked = self.transcribe(parts), self.transcribe(parts, 3)
        self.assertIsNotNone(counted["content_length"])
        self.assertIsNone(counted["transfer_encoding"])
        self.assertIsNone(chunked["content_length"])
        self.assertEqual(chunked["transfer_encoding"], "chunked")
