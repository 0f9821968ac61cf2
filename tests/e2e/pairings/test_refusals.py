"""
What the proxy refuses, in OpenAI's form of errors, and its own pages.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..forms import content_type, form
from ..message import CHUNKED, Message
from .case import TRANSCRIPTIONS, PairingTestCase, answer, asked, length_of
from .connection import BrokenExchangeError
from .exchange import Exchange

FORM = form([("model", "m")])
#: The most bytes of a body.
MOST = 100_000


class RefusalTests(PairingTestCase):
    """Requests that are not forwarded, or not to their end."""

    options = ("--max-body", str(MOST))

    def refused(self, client: Exchange, status: int, code: str) -> Message:
        """Check that a request gets this error, and return it."""
        message = client.read_message()
        self.assert_error(message, status, code)
        return message

    def assert_nothing_forwarded(self) -> None:
        """Check that no request has reached the upstream."""
        self.assert_idle()
        self.assertIsNone(self.server.accept_waiting())

    def test_bad_forms(self) -> None:
        """Forms that two parsers may read in two ways get 400; the upstream never sees a complete one."""
        double = b"--x\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nc\r\n--x--\r\n"
        for body in (b"no form", FORM[:-10], double):
            client = self.upload(len(body), TRANSCRIPTIONS)
            client.send(body, last=True)
            message = client.read_message()
            self.assertEqual((message.status, message.json()["error"]["type"]), (400, "invalid_request_error"))
            upstream = self.server.accept_waiting()
            if upstream is not None:
                upstream.wait_stopped()
                self.assertFalse(upstream.complete)
            self.assert_idle()

    def test_too_large(self) -> None:
        """A length over the limit gets 413 before the upload; more bytes than the limit get it then."""
        self.refused(self.upload(MOST + 1), 413, "body_too_large")
        self.assert_nothing_forwarded()
        client = self.upload(None)
        client.send(b"x" * MOST)
        upstream, _ = self.accept()
        upstream.read_exactly(MOST)
        client.send(b"x")
        self.refused(client, 413, "body_too_large")
        upstream.wait_stopped()
        self.assertFalse(upstream.complete)

    def test_at_the_limit(self) -> None:
        """A body of exactly the limit passes."""
        for length in (MOST, None):
            client = self.upload(length)
            client.send(b"x" * MOST, last=True)
            upstream, _ = self.accept()
            self.assertEqual(upstream.swallow(), MOST)
            upstream.respond(answer(200, body=b"ok"))
            self.assertEqual(client.read_message().body, b"ok")

    def test_unknown_profile(self) -> None:
        """A profile that does not exist is 404."""
        self.refused(self.ask(asked("GET", "/profiles/none/v1/models")), 404, "not_found")
        self.assert_nothing_forwarded()

    def test_other_types(self) -> None:
        """A transcription that is no form is 415."""
        for kind in (b"text/plain", b"multipart/mixed; boundary=x"):
            fields = ((b"Content-Type", kind), length_of(5))
            client = self.ask(asked("POST", TRANSCRIPTIONS, *fields), b"whole")
            self.refused(client, 415, "unsupported_media_type")
        self.assert_nothing_forwarded()

    def test_methods(self) -> None:
        """The proxy's own pages allow GET and HEAD."""
        for path in ("/health", "/stats"):
            message = self.refused(self.ask(asked("DELETE", path)), 405, "method_not_allowed")
            self.assertEqual(message.values(b"Allow"), [b"GET, HEAD"])
            head = self.ask(asked("HEAD", path)).read_message()
            self.assertEqual((head.status, head.raw_body), (200, b""))

    def test_pages(self) -> None:
        """/health and /stats respond, and count this request."""
        health = self.ask(asked("GET", "/health")).read_message()
        self.assertEqual((health.status, health.json()["status"]), (200, "healthy"))
        before = self.daemon.stats()
        client = self.transcribe(FORM)
        upstream, _ = self.accept()
        upstream.read_body()
        self.assertEqual(self.ask(asked("GET", "/stats")).read_message().json()["in_flight"], 2)
        upstream.respond(answer(200, body=b"ok"))
        client.read_message()
        after = self.daemon.stats()
        for name, more in (("stt_requests", 1), ("total_requests", 3), ("forwarded_requests", 0)):
            self.assertEqual(after[name] - before[name], more, name)

    def test_large_heads(self) -> None:
        """
        A long target is 414, and more fields than the limit are 431; in HTTP/2, whose clients know the limit, the
        connection ends.
        """
        long = self.ask(asked("GET", "/" + "x" * 9000)).read_message()
        self.assertEqual((long.status, list(long.json())), (414, ["error", "request_id"]))
        connection = self.connect()
        try:
            large = self.ask(asked("GET", "/", *[(b"x-large", b"x" * 1000)] * 200), connection=connection)
            self.assertEqual(large.read_message().status, 431)
        except BrokenExchangeError:
            self.assertEqual(self.pairing.client, 2)
        self.assert_nothing_forwarded()

    def test_bad_fields(self) -> None:
        """A field that a server could take for the length is refused."""
        client = self.ask(asked("GET", "/", (b"content_length", b"5")))
        self.assertEqual(client.read_message().status, 400)
        self.assert_nothing_forwarded()


class QueueTests(PairingTestCase):
    """One transcription at a time, and one that waits."""

    options = ("--max-transcriptions", "1", "--max-queue", "1")

    def finish(self, upstream: Exchange, client: Exchange) -> None:
        """Let the upstream respond."""
        upstream.swallow()
        upstream.respond(answer(200, body=b"ok"))
        self.assertEqual(client.read_message().body, b"ok")

    def clients(self) -> Iterator[Exchange]:
        """Send transcriptions: on one connection where the version has several exchanges."""
        shared = self.connect()
        while True:
            yield self.transcribe(FORM, connection=shared if self.pairing.client == 2 else self.connect())

    def test_waits(self) -> None:
        """The second one waits for the first, the third is 503 with the time to try again; others pass."""
        clients = self.clients()
        first = next(clients)
        upstream, _ = self.accept()
        second = next(clients)
        self.wait_for(queued=1)
        refused = next(clients).read_message()
        self.assert_error(refused, 503, "upstream_busy")
        self.assertTrue(refused.values(b"Retry-After")[0].isdigit())
        other = self.ask(asked("GET", "/v1/models"))
        passing, head = self.accept()
        self.assertEqual(head.target, b"/v1/models")
        self.finish(passing, other)
        self.finish(upstream, first)
        upstream, _ = self.accept()
        self.finish(upstream, second)
        self.assert_idle()

    def test_leaving(self) -> None:
        """A client that leaves the queue makes room there, and one that leaves in service lets the next one in."""
        clients = self.clients()
        first = next(clients)
        upstream, _ = self.accept()
        for _ in range(2):
            waiting = next(clients)
            self.wait_for(queued=1)
            waiting.abort()
            self.wait_for(queued=0)
        last = next(clients)
        self.wait_for(queued=1)
        first.abort()
        upstream.wait_stopped()
        upstream, _ = self.accept()
        self.finish(upstream, last)
        self.assert_idle()

    def test_large_upload(self) -> None:
        """An upload that waits in the queue is complete when it is let in."""
        clients = self.clients()
        first = next(clients)
        upstream, _ = self.accept()
        body = form([("model", "x" * 500_000), ("prompt", "y" * 500_000)])
        second = self.ask(asked("POST", TRANSCRIPTIONS, content_type(), CHUNKED), None)
        sending = second.sending([body])
        self.wait_for(queued=1)
        self.finish(upstream, first)
        upstream, _ = self.accept()
        received = upstream.read_body()
        self.assertTrue(sending.wait())
        self.assertIn(b"x" * 500_000, received)
        self.assertIn(b"y" * 500_000, received)
        upstream.respond(answer(200, body=b"ok"))
        self.assertEqual(second.read_message().body, b"ok")
