"""
The monitoring pages: a listener of their own, the clients that may see them, and what they say while the daemon stops.
"""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import tempfile
from typing import Any

import httpx

from ..support.certificates import authority_pem, pem
from .case import StagedTestCase
from .clients import curl
from .daemon import Daemon, get_json, opens
from .message import Message, counted, head, request
from .process import LIMIT_S, until
from .raw import Listener, connect
from .upstream import shared_echo

FREE = "tcp:0:interface=127.0.0.1"


class AccessTestCase(StagedTestCase):
    """Tests of daemons before the echo server."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="stt-access-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name: str, data: bytes | None = None) -> str:
        """A path in the folder, where `data` is written."""
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)
        return path

    def start(self, *options: str, **settings: Any) -> Daemon:
        """Start a daemon before the echo server."""
        return self.start_daemon("--target", f"http://127.0.0.1:{shared_echo().port}", *options, **settings)

    def ask(self, address: str, target: str, *headers: tuple[bytes, bytes]) -> Message:
        """Return the response of a listener."""
        client = connect(int(address) if address.isdigit() else address)
        self.addCleanup(client.close)
        client.send(request("GET", target, *headers))
        return client.read_message()

    def statuses(self, address: str, *headers: tuple[bytes, bytes]) -> list[int]:
        """The statuses of the pages."""
        return [self.ask(address, target, *headers).status for target in ("/health", "/stats")]


class Apart(AccessTestCase):
    """--monitor."""

    def test_listeners(self) -> None:
        """Pages are at a port and at a Unix socket, and only there; their paths elsewhere are the server's."""
        socket = self.path("m.sock")
        daemon = self.start("--monitor", FREE, "--monitor", f"unix:{socket}", "--socket-mode", "0600")
        port, *monitors = daemon.addresses
        self.assertEqual(monitors[1], socket)
        self.assertEqual(os.stat(socket).st_mode & 0o777, 0o600)
        for address in monitors:
            self.assertEqual(self.statuses(address), [200, 200])
            missing = self.ask(address, "/v1/models")
            self.assertEqual((missing.status, missing.json()["error"]["code"]), (404, "not_found"))
        self.assertEqual(self.ask(port, "/stats").json()["path"], "/stats")
        self.assertRegex(
            daemon.log(), rf"The monitoring pages are at tcp:0:interface=127\.0\.0\.1, unix:{socket} only\."
        )
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(socket))

    def test_tls(self) -> None:
        """With --tls-cert and --tls-client-ca, the port for monitoring is plain, and needs no certificate."""
        certificate, authority = self.path("server.pem", pem("localhost")), self.path("ca.pem", authority_pem())
        listen = ("--host", "127.0.0.1", "--port", "0")
        daemon = self.start(*listen, "--tls-cert", certificate, "--tls-client-ca", authority, "--monitor", FREE)
        port, monitor = daemon.addresses
        self.assertEqual(self.statuses(monitor), [200, 200])
        names = [each["names"] for each in self.ask(monitor, "/stats").json()["tls"]["certificates"]]
        self.assertEqual(names, [["localhost"]])
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(self.path("client.pem", pem("client")))
        with httpx.Client(verify=context, trust_env=False, timeout=LIMIT_S) as session:
            self.assertEqual(session.get(f"https://localhost:{port}/stats").json()["path"], "/stats")

    def test_http2(self) -> None:
        """HTTP/2 reaches the listener for monitoring, too."""
        daemon = self.start("--monitor", FREE)
        url = f"http://127.0.0.1:{daemon.addresses[1]}/stats"
        self.assertEqual(
            curl("--http2-prior-knowledge", "-o", os.devnull, "-w", "%{http_code} %{http_version}", url), "200 2"
        )

    def test_key(self) -> None:
        """It needs no key; elsewhere all requests need one."""
        keys = self.path("keys.json", b'{"sha256:%b": ""}' % (b"0" * 64))
        daemon = self.start("--require-key", "--profile-by-key", keys, "--monitor", FREE)
        self.assertEqual(self.statuses(daemon.addresses[1]), [200, 200])
        self.assertEqual(self.statuses(daemon.addresses[0]), [401, 401])

    def test_full(self) -> None:
        """It has room while the most clients are connected."""
        daemon = self.start("--monitor", FREE, "--max-clients", "1")
        client = connect(daemon.port)
        self.addCleanup(client.close)
        client.send(request("GET", "/"))
        client.read_message()
        self.assertEqual(self.ask(daemon.addresses[0], "/").status, 503)
        self.assertEqual(self.statuses(daemon.addresses[1]), [200, 200])

    def test_in_use(self) -> None:
        """The daemon does not start if the port is in use."""
        with Listener() as listener:
            error = self.assertRaises(
                AssertionError, self.start, "--monitor", f"tcp:{listener.port}:interface=127.0.0.1"
            )
            self.assertIn("cannot listen on tcp:", str(error))


class Draining(AccessTestCase):
    """What is left of the pages while the daemon stops."""

    def test_order(self) -> None:
        """
        While a request in flight ends, new clients are refused, and ``/health`` says "draining" for monitoring; then
        that port closes, too.
        """
        with Listener() as server:
            target = ("--target", f"http://127.0.0.1:{server.port}")
            daemon = self.start_daemon(*target, "--monitor", FREE)
            monitor = int(daemon.addresses[1])
            client = connect(daemon.port)
            self.addCleanup(client.close)
            client.send(request("GET", "/slow"))
            upstream = server.accept()
            upstream.read_message()
            idle = connect(monitor)
            self.addCleanup(idle.close)
            idle.send(request("GET", "/health?live"))
            idle.read_message()
            daemon.signal(signal.SIGTERM)
            until(lambda: not opens(str(daemon.port)), "a closed port")
            for _ in range(2):
                health = self.ask(str(monitor), "/health")
                self.assertEqual((health.status, health.json()["status"]), (503, "draining"))
            self.assertEqual(get_json(monitor, "/health?live")["status"], "live")
            self.assertEqual(get_json(monitor, "/stats")["in_flight"], 2)
            idle.send(request("GET", "/health"))
            self.assertEqual(idle.read_message().status, 503)
            upstream.send(head(b"HTTP/1.1 200 OK", [counted(b"done")]), b"done")
            self.assertEqual(client.read_message().body, b"done")
            self.assertEqual(daemon.wait(), 0)
            self.assertFalse(opens(str(monitor)))

    def test_without_requests(self) -> None:
        """A daemon without requests in flight stops, also if a client for monitoring stays."""
        daemon = self.start("--monitor", FREE)
        client = connect(int(daemon.addresses[1]))
        self.addCleanup(client.close)
        client.send(request("GET", "/health"))
        client.read_message()
        self.assertEqual(daemon.stop(), 0)


class Viewers(AccessTestCase):
    """--monitor-from."""

    def test_networks(self) -> None:
        """Listed clients see the pages; others get 403, and all else is forwarded for them."""
        daemon = self.start("--monitor-from", "127.0.0.0/8")
        self.assertEqual(self.statuses(daemon.addresses[0]), [200, 200])
        daemon = self.start("--monitor-from", "192.0.2.0/24", "--monitor-from", "unix", *self.both())
        port, socket = daemon.addresses
        self.assertEqual(self.statuses(port), [403, 403])
        self.assertEqual(self.ask(port, "/health").json()["error"]["code"], "forbidden_client")
        self.assertEqual(self.ask(port, "/x").json()["path"], "/x")
        self.assertEqual(self.statuses(socket), [200, 200])

    def both(self) -> tuple[str, ...]:
        """Options for a port and a Unix socket."""
        return "--listen", FREE, "--listen", f"unix:{self.path('s.sock')}"

    def test_forwarded(self) -> None:
        """Behind a trusted proxy its client counts; others cannot name themselves."""
        listed, other = ((b"X-Forwarded-For", address) for address in (b"192.0.2.1", b"203.0.113.1"))
        for trusting in (("--trust-forwarded", "127.0.0.1"), ()):
            daemon = self.start("--monitor-from", "192.0.2.0/24", *trusting)
            port = daemon.addresses[0]
            found = [self.statuses(port, *headers) for headers in ([listed], [other], [])]
            self.assertEqual(found, [[200, 200] if trusting else [403, 403], [403, 403], [403, 403]])

    def test_apart(self) -> None:
        """A listener for monitoring is limited, too."""
        daemon = self.start("--monitor", FREE, "--monitor-from", "192.0.2.0/24")
        self.assertEqual(self.statuses(daemon.addresses[1]), [403, 403])
