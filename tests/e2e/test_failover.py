"""
Two servers: the second one serves while the first takes no connections.
"""

from __future__ import annotations

from .case import StagedTestCase
from .daemon import Daemon, get_json
from .forms import content_type, form, noise
from .message import CHUNKED, Message, chunked, counted, head, request
from .process import until
from .raw import Listener, Peer, connect
from .upstream import shared_echo


def answer(peer: Peer) -> Message:
    """Answer the next request of a connection; return it."""
    received = peer.read_message()
    peer.send(head(b"HTTP/1.1 200 OK", [counted(b"first")]) + b"first")
    return received


class Failover(StagedTestCase):
    """The first server is controlled by the test, under a path; the second one is the echo server."""

    def setUp(self) -> None:
        super().setUp()
        with Listener() as reserved:
            self.port = reserved.port
        self.first, self.second = f"127.0.0.1:{self.port}", f"127.0.0.1:{shared_echo().port}"
        self.daemon = self.start_daemon(
            "--target", f"http://{self.first}/one", "--target", f"http://{self.second}", config={"language": "zh"}
        )

    def ask(self, sent: bytes, daemon: Daemon | None = None) -> Message:
        """The response to a request."""
        client = connect((daemon or self.daemon).port)
        self.addCleanup(client.close)
        client.send(sent)
        return client.read_message()

    def test_down(self) -> None:
        """A request whose server is down reaches the next one, with its whole body and the rules; the pages say so."""
        body = form([("language", "en"), ("model", "m"), ("prompt", "x" * 300_000)])
        for framing, data in ((counted(body), body), (CHUNKED, chunked([body[:5], body[5:]]))):
            received = self.ask(request("POST", "/v1/audio/transcriptions", content_type(), framing) + data).json()
            self.assertEqual(received["form"], [["language", "zh"], ["model", "m"], ["prompt", "x" * 300_000]])
            self.assertEqual(received["path"], "/v1/audio/transcriptions")
        stats = self.daemon.stats()
        self.assertEqual((stats["upstream"], stats["moved_on"]), (self.second, 1))
        self.assertEqual([server["reachable"] for server in stats["servers"]], [False, True])
        health = get_json(self.daemon.port, "/health")
        self.assertEqual((health["status"], health["upstream"]), ("healthy", self.second))
        self.assertEqual([server["status"] for server in health["servers"]], ["degraded", "healthy"])
        self.daemon.wait_for_log(f"{self.first} cannot be reached.*Requests go to {self.second}")

    def test_back(self) -> None:
        """When the first server takes connections again, it gets the requests, under its own path."""
        data = noise(100_000)
        sent = request("POST", "/x?y", counted(data)) + data
        self.assertEqual(self.ask(sent).json()["size"], len(data))
        with Listener(port=self.port) as first:
            self.daemon.wait_for_log(f"{self.first} takes connections again")
            client = connect(self.daemon.port)
            self.addCleanup(client.close)
            client.send(sent)
            upstream = first.accept()
            while not (message := self.message_of(upstream)):
                upstream = first.accept()
            self.assertEqual((message.target, message.body), (b"/one/x?y", data))
            self.assertEqual(client.read_message().body, b"first")
        until(lambda: self.ask(sent).json()["size"] == len(data), "a response of the second server")

    def message_of(self, upstream: Peer) -> Message | None:
        """Answer the request of a connection; None if it is a check, which sends nothing."""
        try:
            return answer(upstream)
        except EOFError:
            return None

    def test_all_down(self) -> None:
        """If all are down, the client gets the reason; /health says so."""
        daemon = self.start_daemon(
            "--target", f"http://{self.first}", "--target", "http://127.0.0.1:9", "--connect-retry", "0"
        )
        received = self.ask(request("GET", "/x"), daemon)
        self.assertEqual((received.status, received.json()["error"]["code"]), (502, "upstream_unreachable"))
        health = self.ask(request("GET", "/health"), daemon)
        self.assertEqual((health.status, health.json()["status"]), (503, "degraded"))
        daemon.wait_for_log("No server takes connections now")

    def test_only_unsent(self) -> None:
        """A request that has reached a server is not sent again."""
        with Listener(port=self.port) as first:
            client = connect(self.daemon.port)
            self.addCleanup(client.close)
            client.send(request("GET", "/x"))
            upstream = first.accept()
            upstream.read_message()
            upstream.close()
            received = client.read_message()
            self.assertEqual((received.status, received.json()["error"]["code"]), (502, "upstream_closed"))
