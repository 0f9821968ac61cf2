"""
The daemon's log: rotated, moved and owned files; full disks and blocked pipes.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile

from sttproxy.logs.destination import MAX_PENDING

from .case import StagedTestCase
from .daemon import answers, get_json, listeners, opens, twistd
from .message import request
from .process import LIMIT_S, Process, environment, read, until
from .raw import connect

#: A free port, and a short timeout for the server, which does not exist.
OPTIONS = ("--host", "127.0.0.1", "--port", "0", "--target", "http://127.0.0.1:1", "--connect-retry", "0")
NOT_ROOT = None if os.geteuid() == 0 else "only root can become another user"


class LogFileTestCase(StagedTestCase):
    """Tests of a daemon in the foreground that logs to a file, in a folder of the test's own."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="stt-log-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "stt.log")

    def start(self, *options: str, before: tuple[str, ...] = (), own: tuple[str, ...] = ()) -> None:
        """
        Start it.

        :param options: of twistd.
        :param before: the command that runs it.
        :param own: options of sttproxy.
        """
        command = [*before, *twistd(), "-n", "--logfile", self.path, *options, "sttproxy", *OPTIONS, *own]
        self.process = Process(command, self.folder, "daemon", env={"TMPDIR": self.folder})
        self.addCleanup(self.process.end)
        self.port = int(until(lambda: listeners(read(self.path)), "a listener")[0])
        until(lambda: answers(str(self.port)), "a daemon that answers")

    def ask(self, name: str) -> None:
        """Send a request with its own name, which fails, because the server does not exist."""
        get_json(self.port, f"/{name}")

    def ask_much(self) -> None:
        """Send requests with more log lines than are buffered while they cannot be written."""
        client = connect(self.port)
        count = 2 * MAX_PENDING // 200
        client.send(request("GET", "/profiles/none/" + "x" * 180) * count)
        for _ in range(count):
            self.assertEqual(client.read_message().status, 404)
        client.close()


class Files(LogFileTestCase):
    """Changes to the file."""

    def test_reopen(self) -> None:
        """After a rename and a signal, lines go to a new file with the old mode; no line is lost."""
        self.start()
        os.chmod(self.path, 0o640)
        for number, name in ((signal.SIGUSR1, "one"), (signal.SIGHUP, "two")):
            os.rename(self.path, f"{self.path}.{name}")
            self.ask(f"before-{name}")
            self.process.signal(number)
            until(lambda: os.path.exists(self.path), "a new file")
            self.ask(f"after-{name}")
            until(lambda name=name: f"/after-{name} " in read(self.path), "a line in it")
            self.assertIn(f"/before-{name} ", read(f"{self.path}.{name}"))
            self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o640)
        self.process.signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(), 0)
        self.assertIn("Server Shut Down", read(self.path))

    def test_owner(self) -> None:
        """With --uid the file belongs to that user, who can rotate it."""
        nobody = pwd.getpwnam("nobody")
        os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        os.chmod(self.folder, 0o755)
        self.start("--uid", "nobody", "--gid", str(nobody.pw_gid), own=("--log-keep", "2"))
        with open(self.path, "a") as file:
            file.write("full\n" * 200_000)
        self.process.signal(signal.SIGUSR1)  # it checks the length of the file
        until(lambda: self.ask("more") or os.path.exists(self.path + ".1"), "a rotated file")
        until(lambda: os.path.exists(self.path), "a new file")
        found = os.stat(self.path)
        self.assertEqual((found.st_uid, found.st_gid), (nobody.pw_uid, nobody.pw_gid))

    test_owner.skip = NOT_ROOT  # type: ignore[attr-defined]

    def test_unreadable_configuration(self) -> None:
        """With --uid a configuration that this user cannot read prevents the start, with a message of one line."""
        with open(os.path.join(self.folder, "stt_config.json"), "w") as file:
            file.write("{}")
        for options in (("-n",), ("--pidfile=stt.pid", "--logfile=stt.log")):
            command = [*twistd(), *options, "--uid", "nobody", "sttproxy", "--port", "0"]
            done = subprocess.run(
                command, cwd=self.folder, env=environment(), capture_output=True, text=True, timeout=LIMIT_S
            )
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
            self.assertIn("stt_config.json: Permission denied", done.stderr)

    test_unreadable_configuration.skip = NOT_ROOT  # type: ignore[attr-defined]

    def test_full(self) -> None:
        """
        A file that cannot grow does not stop the daemon; later it has complete lines, and the number of missing ones.
        """
        self.start(before=("sh", "-c", 'ulimit -f 16 && exec "$@"', "sh"))
        self.ask_much()
        self.assertLess(os.path.getsize(self.path), 17 * 1024)
        os.truncate(self.path, 0)
        until(lambda: read(self.path), "lines")
        os.truncate(self.path, 0)
        self.process.signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(), 0)

    def test_full_in_json(self) -> None:
        """In JSON, the line about missing lines is an object; no line is broken but those that the test cuts."""
        self.start(before=("sh", "-c", 'ulimit -f 16 && exec "$@"', "sh"), own=("--log-format", "json"))
        self.ask_much()
        texts: list[str] = []

        def told() -> bool:
            texts.append(read(self.path))
            os.truncate(self.path, 0)
            return "lines of the log were lost here" in texts[-1]

        until(told, "the line about missing lines")
        lines = "".join(texts).splitlines()
        told_in = next(json.loads(line) for line in lines if "were lost here" in line)
        self.assertEqual((told_in["level"], told_in["namespace"]), ("warn", "sttproxy.logs"))
        broken = 0
        for line in lines:
            try:
                json.loads(line)
            except ValueError:
                broken += 1
        self.assertLessEqual(broken, 2 * len(texts))


class Pipes(LogFileTestCase):
    """Standard output is a pipe."""

    def test_stopped_reader(self) -> None:
        """A reader that stops reading does not stop the daemon."""
        command = [*twistd(), "-n", "sttproxy", *OPTIONS]
        daemon = subprocess.Popen(
            command, cwd=self.folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        assert daemon.stdout is not None
        self.addCleanup(daemon.stdout.close)
        output = b""
        while not listeners(output.decode()):
            output += os.read(daemon.stdout.fileno(), 65536)
        self.port = int(listeners(output.decode())[0])
        until(lambda: opens(str(self.port)), "a daemon that answers")
        self.ask_much()
        self.assertTrue(answers(str(self.port)))
        daemon.terminate()
        rest = daemon.stdout.read().decode()
        self.assertEqual(daemon.wait(), 0)
        self.assertRegex(rest, r"\d+ lines of the log were lost here")
        self.assertIn("Server Shut Down", rest)
