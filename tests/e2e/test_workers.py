"""
Several workers that serve as one daemon.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import threading
from collections import Counter
from typing import Any

from . import system
from .case import UNPOOLED, StagedTestCase, transcription
from .daemon import Daemon, foreground, get_json
from .forms import File, echoed, form
from .message import request
from .process import LIMIT_S, ROOT, environment, until
from .raw import Listener, Peer, connect
from .test_upgrade import COMPLETE, OK, Load
from .upstream import shared_echo

WORKERS = 2
#: A start of Python that ends a worker while a file exists.
_CRASH = """
import os
if '"role": "WORKER"' in os.environ.get("_STTPROXY_HANDOVER", "") and os.path.exists(os.environ["CRASH"]):
    os._exit(7)
"""


def workers_of(pid: int) -> list[int]:
    """The children of a process."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return sorted(map(int, file.read().split()))


class WorkersTestCase(StagedTestCase):
    """Tests that start a daemon with workers."""

    def start(self, port: int, *options: str, **settings: Any) -> Daemon:
        """Start a daemon, and wait until all of its workers serve."""
        target = ("--target", f"http://127.0.0.1:{port}")
        daemon = self.start_daemon("--workers", str(WORKERS), *target, *options, **settings)
        until(lambda: self.serving(daemon) == WORKERS, "workers that serve")
        return daemon

    def serving(self, daemon: Daemon) -> int:
        """How many workers serve."""
        return len(re.findall(r"Worker \d+ serves", daemon.log()))

    def crashing(self) -> tuple[dict[str, str], str]:
        """An environment in which workers end with status 7 at once, while a file exists; the path of the file."""
        folder = os.path.abspath(self.mktemp())
        os.mkdir(folder)
        with open(os.path.join(folder, "sitecustomize.py"), "w") as file:
            file.write(_CRASH)
        crash = os.path.join(folder, "crash")
        return {"PYTHONPATH": os.pathsep.join([folder, ROOT]), "CRASH": crash}, crash

    if not system.LINUX:
        skip = "only Linux shows the children of a process"


class WorkersTests(WorkersTestCase):
    """What clients and users see."""

    def test_killed(self) -> None:
        """Under load a killed worker loses only its requests in flight, and is replaced; the others go on."""
        daemon = self.start(shared_echo().port)
        load = Load(daemon.port)
        try:
            until(lambda: load.outcomes["200"] > 20, "some responses")
            os.kill(workers_of(daemon.pid)[0], signal.SIGKILL)
            until(lambda: self.serving(daemon) == WORKERS + 1, "another worker")
            before = load.outcomes["200"]
            until(lambda: load.outcomes["200"] > before + 20, "more responses")
        finally:
            outcomes = load.stop()
        lost = outcomes.total() - outcomes["200"]
        self.assertLessEqual(lost, 6, "each client has one request in flight")
        self.assertFalse([outcome for outcome in outcomes if "refused" in outcome])
        self.assertIn("Worker ", daemon.log())
        self.assertRegex(daemon.log(), r"Worker \d has ended: killed by SIGKILL; it is replaced\.")
        self.assertEqual(daemon.stats()["workers"]["replaced"], 1)
        self.assertEqual(daemon.stop(), 0)

    def test_brake(self) -> None:
        """Workers that end at once are replaced after a pause that grows; the other worker serves meanwhile."""
        env, crash = self.crashing()
        daemon = self.start(shared_echo().port, env=env)
        with open(crash, "w"):
            pass
        os.kill(workers_of(daemon.pid)[0], signal.SIGKILL)
        daemon.wait_for_log(r"has ended: killed by SIGKILL; it is replaced\.")
        daemon.wait_for_log(r"has ended: exit status 7; it is replaced in 1 s\.")
        daemon.wait_for_log(r"has ended: exit status 7; it is replaced in 2 s\.")
        self.assertEqual(daemon.stats()["workers"]["serving"], 1)
        self.assertEqual(get_json(daemon.port, "/health")["workers"]["serving"], 1)
        os.unlink(crash)
        until(lambda: self.serving(daemon) == WORKERS + 1, "a worker that serves")
        self.assertEqual(daemon.stop(), 0)

    def test_drain(self) -> None:
        """After SIGTERM the workers complete their requests in flight; then all processes have ended."""
        with Listener() as listener:
            daemon = self.start(listener.port)
            pairs = []
            for _ in range(6):
                client = connect(daemon.port)
                self.addCleanup(client.close)
                client.send(request("GET", "/"))
                upstream = listener.accept()
                upstream.read_head()
                pairs.append((client, upstream))
            workers = workers_of(daemon.pid)
            for pid in (daemon.pid, *workers):  # as systemd does
                os.kill(pid, signal.SIGTERM)
            until(lambda: self.refused(daemon.port), "a closed port")
            for client, upstream in pairs:
                upstream.send(OK)
                self.assertEqual(client.read_message().body, b"ok")
            self.assertEqual(daemon.wait(), 0)
            self.assertEqual([pid for pid in workers if system.alive(pid)], [])

    def refused(self, port: int) -> bool:
        """Whether a port accepts no connection."""
        try:
            connect(port).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_supervisor_killed(self) -> None:
        """If the supervisor is killed, its workers end."""
        daemon = self.start(shared_echo().port)
        workers = workers_of(daemon.pid)
        daemon.signal(signal.SIGKILL)
        until(lambda: not any(map(system.alive, workers)), "the end of the workers")

    def test_upgrade(self) -> None:
        """An upgrade under load loses nothing, and replaces all workers."""
        daemon = self.start(shared_echo().port)
        before = workers_of(daemon.pid)
        load = Load(daemon.port)
        try:
            daemon.signal(signal.SIGUSR2)
            daemon.wait_for_log(COMPLETE)
            until(lambda: len(workers_of(daemon.pid)) == WORKERS, "the end of the stand-in")
        finally:
            outcomes = load.stop()
        self.assertEqual([*outcomes], ["200"])
        self.assertEqual(set(before).intersection(workers_of(daemon.pid)), set())
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(daemon.errors(), "")

    def test_log(self) -> None:
        """The log has the lines of all workers, whole."""
        daemon = self.start(shared_echo().port)
        load = Load(daemon.port)
        until(lambda: load.outcomes["200"] > 300, "responses")
        outcomes = load.stop()
        self.assertEqual(daemon.stop(), 0)
        lines = daemon.log().splitlines()
        self.assertEqual([line for line in lines if not re.match(r"20\d\d-\d\d-\d\dT[\d:+]+ \[", line)], [])
        self.assertEqual(sum("POST /v1/chat/completions" in line for line in lines), outcomes.total())


class WholeTests(WorkersTestCase):
    """What is for all workers together."""

    def ask(self, daemon: Daemon, path: str) -> Any:
        """The JSON of a page."""
        return get_json(daemon.port, path)

    def test_statistics(self) -> None:
        """``/stats``, ``/metrics`` and the page count the requests of all workers, also of those that have ended."""
        daemon = self.start(shared_echo().port)
        asked = Counter[int]()
        for _ in range(30):
            self.ask(daemon, "/v1/models")
        for _ in range(10):
            stats = self.ask(daemon, "/stats?with=recent")
            asked[stats["forwarded_requests"]] += 1
            self.assertEqual(len([each for each in stats["recent"]["requests"] if each["target"] == "/v1/models"]), 30)
        self.assertEqual([*asked], [30])
        os.kill(workers_of(daemon.pid)[0], signal.SIGKILL)
        until(lambda: self.serving(daemon) == WORKERS + 1, "another worker")
        self.assertEqual(self.ask(daemon, "/stats")["forwarded_requests"], 30)
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=LIMIT_S)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        self.assertRegex(text, r'sttproxy_requests_total\{.*route="pass_through"\} 30\.0')
        connection.request("GET", "/stats", headers={"Accept": "text/html"})
        self.assertIn("<html", connection.getresponse().read().decode())
        connection.close()

    def test_reload(self) -> None:
        """All workers use a new configuration at the same moment, with the same generation."""
        daemon = self.start(shared_echo().port, "--explain-header", config={"language": "aa"})
        stopped = threading.Event()
        seen: list[str] = []

        def ask() -> None:
            body = form([("file", File(b"audio"))])
            while not stopped.is_set():
                client = connect(daemon.port)
                client.send(transcription(body))
                answer = client.read_message()
                seen.append(answer.values(b"x-sttproxy-config")[0].decode().split(";")[0])
                client.close()

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            for number, language in enumerate(("bb", "cc", "dd"), 2):
                daemon.configure({"language": language})
                self.assertEqual(daemon.stats()["config"]["generation"], number)
                count = len(seen)
                until(lambda count=count: len(seen) > count + 10, "more transcriptions")
        finally:
            stopped.set()
            asking.join(LIMIT_S)
        self.assertEqual(seen, sorted(seen), "no worker uses an older one after another has used a newer one")
        self.assertEqual(len(set(seen)), 4)

    def test_refused_configuration(self) -> None:
        """A configuration with errors stays out of force in all workers, and the page says so."""
        daemon = self.start(shared_echo().port, config={"language": "zh"})
        daemon.edit("[]")
        daemon.signal(signal.SIGHUP)
        until(lambda: daemon.stats()["config"]["error"], "an error")
        for _ in range(6):
            client = connect(daemon.port)
            client.send(transcription(form([("file", File(b"audio"))])))
            expected = echoed([("language", "zh"), ("file", File(b"audio"))])
            self.assertEqual(client.read_message().json()["form"], expected)
            client.close()

    def transcribe(self, daemon: Daemon) -> Peer:
        """A client that has sent a transcription."""
        client = connect(daemon.port)
        self.addCleanup(client.close)
        client.send(transcription(form([("file", File(b"audio"))])))
        return client

    def test_max_transcriptions(self) -> None:
        """``--max-transcriptions`` and ``--max-queue`` are for all workers; a killed worker gives its turns back."""
        with Listener() as listener:
            daemon = self.start(listener.port, "--max-transcriptions", "1", "--max-queue", "3", *UNPOOLED)
            clients = [self.transcribe(daemon) for _ in range(4)]
            until(lambda: daemon.stats()["queued"] == 3, "a queue")
            answer = self.transcribe(daemon).read_message()
            self.assertEqual((answer.status, answer.values(b"Retry-After")), (503, [b"10"]))
            upstream = listener.accept()
            upstream.read_message()
            for _ in range(3):
                upstream.send(OK)
                upstream = listener.accept()
                upstream.read_message()
            upstream.send(OK)
            self.assertEqual([client.read_message().body for client in clients], [b"ok"] * 4)
            self.transcribe(daemon)
            upstream = listener.accept()
            upstream.read_message()
            for pid in workers_of(daemon.pid):
                os.kill(pid, signal.SIGKILL)
            until(lambda: self.serving(daemon) == 2 * WORKERS, "other workers")
            client = self.transcribe(daemon)
            upstream = listener.accept()
            upstream.read_message()
            upstream.send(OK)
            self.assertEqual(client.read_message().body, b"ok")

    def test_max_connections(self) -> None:
        """``--max-connections`` is for all workers, and there are no more workers than connections."""
        with Listener() as listener:
            daemon = self.start_daemon(
                "--target", f"http://127.0.0.1:{listener.port}", "--workers", "3", "--max-connections", "2"
            )
            until(lambda: self.serving(daemon) == 2, "two workers")
            self.assertIn("--max-connections leaves room for 2 workers.", daemon.log())

            def more() -> bool:
                """One more client; whether each worker has a connection to the server."""
                client = connect(daemon.port)
                self.addCleanup(client.close)
                client.send(request("GET", "/"))
                open_now: int = daemon.stats()["servers"][0]["connections"]["open"]
                self.assertLessEqual(open_now, 2)
                return open_now == 2

            until(more, "connections of both workers")
            for _ in range(8):
                more()


class StartTests(WorkersTestCase):
    """How it does not start."""

    def refused(self, *options: str, env: dict[str, str] | None = None) -> str:
        """Start in vain; return what is printed."""
        done = subprocess.run(
            foreground("--port", "0", "--workers", "2", *options),
            env=environment(env),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stderr

    def test_embedded(self) -> None:
        """The embedded engine needs no workers."""
        self.assertIn("the embedded engine uses all cores by itself", self.refused("--embedded"))

    def test_first_worker(self) -> None:
        """If the first workers do not start, nothing does, and the reason is printed."""
        env, crash = self.crashing()
        with open(crash, "w"):
            pass
        self.assertRegex(self.refused(env=env), r"sttproxy: worker \d has ended: exit status 7\n")
