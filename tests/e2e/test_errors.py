"""
The proxy's own responses: errors about its upstream, and its own pages.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai

from .case import UNPOOLED, EchoTestCase, RawTestCase, StagedTestCase, transcription
from .clients import openai_client
from .daemon import Daemon
from .forms import File, content_type, form, noise
from .message import Message, counted, request
from .process import LIMIT_S, until
from .raw import Listener, Peer, connect
from .system import unused_port

AUDIO = File(noise(2000))


@contextmanager
def full_backlog_port() -> Iterator[int]:
    """A port that neither accepts nor refuses connections: its backlog is full."""
    callers = []
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        try:
            for _ in range(1000):
                caller = socket.socket()
                callers.append(caller)
                caller.settimeout(1)
                try:
                    caller.connect(deaf.getsockname())
                except TimeoutError:
                    yield deaf.getsockname()[1]
                    return
            raise AssertionError("the queue has no end")
        finally:
            for caller in callers:
                caller.close()


class ErrorTestCase(StagedTestCase):
    """Tests of errors in OpenAI's shape."""

    def before(self, port: int, *options: str) -> Daemon:
        """A daemon with this port of 127.0.0.1 as upstream."""
        return self.start_daemon("--target-host", "127.0.0.1", "--target-port", str(port), *options)

    def ask(self, daemon: Daemon, sent: bytes) -> Message:
        """Return the response to a request."""
        client = connect(daemon.port)
        self.addCleanup(client.close)
        client.send(sent)
        return client.read_message()

    def assert_error(self, answer: Message, status: int, code: str, *words: str) -> None:
        """Check that the response is this error."""
        self.assertEqual((answer.status, answer.values(b"Content-Type")), (status, [b"application/json"]), answer.body)
        body = answer.json()
        self.assertEqual(list(body), ["error", "request_id"])
        self.assertEqual(sorted(body["error"]), ["code", "message", "param", "type"])
        self.assertEqual(body["error"]["code"], code)
        for word in words:
            self.assertIn(word, body["error"]["message"])


class NoUpstream(ErrorTestCase):
    """No server listens at the upstream's address."""

    def test_refused(self) -> None:
        """Requests get 502, which names the upstream; /health is degraded; /stats counts them."""
        port = unused_port()
        daemon = self.before(port)
        for sent in (request("GET", "/v1/models"), transcription(form([("file", AUDIO)]))):
            self.assert_error(self.ask(daemon, sent), 502, "upstream_unreachable", f"127.0.0.1:{port}", "refuse")
        health = self.ask(daemon, request("GET", "/health"))
        self.assertEqual((health.status, health.json()["status"]), (503, "degraded"))
        self.assertIn(f"127.0.0.1:{port}", json.dumps(health.json()))
        self.assertEqual(daemon.stats()["upstream_errors"], {"upstream_unreachable": 2})

    def test_before_the_upload(self) -> None:
        """The response does not wait for the body, and a client that expects 100 Continue does not get it."""
        daemon = self.before(unused_port())
        for headers in ([], [(b"Expect", b"100-continue")]):
            client = connect(daemon.port)
            self.addCleanup(client.close)
            size = (b"Content-Length", b"100000000")
            client.send(request("POST", "/v1/audio/transcriptions", content_type(), size, *headers))
            self.assert_error(client.read_message(), 502, "upstream_unreachable")

    def test_sdk(self) -> None:
        """The OpenAI SDK shows the proxy's own message."""
        port = unused_port()
        with openai_client(self.before(port)) as client, self.assertRaises(openai.InternalServerError) as raised:
            client.audio.transcriptions.create(model="m", file=("a.wav", b"x"))
        self.assertEqual(raised.exception.status_code, 502)
        self.assertIn(f"127.0.0.1:{port}", str(raised.exception))

    def test_upstream_comes_later(self) -> None:
        """An upstream that starts after the proxy is used, and so is one that restarts."""
        with Listener() as listener:
            port = listener.port
        daemon = self.before(port, *UNPOOLED)
        for _ in range(2):
            self.assertEqual(self.ask(daemon, request("GET", "/")).status, 502)
            with Listener(port=port) as listener:
                client = connect(daemon.port)
                self.addCleanup(client.close)
                client.send(request("GET", "/"))
                upstream = listener.accept()
                upstream.read_message()
                upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n")
                self.assertEqual(client.read_message().status, 204)
                self.assertEqual(self.ask(daemon, request("GET", "/health")).status, 200)


class FullBacklog(ErrorTestCase):
    """Connections to the upstream are neither accepted nor refused."""

    def test_timeout(self) -> None:
        """After the connect timeout the response is 504, which names the upstream and the time."""
        with full_backlog_port() as port:
            daemon = self.before(port, "--connect-timeout", "0.3")
            for sent in (request("GET", "/v1/models"), transcription(form([("file", AUDIO)]))):
                answer = self.ask(daemon, sent)
                self.assert_error(answer, 504, "upstream_timeout", f"127.0.0.1:{port}", "0.3")
            self.assertEqual(self.ask(daemon, request("GET", "/health")).status, 503)
            self.assertEqual(daemon.stats()["upstream_errors"], {"upstream_timeout": 2})


class OwnPages(RawTestCase):
    """/health, /stats and /metrics, with a listener that would see forwarded requests."""

    def ask(self, sent: bytes, bodiless: bool = False) -> Message:
        """Return the response of a page."""
        client = self.connect()
        client.send(sent)
        return client.read_message(bodiless)

    def test_health(self) -> None:
        """/health is 200 while the upstream accepts connections; it is checked once a second, without a byte."""
        for path in ("/health", "/health?x=y"):
            answer = self.ask(request("GET", path))
            self.assertEqual((answer.status, answer.json()["status"]), (200, "healthy"))
            self.assertEqual(answer.values(b"Content-Type"), [b"application/json"])

        def checked() -> Peer | None:
            self.ask(request("GET", "/health"))
            return self.listener.accept_waiting()

        self.assertEqual(until(checked, "a check of the upstream").read_to_end(), b"")

    def test_never_reach_the_upstream(self) -> None:
        """With any method, query and body, the pages are the proxy's own."""
        for method in ("GET", "HEAD", "POST", "OPTIONS", "DELETE"):
            for path in ("/stats", "/stats?a", "/health", "/metrics"):
                with self.naming(f"{method} {path}"):
                    self.ask(request(method, path, counted(b"body")) + b"body", method == "HEAD")
                    for peer in iter(self.listener.accept_waiting, None):
                        self.assertEqual(peer.read_to_end(), b"")

    def test_methods(self) -> None:
        """GET and HEAD are allowed; other methods get 405 with Allow."""
        for path in ("/health", "/stats", "/metrics"):
            self.assertEqual(self.ask(request("HEAD", path), bodiless=True).status, 200)
            for method in ("POST", "PUT", "DELETE"):
                answer = self.ask(request(method, path))
                self.assertEqual((answer.status, answer.values(b"Allow")), (405, [b"GET, HEAD"]))
                self.assertEqual(answer.json()["error"]["code"], "method_not_allowed")

    def test_head(self) -> None:
        """HEAD has the headers of GET, and no body."""
        client = self.connect()
        for path in ("/health", "/stats", "/metrics"):
            client.send(request("GET", path), request("HEAD", path))
            get, head = client.read_message(), client.read_message(bodiless=True)
            self.assertEqual([name for name, _ in get.headers], [name for name, _ in head.headers])
            self.assertEqual(client.unread, b"")

    def test_healthy_while_it_works(self) -> None:
        """An upstream with a request in flight is healthy, even if it accepts no connection meanwhile."""
        client = self.connect()
        client.send(request("GET", "/v1/models"))
        upstream = self.listener.accept()
        upstream.read_message()
        self.assertEqual(self.ask(request("GET", "/health")).status, 200)
        self.assertIsNone(self.listener.accept_waiting())


class Statistics(EchoTestCase):
    """/stats with an upstream that responds."""

    config = '{"language": "zh", "prompt": "secret"}'

    def moved(self, before: dict[str, Any], *names: str) -> list[int]:
        """Return by how much counters have changed."""
        after = self.daemon.stats()
        return [after[name] - before[name] for name in names]

    def test_fields(self) -> None:
        """It shows requests, responses, the upstream and the configuration, but no values of configured fields."""
        stats = self.daemon.stats()
        counters = ("total_requests", "stt_requests", "forwarded_requests", "in_flight", "uptime_s", "connections")
        for name in counters:
            self.assertIsInstance(stats[name], (int, float), name)
        self.assertIsInstance(stats["answers"], dict)
        self.assertIsInstance(stats["upstream_errors"], dict)
        self.assertIn(f"127.0.0.1:{self.echo.port}", stats["upstream"])
        config = stats["config"]
        self.assertEqual((config["path"], config["generation"], config["error"]), (self.daemon.path, 1, None))
        self.assertEqual(config["fields"], ["language", "prompt"])
        self.assertNotIn("secret", json.dumps(stats))

    def test_requests(self) -> None:
        """Transcriptions, other requests and all requests are counted once each."""
        before = self.daemon.stats()
        self.transcribe([("file", AUDIO)])
        self.transcribe([("file", AUDIO)], chunks=3)
        client = self.connect()
        for path in ("/v1/models", "/v1/models", "/moved"):
            client.send(request("GET", path))
            client.read_message()
        names = ("stt_requests", "forwarded_requests", "total_requests")
        self.assertEqual(self.moved(before, *names), [2, 3, 2 + 3 + 1])
        after = self.daemon.stats()["answers"]
        self.assertEqual(after["2xx"] - before["answers"].get("2xx", 0), 2 + 2 + 2)
        self.assertEqual(after["3xx"] - before["answers"].get("3xx", 0), 1)

    def test_in_flight(self) -> None:
        """A waiting request is in flight until it gets its response."""
        body = form([("file", AUDIO)])
        pair = [self.connect(), self.connect()]
        sent = transcription(body, 0, "/v1/audio/transcriptions", (b"X-Together", b"2"))
        pair[0].send(sent)
        self.assertEqual(self.daemon.stats()["in_flight"], 2)  # this check's own request is one
        pair[1].send(sent)
        for client in pair:
            self.assertEqual(client.read_message().status, 200)
        self.assertEqual(self.daemon.stats()["in_flight"], 1)
        self.assertLess(self.daemon.stats()["uptime_s"], LIMIT_S * 10)
