"""
Answers that come before the request has been read: the client, still uploading, gets exactly that answer, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain

from ...e2e.forms import content_type
from ...e2e.message import CHUNKED, Header, chunked, counted, head, request
from ...e2e.raw import Ending, Peer
from .tools import ROUNDS, SOON_S, TRANSCRIPTIONS, FaultTestCase, Sending, finish, pieces, upload_head

#: Bytes that an upload announces; it stops a little short of them, so that no upload can become complete.
LENGTH = 6 << 20
BODY = b'{"error": {"message": "Audio file is too large.", "code": "too_large"}}'


def by_length(body: bytes) -> tuple[list[Header], bytes]:
    return [counted(body)], body


def by_chunks(body: bytes) -> tuple[list[Header], bytes]:
    return [CHUNKED], chunked([body[:5], body[5:]])


def by_close(body: bytes) -> tuple[list[Header], bytes]:
    return [(b"Connection", b"close")], body


Framing = Callable[[bytes], tuple[list[Header], bytes]]


class EarlyAnswers(FaultTestCase):
    """Before a form of 6 MB."""

    config = '{"language": "zh"}'

    def refuse(
        self,
        length: int | None,
        start: bytes,
        framing: Framing,
        parted: bool,
        after: Callable[[Peer], object],
        path: str = TRANSCRIPTIONS,
    ) -> None:
        """
        One early answer.

        :param length: of the upload; None for a chunked one.
        :param start: the answer's first line.
        :param parted: its body leaves the upstream only when the client has its head.
        :param after: what the upstream does then.
        """
        client = self.connect()
        client.send(upload_head(length, path))
        with Sending(client, pieces(LENGTH - (1 << 16), length is None)):
            upstream = self.listener.accept()
            upstream.read_head()
            upstream.read_some()
            headers, body = framing(BODY)
            begun = time.monotonic()
            if parted:
                upstream.send(head(start, headers))
                answer = client.read_head()
                upstream.send(body)
                after(upstream)
            else:
                upstream.send(head(start, headers) + body)
                after(upstream)
                answer = client.read_head()
            self.assertEqual((answer.start, finish(client, answer).body), (start, BODY))
            self.assertLess(time.monotonic() - begun, SOON_S)
            self.assertEqual(answer.values(b"Connection"), [b"close"])
            self.assert_closed(client)
            self.assert_incomplete(upstream.received, length)

    def rounds(self) -> Iterator[tuple[int | None, bytes, bool]]:
        """The kinds of uploads and answers, again and again."""
        for number in range(ROUNDS):
            length = None if number % 4 == 3 else LENGTH
            start = b"HTTP/1.1 401 Unauthorized" if number % 3 == 2 else b"HTTP/1.1 413 Content Too Large"
            yield length, start, number % 2 == 1

    def test_upstream_closes(self) -> None:
        """The upstream closes over unread bytes, so its system resets the connection."""
        for length, start, parted in self.rounds():
            self.refuse(length, start, by_length, parted, Peer.close)

    def test_ends_with_the_connection(self) -> None:
        """The answer has no length: it ends with the upstream's FIN, and the client is told where by chunks."""
        for length, start, parted in self.rounds():
            self.refuse(length, start, by_close, parted, Peer.shut)

    def test_upstream_stays(self) -> None:
        """The upstream neither reads on nor closes."""
        for length, start, parted in self.rounds():
            self.refuse(length, start, by_length, parted, lambda _: None)
            self.assert_ends(self.listener.peers[-1])

    def test_upstream_reads_on(self) -> None:
        """The upstream reads on, to the end of what it is sent: the connection ends soon, the upload incomplete."""
        for length, start, parted in self.rounds():
            self.refuse(length, start, by_chunks, parted, self.assert_ends_now)

    def test_other_requests(self) -> None:
        """It is the same for a request that passes untouched."""
        for length, start, parted in self.rounds():
            self.refuse(length, start, by_chunks if parted else by_length, parted, Peer.close, "/v1/files")

    def assert_ends_now(self, upstream: Peer) -> None:
        self.assert_ends(upstream)

    def test_client_reads_last(self) -> None:
        """A client that looks for an answer only after its whole upload finds it: it was not reset away."""
        for number in range(ROUNDS):
            client = self.connect()
            client.send(upload_head(LENGTH))
            with Sending(client, pieces(LENGTH - (1 << 16), False)) as sending:
                upstream = self.listener.accept()
                upstream.read_head()
                upstream.send(head(b"HTTP/1.1 413 Content Too Large", [counted(BODY)]) + BODY)
                if number % 2:
                    upstream.close()
                sending.join()
                self.assertEqual(sending.sent, LENGTH - (1 << 16), "the upload was cut off")
                self.assertEqual(client.read_message().body, BODY)
                self.assert_closed(client)

    def test_complete_upload_after_the_head(self) -> None:
        """Where the upload becomes complete between the head and the body of the answer, there is one answer, too."""
        client = self.connect()
        client.send(upload_head(len(self.opening())))
        upstream = self.listener.accept()
        upstream.read_head()
        upstream.send(head(b"HTTP/1.1 413 Content Too Large", [counted(BODY)]))
        client.read_head()
        client.send(self.opening()[-10:])
        upstream.send(BODY)
        self.assertEqual(client.read_exactly(len(BODY)), BODY)
        self.assert_closed(client)

    @staticmethod
    def opening() -> bytes:
        """A body of which `upload_head` has sent all but ten bytes."""
        return upload_head(1).partition(b"\r\n\r\n")[2] + b"0123456789"

    def test_success(self) -> None:
        """A whole 200 that does not wait for the request's end is that request's answer, too."""
        for number in range(ROUNDS):
            parted = number % 2 == 1
            self.refuse(LENGTH, b"HTTP/1.1 200 OK", by_length, parted, lambda _: None)
            self.assert_ends(self.listener.peers[-1])

    def test_success_while_uploading(self) -> None:
        """Of a 200 that has begun, the upload goes on to its end, and so does the answer."""
        client = self.connect()
        body = b"a" * 3_000_000
        client.send(head(b"POST /v1/live HTTP/1.1", [(b"Host", b"x"), counted(body)]))
        upstream = self.listener.accept()
        upstream.read_head()
        upstream.send(head(b"HTTP/1.1 200 OK", [CHUNKED]) + b"5\r\nfirst\r\n")
        self.assertEqual(client.read_head().status, 200)
        with Sending(client, iter([body])) as sending:
            self.assertEqual(upstream.read_exactly(len(body)), body)
            sending.join()
            upstream.send(b"4\r\nlast\r\n0\r\n\r\n")
            self.assertIn(b"last", client.read_until(b"0\r\n\r\n"))
            self.assert_closed(client)

    def test_large_answer(self) -> None:
        """An early answer larger than what sockets hold arrives whole at a client that reads it after its upload."""
        body = bytes(range(256)) * 16384
        client = self.narrow()
        client.send(upload_head(LENGTH))
        with Sending(client, pieces(LENGTH - (1 << 16), False)) as sending:
            upstream = self.listener.accept()
            upstream.read_head()
            with Sending(upstream, iter([head(b"HTTP/1.1 413 Content Too Large", [counted(body)]), body])):
                sending.join()
                self.assertEqual(client.read_message().body, body)
                self.assert_closed(client)

    def test_bad_form(self) -> None:
        """The proxy's own early answer, to a form that it cannot read, is no different."""
        for _ in range(ROUNDS):
            client = self.connect()
            client.send(request("POST", TRANSCRIPTIONS, content_type(), (b"Content-Length", b"%d" % LENGTH)))
            with Sending(client, chain([b"no form at all"], pieces(LENGTH - (1 << 17), False))):
                answer = client.read_message()
                self.assertEqual((answer.status, answer.values(b"Connection")), (400, [b"close"]))
                self.assert_closed(client)
                upstream = self.listener.accept()
                self.assert_ends(upstream)
                self.assert_incomplete(upstream.received, LENGTH)

    def test_keeps_on(self) -> None:
        """After all this nothing is in flight, and the upstream's failures were none."""
        self.refuse(LENGTH, b"HTTP/1.1 413 Content Too Large", by_length, True, Peer.close)
        self.assert_works()
        self.assertEqual(self.daemon.stats()["upstream_errors"], {})


class ShortDrain(FaultTestCase):
    """A client that goes on uploading after the answer is given one second for it."""

    options = ("--drain-timeout", "1")

    def test_upload_without_end(self) -> None:
        """An upload that does not stop after the answer is cut off in the end; the answer had come before."""
        client = self.connect()
        client.send(upload_head(1 << 40))
        with Sending(client, pieces(1 << 40, False)) as sending:
            upstream = self.listener.accept()
            upstream.read_head()
            upstream.send(head(b"HTTP/1.1 413 Content Too Large", [counted(BODY)]) + BODY)
            self.assertEqual(client.read_message().body, BODY)
            self.assertEqual((client.read_to_end(), client.ending), (b"", Ending.FIN))
            sending.join(1 + SOON_S)
            self.assertTrue(sending.over)
        self.assert_works()
