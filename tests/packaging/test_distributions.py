"""
The wheel and the source distribution hold what they should, and the tests run from the latter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import ClassVar

from sttproxy import __version__

from ..e2e.case import StagedTestCase

ROOT = Path(__file__).parents[2]
#: Seconds that a build, or a run of tests, may take.
LIMIT_S = 240
#: What stands beside the modules in the wheel's package.
DATA = {"sttproxy/py.typed", "sttproxy/stt_config.schema.json", "sttproxy/transcripts/phrases.tsv"}
#: What is installed beside the package.
SHARED = {
    "share/bash-completion/completions/sttproxy.bash",
    "share/fish/vendor_completions.d/sttproxy.fish",
    "share/man/man1/sttproxy.1",
    "share/zsh/site-functions/_sttproxy",
}
#: The folder of the page's files, each of which is in the wheel.
PAGE = "sttproxy/page/files/"
#: The folder of the templates of services, each of which is in the wheel.
TEMPLATES = "sttproxy/service/templates/"
#: What of the checkout is not for others.
LEFT_OUT = {".gitignore"}
#: What setuptools adds to a source distribution.
MADE = {"PKG-INFO", "setup.cfg"}


def call(*argv: str, cwd: Path) -> str:
    """
    What a command prints.

    :raises AssertionError: when it fails, with what it printed.
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def tracked() -> set[str]:
    """The files of the project: those that git knows, or in an unpacked distribution those that are there."""
    if (ROOT / ".git").exists():
        return {name for name in call("git", "ls-files", "-z", cwd=ROOT).split("\0") if name and (ROOT / name).exists()}
    listed = (ROOT / "sttproxy.egg-info" / "SOURCES.txt").read_text().split("\n")
    return {name for name in listed if name and not name.startswith("sttproxy.egg-info/")} - MADE | {"setup.cfg"}


class DistributionTests(StagedTestCase):
    """Both are built once, from a copy of the project's files, without a network."""

    wheel: ClassVar[set[str]]
    source: ClassVar[Path]
    packed: ClassVar[set[tuple[str, ...]]]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stt-build-")))
        project = folder / "project"
        for name in tracked():
            target = project / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        call(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), cwd=project)
        (wheel,) = folder.glob("*.whl")
        (archive,) = folder.glob("*.tar.gz")
        with zipfile.ZipFile(wheel) as found:
            cls.wheel = set(found.namelist())
        with tarfile.open(archive) as packed:
            packed.extractall(folder / "source")
            cls.packed = {PurePosixPath(each.name).parts for each in packed if each.isfile()}
        (cls.source,) = (folder / "source").iterdir()

    def test_wheel(self) -> None:
        """The wheel holds the package, its data and the plugin, and nothing else but its own description."""
        modules = {name for name in tracked() if name.startswith("sttproxy/") and name.endswith(".py")}
        page = {name for name in tracked() if name.startswith((PAGE, TEMPLATES))}
        self.assertIn(f"{PAGE}uPlot.LICENSE", page)
        shared = {f"sttproxy-{__version__}.data/data/{name}" for name in SHARED}
        expected = modules | DATA | page | shared | {"twisted/plugins/sttproxy_plugin.py"}
        self.assertEqual({name for name in self.wheel if ".dist-info/" not in name}, expected)

    def test_source(self) -> None:
        """The source distribution holds every file of the project, and nothing that was made on the way."""
        found = {"/".join(parts[1:]) for parts in self.packed if parts[1] != "sttproxy.egg-info"}
        self.assertEqual(found - MADE | {"setup.cfg"}, tracked() - LEFT_OUT)

    def test_every_folder(self) -> None:
        """Each folder with tests is a package, so that trial finds it."""
        folders = {PurePosixPath(name).parent for name in tracked() if PurePosixPath(name).match("tests/**/test_*.py")}
        missing = [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()]
        self.assertEqual(missing, [])

    def test_runs(self) -> None:
        """Unit tests run from the unpacked source distribution, and see its package."""
        rooms = ["tests.config", "tests.test_routes", "tests.forms.test_json", "tests.http1"]
        out = call(
            *(sys.executable, "-m", "twisted.trial", "--temp-directory", str(self.source / "_trial_temp"), *rooms),
            cwd=self.source,
        )
        self.assertIn("PASSED", out)
