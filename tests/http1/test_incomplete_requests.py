"""
Tests for incomplete request heads in :mod:`sttproxy.http1.requests`.
"""

from __future__ import annotations

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import BadRequest, HeadTooLarge, ProxyError, TargetTooLong
from sttproxy.http1.heads import MAX_HEAD
from sttproxy.http1.requests import MAX_REQUEST_LINE, check_beginning, parse_request, skip_empty_lines

from .strategies import Message, doubtful_heads, requests


class EmptyLineTests(SynchronousTestCase):
    """Empty lines before a request line."""

    def test_skipped(self) -> None:
        """Only complete empty lines are skipped."""
        for data, left in (
            (b"", b""),
            (b"GET /", b"GET /"),
            (b"\r\nGET /", b"GET /"),
            (b"\r\n\r\n\r\nGET /\r\n\r\n", b"GET /\r\n\r\n"),
            (b"\r\n\r\n", b""),
            (b"\r\n\r", b"\r"),
            (b"\r", b"\r"),
            (b"\n\r\nGET /", b"\n\r\nGET /"),
            (b"\r\n\nGET /", b"\nGET /"),
            (b"\r\n GET /", b" GET /"),
        ):
            self.assertEqual(skip_empty_lines(data), left)

    def test_many(self) -> None:
        """A megabyte of empty lines takes one pass."""
        self.assertEqual(skip_empty_lines(b"\r\n" * 500_000 + b"x"), b"x")


class BeginningTests(SynchronousTestCase):
    """Incomplete heads."""

    @given(requests())
    def test_waited_for(self, message: Message) -> None:
        """Every prefix of a well-formed head is accepted."""
        for cut in range(len(message.head)):
            check_beginning(message.head[:cut])

    def test_longest_line(self) -> None:
        """A request line of exactly the limit is accepted at every cut, also inside its CRLF."""
        target = b"/".ljust(MAX_REQUEST_LINE - len(b"GET  HTTP/1.1"), b"a")
        head = b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n"
        parse_request(head)
        for cut in (MAX_REQUEST_LINE - 1, MAX_REQUEST_LINE, MAX_REQUEST_LINE + 1, MAX_REQUEST_LINE + 2, len(head) - 1):
            check_beginning(head[:cut])

    def test_limits(self) -> None:
        """A head that exceeds a limit is rejected before it is complete."""
        for part in (b"G" * (MAX_REQUEST_LINE + 1), b"G" * (MAX_REQUEST_LINE + 1) + b"\r\n"):
            self.assertRaises(TargetTooLong, check_beginning, part)
        line = b"GET / HTTP/1.1\r\nA: "
        check_beginning(line.ljust(MAX_HEAD - 1, b"b"))
        self.assertRaises(HeadTooLarge, check_beginning, line.ljust(MAX_HEAD, b"b"))

    def test_refused(self) -> None:
        """Bytes that cannot become a valid head are rejected at once."""
        for part in (
            b"\x16\x03\x01\x02\x00",
            b"\x00",
            b" GET",
            b"\n",
            b"\rG",
            b"{",
            b'"',
            b":",
            b"\xff",
            b"GET / HTTP/1.1\n",
            b"GET / HTTP/1.1\nHost: h\n\n",
            b"GET / HTTP/1.1\r\nHost: h\n",
            b"GET / HTTP/1.1\rH",
            b"GET / HTTP/1.1\r\nA: b\r\r",
            b"GET / HTTP/1.1\r\nA: b\n\r",
        ):
            self.assertRaises(BadRequest, check_beginning, part)

    @settings(max_examples=300)
    @given(doubtful_heads())
    def test_prefix(self, head: bytes) -> None:
        """A head whose prefix is rejected is also rejected when it is complete, with the same status."""
        for cut in range(len(head)):
            try:
                check_beginning(head[:cut])
            except ProxyError as early:
                late = self.assertRaises(ProxyError, parse_request, head)
                self.assertEqual(early.status, late.status)
                break
