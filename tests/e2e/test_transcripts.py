"""
Rules for transcripts in the real daemon: threads, HTTP/2, and counts.
"""

from __future__ import annotations

import importlib.util
import json
import threading

from .case import UNPOOLED, RawTestCase, transcription
from .clients import CURL, curl
from .forms import File, Part, form
from .message import Message
from .process import LIMIT_S

RECORDING: Part = ("file", File(b"RIFF"))


def verbose(text: str, segments: int = 1) -> bytes:
    """A response in verbose JSON."""
    parts = [{"id": number, "start": number, "end": number + 1, "text": text} for number in range(segments)]
    return json.dumps({"text": text * segments, "segments": parts}, ensure_ascii=False).encode()


def answer(body: bytes, content_type: str = "application/json") -> bytes:
    """A response with its length."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Transcripts(RawTestCase):
    """The test plays the server."""

    options = ("--explain-header", *UNPOOLED)

    def returned(self, transcript: object, body: bytes, content_type: str = "application/json") -> Message:
        """What a client gets of a response under these rules."""
        self.daemon.configure({"$transcript": transcript})
        return self.exchange(transcription(form([RECORDING])), answer(body, content_type))[1]

    def test_chinese(self) -> None:
        """Traditional characters become simplified ones, and the other way round."""
        if importlib.util.find_spec("opencc") is None:
            self.skipTest("OpenCC is not installed: pip install 'sttproxy[chinese]'")
        for conversion, before, after in (("t2s", "會議改到星期一", "会议改到星期一"), ("s2t", "会议", "會議")):
            returned = self.returned({"chinese": conversion}, verbose(before))
            self.assertEqual(returned.body, verbose(after))
            self.assertEqual(returned.values(b"x-sttproxy-transcript"), [f"chinese={conversion}".encode()])

    def test_threads(self) -> None:
        """A long response is cleaned while other requests are served; each client gets its own, and all is counted."""
        before = self.daemon.stats()["transcripts"]
        returned = self.returned({"replace": {"/\\bum +/": ""}}, verbose(" um hello", 20_000))
        self.assertEqual(returned.body, verbose(" hello", 20_000))
        after = self.daemon.stats()["transcripts"]
        self.assertEqual(after["read"] - before["read"], 1)
        self.assertEqual(after["changes"]["replace"]["1"], 20_000)

    def test_runaway_pattern(self) -> None:
        """A pattern that takes exponential time is given up, and the response passes without it."""
        text = " " + "a" * 40 + "!"
        returned = self.returned({"replace": {"/(?:a|a)+b/": ""}}, verbose(text))
        self.assertEqual((returned.body, returned.values(b"x-sttproxy-transcript")), (verbose(text), [b"exceeded=1"]))

    def test_malformed(self) -> None:
        """What is no transcript passes as it came, with a line in the log."""
        self.assertEqual(self.returned({"trim": True}, b'{"text": " a"').body, b'{"text": " a"')
        self.assertIn("passes as the server made it", self.daemon.log())

    def test_http2(self) -> None:
        """A client of HTTP/2 gets the clean response with its length."""
        if CURL is None:
            self.skipTest("curl is not installed")
        self.daemon.configure({"$transcript": {"trim": True}})
        self.daemon.stats()
        self.serve(answer(b'{"text":  "a   b"}'))
        form = ("-F", f"file=@{self.daemon.path}", "-F", "model=whisper-1")
        url = self.daemon.url("/v1/audio/transcriptions")
        output = curl("--http2-prior-knowledge", "--include", *form, url)
        self.assertIn("HTTP/2 200", output)
        self.assertIn("content-length: 16\n", output.replace("\r", ""))
        self.assertTrue(output.endswith('{"text":  "a b"}'), output)

    def serve(self, response: bytes) -> None:
        """Answer the next request in a thread."""

        def run() -> None:
            upstream = self.listener.accept()
            upstream.read_message()
            upstream.send(response)

        serving = threading.Thread(target=run, daemon=True)
        serving.start()
        self.addCleanup(serving.join, LIMIT_S)
