"""
Common clients, with forms as they write them.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import requests

from .case import EchoTestCase, RawTestCase
from .clients import CURL, curl, openai_client
from .forms import File, noise
from .message import CHUNKED, head
from .process import LIMIT_S
from .raw import Peer

SMALL = noise(30_000)
LARGE = noise(3_000_000)
FORCED = [["language", "zh"], ["temperature", "0.2"]]


class ClientTestCase(EchoTestCase):
    """Tests with language and temperature forced."""

    config = '{"language": "zh", "temperature": 0.2}'

    def url(self) -> str:
        """The URL of transcriptions."""
        return self.daemon.url("/v1/audio/transcriptions")

    def assert_form(self, answer: Any, *items: list[Any]) -> None:
        """Check that the upstream has read the forced fields and then these items."""
        self.assertEqual(answer["form"], [*FORCED, *items])


class Curl(ClientTestCase):
    """curl writes parts in the order of its command line."""

    if CURL is None:
        skip = "curl is not installed"

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.mkdtemp(prefix="stt-curl-")
        self.addCleanup(shutil.rmtree, folder)
        self.small, self.large = os.path.join(folder, "small.wav"), os.path.join(folder, "groß 会议.mp3")
        for path, data in ((self.small, SMALL), (self.large, LARGE)):
            with open(path, "wb") as file:
                file.write(data)

    def send(self, *options: str) -> Any:
        """Return the response to a form."""
        return json.loads(curl(self.url(), *options))

    def test_file_first(self) -> None:
        """The usual example: the file, then its fields."""
        form = ("-F", f"file=@{self.small};type=audio/wav", "-F", "model=whisper-1", "-F", "language=en")
        answer = self.send(*form)
        self.assert_form(answer, ["file", File(SMALL, "small.wav", "audio/wav").echoed()], ["model", "whisper-1"])
        self.assertIsNone(answer["transfer_encoding"])

    def test_file_last(self) -> None:
        """The fields first, with repeated ones."""
        form = ("-F", "language=en", "-F", "include[]=a", "-F", "language=de", "-F", "include[]=b")
        answer = self.send(*form, "-F", f"file=@{self.small};type=audio/wav")
        self.assert_form(
            answer, ["include[]", "a"], ["include[]", "b"], ["file", File(SMALL, "small.wav", "audio/wav").echoed()]
        )

    def test_expect_continue(self) -> None:
        """For more than 1 MB curl expects 100 Continue: it gets it, and the Expect field is not forwarded."""
        file = f"file=@{self.large};type=audio/mpeg"
        answer = self.send("-H", "Expect: 100-continue", "--expect100-timeout", f"{LIMIT_S:g}", "-F", file)
        self.assert_form(answer, ["file", File(LARGE, "groß 会议.mp3", "audio/mpeg").echoed()])
        self.assertNotIn("expect", [name.lower() for name, _ in answer["headers"]])

    def test_chunked(self) -> None:
        """If curl sends chunks, they are forwarded as chunks."""
        form = ("-F", f"file=@{self.large};type=audio/mpeg", "-F", "temperature=1")
        answer = self.send("-H", "Transfer-Encoding: chunked", *form)
        self.assert_form(answer, ["file", File(LARGE, "groß 会议.mp3", "audio/mpeg").echoed()])
        self.assertEqual((answer["content_length"], answer["transfer_encoding"]), (None, "chunked"))

    def test_standard_input(self) -> None:
        """A file whose size curl does not know passes, and so does an empty one."""
        answer = self.send("-F", "file=@/dev/null;filename=empty.wav;type=audio/wav", "-F", "prompt=")
        self.assert_form(answer, ["file", File(b"", "empty.wav", "audio/wav").echoed()], ["prompt", ""])


class OpenAI(ClientTestCase):
    """The OpenAI SDK writes fields first, and lists as name[]."""

    def test_transcription(self) -> None:
        """What it sends besides the forced fields is forwarded: the empty prompt, the list, the file with its name."""
        with openai_client(self.daemon) as client:
            answer = client.audio.transcriptions.create(
                model="whisper-1",
                file=("talk.wav", SMALL, "audio/wav"),
                language="en",
                prompt="",
                response_format="verbose_json",
                temperature=1,
                timestamp_granularities=["word", "segment"],
            )
        self.assertEqual(answer.text, "echo")
        read: Any = answer.to_dict()["form"]
        self.assertEqual(read[:2], FORCED)
        file = ["file", File(SMALL, "talk.wav", "audio/wav").echoed()]
        self.assertCountEqual(
            read[2:],
            [
                ["model", "whisper-1"],
                ["prompt", ""],
                ["response_format", "verbose_json"],
                ["timestamp_granularities[]", "word"],
                ["timestamp_granularities[]", "segment"],
                file,
            ],
        )

    def test_large(self) -> None:
        """A larger file arrives completely, with its length."""
        with openai_client(self.daemon) as client:
            answer = client.audio.transcriptions.create(model="m", file=("a.mp3", LARGE, "audio/mpeg"))
        read = answer.to_dict()
        self.assertIn(["file", File(LARGE, "a.mp3", "audio/mpeg").echoed()], read["form"])
        self.assertIsNotNone(read["content_length"])


class OpenAIChat(RawTestCase):
    """Chat requests through the same proxy are not changed."""

    def test_stream(self) -> None:
        """The SDK gets each piece of a streamed chat before the upstream sends the next."""
        pieces = ["会", "议", "记", "录"]
        had = [threading.Event() for _ in pieces]

        def upstream(peer: Peer) -> None:
            asked = peer.read_message()
            self.assertEqual((asked.target, asked.json()["stream"]), (b"/v1/chat/completions", True))
            peer.send(head(b"HTTP/1.1 200 OK", [(b"Content-Type", b"text/event-stream"), CHUNKED]))
            for piece, taken in zip(pieces, had, strict=True):
                choice = {"index": 0, "delta": {"content": piece}}
                chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
                event = b"data: " + json.dumps(chunk).encode() + b"\n\n"
                peer.send(b"%x\r\n%b\r\n" % (len(event), event))
                self.assertTrue(taken.wait(LIMIT_S), "the client has the piece")
            peer.send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

        self.listener.serve(upstream)
        read = []
        with openai_client(self.daemon) as client:
            message: Any = {"role": "user", "content": "?"}
            stream = client.chat.completions.create(model="m", messages=[message], stream=True)
            for number, chunk in enumerate(stream):
                read.append(chunk.choices[0].delta.content)
                had[number].set()
        self.assertEqual(read, pieces)


class HTTPX(ClientTestCase):
    """httpx, with complete and streamed bodies."""

    def test_form(self) -> None:
        """A form with fields and two files, one of them without its own content type."""
        with httpx.Client(trust_env=False, timeout=LIMIT_S) as client:
            answer = client.post(
                self.url(),
                data={"language": ["en", "de"], "keywords[]": ["a", "b"]},
                files=[("file", ("会议.wav", SMALL, "audio/wav")), ("more", ("x", b"y"))],
            ).json()
        self.assert_form(
            answer,
            ["keywords[]", "a"],
            ["keywords[]", "b"],
            ["file", File(SMALL, "会议.wav", "audio/wav").echoed()],
            ["more", File(b"y", "x", "application/octet-stream").echoed()],
        )

    def test_streamed(self) -> None:
        """A form from a generator is sent chunked, and forwarded chunked."""
        with httpx.Client(trust_env=False, timeout=LIMIT_S) as client:
            whole = client.build_request("POST", self.url(), data={"language": "en"}, files={"file": ("a.wav", LARGE)})
            body = whole.read()

            def pieces() -> Iterator[bytes]:
                for at in range(0, len(body), 50_001):
                    yield body[at : at + 50_001]

            headers = {"Content-Type": whole.headers["content-type"]}
            answer = client.post(self.url(), content=pieces(), headers=headers).json()
        self.assertEqual(answer["transfer_encoding"], "chunked")
        self.assertEqual(answer["form"][:2], FORCED)
        (file,) = answer["form"][2:]
        self.assertEqual((file[0], file[1]["sha256"]), ("file", File(LARGE).echoed()["sha256"]))


class Requests(ClientTestCase):
    """requests, with complete and streamed bodies."""

    def test_form(self) -> None:
        """A form with a field to replace, a field to keep and a file, twice on one connection."""
        with requests.Session() as session:
            session.trust_env = False
            for data in (SMALL, LARGE):
                answer = session.post(
                    self.url(),
                    data=[("temperature", "1"), ("model", "m"), ("Language[]", "en")],
                    files={"file": ("talk.wav", data, "audio/wav")},
                    timeout=LIMIT_S,
                ).json()
                self.assert_form(answer, ["model", "m"], ["file", File(data, "talk.wav", "audio/wav").echoed()])

    def test_pass_through(self) -> None:
        """Another request, with a body from a generator, passes."""
        with requests.Session() as session:
            session.trust_env = False
            url = self.daemon.url("/v1/embeddings?a=b")
            answer = session.put(url, data=iter([b"some", b"thing"]), timeout=LIMIT_S).json()
        self.assertEqual((answer["method"], answer["query"], answer["size"]), ("PUT", "a=b", 9))
        self.assertEqual(answer["transfer_encoding"], "chunked")
