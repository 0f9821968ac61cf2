"""
Responses reach the client unchanged.
"""

from __future__ import annotations

import gzip

import httpx

from .case import UNPOOLED, EchoTestCase, RawTestCase
from .forms import noise
from .message import CHUNKED, Header, Message, chunked, counted, head, parse_head, request, split_chunks
from .raw import Peer

GET = request("GET", "/v1/models")


def response(start: bytes, *headers: Header) -> bytes:
    """A response's head."""
    return head(b"HTTP/1.1 " + start, headers)


class Responses(RawTestCase):
    """The test plays the upstream and the client, so it compares bytes."""

    options = UNPOOLED

    def answer(self, sent: bytes, bodiless: bool = False, asked: bytes = GET) -> Message:
        """Return what the client receives of a response."""
        return self.exchange(asked, sent, bodiless)[1]

    def begin(self, asked: bytes = GET) -> tuple[Peer, Peer]:
        """Return a client that waits for a response, and the upstream that has its request."""
        client = self.connect()
        client.send(asked)
        upstream = self.listener.accept()
        upstream.read_message()
        return client, upstream

    def test_status_and_phrase(self) -> None:
        """Status and phrase are relayed, usual or not."""
        for line in (b"200 OK", b"201 Fine By Me", b"299 x", b"404 ", b"418 I'm a teapot", b"599 \xe9\xff", b"999 Odd"):
            with self.naming(line):
                received = self.answer(response(line, (b"Content-Length", b"1")) + b"x")
                self.assertEqual(received.start, b"HTTP/1.1 " + line)
                self.assertEqual(received.body, b"x")

    def test_headers(self) -> None:
        """Headers keep their order, spelling and repetition; Server, Date or Content-Type are not added."""
        headers: list[Header] = [
            (b"set-cookie", b"a=1"),
            (b"Content-Length", b"2"),
            (b"X-Repeated", b"2"),
            (b"Set-Cookie", b"b=2; Path=/"),
            (b"x-repeated", b"1"),
            (b"WWW-Authenticate", b'Basic realm="a", Bearer'),
            (b"X-Empty", b""),
            (b"Content-Disposition", "attachment; filename=会议.srt".encode()),
        ]
        self.assertEqual(self.answer(response(b"200 OK", *headers) + b"{}").passed, headers)
        own: list[Header] = [(b"Server", b"mlx"), (b"Date", b"yesterday"), (b"Content-Type", b"x"), counted(b"")]
        self.assertEqual(self.answer(response(b"200 OK", *own)).passed, own)

    def test_hop_by_hop_headers(self) -> None:
        """Hop-by-hop fields of the upstream are dropped, and so are those that any Connection field names."""
        keep: list[Header] = [(b"X-Kept", b"1"), counted(b"")]
        stop: list[Header] = [
            (b"Connection", b"keep-alive, X-Named"),
            (b"Keep-Alive", b"timeout=5"),
            (b"X-Named", b"1"),
            (b"connection", b"x-other"),
            (b"Proxy-Authenticate", b"Basic"),
            (b"X-Other", b"2"),
        ]
        self.assertEqual(self.answer(response(b"200 OK", keep[0], *stop, keep[1])).passed, keep)

    def test_bodies_in_each_framing(self) -> None:
        """A body is relayed in its framing: with its length, in chunks, or up to the end of the connection."""
        body = noise(200_000)
        received = self.answer(response(b"200 OK", counted(body)) + body)
        self.assertEqual((received.passed, received.raw_body), ([counted(body)], body))
        received = self.answer(response(b"200 OK", CHUNKED) + chunked([body[:1], body[1:70_000], body[70_000:]]))
        self.assertEqual((received.passed, received.body), ([CHUNKED], body))
        client, upstream = self.begin()
        upstream.send(response(b"200 OK", (b"X-A", b"b")), body)
        upstream.close()
        received = client.read_message()
        self.assertEqual((received.passed, received.body), ([(b"X-A", b"b"), CHUNKED], body))

    def test_events_one_by_one(self) -> None:
        """
        Each event of a stream reaches the client before the upstream sends the next, in each framing.

        A buffered event would block the test: the upstream continues only when the client has got it.
        """
        for headers, write in (
            ([CHUNKED], lambda event: b"%x\r\n%b\r\n" % (len(event), event)),
            ([(b"Content-Length", b"100000")], bytes),
            ([], bytes),
        ):
            with self.naming(headers):
                client, upstream = self.begin()
                stream = [(b"Content-Type", b"text/event-stream"), *headers]
                upstream.send(response(b"200 OK", *stream))
                self.assertEqual(client.read_head().headers[0], stream[0])
                for number in range(20):
                    event = b'data: {"delta": %d}\n\n' % number
                    upstream.send(write(event))
                    client.read_until(event)

    def test_redirects(self) -> None:
        """Redirects are relayed, not followed."""
        for status in (301, 302, 303, 307, 308):
            headers = [(b"Location", b"/elsewhere"), counted(b"")]
            received = self.answer(response(b"%d Moved" % status, *headers))
            self.assertEqual((received.status, received.passed), (status, headers))
            self.assertIsNone(self.listener.accept_waiting())

    def test_gzip(self) -> None:
        """A compressed body is relayed compressed, whether or not the client asked for it."""
        body = gzip.compress(b"text " * 100)
        headers = [(b"Content-Encoding", b"gzip"), (b"Vary", b"Accept-Encoding"), counted(body)]
        for asked in (GET, request("GET", "/", (b"Accept-Encoding", b"gzip"))):
            received = self.answer(response(b"200 OK", *headers) + body, asked=asked)
            self.assertEqual((received.passed, received.raw_body), (headers, body))

    def test_chunks_are_not_gathered(self) -> None:
        """Chunks are relayed as they arrive; the last one follows at once."""
        client, upstream = self.begin()
        upstream.send(response(b"200 OK", CHUNKED), b"5\r\nfirst\r\n")
        client.read_until(b"first")
        upstream.send(b"6\r\nsecond\r\n", b"0\r\n\r\n")
        client.read_until(b"0\r\n\r\n")
        _, _, raw_body = bytes(client.received).partition(b"\r\n\r\n")
        self.assertEqual(b"".join(split_chunks(raw_body)), b"firstsecond")

    def test_old_clients(self) -> None:
        """An HTTP/1.0 client gets a body without a length up to the end of its connection."""
        client = self.connect()
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        upstream = self.listener.accept()
        received = upstream.read_message()
        self.assertEqual(received.values(b"Host"), [b"127.0.0.1:%d" % self.listener.port])
        upstream.send(response(b"200 OK", CHUNKED), chunked([b"first", b"second"]))
        whole = client.read_to_end()
        start, _, body = whole.partition(b"\r\n\r\n")
        self.assertEqual(body, b"firstsecond")
        self.assertEqual(parse_head(start + b"\r\n\r\n").passed, [(b"Connection", b"close")])


class ResponsesToClients(EchoTestCase):
    """Responses as a common client reads them, with uvicorn as upstream."""

    def test_gzip(self) -> None:
        """A client decodes what the upstream has encoded."""
        with httpx.Client(base_url=self.daemon.url(), trust_env=False) as client:
            received = client.get("/gzip")
        self.assertEqual(received.text, "compressed " * 100)
        self.assertEqual(received.headers["content-encoding"], "gzip")

    def test_redirect(self) -> None:
        """The client sees a redirect, and can follow it."""
        with httpx.Client(base_url=self.daemon.url(), trust_env=False) as client:
            received = client.get("/moved")
            self.assertEqual((received.status_code, received.headers["location"]), (307, "/elsewhere?a=b"))
            followed = client.get("/moved", follow_redirects=True)
        self.assertEqual((followed.json()["path"], followed.json()["query"]), ("/elsewhere", "a=b"))

    def test_cookies(self) -> None:
        """A cookie belongs to the client that got it: other clients never send it, on any connection."""
        with httpx.Client(base_url=self.daemon.url(), trust_env=False) as one:
            self.assertEqual(one.get("/cookie?one").json(), {"came": []})
            with httpx.Client(base_url=self.daemon.url(), trust_env=False) as other:
                self.assertEqual(other.get("/cookie?other").json(), {"came": []})
                self.assertEqual(one.get("/cookie?one").json(), {"came": ["one=1"]})
                self.assertEqual(other.get("/cookie?other").json(), {"came": ["other=1"]})
        with httpx.Client(base_url=self.daemon.url(), trust_env=False) as third:
            self.assertEqual(third.get("/cookie?third").json(), {"came": []})
