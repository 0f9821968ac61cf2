"""
Tests for :mod:`sttproxy.service.command`: with a home of their own, and commands of the system that only write down how
they were called.
"""

from __future__ import annotations

import os
import plistlib
import sys
from io import StringIO
from pathlib import Path
from typing import ClassVar
from unittest import mock

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.service import command
from sttproxy.service.options import ServiceOptions
from sttproxy.service.record import text_of

#: The commands that the tests replace; a file beside them makes them fail.
_FAKE = """#!/bin/sh
echo "${0##*/} $*" >> "$FAKE/calls"
[ ! -e "$FAKE/fails" ] || { echo "it failed"; exit 1; }
"""


class ServiceTestCase(SynchronousTestCase):
    """A home, and commands of the system."""

    platform: ClassVar[str]
    fakes: ClassVar[tuple[str, ...]] = ("systemctl", "launchctl")

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.fake = self.home.with_name("fake")
        for folder in (self.home, self.fake):
            folder.mkdir(parents=True)
        for name in (*self.fakes, "sttproxy", "twistd"):
            (self.fake / name).write_text(_FAKE)
            (self.fake / name).chmod(0o755)
        environment = {"HOME": str(self.home), "PATH": f"{self.fake}:/bin:/usr/bin", "FAKE": str(self.fake)}
        replacing = mock.patch.dict(os.environ, environment, clear=True)
        replacing.start()
        self.addCleanup(replacing.stop)
        self.patch(sys, "platform", self.platform)
        self.patch(command, "script", lambda name: f"{self.fake}/{name}")

    def run_service(self, *arguments: str, status: int = 0) -> str:
        """Run the command; return what it prints."""
        options = ServiceOptions()
        options.parseOptions(arguments)
        out = StringIO()
        self.assertEqual(command.service(options, out), status, out.getvalue())
        return out.getvalue()

    def calls(self) -> list[str]:
        """How the system's commands were called since the last time."""
        path = self.fake / "calls"
        found = (text_of(str(path)) or "").splitlines()
        path.unlink(missing_ok=True)
        return found

    def tree(self) -> dict[str, str]:
        """All files of the home with their texts, and folders."""
        return {
            str(path.relative_to(self.home)): path.read_text() if path.is_file() else ""
            for path in self.home.rglob("*")
        }


class SystemdTests(ServiceTestCase):
    """A user's service of systemd."""

    platform = "linux"
    unit = ".config/systemd/user/sttproxy.service"
    config = ".config/sttproxy/stt_config.json"

    def test_install(self) -> None:
        """The unit runs this installation with the options, paths made absolute; then it is enabled and started."""
        self.run_service("install", "--user", "--", "--port", "9", "--embedded", "--tls-cert", "cert.pem")
        (line,) = [line for line in self.tree()[self.unit].splitlines() if line.startswith("ExecStart=")]
        self.assertEqual(
            line,
            f"ExecStart={self.fake}/sttproxy --config={self.home}/{self.config} --port=9 "
            f"--tls-cert={os.path.abspath('cert.pem')} --embedded",
        )
        self.assertIn("$profiles", self.tree()[self.config])
        self.assertEqual(
            self.calls(),
            [
                "systemctl --user daemon-reload",
                "systemctl --user stop sttproxy.service",
                "systemctl --user enable --now sttproxy.service",
            ],
        )

    def test_again(self) -> None:
        """A second run with the same options writes nothing, and starts nothing anew; other options do."""
        self.run_service("install", "--user")
        before = {path: os.stat(self.home / path).st_mtime_ns for path in self.tree()}
        self.calls()
        printed = self.run_service("install", "--user")
        self.assertEqual({path: os.stat(self.home / path).st_mtime_ns for path in self.tree()}, before)
        self.assertEqual(self.calls(), ["systemctl --user enable --now sttproxy.service"])
        self.assertNotIn("write", printed)
        self.run_service("install", "--user", "--", "--port", "9")
        self.assertIn("--port=9", self.tree()[self.unit])
        self.assertIn("systemctl --user stop sttproxy.service", self.calls())

    def test_uninstall(self) -> None:
        """Exactly what was written goes: files and folders of others stay, and so does a changed configuration."""
        (self.home / ".config/systemd").mkdir(parents=True)
        (self.home / ".config/other").write_text("x")
        before = self.tree()
        for socket in ([], ["--socket"]):
            self.run_service("install", "--user", *socket)
            self.run_service("uninstall", "--user")
            self.assertEqual(self.tree(), before)
        calls = self.calls()
        self.assertIn("systemctl --user disable --now sttproxy.service", calls)
        self.assertIn("systemctl --user disable --now sttproxy.socket", calls)
        self.assertEqual(calls[-1], "systemctl --user daemon-reload")
        self.run_service("install", "--user")
        (self.home / self.config).write_text('{"language": "de"}')
        self.assertIn("was changed, and stays", self.run_service("uninstall", "--user"))
        self.assertEqual(self.tree(), before | {".config/sttproxy": "", self.config: '{"language": "de"}'})
        self.calls()
        self.assertIn("no service", self.run_service("uninstall", "--user"))
        self.assertEqual(self.calls(), [])

    def test_configuration(self) -> None:
        """A configuration that exists is neither changed nor removed, wherever it is."""
        for path in (self.config, "elsewhere/mine.json"):
            (self.home / path).parent.mkdir(parents=True)
            (self.home / path).write_text("{}")
            more = ["--", "--config", str(self.home / path)] if path != self.config else []
            self.run_service("install", "--user", *more)
            self.assertIn(f"--config={self.home / path}", self.tree()[self.unit])
            self.run_service("uninstall", "--user")
            self.assertEqual(self.tree()[path], "{}")

    def test_foreign(self) -> None:
        """A unit that the command has not written, or that was changed, is an error, and stays."""
        path = self.home / self.unit
        path.parent.mkdir(parents=True)
        path.write_text("[Unit]\n")
        self.assertIn("exists already", self.run_service("install", "--user", status=2))
        self.assertEqual((path.read_text(), self.calls()), ("[Unit]\n", []))
        path.unlink()
        self.run_service("install", "--user")
        path.write_text(path.read_text() + "# mine\n")
        self.assertIn("exists already", self.run_service("install", "--user", "--", "--port", "9", status=2))
        self.assertIn("was changed, and stays", self.run_service("uninstall", "--user"))
        self.assertTrue(path.exists())

    def test_dry_run(self) -> None:
        """A dry run shows each file and each command, and does nothing."""
        printed = self.run_service("install", "--user", "--socket", "--dry-run")
        for text in ("Type=notify", "ListenStream=10241", "STTPROXY_LISTEN=systemd:", "$profiles", "enable --now"):
            self.assertIn(text, printed)
        self.assertEqual((self.tree(), self.calls()), ({}, []))
        self.run_service("install", "--user")
        before = self.tree()
        self.calls()
        self.assertIn(f"would remove {self.home}/{self.unit}", self.run_service("uninstall", "--user", "-n"))
        self.assertEqual((self.tree(), self.calls()), (before, []))

    def test_socket(self) -> None:
        """systemd gets the address of the daemon; without the option again, the socket goes."""
        for options, stream, family in (
            ([], "10241", "INET6"),
            (["--port", "80"], "80", "INET6"),
            (["--host", "127.0.0.1"], "127.0.0.1:10241", "INET"),
            (["--host", "::1"], "[::1]:10241", "INET6"),
        ):
            self.run_service("install", "--user", "--socket", "--", *options)
            tree = self.tree()
            self.assertIn(f"ListenStream={stream}\n", tree[".config/systemd/user/sttproxy.socket"])
            self.assertIn(f"domain={family}:index=0", tree[f"{self.unit}.d/socket.conf"])
        self.calls()
        self.run_service("install", "--user")
        self.assertEqual([path for path in self.tree() if "socket" in path], [])
        self.assertIn("systemctl --user disable --now sttproxy.socket", self.calls())
        for wrong in (["--listen", "tcp:1"], ["--tls-cert", "x.pem"]):
            self.assertIn("--socket", self.run_service("install", "--user", "--socket", "--", *wrong, status=2))

    def test_failure(self) -> None:
        """A command that fails is an error with what it printed; what was written can be taken away."""
        (self.fake / "fails").touch()
        self.assertIn("failed: it failed", self.run_service("install", "--user", status=2))
        self.run_service("uninstall", "--user", "--dry-run")
        (self.fake / "fails").unlink()
        self.run_service("uninstall", "--user")
        self.assertEqual([path for path in self.tree() if "sttproxy" in path], [])

    def test_root(self) -> None:
        """A service of the system needs root, and a program that others can read; a dry run needs neither."""
        self.patch(os, "geteuid", lambda: 1000)
        self.assertIn("sudo", self.run_service("install", status=2))
        self.assertIn("DynamicUser=yes", self.run_service("install", "--dry-run"))
        self.patch(os, "geteuid", lambda: 0)
        self.patch(command, "unreadable", lambda *_: "/root/x: Permission denied")
        self.assertIn("cannot read /root/x: Permission denied", self.run_service("install", status=2))
        self.assertEqual(self.calls(), [])

    def test_usage(self) -> None:
        """Wrong options of the daemon are errors of the command line."""
        for arguments in (["--", "--prot", "9"], ["--", "word"], ["--what"]):
            self.assertRaises(usage.UsageError, ServiceOptions().parseOptions, ["install", *arguments])
        self.assertRaises(usage.UsageError, ServiceOptions().parseOptions, [])
        self.assertIn("is not a port", self.run_service("install", "--user", "--", "--port", "x", status=2))

    def test_record(self) -> None:
        """A damaged record is an error, and stays."""
        self.run_service("install", "--user")
        path = self.home / ".config/sttproxy/service.json"
        for text in ("", "[]", "{}"):
            path.write_text(text)
            for name in ("install", "uninstall"):
                self.assertIn("is not a list of what was written", self.run_service(name, "--user", status=2))
        self.assertEqual(path.read_text(), "{}")

    def test_status(self) -> None:
        """The status is that of the system's command."""
        self.run_service("status", "--user")
        self.assertEqual(self.calls(), ["systemctl --user --no-pager status sttproxy.service"])
        (self.fake / "fails").touch()
        self.run_service("status", status=1)


class LaunchdTests(ServiceTestCase):
    """An agent of launchd."""

    platform = "darwin"
    unit = "Library/LaunchAgents/com.sttproxy.plist"

    def plist(self) -> dict[str, object]:
        """The property list."""
        with open(self.home / self.unit, "rb") as file:
            found: dict[str, object] = plistlib.load(file)
        return found

    def test_install(self) -> None:
        """The property list runs this installation with the options; then it is loaded."""
        self.run_service("install", "--user", "--", "--profile", "a & <b>")
        logs = f"{self.home}/Library/Logs/sttproxy"
        self.assertEqual(
            self.plist()["ProgramArguments"],
            [
                f"{self.fake}/twistd",
                "--nodaemon",
                "--pidfile=",
                f"--logfile={logs}/sttproxy.log",
                "sttproxy",
                f"--config={self.home}/.config/sttproxy/stt_config.json",
                "--profile=a & <b>",
            ],
        )
        self.assertTrue(os.path.isdir(logs))
        domain = f"gui/{os.getuid()}"
        self.assertEqual(
            self.calls(),
            [
                f"launchctl bootout {domain}/com.sttproxy",
                f"launchctl enable {domain}/com.sttproxy",
                f"launchctl bootstrap {domain} {self.home}/{self.unit}",
            ],
        )

    def test_again(self) -> None:
        """A service that is loaded is not loaded again."""
        self.run_service("install", "--user")
        before = self.tree()
        self.calls()
        self.run_service("install", "--user")
        self.assertEqual(self.calls(), [f"launchctl print gui/{os.getuid()}/com.sttproxy"])
        self.assertEqual(self.tree(), before)

    def test_uninstall(self) -> None:
        """All that was written goes; log files stay."""
        self.run_service("install", "--user")
        self.run_service("uninstall", "--user")
        self.assertEqual(self.tree(), {})
        self.run_service("install", "--user")
        (self.home / "Library/Logs/sttproxy/sttproxy.log").write_text("x")
        self.run_service("uninstall", "--user")
        self.assertEqual([path for path in self.tree() if "sttproxy." in path], ["Library/Logs/sttproxy/sttproxy.log"])

    def test_socket(self) -> None:
        """launchd has no socket for it."""
        self.assertIn("systemd only", self.run_service("install", "--user", "--socket", status=2))


class NeitherTests(ServiceTestCase):
    """A system without both."""

    platform = "linux"
    fakes = ()

    def test_neither(self) -> None:
        """It is an error."""
        os.environ["PATH"] = str(self.fake)
        self.assertIn("neither systemd nor launchd", self.run_service("install", "--user", status=2))


class ScriptTests(SynchronousTestCase):
    """The scripts of this installation."""

    def test_found(self) -> None:
        """A script is found beside the interpreter; one that is not installed is an error."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.patch(sys, "executable", str(folder / "python"))
        self.assertRaises(command.Problem, command.script, "sttproxy-x")
        (folder / "sttproxy-x").touch()
        self.assertEqual(command.script("sttproxy-x"), str(folder / "sttproxy-x"))
