"""
Upgrades: the program is replaced while it serves.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter

from . import system
from .case import UNPOOLED, RawTestCase, StagedTestCase
from .daemon import answers, listeners, opens, twistd
from .message import request
from .process import LIMIT_S, Process, environment, keep, read, release, until
from .raw import Listener, connect
from .upstream import shared_echo

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#: How many upgrades there are under load.
UPGRADES = 10
COMPLETE = "The upgrade is complete."


def alone(pid: int) -> bool:
    """Whether a process has no child."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return not file.read()


#: Listens, and executes a command with the socket, as systemd does.
_ACTIVATE = """
import os, socket, sys
listening = socket.create_server(("127.0.0.1", 0))
listening.setblocking(False)
print("port", listening.getsockname()[1], flush=True)
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
passed = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "stt", "LISTEN_PID": str(os.getpid())}
os.execve(sys.argv[1], sys.argv[1:], {**os.environ, **passed})
"""


class Load:
    """
    Clients that send requests until they are stopped, one after the other: some over one connection as long as it
    lasts, the others with a connection for each request.

    :ivar outcomes: how many requests ended how: ``200``, or the error.
    """

    def __init__(self, port: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self._port = port
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number % 2 > 0,)) for number in range(6)]
        for thread in self._threads:
            thread.start()

    def _run(self, keeps: bool) -> None:
        connection = None
        while not self._stopped.is_set():
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=LIMIT_S)
                connection.request("POST", "/v1/chat/completions", b"x" * 3000, {"Content-Type": "text/plain"})
                response = connection.getresponse()
                response.read()
                self.outcomes[str(response.status)] += 1
                last = not keeps or response.getheader("Connection") == "close"
            except (OSError, http.client.HTTPException) as error:
                self.outcomes[repr(error)] += 1
                last = True
            if last and connection is not None:
                connection.close()
                connection = None

    def stop(self) -> Counter[str]:
        """Stop the clients; return the outcomes."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(LIMIT_S)
        return self.outcomes


class UpgradeTestCase(StagedTestCase):
    """A daemon with a pidfile and a log file, in a folder of the test's own."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix="stt-upgrade-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.pidfile = os.path.join(self.folder, "stt.pid")
        self.pid = 0
        self.addCleanup(self.end)

    def end(self) -> None:
        """Kill what a test has left."""
        for pid in {self.pid, int(read(self.pidfile) or 0)} - {0}:
            if system.alive(pid):
                os.kill(pid, signal.SIGKILL)
            release(pid)

    def start(self, *options: str, upstream: int = 0) -> str:
        """
        Start it in the background; return its first address.

        :param upstream: the port of the upstream; 0: that of the echo server.
        """
        own = ("--target", f"http://127.0.0.1:{upstream or shared_echo().port}", *options)
        listen = () if "--listen" in options else ("--host", "127.0.0.1", "--port", "0")
        command = [*twistd(), "--pidfile=stt.pid", "--logfile=stt.log", "sttproxy", *listen, *own]
        subprocess.run(command, cwd=self.folder, env=environment(), check=True, timeout=LIMIT_S)
        self.pid = int(until(lambda: read(self.pidfile), "a pidfile"))
        keep(self.pid)
        address = until(lambda: listeners(self.log()), "a listener")[0]
        until(lambda: answers(address), "a daemon that answers")
        return address

    def log(self) -> str:
        """Its log so far: all of its files."""
        names = sorted(name for name in os.listdir(self.folder) if name.startswith("stt.log"))
        return "".join([read(os.path.join(self.folder, name)) for name in names])

    def upgrade(self) -> subprocess.CompletedProcess[str]:
        """Run ``sttproxy upgrade``."""
        return subprocess.run(
            [sys.executable, "-m", "sttproxy", "upgrade", "--pidfile", self.pidfile],
            env=environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=3 * LIMIT_S,
            check=False,
        )

    def upgrade_completely(self, number: int) -> None:
        """
        Upgrade, and wait until the daemon is replaced.

        :param number: how many upgrades there are then.
        """
        done = self.upgrade()
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertIn(f"process {self.pid} is replaced", done.stdout)
        until(lambda: self.log().count(COMPLETE) == number and alone(self.pid), "the end of the upgrade")

    def stop(self) -> None:
        """Stop it; nothing but the log remains."""
        os.kill(self.pid, signal.SIGTERM)
        until(lambda: not system.alive(self.pid), "the end of the daemon")
        self.assertEqual({name for name in os.listdir(self.folder) if not name.startswith("stt.log")}, set())

    if not system.LINUX:
        skip = "only Linux shows the children of a process"


class UpgradeTests(UpgradeTestCase):
    """Upgrades of a daemon in the background."""

    def test_under_load(self) -> None:
        """Ten upgrades under load lose no request and refuse none; the PID stays, and so does the pidfile."""
        address = self.start()
        load = Load(int(address))
        try:
            for number in range(UPGRADES):
                self.upgrade_completely(number + 1)
                self.assertEqual(read(self.pidfile), str(self.pid))
        finally:
            outcomes = load.stop()
        self.assertEqual([*outcomes], ["200"])
        self.assertGreater(outcomes.total(), UPGRADES)
        self.assertNotIn("Traceback", self.log())
        self.stop()

    def test_unix_socket(self) -> None:
        """A Unix socket keeps its permissions, and is removed at the end."""
        path = os.path.join(self.folder, "stt.sock")
        self.start("--listen", f"unix:{path}:mode=600")
        for number in range(2):
            before = os.stat(path)
            self.upgrade_completely(number + 1)
            after = os.stat(path)
            self.assertEqual((after.st_ino, oct(after.st_mode)), (before.st_ino, oct(before.st_mode)))
            self.assertTrue(answers(path))
        self.stop()

    def test_socket_of_systemd(self) -> None:
        """A socket that a service manager has passed is passed on, also to workers."""
        for number, workers in enumerate(("1", "2")):
            pidfile = os.path.join(self.folder, f"{number}.pid")
            own = ("--listen", "systemd:domain=INET:index=0", "--workers", workers)
            target = ("--target", f"http://127.0.0.1:{shared_echo().port}")
            command = [*twistd(), "-n", f"--pidfile={pidfile}", "sttproxy", *own, *target]
            process = Process([sys.executable, "-c", _ACTIVATE, *command], self.folder, f"activated{number}")
            self.addCleanup(process.end)
            port = process.wait_for(r"^port (\d+)$").group(1)
            until(lambda port=port: answers(port), "a daemon that answers")
            for _ in range(2):
                before = read(process.out).count(COMPLETE)
                process.signal(signal.SIGUSR2)
                until(lambda process=process, before=before: read(process.out).count(COMPLETE) > before, "an upgrade")
                self.assertTrue(answers(port))
            process.signal(signal.SIGTERM)
            self.assertEqual(process.wait(), 0)
            self.assertEqual(read(process.err), "")

    def test_does_not_start(self) -> None:
        """If the new program does not start, the old one goes on, and the command and the log say why."""
        address = self.start()
        path = os.path.join(self.folder, "stt_config.json")
        with open(path, "w") as file:
            file.write("[]")
        done = self.upgrade()
        self.assertEqual((done.returncode, done.stderr), (2, ""))
        self.assertRegex(done.stdout, "^The upgrade failed, and the daemon goes on as before: .*stt_config.json:1:1: ")
        self.assertIn("The upgrade failed, and this process goes on as before: ", self.log())
        self.assertTrue(answers(address))
        os.unlink(path)
        self.upgrade_completely(1)
        self.stop()

    def test_first_killed(self) -> None:
        """If the first process is killed while it drains, the stand-in goes on in its place, and owns the pidfile."""
        with Listener() as upstreams:
            address = self.start(upstream=upstreams.port)
            client = connect(int(address))
            self.addCleanup(client.close)
            client.send(request("GET", "/"))
            upstreams.accept().read_head()
            done = self.upgrade()
            self.assertEqual(done.returncode, 0, done.stdout)
            os.kill(self.pid, signal.SIGKILL)
            until(lambda: read(self.pidfile) not in ("", str(self.pid)), "another process in the pidfile")
            release(self.pid)
            self.pid = int(read(self.pidfile))
            keep(self.pid)
            self.assertTrue(answers(address))
            self.assertIn("The first process has ended during the upgrade", self.log())
            self.upgrade_completely(1)
            self.stop()

    def test_no_daemon(self) -> None:
        """Without a daemon the command says so."""
        done = self.upgrade()
        self.assertEqual((done.returncode, done.stdout), (2, f"sttproxy upgrade: there is no pidfile {self.pidfile}\n"))


class EndsDuringUpgradeTests(RawTestCase):
    """What else happens while a request in flight delays an upgrade; each test has its own daemon."""

    def setUp(self) -> None:
        self.upstreams = Listener()
        self.addCleanup(self.upstreams.close)
        self.own = self.start_daemon("--target", f"http://127.0.0.1:{self.upstreams.port}", *UNPOOLED)
        self.client = connect(self.own.port)
        self.addCleanup(self.client.close)
        self.client.send(request("GET", "/"))
        self.upstream = self.upstreams.accept()
        self.upstream.read_head()
        self.own.signal(signal.SIGUSR2)
        self.own.wait_for_log("this one drains")

    def tearDown(self) -> None:
        """No stage to tidy up."""

    def new_request(self) -> None:
        """A new request is answered, by the stand-in."""
        client = connect(self.own.port)
        client.send(request("GET", "/"))
        upstream = self.upstreams.accept()
        upstream.read_head()
        upstream.send(OK)
        self.assertEqual(client.read_message().body, b"ok")
        client.close()

    def test_in_flight(self) -> None:
        """In the foreground, the request in flight is completed by the old program, and then the upgrade."""
        self.new_request()
        self.own.signal(signal.SIGUSR2)
        self.own.wait_for_log("An upgrade is in progress already")
        self.upstream.send(OK)
        self.assertEqual(self.client.read_message().body, b"ok")
        self.own.wait_for_log(COMPLETE)
        self.new_request()
        self.assertEqual(self.own.stop(), 0)
        until(lambda: not opens(str(self.own.port)), "the end of all processes")

    def test_stop(self) -> None:
        """SIGTERM ends both processes, after the request in flight."""
        self.own.signal(signal.SIGTERM)
        until(lambda: not opens(str(self.own.port)), "the end of the stand-in")
        self.upstream.send(OK)
        self.assertEqual(self.client.read_message().body, b"ok")
        self.assertEqual(self.own.wait(), 0)
        self.assertNotIn(COMPLETE, self.own.log())
