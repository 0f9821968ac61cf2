"""
Tests for :mod:`sttproxy.resources.monitor`: where the proxy's own pages are, and who may see them.
"""

from __future__ import annotations

import hashlib
import json
from ipaddress import ip_network

import attrs
from twisted.internet.address import UNIXAddress
from twisted.web.resource import IResource
from zope.interface.verify import verifyObject

from sttproxy.cors import CrossOrigin
from sttproxy.monitor.report import recent
from sttproxy.peers import UNIX, TrustedPeers

from ..support.fakes import Peer
from ..support.stage import FORM, FORM_TYPE, ProxyTestCase, error_of, get, ok, transcription

#: The address of the fake clients, and another network.
HERE, ELSEWHERE = TrustedPeers([ip_network("192.0.2.7")]), TrustedPeers([ip_network("198.51.100.0/24")])
KEY = b"Authorization: Bearer sesame"
PAGES = (b"/health", b"/health?live", b"/stats")


def status_of(client: Peer) -> int:
    """The status of the response."""
    return int(client.received.split(b" ")[1])


class ApartTests(ProxyTestCase):
    """Pages at a listener of their own."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(apart=True)

    def observer(self, data: bytes) -> Peer:
        """A client of the listener for monitoring."""
        return self.client(data, site=self.monitor)

    def forwarded(self, data: bytes) -> bytes:
        """The first line of a request as the server gets it."""
        client = self.client(data)
        line = self.server.received.splitlines()[0]
        self.server.send(ok())
        self.assertEqual(client.received, ok())
        client.close()
        self.server.close()
        self.reactor.settle()
        return line

    def test_interface(self) -> None:
        """The root is a Resource."""
        self.assertTrue(verifyObject(IResource, self.monitor.resource))

    def test_there(self) -> None:
        """They are there, by GET and HEAD, by their exact path, with or without a query."""
        for target in PAGES:
            for method in (b"GET", b"HEAD"):
                self.assertEqual(status_of(self.observer(get(target, method=method))), 200, target)

    def test_not_here(self) -> None:
        """Elsewhere their paths are forwarded, so that the server's own pages can be reached."""
        for target in PAGES:
            self.assertEqual(self.forwarded(get(target)), b"GET %b HTTP/1.1" % target)

    def test_nothing_else_there(self) -> None:
        """Any other request there gets 404, and the names of the pages; no server gets it."""
        for data in (
            get(b"/"),
            get(b"/stats/"),
            get(b"/profiles/p/stats"),
            get(b"/v1/realtime", b"Connection: Upgrade", b"Upgrade: websocket"),
            get(b"*", method=b"OPTIONS"),
            transcription(FORM, FORM_TYPE),
        ):
            client = self.observer(data)
            self.assertEqual(error_of(client.received), (404, "not_found"), data)
            self.assertIn(b"it has /health, /stats", client.received)
        self.assertEqual(self.upstream.peers, [])

    def test_long_path(self) -> None:
        """A long path is shortened in the message."""
        client = self.observer(get(b"/" + b"a" * 5000))
        self.assertEqual(error_of(client.received), (404, "not_found"))
        self.assertLess(len(client.received), 600)

    def test_methods(self) -> None:
        """The pages are only read; preflights of browsers get no permission."""
        preflight = (b"Origin: http://a.example", b"Access-Control-Request-Method: GET")
        for data in (get(b"/stats", method=b"DELETE"), get(b"/stats", *preflight, method=b"OPTIONS")):
            client = self.observer(data)
            self.assertEqual(error_of(client.received), (405, "method_not_allowed"))
            self.assertNotIn(b"Access-Control-Allow-Origin", client.received)

    def test_cors(self) -> None:
        """Web pages that may use the proxy may not read the listener for monitoring."""
        self.proxy(apart=True, cors=CrossOrigin(["*"]))
        self.assertNotIn(b"Access-Control", self.observer(get(b"/stats", b"Origin: http://a.example")).received)

    def test_key(self) -> None:
        """
        They need no key there.  Elsewhere all requests need one, also those for ``/health``, since they go to the
        server.
        """
        self.keyed(apart=True)
        for target in PAGES:
            self.assertEqual(status_of(self.observer(get(target))), 200)
            self.assertEqual(error_of(self.client(get(target)).received), (401, "invalid_api_key"))
        self.assertEqual(self.forwarded(get(b"/health", KEY)), b"GET /health HTTP/1.1")

    def keyed(self, apart: bool = False, viewers: TrustedPeers | None = None) -> None:
        """Create a proxy that requires `KEY`."""
        self.proxy(requires_key=True, apart=apart, viewers=viewers)
        self.config = attrs.evolve(self.config, keys={hashlib.sha256(b"sesame").hexdigest(): ""})

    def test_key_without_listener(self) -> None:
        """Without a listener of their own, all pages but ``/health`` need a key."""
        self.keyed()
        self.assertEqual(status_of(self.client(get(b"/health"))), 200)
        self.assertEqual(error_of(self.client(get(b"/stats")).received), (401, "invalid_api_key"))
        self.assertEqual(status_of(self.client(get(b"/stats", KEY))), 200)

    def test_key_and_network(self) -> None:
        """Clients that may not see the pages are told so before they are asked for a key."""
        self.keyed(viewers=ELSEWHERE)
        self.assertEqual(error_of(self.client(get(b"/stats")).received), (403, "forbidden_client"))
        self.keyed(viewers=HERE)
        self.assertEqual(error_of(self.client(get(b"/stats")).received), (401, "invalid_api_key"))

    def test_draining(self) -> None:
        """While the daemon stops, ``/health`` says so there, and the connections stay."""
        client = self.observer(get(b"/health"))
        self.registry.draining = self.site.draining = True
        client.send(get(b"/health"))
        self.assertIn(b'"draining"', client.received)
        self.assertNotIn(b"Connection: close", client.received)

    def test_counted(self) -> None:
        """Requests there are counted like those for pages elsewhere."""
        self.observer(get(b"/health"))
        shown = json.loads(self.observer(get(b"/stats")).received.partition(b"\r\n\r\n")[2])
        self.assertEqual((shown["total_requests"], shown["routes"]["own"]["requests"]), (2, 2))


class ViewerTests(ProxyTestCase):
    """Pages that only some clients may see."""

    def asked(self, target: bytes, *fields: bytes) -> int:
        """The status of the response."""
        return status_of(self.client(get(target, *fields)))

    def test_listed(self) -> None:
        """Listed clients see all pages."""
        self.proxy(viewers=HERE)
        self.assertEqual({self.asked(target) for target in PAGES}, {200})

    def test_others(self) -> None:
        """Others get 403 for each page, and the server gets nothing; all other requests of theirs pass."""
        self.proxy(viewers=ELSEWHERE)
        for target in PAGES:
            client = self.client(get(target))
            self.assertEqual(error_of(client.received), (403, "forbidden_client"))
            self.assertNotIn(b"192.0.2.7", client.received)
        self.assertEqual(self.upstream.peers, [])
        self.client(get(b"/v1/models"))
        self.assertIn(b"GET /v1/models ", self.server.received)

    def test_any_way_to_ask(self) -> None:
        """No method, spelling of the target or header shows others a page."""
        self.proxy(viewers=ELSEWHERE)
        listed = b"X-Forwarded-For: 198.51.100.1"
        for data in (
            get(b"/stats", method=b"HEAD"),
            get(b"/stats", method=b"POST"),
            get(b"http://h/stats"),
            get(b"/stats?x"),
            get(b"/stats", listed),
            get(b"/stats", b"Forwarded: for=198.51.100.1", b"X-Real-IP: 198.51.100.1"),
        ):
            self.assertEqual(status_of(self.client(data)), 403, data)

    def test_trusted_proxy(self) -> None:
        """Behind a trusted proxy the client counts that it names, and not the proxy."""
        proxies = HERE
        self.proxy(trusted=proxies, viewers=ELSEWHERE)
        for hops, status in (
            (b"198.51.100.1", 200),
            (b"203.0.113.1", 403),
            (b"198.51.100.1, 203.0.113.1", 403),
            (b"203.0.113.1, 198.51.100.1", 200),
            (b"198.51.100.1, 192.0.2.7", 200),
        ):
            self.assertEqual(self.asked(b"/stats", b"X-Forwarded-For: " + hops), status, hops)
        self.assertEqual(self.asked(b"/stats"), 403)
        self.proxy(trusted=proxies, viewers=HERE)
        self.assertEqual(self.asked(b"/stats"), 200)
        self.assertEqual(self.asked(b"/stats", b"X-Forwarded-For: 203.0.113.1"), 403)

    def test_unix(self) -> None:
        """A client at a Unix socket is listed by the word for it, and by no network."""
        for viewers, status in ((TrustedPeers([UNIX]), 200), (TrustedPeers([ip_network("0.0.0.0/0")]), 403)):
            self.proxy(viewers=viewers)
            client = self.client()
            self.patch(client.transport, "getPeer", lambda: UNIXAddress(b"/run/client"))
            client.send(get(b"/stats"))
            self.assertEqual(status_of(client), status)

    def test_apart(self) -> None:
        """They are limited at a listener of their own, too; other paths there are 404 for all."""
        for viewers, statuses in ((HERE, [200, 404]), (ELSEWHERE, [403, 404])):
            self.proxy(viewers=viewers, apart=True)
            found = [status_of(self.client(get(target), site=self.monitor)) for target in (b"/stats", b"/x")]
            self.assertEqual(found, statuses)


class ClientTests(ProxyTestCase):
    """The addresses of clients."""

    def test_hidden(self) -> None:
        """The list of the last requests has none, and no page has one, unless they are asked for."""
        for shown in (False, True):
            self.registry.shows_clients = shown
            self.client(get(b"/health")).close()
            self.assertEqual("192.0.2.7" in json.dumps(recent(self.registry, 0.0)), shown)
            self.assertEqual(b"192.0.2.7" in self.client(get(b"/health")).received, False)
