"""
Requests that are not transcriptions reach the upstream unchanged.
"""

from __future__ import annotations

from .case import UNPOOLED, RawTestCase
from .forms import content_type, form, noise
from .message import CHUNKED, Header, Message, chunked, counted, request

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"

#: The headers that the proxy writes into each request, whatever the client sent.
FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
#: The header by which the proxy recognises its own requests.
MARK = b"cdn-loop"


class Requests(RawTestCase):
    """The test plays the upstream, so it sees every byte."""

    #: Would be visible in any request that is treated as a transcription.
    config = '{"language": "zh"}'
    options = UNPOOLED

    def received(self, sent: bytes) -> Message:
        """Return what the upstream receives of a request."""
        received, answer = self.exchange(sent, NO_CONTENT)
        self.assertEqual(answer.status, 204)
        return received

    def end_to_end(self, message: Message) -> list[Header]:
        """Return its headers without those that the proxy writes."""
        return [header for header in message.passed if header[0].lower() not in (*FORWARDED, MARK)]

    def test_any_method(self) -> None:
        """Known and unknown methods are forwarded, with a body or without."""
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH", "x!y"):
            with self.naming(method):
                received = self.received(request(method, "/v1/models/x"))
                self.assertEqual(received.start, method.encode() + b" /v1/models/x HTTP/1.1")
                self.assertEqual(self.end_to_end(received), [(b"Host", b"stt.test")])
                body = b"some bytes"
                received = self.received(request(method, "/v1/models/x", counted(body)) + body)
                self.assertEqual(received.raw_body, body)

    def test_target_to_the_byte(self) -> None:
        """The request target is forwarded as written: nothing is decoded, encoded, merged, sorted or dropped."""
        for target in (
            "/",
            "/?",
            "/??a=b?&&",
            "//double//slashes/",
            "/a%2Fb%2fc%20d%00%0d%0a",
            "/a/./b/../c",
            "/%E4%BC%9A%e8%ae%ae?q=%E4%BC%9A&q=%e4%bc%9a&b&a=+%2B",
            "/a;b=c,d:e@f!$'()*+~[]{}|^`\"<>\\",
            "/v1/models/a%2Fb?x=/audio/transcriptions",
            "/v1/audio/transcriptions/more",
            "/v1/audio/speech",
            "/health/",
            "/stats/x",
            "/" + "x" * 8000,
        ):
            with self.naming(target):
                self.assertEqual(self.received(request("GET", target)).target, target.encode())

    def test_raw_utf_8(self) -> None:
        """Raw UTF-8 in a path, as curl sends it, is forwarded percent-encoded."""
        received = self.received(request("GET", "/会议?问=答"))
        self.assertEqual(received.target, b"/%E4%BC%9A%E8%AE%AE?%E9%97%AE=%E7%AD%94")

    def test_server_wide_options(self) -> None:
        """OPTIONS * is forwarded."""
        self.assertEqual(self.received(request("OPTIONS", "*")).start, b"OPTIONS * HTTP/1.1")

    def test_transcriptions_with_other_methods(self) -> None:
        """A form is rewritten under any method, because a server may read it; requests without a body pass."""
        body = form([("language", "en")])
        for method in ("GET", "PUT", "OPTIONS"):
            received = self.received(request(method, "/v1/audio/transcriptions", content_type(), counted(body)) + body)
            self.assertNotEqual(received.values(b"Content-Type"), [content_type()[1]])
            received = self.received(request(method, "/v1/audio/transcriptions?language=x"))
            self.assertEqual(received.start, b"%b /v1/audio/transcriptions?language=x HTTP/1.1" % method.encode())

    def test_headers(self) -> None:
        """Headers keep their order, spelling and repetition; only the forwarded ones are added."""
        headers: list[Header] = [
            (b"User-Agent", b"curl/8.0"),
            (b"accept", b"*/*"),
            (b"X-Repeated", b"2"),
            (b"ACCEPT-ENCODING", b"br, gzip;q=0.5"),
            (b"x-repeated", b"1"),
            (b"X-Empty", b""),
            (b"X-Latin", b"caf\xe9"),
            (b"X-UTF8", "会议".encode()),
            (b"Authorization", b"Bearer s3cret"),
            (b"X-Repeated", b"2"),
            (b"Cookie", b"a=b; c=d"),
            (b"Accept-Encoding", b"gzip"),
            (b"Via", b"1.1 other"),
            (b"x_under_score", b"y"),
        ]
        received = self.received(request("GET", "/v1/models", *headers))
        self.assertEqual(self.end_to_end(received), [(b"Host", b"stt.test"), *headers])
        self.assertEqual([received.values(name) for name in FORWARDED], [[b"127.0.0.1"], [b"http"], [b"stt.test"]])

    def test_no_accept_encoding_is_added(self) -> None:
        """Accept-Encoding is not added for a client that does not send it."""
        self.assertEqual(self.received(request("GET", "/")).values(b"Accept-Encoding"), [])

    def test_hop_by_hop_headers(self) -> None:
        """Hop-by-hop fields of the client are dropped, and so are those that any Connection field names."""
        stop: list[Header] = [
            (b"Connection", b"X-Named, keep-alive"),
            (b"Keep-Alive", b"timeout=5"),
            (b"x-named", b"1"),
            (b"TE", b"gzip"),
            (b"Proxy-Connection", b"keep-alive"),
            (b"Proxy-Authorization", b"Basic eA=="),
            (b"connection", b"x-Other"),
            (b"X-Other", b"2"),
        ]
        keep: list[Header] = [(b"Trailer", b"X-T"), (b"Authorization", b"Bearer x")]
        received = self.received(request("GET", "/", *stop[:5], keep[0], *stop[5:], keep[1]))
        self.assertEqual(self.end_to_end(received), [(b"Host", b"stt.test"), *keep])

    def test_bodies_in_both_framings(self) -> None:
        """A body is forwarded in its framing: with its length, or chunked, with any chunk sizes."""
        body = noise(300_000)
        received = self.received(request("POST", "/v1/embeddings", counted(body), (b"X-After", b"1")) + body)
        self.assertEqual(received.raw_body, body)
        self.assertEqual(self.end_to_end(received), [(b"Host", b"stt.test"), counted(body), (b"X-After", b"1")])
        pieces = [body[:1], body[1:50_000], body[50_000:]]
        received = self.received(request("PUT", "/x", CHUNKED) + chunked(pieces))
        self.assertEqual(received.body, body)
        self.assertEqual(sorted(self.end_to_end(received)), [(b"Host", b"stt.test"), CHUNKED])

    def test_empty_bodies(self) -> None:
        """An empty body is forwarded with the client's framing, or without any."""
        for headers, after in (([], b""), ([(b"Content-Length", b"0")], b""), ([CHUNKED], b"0\r\n\r\n")):
            with self.naming(headers):
                received = self.received(request("POST", "/v1/x", *headers) + after)
                self.assertEqual(received.raw_body, after)
                self.assertEqual(self.end_to_end(received), [(b"Host", b"stt.test"), *headers])

    def test_forms_elsewhere(self) -> None:
        """A form to another endpoint is not changed, boundary included."""
        body = form([("language", "en"), ("prompt", "x")])
        received = self.received(request("POST", "/v1/audio/speech", content_type(), counted(body)) + body)
        self.assertEqual(received.raw_body, body)
        self.assertEqual(received.values(b"Content-Type"), [content_type()[1]])

    def test_body_while_it_comes(self) -> None:
        """Each piece of a body reaches the upstream before the client sends the next."""
        client = self.connect()
        client.send(request("POST", "/v1/x", CHUNKED))
        upstream = self.listener.accept()
        upstream.read_head()
        for number in range(5):
            client.send(b"6\r\npiece%d\r\n" % number)
            upstream.read_until(b"piece%d" % number)
        client.send(b"0\r\n\r\n")
        upstream.read_until(b"0\r\n\r\n")
        upstream.send(NO_CONTENT)
        self.assertEqual(client.read_message().status, 204)
