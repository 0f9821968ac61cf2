"""
The container: its files checked, and where the machine can do it, built and run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.options import BY_NAME
from sttproxy.tap import Options

from ..e2e.case import StagedTestCase
from ..e2e.process import LIMIT_S, until
from ..e2e.system import control_groups, remove_control_groups, unused_port
from ..support.documents import ROOT
from ..support.tools import tool

try:
    import yaml
except ImportError:
    yaml = None  # type: ignore[assignment]

FOLDER = ROOT / "etc/container"
CONTAINERFILE = FOLDER / "Containerfile"
#: Seconds that a build may take.
BUILD_LIMIT_S = 400
#: The image of the test, and what it is built on.
IMAGE, BASE = "localhost/sttproxy-test", "localhost/sttproxy-test-base"


class FileTests(SynchronousTestCase):
    """The files for themselves."""

    def test_lint(self) -> None:
        """hadolint finds nothing."""
        hadolint = tool("hadolint")
        if hadolint is None:
            self.skipTest("hadolint is not installed")
        done = subprocess.run(
            [hadolint, str(CONTAINERFILE)], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_copied(self) -> None:
        """All that is copied into the builder exists, and the package needs no more to be built."""
        text = CONTAINERFILE.read_text()
        copied = [name for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE) for name in line.split()]
        for name in copied:
            self.assertTrue((ROOT / name).exists(), name)
        self.assertTrue({"sttproxy", "twisted", "setup.cfg", "pyproject.toml", "README.md"} <= set(copied))

    def test_no_shell(self) -> None:
        """What runs in the container is started without a shell, and not as root."""
        text = CONTAINERFILE.read_text().rpartition("\nFROM ")[2]
        for line in re.findall(r"^(?:ENTRYPOINT|CMD|HEALTHCHECK .* CMD) (.*)$", text, re.MULTILINE):
            self.assertTrue(line.startswith('["'), line)
        self.assertNotIn("\nRUN ", text)
        self.assertRegex(text, r"\nUSER [1-9]\d+:[1-9]\d+\n")
        self.assertIn(f"\nEXPOSE {BY_NAME['port'].default}\n", text)

    def test_compose(self) -> None:
        """The Compose file gives options that exist, and paths that are right."""
        if yaml is None:
            self.skipTest("PyYAML is not installed")
        text = (FOLDER / "compose.yaml").read_text()
        self.assertTrue(text.startswith("# "))
        service: dict[str, Any] = yaml.safe_load(text)["services"]["sttproxy"]
        options = Options()
        options.parseOptions(service["command"])
        self.assertTrue(options.settings.embedded)
        self.assertEqual(service["ports"], [f"{options.settings.port}:{options.settings.port}"])
        context = (FOLDER / service["build"]["context"]).resolve()
        self.assertEqual(context / service["build"]["dockerfile"], CONTAINERFILE)
        self.assertGreater(int(service["stop_grace_period"].rstrip("s")), options.settings.grace or 0)
        self.assertEqual((service["read_only"], service["cap_drop"]), (True, ["ALL"]))


class RunTests(StagedTestCase):
    """The image, built on a Debian of mmdebstrap's, since no registry of images may be in reach."""

    if os.geteuid() or not all(map(shutil.which, ("podman", "mmdebstrap"))):
        skip = "needs root, podman and mmdebstrap"

    podman: ClassVar[list[str]]
    missing: ClassVar[str] = ""

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        folder = tempfile.mkdtemp(prefix="stt-image-")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(remove_control_groups, control_groups())
        cls.podman = ["podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--cgroup-manager=cgroupfs"]
        if shutil.which("runc"):
            cls.podman += ["--runtime", "runc"]
        archive = f"{folder}/debian.tar"
        packages = "--include=python3,python3-venv,ca-certificates"
        if call("mmdebstrap", "--variant=minbase", packages, _release(), archive).returncode:
            cls.missing = "Debian's packages are not in reach"
            return
        stack.callback(cls.call, "rmi", "--all", "--force")
        cls.call("import", archive, BASE, check=True)
        cls.call(
            *("build", "--isolation=chroot", "--network=host", "--format=docker", *_sources()),
            *(f"--build-arg=BUILDER={BASE}", f"--build-arg=BASE={BASE}", "--tag", IMAGE),
            *("--file", str(CONTAINERFILE), str(ROOT)),
            check=True,
        )

    def setUp(self) -> None:
        super().setUp()
        if self.missing:
            self.skipTest(self.missing)

    @classmethod
    def call(cls, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """
        Run podman.

        :param check: whether a failure fails the test.
        """
        done = call(*cls.podman, *arguments)
        assert not (check and done.returncode), f"{arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done

    def start(self, *arguments: str) -> str:
        """Start a container that may do little; return its identifier."""
        limits = [f"--ulimit={name}=1000:1000" for name in ("nofile", "nproc")]
        done = self.call(
            "run", "--detach", "--network=host", "--read-only", "--cap-drop=all", *limits, IMAGE, *arguments
        )
        if done.returncode:
            self.skipTest(f"containers do not run here: {done.stderr.strip().splitlines()[-1]}")
        name = done.stdout.strip()
        self.addCleanup(self.call, "rm", "--force", "--time=0", name)
        return name

    def test_life(self) -> None:
        """It is process 1, not root, reloads, is checked without a server and with one, and stops in order."""
        port = str(unused_port())
        name = self.start("--host=127.0.0.1", f"--port={port}", "--target=http://127.0.0.1:9")
        check = ("exec", name, "sttproxy", "health")
        until(lambda: self.call(*check, "--live", port).returncode == 0, "a daemon that responds")
        self.assertEqual(self.call(*check, port).returncode, 1)
        self.assertEqual(self.call(*check, str(unused_port())).returncode, 1)
        status = self.call("exec", name, "cat", "/proc/1/status", check=True).stdout
        self.assertIn("sttproxy", status.splitlines()[0])
        self.assertRegex(status, r"\nUid:\t65532\t65532\t")
        self.assertRegex(status, r"\nCapEff:\t0+\n")
        self.call("kill", "--signal=HUP", name, check=True)
        until(lambda: "as requested" in self.call("logs", name).stdout, "a reload")
        self.assertNotIn("plugin cache", self.call("logs", name).stdout)
        self.call("stop", "--time=20", name, check=True)
        ended = self.call("inspect", "--format={{.State.ExitCode}}", name, check=True)
        self.assertEqual(ended.stdout.strip(), "0")

    def test_health_check(self) -> None:
        """The image has the health check, which is the command of sttproxy."""
        found = self.call("inspect", "--type=image", "--format={{json .Config.Healthcheck.Test}}", IMAGE, check=True)
        self.assertEqual(found.stdout.strip(), '["CMD","sttproxy","health"]')


def call(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return subprocess.run(argv, capture_output=True, text=True, timeout=BUILD_LIMIT_S, check=False)


def _release() -> str:
    """The name of this machine's Debian."""
    found = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    return found.group(1) if found else "stable"


def _sources() -> list[str]:
    """Options that let pip find in the build what it finds here: its configuration, and the folders that it names."""
    config = Path("/etc/pip.conf")
    named = re.findall(r"(?:file://)?(/[^\s/]\S*)", config.read_text()) if config.exists() else []
    paths = {str(config), "/etc/ssl/certs", *named}
    return [f"--volume={path}:{path}:ro" for path in sorted(paths) if os.path.exists(path)]
