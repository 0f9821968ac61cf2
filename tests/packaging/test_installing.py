"""
The wheel as users install it, by pip, pipx and uv, from an index of the test's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from sttproxy import __version__

from ..e2e.case import StagedTestCase
from ..e2e.process import Process, until
from ..e2e.system import unused_port
from ..support.tools import tool
from .test_distributions import LIMIT_S, ROOT, call, tracked


class InstallTests(StagedTestCase):
    """A fresh installation."""

    index: ClassVar[Path]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stt-index-")))
        project, cls.index = folder / "project", folder / "simple"
        for name in tracked():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name)
        package = cls.index / "sttproxy"
        package.mkdir(parents=True)
        call(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(package), cwd=project)
        (wheel,) = package.glob("*.whl")
        (package / "index.html").write_text(f'<!DOCTYPE html><a href="{wheel.name}">{wheel.name}</a>')

    def setUp(self) -> None:
        super().setUp()
        self.home = Path(tempfile.mkdtemp(prefix="stt-install-"))
        self.addCleanup(shutil.rmtree, self.home)

    def install(self, *command: str, **env: str) -> None:
        """Run an installer; the test is skipped where no index is in reach."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            command,
            cwd=self.home,
            env={**environment, "HOME": str(self.home), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        if done.returncode and any(
            text in done.stdout for text in ("Could not find a version", "error sending request")
        ):
            self.skipTest(f"no index of packages is in reach: {done.stdout[-200:]}")
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])

    def check(self, sttproxy: Path) -> None:
        """The command works: its version, a daemon that is healthy, and a service of this installation."""
        self.assertEqual(call(str(sttproxy), "--version", cwd=self.home).strip(), f"sttproxy {__version__}")
        port = str(unused_port())
        daemon = Process(
            [str(sttproxy), "--host", "127.0.0.1", "--port", port], str(self.home), "daemon", env={"PYTHONPATH": ""}
        )
        self.addCleanup(daemon.end)
        daemon.wait_for("starting on")
        health = [str(sttproxy), "health", "--live", port]
        until(lambda: subprocess.run(health, cwd=self.home, capture_output=True, check=False).returncode == 0, "health")
        if shutil.which("systemctl"):
            shown = call(str(sttproxy), "service", "install", "--user", "--dry-run", cwd=self.home)
            (line,) = [line for line in shown.splitlines() if "ExecStart=" in line]
            script = line.partition("=")[2].split()[0]
            self.assertEqual(os.path.realpath(script), os.path.realpath(sttproxy))

    def test_pip(self) -> None:
        """pip, in a virtual environment."""
        call(sys.executable, "-m", "venv", "venv", cwd=self.home)
        self.install("venv/bin/pip", "install", "--quiet", "--extra-index-url", self.index.as_uri(), "sttproxy")
        self.check(self.home / "venv/bin/sttproxy")

    def test_pipx(self) -> None:
        """pipx, which makes the environment."""
        pipx = tool("pipx")
        if pipx is None:
            self.skipTest("pipx is not installed")
        folders = {"PIPX_HOME": str(self.home / "pipx"), "PIPX_BIN_DIR": str(self.home / "bin")}
        self.install(pipx, "install", f"--pip-args=--extra-index-url {self.index.as_uri()}", "sttproxy", **folders)
        self.check(self.home / "bin/sttproxy")

    def test_uv(self) -> None:
        """uv, which does, too."""
        uv = tool("uv")
        if uv is None:
            self.skipTest("uv is not installed")
        folders = {"UV_TOOL_DIR": str(self.home / "uv"), "UV_TOOL_BIN_DIR": str(self.home / "bin")}
        found = ("--find-links", str(self.index / "sttproxy"), "--python", sys.executable)
        self.install(uv, "tool", "install", *found, "sttproxy", **folders)
        self.check(self.home / "bin/sttproxy")
