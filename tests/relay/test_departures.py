"""
Tests for :mod:`sttproxy.relay`: clients that disconnect, and bodies that cannot be forwarded.
"""

from __future__ import annotations

from sttproxy.inbound.interfaces import Timeouts
from sttproxy.upstream.pool import PoolLimits

from ..support.fakes import Ending
from ..support.stage import FORM_TYPE, PATH, chunked, error_of, get, message, ok, post
from .test_failures import CHUNKED, LEAVE, EndingTestCase

#: A transcription request in three chunks; no single chunk is a complete form.
MALFORMED = post(None, FORM_TYPE, target=PATH, body=chunked(b"no ", b"form", b"at all", last=False))


class ClientDisconnectTests(EndingTestCase):
    """When the client disconnects, the upstream request is aborted, and never looks complete."""

    def test_connecting(self) -> None:
        """It disconnects while the upstream connection is being made."""
        self.upstream.at_once = False
        for leave in LEAVE:
            client = self.client(get())
            leave(client)
            self.assertEqual((self.upstream.attempts, self.upstream.peers), ([], []))

    def test_queueing(self) -> None:
        """It disconnects while it waits for a connection."""
        self.proxy(pool=PoolLimits(total=1))
        self.client(get())
        for leave in LEAVE:
            leave(self.client(get()))
        self.server.send(ok())
        self.assertEqual(self.server.received.count(b"GET"), 1)

    def test_uploading(self) -> None:
        """It disconnects in the middle of its upload, in either framing."""
        for leave in LEAVE:
            for data in (post(1 << 30, body=b"x" * 1000), post(None, body=chunked(b"ab", last=False))):
                client = self.client(data)
                leave(client)
                self.assert_aborted()

    def test_held_back(self) -> None:
        """It disconnects while its upload is paused; this is noticed within a second."""
        for leave in LEAVE:
            client = self.client(post(1 << 30))
            self.server.stall()
            while client.heard:
                client.send(b"x" * 50_000)
            leave(client)
            self.reactor.pass_time(1)
            self.assert_aborted()

    def test_waiting(self) -> None:
        """It disconnects while the upstream processes the request."""
        for leave in LEAVE:
            client = self.client(get())
            leave(client)
            self.assert_aborted()

    def test_reading(self) -> None:
        """It disconnects in the middle of the response."""
        for leave in LEAVE:
            for begun in (ok(b"hello")[:-1], CHUNKED, message(b"HTTP/1.1 200 OK", body=b"hello")):
                client = self.client(get())
                self.server.send(begun)
                leave(client)
                self.assert_aborted()

    def test_reading_slowly(self) -> None:
        """It disconnects while it does not read and the upstream is paused."""
        for leave in LEAVE:
            client = self.client(get())
            client.stall()
            self.server.send(message(b"HTTP/1.1 200 OK", b"Content-Length: 1000000"), *[b"x" * 50_000] * 4)
            self.assertFalse(self.server.heard)
            leave(client)
            self.assert_aborted()

    def test_crossing(self) -> None:
        """It disconnects at the moment when the response arrives."""
        client = self.client(get())
        client.socket.arriving.append(b"")
        self.server.send(ok())
        self.assertEqual(self.stats.in_flight, 0)

    def test_counted(self) -> None:
        """A client disconnect is not counted as an upstream error."""
        client = self.client(get())
        client.reset()
        self.assertEqual((self.stats.clients_gone, self.stats.upstream_errors.total()), (1, 0))


class BodyFailedTests(EndingTestCase):
    """The body cannot be forwarded: the client gets an error, and the upstream gets no request that looks complete."""

    def test_malformed_framing(self) -> None:
        """A chunk is malformed in the middle of the upload."""
        client = self.client(post(None, body=chunked(b"ab", last=False)))
        client.send(b"zzz\r\n")
        self.assertEqual(error_of(client.received), (400, "bad_request"))
        self.assertEqual(client.ending, Ending.HALF)
        self.assert_aborted()

    def test_malformed_form(self) -> None:
        """A form is malformed, whether it arrived before or after the upstream connection was made."""
        for at_once in (True, False):
            self.upstream.at_once = at_once
            client = self.client(MALFORMED)
            if not at_once:
                self.upstream.accept()
            self.assertEqual(error_of(client.received), (400, "malformed_form"), at_once)
            self.assert_aborted()

    def test_incomplete_form(self) -> None:
        """The body ends before the form's end."""
        client = self.client(MALFORMED.replace(chunked(b"no ", b"form", b"at all", last=False), chunked(b"--b\r\n")))
        self.assertEqual(error_of(client.received), (400, "malformed_form"))
        self.assert_aborted()

    def test_too_long(self) -> None:
        """A chunked body turns out to be longer than allowed."""
        self.proxy(body=10)
        client = self.client(post(None, body=chunked(b"x" * 10, last=False)), chunked(b"x", last=False))
        self.assertEqual(error_of(client.received), (413, "body_too_large"))
        self.assert_aborted()

    def test_too_slow(self) -> None:
        """The client sends the body too slowly."""
        self.proxy(timeouts=Timeouts(body=10))
        client = self.client(post(4, body=b"ab"))
        self.reactor.pass_time(11)
        self.assertEqual(error_of(client.received), (408, "request_timeout"))
        self.assert_aborted()

    def test_held_back_is_not_slow(self) -> None:
        """If the upstream reads nothing for minutes, the paused client does not time out."""
        self.proxy(timeouts=Timeouts(body=10), pool=PoolLimits(send_s=None))
        client = self.client(post(1_000_000))
        self.server.stall()
        while client.heard:
            client.send(b"x" * 50_000)
        self.reactor.pass_time(300, 1)
        self.assertEqual(client.received, b"")
        self.server.read()
        self.assertTrue(client.heard)

    def test_answer_had_begun(self) -> None:
        """If the response has already begun, the client's connection is aborted."""
        client = self.client(post(None, body=chunked(b"ab", last=False)))
        self.server.send(ok(b"hello")[:-1])
        client.send(b"zzz\r\n")
        self.assertEqual(client.ending, Ending.RESET)
        self.assert_aborted()

    def test_not_the_upstreams_error(self) -> None:
        """A failed body is not counted as an upstream error."""
        self.client(MALFORMED)
        self.assertEqual(self.stats.upstream_errors.total(), 0)
