"""
Tests for :mod:`sttproxy.inbound.channel`: requests are read and answered in order.  Bodies and timeouts are tested in
the modules beside this one.
"""

from __future__ import annotations

import socket

from twisted.internet.interfaces import IProtocol
from zope.interface.verify import verifyObject

from sttproxy.http1.heads import MAX_HEAD
from sttproxy.inbound.channel import MAX_PIPELINED

from ..support.fakes import Ending, Peer
from ..support.stage import ScriptedTestCase, Taken, error_of, get, message, ok, post

#: The response to ``/now``.
NOW = message(b"HTTP/1.1 200 OK", b"Content-Length: 4", body=b"/now")


class ConnectionTests(ScriptedTestCase):
    """The connection itself."""

    def test_interface(self) -> None:
        """The channel implements Twisted's protocol interface."""
        client = self.client()
        self.assertTrue(verifyObject(IProtocol, client.protocol))

    def test_tuned(self) -> None:
        """Small writes are sent at once, and keepalive probes detect a vanished peer."""
        options = self.client().socket.options
        self.assertTrue(options[socket.IPPROTO_TCP, socket.TCP_NODELAY])
        self.assertTrue(options[socket.SOL_SOCKET, socket.SO_KEEPALIVE])

    def test_silent(self) -> None:
        """
        A client that connects and disconnects without sending anything is counted while connected, but not as a
        request.
        """
        client = self.client()
        self.assertEqual(self.stats.connections, 1)
        client.close()
        self.assertEqual((self.stats.connections, self.stats.total_requests, self.stats.refused_requests), (0, 0, 0))

    def test_addresses(self) -> None:
        """A request knows its client's address, its own host address, and that it is not secure."""
        self.client(get())
        request = self.requests[0]
        self.assertEqual((request.client.host, request.client.port), ("192.0.2.7", 50000))
        self.assertEqual(request.getHost().port, 10241)
        self.assertFalse(request.isSecure())

    def test_forced_end(self) -> None:
        """A Resource can close the connection as with Twisted's own channel."""
        client = self.client(get())
        self.requests[0].loseConnection()
        self.reactor.settle()
        self.assertEqual(client.ending, Ending.CLOSED)


class HeadTests(ScriptedTestCase):
    """Request heads, complete and in pieces."""

    def test_any_cut(self) -> None:
        """A request is dispatched at the last byte of its head, however the network cut it."""
        data = b"\r\n" + get(b"/now", b"X: y")
        for cut in range(1, len(data)):
            client = self.client(data[:cut])
            self.assertEqual(client.received, b"", cut)
            client.send(data[cut:])
            self.assertEqual(client.received, NOW, cut)

    def test_byte_by_byte(self) -> None:
        """Two requests in segments of one byte are read as two requests."""
        data = get(b"/now") * 2
        client = self.client(*(data[at : at + 1] for at in range(len(data))))
        self.assertEqual(client.received, NOW * 2)

    def test_empty_lines(self) -> None:
        """Empty lines before a request line are ignored and do not start a request."""
        client = self.client(b"\r\n" * 3 + get(b"/now"), b"\r", b"\n", get(b"/now"))
        self.assertEqual(client.received, NOW * 2)

    def test_trailing_empty_line(self) -> None:
        """An empty line after a request, even in two segments, does not start another request."""
        client = self.client(get(b"/now"), b"\r", b"\n")
        self.reactor.advance(self.site.timeouts.head)
        self.assertEqual(client.received, NOW)
        self.assertEqual(client.ending, Ending.OPEN)

    def test_many_empty_lines(self) -> None:
        """Empty lines are not buffered."""
        client = self.client(*[b"\r\n" * 40_000] * 3, get(b"/now"))
        self.assertEqual(client.received, NOW)

    def refused(self, data: bytes) -> tuple[Peer, tuple[int, str]]:
        """Return a client that was refused, and its response."""
        client = self.client(data)
        self.assertIn(b"\r\nConnection: close\r\n", client.received)
        self.assertEqual(client.ending, Ending.HALF)
        return client, error_of(client.received)

    def test_refused(self) -> None:
        """A malformed head gets its error response and closes the connection; it is never dispatched as a request."""
        cases = {
            b"GARBAGE\r\n\r\n": 400,
            b"GET / HTTP/1.1\r\n\r\n": 400,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03": 400,
            get(b"/" + b"x" * 8192): 414,
            b"GET /" + b"x" * 8192: 414,
            get(b"/", *[b"X: y"] * 100): 431,
            get(b"/", b"X: " + b"y" * MAX_HEAD): 431,
            get(b"/", b"X: " + b"y" * MAX_HEAD)[: MAX_HEAD + 10]: 431,
            get(b"/", b"Expect: the best"): 417,
            get(b"/", b"Transfer-Encoding: gzip, chunked"): 501,
            get(b"h:1", method=b"CONNECT"): 501,
        }
        for data, status in cases.items():
            self.assertEqual(self.refused(data)[1][0], status, data[:60])
        self.assertEqual(self.requests, [])
        self.assertEqual((self.stats.total_requests, self.stats.refused_requests), (0, len(cases)))

    def test_refused_once(self) -> None:
        """All bytes after a refused head are dropped, because the start of the next request is unknown."""
        client, _ = self.refused(b"GARBAGE\r\n\r\n" + get(b"/now"))
        client.send(get(b"/now"), b"GARBAGE\r\n\r\n")
        self.assertEqual(client.received.count(b"HTTP/1.1 4"), 1)
        client.close()
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_refused_after_answers(self) -> None:
        """Requests before a refused head are answered first."""
        client = self.client(get(b"/now") + get() + b"GARBAGE\r\n\r\n")
        self.assertEqual(client.news(), NOW)
        self.requests[1].write(b"late")
        self.requests[1].finish()
        self.reactor.settle()
        self.assertRegex(client.news(), rb"(?s)\AHTTP/1.1 200 .*late.*HTTP/1.1 400 ")

    def test_longest(self) -> None:
        """A head of the maximum length is accepted."""
        room = MAX_HEAD - len(get(b"/now", b"X: "))
        self.assertEqual(self.client(get(b"/now", b"X: " + b"y" * room)).received, NOW)
        self.assertEqual(self.refused(get(b"/now", b"X: " + b"y" * (room + 1)))[1][0], 431)


class PersistenceTests(ScriptedTestCase):
    """Persistent connections."""

    def test_persistent(self) -> None:
        """HTTP/1.1 connections persist, and their responses carry no Connection field."""
        client = self.client(get(b"/now"))
        self.assertEqual(client.news(), NOW)
        client.send(get(b"/now"))
        self.assertEqual(client.news(), NOW)
        self.assertEqual(client.ending, Ending.OPEN)

    def test_close(self) -> None:
        """A client that sends ``Connection: close``, in any spelling, gets the same field back, and then the close."""
        for field in (b"Connection: close", b"connection: Keep-Alive, CLOSE", b"Connection: x\r\nConnection: ,close"):
            client = self.client(get(b"/now", field))
            self.assertEqual(client.received, NOW.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            self.assertEqual(client.ending, Ending.CLOSED, field)

    def test_http10(self) -> None:
        """
        HTTP/1.0 connections are closed, unless the client asks for keep-alive; then the response says keep-alive too.
        """
        for fields, said, ending in (
            ((), b"close", Ending.CLOSED),
            ((b"Connection: keep-alive",), b"keep-alive", Ending.OPEN),
        ):
            client = self.client(get(b"/now", *fields, version=b"HTTP/1.0"))
            self.assertEqual(client.received, NOW.replace(b"\r\n\r\n", b"\r\nConnection: " + said + b"\r\n\r\n"))
            self.assertEqual(client.ending, ending)

    def test_close_after_flush(self) -> None:
        """The connection is closed after the whole response was sent, also to a client that reads slowly."""
        client = self.client()
        client.stall()
        client.send(get(b"/now", b"Connection: close"))
        self.assertEqual(client.ending, Ending.OPEN)
        client.read()
        self.assertIn(b"\r\n\r\n/now", client.received)
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_close_after_long_flush(self) -> None:
        """The same holds for a response that fills all buffers on the way."""
        client = self.client(get(b"/x", b"Connection: close"))
        client.stall()
        self.requests[0].write(b"x" * 200_000)
        self.requests[0].finish()
        client.read(1000)
        self.assertEqual(client.ending, Ending.OPEN)
        client.read()
        self.assertEqual((client.received.count(b"x"), client.ending), (200_000, Ending.CLOSED))

    def test_nothing_after_close(self) -> None:
        """Bytes after a request with ``Connection: close`` are not a request, and do not prevent its response."""
        client = self.client(get(b"/now", b"Connection: close") + get(b"/now"))
        self.assertEqual(client.received.count(b"HTTP/1.1 200"), 1)
        self.assertEqual((len(self.requests), client.ending), (1, Ending.HALF))
        client.send(get(b"/now"))
        client.close()
        self.assertEqual((len(self.requests), client.ending), (1, Ending.CLOSED))


class PipeliningTests(ScriptedTestCase):
    """Pipelined requests."""

    def test_hundreds(self) -> None:
        """Hundreds of requests in one segment are answered in order, without recursion."""
        paths = [b"/now/%d" % number for number in range(1500)]
        client = self.client(b"".join(map(get, paths)))
        bodies = [answer.partition(b"\r\n\r\n")[2] for answer in client.received.split(b"HTTP/1.1 200 OK\r\n")[1:]]
        self.assertEqual(bodies, paths)

    def test_one_at_a_time(self) -> None:
        """The next request is not dispatched before the response to this one is complete."""
        client = self.client(get(b"/one") + get(b"/two") + get(b"/now"))
        self.assertEqual([request.path for request in self.requests], [b"/one"])
        self.requests[0].write(b"1")
        self.assertEqual(len(self.requests), 1)
        self.requests[0].finish()
        self.assertEqual([request.path for request in self.requests], [b"/one", b"/two"])
        client.send(get(b"/now"))
        self.requests[1].finish()
        self.assertEqual([request.path for request in self.requests], [b"/one", b"/two", b"/now", b"/now"])
        self.reactor.settle()
        self.assertTrue(client.received.endswith(NOW * 2))

    def test_late_answers(self) -> None:
        """Hundreds of pipelined requests, each answered later, are answered without recursion."""
        self.client(get() * 1000)
        for number in range(1000):
            self.requests[number].finish()
        self.assertEqual(len(self.requests), 1000)

    def test_behind_a_body(self) -> None:
        """The bytes after the end of a body, in the same segment, are the next request."""
        client = self.client(post(4, body=b"ab"), b"cd" + get(b"/now"))
        taken = Taken(self.requests[0].body)
        self.assertEqual((taken.data, taken.ended), (b"ab", False))
        self.reactor.settle()
        self.assertEqual((taken.data, taken.ended, len(self.requests)), (b"abcd", True, 1))
        self.requests[0].finish()
        self.assertEqual([request.path for request in self.requests], [b"/x", b"/now"])
        self.reactor.settle()
        self.assertTrue(client.received.endswith(NOW))

    def test_held_back(self) -> None:
        """A client that sends many requests while one is being answered is paused, and resumed afterwards."""
        flood = get(b"/now", b"X: " + b"y" * 400) * 400
        client = self.client(get())
        for at in range(0, len(flood), 1000):
            client.send(flood[at : at + 1000])
        self.assertFalse(client.heard)
        taken = len(flood) - sum(map(len, client.socket.arriving))
        self.assertLessEqual(taken, MAX_PIPELINED + 1000)
        self.requests[0].finish()
        self.reactor.settle()
        self.assertTrue(client.heard)
        self.assertEqual(len(self.requests), 401)

    def test_unread_answers(self) -> None:
        """A client that does not read its responses gets only a limited number of further ones."""
        path = b"/now/" + b"x" * 1000
        client = self.client()
        client.stall()
        for _ in range(100):
            client.send(get(path) * 10)
        self.assertLess(client.unsent, 256 * 1024)
        client.read()
        self.assertEqual(len(self.requests), 1000)
        self.assertEqual(client.received, ok(path) * 1000)
