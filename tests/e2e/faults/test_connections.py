"""
Which connections persist: extra bytes after a response, and ``Connection: close`` in any spelling.
"""

from __future__ import annotations

from ...e2e.message import CHUNKED, Header, chunked, counted, head, request
from ...e2e.process import until
from ...e2e.raw import Peer
from .tools import FaultTestCase

OK = b"HTTP/1.1 200 OK"


class ResponseTestCase(FaultTestCase):
    """Base class: complete responses, and their connections afterwards."""

    def get(self, client: Peer, upstream: Peer | None, answer: bytes, target: str = "/") -> Peer:
        """Exchange one request and a complete response; return the upstream's connection."""
        client.send(request("GET", target))
        upstream = upstream or self.listener.accept()
        self.assertEqual(upstream.read_message().target, target.encode())
        upstream.send(answer)
        self.assertEqual(client.read_message().body, b"ok")
        return upstream


class ExtraBytes(ResponseTestCase):
    """Extra bytes after a response, and the Connection field of an upstream."""

    def test_extra_bytes(self) -> None:
        """A connection with extra bytes after a response is not reused."""
        whole = head(OK, [counted(b"ok")]) + b"ok"
        for answer in (whole + b"x", whole + whole, head(OK, [CHUNKED]) + chunked([b"ok"]) + b"0\r\n\r\n"):
            client = self.connect()
            upstream = self.get(client, None, answer)
            self.assert_ends(upstream)
            self.get(client, None, whole)

    def test_extra_bytes_later(self) -> None:
        """A connection with unsolicited bytes while idle is not reused."""
        whole = head(OK, [counted(b"ok")]) + b"ok"
        client = self.connect()
        upstream = self.get(client, None, whole)
        upstream.send(head(OK, [counted(b"no")]) + b"no")
        self.assert_ends(upstream)
        self.get(client, None, whole)

    def test_body_where_there_may_be_none(self) -> None:
        """A body after a 204, a 304 or the response to a HEAD counts as extra bytes."""
        for method, start in (("GET", b"HTTP/1.1 204 No Content"), ("GET", b"HTTP/1.1 304 Not Modified"), ("HEAD", OK)):
            client = self.connect()
            client.send(request(method, "/"))
            upstream = self.listener.accept()
            upstream.read_message()
            upstream.send(head(start, [counted(b"no")]) + b"no")
            self.assertEqual(client.read_message(bodiless=True).start, start)
            self.assert_ends(upstream)
            self.get(client, None, head(OK, [counted(b"ok")]) + b"ok").close()
            self.catch_up()

    def test_says_that_it_closes(self) -> None:
        """After ``Connection: close`` from the upstream, in any spelling, the connection is not reused."""
        spellings: list[list[Header]] = [
            [(b"Connection", b"close")],
            [(b"connection", b"Close")],
            [(b"CONNECTION", b"CLOSE")],
            [(b"Connection", b"keep-alive, close")],
            [(b"Connection", b"foo ,\tclose,bar")],
            [(b"Connection", b"keep-alive"), (b"Connection", b"close")],
            [(b"Connection", b"close"), (b"Connection", b"keep-alive")],
        ]
        responses = [head(OK, [counted(b"ok"), *headers]) + b"ok" for headers in spellings]
        responses.append(head(b"HTTP/1.0 200 OK", [counted(b"ok")]) + b"ok")
        for answer in responses:
            client = self.connect()
            upstream = self.get(client, None, answer)
            self.assert_ends(upstream)
            self.get(client, None, answer)
            self.assertIsNone(client.ending, "the client's connection lives on all the same")

    def test_client_says_that_it_closes(self) -> None:
        """A client's ``Connection: close`` is honoured in any spelling, sent back, and not forwarded."""
        for value in (b"close", b"Close", b"CLOSE", b"keep-alive, close", b"x,close ,y"):
            client = self.connect()
            client.send(request("GET", "/", (b"connection", value)) + request("GET", "/never"))
            upstream = self.listener.accept()
            self.assertEqual(upstream.read_message().values(b"Connection"), [])
            upstream.send(head(OK, [counted(b"ok")]) + b"ok")
            answer = client.read_message()
            self.assertEqual((answer.body, answer.values(b"Connection")), (b"ok", [b"close"]))
            self.assert_closed(client)
            self.assertIsNone(self.listener.accept_waiting())
            self.assertEqual(upstream.unread, b"")
            upstream.close()
            client.close()
            until(lambda: self.daemon.stats()["connections"] == 1, "the end of the connection")

    def test_http_1_0_client(self) -> None:
        """An HTTP/1.0 connection is closed unless the client asks for keep-alive."""
        for headers, connection in (([], [b"close"]), ([(b"Connection", b"Keep-Alive")], [b"keep-alive"])):
            client = self.connect()
            client.send(head(b"GET / HTTP/1.0", headers))
            upstream = self.listener.accept()
            upstream.read_message()
            upstream.send(head(OK, [counted(b"ok")]) + b"ok")
            answer = client.read_message()
            self.assertEqual((answer.body, answer.values(b"Connection")), (b"ok", connection))
            if connection == [b"close"]:
                self.assert_closed(client)
            upstream.close()
            self.catch_up()


class IdleConnections(ResponseTestCase):
    """
    Idle connections; in a separate class, because a daemon keeps what it learned about an upstream's idle timeout.
    """

    def test_says_that_it_stays(self) -> None:
        """After keep-alive from the upstream, also of HTTP/1.0, the connection is reused."""
        client = self.connect()
        upstream: Peer | None = None
        old = head(b"HTTP/1.0 200 OK", [(b"Connection", b"Keep-Alive"), counted(b"ok")])
        for answer in (head(OK, [counted(b"ok")]), old):
            for _ in range(2):
                upstream = self.get(client, upstream, answer + b"ok")
