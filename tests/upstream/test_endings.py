"""
Tests for :mod:`sttproxy.upstream.connection`: requests that end before their response, and switched protocols.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Protocol

from sttproxy.errors import BadRequest, MalformedForm
from sttproxy.upstream.connection import UpstreamConnection

from ..support.fakes import Ending, Peer
from ..support.stage import chunked, message, ok
from .exchange import Body, ConnectionTestCase, FakeOutgoing, upload


class EndingTests(ConnectionTestCase):
    """Requests that end on our side before their response ends."""

    def test_cancelled(self) -> None:
        """Cancelling aborts the connection and stops the upload, which never looks complete."""
        for outgoing in (upload(), upload(None)):
            self.connect()
            answer = self.request(outgoing)
            outgoing.send(b"ab")
            answer.cancel()
            self.failureResultOf(answer, CancelledError)
            self.assertEqual(outgoing.stopped, 1)
            self.reactor.settle()
            self.assertEqual((self.server.ending, self.released), (Ending.RESET, []))
            self.assertFalse(self.server.received.endswith(chunked()))

    def test_cancelled_and_answered(self) -> None:
        """A response that arrives after the cancellation is dropped."""
        answer = self.request(FakeOutgoing())
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.server.send(ok())
        self.assertEqual(self.released, [])

    def test_body_failed(self) -> None:
        """A body that fails aborts the connection, and its error becomes the request's."""
        for outgoing in (upload(), upload(None)):
            self.connect()
            answer = self.request(outgoing)
            outgoing.send(b"ab")
            outgoing.fail(MalformedForm("no"))
            self.failureResultOf(answer, MalformedForm)
            self.reactor.settle()
            self.assertEqual(self.server.ending, Ending.RESET)
            self.assertFalse(self.server.received.endswith(chunked()))

    def test_body_failed_at_once(self) -> None:
        """The same holds for a body that fails as soon as it is started."""

        class Failing(FakeOutgoing):
            def deliver(self, connection: UpstreamConnection) -> None:
                super().deliver(connection)
                self.fail(MalformedForm("no"))

        self.failureResultOf(self.connection.request(Failing(length=4, whole=False)), MalformedForm)
        self.reactor.settle()
        self.assertEqual(self.server.ending, Ending.RESET)

    def test_body_failed_during_answer(self) -> None:
        """A body that fails during the response aborts the response."""
        outgoing = upload()
        answer = self.request(outgoing)
        self.server.send(ok(b"hello")[:-1])
        body = self.body(answer)
        outgoing.fail(BadRequest("no"))
        assert body.reason is not None
        self.assertTrue(body.reason.check(BadRequest))

    def test_aborted(self) -> None:
        """Aborting a response closes the connection, and nothing more of the response is delivered."""
        answer, bodies = self.exchange(ok(b"hello")[:-1])
        self.successResultOf(answer).abort()
        self.server.send(b"o")
        self.assertEqual((self.server.ending, bodies[0].reason, self.released), (Ending.RESET, None, []))

    def test_aborted_when_complete(self) -> None:
        """Aborting a complete response does not close the connection, which may carry another request by now."""
        answer, _ = self.exchange(ok())
        other = self.request(FakeOutgoing())
        self.successResultOf(answer).abort()
        self.server.send(ok(b"other"))
        self.assertEqual(self.body(other).data, b"other")

    def test_aborted_between_pieces(self) -> None:
        """An abort between the pieces of one read takes effect at once."""

        class Fed(Body):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                response.abort()

        answer = self.request(FakeOutgoing())
        self.server.send(message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked"))
        response = self.successResultOf(answer)
        body = Fed(response)
        self.server.send(chunked(b"ab", b"cd"))
        self.assertEqual((body.data, body.reason, self.released), (b"ab", None, []))


class SwitchTests(ConnectionTestCase):
    """After a 101 that was requested."""

    SWITCH = message(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: x")

    def switch(self, early: bytes = b"") -> tuple[bytes, list[bytes]]:
        """Switch protocols; return the early bytes, and the protocol that receives everything else."""
        self.connect()
        answer = self.request(FakeOutgoing(upgrades=True))
        self.server.send(self.SWITCH + early)
        received: list[bytes] = []
        self.end = Protocol()
        self.end.dataReceived = received.append  # type: ignore[method-assign]
        self.reasons: list[object] = []
        self.end.connectionLost = self.reasons.append  # type: ignore[method-assign]
        return self.successResultOf(answer).tunnel(self.end), received

    def test_early(self) -> None:
        """The bytes that came with the 101 are handed over unchanged."""
        self.assertEqual(self.switch(ok())[0], ok())

    def test_both_ways(self) -> None:
        """All later bytes go to the other protocol, which can write."""
        early, received = self.switch()
        self.server.send(b"\0", ok())
        assert self.end.transport is not None
        self.end.transport.write(b"\1")
        self.reactor.settle()
        self.assertEqual((early, received), (b"", [b"\0", ok()]))
        self.assertTrue(self.server.received.endswith(b"\r\n\r\n\1"))

    def test_end(self) -> None:
        """The end of the connection is reported to the other protocol, once, and to the owner."""
        for leave in (Peer.close, Peer.reset):
            self.switch()
            leave(self.server)
            self.assertEqual((len(self.reasons), self.released, self.lost), (1, [], [self.connection]))

    def test_refused(self) -> None:
        """A refusal of the switch is a response like any other."""
        answer = self.request(FakeOutgoing(upgrades=True))
        self.server.send(ok())
        self.assertEqual(self.body(answer).data, b"hi")
        self.assertEqual(self.released, [self.connection])
