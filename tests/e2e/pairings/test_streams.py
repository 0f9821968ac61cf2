"""
Bodies pass while they arrive, in order, in both directions.
"""

from __future__ import annotations

import hashlib

from ..forms import noise, part
from ..message import CHUNKED
from .case import TRANSCRIPTIONS, PairingTestCase, answer, asked, length_of
from .forms import CLOSING, OPENING

#: Larger than all windows and socket buffers on the way.
LARGE = noise(8_000_000)
ROUNDS = 20


class StreamTests(PairingTestCase):
    """
    Transfers that succeed.

    Where both ends take turns, a proxy that held something back would block the test.
    """

    def test_upload(self) -> None:
        """Each piece of an upload reaches the upstream before the client sends the next one."""
        for target in ("/v1/files", TRANSCRIPTIONS):
            pieces = [b"%d " % number * 100 for number in range(ROUNDS)]
            for length in (sum(map(len, [OPENING, *pieces, CLOSING])), None):
                client = self.upload(length, target)
                client.send(OPENING)
                upstream, _ = self.accept()
                for piece in pieces:
                    client.send(piece)
                    upstream.read_until(piece)
                client.send(CLOSING, last=True)
                upstream.read_body()
                upstream.respond(answer(200, body=b"ok"))
                self.assertEqual(client.read_message().body, b"ok")

    def test_forced(self) -> None:
        """The forced field comes first, and the file that follows is intact."""
        form = OPENING + LARGE + b"\r\n" + part("language", "en") + CLOSING[2:]
        for length in (len(form), None):
            client = self.upload(length, TRANSCRIPTIONS)
            sending = client.sending([form])
            upstream, head = self.accept()
            (kind,) = head.values(b"Content-Type")
            received = upstream.read_body()
            self.assertTrue(sending.wait())
            self.assertTrue(kind.startswith(b"multipart/form-data; boundary="))
            self.assertEqual(head.values(b"Content-Length"), [] if length is None else [b"%d" % len(received)])
            first, _, rest = received.partition(b'name="file"')
            self.assertIn(b'name="language"\r\n\r\nzh\r\n', first)
            self.assertIn(b"\r\n\r\n" + LARGE + b"\r\n--", rest)
            self.assertNotIn(b"\r\n\r\nen\r\n", rest[-300:])
            upstream.respond(answer(200, body=b"ok"))
            self.assertEqual(client.read_message().body, b"ok")

    def test_events(self) -> None:
        """Each event of a stream reaches the client before the upstream sends the next one."""
        for length in (length_of(100_000), CHUNKED):
            client = self.ask(asked("GET", "/v1/chat"))
            upstream, _ = self.accept()
            upstream.send_head(answer(200, (b"Content-Type", b"text/event-stream"), length))
            self.assertEqual(client.read_head().values(b"Content-Type"), [b"text/event-stream"])
            for number in range(ROUNDS):
                event = b'data: {"delta": %d}\n\n' % number
                upstream.send(event)
                self.assertEqual(client.read_exactly(len(event)), event)
            client.abort()

    def test_last_event(self) -> None:
        """The end of a stream follows at once."""
        client = self.ask(asked("GET", "/v1/chat"))
        upstream, _ = self.accept()
        upstream.send_head(answer(200, CHUNKED))
        upstream.send(b"data: [DONE]\n\n", last=True)
        self.assertEqual(client.read_message().raw_body, b"data: [DONE]\n\n")

    def test_both_ways(self) -> None:
        """After the head of a response both bodies go on, piece by piece, to their ends."""
        client = self.upload(None)
        upstream, _ = self.accept()
        upstream.send_head(answer(200, CHUNKED))
        self.assertEqual(client.read_head().status, 200)
        for number in range(ROUNDS):
            client.send(b"question %d " % number)
            upstream.read_until(b"question %d " % number)
            upstream.send(b"answer %d " % number)
            client.read_until(b"answer %d " % number)
        client.end()
        self.assertEqual(upstream.read_body(), b"")
        upstream.end()
        self.assertEqual(client.read_body(), b"")

    def test_large(self) -> None:
        """Large bodies pass unchanged in both directions at a time."""
        for length in (len(LARGE), None):
            client = self.upload(length)
            uploading = client.sending([LARGE])
            upstream, _ = self.accept()
            upstream.send_head(answer(200, length_of(length)))
            downloading = upstream.sending([LARGE])
            self.assertEqual(client.read_head().status, 200)
            for end in (upstream, client):
                self.assertEqual(hashlib.sha256(end.read_body()).digest(), hashlib.sha256(LARGE).digest())
            self.assertTrue(uploading.wait() and downloading.wait())

    def test_many(self) -> None:
        """Requests at the same time, on one connection where the version can, each get their own response."""
        shared = self.connect()
        clients = []
        for number in range(30):
            connection = shared if self.pairing.client == 2 else self.connect()
            clients.append(self.ask(asked("GET", f"/{number}"), connection=connection))
        upstreams = {head.target: upstream for upstream, head in [self.accept() for _ in clients]}
        for number, client in reversed(list(enumerate(clients))):
            upstreams[b"/%d" % number].respond(answer(200, body=b"%d" % number))
            self.assertEqual(client.read_message().body, b"%d" % number)

    def test_one_after_the_other(self) -> None:
        """Many requests, with bodies and without, follow each other on one connection."""
        connection = self.connect()
        for number in range(20):
            body = b"x" * (number % 3)
            message = asked("POST", f"/v1/files?n={number}", length_of(len(body)))
            client = self.ask(message, body, connection)
            upstream, head = self.accept()
            self.assertEqual((head.target, upstream.read_body()), (b"/v1/files?n=%d" % number, body))
            upstream.respond(answer(200, body=body))
            self.assertEqual(client.read_message().body, body)

    def test_heads(self) -> None:
        """Methods, targets and fields pass unchanged, and so do those of responses."""
        fields = [(b"x-repeated", b"2"), (b"x-other", b""), (b"x-repeated", b"1"), (b"cookie", b"a=1; b=2")]
        for method, target in (("GET", "/a%2Fb/%e4?c=d&c=%20"), ("DELETE", "/x"), ("PATCH", "//y?"), ("OPTIONS", "/")):
            client = self.ask(asked(method, target, *fields))
            upstream, head = self.accept()
            self.assertEqual((head.start.split()[0], head.target), (method.encode(), target.encode()))
            self.assertEqual([field for field in head.headers if field in fields], fields)
            upstream.respond(answer(201, *fields[:3], (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), body=b"ok"))
            message = client.read_message()
            self.assertEqual(message.status, 201)
            self.assertEqual([field for field in message.headers if field in fields], fields[:3])
            self.assertEqual(message.values(b"set-cookie"), [b"a=1", b"b=2"])

    def test_bodiless(self) -> None:
        """Responses without a body end with their head, whatever length they tell."""
        # h2, the tests' client of HTTP/2, takes the length of a 304 for an error.
        for method, status, length in (("HEAD", 200, 1000), ("GET", 204, None), ("GET", 304, None)):
            fields = [] if length is None else [length_of(length)]
            connection = self.connect()
            client = self.ask(asked(method, "/"), connection=connection)
            upstream, _ = self.accept()
            upstream.send_head(answer(status, *fields), last=True)
            message = client.read_message()
            self.assertEqual((message.status, message.raw_body), (status, b""))
            self.assertEqual(message.length, length)

    def test_continue(self) -> None:
        """A client that expects 100 Continue gets it before its upload."""
        client = self.upload(5, "/v1/files", (b"Expect", b"100-continue"))
        self.assertEqual(client.read_head().status, 100)
        client.send(b"whole", last=True)
        upstream, head = self.accept()
        self.assertEqual((upstream.read_body(), head.values(b"Expect")), (b"whole", []))
        upstream.respond(answer(200, body=b"ok"))
        self.assertEqual(client.read_message().body, b"ok")
