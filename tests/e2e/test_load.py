"""
Many concurrent requests, and large ones; their cost for the daemon is measured by the system.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx

from . import system
from .case import EchoTestCase
from .forms import BOUNDARY, File, content_type, echoed, noise, part
from .message import request
from .process import LIMIT_S

MANY = 200
#: Bytes of the large upload.
LARGE = 1 << 30
#: Bytes that the daemon's memory may grow by, for uploads of any size.
GROWTH = 16 << 20
PIECE = 1 << 20


class AtOnce(EchoTestCase):
    """Many concurrent transcriptions."""

    config = '{"language": "zh", "prompt": "以下是普通话的会议记录。"}'

    @classmethod
    def stage(cls, stack: Any) -> None:
        # Each request needs two descriptors of the daemon, and macOS starts with 256.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 4 * MANY if hard == resource.RLIM_INFINITY else min(4 * MANY, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        super().stage(stack)

    def test_all_answered(self) -> None:
        """Each of 200 requests gets the response to its own form; the upstream waits until all have arrived."""

        async def send(client: httpx.AsyncClient, number: int) -> Any:
            file = File(noise(16_000, number), f"{number}.wav")
            answer = await client.post(
                self.daemon.url("/v1/audio/transcriptions"),
                data={"user": str(number), "language": "en"},
                files={"file": (file.filename, file.data, file.type)},
                headers={"X-Together": str(MANY)},
            )
            return answer.status_code, answer.json()["form"], file

        async def send_all() -> list[Any]:
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(trust_env=False, timeout=LIMIT_S, limits=limits) as client:
                sending = (send(client, number) for number in range(MANY))
                return await asyncio.gather(*sending, return_exceptions=True)

        before = self.daemon.stats()["stt_requests"]
        responses = asyncio.run(send_all())
        failures = Counter(repr(answer) for answer in responses if isinstance(answer, BaseException))
        self.assertEqual(failures, {})
        for number, (status, form, file) in enumerate(responses):
            self.assertEqual(status, 200)
            forced = [("language", "zh"), ("prompt", "以下是普通话的会议记录。")]
            self.assertEqual(form, echoed([*forced, ("user", str(number)), ("file", file)]))
        after = self.daemon.stats()
        self.assertEqual((after["stt_requests"] - before, after["in_flight"]), (MANY, 1))
        self.assertEqual(after["upstream_errors"], {})

    def test_burst(self) -> None:
        """200 clients that connect while the daemon is busy wait for it; none of them is refused."""
        if system.queue_limit() < MANY:
            self.skipTest(f"this system lets no more than {system.queue_limit()} connections wait")
        self.daemon.signal(signal.SIGSTOP)
        try:
            clients = [self.connect() for _ in range(MANY)]
            for client in clients:
                client.send(request("GET", "/v1/models"))
        finally:
            self.daemon.signal(signal.SIGCONT)
        for client in clients:
            self.assertEqual(client.read_message().status, 200)


class LargeUploads(EchoTestCase):
    """A very large recording."""

    config = '{"language": "zh", "prompt": "p"}'

    def upload(self, size: int, chunked: bool) -> None:
        """Send a recording of this size, and inspect the daemon half-way; the upstream reads the same recording."""
        piece = noise(PIECE)
        digest = hashlib.sha256()
        for _ in range(size // PIECE):
            digest.update(piece)
        opening = part("language", "en") + part("file", File(b""))[: -len(b"\r\n")]
        closing = f"\r\n--{BOUNDARY}--\r\n".encode()
        length = len(opening) + size + len(closing)
        framing = (b"Transfer-Encoding", b"chunked") if chunked else (b"Content-Length", b"%d" % length)

        def pieces() -> Iterator[bytes]:
            yield opening
            for number in range(size // PIECE):
                if number == size // PIECE // 2:
                    self.look()
                yield piece
            yield closing

        client = self.connect()
        client.send(request("POST", "/measure/v1/audio/transcriptions", content_type(), framing))
        for data in pieces():
            client.send(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        if chunked:
            client.send(b"0\r\n\r\n")
        answer = client.read_message()
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual((answer.json()["size"], answer.json()["sha256"]), (size, digest.hexdigest()))
        self.assertEqual(answer.json()["content_length"] is None, chunked)

    def upload_json(self, size: int, chunked: bool) -> None:
        """Send a recording of this size as base64 in a JSON object, as for hosted services."""
        audio = noise(size)
        opening = b'{"language": "en", "input_audio": {"format": "wav", "data": "'
        pieces = [opening, base64.b64encode(audio), b'"}, "model": "m"}']
        length = sum(map(len, pieces))
        framing = (b"Transfer-Encoding", b"chunked") if chunked else (b"Content-Length", b"%d" % length)
        client = self.connect()
        kind = (b"Content-Type", b"application/json")
        client.send(request("POST", "/v1/audio/transcriptions", kind, framing))
        for data in pieces:
            client.send(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
        if chunked:
            client.send(b"0\r\n\r\n")
        answer = client.read_message()
        self.assertEqual(answer.status, 200, answer.body)
        recording = {"format": "wav", "data": hashlib.sha256(audio).hexdigest()}
        expected = {"language": "zh", "prompt": "p", "input_audio": recording, "model": "m"}
        self.assertEqual(list(answer.json()["json"].items()), list(expected.items()))
        self.assertEqual(answer.json()["content_length"] is None, chunked)

    def look(self) -> None:
        """Check that the daemon has nothing on disk during an upload."""
        self.assertEqual(os.listdir(self.daemon.temporary), [])
        if system.LINUX:
            logs = {os.path.realpath(os.path.join(self.daemon.folder, name)) for name in ("daemon.out", "daemon.err")}
            data = [path for path in system.open_files(self.daemon.pid) if not path.endswith((".so", ".py", ".pyc"))]
            self.assertEqual(set(data) - logs, set())

    def test_memory_and_disk(self) -> None:
        """A large recording takes no more memory than a small one, is never written to disk, and arrives unchanged."""
        for chunked in (False, True):
            self.upload(4 * PIECE, chunked)
        memory = system.peak_memory(self.daemon.pid)
        written = system.bytes_written(self.daemon.pid) if system.LINUX else 0
        for chunked, size in ((False, LARGE), (True, LARGE // 4)):
            self.upload(size, chunked)
        self.assertLess(system.peak_memory(self.daemon.pid) - memory, GROWTH)
        if system.LINUX:
            self.assertLess(system.bytes_written(self.daemon.pid) - written, PIECE)

    def test_memory_of_json(self) -> None:
        """The same holds for a recording in a JSON object."""
        for chunked in (False, True):
            self.upload_json(1000, chunked)
        memory = system.peak_memory(self.daemon.pid)
        for chunked in (False, True):
            self.upload_json(47 * PIECE, chunked)
        self.assertLess(system.peak_memory(self.daemon.pid) - memory, GROWTH)
