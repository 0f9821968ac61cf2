"""
Tests for :mod:`sttproxy.resources.stats`.
"""

from __future__ import annotations

import hashlib
import json
from ipaddress import ip_network
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.logger import capturedLogs

from sttproxy import config
from sttproxy.monitor.report import report
from sttproxy.peers import TrustedPeers

from ..support.fakes import Peer
from ..support.stage import FORM, FORM_TYPE, PATH, ProxyTestCase, error_of, get, ok, transcription

BROWSER = b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
KEYS = {hashlib.sha256(b"right").hexdigest(): ""}


class StatsTestCase(ProxyTestCase):
    """Asks for the page."""

    def ask(self, query: bytes = b"", *headers: bytes) -> tuple[bytes, bytes]:
        """Head and body of the response."""
        head, _, body = self.client(get(b"/stats" + query, *headers)).received.partition(b"\r\n\r\n")
        return head, body

    def numbers(self, query: bytes = b"", *headers: bytes) -> Any:
        """The response as JSON."""
        return json.loads(self.ask(query, *headers)[1])


class NumbersTests(StatsTestCase):
    """``/stats`` as JSON."""

    def test_shown(self) -> None:
        """It shows the counters as JSON; its own request is in flight."""
        self.client(get()).close()
        head, body = self.ask()
        self.assertIn(b"Content-Type: application/json", head)
        self.assertIn(b"X-Content-Type-Options: nosniff", head)
        shown = json.loads(body)
        self.assertEqual((shown["total_requests"], shown["forwarded_requests"], shown["in_flight"]), (2, 1, 1))
        self.assertEqual(shown.keys() - report(self.registry).keys(), {"time", "draining"})

    def test_logged_when_changed(self) -> None:
        """Monitors request it every few seconds; only the first request is logged, and kept."""
        with capturedLogs() as logs:
            for _ in range(3):
                self.client(get(b"/stats"))
        self.assertEqual((len(logs), self.numbers(b"?with=recent")["recent"]["number"]), (1, 1))

    def test_parts(self) -> None:
        """Further parts come if they are asked for, and only then."""
        plain = self.numbers()
        for part, names in (
            (b"recent", {"recent", "under_way"}),
            (b"series", {"series"}),
            (b"summary", {"summary", "ended_last_minute", "failed_last_minute"}),
            (b"outline", {"outline"}),
            (b"recent,outline", {"recent", "under_way", "outline"}),
            (b"nothing", set()),
        ):
            self.assertEqual(self.numbers(b"?with=" + part).keys() - plain.keys(), names, part)

    def test_after(self) -> None:
        """Only requests after a number are returned; what is no number counts as none."""
        self.client(get(b"/a")).close()
        (entry,) = self.numbers(b"?with=recent&after=0")["recent"]["requests"]
        self.assertEqual(entry["target"], "/a")
        for after, count in ((b"2", 0), (b"1", 1), (b"x", 2), (b"-1", 2), (b"", 2)):
            self.assertEqual(len(self.numbers(b"?with=recent&after=" + after)["recent"]["requests"]), count, after)

    def test_found_again(self) -> None:
        """A client finds its own request by the X-Request-ID that it sent: the phases, and the fields with rules."""
        self.proxy(fields=b'{"language": "zh"}')
        client = self.client(transcription(FORM, FORM_TYPE, b"X-Request-ID: page-1"))
        self.server.send(ok(b"{}"))
        client.close()
        (entry,) = self.numbers(b"?with=recent")["recent"]["requests"]
        self.assertEqual((entry["request_id"], entry["fields"]["forced"]), ("page-1", ["language"]))
        for bad in ([b"X-Request-ID: a b"], [b"X-Request-ID: " + b"a" * 129], [b"X-Request-ID: a", b"X-Request-ID: b"]):
            self.client(get(b"/", *bad)).close()
            self.assertNotIn(self.numbers(b"?with=recent")["recent"]["requests"][-1]["request_id"], ("a b", "a", "b"))

    def test_language(self) -> None:
        """The status line is in the language that the query or the client asks for."""
        for query, headers, begin in (
            (b"", (), "Healthy."),
            (b"&lang=zh", (), "运行正常。"),
            (b"", (b"Accept-Language: zh-CN",), "运行正常。"),
            (b"&lang=xx", (b"Accept-Language: zh-CN",), "运行正常。"),
            (b"&lang=en", (b"Accept-Language: zh-CN",), "Healthy."),
        ):
            text = self.numbers(b"?with=summary" + query, *headers)["summary"]["text"]
            self.assertTrue(text.startswith(begin), (query, text))


class ValuesTests(StatsTestCase):
    """The values of the configuration."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(fields=b'{"prompt": "secret"}', trusted=TrustedPeers([ip_network("10.0.0.1")]))

    def asked_by(self, address: str, *headers: bytes, host: bytes = b"localhost:1") -> bytes:
        """The response for a client at an address; empty: one of a Unix socket."""
        client = Peer(self.reactor, self.site.buildProtocol(None), (address, 1))
        if not address:
            self.patch(client.transport, "getPeer", lambda: UNIXAddress(b""))
        self.peers.append(client)
        client.send(get(b"/stats?with=values", *headers).replace(b"Host: h", b"Host: " + host))
        return client.received

    def test_local(self) -> None:
        """Clients on this machine see them, if they ask."""
        self.assertNotIn(b"secret", self.ask(b"?with=outline,recent,series,summary")[1])
        for address, host in (("127.0.0.1", b"localhost:1"), ("::1", b"[::1]:10241"), ("", b"any")):
            self.assertIn(b"secret", self.asked_by(address, host=host), address)

    def test_others(self) -> None:
        """Others do not: other machines, proxies on this one, and pages whose name leads here."""
        for got in (
            self.asked_by("192.0.2.7"),
            self.asked_by("127.0.0.1", b"X-Forwarded-For: 127.0.0.1"),
            self.asked_by("127.0.0.1", b"Forwarded: for=127.0.0.1"),
            self.asked_by("127.0.0.1", host=b"rebound.example"),
            self.asked_by("10.0.0.1", b"X-Forwarded-For: 192.0.2.7"),
        ):
            self.assertEqual(error_of(got), (403, "forbidden_values"))
            self.assertNotIn(b"secret", got)

    def test_key(self) -> None:
        """With --require-key, all who have a key see them."""
        self.proxy(fields=b'{"prompt": "secret"}', requires_key=True)
        self.config = config.Config(base=self.config.base, keys=KEYS)
        self.assertIn(b"secret", self.asked_by("192.0.2.7", b"Authorization: Bearer right"))
        self.assertEqual(error_of(self.asked_by("127.0.0.1")), (401, "invalid_api_key"))


class PageTests(StatsTestCase):
    """``/stats`` as a page."""

    def test_chosen(self) -> None:
        """Browsers get the page, others JSON; the query overrides it."""
        for query, accept, html in (
            (b"", BROWSER, True),
            (b"", b"Accept: text/html", True),
            (b"", b"Accept: TEXT/HTML;level=1", True),
            (b"", b"Accept: */*", False),
            (b"", b"X: y", False),
            (b"", b"Accept: application/json, text/html;q=0.9", False),
            (b"", b"Accept: text/html;q=0", False),
            (b"", b"Accept: text/*", False),
            (b"?format=json", BROWSER, False),
            (b"?format=html", b"Accept: */*", True),
        ):
            head, body = self.ask(query, accept)
            self.assertEqual(b"Content-Type: text/html; charset=utf-8" in head, html, (query, accept))
            self.assertEqual(body.startswith(b"<!doctype html>"), html)
            self.assertIn(b"\r\nVary: Accept", head)
            self.assertIn(b"Cache-Control: no-store", head)

    def test_protected(self) -> None:
        """The page runs nothing foreign, cannot be framed, and is not sniffed."""
        head, _ = self.ask(b"", BROWSER)
        for header in (
            b"Content-Security-Policy: default-src 'none'; script-src 'sha256-",
            b"frame-ancestors 'none'",
            b"X-Content-Type-Options: nosniff",
            b"Referrer-Policy: no-referrer",
            b"Cross-Origin-Resource-Policy: same-origin",
        ):
            self.assertIn(header, head)

    def test_without_script(self) -> None:
        """Without a script it shows the status line and the numbers, without values and with hostile names as text."""
        self.proxy(fields=b'{"prompt": "secret"}')
        self.client(get(b"/<script>alert(1)</script>")).close()
        self.client(transcription(FORM, FORM_TYPE, target=b"/profiles/%3Cb%3E" + PATH)).close()
        page = self.ask(b"", BROWSER, b"Accept-Language: zh")[1].decode()
        self.assertIn("运行正常。", page)
        self.assertIn('<th scope="row">forwarded_requests</th><td>1</td>', page)
        self.assertNotIn("secret", page)
        self.assertNotIn("<b>", page)

    def test_key(self) -> None:
        """With --require-key the page opens without a key and asks for one; only with one it has numbers."""
        self.proxy(requires_key=True)
        self.config = config.Config(keys=KEYS)
        head, body = self.ask(b"", BROWSER)
        self.assertTrue(head.startswith(b"HTTP/1.1 200 "))
        self.assertIn(b'data-state="locked"', body)
        self.assertNotIn(b"total_requests", body)
        head, body = self.ask(b"", BROWSER, b"Authorization: Bearer right")
        self.assertIn(b'data-state="healthy"', body)
        self.assertIn(b"total_requests", body)
        for query, *headers in ((b"", b"Accept: */*"), (b"?format=json", BROWSER), (b"?with=outline", b"X: y")):
            self.assertTrue(self.ask(query, *headers)[0].startswith(b"HTTP/1.1 401 "), query)

    def test_head(self) -> None:
        """HEAD gets the head; other methods are refused."""
        client = self.client(get(b"/stats", BROWSER, method=b"HEAD"))
        self.assertTrue(client.received.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(client.received.endswith(b"\r\n\r\n"))
        self.assertEqual(error_of(self.client(get(b"/stats", method=b"PUT")).received), (405, "method_not_allowed"))
