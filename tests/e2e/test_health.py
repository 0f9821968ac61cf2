"""
The command ``sttproxy health``, which asks a running daemon.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from ..support.certificates import pem
from .case import StagedTestCase
from .process import LIMIT_S, environment
from .system import unused_port
from .upstream import shared_echo


class HealthTests(StagedTestCase):
    """What it prints, and its exit status."""

    def health(self, *arguments: str, **env: str) -> tuple[int, str]:
        """The exit status, and what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "sttproxy", "health", *arguments],
            env=environment(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return done.returncode, done.stdout

    def test_healthy(self) -> None:
        """A daemon is found by its port, its URL, the environment, and its socket."""
        path = os.path.join(tempfile.mkdtemp(prefix="stt-health-"), "s")
        self.addCleanup(shutil.rmtree, os.path.dirname(path))
        listen = ("--listen", "tcp:0:interface=127.0.0.1", "--listen", f"unix:{path}")
        daemon = self.start_daemon(*listen, "--target", f"http://127.0.0.1:{shared_echo().port}")
        port = str(daemon.port)
        for arguments in ((port,), (daemon.url(),), (f"unix:{path}",), ("--live", port)):
            with self.naming(arguments):
                status, printed = self.health(*arguments)
                self.assertEqual((status, printed.count("\n")), (0, 1))
                self.assertIn('"live"' if "--live" in arguments else '"healthy"', printed)
        self.assertEqual(self.health(STTPROXY_PORT=port)[0], 0)

    def test_tls(self) -> None:
        """A daemon with a certificate is found by its URL and by the environment; the certificate is not verified."""
        cert = Path(self.mktemp()).absolute()
        cert.write_bytes(pem("elsewhere.example"))
        daemon = self.start_daemon("--port", "0", "--host", "127.0.0.1", "--tls-cert", str(cert))
        self.assertEqual(self.health("--live", daemon.url())[0], 0)
        self.assertEqual(self.health("--live", STTPROXY_PORT=str(daemon.port), STTPROXY_TLS_CERT=str(cert))[0], 0)

    def test_not_healthy(self) -> None:
        """Without a server behind it the daemon is not healthy, but live."""
        daemon = self.start_daemon("--target", f"http://127.0.0.1:{unused_port()}")
        status, printed = self.health(str(daemon.port))
        self.assertEqual(status, 1)
        self.assertIn("503", printed)
        self.assertEqual(self.health("--live", str(daemon.port))[0], 0)

    def test_no_daemon(self) -> None:
        """No daemon, one that says nothing or nonsense, and what is no address: one line, and status 1."""
        with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as odd:
            thread = threading.Thread(target=_talk_nonsense, args=(odd,))
            thread.start()
            for address in (
                str(unused_port()),
                str(silent.getsockname()[1]),
                str(odd.getsockname()[1]),
                "unix:/nowhere/s",
                "ftp://x",
                "99999999",
                "localhost:1",
            ):
                with self.naming(address):
                    status, printed = self.health("--timeout", "0.3", address)
                    self.assertEqual((status, printed.count("\n")), (1, 1), printed)
            thread.join()


def _talk_nonsense(server: socket.socket) -> None:
    client, _ = server.accept()
    with client:
        client.sendall(b"\x15\x03\n\n")
