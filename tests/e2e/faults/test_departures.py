"""
Client disconnects: the upstream request is aborted within a second, and never looks complete.
"""

from __future__ import annotations

from collections.abc import Callable

from ...e2e.message import CHUNKED, counted, head, request
from ...e2e.process import until
from ...e2e.raw import Peer
from .tools import SOON_S, FaultTestCase, Sending, pieces, reset_while_sending, still, upload_head

Leave = Callable[[Peer], None]
#: The ways to disconnect: close; half-close; reset.
WAYS: tuple[Leave, ...] = (Peer.close, Peer.shut, Peer.reset)
LENGTH = 1 << 30


class DisconnectTestCase(FaultTestCase):
    """Base class: tests of disconnecting clients."""

    def assert_aborted(self, upstream: Peer, length: int | None) -> None:
        """Check that the upstream's connection ends with an incomplete request, and that no state is left."""
        self.assert_ends(upstream)
        self.assert_incomplete(upstream.received, length)
        self.assert_nothing_left()

    def assert_nothing_left(self) -> None:
        """Check that no request is in flight and no connection open, except this check's own."""

        def alone() -> bool:
            stats = self.daemon.stats()
            return stats["in_flight"] == 1 and stats["connections"] == 1

        until(alone, "the end of what the client has left", SOON_S)


class Disconnects(DisconnectTestCase):
    """The client disconnects in every phase of a request, in every way."""

    config = '{"language": "zh"}'

    def test_before_the_head_is_complete(self) -> None:
        """An incomplete head is not forwarded."""
        for leave in WAYS:
            for sent in (b"", b"P", request("POST", "/x")[:-2], request("POST", "/x")[:-1]):
                client = self.connect()
                client.send(sent)
                self.catch_up()
                leave(client)
                self.assert_nothing_left()
                self.assertIsNone(self.listener.accept_waiting())

    def test_in_mid_upload(self) -> None:
        """An aborted upload is incomplete: shorter than its length, or without the last chunk."""
        for leave in WAYS:
            for length in (LENGTH, None):
                client = self.connect()
                client.send(upload_head(length), next(pieces(1 << 16, length is None)))
                upstream = self.listener.accept()
                upstream.read_exactly(60_000)
                leave(client)
                self.assert_aborted(upstream, length)

    def test_between_two_chunks(self) -> None:
        """A chunked upload that stops between two chunks is incomplete."""
        for leave in WAYS:
            client = self.connect()
            client.send(request("POST", "/v1/files", CHUNKED) + b"5\r\nwhole\r\n")
            upstream = self.listener.accept()
            upstream.read_until(b"whole\r\n")
            leave(client)
            self.assert_aborted(upstream, None)

    def test_in_the_last_chunk(self) -> None:
        """A chunked upload that stops within the last chunk is incomplete."""
        for leave in WAYS:
            for sent in (b"0", b"0\r\n", b"0\r\n\r", b"0\r\nSome: trailer\r\n"):
                client = self.connect()
                client.send(request("POST", "/v1/files", CHUNKED) + b"5\r\nwhole\r\n" + sent)
                upstream = self.listener.accept()
                upstream.read_until(b"whole\r\n")
                leave(client)
                self.assert_aborted(upstream, None)

    def test_one_byte_short(self) -> None:
        """A form without its last byte is incomplete."""
        body = upload_head(1).partition(b"\r\n\r\n")[2] + b"data\r\n--"
        for leave in WAYS:
            client = self.connect()
            client.send(request("POST", "/v1/files", (b"Content-Length", b"%d" % (len(body) + 1))) + body)
            upstream = self.listener.accept()
            upstream.read_until(body)
            leave(client)
            self.assert_aborted(upstream, len(body) + 1)

    def test_while_held_back(self) -> None:
        """A disconnect is noticed although the client is paused, because the upstream does not read."""
        for length in (LENGTH, None):
            client = self.connect()
            client.send(upload_head(length))
            with Sending(client, pieces(1 << 28, length is None)) as sending:
                upstream = self.listener.accept()
                upstream.read_head()
                still(lambda sending=sending: sending.sent)
                reset_while_sending(client)
                self.assert_nothing_left()
            self.assert_aborted(upstream, length)

    def test_while_waiting(self) -> None:
        """While the upstream processes the request, its connection is closed at once, so that it can stop."""
        for leave in WAYS:
            client = self.connect()
            client.send(request("POST", "/v1/files", counted(b"whole")) + b"whole")
            upstream = self.listener.accept()
            upstream.read_message()
            leave(client)
            self.assert_ends(upstream)
            self.assertEqual(upstream.unread, b"")
            self.assert_nothing_left()

    def test_in_mid_response(self) -> None:
        """During the response, the upstream connection is closed."""
        for leave in WAYS:
            for headers in ([CHUNKED], [(b"Content-Length", b"%d" % LENGTH)], []):
                client = self.connect()
                client.send(request("GET", "/v1/models"))
                upstream = self.listener.accept()
                upstream.read_message()
                upstream.send(head(b"HTTP/1.1 200 OK", headers) + b"5\r\nfirst\r\n")
                client.read_until(b"first")
                leave(client)
                self.assert_ends(upstream)
                self.assert_nothing_left()

    def test_while_it_does_not_read(self) -> None:
        """The same holds if the response is paused because the client does not read it."""
        for leave in WAYS:
            client = self.narrow()
            client.send(request("GET", "/v1/models"))
            upstream = self.listener.accept()
            upstream.read_message()
            answer = head(b"HTTP/1.1 200 OK", [(b"Content-Length", b"%d" % LENGTH)])
            with Sending(upstream, iter([answer, *pieces(1 << 27, False)])) as sending:
                still(lambda sending=sending: sending.sent)
                leave(client)
                self.assert_nothing_left()
                sending.join(SOON_S)
                self.assertTrue(sending.over)

    def test_in_the_pipeline(self) -> None:
        """Pipelined requests after the one in service are never forwarded."""
        for leave in WAYS:
            client = self.connect()
            client.send(request("GET", "/first") + request("GET", "/second") + request("GET", "/third"))
            upstream = self.listener.accept()
            self.assertEqual(upstream.read_message().target, b"/first")
            leave(client)
            self.assert_ends(upstream)
            self.assertEqual(upstream.unread, b"")
            self.assert_nothing_left()
            self.assertIsNone(self.listener.accept_waiting())

    def test_counted(self) -> None:
        """Each disconnect is counted and logged as such, not as a response."""
        before = self.daemon.stats()
        self.test_while_waiting()
        after = self.daemon.stats()
        self.assertEqual(after["clients_gone"], before["clients_gone"] + len(WAYS))
        self.assertEqual(after["upstream_errors"], {})


class DisconnectsInTheQueue(DisconnectTestCase):
    """The client disconnects while another request has the only allowed upstream connection."""

    options = ("--max-connections", "1")

    def test_while_it_waits_for_a_connection(self) -> None:
        """A client that disconnects leaves the queue, in the middle of its upload or after it."""
        first = self.connect()
        first.send(request("GET", "/first"))
        upstream = self.listener.accept()
        upstream.read_message()
        for leave in WAYS:
            for length in (5, LENGTH, None):
                client = self.connect()
                body = b"whole" if length == 5 else b"64\r\n" + b"a" * 100
                framing = CHUNKED if length is None else (b"Content-Length", b"%d" % length)
                client.send(request("POST", "/left", framing) + body)
                until(lambda: self.daemon.stats()["in_flight"] == 3, "the second request in flight")
                leave(client)
                until(lambda: self.daemon.stats()["in_flight"] == 2, "the end of the one that left", SOON_S)
        last = self.connect()
        last.send(request("GET", "/last"))
        until(lambda: self.daemon.stats()["in_flight"] == 3, "the last request in flight")
        upstream.send(head(b"HTTP/1.1 200 OK", [(b"Content-Length", b"0")]))
        self.assertEqual(first.read_message().status, 200)
        self.assertEqual(upstream.read_message().target, b"/last")
        upstream.send(head(b"HTTP/1.1 200 OK", [(b"Content-Length", b"0")]))
        self.assertEqual(last.read_message().status, 200)


class DisconnectsAfterTheResponse(DisconnectTestCase):
    """
    The client disconnects after the response; in a separate class, because a daemon keeps what it learned about an
    upstream's idle timeout.
    """

    def test_after_the_answer(self) -> None:
        """If a client closes after its response, the upstream connection stays in the pool."""
        upstream: Peer | None = None
        for leave in WAYS * 3:
            client = self.connect()
            client.send(request("GET", "/v1/models"))
            upstream = upstream or self.listener.accept()
            upstream.read_message()
            upstream.send(head(b"HTTP/1.1 200 OK", [counted(b"ok")]) + b"ok")
            client.read_message()
            leave(client)
            self.assert_nothing_left()
            self.assertIsNone(upstream.ending)
