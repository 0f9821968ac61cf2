"""
Tests for :mod:`sttproxy.inbound.channel`: requests read and answered, in order.  What becomes of their bodies and of
time is in the modules beside this one.
"""

from __future__ import annotations

import socket

from twisted.internet.interfaces import IProtocol
from zope.interface.verify import verifyObject

from sttproxy.http1.heads import MAX_HEAD
from sttproxy.inbound.channel import MAX_PIPELINED

from ..support.fakes import Ending, Peer
from ..support.stage import ScriptedTestCase, Taken, error_of, get, message, ok, post

#: The answer to ``/now``.
NOW = message(b"HTTP/1.1 200 OK", b"Content-Length: 4", body=b"/now")


class ConnectionTests(ScriptedTestCase):
    """A connection as such."""

    def test_interface(self) -> None:
        """The channel is a protocol as Twisted knows it."""
        client = self.client()
        self.assertTrue(verifyObject(IProtocol, client.protocol))

    def test_tuned(self) -> None:
        """Small writes leave at once, and a peer that vanished is found out in the end."""
        options = self.client().socket.options
        self.assertTrue(options[socket.IPPROTO_TCP, socket.TCP_NODELAY])
        self.assertTrue(options[socket.SOL_SOCKET, socket.SO_KEEPALIVE])

    def test_silent(self) -> None:
        """A client that comes and goes without a word is counted while it is there, and is no request."""
        client = self.client()
        self.assertEqual(self.stats.connections, 1)
        client.close()
        self.assertEqual((self.stats.connections, self.stats.total_requests, self.stats.refused_requests), (0, 0, 0))

    def test_addresses(self) -> None:
        """A request tells who sent it, to what, and that it came in the clear."""
        self.client(get())
        request = self.requests[0]
        self.assertEqual((request.client.host, request.client.port), ("192.0.2.7", 50000))
        self.assertEqual(request.getHost().port, 10241)
        self.assertFalse(request.isSecure())

    def test_forced_end(self) -> None:
        """A Resource may close the connection as with a stock channel."""
        client = self.client(get())
        self.requests[0].loseConnection()
        self.reactor.settle()
        self.assertEqual(client.ending, Ending.CLOSED)


class HeadTests(ScriptedTestCase):
    """Heads, whole and in pieces."""

    def test_any_cut(self) -> None:
        """A request is dispatched when the last byte of its head is there, however the network cut it."""
        data = b"\r\n" + get(b"/now", b"X: y")
        for cut in range(1, len(data)):
            client = self.client(data[:cut])
            self.assertEqual(client.received, b"", cut)
            client.send(data[cut:])
            self.assertEqual(client.received, NOW, cut)

    def test_byte_by_byte(self) -> None:
        """Two requests in segments of one byte are two requests."""
        data = get(b"/now") * 2
        client = self.client(*(data[at : at + 1] for at in range(len(data))))
        self.assertEqual(client.received, NOW * 2)

    def test_empty_lines(self) -> None:
        """Empty lines before a request line are ignored, and do not begin a request."""
        client = self.client(b"\r\n" * 3 + get(b"/now"), b"\r", b"\n", get(b"/now"))
        self.assertEqual(client.received, NOW * 2)

    def test_trailing_empty_line(self) -> None:
        """A client that ends its requests with an empty line, even in two segments, is not one that began another."""
        client = self.client(get(b"/now"), b"\r", b"\n")
        self.reactor.advance(self.site.timeouts.head)
        self.assertEqual(client.received, NOW)
        self.assertEqual(client.ending, Ending.OPEN)

    def test_many_empty_lines(self) -> None:
        """Nothing is kept of empty lines."""
        client = self.client(*[b"\r\n" * 40_000] * 3, get(b"/now"))
        self.assertEqual(client.received, NOW)

    def refused(self, data: bytes) -> tuple[Peer, tuple[int, str]]:
        """A client that was refused, and how."""
        client = self.client(data)
        self.assertIn(b"\r\nConnection: close\r\n", client.received)
        self.assertEqual(client.ending, Ending.HALF)
        return client, error_of(client.received)

    def test_refused(self) -> None:
        """A head that cannot be accepted gets its error and the connection's end, and never becomes a request."""
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
        """Whatever follows a refused head is dropped: nobody knows where it would begin."""
        client, _ = self.refused(b"GARBAGE\r\n\r\n" + get(b"/now"))
        client.send(get(b"/now"), b"GARBAGE\r\n\r\n")
        self.assertEqual(client.received.count(b"HTTP/1.1 4"), 1)
        client.close()
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_refused_after_answers(self) -> None:
        """Requests before a refused head are answered, and before it."""
        client = self.client(get(b"/now") + get() + b"GARBAGE\r\n\r\n")
        self.assertEqual(client.news(), NOW)
        self.requests[1].write(b"late")
        self.requests[1].finish()
        self.reactor.settle()
        self.assertRegex(client.news(), rb"(?s)\AHTTP/1.1 200 .*late.*HTTP/1.1 400 ")

    def test_longest(self) -> None:
        """A head of the longest kind is read."""
        room = MAX_HEAD - len(get(b"/now", b"X: "))
        self.assertEqual(self.client(get(b"/now", b"X: " + b"y" * room)).received, NOW)
        self.assertEqual(self.refused(get(b"/now", b"X: " + b"y" * (room + 1)))[1][0], 431)


class PersistenceTests(ScriptedTestCase):
    """Which connections live on."""

    def test_persistent(self) -> None:
        """HTTP/1.1 connections live on, and their answers say nothing of it."""
        client = self.client(get(b"/now"))
        self.assertEqual(client.news(), NOW)
        client.send(get(b"/now"))
        self.assertEqual(client.news(), NOW)
        self.assertEqual(client.ending, Ending.OPEN)

    def test_close(self) -> None:
        """A client that says close, in any spelling, gets it said back, and then the close."""
        for field in (b"Connection: close", b"connection: Keep-Alive, CLOSE", b"Connection: x\r\nConnection: ,close"):
            client = self.client(get(b"/now", field))
            self.assertEqual(client.received, NOW.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            self.assertEqual(client.ending, Ending.CLOSED, field)

    def test_http10(self) -> None:
        """HTTP/1.0 connections end, unless the client asks otherwise, and then the answer says so."""
        for fields, said, ending in (
            ((), b"close", Ending.CLOSED),
            ((b"Connection: keep-alive",), b"keep-alive", Ending.OPEN),
        ):
            client = self.client(get(b"/now", *fields, version=b"HTTP/1.0"))
            self.assertEqual(client.received, NOW.replace(b"\r\n\r\n", b"\r\nConnection: " + said + b"\r\n\r\n"))
            self.assertEqual(client.ending, ending)

    def test_close_after_flush(self) -> None:
        """The close comes behind the answer, also where the client takes its time to read it."""
        client = self.client()
        client.stall()
        client.send(get(b"/now", b"Connection: close"))
        self.assertEqual(client.ending, Ending.OPEN)
        client.read()
        self.assertIn(b"\r\n\r\n/now", client.received)
        self.assertEqual(client.ending, Ending.CLOSED)

    def test_close_after_long_flush(self) -> None:
        """That holds also for an answer that fills all buffers on the way."""
        client = self.client(get(b"/x", b"Connection: close"))
        client.stall()
        self.requests[0].write(b"x" * 200_000)
        self.requests[0].finish()
        client.read(1000)
        self.assertEqual(client.ending, Ending.OPEN)
        client.read()
        self.assertEqual((client.received.count(b"x"), client.ending), (200_000, Ending.CLOSED))

    def test_nothing_after_close(self) -> None:
        """What follows a request that says close is no request; it does not cost the client its answer either."""
        client = self.client(get(b"/now", b"Connection: close") + get(b"/now"))
        self.assertEqual(client.received.count(b"HTTP/1.1 200"), 1)
        self.assertEqual((len(self.requests), client.ending), (1, Ending.HALF))
        client.send(get(b"/now"))
        client.close()
        self.assertEqual((len(self.requests), client.ending), (1, Ending.CLOSED))


class PipeliningTests(ScriptedTestCase):
    """Requests that do not wait for the answer to the one before."""

    def test_hundreds(self) -> None:
        """Hundreds of requests in one segment are answered in order, without recursion."""
        paths = [b"/now/%d" % number for number in range(1500)]
        client = self.client(b"".join(map(get, paths)))
        bodies = [answer.partition(b"\r\n\r\n")[2] for answer in client.received.split(b"HTTP/1.1 200 OK\r\n")[1:]]
        self.assertEqual(bodies, paths)

    def test_one_at_a_time(self) -> None:
        """The next request is not begun before the answer to this one is complete."""
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
        """Hundreds of pipelined requests, each answered only later, are answered without recursion."""
        self.client(get() * 1000)
        for number in range(1000):
            self.requests[number].finish()
        self.assertEqual(len(self.requests), 1000)

    def test_behind_a_body(self) -> None:
        """A request in the segment in which another one's body ends is the next one."""
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
        """A client that sends request upon request while one is being answered is held back, and then goes on."""
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
        """A client that does not read its answers is not served further ones without end."""
        path = b"/now/" + b"x" * 1000
        client = self.client()
        client.stall()
        for _ in range(100):
            client.send(get(path) * 10)
        self.assertLess(client.unsent, 256 * 1024)
        client.read()
        self.assertEqual(len(self.requests), 1000)
        self.assertEqual(client.received, ok(path) * 1000)
