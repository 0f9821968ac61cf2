"""
Framing of bodies, in both directions.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import h11

from ...e2e.message import CHUNKED, Header, Message, chunked, counted, head, request
from ...e2e.raw import Listener, Peer, connect
from .tools import FaultTestCase

OK = b"HTTP/1.1 200 OK"


class Framing(FaultTestCase):
    """Each framing of a body, in both directions."""

    def exchanged(self, sent: bytes, answer: bytes, bodiless: bool = False) -> tuple[Message, Message, Peer]:
        """Return a request and its response as they arrived, and the client, after it got another response."""
        client = self.connect()
        client.send(sent)
        upstream = self.listener.accept()
        received = upstream.read_message()
        upstream.send(answer)
        got = client.read_message(bodiless)
        upstream.close()
        self.catch_up()
        return received, got, client

    def assert_goes_on(self, client: Peer) -> None:
        """Check that the client's connection can be reused: each body ended at the right place."""
        client.send(request("GET", "/stats"))
        self.assertEqual(client.read_message().status, 200)

    def test_no_body(self) -> None:
        """Responses without a body keep the framing fields of their head, and no bytes follow."""
        rows: list[tuple[str, bytes, list[Header]]] = [
            ("HEAD", OK, [(b"Content-Length", b"1000")]),
            ("HEAD", OK, [CHUNKED]),
            ("HEAD", OK, []),
            ("HEAD", b"HTTP/1.1 404 Not Found", [(b"Content-Length", b"9")]),
            ("GET", b"HTTP/1.1 204 No Content", []),
            ("DELETE", b"HTTP/1.1 204 No Content", [(b"X-A", b"b")]),
            ("GET", b"HTTP/1.1 304 Not Modified", [(b"ETag", b'"a"')]),
            ("GET", b"HTTP/1.1 304 Not Modified", [(b"Content-Length", b"1000"), (b"ETag", b'"a"')]),
            ("GET", OK, [(b"Content-Length", b"0")]),
        ]
        for method, start, headers in rows:
            _, answer, client = self.exchanged(request(method, "/"), head(start, headers), method == "HEAD")
            end_to_end = [header for header in headers if header != CHUNKED]
            self.assertEqual((answer.start, answer.passed), (start, end_to_end))
            self.assert_goes_on(client)

    def test_request_length_kept(self) -> None:
        """A request with a length is forwarded with it, and without a coding; one without a body has neither."""
        for method in ("POST", "PUT", "PATCH", "DELETE", "GET", "PURGE"):
            sent = request(method, "/v1/files", counted(b"whole")) + b"whole"
            received, _, client = self.exchanged(sent, head(OK, [counted(b"")]))
            self.assertEqual((received.length, received.body), (5, b"whole"))
            self.assertEqual(received.values(b"Transfer-Encoding"), [])
            self.assert_goes_on(client)
        for method in ("GET", "HEAD", "DELETE", "OPTIONS", "POST"):
            received, _, _ = self.exchanged(request(method, "/"), head(OK, [counted(b"")]))
            self.assertEqual(received.values(b"Content-Length") + received.values(b"Transfer-Encoding"), [])
        received, _, _ = self.exchanged(request("POST", "/", counted(b"")), head(OK, [counted(b"")]))
        self.assertEqual(received.values(b"Content-Length"), [b"0"])

    def test_request_chunks_kept(self) -> None:
        """A chunked request is forwarded chunked, in any spelling of the coding."""
        for spelling in (b"chunked", b"Chunked", b"CHUNKED"):
            sent = request("POST", "/v1/files", (b"transfer-encoding", spelling)) + chunked([b"who", b"le"])
            received, _, client = self.exchanged(sent, head(OK, [counted(b"")]))
            self.assertEqual((received.chunked, received.body), (True, b"whole"))
            self.assertEqual(received.values(b"Content-Length"), [])
            self.assert_goes_on(client)

    def test_response_framing_kept(self) -> None:
        """A response keeps its length or its chunked framing; one that ends by closing becomes chunked."""
        _, answer, client = self.exchanged(request("GET", "/"), head(OK, [counted(b"whole")]) + b"whole")
        self.assertEqual((answer.length, answer.body, answer.chunked), (5, b"whole", False))
        self.assert_goes_on(client)
        _, answer, client = self.exchanged(request("GET", "/"), head(OK, [CHUNKED]) + chunked([b"who", b"le"]))
        self.assertEqual((answer.length, answer.body, answer.chunked), (None, b"whole", True))
        self.assert_goes_on(client)
        client = self.connect()
        client.send(request("GET", "/"))
        upstream = self.listener.accept()
        upstream.read_message()
        upstream.send(head(b"HTTP/1.0 200 OK", []) + b"whole")
        upstream.close()
        answer = client.read_message()
        self.assertEqual((answer.body, answer.chunked), (b"whole", True))
        self.assert_goes_on(client)

    def test_http_1_0_client(self) -> None:
        """An HTTP/1.0 client gets no chunks; a response without a length ends by closing, even with keep-alive."""
        for headers in ([], [(b"Connection", b"keep-alive")]):
            client = self.connect()
            client.send(head(b"GET / HTTP/1.0", headers))
            upstream = self.listener.accept()
            upstream.read_message()
            upstream.send(head(OK, [CHUNKED]) + chunked([b"who", b"le"]))
            answer = client.read_head()
            self.assertEqual(answer.values(b"Transfer-Encoding"), [])
            self.assertEqual(answer.values(b"Connection"), [b"close"])
            self.assertEqual(self.assert_ends(client), b"whole")
            upstream.close()
            self.catch_up()

    def test_extensions(self) -> None:
        """Chunk extensions are dropped, in both directions."""
        body = b'3;a=b\r\nwho\r\n2 ; c="d"\r\nle\r\n0;e\r\n\r\n'
        received, answer, client = self.exchanged(
            request("POST", "/v1/files", CHUNKED) + body, head(OK, [CHUNKED]) + body
        )
        for message in (received, answer):
            self.assertEqual(message.body, b"whole")
            self.assertNotIn(b";", message.raw_body)
        self.assert_goes_on(client)

    def test_trailers(self) -> None:
        """Trailers are forwarded behind the body, never as header fields, and without those that belong there."""
        kept = [(b"X-Trailer", b"1"), (b"x-trailer", b"2")]
        trailers = (
            b"X-Trailer: 1\r\nAuthorization: Bearer trailer\r\nHost: trailer\r\nx-trailer:2\r\nSet-Cookie: a=1\r\n"
        )
        body = b"5\r\nwhole\r\n0\r\n" + trailers + b"\r\n"
        announced = (b"Trailer", b"X-Trailer")
        received, answer, client = self.exchanged(
            request("POST", "/v1/files", CHUNKED, announced) + body, head(OK, [CHUNKED, announced]) + body
        )
        for message in (received, answer):
            self.assertEqual((message.body, message.trailers), (b"whole", kept))
            for name in (b"X-Trailer", b"Authorization", b"Set-Cookie"):
                self.assertEqual(message.values(name), [])
            self.assertEqual(message.values(b"Trailer"), [b"X-Trailer"])
        self.assertEqual(received.values(b"Host"), [b"stt.test"])
        self.assert_goes_on(client)

    def test_any_cut(self) -> None:
        """Messages that arrive byte by byte are forwarded like messages that arrive whole."""
        sent = request("POST", "/v1/files", CHUNKED) + b"5;x=y\r\nwhole\r\n3\r\nday\r\n0\r\nA: b\r\n\r\n"
        answer = head(OK, [CHUNKED, (b"X-A", b"b")]) + b"5;x=y\r\nwhole\r\n3\r\nday\r\n0\r\nA: b\r\n\r\n"
        client = self.connect()
        client.send(*[sent[at : at + 1] for at in range(len(sent))])
        upstream = self.listener.accept()
        received = upstream.read_message()
        self.assertEqual((received.body, received.trailers), (b"wholeday", [(b"A", b"b")]))
        upstream.send(*[answer[at : at + 1] for at in range(len(answer))])
        got = client.read_message()
        self.assertEqual((got.body, got.values(b"X-A"), got.trailers), (b"wholeday", [b"b"], [(b"A", b"b")]))
        self.assert_goes_on(client)

    def test_empty_lines_before(self) -> None:
        """Empty lines before a request are ignored."""
        client = self.connect()
        client.send(b"\r\n\r\n" + request("GET", "/health") + b"\r\n" + request("GET", "/health"))
        self.assertEqual([client.read_message().status for _ in range(2)], [200, 200])


class Pipelines(FaultTestCase):
    """Pipelined requests."""

    def test_order(self) -> None:
        """
        They are answered in order, also with the proxy's own pages among them, each with its body; the last one
        closes.
        """
        count = 40
        kinds: Sequence[bytes] = [
            *(request("POST", f"/{n}", counted(b"%d" % n)) + b"%d" % n for n in range(0, count, 2)),
            *(request("POST", f"/{n}", CHUNKED) + chunked([b"%d" % n]) for n in range(1, count, 2)),
        ]
        ordered = [kinds[n // 2 + (n % 2) * (count // 2)] for n in range(count)]
        whole = b"".join(one + request("GET", "/health") for one in ordered)
        whole += request("GET", "/end", (b"Connection", b"close"))

        def script(peer: Peer) -> None:
            while True:
                message = peer.read_message()
                body = message.target + b"=" + message.body
                peer.send(head(OK, [counted(body)]) + body)

        for cut in (len(whole), 1, 7):
            with Listener() as listener:
                listener.serve(script)
                daemon = self.start_daemon(*before(listener))
                client = connect(daemon.port)
                self.addCleanup(client.close)
                client.send(*[whole[at : at + cut] for at in range(0, len(whole), cut)])
                for n in range(count):
                    self.assertEqual(client.read_message().body, b"/%d=%d" % (n, n))
                    self.assertEqual(client.read_message().values(b"Content-Type"), [b"application/json"])
                self.assertEqual(client.read_message().body, b"/end=")
                self.assert_closed(client)

    def test_h11_agrees(self) -> None:
        """h11, an independent HTTP library, reads the messages on both sides as expected."""
        with Listener() as listener:
            daemon = self.start_daemon(*before(listener))
            listener.serve(serve_h11)
            results: list[tuple[int, bytes]] = []
            thread = threading.Thread(target=ask_h11, args=(daemon.port, results), daemon=True)
            thread.start()
            thread.join(30)
            self.assertEqual(results, [(200, b"%d bytes" % (n * 10_000)) for n in range(20)])


def before(listener: Listener) -> tuple[str, ...]:
    """Options for a listener with threads, which end with their connections: a short idle timeout."""
    return "--target-host", "127.0.0.1", "--target-port", str(listener.port), "--pool-idle", "0.2"


def serve_h11(peer: Peer) -> None:
    """Respond to each request with its number of bytes, in its own framing."""
    connection = h11.Connection(h11.SERVER)
    length, framing = 0, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = peer.read_some()
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            length, framing = 0, b"chunked" if (b"transfer-encoding", b"chunked") in event.headers else b"length"
        elif isinstance(event, h11.Data):
            length += len(event.data)
        elif isinstance(event, h11.EndOfMessage):
            body = b"%d bytes" % length
            header = (b"transfer-encoding", b"chunked") if framing == b"chunked" else counted(body)
            pieces = [h11.Response(status_code=200, headers=[header]), h11.Data(data=body), h11.EndOfMessage()]
            peer.send(b"".join(connection.send(piece) or b"" for piece in pieces))
            connection.start_next_cycle()
        else:
            return


def ask_h11(port: int, results: list[tuple[int, bytes]]) -> None:
    """Send requests of growing bodies in both framings; append the statuses and bodies of the responses."""
    peer = connect(port)
    connection = h11.Connection(h11.CLIENT)
    for number in range(20):
        body = b"a" * (number * 10_000)
        header = (b"transfer-encoding", b"chunked") if number % 2 else counted(body)
        asked = h11.Request(method="POST", target="/x", headers=[(b"host", b"x"), header])
        for piece in (asked, h11.Data(data=body), h11.EndOfMessage()):
            peer.send(connection.send(piece) or b"")
        status, read = 0, b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(peer.read_some())
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                read += bytes(event.data)
        results.append((status, read))
        connection.start_next_cycle()
    peer.close()
