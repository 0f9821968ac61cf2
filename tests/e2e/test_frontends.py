"""
Servers of others that speak HTTP/2 over TLS, as target: Caddy and nginx.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import ClassVar

import httpx
from websockets.sync.client import connect as connect_websocket
from websockets.sync.server import ServerConnection, serve

from .case import StagedTestCase
from .certificates import certificate
from .daemon import Daemon
from .forms import File, noise
from .frontends import Caddy, Frontend, Nginx
from .process import LIMIT_S
from .upstream import shared_echo

LARGE = noise(3_000_000)


class FrontendTestCase(StagedTestCase):
    """
    Tests of a daemon with a frontend as target.

    :cvar kind: the frontend; None in this class, which has no tests of its own.
    :cvar daemon: it has the echo server behind the frontend.
    """

    kind: ClassVar[type[Frontend]]
    daemon: ClassVar[Daemon]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.daemon = cls.before(cls.kind(shared_echo().port), stack)

    @classmethod
    def before(cls, frontend: Frontend, stack: ExitStack) -> Daemon:
        """Start a daemon with a frontend as target."""
        stack.callback(frontend.close)
        target = ("--target", f"https://127.0.0.1:{frontend.port}", "--target-ca", certificate("ca.pem"))
        daemon = Daemon(*target, config={"language": "zh"})
        stack.callback(daemon.close)
        return daemon

    def client(self) -> httpx.Client:
        """A client."""
        client = httpx.Client(trust_env=False, timeout=LIMIT_S)
        self.addCleanup(client.close)
        return client


class FrontendTests:
    """The tests of each frontend."""

    def test_forms(self: FrontendTestCase) -> None:
        """A large form reaches the server over HTTP/2, with the forced field, again and again."""
        client = self.client()
        url = self.daemon.url("/v1/audio/transcriptions")
        for _ in range(3):
            answer = client.post(url, data={"model": "m"}, files={"file": ("a.wav", LARGE, "audio/wav")})
            self.assertEqual((answer.status_code, answer.headers["x-protocol"]), (200, "HTTP/2.0"))
            file = File(LARGE, "a.wav").echoed()
            self.assertEqual(answer.json()["form"], [["language", "zh"], ["model", "m"], ["file", file]])

    def test_many(self: FrontendTestCase) -> None:
        """Requests at the same time are answered each."""
        client = self.client()
        found = []

        def ask(number: int) -> None:
            found.append(client.get(self.daemon.url(f"/v1/models?n={number}")).json()["query"])

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
        self.assertCountEqual(found, [f"n={number}" for number in range(50)])

    def test_health(self: FrontendTestCase) -> None:
        """The health check succeeds."""
        self.assertEqual(self.client().get(self.daemon.url("/health")).status_code, 200)

    def test_websocket(self: FrontendTestCase) -> None:
        """An upgrade gets a connection of HTTP/1.1, also beside one of HTTP/2."""

        def echo(connection: ServerConnection) -> None:
            for message in connection:
                connection.send(message)

        def upgrades_only(connection: ServerConnection, request: object) -> object:
            plain = "websocket" not in request.headers.get("Upgrade", "")
            return connection.respond(200, "plain") if plain else None

        with ExitStack() as stack:
            server = stack.enter_context(serve(echo, "127.0.0.1", 0, process_request=upgrades_only))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            daemon = self.before(self.kind(server.socket.getsockname()[1]), stack)
            for _ in range(2):
                self.assertEqual(self.client().get(daemon.url("/")).headers["x-protocol"], "HTTP/2.0")
                with connect_websocket(f"ws://127.0.0.1:{daemon.port}/v1/realtime", proxy=None) as client:
                    for message in ("text", b"x" * 100_000):
                        client.send(message)
                        self.assertEqual(client.recv(LIMIT_S), message)


class CaddyTests(FrontendTests, FrontendTestCase):
    """Caddy."""

    kind = Caddy
    if not Caddy.installed():
        skip = "caddy is not installed; apt-get install caddy"


class NginxTests(FrontendTests, FrontendTestCase):
    """nginx."""

    kind = Nginx
    if not Nginx.installed():
        skip = "nginx is not installed; apt-get install nginx-light"
