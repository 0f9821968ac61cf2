"""
TLS and keys: clients over TLS, a server over TLS, and certificates that change while the daemon runs.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import tempfile
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar

import httpx
import openai

from ..support.certificates import authority_pem, pem
from .case import StagedTestCase
from .clients import CURL, curl
from .daemon import Daemon
from .forms import noise
from .process import LIMIT_S, until
from .upstream import Echo, shared_echo

LARGE = noise(3_000_000)


class TLSTestCase(StagedTestCase):
    """
    Tests of two daemons: clients reach `secure` over TLS, and `forwarding` reaches `secure` over TLS.

    :cvar folder: the certificates: ``ca.pem``, ``server.pem``, ``client.pem``.
    """

    folder: ClassVar[str]
    echo: ClassVar[Echo]
    secure: ClassVar[Daemon]
    forwarding: ClassVar[Daemon]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.folder = tempfile.mkdtemp(prefix="stt-tls-")
        stack.callback(shutil.rmtree, cls.folder)
        cls.write("ca.pem", authority_pem())
        cls.write("server.pem", pem("localhost", "127.0.0.1"))
        cls.write("client.pem", pem("client"))
        cls.echo = shared_echo()
        listen = ("--host", "127.0.0.1", "--port", "0")
        cls.secure = Daemon(
            *listen,
            *("--target", f"http://127.0.0.1:{cls.echo.port}"),
            *("--tls-cert", cls.path("server.pem")),
            config={"language": "zh"},
        )
        stack.callback(cls.secure.close)
        cls.forwarding = Daemon(
            *("--target", f"https://localhost:{cls.secure.port}/v1", "--target-ca", cls.path("ca.pem")),
            config={"temperature": 0},
        )
        stack.callback(cls.forwarding.close)

    @classmethod
    def path(cls, name: str) -> str:
        """The path of a certificate."""
        return os.path.join(cls.folder, name)

    @classmethod
    def write(cls, name: str, data: bytes) -> None:
        """Replace a certificate."""
        with open(cls.path(name) + ".new", "wb") as file:
            file.write(data)
        os.replace(cls.path(name) + ".new", cls.path(name))

    def client(self) -> httpx.Client:
        """An HTTP client that trusts the tests' authority."""
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        client = httpx.Client(verify=context, trust_env=False, timeout=LIMIT_S)
        self.addCleanup(client.close)
        return client


class ClientTests(TLSTestCase):
    """Clients that reach the daemon over TLS."""

    def test_openai(self) -> None:
        """The OpenAI SDK gets its transcript, with the forced field and its large recording intact."""
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        client = openai.OpenAI(
            base_url=f"https://localhost:{self.secure.port}/v1",
            api_key="sk",
            max_retries=0,
            http_client=openai.DefaultHttpxClient(trust_env=False, verify=context),
        )
        self.addCleanup(client.close)
        raw = client.audio.transcriptions.with_raw_response.create(model="m", file=("a.wav", LARGE))
        heard: Any = json.loads(raw.content)
        self.assertIn(["language", "zh"], heard["form"])

    def test_reused(self) -> None:
        """Many requests use one connection, and the server is told that they came over TLS."""
        client = self.client()
        for _ in range(20):
            heard = client.get(f"https://127.0.0.1:{self.secure.port}/v1/models").json()
        self.assertEqual(dict(heard["headers"])["x-forwarded-proto"], "https")

    def test_curl(self) -> None:
        """curl verifies the certificate and sends a form."""
        if CURL is None:
            self.skipTest("curl is not installed")
        url = f"https://localhost:{self.secure.port}/v1/audio/transcriptions"
        heard = json.loads(curl("--cacert", self.path("ca.pem"), "-F", "model=m", url))
        self.assertEqual(heard["form"], [["language", "zh"], ["model", "m"]])

    def test_plain(self) -> None:
        """A plain request to the TLS port gets an explanation."""
        answer = httpx.get(f"http://127.0.0.1:{self.secure.port}/v1/models", trust_env=False)
        self.assertEqual(answer.status_code, 400)
        self.assertIn("https://", answer.json()["error"]["message"])

    def test_renewed(self) -> None:
        """A new certificate is served without a restart, and the connections of before go on; a bad one is reported."""
        established = self.client()
        url = f"https://127.0.0.1:{self.secure.port}"
        established.get(url + "/v1/models")
        self.write("server.pem", b"no certificate")
        self.secure.wait_for_log("server.pem contains no certificate")
        error = established.get(url + "/stats").json()["tls"]["error"]
        self.assertIn("contains no certificate", error)
        end = datetime.now(timezone.utc) + timedelta(days=300)
        self.write("server.pem", pem("localhost", "127.0.0.1", expires=end))
        self.secure.wait_for_log(f"in force until {end:%Y-%m-%d}")
        self.assertEqual(established.get(url + "/v1/models").status_code, 200)
        shown = established.get(url + "/stats").json()["tls"]
        self.assertEqual((shown["error"], shown["certificates"][0]["expires"][:10]), (None, f"{end:%Y-%m-%d}"))

    def test_client_certificate(self) -> None:
        """With --tls-client-ca only clients with a certificate get in."""
        daemon = self.start_daemon(
            *("--port", "0", "--target", f"http://127.0.0.1:{self.echo.port}"),
            *("--tls-cert", self.path("client.pem"), "--tls-client-ca", self.path("ca.pem")),
        )
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        url = f"https://127.0.0.1:{daemon.port}/v1/models"
        with httpx.Client(verify=context, trust_env=False) as client:
            self.assertRaises(httpx.TransportError, client.get, url)
        daemon.wait_for_log("The TLS connection of 127.0.0.1 failed: peer did not return a certificate")
        context.load_cert_chain(self.path("client.pem"))
        with httpx.Client(verify=context, trust_env=False) as client:
            self.assertEqual(client.get(url).status_code, 200)


class ServerTests(TLSTestCase):
    """A server that is reached over TLS."""

    def test_forms(self) -> None:
        """A form passes both daemons; each forces its field, and the Host is the server's."""
        files = {"file": ("a.wav", LARGE)}
        url = self.forwarding.url("/audio/transcriptions")
        for _ in range(3):
            heard = httpx.post(url, data={"model": "m"}, files=files, trust_env=False, timeout=LIMIT_S).json()
            fields = [item for item in heard["form"] if item[0] != "file"]
            self.assertEqual(fields, [["language", "zh"], ["temperature", "0"], ["model", "m"]])
        self.assertEqual(dict(heard["headers"])["host"], f"localhost:{self.secure.port}")

    def test_health(self) -> None:
        """The health check includes the handshake."""
        self.assertEqual(httpx.get(self.forwarding.url("/health"), trust_env=False).status_code, 200)

    def failing(self, *options: str) -> str:
        """Why a daemon cannot reach its server; the reason is the same in the response and in /health."""
        daemon = self.start_daemon(*options)
        answer = httpx.get(daemon.url("/v1/models"), trust_env=False, timeout=LIMIT_S)
        error = answer.json()["error"]
        self.assertEqual((answer.status_code, error["code"]), (502, "upstream_certificate"))
        health = httpx.get(daemon.url("/health"), trust_env=False, timeout=LIMIT_S)
        self.assertEqual((health.status_code, health.json()["error"]), (503, error["message"]))
        return str(error["message"])

    def test_rejected(self) -> None:
        """A certificate that cannot be verified is a 502 that says why and what would help."""
        url = f"https://localhost:{self.secure.port}"
        self.assertIn("--target-ca", self.failing("--target", url))
        daemon = self.start_daemon(
            "--port", "0", "--tls-cert", self.path("client.pem"), "--target", "http://127.0.0.1:1"
        )
        wrong = f"https://localhost:{daemon.port}"
        self.assertIn("not for localhost", self.failing("--target", wrong, "--target-ca", self.path("ca.pem")))

    def test_insecure(self) -> None:
        """--target-insecure reaches any server, and warns."""
        daemon = self.start_daemon("--target", f"https://localhost:{self.secure.port}", "--target-insecure")
        self.assertEqual(httpx.get(daemon.url("/v1/models"), trust_env=False).status_code, 200)
        self.assertIn("is not verified", daemon.log())

    def test_no_tls(self) -> None:
        """A server without TLS is named as such."""
        daemon = self.start_daemon("--target", f"https://127.0.0.1:{self.echo.port}", "--connect-retry", "0")
        answer = httpx.get(daemon.url("/x"), trust_env=False, timeout=LIMIT_S)
        self.assertEqual(answer.status_code, 502)
        self.assertIn("does not speak TLS", answer.json()["error"]["message"])

    def test_silent(self) -> None:
        """A server that accepts and says nothing costs no more than the time for a connection."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            daemon = self.start_daemon(
                *("--target", f"https://127.0.0.1:{silent.getsockname()[1]}", "--connect-timeout", "0.5")
            )
            answer = httpx.get(daemon.url("/x"), trust_env=False, timeout=LIMIT_S)
        self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (504, "upstream_timeout"))


class KeyTests(TLSTestCase):
    """API keys on both sides."""

    def test_replaced(self) -> None:
        """The server gets the key of the file, also after the file has changed; it is never logged."""
        self.write("key", b"sk-first\n")
        daemon = self.start_daemon(
            *("--target", f"http://127.0.0.1:{self.echo.port}", "--target-key-file", self.path("key"))
        )
        headers = {"Authorization": "Bearer sk-mine"}

        def sent() -> str:
            heard = httpx.get(daemon.url("/v1/models"), headers=headers, trust_env=False).json()
            return str(dict(heard["headers"])["authorization"])

        self.assertEqual(sent(), "Bearer sk-first")
        self.write("key", b"sk-second")
        until(lambda: sent() == "Bearer sk-second", "the second key")
        self.assertNotIn("sk-", daemon.log())
