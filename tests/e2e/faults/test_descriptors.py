"""
A daemon with few file descriptors.
"""

from __future__ import annotations

from typing import Any

from ...e2e.case import StagedTestCase
from ...e2e.daemon import Daemon
from ...e2e.message import counted, head, request
from ...e2e.process import until
from ...e2e.raw import Listener, connect
from .tools import TRANSCRIPTIONS

OK = head(b"HTTP/1.1 200 OK", [counted(b"ok")]) + b"ok"


class FewDescriptors(StagedTestCase):
    """The hard limit is 64, which is enough for 16 clients."""

    def setUp(self) -> None:
        self.upstream = Listener()
        self.addCleanup(self.upstream.close)
        target = ("--target", f"http://127.0.0.1:{self.upstream.port}")
        self.daemon: Daemon = self.start_daemon(*target, config="{}", open_files=64)

    def client(self) -> Any:
        """Return a new client."""
        client = connect(self.daemon.port)
        self.addCleanup(client.close)
        return client

    def one_more(self) -> bool:
        """Add a client; return whether it was accepted."""
        client = self.client()
        client.send_while_taken([request("GET", "/stats")])
        return client.read_message().status == 200

    def test_full(self) -> None:
        """In a burst of clients, all up to the limit are served, and the others get 503 at once."""
        served = [self.client() for _ in range(15)]
        for client in served:
            client.send(request("GET", "/x"))
        # Before that, the connection of the start check may still count.
        until(self.one_more, "a sixteenth client")
        upstreams = [self.upstream.accept() for _ in served]
        for number in range(100):
            refused = self.client()
            if number % 2:
                refused.send_while_taken([request("POST", TRANSCRIPTIONS, (b"Content-Length", b"9999")), b"x" * 1000])
            answer = refused.read_message()
            self.assertEqual((answer.status, answer.values(b"Retry-After")), (503, [b"1"]))
            self.assertIn(b'"code": "out_of_descriptors"', answer.body)
            refused.close()
        with open(self.daemon.path, "w") as file:
            file.write('{"language": "zh"}')
        self.daemon.wait_for_log("in force .generation 2")
        for upstream in upstreams:
            upstream.read_message()
            upstream.send(OK)
        for client in served:
            self.assertEqual(client.read_message().body, b"ok")
            client.close()
        until(lambda: "max_clients" in self.daemon.stats(), "room for another client")
        stats = self.daemon.stats()
        self.assertEqual((stats["max_clients"], stats["descriptors"]["limit"]), (16, 64))
        self.assertGreaterEqual(stats["clients_refused"], 100)
        self.assertEqual((stats["upstream_errors"], stats["config"]["error"]), ({}, None))
        self.assertEqual(self.daemon.log().count("there is room for no more"), 1)
        self.assertNotIn("EMFILE", self.daemon.log())
