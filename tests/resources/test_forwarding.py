"""
Tests for :mod:`sttproxy.relay` and :mod:`sttproxy.resources`: the request to the upstream, and 100 Continue.
"""

from __future__ import annotations

from ipaddress import ip_network

from sttproxy.http1.requests import parse_request
from sttproxy.peers import TrustedPeers
from sttproxy.upstream.pool import PoolLimits

from ..support.stage import PSEUDONYM, ProxyTestCase, get, message, ok, post, transcription

#: The fields that each forwarded request has.
MARK = b"CDN-Loop: " + PSEUDONYM
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class TargetTests(ProxyTestCase):
    """The request to the upstream."""

    def asked(self, data: bytes) -> bytes:
        """Return what the upstream receives of a request."""
        self.client(data)
        parse_request(self.server.received.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        return self.server.received

    def test_kept(self) -> None:
        """Method, target and headers are forwarded byte for byte and in order."""
        for method in (b"GET", b"get", b"PROPFIND", b"sTrange!"):
            for target in (
                b"/",
                b"/a%2Fb//../c?x=%00&&y",
                b"/!\"$&'()*+,-.;<=>@[\\]^_`{|}~?q",
                b"/v1/models?token=a b".replace(b" ", b"+"),
            ):
                fields = (b"x-B: 1", b"X-a: 2", b"x-b: 3", b"Cookie: a=b", b"Accept-Encoding: br")
                received = self.asked(get(target, *fields, method=method))
                head = message(method + b" " + target + b" HTTP/1.1", b"Host: h", *fields)
                self.assertTrue(received.startswith(head[:-2]), received)
                self.assertNotIn(b"gzip", received)

    def test_prefix(self) -> None:
        """A prefix is put before a path, and not before the target ``*``."""
        self.proxy(prefix=b"/api")
        self.assertIn(b"GET /api/x?y HTTP/1.1\r\n", self.asked(get(b"/x?y")))
        self.assertIn(b"OPTIONS * HTTP/1.1\r\n", self.asked(get(b"*", method=b"OPTIONS")))

    def test_absolute(self) -> None:
        """A target in absolute form is reduced to its path, and its authority becomes the Host."""
        received = self.asked(get(b"http://other:1/x?y"))
        self.assertTrue(received.startswith(message(b"GET /x?y HTTP/1.1", b"Host: other:1")[:-2]), received)

    def test_hop_by_hop(self) -> None:
        """The client's hop-by-hop fields are dropped."""
        hops = (
            b"Connection: X-Hop, keep-alive",
            b"X-Hop: 1",
            b"Keep-Alive: 5",
            b"TE: gzip",
            b"Proxy-Connection: x",
        )
        received = self.asked(get(b"/x", *hops, b"X: y"))
        self.assertTrue(received.startswith(message(b"GET /x HTTP/1.1", b"Host: h", b"X: y")[:-2]), received)
        self.assertNotIn(b"Hop", received)

    def test_te(self) -> None:
        """Of TE only "trailers" is passed on, on a connection of its own, and not with an upgrade."""
        self.assertIn(b"\r\nConnection: TE\r\nTE: trailers\r\n", self.asked(get(b"/x", b"TE: gzip, trailers")))
        upgrade = (b"Connection: TE, Upgrade", b"Upgrade: websocket", b"TE: trailers")
        received = self.asked(get(b"/x", *upgrade))
        self.assertIn(b"Connection: Upgrade\r\n", received)
        self.assertNotIn(b"TE", received)

    def test_http10(self) -> None:
        """An HTTP/1.0 request without Host is forwarded as HTTP/1.1 with the upstream's own Host."""
        received = self.asked(b"GET /x HTTP/1.0\r\n\r\n")
        self.assertTrue(received.startswith(message(b"GET /x HTTP/1.1", b"Host: upstream:1")[:-2]), received)

    def test_forwarded(self) -> None:
        """Forwarded headers name the client's address, protocol and host; the client's own values are not trusted."""
        received = self.asked(get(b"/x", b"X-Forwarded-For: 9.9.9.9", b"x-forwarded-proto: https"))
        forwarded = (b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Proto: http", b"X-Forwarded-Host: h", MARK)
        self.assertEqual(received, message(b"GET /x HTTP/1.1", b"Host: h", *forwarded))

    def test_trusted(self) -> None:
        """The values of a trusted proxy are extended."""
        self.proxy(trusted=TrustedPeers([ip_network("192.0.2.0/24")]))
        received = self.asked(get(b"/x", b"X-Forwarded-For: 9.9.9.9", b"X-Forwarded-Proto: https"))
        forwarded = (b"X-Forwarded-For: 9.9.9.9, 192.0.2.7", b"X-Forwarded-Proto: https", b"X-Forwarded-Host: h", MARK)
        self.assertEqual(received, message(b"GET /x HTTP/1.1", b"Host: h", *forwarded))


class ContinueTests(ProxyTestCase):
    """Clients that expect 100 Continue."""

    def test_when_connected(self) -> None:
        """
        100 is sent when the upstream connection is made, and not before; the upstream does not get the Expect field.
        """
        self.upstream.at_once = False
        client = self.client(post(4, b"Expect: 100-continue"))
        self.reactor.pass_time(3)
        self.assertEqual(client.received, b"")
        self.upstream.accept()
        self.assertEqual(client.news(), CONTINUE)
        self.assertNotIn(b"xpect", self.server.received)
        client.send(b"abcd")
        self.server.send(ok())
        self.assertEqual(client.news(), ok())

    def test_resting_connection(self) -> None:
        """With an idle connection 100 is sent at once."""
        client = self.client(get())
        self.server.send(ok())
        client.news()
        client.send(post(4, b"Expect: 100-continue"))
        self.assertEqual(client.news(), CONTINUE)

    def test_free_connection(self) -> None:
        """While all connections are busy 100 is not sent."""
        self.proxy(pool=PoolLimits(total=1))
        self.client(get())
        client = self.client(post(4, b"Expect: 100-continue"))
        self.assertEqual(client.received, b"")
        self.server.send(ok())
        self.assertEqual(client.received, CONTINUE)

    def test_refused_by_upstream(self) -> None:
        """
        An upstream's refusal is relayed instead; if the client sends its body all the same, it gets no second
        response.
        """
        client = self.client(post(4, b"Expect: 100-continue"))
        client.news()
        self.server.send(message(b"HTTP/1.1 401 -", b"Content-Length: 0"))
        self.assertEqual(client.news(), message(b"HTTP/1.1 401 -", b"Content-Length: 0", b"Connection: close"))
        client.send(b"abcd")
        self.assertEqual(client.news(), b"")

    def test_upstream_says_so_too(self) -> None:
        """The upstream's own 100 is dropped."""
        client = self.client(post(4, b"Expect: 100-continue"))
        self.server.send(CONTINUE)
        self.assertEqual(client.received, CONTINUE)


class IdentityTests(ProxyTestCase):
    """The Host and the API key of requests to the server."""

    def asked(self, data: bytes) -> bytes:
        """Return what the upstream receives of a request."""
        self.client(data)
        return self.server.received

    def test_host(self) -> None:
        """The server's own Host replaces that of clients, which X-Forwarded-Host keeps."""
        self.proxy(host=b"api.example", replaces_host=True)
        received = self.asked(get(b"/x", b"A: 1"))
        self.assertTrue(received.startswith(message(b"GET /x HTTP/1.1", b"Host: api.example", b"A: 1")[:-2]), received)
        self.assertIn(b"\r\nX-Forwarded-Host: h\r\n", received)
        self.assertEqual(received.count(b"Host: "), 2)

    def test_redirect(self) -> None:
        """A redirect to the server's own name leads to the proxy."""
        self.proxy(host=b"api.example", replaces_host=True)
        client = self.client(get(b"/x"))
        self.server.send(message(b"HTTP/1.1 302 -", b"Location: https://api.example/y", b"Content-Length: 0"))
        self.assertIn(b"\r\nLocation: /y\r\n", client.received)

    def test_key(self) -> None:
        """The key for the server replaces that of clients, in any number and spelling, at the time of the request."""
        keys = [b"Bearer one", b"Bearer two"]
        self.proxy(authorization=lambda: keys[0])
        for fields in ((), (b"authorization: Bearer mine",), (b"Authorization: a", b"AUTHORIZATION: b")):
            received = self.asked(get(b"/x", *fields))
            self.assertEqual(received.lower().count(b"authorization"), 1)
            self.assertIn(b"\r\nAuthorization: Bearer one\r\n", received)
            self.assertTrue(received.startswith(b"GET /x HTTP/1.1\r\nHost: h\r\n"))
        del keys[0]
        self.assertIn(b"\r\nAuthorization: Bearer two\r\n", self.asked(get(b"/x")))

    def test_transcriptions(self) -> None:
        """Both hold for transcriptions too."""
        self.proxy(host=b"api.example", replaces_host=True, authorization=lambda: b"Bearer one")
        received = self.asked(transcription())
        self.assertIn(b"\r\nAuthorization: Bearer one\r\n", received)
        self.assertIn(b"\r\nHost: api.example\r\n", received)
