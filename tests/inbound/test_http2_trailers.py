"""
Tests for trailers over :mod:`sttproxy.inbound.http2`, before a server of HTTP/1.1, with h2 as the client, in memory.
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame

from sttproxy.errors import Header

from ..support.fakes import Ending
from ..support.http2 import FORM_TYPE, HTTP2TestCase
from ..support.stage import FORM, PATH, message, ok


class TrailerTests(HTTP2TestCase):
    """Trailers of requests and responses."""

    def test_forwarded(self) -> None:
        """Trailers of a request reach a server of HTTP/1.1, and its trailers the client."""
        client = self.connected()
        number = client.ask(b"/x", (b"te", b"trailers"), method=b"POST", ends=False)
        client.send(number, b"ab")
        client.trail(number, (b"x-sum", b"1"), (b"authorization", b"evil"), (b"x-sum", b"2"))
        head, _, body = self.server.news().partition(b"\r\n\r\n")
        self.assertIn(b"\r\nConnection: TE\r\nTE: trailers\r\n", head + b"\r\n")
        self.assertEqual(body, b"2\r\nab\r\n0\r\nx-sum: 1\r\nx-sum: 2\r\n\r\n")
        end = b"0\r\nX-Sum: 3\r\nSet-Cookie: a=1\r\n\r\n"
        self.server.send(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"Trailer: X-Sum", body=end))
        client.exchange()
        self.assertEqual((client.trailers[number], client.ended), ([(b"x-sum", b"3")], {number}))
        self.assertEqual(client.fields[number], {b"trailer": b"X-Sum"})
        self.assertEqual(client.bodies, {})
        self.assertEqual((client.goaway, client.resets), (None, {}))

    def test_behind_window(self) -> None:
        """Trailers of a response wait until the client's window has taken its body."""
        client = self.connected()
        client.acknowledges = False
        number = client.ask()
        self.server.send(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"))
        self.server.send(b"%x\r\n%b\r\n0\r\nX: a\r\n\r\n" % (100_000, bytes(100_000)))
        client.exchange()
        self.assertEqual((len(client.bodies[number]), client.trailers, client.ended), (65_535, {}, set()))
        client.h2.acknowledge_received_data(65_535, number)
        client.exchange()
        self.assertEqual(len(client.bodies[number]), 100_000)
        self.assertEqual((client.trailers[number], client.ended), ([(b"x", b"a")], {number}))

    def test_dropped(self) -> None:
        """Trailers that HTTP/1.1 cannot carry behind a Content-Length are dropped, and the ones of a form are."""
        client = self.connected()
        number = client.ask(b"/x", (b"content-length", b"2"), method=b"POST", ends=False)
        client.send(number, b"ab")
        client.trail(number, (b"x", b"1"))
        self.assertTrue(self.server.news().endswith(b"\r\n\r\nab"))
        self.server.send(ok())
        number = client.ask(PATH, (b"content-type", FORM_TYPE), (b"trailer", b"prompt"), method=b"POST", ends=False)
        client.send(number, FORM)
        client.trail(number, (b"prompt", b"evil"))
        received = self.server.news()
        self.assertTrue(received.endswith(b"0\r\n\r\n"))
        self.assertNotIn(b"railer", received)

    def test_malformed(self) -> None:
        """Trailers that HTTP/1.1 could read in another way get 400, and cost no other stream anything."""
        client = self.connected()
        client.h2.config.validate_outbound_headers = False
        client.h2.config.normalize_outbound_headers = False
        other = client.ask(b"/other")
        server = self.server
        for name, value in (
            (b"x", b"a\r\nhost: evil"),
            (b"x y", b"a"),
            (b"x", b"\0"),
            (b"content-length", b"2"),
            (b"content_length", b"2"),
            (b"te", b"trailers"),
            (b"te", b"gzip"),
            (b":path", b"/"),
            (b":status", b"200"),
            (b"X", b"a"),
            (b"connection", b"close"),
        ):
            for early in (False, True):
                number = client.ask(b"/x", method=b"POST", ends=False)
                upstream = self.server
                client.send(number, b"ab")
                if early:
                    upstream.send(message(b"HTTP/1.1 403 Forbidden", b"Content-Length: 0"))
                client.trail(number, (b"a", b"b"), (name, value))
                self.assertEqual(client.status[number], 403 if early else 400, name)
                self.assertFalse(upstream.received.endswith(b"0\r\n\r\n"))
                self.assertEqual(upstream.ending, Ending.RESET)
        server.send(ok())
        client.exchange()
        self.assertEqual((client.status[other], client.goaway), (200, None))

    def test_wrong_length(self) -> None:
        """Trailers do not complete a body that is shorter than its Content-Length."""
        client = self.connected()
        number = client.ask(b"/x", (b"content-length", b"3"), method=b"POST", ends=False)
        client.send(number, b"ab")
        client.trail(number, (b"x", b"1"))
        self.assertEqual((client.resets, client.goaway), ({number: ErrorCodes.PROTOCOL_ERROR}, None))
        self.assertTrue(self.server.received.endswith(b"\r\n\r\nab"))
        self.assertEqual(self.server.ending, Ending.RESET)

    def test_truncated(self) -> None:
        """Trailers that do not end the stream, or do not end, leave no complete request at the server."""
        flags = ["END_HEADERS", "END_STREAM"]
        for last in (HeadersFrame(1, b"", flags=flags[:1]), HeadersFrame(1, b"", flags=flags[1:])):
            client = self.connected()
            self.assertEqual(client.ask(b"/x", method=b"POST", ends=False), 1)
            client.raw(DataFrame(1, b"ab"))
            client.raw(last)
            client.peer.close()
            self.assert_incomplete()

    def test_any_cut(self) -> None:
        """Trailers arrive the same however the network cut them, also in CONTINUATION frames."""
        fields: list[Header] = [(b"x-a", b"1"), (b"x-b", b"2")]
        for cut in range(60):
            client = self.connected()
            self.assertEqual(client.ask(b"/x", method=b"POST", ends=False), 1)
            block = client.h2.encoder.encode(fields)
            frames = (
                DataFrame(1, b"ab"),
                HeadersFrame(1, block[:3], flags=["END_STREAM"]),
                ContinuationFrame(1, block[3:], flags=["END_HEADERS"]),
            )
            wire = b"".join(frame.serialize() for frame in frames)
            client.raw(wire[:cut])
            client.raw(wire[cut:])
            self.assertTrue(self.server.received.endswith(b"0\r\nx-a: 1\r\nx-b: 2\r\n\r\n"), cut)
            self.server.send(ok())
            self.assertFalse(self.pool.busy)

    def test_bodiless(self) -> None:
        """A response without a body ends without trailers, and the connection goes on."""
        client = self.connected()
        for method, status in ((b"HEAD", b"200 OK"), (b"GET", b"204 No Content"), (b"GET", b"304 Not Modified")):
            number = client.ask(method=method)
            self.server.send(message(b"HTTP/1.1 " + status, b"X: a", body=b"0\r\nX: 1\r\n\r\n"))
            client.exchange()
            self.assertIn(number, client.ended)
        self.assertEqual((client.trailers, client.goaway), ({}, None))

    def test_broken(self) -> None:
        """A response whose trailers are truncated or malformed is reset, never ended."""
        client = self.connected()
        for section in (b"0\r\n", b"0\r\nX: a\r\n", b"0\r\nX\r\n\r\n", b"0\r\nContent-Length: 2\r\n\r\n"):
            number = client.ask()
            self.server.send(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", body=b"2\r\nab\r\n"), section)
            self.server.close()
            client.exchange()
            self.assertIn(number, client.resets, section)
            self.assertNotIn(number, client.ended)

    def assert_incomplete(self) -> None:
        """Check that the server has got the body, but not its end."""
        self.reactor.settle()
        self.assertTrue(self.server.received.endswith(b"\r\n\r\n2\r\nab\r\n"), self.server.received)
        self.assertEqual(self.server.ending, Ending.RESET)
