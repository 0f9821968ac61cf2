"""
Tests for :mod:`sttproxy.upstream.agent` with the requests and bodies of Twisted's own clients.
"""

from __future__ import annotations

from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IResponse
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sttproxy.errors import BadRequest
from sttproxy.upstream.agent import StockOutgoing, UpstreamAgent
from sttproxy.upstream.interfaces import IOutgoing
from sttproxy.upstream.pool import Pool, PoolLimits
from sttproxy.writer import FlushScheduler

from ..support.fakes import Ending, FakeUpstream, Peer
from ..support.stage import MemoryTestCase, message, ok


@implementer(IBodyProducer)
class Producer:
    """
    A body producer that the test controls.

    :ivar calls: the calls that it received, in order.
    """

    def __init__(self, length: Any) -> None:
        self.length = length
        self.calls: list[str] = []
        self.ended: Deferred[None] = Deferred()

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self.consumer = consumer
        return self.ended

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class AgentTestCase(MemoryTestCase):
    """Base class: an agent, with the test as the server."""

    def setUp(self) -> None:
        super().setUp()
        self.upstream = FakeUpstream(self.reactor)
        self.pool = Pool(self.reactor, self.upstream.connect, PoolLimits(), FlushScheduler(self.reactor))
        self.agent = UpstreamAgent(self.pool)

    @property
    def server(self) -> Peer:
        """The most recent connection."""
        return self.upstream.peers[-1]

    def send(self, producer: Producer) -> Deferred[IResponse]:
        """Begin a request with a body."""
        answering = self.agent.request(b"POST", b"http://h/x", None, producer)
        self.reactor.settle()
        return answering

    def tearDown(self) -> None:
        self.pool.close()
        for peer in self.upstream.peers:
            peer.close()
        self.assert_nothing_left()


class StockTests(AgentTestCase):
    """Requests and responses as Twisted's clients see them."""

    def test_interfaces(self) -> None:
        """
        It implements Twisted's agent interface; its requests implement our request interface and the consumer
        interface.
        """
        self.assertTrue(verifyObject(IAgent, self.agent))
        outgoing = StockOutgoing(b"GET", b"http://h/", Headers(), None)
        self.assertTrue(verifyObject(IOutgoing, outgoing))
        self.assertTrue(verifyObject(IConsumer, outgoing))
        self.assertTrue(verifyObject(IBodyProducer, Producer(1)))

    def test_request(self) -> None:
        """Method, path, query and headers are sent; the caller's framing fields are replaced."""
        headers = Headers({b"a": [b"1", b"2"], b"content-length": [b"9"], b"connection": [b"close"]})
        first = self.agent.request(b"GET", b"http://h:81/p?q#f", headers, None)
        self.reactor.settle()
        expected = message(b"GET /p?q HTTP/1.1", b"Host: h:81", b"A: 1", b"A: 2", b"Content-Length: 0")
        self.assertEqual(self.server.received, expected)
        second = self.agent.request(b"GET", b"http://h", Headers({b"host": [b"other"]}))
        self.reactor.settle()
        self.assertEqual(self.server.received, message(b"GET / HTTP/1.1", b"Host: other", b"Content-Length: 0"))
        for answering in (first, second):
            answering.addErrback(lambda _: None)  # no response

    def test_response(self) -> None:
        """The response's headers are passed to the caller without interpretation."""
        client = HTTPClient(self.agent)
        answering = client.get("http://h/", reactor=self.reactor)
        self.reactor.settle()
        self.assertIn(b"\r\nAccept-Encoding: gzip\r\n", self.server.received)
        self.server.send(ok(b"hello", b"X-A: 1", b"x-a: 2", b"Set-Cookie: a=b"))
        response = self.successResultOf(answering)
        self.assertEqual(response.headers.getRawHeaders(b"x-a"), [b"1", b"2"])
        self.assertEqual((response.code, response.phrase, response.length), (200, b"OK", 5))
        self.assertEqual(self.successResultOf(response.content()), b"hello")
        self.assertEqual([cookie.value for cookie in response.cookies()], ["b"])

    def test_redirect(self) -> None:
        """A client on top of the agent can follow redirects."""
        answering = HTTPClient(self.agent).get("http://h/", reactor=self.reactor)
        self.reactor.settle()
        self.server.send(message(b"HTTP/1.1 302 -", b"Location: /next", b"Content-Length: 0"))
        self.reactor.settle()
        self.assertIn(b"GET /next HTTP/1.1\r\n", self.server.received)
        self.server.send(ok())
        (first,) = self.successResultOf(answering).history()
        self.assertEqual(first.code, 302)

    def test_unsendable(self) -> None:
        """A method or target that would break the request line is refused, and nothing is sent."""
        for method, uri in ((b"GET /", b"http://h/"), (b"GET", b"http://h/a\r\nb"), (b"", b"http://h/")):
            self.assertRaises(ValueError, self.agent.request, method, uri)
        self.assertEqual(self.upstream.peers, [])


class ProducerTests(AgentTestCase):
    """Bodies from body producers."""

    def test_lengths(self) -> None:
        """A body is sent as it is produced, framed by the producer's length."""
        for length, framing, body in (
            (4, b"Content-Length: 4", b"abcd"),
            (UNKNOWN_LENGTH, b"Transfer-Encoding: chunked", b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"),
        ):
            producer = Producer(length)
            answering = self.send(producer)
            for part in (b"ab", b"", b"cd"):
                producer.consumer.write(part)
            producer.ended.callback(None)
            self.reactor.settle()
            self.assertEqual(self.server.news(), message(b"POST /x HTTP/1.1", b"Host: h", framing, body=body))
            self.server.send(ok())
            self.assertEqual(self.successResultOf(answering).code, 200)

    def test_pace(self) -> None:
        """The producer is paused while the server does not read."""
        producer = Producer(1 << 20)
        self.send(producer).addErrback(lambda _: None)  # no response
        self.server.stall()
        producer.consumer.write(bytes(1 << 20))
        self.reactor.settle()
        self.assertEqual(producer.calls, ["pause"])
        self.server.socket.room = None
        self.reactor.settle()
        self.assertEqual(producer.calls, ["pause", "resume"])

    def test_wrong_length(self) -> None:
        """A body whose length differs from the announced one never looks complete."""
        for part, too_long in ((b"abc", False), (b"abcde", True)):
            producer = Producer(4)
            answering = self.send(producer)
            producer.consumer.write(part)
            if not too_long:
                producer.ended.callback(None)
            self.failureResultOf(answering, BadRequest)
            self.reactor.settle()
            self.assertEqual(self.server.ending, Ending.RESET)
            producer.consumer.write(b"more")

    def test_failing(self) -> None:
        """A body that fails never looks complete; the request fails with its error."""
        producer = Producer(4)
        answering = self.send(producer)
        producer.ended.errback(OSError("no such file"))
        self.assertIn("no such file", str(self.failureResultOf(answering, BadRequest).value))
        self.reactor.settle()
        self.assertEqual(self.server.ending, Ending.RESET)

    def test_early(self) -> None:
        """The producer is stopped when the server refuses early, and its later writes are dropped."""
        producer = Producer(4)
        answering = self.send(producer)
        self.server.send(message(b"HTTP/1.1 413 -", b"Content-Length: 0"))
        self.assertEqual(self.successResultOf(answering).code, 413)
        self.assertEqual(producer.calls[-1], "stop")
        producer.consumer.write(b"ab")
