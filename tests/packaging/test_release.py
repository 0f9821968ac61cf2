"""
``scripts/release`` in a copy of the project.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import __version__

from .test_distributions import LIMIT_S, ROOT, tracked


class ReleaseTests(SynchronousTestCase):
    """A release."""

    if importlib.util.find_spec("twine") is None:
        skip = "twine is not installed; pip install 'sttproxy[lint]'"
    elif shutil.which("git") is None:
        skip = "git is not installed"

    def setUp(self) -> None:
        folder = tempfile.mkdtemp(prefix="stt-release-")
        self.addCleanup(shutil.rmtree, folder)
        self.project = Path(folder)
        for name in tracked():
            target = self.project / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        # Distributions have no .gitignore.
        (self.project / ".gitignore").write_text(
            "__pycache__/\n/build/\n/dist/\n*.egg-info/\n_trial_temp*/\n.hypothesis/\ndropin.cache\n"
        )
        # The build is tested here; what it holds has tests of its own, which would build once more.
        (self.project / "tests/packaging/test_distributions.py").write_text("")
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> None:
        """Run git."""
        who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        subprocess.run(["git", *who, *arguments], cwd=self.project, check=True, capture_output=True, timeout=LIMIT_S)

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "x")

    def release(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [sys.executable, "scripts/release", *arguments]
        return subprocess.run(command, cwd=self.project, env=env, capture_output=True, text=True, timeout=LIMIT_S)

    def unreleased(self, version: str) -> None:
        """Let NEWS.md begin with this version."""
        news = self.project / "NEWS.md"
        news.write_text(news.read_text("utf-8").replace(f"## {__version__} (", f"## {version} (", 1), "utf-8")
        self.commit()

    def test_made(self) -> None:
        """Version and date are set, both files are there, and are the same when they are made again."""
        self.unreleased("9.8.7")
        made = []
        for _ in range(2):
            done = self.release("9.8.7", "--date", "2026-01-02")
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            made.append({path.name: path.read_bytes() for path in (self.project / "dist").iterdir()})
            self.assertIn("\n## 9.8.7 (2026-01-02)\n", (self.project / "NEWS.md").read_text("utf-8"))
            self.git("checkout", "--quiet", ".")
        self.assertEqual(set(made[0]), {"sttproxy-9.8.7-py3-none-any.whl", "sttproxy-9.8.7.tar.gz"})
        self.assertEqual(made[0], made[1])
        self.assertIn("git tag v9.8.7", done.stdout)
        with zipfile.ZipFile(self.project / "dist/sttproxy-9.8.7-py3-none-any.whl") as wheel:
            self.assertIn(b'__version__ = "9.8.7"', wheel.read("sttproxy/__init__.py"))
            self.assertEqual({each.date_time[:3] for each in wheel.infolist()}, {(2026, 1, 2)})

    def test_refused(self) -> None:
        """A wrong version, a section that is missing, and changes that are not committed each give one line."""
        for arguments, message in (
            (("1.2",), "'1.2' is not a version like 1.2.3 or 1.2.3rc1"),
            (("9.8.7",), r"NEWS.md has 0 lines like ^## 9\.8\.7 \(unreleased\)$, and must have one"),
        ):
            done = self.release(*arguments)
            self.assertEqual((done.returncode, done.stderr), (1, message + "\n"))
        (self.project / "new").write_text("")
        self.assertIn("something is not committed", self.release("9.8.7").stderr)
