"""
Both ends of an exchange with an upstream: requests that a test produces, and response bodies that it collects.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from zope.interface import implementer

from sttproxy.errors import Header, ProxyError
from sttproxy.http1.responses import ResponseHead
from sttproxy.upstream.connection import UpstreamConnection
from sttproxy.upstream.interfaces import BodySink, IOutgoing, OutgoingHead
from sttproxy.upstream.response import Response
from sttproxy.writer import FlushScheduler

from ..support.fakes import Ending, Peer
from ..support.stage import MemoryTestCase


@implementer(IOutgoing)
class FakeOutgoing:
    """
    A request whose body is sent by the test.

    :ivar paused: whether the connection has paused it.
    :ivar stopped: how many times the connection has stopped it.
    :ivar hints: the interim responses that it received.
    :ivar connections: for each connection that it got, whether that had carried a request before.
    :ivar recallable: whether its body can be delivered again.
    """

    def __init__(
        self,
        method: bytes = b"GET",
        target: bytes = b"/x",
        length: int | None = 0,
        upgrades: bool = False,
        whole: bool = True,
    ) -> None:
        """
        :param length: None for a chunked body.
        :param whole: a body that is complete at once.
        """
        framing = (b"Transfer-Encoding", b"chunked") if length is None else (b"Content-Length", b"%d" % length)
        headers = [(b"hOst", b"h"), framing]
        self.head = OutgoingHead(method, target, headers, length is None, upgrades)
        self.length = length
        self.sink: BodySink | None = None
        self.paused = False
        self.stopped = 0
        self.hints: list[ResponseHead] = []
        self.connections: list[bool] = []
        self.recallable = whole
        self._whole = whole

    def connected(self, reused: bool) -> None:
        self.connections.append(reused)

    def deliver(self, sink: BodySink) -> None:
        self.sink = sink
        self.paused = False
        if self._whole:
            self.end()

    def recall(self) -> bool:
        if self.recallable:
            self.sink = None
        return self.recallable

    def send(self, data: bytes) -> None:
        """Send bytes of the body."""
        assert self.sink is not None and not self.stopped
        self.sink.body_received(data)

    def end(self, trailers: Sequence[Header] = ()) -> None:
        """End the body: it is complete."""
        assert self.sink is not None and not self.stopped
        self.sink.body_ended(trailers)

    def fail(self, error: ProxyError) -> None:
        """Fail the body: it will not be completed."""
        assert self.sink is not None and not self.stopped
        self.sink.body_failed(error)

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped += 1

    def informed(self, head: ResponseHead) -> None:
        self.hints.append(head)


def upload(length: int | None = 4, method: bytes = b"POST") -> FakeOutgoing:
    """Return a request whose body is still to be sent."""
    return FakeOutgoing(method, length=length, whole=False)


class Body(Protocol):
    """
    Collects a response's body.

    :ivar data: the bytes received.
    :ivar reason: why the body ended; None until then.
    """

    def __init__(self, response: Response) -> None:
        self.data = b""
        self.reason: Failure | None = None
        response.deliverBody(self)

    def dataReceived(self, data: bytes) -> None:
        assert self.reason is None, "nothing comes after the end"
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert self.reason is None, "it ends once"
        self.reason = reason

    @property
    def whole(self) -> bool:
        """Whether the body was received completely."""
        return self.reason is not None and bool(self.reason.check(ResponseDone))


class ConnectionTestCase(MemoryTestCase):
    """
    Base class for tests of one connection.

    :ivar server: the other end of the connection.
    :ivar released: how many times it was released, `lost` how many times it reported its loss.
    """

    def setUp(self) -> None:
        super().setUp()
        self._servers: list[Peer] = []
        self._answers: list[Deferred[Response]] = []
        self.connect()

    def connect(self, send_s: float | None = None) -> None:
        """Return a new connection; earlier ones stay open."""
        self.released: list[UpstreamConnection] = []
        self.lost: list[UpstreamConnection] = []
        self.connection = UpstreamConnection(
            self.reactor, FlushScheduler(self.reactor), self.released.append, self.lost.append, send_s
        )
        self.server = Peer(self.reactor, self.connection)
        self._servers.append(self.server)

    def request(self, outgoing: FakeOutgoing) -> Deferred[Response]:
        """Send a request on the connection."""
        answer = self.connection.request(outgoing)
        self._answers.append(answer)
        self.reactor.settle()
        return answer

    def body(self, answer: Deferred[Response]) -> Body:
        """Collect the body of a response whose head has arrived."""
        body = Body(self.successResultOf(answer))
        self.reactor.settle()
        return body

    def exchange(self, *segments: bytes, method: bytes = b"GET") -> tuple[Deferred[Response], list[Body]]:
        """
        Send a request, and a response in these segments.

        :return: also the body, which is collected as soon as the head has arrived.
        """
        bodies: list[Body] = []
        answer = self.connection.request(FakeOutgoing(method))
        answer.addCallback(lambda response: bodies.append(Body(response)) or response)
        self.server.send(*segments)
        return answer, bodies

    def tearDown(self) -> None:
        for answer in self._answers:
            answer.addErrback(lambda _: None)  # of requests without a response
        for server in self._servers:
            server.read()
            server.close()
            self.assertIsNot(server.ending, Ending.OPEN)
        self.assertEqual(self.lost, [self.connection])
        self.assert_nothing_left()
