"""
Tests for what happens to a request and its connections when something raises that was not meant to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sttproxy.inbound.request import Request

from ..support.fakes import Ending
from ..support.stage import ProxyTestCase, chunked, error_of, get, message, ok

CHUNKED = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")


class Fault(Exception):
    """What a test has something raise."""


class CrashTests(ProxyTestCase):
    """Neither the client nor the upstream's connection is left hanging, and the next request is answered."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy()

    def raise_once(self, where: Any, name: str) -> None:
        """Have a method raise at its next call."""
        real: Callable[..., Any] = getattr(where, name)

        def fail(*arguments: Any) -> None:
            self.patch(where, name, real)
            raise Fault

        self.patch(where, name, fail)

    def passes(self, answer: bytes = b"hi") -> None:
        """Another client's request is answered."""
        client = self.client(get())
        self.server.send(ok(answer))
        self.assertTrue(client.received.endswith(answer))

    def crashed(self) -> None:
        """One thing was logged: what the test has had raised; and nothing is under way any more."""
        self.assertEqual(len(self.flushLoggedErrors(Fault)), 1)
        self.assertEqual((self.stats.in_flight, self.pool.busy), (0, False))

    def test_owner(self) -> None:
        """The pool fails when a connection comes back to it: the client has its answer, and its connection goes on."""
        for answer in (ok(), CHUNKED + chunked(b"hi")):
            client = self.client(get())
            self.raise_once(self.pool, "_serve")
            # A reactor logs what a read raises and ends the connection.
            self.assertRaises(Fault, self.server.send, answer)
            self.reactor.settle()
            self.assertIn(b"hi", client.news())
            self.assertEqual((self.stats.in_flight, self.pool.busy), (0, False))
            self.server.reset()
            client.send(get())
            self.server.send(ok(b"again"))
            self.assertTrue(client.news().endswith(b"again"))

    def test_client_side(self) -> None:
        """Bytes of a response cannot be written: both connections are broken."""
        for answer in (ok(), CHUNKED + chunked(b"hi"), CHUNKED + chunked(b"hi", last=False)):
            client = self.client(get())
            self.raise_once(Request, "write")
            self.server.send(answer)
            self.crashed()
            self.assertEqual((client.ending, self.server.ending), (Ending.RESET, Ending.RESET))
            self.passes()

    def test_head(self) -> None:
        """The head of a response cannot be written: the client gets 500, and the upstream's connection is broken."""
        client = self.client(get())
        self.raise_once(Request, "send_head")
        self.server.send(ok())
        self.crashed()
        self.assertEqual(error_of(client.received), (500, "internal_error"))
        self.assertEqual(self.server.ending, Ending.RESET)
        self.passes()

    def test_end(self) -> None:
        """The end of a response cannot be counted, or told: the next request on the connection is answered."""
        for name in ("_account", "finish"):
            client = self.client(get())
            self.raise_once(Request, name)
            self.server.send(ok())
            self.assertEqual(len(self.flushLoggedErrors(Fault)), 1)
            self.assertFalse(self.pool.busy)
            if name == "_account":
                self.stats.in_flight -= 1
                client.news()
                client.send(get())
                self.server.send(ok(b"again"))
                self.assertTrue(client.news().endswith(b"again"))
            else:
                self.assertEqual(client.ending, Ending.RESET)
            self.passes()

    def test_client_gone(self) -> None:
        """That a client has left cannot be counted: its request at the upstream is ended all the same."""
        client = self.client(get())
        self.raise_once(Request, "_account")
        self.assertRaises(Fault, client.close)
        self.reactor.settle()
        self.stats.in_flight -= 1
        self.assertEqual((self.server.ending, self.pool.busy), (Ending.RESET, False))
        self.passes()
