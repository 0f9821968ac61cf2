"""
Timeouts: each phase has its own, and the client gets a response that says so.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time

from ...e2e.message import CHUNKED, Message, counted, head, request
from ...e2e.process import until
from ...e2e.raw import Ending, Peer, connect
from .tools import SOON_S, FaultTestCase, Sending, pieces, still, swallow, upload_head

OK = head(b"HTTP/1.1 200 OK", [counted(b"ok")]) + b"ok"
LENGTH = 1 << 30


class TimeTestCase(FaultTestCase):
    """Base class: tests of timeouts."""

    def read_within(self, client: Peer, limit_s: float) -> Message:
        """Read a response that must come after the timeout, and soon after it."""
        begun = time.monotonic()
        answer = client.read_message()
        waited = time.monotonic() - begun
        # The test's clock may have been read a little after the daemon's.
        self.assertGreater(waited, limit_s * 0.5)
        self.assertLess(waited, limit_s + SOON_S)
        return answer

    def drip(self, client: Peer, data: bytes, every_s: float = 0.3) -> Message:
        """Send byte by byte, slowly, until a response comes."""
        client._sock.settimeout(every_s)
        try:
            for at in range(len(data)):
                client.send_while_taken([data[at : at + 1]])
                with contextlib.suppress(TimeoutError):
                    if client.unread or client._receive():
                        break
        finally:
            client._sock.settimeout(10)
        return client.read_message()


class Heads(TimeTestCase):
    """A head may take one second."""

    options = ("--head-timeout", "1", "--idle-timeout", "2")

    def test_part_of_a_head(self) -> None:
        """An incomplete head gets 408, and is not forwarded."""
        for part in (b"G", request("GET", "/")[:-1]):
            client = self.connect()
            client.send(part)
            answer = self.read_within(client, 1)
            self.assertEqual((answer.status, answer.values(b"Connection")), (408, [b"close"]))
            self.assert_closed(client)
            self.assert_nothing_forwarded()

    def test_drip(self) -> None:
        """A head that arrives slowly byte by byte gets 408 too."""
        client = self.connect()
        begun = time.monotonic()
        self.assertEqual(self.drip(client, request("GET", "/" + "a" * 200)).status, 408)
        self.assertLess(time.monotonic() - begun, 1 + SOON_S)
        self.assert_closed(client)

    def test_second_head(self) -> None:
        """The timeout applies to each head of a connection, not only to the first."""
        client = self.connect()
        client.send(request("GET", "/health") + b"GET /")
        self.assertEqual(client.read_message().status, 200)
        self.assertEqual(self.read_within(client, 1).status, 408)
        self.assert_closed(client)

    def test_not_while_an_answer_is_awaited(self) -> None:
        """A partial head after a request in service does not time out."""
        client = self.connect()
        client.send(request("GET", "/first") + request("GET", "/second")[:5])
        upstream = self.listener.accept()
        upstream.read_message()
        time.sleep(1.5)
        upstream.send(OK)
        self.assertEqual(client.read_message().status, 200)
        client.send(request("GET", "/second")[5:])
        self.assertEqual(upstream.read_message().target, b"/second")
        upstream.send(OK)
        self.assertEqual(client.read_message().status, 200)

    def test_idle(self) -> None:
        """An idle connection is closed without a response, before and after a request."""
        clients = []
        for sent in (b"", request("GET", "/stats"), b"\r\n"):
            client = self.connect()
            client.send(sent)
            if len(sent) > 2:
                client.read_message()
            clients.append(client)
        begun = time.monotonic()
        for client in clients:
            self.assertEqual((client.read_to_end(), client.ending), (b"", Ending.FIN))
            self.assertGreater(time.monotonic() - begun, 1)
        self.assertLess(time.monotonic() - begun, 2 + SOON_S)


class Bodies(TimeTestCase):
    """Each 4 KiB of body may take one second."""

    config = '{"language": "zh"}'
    options = ("--body-timeout", "1", "--drain-timeout", "1")

    def assert_late(self, answer: Message) -> None:
        self.assertEqual((answer.status, answer.values(b"x-should-retry")), (408, [b"false"]))
        self.assertEqual(json.loads(answer.body)["error"]["code"], "request_timeout")
        self.assertEqual(answer.values(b"Connection"), [b"close"])

    def test_stops(self) -> None:
        """An upload that stops gets 408, and the upstream never sees it complete."""
        for length in (LENGTH, None):
            client = self.connect()
            client.send(upload_head(length))
            self.assert_late(self.read_within(client, 1))
            self.assert_closed(client)
            upstream = self.listener.accept()
            self.assert_ends(upstream)
            self.assert_incomplete(upstream.received, length)

    def test_drip(self) -> None:
        """One byte every 0.3 s does not keep the client's connection, or the upstream's, open for ever."""
        for framing, sent in (((b"Content-Length", b"100"), b"a" * 99), (CHUNKED, b"1\r\na\r\n" * 20)):
            client = self.connect()
            client.send(request("POST", "/v1/files", framing))
            begun = time.monotonic()
            self.assert_late(self.drip(client, sent))
            self.assertLess(time.monotonic() - begun, 1 + SOON_S)
            self.assert_closed(client)
            self.assert_ends(self.listener.accept())

    def test_chunk_extensions_are_no_progress(self) -> None:
        """Chunks that consist mostly of framing do not count as progress."""
        client = self.connect()
        client.send(request("POST", "/v1/files", CHUNKED))
        self.assert_late(self.drip(client, b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\na\r\n" * 3))
        self.assert_ends(self.listener.accept())

    def test_not_while_held_back(self) -> None:
        """The time of a client that is paused because of the upstream starts only after the resume."""
        client = self.connect()
        # More than the socket buffers on both sides and the proxy's read-ahead together.
        body = b"a" * (64 << 20)
        client.send(request("POST", "/v1/files", counted(body)))
        with Sending(client, iter([body])) as sending:
            upstream = self.listener.accept()
            upstream.read_head()
            still(lambda: int(sending.over), 2.5)
            self.assertFalse(sending.over, "nobody was held back")
            swallow(upstream, len(body))
            upstream.send(OK)
            self.assertEqual(client.read_message().body, b"ok")

    def test_silent_upstream(self) -> None:
        """A complete request may wait for its response longer than any of these timeouts."""
        client = self.connect()
        client.send(request("POST", "/v1/files", counted(b"whole")) + b"whole")
        upstream = self.listener.accept()
        upstream.read_message()
        time.sleep(3)
        self.assertEqual(self.daemon.stats()["in_flight"], 2)
        upstream.send(OK)
        self.assertEqual(client.read_message().body, b"ok")

    def test_slow_but_steady(self) -> None:
        """A steady upload may take longer than the timeout in total."""
        client = self.connect()
        client.send(request("POST", "/v1/files", (b"Content-Length", b"%d" % (8192 * 8))))
        for _ in range(8):
            client.send(b"a" * 8192)
            time.sleep(0.3)
        upstream = self.listener.accept()
        self.assertEqual(upstream.read_message().length, 8192 * 8)
        upstream.send(OK)
        self.assertEqual(client.read_message().body, b"ok")

    def test_drain(self) -> None:
        """After an early response the client has some time to notice it; then the connection is closed."""
        client = self.connect()
        client.send(upload_head(LENGTH))
        with Sending(client, pieces(LENGTH, False)) as sending:
            upstream = self.listener.accept()
            upstream.read_head()
            upstream.send(head(b"HTTP/1.1 413 Content Too Large", [counted(b"no")]) + b"no")
            self.assertEqual(client.read_message().body, b"no")
            sending.join(1 + SOON_S)
            self.assertTrue(sending.over)
        until(lambda: self.daemon.stats()["connections"] == 1, "the end of the connection", SOON_S)


class ResponseTimeout(TimeTestCase):
    """The upstream may take one second for its response."""

    options = ("--answer-timeout", "1", "--body-timeout", "2")

    def test_silence(self) -> None:
        """After that the client gets 504 and must not retry; the upstream's connection is closed."""
        client = self.connect()
        client.send(request("POST", "/v1/files", counted(b"whole")) + b"whole")
        upstream = self.listener.accept()
        upstream.read_message()
        answer = self.read_within(client, 1)
        self.assertEqual((answer.status, answer.values(b"x-should-retry")), (504, [b"false"]))
        self.assertEqual(json.loads(answer.body)["error"]["code"], "upstream_timeout")
        self.assert_ends(upstream)
        client.send(request("GET", "/health"))
        self.assertEqual(client.read_message().status, 200, "the client's connection lives on")

    def test_interim_answers(self) -> None:
        """Interim responses do not stop the timer."""
        client = self.connect()
        client.send(request("GET", "/"))
        upstream = self.listener.accept()
        upstream.read_message()
        with Sending(upstream, self.processing()):
            while (answer := client.read_head()).status == 102:
                pass
            self.assertEqual(answer.status, 504)

    def processing(self):  # type: ignore[no-untyped-def]
        """Send interim responses without end."""
        for _ in range(100):
            yield b"HTTP/1.1 102 Processing\r\n\r\n"
            time.sleep(0.1)

    def test_upload_does_not_count(self) -> None:
        """The time starts at the end of the upload."""
        client = self.connect()
        client.send(request("POST", "/v1/files", (b"Content-Length", b"5")) + b"who")
        upstream = self.listener.accept()
        upstream.read_head()
        time.sleep(1.5)
        client.send(b"le")
        upstream.read_until(b"le")
        upstream.send(OK)
        self.assertEqual(client.read_message().status, 200)

    def test_slow_body(self) -> None:
        """A response that has begun has no timeout, even if it began before the upload ended."""
        for sent in (b"whole", b"who"):
            client = self.connect()
            client.send(request("POST", "/v1/files", (b"Content-Length", b"5")) + sent)
            upstream = self.listener.accept()
            upstream.read_head()
            upstream.send(head(b"HTTP/1.1 200 OK", [(b"Content-Length", b"10")]) + b"first")
            self.assertEqual(client.read_head().status, 200)
            client.send(b"whole"[len(sent) :])
            upstream.read_until(b"le")
            time.sleep(1.5)
            upstream.send(b"later")
            self.assertEqual(client.read_exactly(10), b"firstlater")
            upstream.close()
            self.catch_up()


class Connecting(TimeTestCase):
    """An upstream whose system does not accept connections."""

    def test_connect_timeout(self) -> None:
        """After --connect-timeout the client gets 504, before it has uploaded anything."""
        with contextlib.ExitStack() as stack:
            full = stack.enter_context(socket.socket())
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            # The system does not respond to connections beyond the backlog.
            for _ in range(8):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    waiting.connect(("127.0.0.1", port))
            target = ("--target-host", "127.0.0.1", "--target-port", str(port))
            daemon = self.start_daemon(*target, "--connect-timeout", "1")
            client = connect(daemon.port)
            self.addCleanup(client.close)
            client.send(upload_head(LENGTH))
            with Sending(client, pieces(1 << 25, False)) as sending:
                begun = time.monotonic()
                answer = client.read_message()
                self.assertLess(time.monotonic() - begun, 1 + SOON_S)
                self.assertEqual(answer.status, 504)
                self.assertEqual(json.loads(answer.body)["error"]["code"], "upstream_timeout")
                self.assertLess(sending.sent, 1 << 24)
                self.assert_closed(client)
