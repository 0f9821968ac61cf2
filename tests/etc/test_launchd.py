"""
The property lists of launchd, as far as a machine without it allows.
"""

from __future__ import annotations

import plistlib
import shutil
import subprocess
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ..e2e.process import LIMIT_S
from ..support.documents import ROOT

DAEMON = "etc/launchd/com.sttproxy.plist"
AGENT = "etc/launchd/agent/com.sttproxy.plist"


class PropertyListTests(SynchronousTestCase):
    """Both property lists."""

    def read(self, name: str) -> dict[str, Any]:
        """Read one."""
        found: dict[str, Any] = plistlib.loads((ROOT / name).read_bytes())
        return found

    def test_both(self) -> None:
        """Both are started again when they end, and have paths of their own, all absolute."""
        for name in (DAEMON, AGENT):
            found = self.read(name)
            self.assertEqual((found["Label"], found["RunAtLoad"], found["KeepAlive"]), ("com.sttproxy", True, True))
            program, *arguments = found["ProgramArguments"]
            paths = [program, found["StandardErrorPath"]]
            paths += [word.partition("=")[2] for word in arguments if word.startswith(("--logfile=", "--config="))]
            self.assertEqual((len(paths), {path[:1] for path in paths}), (4, {"/"}))
            self.assertGreater(found["ExitTimeOut"], 30, "requests in flight need the time of --grace")

    def test_privileges(self) -> None:
        """The daemon runs as a user without privileges; the agent as its own user."""
        self.assertEqual(self.read(DAEMON)["UserName"], "nobody")
        self.assertNotIn("UserName", self.read(AGENT))

    def test_plutil(self) -> None:
        """Apple's own tool finds nothing wrong."""
        if shutil.which("plutil") is None:
            self.skipTest("plutil is not installed")
        for name in (DAEMON, AGENT):
            subprocess.run(["plutil", "-lint", str(ROOT / name)], check=True, timeout=LIMIT_S)
