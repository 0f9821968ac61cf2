"""
Either end ends an exchange early: the other one notices, and never takes a part for the whole.
"""

from __future__ import annotations

from collections.abc import Callable

from ..faults.tools import still
from ..message import CHUNKED
from .case import TRANSCRIPTIONS, PairingTestCase, answer, asked, length_of
from .connection import BrokenExchangeError
from .exchange import Exchange
from .forms import OPENING, PIECE, pieces

Leave = Callable[[Exchange], None]
GIGABYTE = 1 << 30


def drop(exchange: Exchange) -> None:
    """End the connection."""
    exchange.connection.drop()


#: Seconds without progress after which a transfer counts as paused.
STILL_S = 0.1
#: The ways to end an exchange, by version: in HTTP/2 its stream is reset, or its connection is lost.
WAYS: dict[int, tuple[Leave, ...]] = {1: (drop,), 2: (Exchange.abort, drop)}
#: Targets and lengths.
UPLOADS = [("/v1/files", None), (TRANSCRIPTIONS, GIGABYTE)]


class ClientAborts(PairingTestCase):
    """The client aborts: the upstream's exchange is aborted too, and nothing is left in the daemon."""

    def assert_aborted(self, upstream: Exchange) -> None:
        """Check that the upstream got an incomplete request."""
        upstream.wait_stopped()
        self.assertFalse(upstream.complete)
        self.assert_idle()

    def test_in_mid_upload(self) -> None:
        """An aborted upload is incomplete at the upstream."""
        for leave in WAYS[self.pairing.client]:
            for target, length in UPLOADS:
                client = self.upload(length, target)
                client.send(OPENING + b"begin")
                upstream, _ = self.accept()
                upstream.read_until(b"begin")
                leave(client)
                self.assert_aborted(upstream)

    def test_while_paused(self) -> None:
        """The same while the upload is paused because the upstream does not read."""
        for leave in WAYS[self.pairing.client]:
            client = self.upload(GIGABYTE)
            sending = client.sending(pieces(GIGABYTE))
            upstream, _ = self.accept()
            still(lambda sending=sending: sending.sent, STILL_S)
            self.assertFalse(sending.over)
            leave(client)
            self.assert_idle()
            self.assert_aborted(upstream)

    def test_while_waiting(self) -> None:
        """While the upstream works on a complete request, it learns that no one waits for the response."""
        before = self.daemon.stats()["clients_gone"]
        for leave in WAYS[self.pairing.client]:
            client = self.ask(asked("POST", "/v1/files", length_of(5)), b"whole")
            upstream, _ = self.accept()
            upstream.read_body()
            leave(client)
            upstream.wait_stopped()
            self.assert_idle()
        self.assertEqual(self.daemon.stats()["clients_gone"], before + len(WAYS[self.pairing.client]))

    def test_in_mid_response(self) -> None:
        """The upstream's response is aborted, also when the client does not read it."""
        for leave in WAYS[self.pairing.client]:
            client = self.ask(asked("GET", "/v1/large"))
            upstream, _ = self.accept()
            upstream.send_head(answer(200, CHUNKED))
            client.read_head()
            sending = upstream.sending(pieces(GIGABYTE))
            still(lambda sending=sending: sending.sent, STILL_S)
            self.assertFalse(sending.over)
            leave(client)
            self.assertFalse(sending.wait())
            self.assert_idle()

    def test_others_go_on(self) -> None:
        """Another exchange is not touched, on the same connection where the version has several."""
        shared = self.connect()
        other = self.upload(None, connection=shared)
        other.send(b"begin")
        upstream, _ = self.accept()
        upstream.read_until(b"begin")
        for target, length in UPLOADS:
            client = self.upload(length, target, connection=shared if self.pairing.client == 2 else None)
            client.send(OPENING)
            aborted, _ = self.accept()
            client.abort()
            aborted.wait_stopped()
            other.send(b"more")
            upstream.read_until(b"more")
        other.end()
        self.assertEqual(upstream.read_body(), b"")
        upstream.respond(answer(200, body=b"ok"))
        self.assertEqual(other.read_message().body, b"ok")


class ServerAborts(PairingTestCase):
    """The upstream aborts: without a response the client gets 502, and a part of one never looks complete."""

    def test_in_mid_response(self) -> None:
        """The client gets the beginning, and sees that it is not all."""
        for leave in WAYS[self.pairing.server]:
            for length in (length_of(10), CHUNKED):
                client = self.ask(asked("GET", "/v1/models"))
                upstream, _ = self.accept()
                upstream.send_head(answer(200, length))
                upstream.send(b"begin")
                client.read_head()
                self.assertEqual(client.read_exactly(5), b"begin")
                leave(upstream)
                self.assertRaises(BrokenExchangeError, client.read_body)
                self.assert_idle()

    def test_slow_reader(self) -> None:
        """The same if the client has not read what came before."""
        for leave in WAYS[self.pairing.server]:
            client = self.ask(asked("GET", "/v1/large"))
            upstream, _ = self.accept()
            upstream.send_head(answer(200, length_of(GIGABYTE)))
            sending = upstream.sending(pieces(GIGABYTE))
            still(lambda sending=sending: sending.sent, STILL_S)
            leave(upstream)
            self.assertEqual(client.read_head().status, 200)
            self.assertRaises(BrokenExchangeError, client.swallow)
            self.assert_idle()

    def test_before_the_response(self) -> None:
        """A request that is complete gets 502."""
        for leave in WAYS[self.pairing.server]:
            client = self.ask(asked("POST", "/v1/files", length_of(5)), b"whole")
            upstream, _ = self.accept()
            upstream.read_body()
            leave(upstream)
            self.assert_error(client.read_message(), 502, "upstream_closed")

    def test_in_mid_upload(self) -> None:
        """The client gets 502 although it is still uploading."""
        for leave in WAYS[self.pairing.server]:
            for target, length in UPLOADS:
                client = self.upload(length, target)
                client.send(OPENING)
                sending = client.sending(pieces(1 << 22), last=False)
                upstream, _ = self.accept()
                upstream.read_exactly(len(PIECE))
                leave(upstream)
                self.assert_error(client.read_message(), 502, "upstream_closed")
                client.wait_stopped()
                sending.wait()
                self.assert_idle()

    def test_others_go_on(self) -> None:
        """A response that is aborted alone costs no other one."""
        shared = self.connect()
        other = self.ask(asked("GET", "/other"), connection=shared)
        kept, _ = self.accept()
        kept.send_head(answer(200, CHUNKED))
        for _ in range(3):
            client = self.ask(asked("GET", "/aborted"), connection=shared if self.pairing.client == 2 else None)
            upstream, _ = self.accept()
            upstream.send_head(answer(200, CHUNKED))
            client.read_head()
            upstream.abort()
            self.assertRaises(BrokenExchangeError, client.read_body)
            kept.send(b"more")
        kept.end()
        self.assertEqual(other.read_message().raw_body, b"more" * 3)
