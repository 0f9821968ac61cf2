"""
Early responses: a client that is still uploading gets exactly that response, and its upload ends.
"""

from __future__ import annotations

from collections.abc import Callable

from ..forms import noise
from ..message import CHUNKED, Message
from .case import TRANSCRIPTIONS, PairingTestCase, answer, length_of
from .exchange import Exchange
from .forms import OPENING, PIECE, pieces

#: The announced length of an upload; more than all buffers and windows on the way.
LENGTH = 1 << 26
BODY = b'{"error": {"message": "Audio file is too large.", "code": "too_large"}}'
TOO_LARGE = answer(413, (b"content-type", b"application/json"), body=BODY)
#: Targets and lengths.
UPLOADS = [("/v1/files", None), (TRANSCRIPTIONS, LENGTH)]


class EarlyResponses(PairingTestCase):
    """Responses of the upstream before the end of the upload."""

    def begin(self, target: str = "/v1/files", length: int | None = LENGTH) -> tuple[Exchange, Exchange]:
        """Return the ends of an upload that goes on in the background and never becomes complete."""
        client = self.upload(length, target)
        client.send(OPENING)
        self.sending = client.sending(pieces(LENGTH), last=False)
        upstream, _ = self.accept()
        upstream.read_exactly(100)
        return client, upstream

    def assert_rejected(self, client: Exchange, upstream: Exchange, response: Message = TOO_LARGE) -> None:
        """Check that the client gets the response, that its upload is stopped, and that the upstream has a part."""
        message = client.read_message()
        self.assertEqual((message.status, message.raw_body), (response.status, response.raw_body))
        client.wait_stopped()
        self.sending.wait()
        self.assertIn(client.reset_code, (None, 0), "an upload that is not needed ends without an error")
        upstream.wait_stopped()
        self.assertFalse(upstream.complete)
        self.assert_idle()

    def each(self, after: Callable[[Exchange], None]) -> None:
        """
        Reject uploads of all kinds.

        :param after: what the upstream does after its response.
        """
        for target, length in UPLOADS:
            client, upstream = self.begin(target, length)
            upstream.respond(TOO_LARGE)
            after(upstream)
            self.assert_rejected(client, upstream)

    def test_upstream_stays(self) -> None:
        """The upstream does not read on."""
        self.each(lambda _: None)

    def test_upstream_leaves(self) -> None:
        """The upstream ends the exchange with unread bytes: it closes the connection, or resets the stream."""
        self.each(Exchange.stop)

    def test_upstream_closes(self) -> None:
        """The upstream closes its connection with unread bytes, in HTTP/2 too."""
        client, upstream = self.begin()
        upstream.respond(TOO_LARGE)
        upstream.connection.close()
        self.assert_rejected(client, upstream)

    def test_success(self) -> None:
        """A complete 200 is relayed like a rejection."""
        client, upstream = self.begin()
        upstream.respond(answer(200, body=b"ok"))
        self.assert_rejected(client, upstream, answer(200, body=b"ok"))

    def test_in_parts(self) -> None:
        """A response of many parts reaches the client part by part."""
        client, upstream = self.begin()
        upstream.send_head(answer(413, CHUNKED))
        self.assertEqual(client.read_head().status, 413)
        for number in range(10):
            upstream.send(b"part %d" % number)
            client.read_until(b"part %d" % number)
        upstream.end()
        self.assertEqual(client.read_body(), b"")
        client.wait_stopped()
        self.assertIn(client.reset_code, (None, 0))
        self.assert_idle()

    def test_large(self) -> None:
        """A response larger than the windows reaches a client that reads it after a while."""
        body = noise(2_000_000)
        client, upstream = self.begin()
        upstream.send_head(answer(413, length_of(len(body))))
        sending = upstream.sending([body])
        message = client.read_message()
        self.assertTrue(sending.wait())
        self.assertEqual((message.status, message.raw_body), (413, body))
        client.wait_stopped()
        self.assert_idle()

    def test_goes_on(self) -> None:
        """After a 200 has begun, the upload continues to its end."""
        client, upstream = self.upload(len(PIECE) * 40), None
        sending = client.sending(pieces(len(PIECE) * 40))
        upstream, _ = self.accept()
        upstream.send_head(answer(200, CHUNKED))
        upstream.send(b"first")
        self.assertEqual(client.read_head().status, 200)
        client.read_until(b"first")
        self.assertEqual(upstream.swallow(), len(PIECE) * 40)
        self.assertTrue(sending.wait())
        upstream.send(b"last", last=True)
        self.assertEqual(client.read_body(), b"last")

    def test_bad_form(self) -> None:
        """The proxy's own error for a malformed form is handled in the same way."""
        for length in (LENGTH, None):
            client = self.upload(length, TRANSCRIPTIONS)
            client.send(b"no form at all")
            sending = client.sending(pieces(LENGTH), last=False)
            message = client.read_message()
            self.assertEqual((message.status, message.json()["error"]["type"]), (400, "invalid_request_error"))
            client.wait_stopped()
            sending.wait()
            self.assertIn(client.reset_code, (None, 0))
            self.assert_idle()

    def test_next(self) -> None:
        """Where the connection stays, it serves the next request."""
        connection = self.connect()
        for _ in range(3):
            client = self.upload(LENGTH, connection=connection)
            sending = client.sending(pieces(LENGTH), last=False)
            upstream, _ = self.accept()
            upstream.respond(TOO_LARGE)
            self.assertEqual(client.read_message().status, 413)
            sending.wait()
            if self.pairing.client == 1:
                client.wait_stopped()
                connection = self.connect()
