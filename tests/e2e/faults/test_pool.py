"""
Connections that the upstream has closed fail no request, and no request is sent twice.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from typing import ClassVar

from ...e2e.case import DaemonTestCase
from ...e2e.daemon import get_json
from ...e2e.forms import content_type, form
from ...e2e.message import Message, counted, head, request
from ...e2e.process import LIMIT_S, Process, until
from ...e2e.raw import Listener, Peer, connect
from .tools import BIG, TRANSCRIPTIONS, FaultTestCase, Sending, narrow, still

OK = head(b"HTTP/1.1 200 OK", [counted(b"ok")]) + b"ok"
FORM = form([("model", "m"), ("language", "en")])
#: The number of transcriptions, and of concurrent clients.
COUNT, CLIENTS = (10_000, 200) if BIG else (300, 60)


class EdgeTestCase(DaemonTestCase):
    """
    Tests whose requests come when the upstream is about to close.

    :cvar script: the upstream's script.
    :cvar idle_s: the idle timeout of the upstream in seconds.
    """

    config = '{"language": "zh"}'
    script: ClassVar[str]
    idle_s: ClassVar[float]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        folder = tempfile.mkdtemp(prefix="stt-edge-")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), cls.script)
        process = Process([sys.executable, script, str(cls.idle_s)], folder, "upstream")
        stack.callback(process.end)
        cls.start(stack, int(process.wait_for(r"^port (\d+)$").group(1)))

    def ask(self, client: Peer, number: bytes) -> Message:
        """Return the response to one transcription."""
        client.send(request("POST", TRANSCRIPTIONS, (b"X-Number", number), content_type(), counted(FORM)) + FORM)
        return client.read_message()

    def run_clients(self) -> None:
        """Check that all `COUNT` transcriptions, sent near the timeout, get a response, and arrived once each."""
        responses: list[bytes] = []
        failures: list[str] = []

        def run(number: int) -> None:
            gaps = random.Random(number)
            client = connect(self.daemon.port)
            try:
                for turn in range(COUNT // CLIENTS):
                    answer = self.ask(client, b"%d-%d" % (number, turn))
                    if answer.status != 200:
                        failures.append(f"{turn}: {answer.start!r} {answer.body!r}")
                    responses.append(answer.body)
                    time.sleep(self.idle_s * gaps.uniform(0.9, 1.1))
            except (EOFError, OSError) as error:
                failures.append(repr(error))
            finally:
                client.close()

        threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S + COUNT / CLIENTS * self.idle_s * 2)
        self.assertEqual(failures, [])
        self.assertEqual(len(set(responses)), COUNT)
        self.assertEqual({answer.split()[1] for answer in responses}, {b"1"})
        self.assertEqual(self.daemon.stats()["upstream_errors"], {})


class Dropping(EdgeTestCase):
    """An upstream that drops connections after a quarter of a second idle."""

    script = "dropping.py"
    idle_s = 0.25

    def test_edge(self) -> None:
        """After the first close was seen, no request fails."""
        # Before that the proxy cannot know the timeout.
        client = self.connect()
        self.assertEqual(self.ask(client, b"first").status, 200)
        time.sleep(2 * self.idle_s)
        self.run_clients()


class Uvicorn(EdgeTestCase):
    """The server under MLX Omni Server, which closes by default after five seconds, here after one."""

    script = "keepalive.py"
    idle_s = 5 if BIG else 1

    def test_edge(self) -> None:
        """
        No request fails; with the default of five seconds not even the first, because the pool's timeout is shorter.
        """
        if not BIG:
            client = self.connect()
            self.assertEqual(self.ask(client, b"first").status, 200)
            time.sleep(2 * self.idle_s)
        self.run_clients()


class Limits(FaultTestCase):
    """The options of the pool, each with its own daemon."""

    def begin(self, port: int, target: str) -> Peer:
        """Return a client that has sent a request."""
        client = connect(port)
        self.addCleanup(client.close)
        client.send(request("GET", target))
        return client

    def before(self, *options: str) -> int:
        """Return the port of another daemon with the listener as upstream."""
        target = ("--target-host", "127.0.0.1", "--target-port", str(self.listener.port))
        return self.start_daemon(*target, *options).port

    def test_size(self) -> None:
        """At most --pool-size idle connections are kept."""
        for size in (0, 1, 2):
            port = self.before("--pool-size", str(size))
            clients = [self.begin(port, "/") for _ in range(4)]
            upstreams = [self.listener.accept() for _ in clients]
            for upstream in upstreams:
                upstream.read_message()
                upstream.send(OK)
            for client in clients:
                client.read_message()
            ended = 0
            for upstream in upstreams:
                upstream._sock.settimeout(0.3)
                with contextlib.suppress(TimeoutError):
                    ended += upstream.read_some() == b""
            self.assertEqual(ended, 4 - size)

    def test_idle(self) -> None:
        """A connection is idle for --pool-idle at most; until then it is reused."""
        port = self.before("--pool-idle", "0.5")
        client = self.begin(port, "/first")
        upstream = self.listener.accept()
        for target in ("/second", "/third"):
            upstream.read_message()
            upstream.send(OK)
            client.read_message()
            client.send(request("GET", target))
        upstream.read_message()
        upstream.send(OK)
        self.assert_ends(upstream)

    def test_most_recent_first(self) -> None:
        """The most recently used idle connection is taken first, because it is the least likely to be closed."""
        port = self.before()
        clients = [self.begin(port, "/") for _ in range(3)]
        upstreams = [self.listener.accept() for _ in clients]
        for upstream in upstreams:
            upstream.read_message()
        for upstream in upstreams:
            waiting = get_json(port, "/stats")["in_flight"]
            upstream.send(OK)
            until(lambda before=waiting: get_json(port, "/stats")["in_flight"] < before, "the end of a request")
        clients[0].read_message()
        clients[0].send(request("GET", "/again"))
        self.assertEqual(upstreams[-1].read_message().target, b"/again")

    def test_most(self) -> None:
        """Over --max-connections requests wait, and get a connection in the order of arrival."""
        port = self.before("--max-connections", "2", "--pool-wait", "0")
        clients = []
        for number in range(6):
            clients.append(self.begin(port, f"/{number}"))
            until(lambda count=number: get_json(port, "/stats")["in_flight"] == count + 2, "the request in flight")
        upstreams = [self.listener.accept() for _ in range(2)]
        order = [upstream.read_message().target for upstream in upstreams]
        self.assertIsNone(self.listener.accept_waiting())
        for number in range(2, 6):
            upstream = upstreams[number % 2]
            upstream.send(OK)
            order.append(upstream.read_message().target)
        self.assertEqual(sorted(order[:2]) + order[2:], [b"/%d" % number for number in range(6)])
        for upstream in upstreams:
            upstream.send(OK)
        for client in clients:
            self.assertEqual(client.read_message().body, b"ok")
        self.assertIsNone(self.listener.accept_waiting())

    def test_most_after_a_failure(self) -> None:
        """A failed connection makes room for the next waiting request."""
        port = self.before("--max-connections", "1")
        first = self.begin(port, "/first")
        upstream = self.listener.accept()
        upstream.read_message()
        second = self.begin(port, "/second")
        upstream.close()
        self.assertEqual(first.read_message().status, 502)
        upstream = self.listener.accept()
        upstream.read_message()
        upstream.send(OK)
        self.assertEqual(second.read_message().body, b"ok")

    def test_wait(self) -> None:
        """A request that has waited for --pool-wait gets 503 with Retry-After; its upload was not read."""
        port = self.before("--max-connections", "1", "--pool-wait", "0.5")
        self.begin(port, "/first")
        self.listener.accept().read_message()
        client = connect(port)
        self.addCleanup(client.close)
        client.send(request("POST", "/second", (b"Content-Length", b"%d" % (1 << 30))))
        with Sending(client, (b"x" * 65536 for _ in range(1 << 10))) as sending:
            answer = client.read_head()
            self.assertEqual(answer.status, 503)
            self.assertGreater(int(answer.values(b"Retry-After")[0]), 0)
            self.assertLess(sending.sent, 1 << 24)


class Backpressure(FaultTestCase):
    """Backpressure on connections that become idle."""

    def test_held_back_at_rest(self) -> None:
        """Responses to pipelined requests all arrive, however late the client begins to read them."""
        body, count = b"x" * 100_000, 60
        served: list[bytes] = []

        def script(peer: Peer) -> None:
            while True:
                served.append(peer.read_message().target)
                peer.send(head(b"HTTP/1.1 200 OK", [counted(body)]) + body)

        with Listener() as listener:
            # The listener's threads end with their connections, which should close soon after the test.
            target = ("--target-host", "127.0.0.1", "--target-port", str(listener.port))
            daemon = self.start_daemon(*target, "--pool-idle", "0.5")
            client = narrow(daemon.port)
            self.addCleanup(client.close)
            listener.serve(script)
            client.send(*[request("GET", f"/{number}") for number in range(count)])
            still(lambda: len(served))
            self.assertLess(len(served), count, "the client held nobody back")
            for _ in range(count):
                self.assertEqual(len(client.read_message().body), len(body))
            self.assertEqual(served, [b"/%d" % number for number in range(count)])
            client.close()
