"""
Tests for :mod:`sttproxy.requestid`, alone, and through the whole proxy.
"""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy import requestid
from sttproxy.http1.responses import parse_response

from .http1.reading import HOST, request
from .support.fakes import Peer
from .support.http2 import HTTP2TestCase
from .support.stage import FORM, FORM_TYPE, ProxyTestCase, get, message, transcription

MADE = "[0-9a-f]{16}"
SPELLINGS = ("X-Request-ID", "x-request-id", "X_Request-ID", "x-request_id", "X_REQUEST_ID")


class IdentifierTests(SynchronousTestCase):
    """Which identifier a request gets."""

    def test_kept(self) -> None:
        """One sane identifier of the client is kept, with any visible ASCII and up to its limit."""
        for value in ("a", "0af7651916cd43dd", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "x" * 128):
            head = request(HOST + f"x-request-id: {value}\r\n".encode())
            self.assertEqual(requestid.request_id(head), value)

    def test_made(self) -> None:
        """Any other one is replaced: an empty or long one, several words or lines, and other spellings."""
        for lines in (b"", b": \r\n", b": a b\r\n", b": \xc3\xa4\r\n", b": " + b"x" * 129 + b"\r\n"):
            head = request(HOST + (b"X-Request-ID" + lines if lines else b""))
            self.assertRegex(requestid.request_id(head), rf"\A{MADE}\Z")
        for names in (("X-Request-ID", "X-Request-ID"), ("X_Request_ID",)):
            head = request(HOST + b"".join(f"{name}: a\r\n".encode() for name in names))
            self.assertRegex(requestid.request_id(head), rf"\A{MADE}\Z", names)
        self.assertRegex(requestid.request_id(None), rf"\A{MADE}\Z")

    def test_unique(self) -> None:
        """Those that are made differ, also over several blocks."""
        made = {requestid.request_id(None) for _ in range(10_000)}
        self.assertEqual(len(made), 10_000)

    def test_trace(self) -> None:
        """A traceparent as W3C Trace Context defines it names a trace, also one of a later version."""
        trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        for value, found in (
            (f"00-{trace}-{span}-01", trace),
            (f"cc-{trace}-{span}-01-what-follows", trace),
            (f"ff-{trace}-{span}-01", None),
            (f"00-{'0' * 32}-{span}-01", None),
            (f"00-{trace}-{'0' * 16}-01", None),
            (f"00-{trace.upper()}-{span}-01", None),
            (f"00-{trace}-{span}", None),
            ("", None),
        ):
            head = request(HOST + f"traceparent: {value}\r\n".encode())
            self.assertEqual(requestid.trace_id(head), found, value)
        self.assertIsNone(requestid.trace_id(request()))
        twice = f"traceparent: 00-{trace}-{span}-01\r\n".encode() * 2
        self.assertIsNone(requestid.trace_id(request(HOST + twice)))

    @given(st.binary(max_size=200))
    def test_one_word(self, value: bytes) -> None:
        """Whatever a server sends, its identifier is one visible word or nothing."""
        clean = re.sub(rb"[\r\n\0-\x1f\x7f]", b"", value).strip()
        head = parse_response(b"HTTP/1.1 200 OK\r\nX-Request-ID: " + clean + b"\r\n\r\n", b"GET")
        found = requestid.stated(head)
        self.assertTrue(found.isascii() and len(found.split()) == bool(found), found)


class ExchangeTests(ProxyTestCase):
    """Where the identifier appears."""

    def identifiers(self, peer: Peer) -> list[bytes]:
        """All identifiers in what a peer has received."""
        return re.findall(rb"(?i)x[-_]request[-_]id: ([^\r]*)\r\n", peer.received_all)

    def test_kept(self) -> None:
        """A client's identifier goes to the server and back, once each."""
        for data in (get(b"/x", b"X-Request-ID: me"), transcription(FORM, FORM_TYPE, b"x-request-id: me")):
            client = self.client(data)
            self.assertEqual(self.identifiers(self.server), [b"me"])
            self.server.send(message(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"Connection: close"))
            self.assertEqual(self.identifiers(client), [b"me"])

    def test_replaced(self) -> None:
        """Every spelling from the client is replaced, and so is that of the server."""
        for spelling in SPELLINGS:
            client = self.client(get(b"/x", spelling.encode() + b": a b", b"X-Request-ID: c d"))
            self.server.send(message(b"HTTP/1.1 200 OK", b"Content-Length: 0", spelling.encode() + b": theirs"))
            (there,), (back,) = self.identifiers(self.server)[-1:], self.identifiers(client)
            self.assertEqual(there, back, spelling)
            self.assertRegex(there.decode(), rf"\A{MADE}\Z")
            self.assertNotIn(b"theirs", client.received_all)

    def test_not_hop_by_hop(self) -> None:
        """A client cannot make the proxy remove it with Connection."""
        self.client(get(b"/x", b"X-Request-ID: me", b"Connection: x-request-id"))
        self.assertEqual(self.identifiers(self.server), [b"me"])

    def test_servers_own(self) -> None:
        """The identifier that a server gives is recorded."""
        self.client(get(b"/x"))
        self.server.send(message(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"X-Request-Id: req_1"))
        self.assertEqual(self.registry.recent[-1].server_request_id, "req_1")

    def test_errors(self) -> None:
        """Errors of the proxy have it in the head and in the body, also when the head was rejected."""
        for data in (get(b"/profiles/none/x", b"X-Request-ID: me"), b"GET /x HTTP/1.1\r\nX-Request-ID: me\r\n\r\n"):
            client = self.client(data)
            _, _, body = client.received_all.partition(b"\r\n\r\n")
            (head,) = self.identifiers(client)
            self.assertEqual(json.loads(body)["request_id"].encode(), head)

    def test_tunnel(self) -> None:
        """A response that switches protocols has it."""
        client = self.client(get(b"/x", b"Connection: Upgrade", b"Upgrade: a", b"X-Request-ID: me"))
        self.server.send(message(b"HTTP/1.1 101 Switching", b"Connection: Upgrade", b"Upgrade: a"))
        self.assertEqual(self.identifiers(client), [b"me"])

    def test_traceparent(self) -> None:
        """The traceparent passes as it is."""
        field = b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        self.client(get(b"/x", field))
        self.assertIn(field, self.server.received_all)

    def test_server_timing(self) -> None:
        """With --server-timing, a response tells the phases before it, beside what the server tells."""
        client = self.client(get(b"/x"))
        self.reactor.advance(1.25)
        self.site.server_timing = True
        self.server.send(message(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"Server-Timing: db;dur=1"))
        self.assertIn(b"Server-Timing: db;dur=1\r\n", client.received_all)
        own = b"receiving;dur=0.0, waiting;dur=0.0, sending;dur=0.0, working;dur=1250.0, total;dur=1250.0"
        self.assertIn(b"Server-Timing: " + own + b"\r\n", client.received_all)


class HTTP2Tests(HTTP2TestCase):
    """Over HTTP/2."""

    def test_back(self) -> None:
        """Each stream has its own identifier, the client's or a new one."""
        client = self.connected()
        first = client.ask(b"/health", (b"x-request-id", b"me"))
        second = client.ask(b"/health")
        client.exchange()
        self.assertEqual(client.identifiers[first], b"me")
        self.assertRegex(client.identifiers[second].decode(), rf"\A{MADE}\Z")
