"""
SIGTERM: requests in flight are completed, and new ones are not accepted.
"""

from __future__ import annotations

import http.client
import signal
import threading
import time

from ...e2e.daemon import Daemon, opens
from ...e2e.forms import content_type, form
from ...e2e.message import CHUNKED, counted, head, request
from ...e2e.process import until
from ...e2e.raw import Ending, Peer, connect
from .tools import BIG, SOON_S, TRANSCRIPTIONS, FaultTestCase

OK = head(b"HTTP/1.1 200 OK", [counted(b"ok")]) + b"ok"
TERM = signal.SIGTERM
#: A grace period longer than any of these tests; tests of the limit set their own.
GRACE = ("--grace", "25")
FORM = form([("model", "m")])


class Drain(FaultTestCase):
    """Each test stops its own daemon."""

    def launch(self, *options: str) -> Daemon:
        """Start another daemon with the listener as upstream."""
        target = ("--target-host", "127.0.0.1", "--target-port", str(self.listener.port))
        return self.start_daemon(*target, *options)

    def begin(self, daemon: Daemon, sent: bytes = b"") -> Peer:
        """Return a client of the daemon."""
        client = connect(daemon.port)
        self.addCleanup(client.close)
        client.send(sent)
        return client

    def terminate(self, daemon: Daemon) -> float:
        """Send SIGTERM and wait until the stop has begun; return the time."""
        begun = time.monotonic()
        daemon.signal(TERM)
        until(lambda: not opens(str(daemon.port)), "the end of listening", SOON_S)
        return begun

    def assert_done(self, daemon: Daemon, begun: float, after_s: float = 0) -> None:
        """Check that it ends with success, not before this time and not long after it, and logs no error."""
        self.assertEqual(daemon.wait(), 0)
        self.assertLess(time.monotonic() - begun, after_s + 2 * SOON_S)
        self.assertGreaterEqual(time.monotonic() - begun, after_s)
        self.assertNotIn("Traceback", daemon.log() + daemon.errors())
        self.assertNotIn("Unhandled", daemon.log() + daemon.errors())

    def test_nothing_to_do(self) -> None:
        """Without connections it ends at once."""
        daemon = self.launch(*GRACE)
        begun = time.monotonic()
        daemon.signal(TERM)
        self.assert_done(daemon, begun)

    def test_idle(self) -> None:
        """Idle connections, new or used, are closed long before the limit."""
        daemon = self.launch(*GRACE)
        unused, used = self.begin(daemon), self.begin(daemon, request("GET", "/stats"))
        used.read_message()
        begun = self.terminate(daemon)
        for client in (unused, used):
            self.assertEqual((client.read_to_end(), client.ending), (b"", Ending.FIN))
        self.assert_done(daemon, begun)

    def test_in_flight(self) -> None:
        """Uploads, waiting requests and responses continue; each kept-alive client gets ``Connection: close``."""
        daemon = self.launch(*GRACE)
        uploading = self.begin(daemon, request("POST", "/uploading", (b"Content-Length", b"10")) + b"first")
        first = self.listener.accept()
        first.read_until(b"first")
        waiting = self.begin(daemon, request("GET", "/waiting"))
        second = self.listener.accept()
        second.read_message()
        answered = self.begin(daemon, request("GET", "/answered"))
        third = self.listener.accept()
        third.read_message()
        third.send(head(b"HTTP/1.1 200 OK", [CHUNKED]) + b"5\r\nfirst\r\n")
        answered.read_until(b"first\r\n")
        begun = self.terminate(daemon)
        uploading.send(b"later")
        first.read_until(b"later")
        for upstream, client in ((first, uploading), (second, waiting)):
            upstream.send(OK)
            answer = client.read_message()
            self.assertEqual((answer.body, answer.values(b"Connection")), (b"ok", [b"close"]))
            self.assert_closed(client)
        third.send(b"5\r\nlater\r\n0\r\n\r\n")
        self.assertEqual(answered.read_until(b"0\r\n\r\n"), b"5\r\nlater\r\n0\r\n\r\n")
        self.assert_closed(answered)
        self.assert_done(daemon, begun)

    def test_begun(self) -> None:
        """A head that had begun is still accepted, and the queue is still served."""
        daemon = self.launch(*GRACE, "--max-connections", "1")
        first = self.begin(daemon, request("GET", "/1") + request("GET", "/never"))
        upstream = self.listener.accept()
        upstream.read_message()
        queued = self.begin(daemon, request("GET", "/2"))
        until(lambda: daemon.stats()["in_flight"] == 3, "the request in the queue")
        partly = self.begin(daemon, request("GET", "/stats")[:-3])
        daemon.stats()
        begun = self.terminate(daemon)
        partly.send(request("GET", "/stats")[-3:])
        answer = partly.read_message()
        self.assertEqual((answer.status, answer.values(b"Connection")), (200, [b"close"]))
        upstream.send(OK)
        self.assertEqual(first.read_message().values(b"Connection"), [b"close"])
        self.assert_closed(first)
        upstream = self.next_connection(upstream)
        self.assertEqual(upstream.read_message().target, b"/2")
        upstream.send(OK)
        self.assertEqual(queued.read_message().body, b"ok")
        for client in (first, queued, partly):
            client.close()
        self.assert_done(daemon, begun)

    def test_next_request(self) -> None:
        """A request that a kept-alive client sends at that moment is answered, with ``Connection: close``."""
        daemon = self.launch(*GRACE)
        client = self.begin(daemon, request("GET", "/1"))
        upstream = self.listener.accept()
        upstream.read_message()
        upstream.send(OK)
        client.read_message()
        begun = self.terminate(daemon)
        client.send(request("GET", "/2"))
        upstream = self.next_connection(upstream)
        upstream.read_message()
        upstream.send(OK)
        answer = client.read_message()
        self.assertEqual((answer.body, answer.values(b"Connection")), (b"ok", [b"close"]))
        self.assert_closed(client)
        self.assert_done(daemon, begun)

    def test_limit(self) -> None:
        """After --grace a request in flight gets 503 and a tunnel is aborted; the exit status is still success."""
        daemon = self.launch("--grace", "2")
        waiting = self.begin(daemon, request("GET", "/waiting"))
        first = self.listener.accept()
        first.read_message()
        upgrade = [(b"Connection", b"Upgrade"), (b"Upgrade", b"echo")]
        tunnel = self.begin(daemon, request("GET", "/tunnel", *upgrade))
        second = self.listener.accept()
        second.read_message()
        second.send(head(b"HTTP/1.1 101 Switching Protocols", upgrade))
        tunnel.read_message()
        begun = self.terminate(daemon)
        tunnel.send(b"still there")
        self.assertEqual(second.read_exactly(11), b"still there")
        second.send(b"so am I")
        self.assertEqual(tunnel.read_exactly(7), b"so am I")
        self.assertEqual(waiting.read_message().status, 503)
        for peer in (waiting, first, tunnel, second):
            self.assertEqual(peer.read_to_end(), b"")
        self.assert_done(daemon, begun, 2)

    def test_tunnel_ends(self) -> None:
        """A tunnel that ends before the limit does not delay the stop further."""
        daemon = self.launch(*GRACE)
        upgrade = [(b"Connection", b"Upgrade"), (b"Upgrade", b"echo")]
        tunnel = self.begin(daemon, request("GET", "/tunnel", *upgrade))
        upstream = self.listener.accept()
        upstream.read_message()
        upstream.send(head(b"HTTP/1.1 101 Switching Protocols", upgrade))
        tunnel.read_message()
        begun = self.terminate(daemon)
        upstream.send(b"goodbye")
        upstream.close()
        self.assertEqual((tunnel.read_to_end(), tunnel.ending), (b"goodbye", Ending.FIN))
        self.assert_done(daemon, begun)

    def test_twice(self) -> None:
        """A second signal aborts everything at once."""
        for second in (TERM, signal.SIGINT):
            daemon = self.launch(*GRACE)
            client = self.begin(daemon, request("GET", "/"))
            upstream = self.listener.accept()
            upstream.read_message()
            upstream.send(head(b"HTTP/1.1 200 OK", [(b"Content-Length", b"10")]) + b"first")
            client.read_until(b"first")
            begun = self.terminate(daemon)
            daemon.wait_for_log("Waiting for requests")
            daemon.signal(second)
            self.assertEqual((client.read_to_end(), client.ending), (b"", Ending.RESET))
            self.assert_done(daemon, begun)


class UnderLoad(FaultTestCase):
    """Clients that send requests without a pause."""

    def test_none_lost(self) -> None:
        """
        Each request on an accepted connection gets a complete response, until its client gets ``Connection: close``.
        """
        for _ in range(5 if BIG else 2):
            self.run_down()

    def run_down(self) -> None:
        daemon = self.start_daemon(
            "--target-host", "127.0.0.1", "--target-port", str(self.listener.port), *GRACE, config='{"language": "zh"}'
        )
        serving = threading.Event()

        def upstream() -> None:
            while not serving.is_set():
                try:
                    peer = self.listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(peer,), daemon=True).start()

        def answer(peer: Peer) -> None:
            try:
                while True:
                    message = peer.read_message()
                    body = message.values(b"X-Number")[0]
                    peer.send(head(b"HTTP/1.1 200 OK", [counted(body)]) + body)
            except (EOFError, OSError):
                peer.close()

        threading.Thread(target=upstream, daemon=True).start()
        lost: list[str] = []
        answered = [0] * 10

        def ask(number: int) -> None:
            while True:
                client = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=20)
                try:
                    client.connect()
                except ConnectionRefusedError:
                    return
                try:
                    while client.sock is not None:
                        name = f"{number}-{answered[number]}"
                        headers = {"X-Number": name, content_type()[0].decode(): content_type()[1].decode()}
                        client.request("POST", TRANSCRIPTIONS, FORM, headers)
                        got = client.getresponse()
                        if (got.status, got.read()) != (200, name.encode()):
                            lost.append(f"{name}: {got.status}")
                        answered[number] += 1
                except (OSError, http.client.HTTPException) as error:
                    lost.append(f"{number}: {error!r}")
                finally:
                    client.close()

        threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(len(answered))]
        for thread in threads:
            thread.start()
        until(lambda: min(answered) > 20, "some requests of each")
        begun = time.monotonic()
        daemon.signal(TERM)
        for thread in threads:
            thread.join(20)
        self.assertEqual(daemon.wait(), 0)
        self.assertLess(time.monotonic() - begun, 3 * SOON_S)
        serving.set()
        self.assertEqual(lost, [])
        self.assertNotIn("Traceback", daemon.log())
