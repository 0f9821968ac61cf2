"""
Early responses: a client that is still uploading gets exactly that response, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain

from ...e2e.forms import content_type
from ...e2e.message import CHUNKED, Header, chunked, counted, head, request
from ...e2e.raw import Ending, Peer
from .tools import ROUNDS, SOON_S, TRANSCRIPTIONS, FaultTestCase, Sending, finish, pieces, upload_head

#: The announced size of an upload in bytes; tests send slightly less, so that no upload becomes complete.
LENGTH = 6 << 20
BODY = b'{"error": {"message": "Audio file is too large.", "code": "too_large"}}'


def by_length(body: bytes) -> tuple[list[Header], bytes]:
    return [counted(body)], body


def by_chunks(body: bytes) -> tuple[list[Header], bytes]:
    return [CHUNKED], chunked([body[:5], body[5:]])


def by_close(body: bytes) -> tuple[list[Header], bytes]:
    return [(b"Connection", b"close")], body


Framing = Callable[[bytes], tuple[list[Header], bytes]]


class EarlyResponses(FaultTestCase):
    """Early responses to a form of 6 MB."""

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
        Exchange one early response.

        :param length: the announced length of the upload; None for a chunked one.
        :param start: the response's first line.
        :param parted: the upstream sends the body only when the client has the head.
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
        """Yield the kinds of uploads and responses, repeatedly."""
        for number in range(ROUNDS):
            length = None if number % 4 == 3 else LENGTH
            start = b"HTTP/1.1 401 Unauthorized" if number % 3 == 2 else b"HTTP/1.1 413 Content Too Large"
            yield length, start, number % 2 == 1

    def test_upstream_closes(self) -> None:
        """The upstream closes with unread bytes, so its system resets the connection."""
        for length, start, parted in self.rounds():
            self.refuse(length, start, by_length, parted, Peer.close)

    def test_ends_with_the_connection(self) -> None:
        """A response without a length ends with the upstream's FIN, and reaches the client chunked."""
        for length, start, parted in self.rounds():
            self.refuse(length, start, by_close, parted, Peer.shut)

    def test_upstream_stays(self) -> None:
        """The upstream neither reads on nor closes."""
        for length, start, parted in self.rounds():
            self.refuse(length, start, by_length, parted, lambda _: None)
            self.assert_ends(self.listener.peers[-1])

    def test_upstream_reads_on(self) -> None:
        """The upstream reads to the end of the bytes: the connection ends soon, with an incomplete upload."""
        for length, start, parted in self.rounds():
            self.refuse(length, start, by_chunks, parted, self.assert_ends_now)

    def test_other_requests(self) -> None:
        """The same holds for a request that is not rewritten."""
        for length, start, parted in self.rounds():
            self.refuse(length, start, by_chunks if parted else by_length, parted, Peer.close, "/v1/files")

    def assert_ends_now(self, upstream: Peer) -> None:
        self.assert_ends(upstream)

    def test_client_reads_last(self) -> None:
        """A client that reads only after its whole upload gets the response: it is not lost to a reset."""
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
        """If the upload is completed between the response's head and its body, the client also gets one response."""
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
        """Return a body of which `upload_head` has sent all but ten bytes."""
        return upload_head(1).partition(b"\r\n\r\n")[2] + b"0123456789"

    def test_success(self) -> None:
        """A complete 200 before the end of the request is relayed as its response, too."""
        for number in range(ROUNDS):
            parted = number % 2 == 1
            self.refuse(LENGTH, b"HTTP/1.1 200 OK", by_length, parted, lambda _: None)
            self.assert_ends(self.listener.peers[-1])

    def test_success_while_uploading(self) -> None:
        """After a 200 has begun, the upload and the response both continue to their end."""
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
        """An early response larger than the socket buffers reaches a client that reads it after its upload."""
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
        """The proxy's own early error, for a malformed form, is handled in the same way."""
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
        """After all this no request is in flight, and no upstream failure was counted."""
        self.refuse(LENGTH, b"HTTP/1.1 413 Content Too Large", by_length, True, Peer.close)
        self.assert_works()
        self.assertEqual(self.daemon.stats()["upstream_errors"], {})


class ShortDrain(FaultTestCase):
    """A client may go on uploading for one second after the response."""

    options = ("--drain-timeout", "1")

    def test_upload_without_end(self) -> None:
        """An upload without end is aborted after that time; the client has got the response before."""
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
