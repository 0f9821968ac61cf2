"""
Past one machine: HAProxy before three sttproxy before HAProxy before three speech servers, with the files of `etc/`.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from typing import ClassVar

import attrs
import httpx
from websockets.sync.client import connect as connect_websocket

from .case import StagedTestCase
from .certificates import certificate, trusting
from .clients import CURL
from .daemon import get_json
from .forms import noise
from .process import LIMIT_S, environment, until
from .stages import HAProxy, Proxy, Restarted, SpeechServer, speech_servers, started
from .system import unused_port

PATH = "/v1/audio/transcriptions"
#: Clients at the same time; two thirds of them wait in the queue of the speech servers.
CLIENTS = 9
#: Milliseconds that a transcription takes.
TAKES = "20"
UPLOAD_BYTES = 300_000_000


@attrs.frozen
class Outcome:
    """
    One transcription.

    :ivar began: in seconds of the monotonic clock.
    :ivar status: of its response; 0 if there was none.
    """

    began: float
    status: int
    detail: str


class Load:
    """
    Clients that transcribe without a pause.

    :ivar outcomes: what came of each transcription.
    """

    def __init__(self, url: str) -> None:
        self.outcomes: list[Outcome] = []
        self._url = url
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._transcribe, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _transcribe(self) -> None:
        with httpx.Client(verify=trusting(), trust_env=False, timeout=LIMIT_S) as client:
            while not self._stopping.is_set():
                began = time.monotonic()
                try:
                    answer = client.post(
                        self._url + PATH, files={"file": ("a.wav", b"RIFF" * 1000)}, headers={"X-Takes": TAKES}
                    )
                    outcome = Outcome(began, answer.status_code, answer.text[:200])
                except httpx.TransportError as error:
                    outcome = Outcome(began, 0, repr(error))
                self.outcomes.append(outcome)

    def more(self, count: int = 60) -> None:
        """Wait for so many more transcriptions."""
        goal = len(self.outcomes) + count
        until(lambda: len(self.outcomes) >= goal, f"{count} more transcriptions")

    def lost(self) -> list[Outcome]:
        """The transcriptions that have failed."""
        return [outcome for outcome in self.outcomes if outcome.status != 200]

    def stop(self) -> None:
        """Let the clients complete their last transcription."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(LIMIT_S)


class ScalingTests(StagedTestCase):
    """The chain under load."""

    servers: ClassVar[list[SpeechServer]]
    proxies: ClassVar[list[Proxy]]
    behind: ClassVar[HAProxy]
    front: ClassVar[HAProxy]
    if not HAProxy.installed():
        skip = "haproxy is not installed; apt-get install haproxy"

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.servers = speech_servers(stack)
        ports = [server.port for server in cls.servers]
        cls.behind = started(stack, HAProxy("haproxy/behind.cfg", unused_port(), ports, "10.0.0.21:10240"))
        replaced = {"10.0.0.1": "127.0.0.1", "http://10.0.0.2:10240": f"http://127.0.0.1:{cls.behind.port}"}
        waiting = ("--send-timeout", "1800")
        cls.proxies = [started(stack, Proxy("haproxy/front.cfg", unused_port(), replaced, *waiting)) for _ in range(3)]
        ports = [proxy.port for proxy in cls.proxies]
        cls.front = started(stack, HAProxy("haproxy/front.cfg", unused_port(), ports, "10.0.0.11:10241"))
        cls.url = f"https://127.0.0.1:{cls.front.port}"

    url: ClassVar[str]

    def setUp(self) -> None:
        super().setUp()
        self.load = Load(self.url)
        self.addCleanup(self.load.stop)
        self.load.more()

    def counts(self, process: Restarted) -> int:
        """The number of transcriptions that a process has completed since its start."""
        if isinstance(process, SpeechServer):
            done: int = get_json(process.port, "/counts")["done"]
            return done
        return process.output().count(f" POST {PATH} ")

    def restart(self, process: Restarted) -> None:
        """Start a process again, and wait until it has work."""
        process.start()
        until(lambda: self.counts(process) > 0, "work for the process that is back")

    def test_stopped(self) -> None:
        """A sttproxy and a speech server that stop by SIGTERM, and come back, lose nothing."""
        for process in (self.proxies[0], self.servers[0], self.proxies[1], self.servers[2]):
            status = process.end(signal.SIGTERM)
            self.assertEqual(status, 0 if process in self.proxies else -signal.SIGTERM)
            self.load.more()
            self.restart(process)
        self.load.stop()
        self.assertEqual(self.load.lost(), [])

    def test_killed(self) -> None:
        """When one of them dies, only what was in flight there is lost: what begins later is served."""
        for process in (self.proxies[0], self.servers[0]):
            before = len(self.load.lost())
            process.end(signal.SIGKILL)
            dead = time.monotonic()
            self.load.more(200)
            lost = self.load.lost()[before:]
            self.assertEqual([outcome for outcome in lost if outcome.began > dead], [])
            # The port of a dying process still accepts connections; so a speech server may lose one more than it had.
            self.assertLess(len(lost), CLIENTS)
            self.restart(process)

    def test_long_transfers(self) -> None:
        """An upload of 300 MB, events and a WebSocket go on under load, while a speech server stops and comes back."""
        session = self.url.replace("http", "ws", 1) + "/session"
        with (
            connect_websocket(session, proxy=None, ssl=trusting()) as socket,
            httpx.Client(verify=trusting(), trust_env=False, timeout=LIMIT_S) as client,
            client.stream("GET", self.url + "/events?long") as events,
        ):
            lines = events.iter_lines()
            used = {next(lines).removeprefix("data: "), socket.recv(LIMIT_S)}
            stopped = next(server for server in self.servers if server.name not in used)
            digest, upload = self.upload()
            stopped.end(signal.SIGTERM)
            self.restart(stopped)
            heard = json.loads(upload.communicate(timeout=4 * LIMIT_S)[0])
            self.assertEqual((heard["size"], heard["sha256"]), (UPLOAD_BYTES, digest))
            socket.send("still there")
            self.assertEqual(socket.recv(LIMIT_S), "still there")
            for server in self.servers:
                httpx.get(f"http://127.0.0.1:{server.port}/open?long", trust_env=False)
            self.assertIn("data: end", list(lines))
        self.load.stop()
        self.assertEqual(self.load.lost(), [])

    def upload(self) -> tuple[str, subprocess.Popen[bytes]]:
        """Begin the upload; return the digest of the recording, and the client."""
        piece = noise(1_000_000)
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(delete=False) as file:
            self.addCleanup(os.unlink, file.name)
            for _ in range(UPLOAD_BYTES // len(piece)):
                file.write(piece)
                digest.update(piece)
        command = [str(CURL), "--disable", "--silent", "--show-error", "--noproxy", "*"]
        command += ["--cacert", certificate("ca.pem"), "-F", f"file=@{file.name}", self.url + PATH]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment())
        self.addCleanup(client.kill)
        return digest.hexdigest(), client
