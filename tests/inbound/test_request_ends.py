"""
Tests for :mod:`sttproxy.inbound.request`: requests that fail, what a Resource may do, and what is counted and logged.
"""

from __future__ import annotations

import functools
from ipaddress import ip_network
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from sttproxy import errors
from sttproxy.errors import BadRequest, ProxyError, UpstreamError
from sttproxy.headers import UNIX, Trusted, TrustedPeers
from sttproxy.inbound.request import Request

from ..support.fakes import Ending, Peer
from ..support.stage import SiteTestCase, Taken, error_of, get, message, ok, post
from .test_request import RequestTestCase


class FailureTests(RequestTestCase):
    """Requests that cannot be answered as they should."""

    def test_every_error(self) -> None:
        """Each error of ours is answered with its status, a phrase, its headers and its body."""
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
        """Whoever passes a request on hears of its client's leaving, once, and not after a complete answer."""
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
        """A failing request gives up the body that is still arriving."""
        client, request = self.begin(post(10, body=b"ab"))
        taken = Taken(request.body)
        request.fail(BadRequest("no"))
        client.send(b"cdefghij")
        self.assertEqual(taken.data, b"ab")

    def test_begun(self) -> None:
        """An answer that has begun cannot be replaced; the connection breaks, so that nobody takes it for whole."""
        client, request = self.begin()
        request.write(b"half")
        request.fail(UpstreamError("broken"))
        self.reactor.settle()
        self.assertEqual(client.ending, Ending.RESET)
        self.assertFalse(client.received.endswith(b"0\r\n\r\n"))
        self.assertEqual(self.stats.in_flight, 0)

    def test_over(self) -> None:
        """When the answer is complete nothing can fail any more."""
        client, request = self.begin()
        request.finish()
        request.fail(BadRequest("no"))
        request.refuse(Failure(BadRequest("no")))
        self.reactor.settle()
        self.assertEqual(client.received.count(b"HTTP/1.1"), 1)
        self.assertEqual((client.ending, self.stats.in_flight), (Ending.OPEN, 0))

    def test_refuse(self) -> None:
        """As an errback it answers with an error of ours, and says of others only that the log says more."""
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
        """The connection can be broken, also when it is gone already."""
        client, request = self.begin()
        request.abort()
        self.reactor.settle()
        self.assertEqual(client.ending, Ending.RESET)
        request.abort()


class Faulty(Resource):
    """
    A Resource that does what it is told.

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
    """What comes of what a Resource does."""

    def get(self, does: Any, data: bytes = get()) -> bytes:
        """What a client gets."""
        resource = Faulty()
        resource.does = does
        self.serve(resource)
        return self.client(data).received

    def test_bytes(self) -> None:
        """Bytes are an answer with their length."""
        self.assertEqual(self.get(b"abc"), ok(b"abc"))

    def test_error(self) -> None:
        """An error of ours is answered."""
        self.assertEqual(error_of(self.get(BadRequest("no"))), (400, "bad_request"))

    def test_bug(self) -> None:
        """Any other one is logged and answered without its text."""
        received = self.get(ZeroDivisionError("secret"))
        self.assertEqual(error_of(received), (500, "internal_error"))
        self.assertNotIn(b"secret", received)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_methods(self) -> None:
        """A method that the Resource does not know is answered with those that it does."""
        for method in (b"POST", b"get", b"BREW"):
            received = self.get(b"", get(method=method))
            self.assertEqual(error_of(received), (405, "method_not_allowed"))
            self.assertIn(b"\r\nAllow: GET, HEAD\r\n", received)

    def test_head(self) -> None:
        """HEAD is answered as GET, without the body."""
        self.assertEqual(self.get(b"abc", get(method=b"HEAD")), message(b"HTTP/1.1 200 OK", b"Content-Length: 3"))


class AccountTests(RequestTestCase):
    """What is counted and logged of a request: once, at its end."""

    def logged(self) -> list[str]:
        """The lines of requests, which come behind what is sent in a turn."""
        self.reactor.settle()
        return [formatEvent(event) for event in self.events()]

    def events(self) -> list[Any]:
        """The same as events."""
        return [event for event in self.logs if "log_flattened" in event]

    def levels(self) -> list[str]:
        """At which they are logged."""
        self.reactor.settle()
        return [event["log_level"].name for event in self.events()]

    def setUp(self) -> None:
        super().setUp()
        capturing = capturedLogs()
        self.logs = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)

    def test_answered(self) -> None:
        """An answered request is logged with its status, the bytes of its body and the time it took."""
        _, request = self.begin(get(b"/path?token=secret"))
        self.assertEqual((self.stats.total_requests, self.stats.in_flight), (1, 1))
        self.reactor.advance(1.5)
        request.write(b"abcd")
        self.assertEqual(self.logged(), [])
        request.finish()
        self.assertEqual(self.logged(), ["192.0.2.7 GET /path 200 4 B 1.500 s"])
        self.assertEqual((self.stats.in_flight, self.stats.answers), (0, {"2xx": 1}))

    def test_failed(self) -> None:
        """A failed one says why."""
        _, request = self.begin()
        request.fail(UpstreamError("Nobody is there."))
        self.assertRegex(self.logged()[0], r"\A192.0.2.7 GET /x 502 \d+ B 0.000 s Nobody is there\.\Z")
        self.assertEqual(self.stats.answers, {"5xx": 1})

    def test_gone(self) -> None:
        """One whose client left is counted as that and not as an answer."""
        client, request = self.begin()
        request.write(b"ab")
        client.reset()
        self.assertEqual(self.logged(), ["192.0.2.7 GET /x client gone 2 B 0.000 s"])
        self.assertEqual((self.stats.in_flight, self.stats.clients_gone, self.stats.answers), (0, 1, {}))

    def test_broken(self) -> None:
        """One whose answer we had to break off is no departure of the client's."""
        _, request = self.begin()
        request.write(b"ab")
        request.fail(UpstreamError("Broken."))
        self.reactor.settle()
        self.assertEqual(self.stats.clients_gone, 0)
        self.assertEqual(len(self.logged()), 1)
        self.assertIn("Broken.", self.logged()[0])

    def test_one_line(self) -> None:
        """No client can write lines of its own into the log."""
        _, request = self.begin(get(b"/\xc2\x85\xe2\x80\xa8{log_level}%0a"))
        request.finish()
        self.assertEqual(len(self.logged()[0].splitlines()), 1, self.logged())
        self.assertIn("{log_level}", self.logged()[0])

    def test_levels(self) -> None:
        """Failures of the upstream's, told by it or by us, warn; our own err; the rest is information."""
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
        """Set the site up anew, with trusted proxies."""
        self.serve_with()
        self.site.trusted = TrustedPeers(peers)

    def test_client_behind(self) -> None:
        """Behind a trusted proxy the client is the one that it names; without one, the peer."""
        forwarded = b"X-Forwarded-For: 198.51.100.1, 203.0.113.9"
        for peers, client in (((), "192.0.2.7"), ((ip_network("192.0.2.0/24"),), "203.0.113.9")):
            self.trust(*peers)
            self.begin(get(b"/x", forwarded))[1].finish()
            self.assertEqual(self.logged()[-1], f"{client} GET /x 200 0 B 0.000 s")

    def test_unix(self) -> None:
        """A client at a Unix socket has no address; it is trusted where the word says so."""
        for peers, client in (((), "unix"), ((UNIX,), "203.0.113.9")):
            self.trust(*peers)
            peer = Peer(self.reactor, self.site.buildProtocol(None))
            self.peers.append(peer)
            peer.transport.getPeer = lambda: UNIXAddress(None)  # type: ignore[method-assign, assignment, return-value]
            peer.send(get(b"/x", b"X-Forwarded-For: 203.0.113.9"))
            self.requests[-1].finish()
            self.assertEqual(self.logged()[-1], f"{client} GET /x 200 0 B 0.000 s")

    def test_peer_asked_once(self) -> None:
        """A connection's peer is named once, and not before a request: a transport may not know it earlier."""
        client = self.client()
        asked: list[None] = []
        known = client.transport.getPeer
        client.transport.getPeer = lambda: asked.append(None) or known()  # type: ignore[method-assign, func-returns-value]
        for _ in range(3):
            client.send(get(b"/now"))
        self.assertEqual(len(asked), 1)

    def test_refused(self) -> None:
        """A head that was refused has a line like all others, and is counted by its class."""
        self.reactor.advance(5)  # a head that came at once took no time, whatever the clock says
        self.client(b"GET /a?secret HTTP/1.1\r\n\r\n")
        self.assertEqual(self.logged(), ["192.0.2.7 GET /a 400 125 B 0.000 s The Host header is missing."])
        self.assertEqual(self.levels(), ["info"])
        self.assertEqual((self.stats.answers, self.stats.total_requests), ({"4xx": 1}, 0))

    def test_refused_behind(self) -> None:
        """The line of one that follows a request on the same connection is its own."""
        self.client(get(b"/now/a"), b"POST /b HTTP/1.1\r\nA\r\n\r\n")
        self.assertEqual(
            [line.split()[1:4] for line in self.logged()], [["GET", "/now/a", "200"], ["POST", "/b", "400"]]
        )

    def test_refused_half(self) -> None:
        """One that did not come in time has what has come of it, and the time from its first byte."""
        client = self.client(get(b"/now"))
        self.reactor.advance(5)
        client.send(b"POST /v1/au")
        self.reactor.advance(6)
        client.send(b"di")
        self.reactor.advance(4)
        self.assertEqual(
            self.logged()[1:],
            ["192.0.2.7 POST /v1/audi… 408 142 B 10.000 s The request's head did not come in time."],
        )

    def test_refused_length(self) -> None:
        """One that announces too long a body is read, and tells of the client behind a trusted proxy."""
        self.serve_with(body=3)
        self.site.trusted = TrustedPeers([ip_network("192.0.2.7")])
        self.client(post(4, b"X-Forwarded-For: 203.0.113.9", target=b"/a?secret"))
        self.assertRegex(self.logged()[0], r"\A203\.0\.113\.9 POST /a 413 \d+ B 0\.000 s The body has 4 bytes; ")
