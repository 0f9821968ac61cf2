"""
Tests for :mod:`sttproxy.resources`: routing to Resources, and the proxy's own pages.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.web.resource import IResource
from zope.interface.verify import verifyObject

from sttproxy.errors import UpstreamUnreachable
from sttproxy.resources.pages import METRICS_WAIT_S, Page
from sttproxy.upstream.probe import EVERY_S

from ..support.fakes import Ending, Peer
from ..support.stage import FORM, FORM_TYPE, PATH, PSEUDONYM, ProxyTestCase, error_of, get, post, transcription


class LoopTests(ProxyTestCase):
    """Requests that the proxy itself has forwarded before."""

    def test_every_route(self) -> None:
        """On every route they are refused at once, without waiting in a queue; the client must not retry."""
        self.proxy(fields=b'{"$profiles": {"p": {}}}', most=1)
        mark = b"CDN-Loop: " + PSEUDONYM
        upgrade = (b"Connection: Upgrade", b"Upgrade: websocket")
        for data in (
            get(b"/x", mark),
            get(b"/x", b"CDN-Loop: a.example;v=1, %b , other" % PSEUDONYM),
            get(b"/x", b"cdn-loop: other", mark),
            get(b"/v1/realtime", mark, *upgrade),
            get(b"*", mark, method=b"OPTIONS"),
            get(b"/profiles/p/x", mark),
            get(b"/profiles/nobody/x", mark),
            transcription(FORM, FORM_TYPE, mark),
            transcription(FORM, FORM_TYPE, mark, target=b"/profiles/p" + PATH),
            post(1 << 30, mark, b"Expect: 100-continue"),
        ):
            client = self.client(data)
            self.assertEqual(error_of(client.received), (508, "loop_detected"), data)
            self.assertIn(b"\r\nx-should-retry: false\r\n", client.received)
        self.assertEqual((self.upstream.peers, self.stats.stt_requests), ([], 0))

    def test_passed_on(self) -> None:
        """
        A forwarded request carries the proxy's mark, whatever its Connection field lists, and is refused if it
        returns.
        """
        for data in (
            get(b"/x", b"Connection: cdn-loop"),
            get(b"/x", b"CDN-Loop: a.example, b", b"Connection: cdn-loop, close"),
            transcription(FORM, FORM_TYPE, b"Connection: CDN-Loop"),
        ):
            self.client(data)
            client = self.client(self.server.received)
            self.assertEqual(error_of(client.received), (508, "loop_detected"), data)

    def test_own_pages(self) -> None:
        """The proxy's own pages are not forwarded, so they respond normally."""
        self.assertIn(b" 200 OK\r\n", self.client(get(b"/stats", b"CDN-Loop: " + PSEUDONYM)).received)


class RootTests(ProxyTestCase):
    """Routing to Resources."""

    def counted(self, data: bytes) -> tuple[int, int, bool]:
        """Return how a request is counted: as a transcription, as forwarded, and whether it was answered at once."""
        before = self.stats.stt_requests, self.stats.forwarded_requests
        client = self.client(data)
        stt, forwarded = self.stats.stt_requests - before[0], self.stats.forwarded_requests - before[1]
        client.close()
        return stt, forwarded, bool(client.received)

    def test_interface(self) -> None:
        """The root is a Resource."""
        self.assertTrue(verifyObject(IResource, self.site.resource))

    def test_own_pages(self) -> None:
        """The proxy's own pages match only their exact path, with or without a query."""
        self.assertEqual(self.counted(get(b"/stats")), (0, 0, True))
        self.assertEqual(self.counted(get(b"/stats?x")), (0, 0, True))
        for target in (b"/stats/", b"/Stats", b"//stats", b"/v1/stats", b"/%73tats", b"/", b"*"):
            method = b"OPTIONS" if target == b"*" else b"GET"
            self.assertEqual(self.counted(get(target, method=method)), (0, 1, False), target)

    def test_transcriptions(self) -> None:
        """A POST to a path that ends in audio/transcriptions is a transcription; other requests are not."""
        for target in (PATH, b"/audio/transcriptions", b"/a/b/audio/transcriptions?x=y", PATH + b"/"):
            self.assertEqual(self.counted(transcription(target=target)), (1, 0, False), target)
        for data in (get(PATH), get(PATH, method=b"PUT"), post(2, target=b"/v1/audio/speech", body=b"ab")):
            self.assertEqual(self.counted(data), (0, 1, False), data)

    def test_detours(self) -> None:
        """A path that some servers read as a transcription path and others do not is refused, and not forwarded."""
        for target in (b"/v1/AUDIO/transcriptions", b"/v1//audio/./transcriptions", b"/x/../audio/transcriptions;a"):
            client = self.client(transcription(target=target))
            self.assertEqual(error_of(client.received), (400, "bad_request"), target)
        self.assertEqual(self.upstream.peers, [])

    def test_overrides(self) -> None:
        """A request with a header that overrides its method or path is refused too."""
        for data in (
            post(2, b"X-HTTP-Method-Override: PUT", target=PATH, body=b"ab"),
            get(PATH, b"X-HTTP-Method-Override: POST"),
            post(2, b"X-Original-URL: " + PATH, body=b"ab"),
        ):
            self.assertEqual(error_of(self.client(data).received), (400, "bad_request"), data)
        self.assertEqual(self.upstream.peers, [])

    def test_prefix_counts(self) -> None:
        """The path that the upstream sees decides."""
        self.proxy(prefix=b"/v1/audio")
        self.assertEqual(self.counted(transcription(target=b"/transcriptions")), (1, 0, False))


class HealthTests(ProxyTestCase):
    """The page ``/health``."""

    def asked(self, method: bytes = b"GET") -> tuple[Peer, bytes, dict[str, Any]]:
        """Request the page; return the status line and the content."""
        client = self.client(get(b"/health", method=method))
        head, _, body = client.received.partition(b"\r\n\r\n")
        return client, head, json.loads(body or b"{}")

    def test_healthy(self) -> None:
        """An upstream that accepts connections is healthy."""
        _, head, content = self.asked()
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"Content-Type: application/json", head)
        self.assertIn(b"Cache-Control: no-store", head)
        self.assertEqual(content, {"status": "healthy", "upstream": "upstream:1", "version": "1"})

    def test_degraded(self) -> None:
        """An upstream that does not is degraded; the response has the reason."""
        self.upstream.at_once = False
        client = self.client(get(b"/health"))
        self.upstream.refuse(UpstreamUnreachable("Nobody is there."))
        head, _, body = client.received.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 503 "))
        expected = {"status": "degraded", "upstream": "upstream:1", "version": "1", "error": "Nobody is there."}
        self.assertEqual(json.loads(body), expected)

    def test_busy(self) -> None:
        """While a request of ours is in flight the upstream is healthy, without a probe."""
        self.client(get())
        self.upstream.at_once = False
        self.assertEqual(self.asked()[2]["status"], "healthy")

    def test_busy_after_trouble(self) -> None:
        """The same, within a second after a check that failed."""
        self.upstream.at_once = False
        self.client(get(b"/health"))
        self.upstream.refuse(UpstreamUnreachable("Nobody is there."))
        self.upstream.at_once = True
        self.client(get())
        self.assertEqual(self.asked()[2]["status"], "healthy")

    def test_shared(self) -> None:
        """One check a second answers all who ask."""
        for _ in range(2):
            clients = [self.client(get(b"/health")) for _ in range(20)]
            self.assertEqual({client.received[:15] for client in clients}, {b"HTTP/1.1 200 OK"})
            self.reactor.advance(EVERY_S)
        self.assertEqual(len(self.upstream.peers), 2)

    def test_live(self) -> None:
        """It runs: also while the upstream is down, and while the daemon stops."""
        self.upstream.at_once = False
        for draining in (False, True):
            self.registry.draining = draining
            client = self.client(get(b"/health?live"))
            head, _, body = client.received.partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertEqual(json.loads(body), {"status": "live", "version": "1"})

    def test_draining(self) -> None:
        """A daemon that stops cannot serve: 503, without a check."""
        self.registry.draining = True
        _, head, content = self.asked()
        self.assertTrue(head.startswith(b"HTTP/1.1 503 "))
        self.assertEqual(content, {"status": "draining", "version": "1"})
        self.assertEqual(self.upstream.peers, [])

    def test_reaches_nobody(self) -> None:
        """The probe sends nothing to the upstream."""
        self.asked()
        self.assertEqual(self.server.received, b"")

    def test_head(self) -> None:
        """HEAD gets the head."""
        client, head, content = self.asked(b"HEAD")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertEqual((content, client.ending), ({}, Ending.OPEN))

    def test_other_methods(self) -> None:
        """Other methods are refused, with the list of allowed ones."""
        client, head, _ = self.asked(b"DELETE")
        self.assertEqual(error_of(client.received), (405, "method_not_allowed"))
        self.assertIn(b"\r\nAllow: GET, HEAD", head)

    def test_client_gone(self) -> None:
        """A client that disconnects before the response leaves no state."""
        self.upstream.at_once = False
        self.client(get(b"/health")).close()
        self.upstream.accept()
        self.assertEqual(self.stats.in_flight, 0)

    def test_hundreds_pipelined(self) -> None:
        """Hundreds of pipelined requests are answered without recursion, with and without a probe."""
        for busy in (False, True):
            if busy:
                self.client(get())
            client = self.client(get(b"/health") * 1000)
            self.assertEqual(client.received.count(b"HTTP/1.1 200 OK"), 1000)

    def test_logged_when_changed(self) -> None:
        """Repeated requests are logged only if the response differs from the last one, in status or text."""
        with capturedLogs() as logs:
            for trouble in (None, None, "a", "a", "b", None):
                self.upstream.at_once = trouble is None
                for method in (b"GET", b"HEAD"):
                    self.client(get(b"/health", method=method))
                    for _ in list(self.upstream.attempts):
                        self.upstream.refuse(UpstreamUnreachable(trouble or ""))
                self.reactor.advance(EVERY_S)
        lines = [(event["log_level"].name, formatEvent(event).split()) for event in logs]
        logged = [(level, words[2], words[4], words[-1]) for level, words in lines]
        self.assertEqual(
            logged,
            [
                ("info", "/health", "200", "done"),
                ("warn", "/health", "503", "a"),
                ("warn", "/health", "503", "b"),
                ("info", "/health", "200", "done"),
            ],
        )

    def test_client_gone_logged_once(self) -> None:
        """Checks that disconnect before the response are logged once; a client error is always logged."""
        self.upstream.at_once = False
        with capturedLogs() as logs:
            for _ in range(3):
                self.client(get(b"/health")).close()
                self.client(get(b"/health", method=b"POST"))
            self.upstream.accept()
            self.reactor.settle()
        lines = [formatEvent(event).split()[4] for event in logs]
        self.assertEqual(lines, ["-", "405", "405", "405"])

    def test_page_of_its_own(self) -> None:
        """A subclass of the page must define its content."""
        request: Any = None
        self.assertRaises(NotImplementedError, Page().render_GET, request)


class MetricsTests(ProxyTestCase):
    """The page ``/metrics``."""

    def asked(self, *fields: bytes) -> tuple[bytes, bytes]:
        """Request the page; return its head and its body."""
        head, _, body = self.client(get(b"/metrics", *fields)).received.partition(b"\r\n\r\n")
        return head, body

    def test_formats(self) -> None:
        """The field Accept decides between Prometheus' format and OpenMetrics."""
        head, body = self.asked()
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"\r\nContent-Type: text/plain; version=0.0.4", head)
        self.assertIn(b"\r\nCache-Control: no-store", head)
        self.assertIn(b'\nsttproxy_server_up{server="upstream:1"} 1.0\n', body)
        head, body = self.asked(b"Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        self.assertIn(b"\r\nContent-Type: application/openmetrics-text; version=1.0.0", head)
        self.assertTrue(body.endswith(b"# EOF\n"))

    def test_head(self) -> None:
        """HEAD gets the head only."""
        received = self.client(get(b"/metrics", method=b"HEAD")).received
        self.assertTrue(received.startswith(b"HTTP/1.1 200 OK\r\n") and received.endswith(b"\r\n\r\n"))

    def test_down(self) -> None:
        """A server that refuses connections is down."""
        self.upstream.at_once = False
        client = self.client(get(b"/metrics"))
        self.upstream.refuse(UpstreamUnreachable("Nobody is there."))
        self.assertIn(b'\nsttproxy_server_up{server="upstream:1"} 0.0\n', client.received)

    def test_silent(self) -> None:
        """The page waits a short time for a server that does not respond, which is then down; a late result is lost."""
        self.upstream.at_once = False
        client = self.client(get(b"/metrics"))
        self.reactor.advance(METRICS_WAIT_S - 0.1)
        self.assertEqual(client.received, b"")
        self.reactor.advance(0.1)
        self.assertIn(b'\nsttproxy_server_up{server="upstream:1"} 0.0\n', client.received)
        self.upstream.refuse(UpstreamUnreachable("Nobody is there."))

    def test_gone(self) -> None:
        """A client that has disconnected meanwhile gets nothing."""
        self.upstream.at_once = False
        client = self.client(get(b"/metrics"))
        client.reset()
        self.reactor.advance(METRICS_WAIT_S)
        self.assertEqual(client.received, b"")
        self.upstream.refuse(UpstreamUnreachable("Nobody is there."))

    def test_bug(self) -> None:
        """An exception while the metrics are read becomes a 500, and is logged."""
        self.patch(self, "facts", dict)
        self.proxy()
        client = self.client(get(b"/metrics"))
        self.assertEqual(error_of(client.received)[0], 500)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
