"""
Tests for trailers from socket to socket over HTTP/1.1: what is forwarded, and what breaks a message.
"""

from __future__ import annotations

from ..support.fakes import Ending
from ..support.stage import FORM, FORM_TYPE, PATH, ProxyTestCase, chunked, error_of, get, message, ok, post

CHUNKED = b"Transfer-Encoding: chunked"


class UploadTests(ProxyTestCase):
    """Trailers of requests."""

    def test_forwarded(self) -> None:
        """Chunk extensions are dropped, and trailers stay behind the body, but for those that belong into a head."""
        announced = (b"Trailer: X-Sum, X-Hop", b"Connection: X-Hop")
        body = b"2;x=y\r\nab\r\n0\r\nX-Sum: 1\r\nHost: evil\r\nX-Hop: 2\r\nAuthorization: x\r\nx-sum:2\r\n\r\n"
        data = post(None, *announced, body=body)
        for cut in range(1, len(data)):
            self.proxy()
            client = self.client(data[:cut], data[cut:])
            head, _, rest = self.server.received.partition(b"\r\n\r\n")
            self.assertIn(b"\r\nTrailer: X-Sum, X-Hop\r\n", head)
            whole = rest.replace(chunked(b"a", b"b", last=False), chunked(b"ab", last=False))
            self.assertEqual(whole, chunked(b"ab", last=False) + b"0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n", cut)
            self.server.send(ok())
            self.assertEqual((client.received, client.ending), (ok(), Ending.OPEN))

    def test_forms(self) -> None:
        """The trailers of a rewritten form are dropped, and so is what announces them."""
        for kind, form in (
            (FORM_TYPE, FORM),
            (b"Content-Type: application/x-www-form-urlencoded", b"model=m"),
            (b"Content-Type: application/json", b'{"file": "QUJD", "model": "m"}'),
        ):
            body = chunked(form, last=False) + b"0\r\nprompt: evil\r\n\r\n"
            self.client(post(None, kind, b"Trailer: prompt", target=PATH, body=body))
            received = self.server.news()
            self.assertNotIn(b"Trailer", received)
            self.assertNotIn(b"evil", received)
            self.server.send(ok())
            self.assertFalse(self.pool.busy, kind)

    def test_malformed(self) -> None:
        """A client with a malformed trailer section gets an error, and the upstream no complete request."""
        for section, status in (
            (b"X\r\n\r\n", 400),
            (b"X: a\n", 400),
            (b"X: a\r\n b\r\n\r\n", 400),
            (b"X : a\r\n\r\n", 400),
            (b"X: \0\r\n\r\n", 400),
            (b"Content-Length: 0\r\n\r\n", 400),
            (b"content_length: 0\r\n\r\n", 400),
            (b"Transfer-Encoding: chunked\r\n\r\n", 400),
            (b"X: a\r\n" * 101 + b"\r\n", 431),
            (b"X: " + b"a" * 65_536, 431),
        ):
            client = self.client(post(None, body=chunked(b"ab", last=False)))
            client.send(b"0\r\n" + section)
            self.assertEqual(error_of(client.received)[0], status, section[:40])
            self.assertEqual(client.ending, Ending.HALF)
            self.assertTrue(self.server.received.endswith(chunked(b"ab", last=False)))
            self.assertEqual(self.server.ending, Ending.RESET)

    def test_truncated(self) -> None:
        """A client that disconnects within its trailers leaves no complete request at the upstream."""
        section = b"0\r\nX: a\r\n\r\n"
        for cut in range(len(section)):
            client = self.client(post(None, body=chunked(b"ab", last=False)) + section[:cut])
            client.close()
            self.assertTrue(self.server.received.endswith(chunked(b"ab", last=False)), cut)
            self.assertEqual(self.server.ending, Ending.RESET)

    def test_late(self) -> None:
        """Trailers that come after an early response cost nothing but the connection."""
        client = self.client(post(None, body=chunked(b"ab", last=False)))
        self.server.send(message(b"HTTP/1.1 403 Forbidden", b"Content-Length: 0"))
        self.assertTrue(client.received.startswith(b"HTTP/1.1 403 "))
        client.send(b"0\r\nX: a\r\n\r\n")
        client.close()
        self.assertEqual(client.received.count(b"HTTP/1.1"), 1)


class ResponseTests(ProxyTestCase):
    """Trailers of responses."""

    def test_forwarded(self) -> None:
        """Chunk extensions are dropped, and trailers stay behind the body, but for those that belong into a head."""
        hop = b"Connection: X-Hop\r\n"
        body = b"2\r\nhi\r\n0\r\nX: 1\r\n%b%b\r\n"
        dropped = b"Set-Cookie: a=1\r\nX-Hop: 2\r\nLocation: /\r\n"
        answer = message(b"HTTP/1.1 200 OK", CHUNKED, b"Trailer: X", hop[:-2], body=body % (dropped, b"x:\r\n"))
        expected = message(b"HTTP/1.1 200 OK", b"Trailer: X", CHUNKED, body=body % (b"", b"x: \r\n"))
        for cut in range(1, len(answer)):
            self.proxy()
            client = self.client(get())
            self.server.send(answer[:cut], answer[cut:])
            whole = client.received.replace(chunked(b"h", b"i", last=False), chunked(b"hi", last=False))
            self.assertEqual((whole, client.ending), (expected, Ending.OPEN), cut)

    def test_http10(self) -> None:
        """A client of HTTP/1.0 gets the body without trailers."""
        client = self.client(get(version=b"HTTP/1.0"))
        self.server.send(message(b"HTTP/1.1 200 OK", CHUNKED, body=b"2\r\nhi\r\n0\r\nX: 1\r\n\r\n"))
        self.assertEqual(client.received, message(b"HTTP/1.1 200 OK", b"Connection: close", body=b"hi"))

    def test_bodiless(self) -> None:
        """A response without a body has no trailers: what looks like them breaks only the upstream's connection."""
        client = self.client()
        for method, status in ((b"HEAD", b"200 OK"), (b"GET", b"204 No Content"), (b"GET", b"304 Not Modified")):
            client.send(get(method=method))
            self.server.send(message(b"HTTP/1.1 " + status, b"X-A: b", body=b"0\r\nX: 1\r\n\r\n"))
            self.assertTrue(client.news().endswith(b"\r\nX-A: b\r\n\r\n"))
            self.assertEqual((client.ending, self.server.ending), (Ending.OPEN, Ending.RESET))

    def test_broken(self) -> None:
        """A response whose trailers are truncated or malformed is broken off, however the bytes came."""
        section = b"0\r\nX: 1\r\n\r\n"
        broken = [section[:cut] for cut in range(len(section))]
        broken += [b"0\r\nX: 1\n", b"0\r\nX\r\n\r\n", b"0\r\nContent-Length: 1\r\n\r\n", b"0\r\nX:" + b"a" * 70_000]
        for end in broken:
            client = self.client(get())
            self.server.send(message(b"HTTP/1.1 200 OK", CHUNKED, body=chunked(b"hi", last=False)), end)
            self.server.close()
            self.assertEqual(client.ending, Ending.RESET, end[:20])
            self.assertTrue(client.received.endswith(chunked(b"hi", last=False)), end[:20])
