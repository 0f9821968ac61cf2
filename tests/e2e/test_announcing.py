"""
The daemon under a service manager that speaks systemd's protocols: it is told what happens, and passes the socket.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile

from ..support.servicemanager import ServiceManager
from .case import StagedTestCase
from .clients import asking
from .daemon import foreground
from .message import request
from .process import Process, until
from .raw import connect

#: Becomes the command that follows, with the first argument's descriptor as the first one that systemd passes.
_ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "sttproxy.socket"}
os.execv(sys.argv[2], sys.argv[2:])
"""
_LIVE = request("GET", "/health?live")


class SupervisedTestCase(StagedTestCase):
    """Base class: a service manager, a socket that it holds, and daemons that it starts with it."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix="stt-supervised-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.manager = ServiceManager(abstract=sys.platform == "linux")
        self.addCleanup(self.manager.close)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.socket.close)
        self.port = self.socket.getsockname()[1]
        self.states: list[dict[str, str]] = []
        self.count = 0

    def start(self, listen: str = "systemd:domain=INET:index=0", **env: str) -> Process:
        """Start a daemon with the service manager's socket."""
        command = [*foreground("--listen", listen, "--target", "http://127.0.0.1:9"), "--config", self.config()]
        passed = self.socket.fileno()
        self.count += 1
        process = Process(
            [sys.executable, "-c", _ACTIVATE, str(passed), *command],
            self.folder,
            f"daemon{self.count}",
            env={"NOTIFY_SOCKET": self.manager.address, **env},
            descriptors=[passed],
        )
        self.addCleanup(process.end)
        return process

    def config(self) -> str:
        """The path of a configuration."""
        path = os.path.join(self.folder, "stt_config.json")
        with open(path, "w") as file:
            file.write("{}")
        return path

    def told(self, name: str) -> dict[str, str]:
        """Wait for the message with a variable; return it, and forget it and the ones before it."""

        def look() -> dict[str, str] | None:
            self.states += self.manager.states()
            for number, state in enumerate(self.states):
                if name in state:
                    del self.states[: number + 1]
                    return state
            return None

        return until(look, f"{name} for the service manager")

    def live(self) -> int:
        """The status of ``/health?live``."""
        client = connect(self.port)
        self.addCleanup(client.close)
        client.send(_LIVE)
        return client.read_message().status


class AnnouncingTests(SupervisedTestCase):
    """From the start to the stop."""

    def test_told(self) -> None:
        """READY, signs of life, RELOADING and READY again around a reload, STOPPING: in this order."""
        daemon = self.start(WATCHDOG_USEC="400000")
        self.assertIn("STATUS", self.told("READY"))
        self.assertEqual(self.live(), 200)
        self.told("WATCHDOG")
        daemon.signal(signal.SIGHUP)
        self.assertGreater(int(self.told("RELOADING")["MONOTONIC_USEC"]), 0)
        self.told("READY")
        daemon.wait_for("Nothing has changed")
        daemon.signal(signal.SIGTERM)
        self.told("STOPPING")
        self.assertEqual(daemon.wait(), 0)

    def test_silent(self) -> None:
        """A daemon that hangs gives no sign of life."""
        daemon = self.start(WATCHDOG_USEC="400000")
        self.told("WATCHDOG")
        os.kill(daemon.pid, signal.SIGSTOP)
        until(lambda: _stopped(daemon.pid), "a stopped process")
        self.manager.texts()
        self.assertEqual(self.manager.texts(), [])
        os.kill(daemon.pid, signal.SIGCONT)
        self.told("WATCHDOG")

    def test_restarts(self) -> None:
        """While the daemon restarts, the socket stays: each request of many clients gets its response."""
        daemon = self.start()
        self.told("READY")
        with asking(self.live) as answers:
            for _ in range(5):
                daemon.signal(signal.SIGTERM)
                self.assertEqual(daemon.wait(), 0)
                before = len(answers)
                daemon = self.start()
                self.told("READY")
                until(lambda before=before: len(answers) > before + 10, "responses of the new daemon")
        self.assertEqual(set(answers), {200})

    def test_family(self) -> None:
        """A socket of another family than the endpoint's is an error, since addresses of clients would be wrong."""
        daemon = self.start("systemd:domain=INET6:index=0")
        self.assertEqual(daemon.wait(), 1)
        with open(daemon.err) as errors:
            self.assertEqual(
                errors.read(),
                "sttproxy: cannot listen on systemd:domain=INET6:index=0: the socket that was passed has domain=INET\n",
            )

    def test_other_socket(self) -> None:
        """A socket that the service manager did not pass is an error."""
        daemon = self.start("systemd:domain=INET:name=other")
        self.assertEqual(daemon.wait(), 1)
        with open(daemon.err) as errors:
            self.assertIn("systemd passed no socket with this number or name", errors.read())


def _stopped(pid: int) -> bool:
    """Whether a process has been stopped by a signal."""
    found = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
    return found is not None
