"""
HTTP/2 from real clients: httpx, the OpenAI SDKs, curl, nghttp, h2load and Node, in clear and over TLS.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
from contextlib import ExitStack
from typing import Any, ClassVar

import httpx
import openai

from ..support.certificates import authority_pem, pem
from .case import StagedTestCase
from .clients import CURL, curl
from .daemon import Daemon
from .forms import noise
from .node import modules, node
from .process import LIMIT_S, environment, until
from .upstream import Echo, shared_echo

LARGE = noise(3_000_000)
NGHTTP, H2LOAD = shutil.which("nghttp"), shutil.which("h2load")
HERE = os.path.dirname(os.path.abspath(__file__))


class HTTP2TestCase(StagedTestCase):
    """
    Tests of two daemons with a forced field, in clear and over TLS.

    :cvar folder: has ``ca.pem`` and a large file.
    """

    folder: ClassVar[str]
    echo: ClassVar[Echo]
    clear: ClassVar[Daemon]
    secure: ClassVar[Daemon]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.folder = tempfile.mkdtemp(prefix="stt-h2-")
        stack.callback(shutil.rmtree, cls.folder)
        for name, data in (("ca.pem", authority_pem()), ("server.pem", pem("localhost")), ("large.wav", LARGE)):
            with open(cls.path(name), "wb") as file:
                file.write(data)
        cls.echo = shared_echo()
        target = ("--target", f"http://127.0.0.1:{cls.echo.port}")
        cls.clear = Daemon(*target, config={"language": "zh"})
        stack.callback(cls.clear.close)
        cls.secure = Daemon(*target, "--port", "0", "--tls-cert", cls.path("server.pem"), config={"language": "zh"})
        stack.callback(cls.secure.close)

    @classmethod
    def path(cls, name: str) -> str:
        """The path of a file."""
        return os.path.join(cls.folder, name)

    def client(self) -> httpx.Client:
        """A client that speaks only HTTP/2, with prior knowledge in clear."""
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        client = httpx.Client(http1=False, http2=True, verify=context, trust_env=False, timeout=LIMIT_S)
        self.addCleanup(client.close)
        return client

    def assert_own_responses(self, url: str, count: int, **versions: bool) -> None:
        """Send requests at the same time, and check that each gets its own response."""
        context = ssl.create_default_context(cafile=self.path("ca.pem"))

        async def ask() -> list[httpx.Response]:
            # Not in threads: httpx's connections of HTTP/2 are not safe in them.
            async with httpx.AsyncClient(verify=context, trust_env=False, timeout=LIMIT_S, **versions) as client:
                return await asyncio.gather(*[client.get(f"{url}?n={number}") for number in range(count)])

        answers = asyncio.run(ask())
        self.assertEqual([answer.json()["query"] for answer in answers], [f"n={number}" for number in range(count)])

    def urls(self, path: str) -> tuple[str, str]:
        """The URL of a path at both daemons."""
        return self.clear.url(path), f"https://localhost:{self.secure.port}{path}"


class ClientTests(HTTP2TestCase):
    """Requests of real clients."""

    def test_forms(self) -> None:
        """A large form is rewritten, several times on one connection."""
        client = self.client()
        for url in self.urls("/v1/audio/transcriptions"):
            for _ in range(3):
                answer = client.post(url, data={"model": "m"}, files={"file": ("a.wav", LARGE)})
                self.assertEqual((answer.status_code, answer.http_version), (200, "HTTP/2"))
                fields = [item for item in answer.json()["form"] if item[0] != "file"]
                self.assertEqual(fields, [["language", "zh"], ["model", "m"]])

    def test_openai(self) -> None:
        """The OpenAI SDK gets its transcript over HTTP/2 and TLS."""
        client = openai.OpenAI(
            base_url=f"https://localhost:{self.secure.port}/v1", api_key="sk", max_retries=0, http_client=self.client()
        )
        raw = client.audio.transcriptions.with_raw_response.create(model="m", file=("a.wav", LARGE))
        heard: Any = json.loads(raw.content)
        self.assertEqual(raw.http_response.http_version, "HTTP/2")
        self.assertIn(["language", "zh"], heard["form"])

    def test_concurrent(self) -> None:
        """Many requests share one connection, and each gets its own response."""
        for base in self.urls("/v1/models"):
            self.assert_own_responses(base, 100, http1=False, http2=True)

    def test_curl(self) -> None:
        """curl uploads and downloads with prior knowledge and by ALPN."""
        if CURL is None:
            self.skipTest("curl is not installed")
        clear, secure = self.urls("/v1/audio/transcriptions")
        form = ("-F", f"file=@{self.path('large.wav')}", "-F", "model=m", "-w", "%{http_version}")
        for arguments in (("--http2-prior-knowledge", clear), ("--http2", "--cacert", self.path("ca.pem"), secure)):
            printed = curl(*form, *arguments)
            self.assertTrue(printed.endswith("}2"), printed[-20:])
            self.assertEqual(json.loads(printed[:-1])["form"][0], ["language", "zh"])

    def test_nghttp(self) -> None:
        """nghttp, another implementation, gets a response to an upload."""
        if NGHTTP is None:
            self.skipTest("nghttp is not installed")
        for url in self.urls("/v1/files"):
            command = [NGHTTP, "-d", self.path("large.wav"), url]
            done = subprocess.run(command, capture_output=True, timeout=2 * LIMIT_S)
            self.assertIn(hashlib.sha256(LARGE).hexdigest().encode(), done.stdout)

    def test_h2load(self) -> None:
        """h2load gets a response to each of many requests, with and without a body."""
        if H2LOAD is None:
            self.skipTest("h2load is not installed")
        with open(self.path("small.bin"), "wb") as file:
            file.write(LARGE[:10_000])
        for url in self.urls("/v1/files"):
            for body in ((), ("-d", self.path("small.bin"))):
                command = [H2LOAD, "-n", "300", "-c", "3", "-m", "20", *body, url]
                done = subprocess.run(command, capture_output=True, text=True, timeout=2 * LIMIT_S)
                self.assertIn("300 succeeded, 0 failed, 0 errored, 0 timeout", done.stdout)
                self.assertIn("status codes: 300 2xx", done.stdout)

    def test_node(self) -> None:
        """Node's http2 module uploads on several streams at a time; streams that it aborts do not hurt the others."""
        script = os.path.join(HERE, "http2.mjs")
        clear, secure = self.urls("")
        for url, authority, protocol in ((clear, "", "h2c"), (secure, self.path("ca.pem"), "h2")):
            command = [node(), script, url, authority]
            done = subprocess.run(command, capture_output=True, text=True, timeout=2 * LIMIT_S)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout), {"intact": [True] * 9, "protocol": protocol})
        for daemon in (self.clear, self.secure):
            until(lambda daemon=daemon: daemon.stats()["in_flight"] == 1, "the end of all requests")

    def test_openai_for_javascript(self) -> None:
        """The OpenAI SDK for JavaScript gets its transcript over TLS."""
        command = [node(20), os.path.join(HERE, "openai.mjs"), f"https://localhost:{self.secure.port}/v1"]
        env = environment({"NODE_EXTRA_CA_CERTS": self.path("ca.pem")})
        arguments = [self.path("large.wav"), modules("openai")]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=env, timeout=2 * LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        form = json.loads(done.stdout)["form"]
        self.assertEqual([item for item in form if item[0] != "file"], [["language", "zh"], ["model", "m"]])
        (file,) = (item[1] for item in form if item[0] == "file")
        self.assertEqual(file["sha256"], hashlib.sha256(LARGE).hexdigest())

    def test_early(self) -> None:
        """A rejected upload gets its response, and the connection goes on."""
        daemon = self.start_daemon("--target", f"http://127.0.0.1:{self.echo.port}", "--max-body", "1000")
        client = self.client()
        for _ in range(3):
            # Less than a window: httpx waits for one to open even after the response has come.
            answer = client.post(daemon.url("/x"), content=LARGE[:100_000])
            self.assertEqual((answer.status_code, answer.http_version), (413, "HTTP/2"))
        self.assertEqual(client.get(daemon.url("/health")).status_code, 200)
        if CURL is not None:
            upload = ("--http2-prior-knowledge", "--data-binary", f"@{self.path('large.wav')}", daemon.url("/x"))
            self.assertEqual(json.loads(curl(*upload))["error"]["code"], "body_too_large")

    def test_http1(self) -> None:
        """Clients of HTTP/1.1 notice nothing."""
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        with httpx.Client(verify=context, trust_env=False, timeout=LIMIT_S) as client:
            for url in self.urls("/v1/models"):
                self.assertEqual(client.get(url).http_version, "HTTP/1.1")


class UpstreamTests(HTTP2TestCase):
    """A server that speaks HTTP/2: by ALPN over TLS, and with prior knowledge."""

    def targets(self) -> tuple[tuple[str, ...], ...]:
        """The options for both."""
        return (
            ("--target", f"h2c://127.0.0.1:{self.clear.port}"),
            ("--target", f"https://localhost:{self.secure.port}", "--target-ca", self.path("ca.pem")),
        )

    def test_pairings(self) -> None:
        """A large form passes from HTTP/1.1 and from HTTP/2, and many requests at a time share a connection."""
        http2 = self.client()
        http1 = httpx.Client(trust_env=False, timeout=LIMIT_S)
        self.addCleanup(http1.close)
        for target in self.targets():
            daemon = self.start_daemon(*target, config={"temperature": 0})
            for client in (http1, http2):
                url = daemon.url("/v1/audio/transcriptions")
                answer = client.post(url, data={"model": "m"}, files={"file": ("a.wav", LARGE)})
                fields = [item for item in answer.json()["form"] if item[0] != "file"]
                self.assertEqual(fields, [["language", "zh"], ["temperature", "0"], ["model", "m"]])
                two = client is http2
                self.assert_own_responses(daemon.url("/v1/models"), 60, http1=not two, http2=two)
            self.assertEqual(httpx.get(daemon.url("/health"), trust_env=False).status_code, 200)

    def test_restart(self) -> None:
        """A server that stops costs only what is in flight; the next request reaches its successor."""
        server = self.start_daemon("--target", f"http://127.0.0.1:{self.echo.port}")
        daemon = self.start_daemon("--target", f"h2c://127.0.0.1:{server.port}")
        get = {"trust_env": False, "timeout": LIMIT_S}
        self.assertEqual(httpx.get(daemon.url("/v1/models"), **get).status_code, 200)  # type: ignore[arg-type]
        server.stop()
        successor = self.start_daemon("--target", f"http://127.0.0.1:{self.echo.port}", "--port", str(server.port))
        self.assertEqual(successor.port, server.port)
        self.assertEqual(httpx.get(daemon.url("/v1/models"), **get).status_code, 200)  # type: ignore[arg-type]


class StopTests(HTTP2TestCase):
    """The end of the daemon."""

    def test_drained(self) -> None:
        """A request in flight finishes after SIGTERM, and the daemon exits with 0."""
        daemon = self.start_daemon("--target", f"http://127.0.0.1:{self.echo.port}")
        client = self.client()
        client.get(daemon.url("/v1/models"))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            form: dict[str, Any] = {"data": {"model": "m"}, "files": {"file": ("a.wav", b"RIFF")}}
            form["headers"] = {"X-Together": "2"}  # the upstream waits for two of them
            path = "/v1/audio/transcriptions"
            answering = pool.submit(client.post, daemon.url(path), **form)
            until(lambda: daemon.stats()["in_flight"] >= 2, "the request in flight")
            daemon.signal(signal.SIGTERM)
            daemon.wait_for_log("Waiting for requests in flight")
            httpx.post(f"http://127.0.0.1:{self.echo.port}{path}", trust_env=False, **form)
            self.assertEqual(answering.result().status_code, 200)
        self.assertEqual(daemon.wait(), 0)
