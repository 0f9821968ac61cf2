"""
Compares :mod:`sttproxy.http1` with h11: h11 reads every accepted message the same way.
"""

from __future__ import annotations

import h11
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import Header, ProxyError
from sttproxy.http1.framing import Chunked, chunk
from sttproxy.http1.requests import RequestHead, parse_request, write_request
from sttproxy.http1.responses import parse_response, write_response

from .strategies import Message, doubtful_heads, names, requests, tokens, values

#: The size limit of h11, in bytes; it is above the limits of `sttproxy.http1`.
LIMIT = 128 * 1024


def server() -> h11.Connection:
    """An h11 connection that reads requests."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=LIMIT)


def client(method: bytes = b"GET") -> h11.Connection:
    """An h11 connection that has sent a request and reads the response."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LIMIT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    return connection


def body_read(connection: h11.Connection, data: bytes) -> bytes | None:
    """The body that h11 finds in the bytes after a head; None if it is incomplete."""
    if data:
        connection.receive_data(data)
    body = b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Data):
            body += event.data
        else:
            return body if isinstance(event, h11.EndOfMessage) else None


class RequestTests(SynchronousTestCase):
    """Requests."""

    def assert_h11_agrees(self, head: RequestHead, wire: bytes) -> None:
        """Assert that h11 finds the same request line, fields and framing in an accepted head."""
        connection = server()
        connection.receive_data(wire)
        event = connection.next_event()
        assert isinstance(event, h11.Request), event
        self.assertEqual((event.method, b"HTTP/" + event.http_version), (head.method, head.version))
        if wire.split(b" ", 2)[1] == head.target:
            self.assertEqual(event.target, head.target)
            self.assertEqual(event.headers.raw_items(), head.headers)
        if head.chunked:
            self.assertEqual(body_read(connection, chunk(b"abc") + b"0\r\n\r\n"), b"abc")
        elif head.length is not None and head.length < 100:
            self.assertEqual(body_read(connection, b"x" * head.length), b"x" * head.length)

    @settings(max_examples=200)
    @given(requests())
    def test_honest(self, message: Message) -> None:
        """Every well-formed request is read correctly, and h11 reads it the same way."""
        head = parse_request(message.head)
        self.assertEqual((head.method, head.target, head.headers), (message.method, message.target, message.headers))
        self.assertEqual((head.chunked, head.length), (message.chunked, None if message.chunked else message.length))
        self.assert_h11_agrees(head, message.head)

    @settings(max_examples=600)
    @given(doubtful_heads())
    def test_doubtful(self, wire: bytes) -> None:
        """A mutated head is rejected, or h11 reads it the same way."""
        try:
            head = parse_request(wire)
        except ProxyError as error:
            self.assertIn(error.status, (400, 414, 417, 431, 501))
            return
        assume(wire.split(b" ", 2)[1].isascii())  # h11 rejects targets outside ASCII
        self.assert_h11_agrees(head, wire)

    @given(requests())
    def test_sent_on(self, message: Message) -> None:
        """A parsed head is written again; both parsers read it as before."""
        head = parse_request(message.head)
        wire = write_request(head.method, head.target, head.headers)
        self.assertEqual(parse_request(wire), head)
        self.assert_h11_agrees(head, wire)


class ResponseTests(SynchronousTestCase):
    """Responses."""

    @given(st.integers(200, 599), st.none() | values, st.lists(st.tuples(names, values), max_size=6))
    def test_written(self, status: int, phrase: bytes | None, headers: list[Header]) -> None:
        """Both parsers read a written response correctly."""
        wire = write_response(status, phrase, headers)
        head = parse_response(wire, b"GET")
        self.assertEqual((head.status, head.phrase, head.headers), (status, phrase, headers))
        connection = client()
        connection.receive_data(wire)
        event = connection.next_event()
        assert isinstance(event, h11.Response), event
        self.assertEqual((event.status_code, event.reason, event.headers.raw_items()), (status, phrase or b"", headers))

    @given(
        st.sampled_from((b"GET", b"HEAD")),
        st.sampled_from((200, 204, 304, 404)),
        st.sampled_from(([], [(b"Content-Length", b"3")], [(b"Transfer-Encoding", b"chunked")])),
    )
    def test_framing(self, method: bytes, status: int, headers: list[Header]) -> None:
        """h11 finds the end of the body at the same place."""
        wire = write_response(status, b"", headers)
        head = parse_response(wire, method)
        connection = client(method)
        connection.receive_data(wire)
        assert isinstance(connection.next_event(), h11.Response)
        if head.chunked:
            self.assertEqual(body_read(connection, chunk(b"abc") + b"0\r\n\r\n"), b"abc")
        elif head.length is not None:
            self.assertEqual(body_read(connection, b"x" * head.length), b"x" * head.length)
        else:
            self.assertEqual(body_read(connection, b"abc"), None)
            connection.receive_data(b"")
            self.assertIsInstance(connection.next_event(), h11.EndOfMessage)


#: Concatenated fragments of chunked bodies, valid and invalid.
PIECES = st.lists(
    st.sampled_from(
        (
            *(b"0", b"1", b"5", b"a", b"A", b"00", b"0x", b"+", b"-", b"_", b",", b"x"),
            *(b"\r\n", b"\r", b"\n", b";", b"; x=y", b' ;x="y"', b" ", b"\t", b"\x00", b"\xff"),
            *(b"0\r\n\r\n", b"3\r\nabc\r\n", b"A: b\r\n", b"A : b\r\n"),
        )
    )
    | tokens,
    max_size=8,
).map(b"".join)


class ChunkedTests(SynchronousTestCase):
    """Chunked bodies."""

    @settings(max_examples=600)
    @given(PIECES)
    def test_doubtful(self, data: bytes) -> None:
        """h11 decodes every complete body to the same bytes, with the same rest."""
        decoder = Chunked()
        try:
            slices, rest = decoder.feed(data)
        except ProxyError:
            return
        assume(decoder.done)
        assume(b" ;" not in data and b"\t;" not in data)  # RFC 9112 §7.1.1 allows it, h11 does not
        connection = server()
        connection.receive_data(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.assertIsInstance(connection.next_event(), h11.Request)
        self.assertEqual(body_read(connection, data), b"".join(slices))
        self.assertEqual(connection.trailing_data[0], rest)
