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

#: A PID that is higher than any system assigns.
NOBODY = 99_999_999


class PidfileTests(SynchronousTestCase):
    """The different contents of a pidfile."""

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())

    def write(self, text: str) -> None:
        with open(self.path, "w") as file:
            file.write(text)

    def process(self, *arguments: str) -> int:
        """Start a process that waits; returns its PID."""
        script = "import sys; print(flush=True); sys.stdin.read()"
        command: Sequence[str] = [sys.executable, "-c", script, *arguments]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(child.communicate)
        assert child.stdout is not None
        child.stdout.readline()  # at first, the system has no command line for the process
        return child.pid

    def test_none(self) -> None:
        """Without an existing pidfile, the check passes."""
        pidfile.clear(self.path)

    def test_left_over(self) -> None:
        """A pidfile with a free PID, our own PID, the PID of another program, or no content is removed."""
        for text in (str(NOBODY), f"{os.getpid()}", f"{os.getpid()}\n", f"{self.process()}", "", "\n"):
            self.write(text)
            pidfile.clear(self.path)
            self.assertFalse(os.path.exists(self.path), text)

    def refused(self, path: str) -> str:
        """The error message for a pidfile, which must be one line."""
        message = str(self.assertRaises(pidfile.PidfileError, pidfile.clear, path))
        self.assertNotIn("\n", message)
        return message

    def test_running(self) -> None:
        """If the PID belongs to a running daemon, the file stays and the start is refused."""
        pid = self.process("twistd", "sttproxy")
        self.write(str(pid))
        self.assertIn(f"process {pid}", self.refused(self.path))
        self.assertTrue(os.path.exists(self.path))

    def test_not_told(self) -> None:
        """If the system does not provide the command line, the process counts as a daemon."""
        self.patch(pidfile, "_command", lambda pid: None)
        self.write(str(self.process()))
        self.refused(self.path)

    def test_command(self) -> None:
        """The system provides the command line of a process."""
        self.assertIn(b"sttproxy-there", pidfile._command(self.process("sttproxy-there")) or b"")

    def test_no_pidfile(self) -> None:
        """A file that is not a pidfile stays, and the start is refused."""
        for text in ("garbage", "1 2", "-1", "0", "9" * 30, "\x80"):
            self.write(text)
            self.assertIn("not a pidfile", self.refused(self.path))
            self.assertTrue(os.path.exists(self.path))

    def test_folders(self) -> None:
        """A missing folder, or a folder at the path of the pidfile, is an error."""
        self.assertIn("does not exist", self.refused(os.path.join(self.path, "x.pid")))
        os.mkdir(self.path)
        self.assertIn("cannot be read", self.refused(self.path))

    def test_read_only(self) -> None:
        """A folder that cannot be written is an error."""
        self.patch(os, "access", lambda *_, **__: False)
        self.assertIn("read-only", self.refused(self.path))
