"""
The daemon in the background, and how a daemon ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import system
from .case import RawTestCase, StagedTestCase, transcription
from .daemon import Daemon, answers, get_json, listeners, opens, twistd
from .forms import File, echoed, form
from .message import request
from .process import LIMIT_S, Process, environment, keep, read, release, until
from .raw import Listener, Peer, connect
from .upstream import shared_echo

#: Why a process like a container's cannot be started here; None if it can.
NO_NAMESPACES = (
    None
    if system.LINUX
    and not subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True, check=False).returncode
    else "no process namespaces can be made here"
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Background(StagedTestCase):
    """twistd without -n, in a folder of the test's own."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="stt-background-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.pid = 0
        self.addCleanup(self.end)

    def end(self) -> None:
        """Kill the processes that a test has left."""
        if self.pid and system.alive(self.pid):
            os.kill(self.pid, signal.SIGKILL)
        if self.pid:
            release(self.pid)

    def twistd(self, *options: str, pidfile: str = "stt.pid") -> subprocess.CompletedProcess[str]:
        """Start in the background; return the result of the foreground command."""
        command = [*twistd(), f"--pidfile={pidfile}", "--logfile=stt.log", "sttproxy", *options]
        listen = ("--host", "127.0.0.1", "--port", "0")
        return subprocess.run(
            [*command, *listen], cwd=self.folder, env=environment(), capture_output=True, text=True, timeout=LIMIT_S
        )

    def start(self, *options: str) -> int:
        """Start; return the port that it listens on."""
        done = self.twistd(*options)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        pidfile = os.path.join(self.folder, "stt.pid")
        self.pid = int(until(lambda: read(pidfile), "a pidfile"))
        keep(self.pid)
        (address,) = until(lambda: listeners(self.log()), "a listener")
        until(lambda: answers(address), "a daemon that answers")
        return int(address)

    def log(self) -> str:
        """Return its log."""
        return read(os.path.join(self.folder, "stt.log"))

    def wait_for_the_end(self) -> None:
        """Wait until the process has ended; it removes its pidfile and socket."""
        until(lambda: not system.alive(self.pid), "the end of the daemon")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "stt.pid")))

    def test_relative_paths(self) -> None:
        """A configuration named by a relative path is found, and is reloaded when it changes."""
        os.mkdir(os.path.join(self.folder, "etc"))
        path = os.path.join(self.folder, "etc", "relative.json")
        with open(path, "w") as file:
            file.write('{"language": "zh"}')
        port = self.start("--config", "etc/relative.json", "--target", f"http://127.0.0.1:{shared_echo().port}")
        config = get_json(port, "/stats")["config"]
        self.assertEqual((os.path.realpath(config["path"]), config["fields"]), (os.path.realpath(path), ["language"]))
        client = connect(port)
        self.addCleanup(client.close)
        audio = File(b"audio")
        client.send(transcription(form([("file", audio)])))
        self.assertEqual(client.read_message().json()["form"], echoed([("language", "zh"), ("file", audio)]))
        with open(path, "w") as file:
            file.write('{"prompt": "p"}')
        until(lambda: get_json(port, "/stats")["config"]["fields"] == ["prompt"], "the new configuration")
        os.kill(self.pid, signal.SIGHUP)
        until(lambda: "again" in self.log(), "what SIGHUP does")
        os.kill(self.pid, signal.SIGTERM)
        self.wait_for_the_end()

    def test_default_path(self) -> None:
        """The same holds for the default path, relative to the folder of the command."""
        with open(os.path.join(self.folder, "stt_config.json"), "w") as file:
            file.write('{"language": "zh"}')
        port = self.start()
        self.assertEqual(get_json(port, "/stats")["config"]["fields"], ["language"])
        os.kill(self.pid, signal.SIGTERM)
        self.wait_for_the_end()

    def test_request_in_flight(self) -> None:
        """After SIGTERM a request in flight is completed; then the process ends."""
        with Listener() as listener:
            port = self.start("--target", f"http://127.0.0.1:{listener.port}")
            client = connect(port)
            self.addCleanup(client.close)
            client.send(request("GET", "/"))
            upstream = listener.accept()
            upstream.read_message()
            os.kill(self.pid, signal.SIGTERM)
            until(lambda: not opens(str(port)), "a closed port")
            upstream.send(OK)
            self.assertEqual(client.read_message().body, b"ok")
            self.wait_for_the_end()

    def test_second_start(self) -> None:
        """A second start with the same pidfile fails, says that a daemon runs, and does not affect it."""
        port = self.start()
        done = self.twistd()
        self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (1, "", 1), done.stderr)
        self.assertIn(f"sttproxy is already running as process {self.pid}", done.stderr)
        self.assertTrue(answers(str(port)))
        os.kill(self.pid, signal.SIGTERM)
        self.wait_for_the_end()

    def test_refused_start(self) -> None:
        """An error that prevents the start is shown on the terminal, and no pidfile remains."""
        with open(os.path.join(self.folder, "stt_config.json"), "w") as file:
            file.write("[]")
        done = self.twistd()
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
        self.assertIn(":1:1: ", done.stderr)
        os.unlink(os.path.join(self.folder, "stt_config.json"))
        with Listener() as listener:
            done = self.twistd("--listen", f"tcp:{listener.port}:interface=127.0.0.1")
        self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (1, "", 1), done.stderr)
        self.assertIn(f"cannot listen on tcp:{listener.port}:interface=127.0.0.1: Address already in use", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "stt.pid")))

    def test_left_over(self) -> None:
        """A stale pidfile, of a killed process or empty, does not prevent the start."""
        for text in ("99999999", str(os.getpid()), ""):
            with open(os.path.join(self.folder, "stt.pid"), "w") as file:
                file.write(text)
            self.start()
            os.kill(self.pid, signal.SIGTERM)
            self.wait_for_the_end()
            os.unlink(os.path.join(self.folder, "stt.log"))

    def test_no_folder(self) -> None:
        """If the pidfile's folder is missing, the error names it."""
        done = self.twistd(pidfile="missing/stt.pid")
        self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (1, "", 1), done.stderr)
        self.assertIn("missing/stt.pid does not exist", done.stderr)


class Foreground(StagedTestCase):
    """twistd -n without an option for a pidfile."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="stt-foreground-")
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self) -> Process:
        """Start one of several daemons in the folder."""
        command = [*twistd(), "-n", "sttproxy", "--host", "127.0.0.1", "--port", "0"]
        number = len(os.listdir(self.folder))
        process = Process(command, self.folder, f"daemon{number}", env={"TMPDIR": self.folder})
        self.addCleanup(process.end)
        return process

    def test_no_pidfile(self) -> None:
        """It writes no pidfile, so that two can run in one folder, and it ignores a stale one."""
        pidfile = os.path.join(self.folder, "twistd.pid")
        with open(pidfile, "w") as file:
            file.write(str(os.getpid()))
        first, second = self.start(), self.start()
        for process in (first, second):
            (port,) = until(lambda process=process: listeners(read(process.out)), "a listener")
            until(lambda port=port: answers(port), "a daemon that answers")
            process.signal(signal.SIGTERM)
            self.assertEqual(process.wait(), 0)
        self.assertEqual(read(pidfile), str(os.getpid()))

    def test_first_process(self) -> None:
        """As the first process of a container, it starts again after it was killed."""
        command = ["unshare", "--pid", "--fork", "--kill-child", *twistd(), "-n", "--pidfile=stt.pid", "sttproxy"]
        for number in range(2):
            process = Process([*command, "--port", "0"], self.folder, f"container{number}")
            self.addCleanup(process.end)
            (port,) = until(lambda process=process: listeners(read(process.out)), "a listener")
            until(lambda port=port: answers(port), "a daemon that answers")
            self.assertEqual(read(os.path.join(self.folder, "stt.pid")), "1")
            process.end()

    test_first_process.skip = NO_NAMESPACES  # type: ignore[attr-defined]

    def test_early_signals(self) -> None:
        """Signals during the start do not kill it; a signal to stop makes it end with status 0."""
        for _ in range(3):
            process = self.start_caught()
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
                process.signal(number)
            until(lambda process=process: listeners(read(process.out)), "a listener")
            process.signal(signal.SIGTERM)
            self.assertEqual(process.wait(), 0)

    def test_signal_during_start(self) -> None:
        """A signal to stop that comes when the reactor has just installed its own handlers ends it with status 0."""
        kill = "addSystemEventTrigger('during', 'startup', os.kill, os.getpid(), signal.SIGTERM)"
        process = self.start_caught(f"import os, signal; from twisted.internet import reactor; reactor.{kill}")
        self.assertEqual(process.wait(), 0)

    def start_caught(self, before: str = "pass") -> Process:
        """
        Start the command sttproxy; return when it has installed its signal handlers.

        :param before: what the process does before it starts the daemon.
        """
        script = f"import sttproxy.console as c; c.signals.catch(); {before}; print('caught', flush=True); c.main()"
        command = [sys.executable, "-c", script, "--host", "127.0.0.1", "--port", "0"]
        process = Process(command, self.folder, f"early{len(os.listdir(self.folder))}", env={"TMPDIR": self.folder})
        self.addCleanup(process.end)
        process.wait_for("^caught$")
        return process


class Ends(RawTestCase):
    """The end of a daemon in the foreground; each test has its own."""

    def setUp(self) -> None:
        self.upstreams = Listener()
        self.addCleanup(self.upstreams.close)
        self.own = self.before()

    def tearDown(self) -> None:
        """No stage to tidy up."""

    def before(self, *options: str) -> Daemon:
        """A daemon with the listener as upstream."""
        return self.start_daemon("--target", f"http://127.0.0.1:{self.upstreams.port}", *options)

    def begin(self, sent: bytes) -> tuple[Peer, Peer]:
        """Return a client with a request in flight, and the upstream that has its head."""
        client = connect(self.own.port)
        self.addCleanup(client.close)
        client.send(sent)
        upstream = self.upstreams.accept()
        upstream.read_head()
        return client, upstream

    def assert_stopping_error(self, client: Peer) -> None:
        """Check that a waiting client gets an error that says that the daemon stops, and that it may retry."""
        answer = client.read_message()
        self.assertEqual((answer.status, answer.values(b"Retry-After")), (503, [b"1"]))
        self.assertIn(b'"code": "shutting_down"', answer.body)
        self.assertEqual(client.read_to_end(), b"")

    def signal_and_wait(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal, and wait until no more connections are accepted."""
        self.own.signal(number)
        until(lambda: not opens(self.own.addresses[0]), "a closed port")

    def test_idle(self) -> None:
        """
        Without requests it ends at once with status 0, on SIGTERM and on SIGINT, with or without idle connections.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            idle = connect(self.own.port)
            idle.send(request("GET", "/stats"))
            idle.read_message()
            self.own.signal(number)
            self.assertEqual(self.own.wait(), 0)
            self.assertEqual(idle.read_to_end(), b"")
            idle.close()
            self.own = self.before()

    def test_answer_in_flight(self) -> None:
        """A response in flight is completed, with ``Connection: close``."""
        client, upstream = self.begin(request("GET", "/"))
        self.signal_and_wait()
        upstream.send(OK)
        answer = client.read_message()
        self.assertEqual((answer.body, answer.values(b"Connection")), (b"ok", [b"close"]))
        self.assertEqual(self.own.wait(), 0)

    def test_upload_in_flight(self) -> None:
        """An upload in flight is completed, and so is its response."""
        body = form([("file", File(bytes(50_000)))])
        sent = transcription(body)
        client, upstream = self.begin(sent[:-30_000])
        self.signal_and_wait()
        client.send(sent[-30_000:])
        upstream.read_until(b"--\r\n")
        upstream.send(OK)
        self.assertEqual(client.read_message().body, b"ok")
        self.assertEqual(self.own.wait(), 0)

    def test_stream_in_flight(self) -> None:
        """An event stream in flight is completed too."""
        client, upstream = self.begin(request("GET", "/"))
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        client.read_until(b"data: 1\n\n")
        self.signal_and_wait()
        upstream.send(b"data: 2\n\n")
        client.read_until(b"data: 2\n\n")
        upstream.close()
        client.read_until(b"0\r\n\r\n")
        self.assertEqual(self.own.wait(), 0)

    def test_limit(self) -> None:
        """A request that is not complete after --grace is aborted; the status is 0 all the same."""
        self.own = self.before("--grace", "0.2")
        client, _ = self.begin(request("GET", "/"))
        begun = time.monotonic()
        self.assertEqual(self.own.stop(), 0)
        self.assertGreaterEqual(time.monotonic() - begun, 0.2)
        self.assert_stopping_error(client)

    def test_second_signal(self) -> None:
        """A second signal aborts the requests in flight."""
        client, _ = self.begin(request("GET", "/"))
        self.signal_and_wait()
        self.own.signal(signal.SIGTERM)
        self.assertEqual(self.own.wait(), 0)
        self.assert_stopping_error(client)

    def test_nothing_is_left(self) -> None:
        """It leaves no new files in its working directory."""
        before = sorted(os.listdir(self.own.folder))
        client, upstream = self.begin(request("GET", "/"))
        upstream.send(OK)
        self.assertEqual(client.read_message().body, b"ok")
        self.assertEqual(self.own.stop(), 0)
        self.assertEqual(sorted(os.listdir(self.own.folder)), before)
        self.assertEqual(os.listdir(self.own.temporary), [])
        self.assertEqual(self.own.errors(), "")
        self.assertNotIn("Traceback", self.own.log())
