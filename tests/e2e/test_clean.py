"""
``sttproxy clean`` as a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from .process import LIMIT_S, environment

RULES = {"$transcript": {"drop": {"phrases": "known"}, "replace": {"卡瑟琳": "凯瑟琳"}}}
KEPT = "1\r\n00:00:01,000 --> 00:00:02,000\r\n医生卡瑟琳\r\n\r\n"
SRT = KEPT + "2\r\n00:00:03,000 --> 00:00:09,000\r\nThank you for watching!\r\n"
CLEAN = KEPT.replace("卡瑟琳", "凯瑟琳")


class CleanTests(SynchronousTestCase):
    """The command in a folder with a configuration."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.write("stt_config.json", json.dumps(RULES))

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        with open(os.path.join(self.folder, name), "w", encoding="utf-8", newline="") as file:
            file.write(text)

    def clean(self, *arguments: str, text: str = "") -> tuple[int, bytes, str]:
        """Run the command; returns the exit status, standard output and standard error."""
        done = subprocess.run(
            [sys.executable, "-m", "sttproxy", "clean", *arguments],
            cwd=self.folder,
            env=environment(),
            input=text.encode(),
            capture_output=True,
            timeout=LIMIT_S,
        )
        return done.returncode, done.stdout, done.stderr.decode()

    def test_clean(self) -> None:
        """A file and the standard input become the same bytes; a recording is an error."""
        self.write("a.srt", SRT)
        self.assertEqual(self.clean("a.srt"), (0, CLEAN.encode(), ""))
        self.assertEqual(self.clean("-", text=SRT), (0, CLEAN.encode(), ""))
        status, out, err = self.clean("-", text="RIFF\0\0")
        self.assertEqual((status, out), (2, b""))
        self.assertIn("this is not surely a transcript", err)

    def test_diff(self) -> None:
        """--diff shows the changes."""
        self.write("a.srt", SRT)
        status, out, err = self.clean("--diff", "a.srt")
        self.assertEqual((status, err), (0, ""))
        self.assertIn('00:00:01.000  replace: "卡瑟琳"\n- 医生卡瑟琳\n+ 医生凯瑟琳\n', out.decode())
