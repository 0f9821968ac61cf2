"""
Tests for :mod:`sttproxy.pidfile`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import pidfile

#: More than any system counts to.
NOBODY = 99_999_999


class PidfileTests(SynchronousTestCase):
    """What is found at the path of the pidfile."""

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())

    def write(self, text: str) -> None:
        with open(self.path, "w") as file:
            file.write(text)

    def process(self, *arguments: str) -> int:
        """A process that waits; its number."""
        script = "import sys; print(flush=True); sys.stdin.read()"
        command: Sequence[str] = [sys.executable, "-c", script, *arguments]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(child.communicate)
        assert child.stdout is not None
        child.stdout.readline()  # in the first moment the system tells no command
        return child.pid

    def test_none(self) -> None:
        """Where there is none, one can be written."""
        pidfile.clear(self.path)

    def test_left_over(self) -> None:
        """One that names no process, this one, another program, or nothing at all is taken away."""
        for text in (str(NOBODY), f"{os.getpid()}", f"{os.getpid()}\n", f"{self.process()}", "", "\n"):
            self.write(text)
            pidfile.clear(self.path)
            self.assertFalse(os.path.exists(self.path), text)

    def refused(self, path: str) -> str:
        """Why a daemon cannot start with a pidfile: one line, and nothing is changed."""
        message = str(self.assertRaises(pidfile.PidfileError, pidfile.clear, path))
        self.assertNotIn("\n", message)
        return message

    def test_running(self) -> None:
        """Two with one pidfile are refused."""
        pid = self.process("twistd", "sttproxy")
        self.write(str(pid))
        self.assertIn(f"process {pid}", self.refused(self.path))
        self.assertTrue(os.path.exists(self.path))

    def test_not_told(self) -> None:
        """Where the system does not tell what a process is, it may be ours."""
        self.patch(pidfile, "_command", lambda pid: None)
        self.write(str(self.process()))
        self.refused(self.path)

    def test_command(self) -> None:
        """The system tells the command of a process."""
        self.assertIn(b"sttproxy-there", pidfile._command(self.process("sttproxy-there")) or b"")

    def test_no_pidfile(self) -> None:
        """Another kind of file stays."""
        for text in ("garbage", "1 2", "-1", "0", "9" * 30, "\x80"):
            self.write(text)
            self.assertIn("no pidfile", self.refused(self.path))
            self.assertTrue(os.path.exists(self.path))

    def test_folders(self) -> None:
        """A folder that is missing, or in the way, is named."""
        self.assertIn("does not exist", self.refused(os.path.join(self.path, "x.pid")))
        os.mkdir(self.path)
        self.assertIn("cannot be read", self.refused(self.path))

    def test_read_only(self) -> None:
        """So is one that nothing can be written to."""
        self.patch(os, "access", lambda *_, **__: False)
        self.assertIn("read-only", self.refused(self.path))
