"""
100 Continue and other interim responses.
"""

from __future__ import annotations

from ...e2e.message import CHUNKED, counted, head, request
from ...e2e.process import until
from .tools import TRANSCRIPTIONS, FaultTestCase

EXPECT = (b"Expect", b"100-continue")
OK = head(b"HTTP/1.1 200 OK", [counted(b"ok")]) + b"ok"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Continue(FaultTestCase):
    """``Expect: 100-continue`` with an upstream that allows one connection."""

    options = ("--max-connections", "1")

    def test_told_when_the_connection_stands(self) -> None:
        """The client gets 100 only when the upstream connection is made."""
        first = self.connect()
        first.send(request("GET", "/first"))
        upstream = self.listener.accept()
        upstream.read_message()
        client = self.connect()
        client.send(request("POST", "/v1/files", counted(b"whole"), EXPECT))
        until(lambda: self.daemon.stats()["in_flight"] == 3, "the request in the queue")
        client._sock.settimeout(0.3)
        self.assertRaises(TimeoutError, client.read_some)
        client._sock.settimeout(30)
        upstream.send(OK)
        self.assertEqual(first.read_message().status, 200)
        self.assertEqual(client.read_until(b"\r\n\r\n"), CONTINUE)
        received = upstream.read_head()
        self.assertEqual(received.values(b"Expect"), [], "it is never forwarded")
        client.send(b"whole")
        self.assertEqual(upstream.read_exactly(5), b"whole")
        upstream.send(OK)
        self.assertEqual(client.read_message().status, 200)

    def test_told_once(self) -> None:
        """The client gets 100 once, whatever the upstream sends, in both framings and any spelling."""
        for framing, body in ((counted(b"whole"), b"whole"), (CHUNKED, b"5\r\nwhole\r\n0\r\n\r\n")):
            for name, value in (EXPECT, (b"expect", b"100-Continue")):
                client = self.connect()
                client.send(request("POST", "/v1/files", framing, (name, value)))
                self.assertEqual(client.read_until(b"\r\n\r\n"), CONTINUE)
                upstream = self.listener.accept()
                self.assertEqual(upstream.read_head().values(b"Expect"), [])
                upstream.send(CONTINUE)
                client.send(body)
                upstream.read_until(b"whole")
                upstream.send(CONTINUE * 3 + OK)
                self.assertEqual(client.read_message().status, 200)
                upstream.close()
                self.catch_up()

    def test_not_told(self) -> None:
        """100 is not sent to a client that has begun its body, has no body, or speaks HTTP/1.0."""
        for sent in (
            request("POST", "/v1/files", counted(b"whole"), EXPECT) + b"whole",
            request("POST", "/v1/files", counted(b"whole"), EXPECT) + b"w",
            request("GET", "/v1/files", EXPECT),
            request("POST", "/v1/files", counted(b""), EXPECT),
            head(b"POST /v1/files HTTP/1.0", [EXPECT, counted(b"whole")]) + b"whole",
            head(b"POST /v1/files HTTP/1.0", [EXPECT, counted(b"whole")]),
        ):
            client = self.connect()
            client.send(sent)
            upstream = self.listener.accept()
            self.assertEqual(upstream.read_head().values(b"Expect"), [])
            upstream.send(OK)
            self.assertEqual(client.read_message().status, 200)
            upstream.close()
            self.catch_up()

    def test_refused_by_the_upstream(self) -> None:
        """An upstream's refusal at the head is relayed; the client's connection is then closed."""
        client = self.connect()
        client.send(request("POST", "/v1/files", counted(b"whole"), EXPECT))
        upstream = self.listener.accept()
        upstream.read_head()
        upstream.send(head(b"HTTP/1.1 401 Unauthorized", [counted(b"no")]) + b"no")
        self.assertEqual(client.read_until(b"\r\n\r\n"), CONTINUE)
        answer = client.read_message()
        self.assertEqual((answer.status, answer.values(b"Connection")), (401, [b"close"]))
        self.assert_closed(client)

    def test_refused_by_the_proxy(self) -> None:
        """If the proxy refuses the head, it does not send 100 first."""
        for path, headers, status in (
            (TRANSCRIPTIONS, [(b"Content-Type", b"audio/wav")], 415),
            (TRANSCRIPTIONS, [(b"Content-Type", b"multipart/form-data")], 415),
            ("/v1/files", [(b"Expect", b"something")], 417),
        ):
            client = self.connect()
            expect = [] if status == 417 else [EXPECT]
            client.send(request("POST", path, (b"Content-Length", b"100"), *headers, *expect))
            self.assertEqual(client.read_message().status, status)
            self.assert_closed(client)
        self.assert_nothing_forwarded()


class Interim(FaultTestCase):
    """Interim responses."""

    def test_passed_on(self) -> None:
        """103 is relayed to HTTP/1.1 clients without its hop-by-hop fields; 100 is dropped."""
        client = self.connect()
        client.send(request("GET", "/"))
        upstream = self.listener.accept()
        upstream.read_message()
        hints = [(b"Link", b"</a>; rel=preload"), (b"Link", b"</b>; rel=preload")]
        early = head(b"HTTP/1.1 103 Early Hints", [*hints, (b"Connection", b"X-Gone"), (b"X-Gone", b"1")])
        upstream.send(CONTINUE + early)
        first = client.read_message()
        self.assertEqual((first.start, first.headers), (b"HTTP/1.1 103 Early Hints", hints))
        upstream.send(CONTINUE + early + OK)
        self.assertEqual(client.read_message().status, 103)
        self.assertEqual(client.read_message().body, b"ok")

    def test_not_to_http_1_0(self) -> None:
        """HTTP/1.0 clients get no interim response."""
        client = self.connect()
        client.send(head(b"GET / HTTP/1.0", []))
        upstream = self.listener.accept()
        upstream.read_message()
        upstream.send(CONTINUE + head(b"HTTP/1.1 103 Early Hints", [(b"Link", b"</a>")]) + OK)
        self.assertEqual(client.read_message().body, b"ok")
        self.assert_closed(client)

    def test_while_uploading(self) -> None:
        """Interim responses are relayed during the upload."""
        client = self.connect()
        client.send(request("POST", "/v1/files", counted(b"whole")) + b"who")
        upstream = self.listener.accept()
        upstream.read_head()
        upstream.send(head(b"HTTP/1.1 103 Early Hints", []))
        self.assertEqual(client.read_message().status, 103)
        client.send(b"le")
        self.assertEqual(upstream.read_exactly(5), b"whole")
        upstream.send(OK)
        answer = client.read_message()
        self.assertEqual((answer.body, answer.values(b"Connection")), (b"ok", []))


class NoUpstream(FaultTestCase):
    """No server listens at the upstream's address."""

    def test_refused_at_once(self) -> None:
        """A client that expects 100 gets 502 instead, before it has uploaded anything."""
        self.listener.close()
        client = self.connect()
        client.send(request("POST", "/v1/files", (b"Content-Length", b"1000000000"), EXPECT))
        self.assertEqual(client.read_message().status, 502)
        self.assert_closed(client)

    def tearDown(self) -> None:
        """The listener has no connections to close."""
