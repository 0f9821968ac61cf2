"""
Tests for the cleanup of a request and its connections after an unexpected exception.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sttproxy.inbound.request import Request

from ..support.fakes import Ending
from ..support.stage import ProxyTestCase, chunked, error_of, get, message, ok

CHUNKED = message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")


class Fault(Exception):
    """The exception that a test raises."""


class CrashTests(ProxyTestCase):
    """After an exception neither the client nor the upstream connection hangs, and the next request is answered."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy()

    def raise_once(self, where: Any, name: str) -> None:
        """Let a method raise at its next call."""
        real: Callable[..., Any] = getattr(where, name)

        def fail(*arguments: Any) -> None:
            self.patch(where, name, real)
            raise Fault

        self.patch(where, name, fail)

    def passes(self, answer: bytes = b"hi") -> None:
        """Check that another client's request is answered."""
        client = self.client(get())
        self.server.send(ok(answer))
        self.assertTrue(client.received.endswith(answer))

    def crashed(self) -> None:
        """Check that only the test's exception was logged, and that no request is in flight."""
        self.assertEqual(len(self.flushLoggedErrors(Fault)), 1)
        self.assertEqual((self.stats.in_flight, self.pool.busy), (0, False))

    def test_owner(self) -> None:
        """
        The pool raises when a connection is released to it: the client has its response, and its connection persists.
        """
        for answer in (ok(), CHUNKED + chunked(b"hi")):
            client = self.client(get())
            self.raise_once(self.pool, "_serve")
            # A reactor logs an exception raised by a read, and closes the connection.
            self.assertRaises(Fault, self.server.send, answer)
            self.reactor.settle()
            self.assertIn(b"hi", client.news())
            self.assertEqual((self.stats.in_flight, self.pool.busy), (0, False))
            self.server.reset()
            client.send(get())
            self.server.send(ok(b"again"))
            self.assertTrue(client.news().endswith(b"again"))

    def test_client_side(self) -> None:
        """Writing a part of the response raises: both connections are aborted."""
        for answer in (ok(), CHUNKED + chunked(b"hi"), CHUNKED + chunked(b"hi", last=False)):
            client = self.client(get())
            self.raise_once(Request, "write")
            self.server.send(answer)
            self.crashed()
            self.assertEqual((client.ending, self.server.ending), (Ending.RESET, Ending.RESET))
            self.passes()

    def test_head(self) -> None:
        """Writing the response head raises: the client gets 500, and the upstream connection is aborted."""
        client = self.client(get())
        self.raise_once(Request, "send_head")
        self.server.send(ok())
        self.crashed()
        self.assertEqual(error_of(client.received), (500, "internal_error"))
        self.assertEqual(self.server.ending, Ending.RESET)
        self.passes()

    def test_end(self) -> None:
        """Counting or reporting the end of a response raises: the next request on the connection is answered."""
        for name in ("_account", "finish"):
            client = self.client(get())
            self.raise_once(Request, name)
            self.server.send(ok())
            self.assertEqual(len(self.flushLoggedErrors(Fault)), 1)
            self.assertFalse(self.pool.busy)
            if name == "_account":
                self.registry.in_flight.clear()
                client.news()
                client.send(get())
                self.server.send(ok(b"again"))
                self.assertTrue(client.news().endswith(b"again"))
            else:
                self.assertEqual(client.ending, Ending.RESET)
            self.passes()

    def test_client_gone(self) -> None:
        """Counting a client disconnect raises: the upstream request is aborted all the same."""
        client = self.client(get())
        self.raise_once(Request, "_account")
        self.assertRaises(Fault, client.close)
        self.reactor.settle()
        self.registry.in_flight.clear()
        self.assertEqual((self.server.ending, self.pool.busy), (Ending.RESET, False))
        self.passes()
