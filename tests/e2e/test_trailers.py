"""
Trailers between real programs: Node's http and http2 modules and curl, over both versions of HTTP on both sides.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from typing import Any, ClassVar
from unittest import SkipTest

from .case import StagedTestCase
from .clients import CURL, curl
from .daemon import Daemon
from .process import LIMIT_S, Process, environment

NODE = shutil.which("node")
_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trailers.mjs")


class TrailerTests(StagedTestCase):
    """
    Each pairing of a client's version of HTTP with a server's.

    :cvar daemons: one before each server, by the server's version.
    """

    daemons: ClassVar[dict[str, Daemon]]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        if NODE is None:
            raise SkipTest("there is no node; apt-get install nodejs")
        folder = tempfile.mkdtemp(prefix="stt-trailers-")
        stack.callback(shutil.rmtree, folder)
        servers = Process([NODE, _SCRIPT, "serve"], folder, "node")
        stack.callback(servers.end)
        ports = servers.wait_for(r"^ports (\d+) (\d+)$")
        cls.daemons = {}
        for version, target in (("1", f"http://127.0.0.1:{ports[1]}"), ("2", f"h2c://127.0.0.1:{ports[2]}")):
            cls.daemons[version] = Daemon("--target", target)
            stack.callback(cls.daemons[version].close)

    def ask(self, version: str, daemon: Daemon, path: str = "/v1/files") -> Any:
        """Send a request with trailers by Node."""
        assert NODE is not None
        command = [NODE, _SCRIPT, "ask", version, str(daemon.port), path]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_pairings(self) -> None:
        """Trailers of both messages arrive, without those that belong into a head, and so does what announces them."""
        for client in "12":
            for server, daemon in self.daemons.items():
                with self.naming((client, server)):
                    answer = self.ask(client, daemon)
                    heard = {"te": "trailers", "trailer": "X-Sum", "size": 100_000}
                    self.assertEqual(answer["heard"], {**heard, "trailers": {"x-sum": "of the request"}})
                    self.assertEqual(answer["trailers"], {"x-sum": "of the response", "grpc-status": "0"})
                    self.assertEqual(answer["trailer"], "X-Sum")

    def test_curl(self) -> None:
        """curl prints the trailers behind the body, over both versions."""
        if CURL is None:
            self.skipTest("curl is not installed")
        for option in ("--http1.1", "--http2-prior-knowledge"):
            for server, daemon in self.daemons.items():
                with self.naming((option, server)):
                    printed = curl("--include", option, daemon.url("/v1/models"))
                    self.assertIn("}x-sum: of the response", printed.lower())
                    self.assertNotIn("evil", printed)
