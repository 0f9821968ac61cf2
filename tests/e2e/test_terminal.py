"""
The daemon on a terminal: the line about requests in flight.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

from .case import StagedTestCase
from .daemon import foreground, listeners
from .message import head, request
from .process import LIMIT_S, environment
from .raw import Listener, connect


class Terminal(StagedTestCase):
    """A daemon in the foreground of a terminal."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="stt-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.upstream = Listener()
        self.addCleanup(self.upstream.close)
        self.output = ""

    def start(self, *options: str) -> None:
        """Start it as the leader of its own session, whose terminal is ours."""
        target = f"http://127.0.0.1:{self.upstream.port}"
        command = foreground("--host", "127.0.0.1", "--port", "0", "--target", target, *options)
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            os.chdir(self.folder)
            os.execve(command[0], command, {**environment(), "TERM": "xterm"})
        self.addCleanup(os.close, self.terminal)
        self.addCleanup(self.end)
        self.wait_for(r"Requests go to")
        self.port = int(listeners(self.output)[0])

    def end(self) -> None:
        """Kill it, if it still runs."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def wait_for(self, pattern: str) -> None:
        """Wait until it has written something."""
        end = time.monotonic() + LIMIT_S
        while not re.search(pattern, self.output):
            left = end - time.monotonic()
            self.assertGreater(left, 0, f"{pattern} is not in {self.output!r}")
            if select.select([self.terminal], [], [], left)[0]:
                self.output += os.read(self.terminal, 65536).decode()

    def test_progress(self) -> None:
        """A request in flight is shown below the log; it is erased before each line, and at the end."""
        self.start()
        client = connect(self.port)
        self.addCleanup(client.close)
        client.send(request("GET", "/long"))
        server = self.upstream.accept()
        server.read_message()
        self.wait_for(r"\x1b\[J1 in flight, 0 B sent, 0 B received; oldest 0:0\d working: GET /long\r")
        server.send(head(b"HTTP/1.1 204 No Content", []))
        client.read_message()
        server.close()
        self.wait_for(
            r"\r\x1b\[J[0-9T:+-]+ \[sttproxy.inbound.request#info\] 127.0.0.1 GET /long HTTP/1.1 204 [^\x1b]*\r\n"
        )
        self.wait_for(r"done\r\n(?s:.*)\r\x1b\[J\Z")
        os.kill(self.pid, signal.SIGINT)
        self.wait_for(r"Server Shut Down.\r\n")
        self.assertEqual(os.waitpid(self.pid, 0)[1], 0)

    def test_off(self) -> None:
        """With --no-progress, nothing but the log is written; a pipe never gets anything else."""
        self.start("--no-progress")
        os.kill(self.pid, signal.SIGINT)
        self.wait_for(r"Server Shut Down.\r\n")
        self.assertNotIn("\x1b", self.output)
        command = foreground("--host", "127.0.0.1", "--port", "0")
        piped = subprocess.Popen(
            command, cwd=self.folder, env={**environment(), "TERM": "xterm"}, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(piped.wait)
        assert piped.stdout is not None
        output = ""
        while "Requests go to" not in output:
            output += piped.stdout.readline()
        piped.terminate()
        self.assertNotIn("\x1b", output + piped.stdout.read())
        piped.stdout.close()
