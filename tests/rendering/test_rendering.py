"""
Tests for :mod:`sttproxy.rendering`: what the client gets.
"""

from __future__ import annotations

import json
from typing import ClassVar

from ..support.stage import FORM_TYPE, chunked, error_of, get, message, transcription
from .case import CLEAN_SRT, SRT, RenderingTestCase, form

PLAIN = b"Content-Type: text/plain; charset=utf-8"
JSON = b"Content-Type: application/json"
VERBOSE = json.dumps(
    {
        "task": "transcribe",
        "language": "english",
        "duration": 2.0,
        "text": " Hello um there Thank you for watching!",
        "segments": [
            {"id": 0, "start": 0.0, "end": 1.0, "text": " Hello um there"},
            {"id": 1, "start": 1.0, "end": 2.0, "text": " Thank you for watching!"},
        ],
    }
).encode()


class CleanTests(RenderingTestCase):
    """Responses in the format of the server."""

    def test_length(self) -> None:
        """The new length is right; what describes the old body is gone, all else stays."""
        self.rules()
        client = self.asked("srt")
        described = (b'ETag: "x"', b"Content-MD5: x", b"Digest: x", b"Repr-Digest: x", b"X-Other: 1", PLAIN)
        self.assertEqual(
            self.answer(client, SRT, *described),
            message(b"HTTP/1.1 200 OK", b"X-Other: 1", PLAIN, b"Content-Length: %d" % len(CLEAN_SRT), body=CLEAN_SRT),
        )

    def test_unchanged(self) -> None:
        """A response that no rule touches leaves as it came, with all of its headers."""
        self.rules()
        for body, fields in ((CLEAN_SRT, (b'ETag: "x"', PLAIN)), (b'{ "text":"Hi\\u0021" , "x": 1e3}\n', (JSON,))):
            client = self.asked("srt")
            received = self.answer(client, body, *fields)
            self.assertEqual(
                received, message(b"HTTP/1.1 200 OK", *fields, b"Content-Length: %d" % len(body), body=body)
            )

    def test_request(self) -> None:
        """The server is asked for a response without a coding, only where there are rules."""
        self.rules()
        self.asked("srt", b"Accept-Encoding: gzip, br")
        self.assertIn(b"\r\nAccept-Encoding: identity\r\n", self.server.received)
        self.assertNotIn(b"gzip", self.server.received)
        self.rules({})
        self.asked("srt", b"Accept-Encoding: gzip, br")
        self.assertIn(b"\r\nAccept-Encoding: gzip, br\r\n", self.server.received)

    def test_left_alone(self) -> None:
        """Errors, encoded responses and those without a body pass as they came."""
        self.rules()
        for status, fields in (
            (b"500 Oops", (PLAIN,)),
            (b"404 Not Found", (PLAIN,)),
            (b"206 Partial Content", (PLAIN,)),
            (b"200 OK", (PLAIN, b"Content-Encoding: gzip")),
            (b"200 OK", (b"Content-Type: audio/wav",)),
        ):
            client = self.asked("srt")
            received = self.answer(client, SRT, *fields, status=status)
            framing = b"Content-Length: %d" % len(SRT)
            self.assertEqual(received, message(b"HTTP/1.1 " + status, *fields, framing, body=SRT), status)
        client = self.asked("srt")
        self.server.send(message(b"HTTP/1.1 204 No Content"))
        self.assertEqual(client.received, message(b"HTTP/1.1 204 No Content"))
        self.assertEqual((dict(self.registry.passed), self.registry.transcripts), ({"unknown": 2}, 0))

    def test_malformed(self) -> None:
        """What is not surely a transcript passes as it came; statistics count it."""
        self.rules()
        for body, content_type in ((b'{"text": "um"', JSON), (b"<html>um</html>", PLAIN), (SRT[1:], PLAIN)):
            client = self.asked("srt")
            received = self.answer(client, body, content_type, b'ETag: "x"')
            framing = b"Content-Length: %d" % len(body)
            self.assertEqual(
                received, message(b"HTTP/1.1 200 OK", content_type, b'ETag: "x"', framing, body=body), body
            )
        self.assertEqual(dict(self.registry.passed), {"unknown": 3})

    def test_counted(self) -> None:
        """What was done is counted by rule and number."""
        self.rules()
        self.answer(self.asked("srt"), SRT, PLAIN)
        self.answer(self.asked("srt"), SRT, PLAIN)
        counts = dict(self.registry.cleaning)
        self.assertEqual(counts.pop(("replace", 1)), 2)
        (((rule, number), count),) = counts.items()
        self.assertEqual((rule, number > 0, count), ("known", True, 2))
        self.assertEqual((self.registry.transcripts, self.registry.rendered), (2, 0))

    def test_other_requests(self) -> None:
        """Other requests are not touched."""
        self.rules()
        client = self.client(get(b"/v1/models"))
        self.assertTrue(self.answer(client, SRT, PLAIN).endswith(SRT))

    def test_http_1_0(self) -> None:
        """A client of HTTP/1.0 gets a length, too."""
        self.rules()
        client = self.client(transcription(form("srt"), FORM_TYPE).replace(b"HTTP/1.1", b"HTTP/1.0"))
        received = self.answer(client, SRT, PLAIN, length=False)
        self.assertTrue(received.endswith(b"\r\n\r\n" + CLEAN_SRT), received)

    def test_explained(self) -> None:
        """With the header, the response tells what was done; without changes it tells nothing."""
        self.rules(explains=True)
        received = self.answer(self.asked("srt"), SRT, PLAIN)
        self.assertIn(b"\r\nx-sttproxy-transcript: dropped=1; replaced=1\r\n", received)
        self.assertNotIn(b"x-sttproxy-transcript", self.answer(self.asked("srt"), CLEAN_SRT, PLAIN))

    def test_explained_behind(self) -> None:
        """A response that leaves while it comes has it behind the body."""
        self.rules(explains=True)
        client = self.asked("srt")
        self.server.send(
            message(b"HTTP/1.1 200 OK", PLAIN, b"Transfer-Encoding: chunked", body=chunked(SRT, last=False))
        )
        self.assertIn(b"Hello there", client.received)
        self.server.send(chunked())
        self.assertTrue(
            client.received.endswith(b"0\r\nx-sttproxy-transcript: dropped=1; replaced=1\r\n\r\n"), client.received
        )


class DeliveredTests(RenderingTestCase):
    """Responses in the format that the client asked for."""

    FORCED: ClassVar = {"response_format": "srt"}
    AS_ASKED: ClassVar = {"deliver": "as-asked"}

    def delivered(self, response_format: str | None, body: bytes, content_type: bytes) -> tuple[bytes, bytes]:
        """Head and body of a response for a client that asked for a format."""
        head, _, received = self.answer(self.asked(response_format), body, content_type).partition(b"\r\n\r\n")
        self.assertIn(b"Content-Length: %d" % len(received), head)
        return head, received

    def test_json(self) -> None:
        """A client that calls .json() under a forced format gets JSON with the subtitles."""
        self.rules(self.AS_ASKED, fields=self.FORCED)
        for asked in (None, "json"):
            head, body = self.delivered(asked, SRT, PLAIN)
            self.assertEqual(json.loads(body), {"text": SRT.decode()})
            self.assertIn(b"Content-Type: application/json", head)
            self.assertNotIn(b"text/plain", head)

    def test_as_asked_already(self) -> None:
        """A response in the format that was asked for leaves as it came."""
        self.rules(self.AS_ASKED, fields=self.FORCED)
        head, body = self.delivered("srt", SRT, PLAIN)
        self.assertEqual((body, PLAIN in head), (SRT, True))

    def test_rendered(self) -> None:
        """From the richest response comes every other one, cleaned."""
        self.rules({**self.AS_ASKED, "drop": {"phrases": "known"}}, fields={"response_format": "verbose_json"})
        head, body = self.delivered("srt", VERBOSE, JSON)
        self.assertEqual(body, b"1\n00:00:00,000 --> 00:00:01,000\nHello um there\n")
        self.assertIn(b'Content-Disposition: attachment; filename="transcription.srt"', head)
        self.assertTrue(
            self.delivered("vtt", VERBOSE, JSON)[1].startswith(b"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n")
        )
        self.assertEqual(self.delivered("text", VERBOSE, JSON)[1], b"Hello um there\n")
        self.assertEqual(json.loads(self.delivered(None, VERBOSE, JSON)[1]), {"text": "Hello um there"})
        self.assertEqual(len(json.loads(self.delivered("verbose_json", VERBOSE, JSON)[1])["segments"]), 1)
        self.assertEqual(self.registry.rendered, 4)

    def test_ignored_format(self) -> None:
        """A server that ignores the format still gives the client what it asked for."""
        self.rules(self.AS_ASKED)
        self.assertEqual(self.delivered("text", b'{"text": "Hello."}', JSON)[1], b"Hello.\n")

    def test_formats_of_forms(self) -> None:
        """Defaults and maps decide what the server was asked for; the client's field decides what it gets."""
        self.rules(self.AS_ASKED, fields={"$default": {"response_format": "srt"}})
        self.assertEqual(json.loads(self.delivered(None, SRT, PLAIN)[1]), {"text": SRT.decode()})
        self.assertEqual(self.delivered("srt", SRT, PLAIN)[1], SRT)
        self.rules(self.AS_ASKED, fields={"$map": {"response_format": {"vtt": "verbose_json"}}})
        self.assertTrue(self.delivered("vtt", VERBOSE, JSON)[1].startswith(b"WEBVTT\n"))

    def test_forced_twice(self) -> None:
        """A client's repeated field is dropped as without rules for transcripts, and the last one counts."""
        self.rules(self.AS_ASKED, fields=self.FORCED)
        part = form("text").removesuffix(form())
        client = self.client(transcription(part + form("json"), FORM_TYPE))
        self.assertEqual(self.server.received.count(b'name="response_format"'), 1)
        self.assertIn(b"\r\n\r\nsrt\r\n", self.server.received)
        self.assertEqual(json.loads(self.answer(client, SRT, PLAIN).partition(b"\r\n\r\n")[2]), {"text": SRT.decode()})

    def test_json_form(self) -> None:
        """The format is found in a JSON body and in an urlencoded one, too."""
        self.rules(self.AS_ASKED, fields=self.FORCED)
        for body, content_type in (
            (b'{"file": "UklG", "response_format": "text"}', JSON),
            (b"file=UklG&response%5Fformat=text", b"Content-Type: application/x-www-form-urlencoded"),
        ):
            client = self.client(transcription(body, content_type))
            self.assertNotIn(b"text", self.server.received.partition(b"\r\n\r\n")[2])
            received = self.answer(client, SRT, PLAIN)
            self.assertTrue(received.endswith(b"\r\n\r\nHello um there Thank you for watching!\n"), received)

    def test_cannot(self) -> None:
        """Without times there are no subtitles: the response passes as it came."""
        self.rules(self.AS_ASKED)
        body = b'{"text": "Hello."}'
        self.assertEqual(self.delivered("srt", body, JSON)[1], body)
        self.assertEqual(dict(self.registry.passed), {"lacking": 1})

    def test_error(self) -> None:
        """Errors of the server and of the proxy stay what they are."""
        self.rules(self.AS_ASKED, fields=self.FORCED)
        body = b'{"error": {"message": "no"}}'
        self.assertTrue(self.answer(self.asked(), body, JSON, status=b"400 Bad Request").endswith(body))
        client = self.asked()
        self.server.close()
        self.assertEqual(error_of(client.received)[0], 502)

    def test_explained(self) -> None:
        """The header tells the format."""
        self.rules(self.AS_ASKED, fields=self.FORCED, explains=True)
        received = self.answer(self.asked(), SRT, PLAIN)
        self.assertIn(b"\r\nx-sttproxy-transcript: delivered=json\r\n", received)
