"""
The limit on concurrent transcriptions.
"""

from __future__ import annotations

import json
from typing import Any

from ...e2e.forms import content_type, form
from ...e2e.message import CHUNKED, Message, counted, head, request
from ...e2e.process import until
from ...e2e.raw import Peer, connect
from .tools import SOON_S, TRANSCRIPTIONS, FaultTestCase, Sending, pieces, still, upload_head

FORM = form([("model", "m")])
OK = head(b"HTTP/1.1 200 OK", [counted(b"ok")]) + b"ok"


def transcription(number: int, *headers: tuple[bytes, bytes]) -> bytes:
    """A complete request with a number."""
    numbered = (b"X-Number", b"%d" % number)
    return request("POST", TRANSCRIPTIONS, numbered, content_type(), counted(FORM), *headers) + FORM


class AdmissionTestCase(FaultTestCase):
    """Base class: tests of the queue."""

    config = '{"language": "zh"}'

    def ask(self, sent: bytes) -> Peer:
        """Return a client that has sent these bytes."""
        client = self.connect()
        client.send(sent)
        return client

    def wait_for(self, **counts: Any) -> None:
        """Wait until /stats has these values; its own request is in flight itself."""
        until(lambda: counts.items() <= self.daemon.stats().items(), f"{counts} in /stats", SOON_S)

    def arrived(self, *idle: Peer) -> tuple[Peer, bytes]:
        """Return the upstream connection of the next transcription, new or reused, and its number."""
        upstream = self.next_connection(*idle)
        (number,) = upstream.read_message().values(b"X-Number")
        return upstream, number

    def end(self, upstream: Peer, client: Peer) -> Message:
        """Respond and close."""
        upstream.send(OK)
        answer = client.read_message()
        self.assertEqual(answer.body, b"ok")
        return answer


class OneAtATime(AdmissionTestCase):
    """One transcription is forwarded, one may wait."""

    options = ("--max-transcriptions", "1", "--max-queue", "1")

    def test_full(self) -> None:
        """If the queue is full, clients get 503 with Retry-After before their upload; later the queue advances."""
        first = self.ask(transcription(1))
        upstream, number = self.arrived()
        self.assertEqual(number, b"1")
        second = self.ask(transcription(2))
        self.wait_for(queued=1)
        for _ in range(3):
            client = self.connect()
            client.send(upload_head(1 << 30))
            with Sending(client, pieces(1 << 25, False)):
                answer = client.read_message()
                self.assertEqual(answer.status, 503)
                self.assertGreater(int(answer.values(b"Retry-After")[0]), 0)
                self.assertEqual(json.loads(answer.body)["error"]["code"], "upstream_busy")
                self.assert_closed(client)
        self.assertIsNone(self.listener.accept_waiting())
        self.end(upstream, first)
        upstream, number = self.arrived(upstream)
        self.assertEqual(number, b"2")
        third = self.ask(transcription(3))
        self.wait_for(queued=1)
        self.end(upstream, second)
        upstream, number = self.arrived(upstream)
        self.assertEqual(number, b"3")
        self.end(upstream, third)
        self.wait_for(queued=0, in_flight=1)

    def test_uploads_wait(self) -> None:
        """The upload of a waiting client is paused; later it passes completely."""
        first = self.ask(transcription(1))
        upstream, _ = self.arrived()
        size = 64 << 20
        second = self.connect()
        numbered = (b"X-Number", b"2")
        second.send(request("POST", TRANSCRIPTIONS, numbered, content_type(), CHUNKED))
        body = form([("file", "x" * size)])
        with Sending(second, iter([b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n"])) as sending:
            self.wait_for(queued=1)
            still(lambda: int(sending.over), 1)
            self.assertFalse(sending.over, "the upload was read")
            self.assertIsNone(self.listener.accept_waiting())
            self.end(upstream, first)
            upstream = self.next_connection(upstream)
            upstream.read_head()
            count = 0
            tail = b""
            while not tail.endswith(b"0\r\n\r\n"):
                data = upstream.read_some()
                self.assertTrue(data, "the upload ended early")
                upstream.received.clear()
                upstream._at = 0
                count += len(data)
                tail = (tail + data)[-10:]
            self.assertGreater(count, size)
            self.end(upstream, second)

    def test_asked_when_let_in(self) -> None:
        """A client that expects 100 Continue gets it when it leaves the queue."""
        first = self.ask(transcription(1))
        upstream, _ = self.arrived()
        second = self.ask(transcription(2, (b"Expect", b"100-continue")).removesuffix(FORM))
        self.wait_for(queued=1)
        second._sock.settimeout(0.3)
        self.assertRaises(TimeoutError, second.read_some)
        second._sock.settimeout(30)
        self.end(upstream, first)
        self.assertEqual(second.read_until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n")
        second.send(FORM)
        upstream, number = self.arrived(upstream)
        self.assertEqual(number, b"2")
        self.end(upstream, second)

    def test_leaving_the_queue(self) -> None:
        """A client that disconnects in the queue makes room there, and its request is never forwarded."""
        first = self.ask(transcription(1))
        upstream, _ = self.arrived()
        for leave in (Peer.close, Peer.shut, Peer.reset):
            for sent in (transcription(2), upload_head(1 << 30), upload_head(None)):
                client = self.ask(sent)
                self.wait_for(queued=1)
                leave(client)
                self.wait_for(queued=0)
        third = self.ask(transcription(3))
        self.wait_for(queued=1)
        self.end(upstream, first)
        upstream, number = self.arrived(upstream)
        self.assertEqual(number, b"3")
        self.end(upstream, third)

    def test_leaving_in_the_middle(self) -> None:
        """If a client disconnects in service, or its upstream fails, the next one is served."""
        for fault in ("client", "upstream"):
            first = self.ask(transcription(1))
            upstream, _ = self.arrived()
            second = self.ask(transcription(2))
            self.wait_for(queued=1)
            (first if fault == "client" else upstream).close()
            upstream, number = self.arrived()
            self.assertEqual(number, b"2")
            self.end(upstream, second)
            upstream.close()
            self.catch_up()

    def test_others_pass(self) -> None:
        """Requests that are not transcriptions do not wait."""
        first = self.ask(transcription(1))
        upstream, _ = self.arrived()
        other = self.ask(request("GET", "/v1/models"))
        second = self.listener.accept()
        self.assertEqual(second.read_message().target, b"/v1/models")
        self.end(second, other)
        self.assertEqual(connect_health(self.daemon.port), 200)
        self.end(upstream, first)

    def test_pipelined(self) -> None:
        """One client's pipelined transcriptions each take the place of the one before."""
        other = self.ask(transcription(100))
        upstream, _ = self.arrived()
        client = self.ask(b"".join(transcription(n) for n in range(1, 5)))
        self.wait_for(queued=1)
        self.end(upstream, other)
        for n in range(1, 5):
            upstream, number = self.arrived(upstream)
            self.assertEqual(number, b"%d" % n)
            self.end(upstream, client)


def connect_health(port: int) -> int:
    """The status of /health."""
    client = connect(port)
    client.send(request("GET", "/health", (b"Connection", b"close")))
    status = client.read_message().status
    client.close()
    return status


class NoQueue(AdmissionTestCase):
    """No transcription may wait."""

    options = ("--max-transcriptions", "1", "--max-queue", "0")

    def test_pipelined(self) -> None:
        """After its response a client can send the next transcription on the same connection, even pipelined."""
        client = self.ask(b"".join(transcription(n) for n in range(3)))
        idle: list[Peer] = []
        for n in range(3):
            upstream, number = self.arrived(*idle)
            self.assertEqual(number, b"%d" % n)
            self.end(upstream, client)
            idle = [upstream]


class InOrder(AdmissionTestCase):
    """Two transcriptions are forwarded, many may wait."""

    options = ("--max-transcriptions", "2", "--max-queue", "20")

    def test_order(self) -> None:
        """They are served in the order of arrival."""
        clients = []
        for n in range(12):
            clients.append(self.ask(transcription(n)))
            self.wait_for(in_flight=n + 2)
        upstreams = dict(self.arrived()[::-1] for _ in range(2))
        self.assertEqual(set(upstreams), {b"0", b"1"})
        for n in range(12):
            upstream = upstreams.pop(b"%d" % n)
            self.end(upstream, clients[n])
            if n + 2 < 12:
                upstream, number = self.arrived(upstream)
                self.assertEqual(number, b"%d" % (n + 2))
                upstreams[number] = upstream
        self.assertIsNone(self.listener.accept_waiting())


class OffByDefault(AdmissionTestCase):
    """Without the option."""

    def test_all_pass(self) -> None:
        """All transcriptions are forwarded at once."""
        clients = [self.ask(transcription(n)) for n in range(60)]
        upstreams = dict(self.arrived()[::-1] for _ in clients)
        for n, client in enumerate(clients):
            self.end(upstreams[b"%d" % n], client)
