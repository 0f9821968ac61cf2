"""
Failing upstreams: a partial response never looks complete, and a missing response is a 502 at once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import chain

from ...e2e.message import CHUNKED, Header, counted, head, request
from ...e2e.raw import Ending, Peer
from .tools import SOON_S, FaultTestCase, Sending, pieces, upload_head

LENGTH = 1 << 30
OK = b"HTTP/1.1 200 OK"

#: The head of a response, and the part sent before the premature close, by the name of the framing.
PARTS: dict[str, tuple[list[Header], bytes]] = {
    "length short": ([(b"Content-Length", b"10")], b"12345"),
    "length one short": ([(b"Content-Length", b"6")], b"12345"),
    "no last chunk": ([CHUNKED], b"5\r\n12345\r\n"),
    "in a chunk": ([CHUNKED], b"9\r\n12345"),
    "before the end of a chunk": ([CHUNKED], b"5\r\n12345"),
    "in the last chunk": ([CHUNKED], b"5\r\n12345\r\n0\r\n"),
    "in the trailers": ([CHUNKED], b"5\r\n12345\r\n0\r\nSome: trailer\r\n"),
}


class PrematureCloses(FaultTestCase):
    """After a premature close in the middle of a response, the client's connection fails too."""

    def close_early(self, sent: bytes, headers: list[Header], part: bytes, leave: Callable[[Peer], None]) -> Peer:
        """Return the client of a failing response, once it has the beginning."""
        client = self.connect()
        client.send(sent)
        upstream = self.listener.accept()
        upstream.read_message()
        upstream.send(head(OK, headers) + part)
        client.read_until(b"12345")
        leave(upstream)
        return client

    def assert_broken(self, client: Peer) -> None:
        """Check that the connection ends soon, and that the response is incomplete."""
        self.assert_ends(client)
        answer = bytes(client.received)
        if b"Transfer-Encoding: chunked\r\n" in answer:
            self.assertFalse(answer.endswith(b"0\r\n\r\n"), answer)
        elif b"Content-Length" not in answer:
            self.assertIs(client.ending, Ending.RESET)

    def test_every_framing(self) -> None:
        """After a FIN and after a RST, in each framing: the length falls short, the last chunk is missing."""
        for leave in (Peer.close, Peer.reset):
            for headers, part in PARTS.values():
                self.assert_broken(self.close_early(request("GET", "/"), headers, part, leave))

    def test_http_1_0_client(self) -> None:
        """An HTTP/1.0 client gets no chunks; a reset shows it that its response is incomplete."""
        for leave in (Peer.close, Peer.reset):
            for headers, part in PARTS.values():
                client = self.close_early(b"GET / HTTP/1.0\r\n\r\n", headers, part, leave)
                self.assert_broken(client)
                self.assertIs(client.ending, Ending.RESET)

    def test_reset_of_a_close_delimited_answer(self) -> None:
        """If a response that ends with its connection is reset, clients of both versions see an incomplete response."""
        for version in (b"HTTP/1.1", b"HTTP/1.0"):
            client = self.close_early(b"GET / %b\r\nHost: x\r\n\r\n" % version, [], b"12345", Peer.reset)
            self.assert_broken(client)

    def test_end_of_a_close_delimited_answer(self) -> None:
        """If such a response ends with a FIN, it is complete for both."""
        client = self.close_early(request("GET", "/"), [], b"12345", Peer.close)
        self.assertEqual(client.read_until(b"0\r\n\r\n"), b"\r\n0\r\n\r\n")
        client = self.close_early(b"GET / HTTP/1.0\r\n\r\n", [], b"12345", Peer.close)
        self.assert_closed(client)

    def test_chunks_that_make_no_sense(self) -> None:
        """Malformed chunks abort the response."""
        for part in (b"zz\r\n", b"3\r\nabcd\r\n", b"-1\r\n", b"1" * 20 + b"\r\n", b"\r\n", b"5;" + b"x" * 10_000):
            first = b"5\r\n12345\r\n"
            client = self.close_early(request("GET", "/"), [CHUNKED], first, lambda peer, part=part: peer.send(part))
            self.assert_broken(client)
            self.assert_ends(self.listener.peers[-1])

    def test_slow_reader(self) -> None:
        """A slow client gets the bytes that had arrived, and then sees that the response is incomplete."""
        client = self.narrow()
        client.send(request("GET", "/"))
        upstream = self.listener.accept()
        upstream.read_message()
        body = b"x" * 400_000
        upstream.send(head(OK, [(b"Content-Length", b"%d" % (len(body) + 1))]) + body)
        upstream.close()
        self.assertLess(len(client.read_to_end().partition(b"\r\n\r\n")[2]), len(body) + 1)
        self.assert_works()


#: Responses that are not HTTP, or that cannot be relayed.
GARBAGE = {
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "binary": bytes(range(256)) + b"\r\n\r\n",
    "HTTP/0.9": b"<html>it works</html>\r\n\r\n",
    "version": b"HTTP/2.0 200 OK\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "status": b"HTTP/1.1 20 OK\r\n\r\n",
    "long status": b"HTTP/1.1 2000 OK\r\n\r\n",
    "space": b"HTTP/1.1  200 OK\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nab",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "folding": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 12_000,
    "long head": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 66_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "long line": b"H" * 70_000,
    # Never complete, if the reader waits for the end of the head.
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "another protocol's line": b"220 mail.test ESMTP\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
}


class NoResponse(FaultTestCase):
    """An upstream without a valid response: the client gets 502 at once, also during the upload."""

    config = '{"language": "zh"}'
    # A connection that is reset as it is accepted looks like a failed attempt, and would be tried again.
    options = ("--connect-retry", "0")

    def assert_bad_gateway(self, client: Peer, begun: float, *codes: str) -> None:
        """Check that the client gets 502 and the reason in time."""
        answer = client.read_message()
        self.assertLess(time.monotonic() - begun, SOON_S)
        self.assertEqual(answer.status, 502)
        self.assertIn(json.loads(answer.body)["error"]["code"], codes)

    def test_closes(self) -> None:
        """The upstream closes before or after it has read the request, or within the head of its response."""
        for leave in (Peer.close, Peer.reset):
            for part in (b"", b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r"):
                client = self.connect()
                client.send(request("GET", "/"))
                upstream = self.listener.accept()
                upstream.read_message()
                upstream.send(part)
                leave(upstream)
                self.assert_bad_gateway(client, time.monotonic(), "upstream_closed")
                client.send(request("GET", "/stats"))
                self.assertEqual(client.read_message().status, 200, "a whole request's connection lives on")

    def test_closes_in_mid_upload(self) -> None:
        """The client gets 502 although it is still uploading."""
        for leave in (Peer.close, Peer.reset):
            for length in (LENGTH, None):
                client = self.connect()
                client.send(upload_head(length))
                with Sending(client, pieces(1 << 23, length is None)):
                    upstream = self.listener.accept()
                    upstream.read_head()
                    begun = time.monotonic()
                    leave(upstream)
                    self.assert_bad_gateway(client, begun, "upstream_closed")
                    self.assert_closed(client)

    def test_closes_as_it_accepts(self) -> None:
        """The upstream closes each connection at once."""
        for leave in (Peer.close, Peer.reset):
            client = self.connect()
            client.send(request("POST", "/x", counted(b"whole")) + b"whole")
            begun = time.monotonic()
            leave(self.listener.accept())
            # A connection that is reset at once may look like a failed connection attempt.
            self.assert_bad_gateway(client, begun, "upstream_closed", "upstream_unreachable")
            self.assertIsNone(self.listener.accept_waiting(), "nothing is sent twice")

    def test_garbage(self) -> None:
        """The upstream sends something that is not HTTP, or too much of it; its connection is closed."""
        for name, garbage in GARBAGE.items():
            client = self.connect()
            client.send(request("GET", "/"))
            upstream = self.listener.accept()
            upstream.read_message()
            begun = time.monotonic()
            with Sending(upstream, iter([garbage])):
                try:
                    self.assert_bad_gateway(client, begun, "bad_gateway")
                except AssertionError as error:
                    raise AssertionError(name) from error
                self.assert_ends(upstream)

    def test_garbage_in_mid_upload(self) -> None:
        """The same while the client uploads."""
        for number, garbage in enumerate(GARBAGE.values()):
            length = LENGTH if number % 2 else None
            client = self.connect()
            client.send(upload_head(length))
            with Sending(client, pieces(1 << 23, length is None)):
                upstream = self.listener.accept()
                upstream.read_head()
                begun = time.monotonic()
                with Sending(upstream, iter([garbage])):
                    self.assert_bad_gateway(client, begun, "bad_gateway")
                    self.assert_closed(client)
                    self.assert_ends(upstream)
                self.assert_incomplete(upstream.received, length)

    def test_counted(self) -> None:
        """Each failure is counted by its kind."""
        before = self.daemon.stats()["upstream_errors"].get("bad_gateway", 0)
        self.test_garbage()
        self.assertEqual(self.daemon.stats()["upstream_errors"]["bad_gateway"], before + len(GARBAGE))
        self.assert_works()


class NoListener(FaultTestCase):
    """No server listens at the upstream's address."""

    def test_refused(self) -> None:
        """The client gets 502 at once, before its upload, and its connection does not hang."""
        self.listener.close()
        for length in (LENGTH, None):
            client = self.connect()
            client.send(upload_head(length))
            begun = time.monotonic()
            with Sending(client, chain(pieces(1 << 23, length is None))):
                answer = client.read_message()
                self.assertEqual(answer.status, 502)
                self.assertEqual(json.loads(answer.body)["error"]["code"], "upstream_unreachable")
                self.assertLess(time.monotonic() - begun, SOON_S)
                self.assert_closed(client)

    def tearDown(self) -> None:
        """The listener has no connections to close."""
