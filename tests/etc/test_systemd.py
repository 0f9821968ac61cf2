"""
The units of systemd: rated by it, and run by a systemd of the test's own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from ..e2e.case import StagedTestCase
from ..e2e.clients import asking
from ..e2e.process import LIMIT_S, until
from ..e2e.system import unused_port
from ..e2e.upstream import shared_echo
from ..support.documents import ROOT
from .systemd import PREFIX, UNITS, PrivateSystemd, why_not

FOLDER = ROOT / "etc/systemd"
UNIT = "sttproxy.service"
#: The most exposure that the unit may have, of 10.
EXPOSURE = 2.0


class AnalyzeTests(SynchronousTestCase):
    """What ``systemd-analyze`` says."""

    if shutil.which("systemd-analyze") is None:
        skip = "systemd-analyze is not installed"

    def analyze(self, *arguments: str) -> str:
        """What it prints."""
        return subprocess.run(
            ["systemd-analyze", *arguments],
            env={**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "cat", "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        ).stdout

    def test_exposure(self) -> None:
        """The service is not exposed more than it has to be."""
        printed = self.analyze("security", "--no-pager", "--offline=true", str(FOLDER / UNIT))
        found = re.search(r"Overall exposure level for sttproxy\.service: ([\d.]+)", printed)
        assert found is not None, printed
        self.assertLessEqual(float(found.group(1)), EXPOSURE)

    def test_valid(self) -> None:
        """systemd knows all that the units say; only the program is not there."""
        folder = Path(self.mktemp()).absolute()
        shutil.copytree(FOLDER, folder)
        unit = folder / UNIT
        unit.write_text(unit.read_text().replace(f"{PREFIX}/bin/sttproxy", "/bin/true"))
        printed = self.analyze("verify", str(unit), str(folder / "sttproxy.socket"))
        self.assertNotIn(str(folder), printed)
        self.assertNotIn("sttproxy", printed)


class RunTests(StagedTestCase):
    """The service under systemd, installed by ``sttproxy service install``."""

    if why_not():
        skip = why_not()

    systemd: ClassVar[PrivateSystemd]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.systemd = PrivateSystemd()
        stack.callback(cls.systemd.close)

    def setUp(self) -> None:
        super().setUp()
        self.port = unused_port()
        self.addCleanup(self.service, "uninstall")

    def service(self, *arguments: str) -> str:
        """Run ``sttproxy service``."""
        return self.systemd.run(f"{PREFIX}/bin/sttproxy", "service", *arguments, check=True).stdout

    def install(self, *arguments: str) -> str:
        """Install the service."""
        target = f"--target=http://127.0.0.1:{shared_echo().port}"
        return self.service("install", *arguments, "--", f"--port={self.port}", target)

    def files(self) -> str:
        """What the service has of files."""
        return self.systemd.run("find", UNITS, "/etc/sttproxy").stdout

    def live(self) -> int:
        """The status of ``/health?live``; 0 if it cannot be had."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.port}/health?live", timeout=LIMIT_S) as response:
                return int(response.status)
        except urllib.error.URLError:
            return 0

    def test_life(self) -> None:
        """It starts as a user of its own, shows its numbers, reloads, and leaves nothing behind."""
        before = self.files()
        self.install()
        self.assertEqual((self.systemd.show(UNIT, "ActiveState"), self.live()), ("active", 200))
        pid = self.systemd.show(UNIT, "MainPID")
        self.assertNotEqual(self.systemd.run("stat", "--format=%u", f"/proc/{pid}", check=True).stdout, "0\n")
        until(lambda: "1 requests since the start" in self.systemd.show(UNIT, "StatusText"), "the numbers")
        self.assertNotIn("write", self.install())
        self.assertEqual(self.systemd.show(UNIT, "MainPID"), pid, "a second run starts nothing anew")
        self.systemd.run("sh", "-c", "echo '{' > /etc/sttproxy/stt_config.json", check=True)
        self.systemd.run("systemctl", "reload", UNIT, check=True)
        until(lambda: self.systemd.show(UNIT, "ActiveState") == "active", "the end of the reload")
        self.systemd.run("journalctl", "--sync")
        errors = self.systemd.run("journalctl", "--unit", UNIT, "--priority=err", "--output=cat", check=True).stdout
        self.assertIn("[sttproxy.watch#error]", errors)
        self.assertNotIn("#info]", errors)
        self.assertIn("was changed, and stays", self.service("uninstall"))
        self.systemd.run("rm", "-r", "/etc/sttproxy")
        self.assertEqual((self.files(), self.live()), (before, 0))

    def test_watchdog(self) -> None:
        """A daemon that hangs is ended and started again."""
        self.install()
        pid = self.systemd.show(UNIT, "MainPID")
        self.systemd.run("mkdir", "-p", f"{UNITS}/{UNIT}.d", check=True)
        drop_in = f"{UNITS}/{UNIT}.d/watchdog.conf"
        self.systemd.run("sh", "-c", f"printf '[Service]\\nWatchdogSec=1\\n' > {drop_in}", check=True)
        self.addCleanup(self.systemd.run, "rm", "-r", f"{UNITS}/{UNIT}.d")
        self.systemd.run("systemctl", "daemon-reload", check=True)
        self.systemd.run("systemctl", "restart", UNIT, check=True)
        hanging = self.systemd.show(UNIT, "MainPID")
        self.assertNotEqual(hanging, pid)
        self.systemd.run("kill", "-STOP", hanging, check=True)
        until(lambda: self.systemd.show(UNIT, "MainPID") not in ("0", hanging), "a new daemon")
        until(lambda: self.live() == 200, "a daemon that serves")

    def test_restarts(self) -> None:
        """With the socket, each request gets its response while the service restarts."""
        self.install("--socket")
        with asking(self.live) as answers:
            for _ in range(3):
                self.systemd.run("systemctl", "restart", UNIT, check=True)
                before = len(answers)
                until(lambda before=before: len(answers) > before + 10, "responses of the new daemon")
        self.assertEqual(set(answers), {200})
