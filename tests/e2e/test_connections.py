"""
Connections persist after a response, on both sides, for every kind of response.
"""

from __future__ import annotations

from .case import RawTestCase
from .forms import noise
from .message import CHUNKED, Header, chunked, counted, head, request
from .raw import Listener, Peer, connect

OK = head(b"HTTP/1.1 200 OK", [(b"Content-Length", b"2")]) + b"ok"


class KeptConnections(RawTestCase):
    """Each test has its own daemon, with an empty pool that keeps connections for the whole test."""

    def setUp(self) -> None:
        listener = Listener()
        self.addCleanup(listener.close)
        target = ("--target-host", "127.0.0.1", "--target-port", str(listener.port))
        self.own = self.start_daemon(*target, "--pool-idle", "1000")
        self.client = connect(self.own.port)
        self.addCleanup(self.client.close)
        self.upstreams = listener

    def tearDown(self) -> None:
        """No stage to tidy up."""

    def begin(self, method: str = "GET") -> Peer:
        """Return the upstream's end of the first connection, after the client's request was read."""
        self.client.send(request(method, "/first"))
        upstream = self.upstreams.accept()
        upstream.read_message()
        return upstream

    def assert_kept(self, upstream: Peer) -> None:
        """Check that another request uses the same two connections, and that no bytes remain unread."""
        self.client.send(request("GET", "/next"))
        self.assertEqual(upstream.read_message().start, b"GET /next HTTP/1.1")
        upstream.send(OK)
        answer = self.client.read_message()
        self.assertEqual(
            (answer.start, answer.passed, answer.body), (b"HTTP/1.1 200 OK", [(b"Content-Length", b"2")], b"ok")
        )
        self.assertEqual(self.client.unread, b"")
        self.assertIsNone(self.upstreams.accept_waiting())

    def test_bodies(self) -> None:
        """After bodies with a length and in chunks the connections persist."""
        upstream = self.begin()
        for headers, body in (
            ([counted(b"body")], b"body"),
            ([counted(b"")], b""),
            ([CHUNKED], chunked([b"one", b"two"])),
            ([CHUNKED], chunked([])),
        ):
            with self.naming(headers):
                upstream.send(head(b"HTTP/1.1 200 OK", headers) + body)
                self.assertEqual(len(self.client.read_message().body), 4 * bool(b"body" in body) + 6 * (b"one" in body))
                self.client.send(request("GET", "/again"))
                upstream.read_message()
        upstream.send(OK)
        self.client.read_message()
        self.assert_kept(upstream)

    def test_large_bodies(self) -> None:
        """The same holds for bodies that come faster than the client reads, so that the upstream is paused."""
        body = noise(3_000_000)
        upstream = self.begin()
        for _ in range(3):
            self.send_apart(upstream, head(b"HTTP/1.1 200 OK", [counted(body)]) + body)
            self.assertEqual(self.client.read_message().raw_body, body)
            self.assert_kept(upstream)
            self.client.send(request("GET", "/large"))
            upstream.read_message()

    def test_large_uploads(self) -> None:
        """The same holds for uploads that come faster than the upstream reads."""
        body = noise(3_000_000)
        upstream = self.begin()
        upstream.send(OK)
        self.client.read_message()
        for _ in range(3):
            self.send_apart(self.client, request("POST", "/upload", counted(body)) + body)
            self.assertEqual(upstream.read_message().raw_body, body)
            upstream.send(OK)
            self.assertEqual(self.client.read_message().raw_body, b"ok")
            self.assert_kept(upstream)

    def test_head(self) -> None:
        """The response to HEAD has the headers of GET, Content-Length included, and no body."""
        upstream = self.begin("HEAD")
        headers = [(b"Content-Length", b"1234"), (b"ETag", b'"x"')]
        upstream.send(head(b"HTTP/1.1 200 OK", headers))
        self.assertEqual(self.client.read_message(bodiless=True).passed, headers)
        self.assert_kept(upstream)

    def test_no_content_and_not_modified(self) -> None:
        """204 and 304 have no body, whatever their head says."""
        cases: list[tuple[bytes, list[Header]]] = [
            (b"HTTP/1.1 204 No Content", []),
            (b"HTTP/1.1 304 Not Modified", [(b"ETag", b'"x"')]),
            (b"HTTP/1.1 304 Not Modified", [(b"Content-Length", b"1234")]),
        ]
        upstream = self.begin()
        for line, headers in cases:
            with self.naming(line):
                upstream.send(head(line, headers))
                received = self.client.read_message()
                self.assertEqual((received.start, received.passed), (line, headers))
                self.assert_kept(upstream)
                self.client.send(request("GET", "/again"))
                upstream.read_message()

    def test_two_clients(self) -> None:
        """An upstream connection of one client's request is reused for another client's."""
        upstream = self.begin()
        upstream.send(OK)
        self.client.read_message()
        self.client.close()
        self.client = connect(self.own.port)
        self.addCleanup(self.client.close)
        self.assert_kept(upstream)
