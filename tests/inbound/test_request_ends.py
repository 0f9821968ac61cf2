"""
Tests for :mod:`sttproxy.inbound.request`: failing requests, results of a Resource, counters and log lines.
"""

from __future__ import annotations

import functools
import re
from ipaddress import ip_network
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from sttproxy import errors
from sttproxy.errors import BadRequest, ProxyError, UpstreamError
from sttproxy.inbound.request import Request
from sttproxy.logs.events import READY
from sttproxy.peers import UNIX, Trusted, TrustedPeers

from ..support.fakes import Ending, Peer
from ..support.stage import SiteTestCase, Taken, error_of, get, message, ok, post
from .test_request import RequestTestCase


class FailureTests(RequestTestCase):
    """Requests that fail."""

    def test_every_error(self) -> None:
        """Each error of ours is sent with its status, phrase, headers and body."""
        kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ProxyError)]
        self.assertGreater(len(kinds), 10)
        for kind in kinds:
            client, request = self.begin()
            request.fail(kind("no", headers=((b"Retry-After", b"1"),)))
            self.reactor.settle()
            self.assertEqual(error_of(client.received), (kind.status, kind.code))
            self.assertRegex(client.received, rb"\AHTTP/1.1 %d [A-Z]" % kind.status)
            self.assertIn(b"\r\nRetry-After: 1\r\n", client.received)
            self.assertEqual(client.ending, Ending.OPEN)

    def test_gone(self) -> None:
        """The disconnect callback runs once when the client disconnects, but not after a complete response."""
        gone: list[Request] = []
        for finish in (False, True):
            client, request = self.begin()
            request.when_disconnected(functools.partial(gone.append, request))
            if finish:
                request.finish()
            client.close()
            self.assertEqual(gone.count(request), not finish)
            self.assertTrue(request.over)

    def test_before_head(self) -> None:
        """A failing request stops the body that is still arriving."""
        client, request = self.begin(post(10, body=b"ab"))
        taken = Taken(request.body)
        request.fail(BadRequest("no"))
        client.send(b"cdefghij")
        self.assertEqual(taken.data, b"ab")

    def test_begun(self) -> None:
        """
        A response that has begun cannot be replaced; the connection is aborted, so that the response looks
        incomplete.
        """
        client, request = self.begin()
        request.write(b"half")
        request.fail(UpstreamError("broken"))
        self.reactor.settle()
        self.assertEqual(client.ending, Ending.RESET)
        self.assertFalse(client.received.endswith(b"0\r\n\r\n"))
        self.assertEqual(self.stats.in_flight, 0)

    def test_over(self) -> None:
        """After the response is complete, a failure has no effect."""
        client, request = self.begin()
        request.finish()
        request.fail(BadRequest("no"))
        request.refuse(Failure(BadRequest("no")))
        self.reactor.settle()
        self.assertEqual(client.received.count(b"HTTP/1.1"), 1)
        self.assertEqual((client.ending, self.stats.in_flight), (Ending.OPEN, 0))

    def test_refuse(self) -> None:
        """As an errback it sends our own errors to the client; for any other error it only refers to the log."""
        client, request = self.begin()
        request.refuse(Failure(BadRequest("no")))
        self.reactor.settle()
        self.assertEqual(error_of(client.received), (400, "bad_request"))
        client, request = self.begin()
        request.refuse(Failure(ZeroDivisionError("secret")))
        self.reactor.settle()
        self.assertEqual(error_of(client.received), (500, "internal_error"))
        self.assertNotIn(b"secret", client.received)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_abort(self) -> None:
        """The connection can be aborted, also after it was lost."""
        client, request = self.begin()
        request.abort()
        self.reactor.settle()
        self.assertEqual(client.ending, Ending.RESET)
        request.abort()


class Faulty(Resource):
    """
    A Resource with a configurable result.

    :ivar does: what it raises or returns.
    """

    isLeaf = True
    does: Any = None

    def render_GET(self, request: Request) -> bytes:
        if isinstance(self.does, Exception):
            raise self.does
        assert isinstance(self.does, bytes)
        return self.does


class RenderTests(SiteTestCase):
    """The response to each result of a Resource."""

    def get(self, does: Any, data: bytes = get()) -> bytes:
        """Return the response that a client gets."""
        resource = Faulty()
        resource.does = does
        self.serve(resource)
        return self.client(data).received

    def test_bytes(self) -> None:
        """Returned bytes are sent as a response with their length."""
        self.assertEqual(self.get(b"abc"), ok(b"abc"))

    def test_error(self) -> None:
        """A raised error of ours is sent as its response."""
        self.assertEqual(error_of(self.get(BadRequest("no"))), (400, "bad_request"))

    def test_bug(self) -> None:
        """Any other exception is logged, and its text is not sent to the client."""
        received = self.get(ZeroDivisionError("secret"))
        self.assertEqual(error_of(received), (500, "internal_error"))
        self.assertNotIn(b"secret", received)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_methods(self) -> None:
        """A method that the Resource does not support gets a response that lists the supported ones."""
        for method in (b"POST", b"get", b"BREW"):
            received = self.get(b"", get(method=method))
            self.assertEqual(error_of(received), (405, "method_not_allowed"))
            self.assertIn(b"\r\nAllow: GET, HEAD\r\n", received)

    def test_head(self) -> None:
        """HEAD is answered like GET, without the body."""
        self.assertEqual(self.get(b"abc", get(method=b"HEAD")), message(b"HTTP/1.1 200 OK", b"Content-Length: 3"))


class AccountTests(RequestTestCase):
    """Each request is counted and logged once, at its end."""

    def logged(self) -> list[str]:
        """
        Return the log lines of requests, without identifiers; they are written after the output of a reactor iteration.
        """
        self.reactor.settle()
        return [re.sub(" id=[0-9a-f]{16}", "", formatEvent(event)) for event in self.events()]

    def events(self) -> list[Any]:
        """Return the same as log events."""
        return [event for event in self.logs if READY in event]

    def levels(self) -> list[str]:
        """Return their log levels."""
        self.reactor.settle()
        return [event["log_level"].name for event in self.events()]

    def setUp(self) -> None:
        super().setUp()
        capturing = capturedLogs()
        self.logs = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)

    def test_answered(self) -> None:
        """An answered request is logged with its status, the size of its body and its duration."""
        _, request = self.begin(get(b"/path?token=secret"))
        self.assertEqual((self.stats.total_requests, self.stats.in_flight), (1, 1))
        self.reactor.advance(1.5)
        request.write(b"abcd")
        self.assertEqual(self.logged(), [])
        request.finish()
        self.assertEqual(self.logged(), ["192.0.2.7 GET /path HTTP/1.1 200 4 B 1.500 s waiting=1.500 done"])
        self.assertEqual((self.stats.in_flight, self.stats.answers), (0, {"2xx": 1}))

    def test_failed(self) -> None:
        """The log line of a failed request contains the reason."""
        _, request = self.begin()
        request.fail(UpstreamError("Nobody is there."))
        self.assertRegex(
            self.logged()[0], r"\A192.0.2.7 GET /x HTTP/1.1 502 \d+ B 0.000 s upstream failed: Nobody is there\.\Z"
        )
        self.assertEqual(self.stats.answers, {"5xx": 1})

    def test_gone(self) -> None:
        """A request whose client disconnected is counted as such, and not as a response."""
        client, request = self.begin()
        request.write(b"ab")
        client.reset()
        self.assertEqual(self.logged(), ["192.0.2.7 GET /x HTTP/1.1 200 2 B 0.000 s client gone"])
        self.assertEqual((self.stats.in_flight, self.stats.clients_gone, self.stats.answers), (0, 1, {}))

    def test_broken(self) -> None:
        """A request whose response we aborted is not counted as a client disconnect."""
        _, request = self.begin()
        request.write(b"ab")
        request.fail(UpstreamError("Broken."))
        self.reactor.settle()
        self.assertEqual(self.stats.clients_gone, 0)
        self.assertEqual(len(self.logged()), 1)
        self.assertIn("Broken.", self.logged()[0])

    def test_one_line(self) -> None:
        """A client cannot inject lines into the log."""
        _, request = self.begin(get(b"/\xc2\x85\xe2\x80\xa8{log_level}%0a"))
        request.finish()
        self.assertEqual(len(self.logged()[0].splitlines()), 1, self.logged())
        self.assertIn("{log_level}", self.logged()[0])

    def test_levels(self) -> None:
        """5xx responses and upstream failures are warnings; our own bugs are errors; everything else is info."""
        for status in (200, 404, 500, 503):
            _, request = self.begin()
            request.setResponseCode(status)
            request.finish()
        self.assertEqual(self.levels(), ["info", "info", "warn", "warn"])
        for error in (BadRequest("no"), UpstreamError("no"), ProxyError("no")):
            self.begin()[1].fail(error)
        self.assertEqual(self.levels()[4:], ["info", "warn", "error"])
        _, request = self.begin()
        request.write(b"ab")
        request.fail(UpstreamError("Broken."))
        self.begin()[0].reset()
        self.assertEqual(self.levels()[7:], ["warn", "info"])

    def trust(self, *peers: Trusted) -> None:
        """Create the site again, with trusted proxies."""
        self.serve_with()
        self.site.trusted = TrustedPeers(peers)

    def test_client_behind(self) -> None:
        """Behind a trusted proxy the client is the one that the proxy names; otherwise it is the peer."""
        forwarded = b"X-Forwarded-For: 198.51.100.1, 203.0.113.9"
        for peers, client in (((), "192.0.2.7"), ((ip_network("192.0.2.0/24"),), "203.0.113.9")):
            self.trust(*peers)
            self.begin(get(b"/x", forwarded))[1].finish()
            self.assertEqual(self.logged()[-1], f"{client} GET /x HTTP/1.1 200 0 B 0.000 s done")

    def test_unix(self) -> None:
        """A client at a Unix socket has no address; the setting ``unix`` makes it trusted."""
        for peers, client in (((), "unix"), ((UNIX,), "203.0.113.9")):
            self.trust(*peers)
            peer = Peer(self.reactor, self.site.buildProtocol(None))
            self.peers.append(peer)
            peer.transport.getPeer = lambda: UNIXAddress(None)  # type: ignore[method-assign, assignment, return-value]
            peer.send(get(b"/x", b"X-Forwarded-For: 203.0.113.9"))
            self.requests[-1].finish()
            self.assertEqual(self.logged()[-1], f"{client} GET /x HTTP/1.1 200 0 B 0.000 s done")

    def test_peer_asked_once(self) -> None:
        """The peer's address is asked for once, and not before a request: the transport may not know it earlier."""
        client = self.client()
        asked: list[None] = []
        known = client.transport.getPeer
        client.transport.getPeer = lambda: asked.append(None) or known()  # type: ignore[method-assign, func-returns-value]
        for _ in range(3):
            client.send(get(b"/now"))
        self.assertEqual(len(asked), 1)

    def test_refused(self) -> None:
        """A refused head gets a log line like all requests, and is counted by its status class."""
        self.reactor.advance(5)  # a head that arrived in one read took no time, whatever the clock says
        self.client(b"GET /a?secret HTTP/1.1\r\n\r\n")
        self.assertEqual(self.logged(), ["192.0.2.7 GET /a - 400 159 B 0.000 s refused: The Host header is missing."])
        self.assertEqual(self.levels(), ["info"])
        self.assertEqual((self.stats.answers, self.stats.total_requests), ({"4xx": 1}, 0))

    def test_refused_behind(self) -> None:
        """A refused head after a request on the same connection gets its own log line."""
        self.client(get(b"/now/a"), b"POST /b HTTP/1.1\r\nA\r\n\r\n")
        self.assertEqual(
            [line.split()[1:5] for line in self.logged()],
            [["GET", "/now/a", "HTTP/1.1", "200"], ["POST", "/b", "-", "400"]],
        )

    def test_refused_half(self) -> None:
        """A head that timed out is logged with its readable part, and with the time since its first byte."""
        client = self.client(get(b"/now"))
        self.reactor.advance(5)
        client.send(b"POST /v1/au")
        self.reactor.advance(6)
        client.send(b"di")
        self.reactor.advance(4)
        self.assertEqual(
            self.logged()[1:],
            [
                "192.0.2.7 POST /v1/audi… - 408 176 B 10.000 s receiving=10.000 refused: The request's head did not "
                "come in time."
            ],
        )

    def test_refused_length(self) -> None:
        """A head that announces too long a body is parsed, so its log line names the client behind a trusted proxy."""
        self.serve_with(body=3)
        self.site.trusted = TrustedPeers([ip_network("192.0.2.7")])
        self.client(post(4, b"X-Forwarded-For: 203.0.113.9", target=b"/a?secret"))
        self.assertRegex(
            self.logged()[0], r"\A203\.0\.113\.9 POST /a HTTP/1.1 413 \d+ B 0\.000 s refused: The body has 4 bytes; "
        )
