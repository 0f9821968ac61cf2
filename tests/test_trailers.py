"""
Tests for :mod:`sttproxy.trailers`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import Header
from sttproxy.headers import HOP_BY_HOP
from sttproxy.trailers import accepting, forwardable

from .http1.reading import HOST, request

#: Fields that a recipient must not merge into a head; a sample of each kind that RFC 9110 §6.5.1 names.
NEVER = (
    *sorted(HOP_BY_HOP),
    b"host",
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"content-range",
    b"authorization",
    b"cookie",
    b"set-cookie",
    b"www-authenticate",
    b"if-match",
    b"if-none-match",
    b"range",
    b"cache-control",
    b"location",
    b"trailer",
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"cdn-loop",
)


class ForwardableTests(SynchronousTestCase):
    """The fields of a trailer section that the proxy forwards."""

    def test_forwarded(self) -> None:
        """Other fields keep their order, spelling and repetitions."""
        trailers: list[Header] = [
            (b"grpc-status", b"0"),
            (b"X-Sum", b"a"),
            (b"ETag", b"x"),
            (b"x-sum", b"b"),
            (b"Content-Digest", b"sha-256=::"),
            (b"Server-Timing", b"a"),
        ]
        self.assertEqual(forwardable(request(), trailers), trailers)

    def test_never(self) -> None:
        """Fields that belong into a head are dropped, in any spelling, also with underscores."""
        for name in NEVER:
            for spelling in (name, name.upper(), name.title(), name.replace(b"-", b"_")):
                trailers = [(b"A", b"1"), (spelling, b"x"), (b"B", b"2")]
                self.assertEqual(forwardable(request(), trailers), [(b"A", b"1"), (b"B", b"2")], spelling)

    def test_named(self) -> None:
        """A field that the head's Connection names concerns one connection only."""
        head = request(HOST + b"Connection: X-Hop, x_hip\r\n")
        trailers = [(b"x-hop", b"1"), (b"X_Hip", b"2"), (b"X-End", b"3")]
        self.assertEqual(forwardable(head, trailers), [(b"X-End", b"3")])


class AcceptingTests(SynchronousTestCase):
    """How the server learns that the client accepts trailers."""

    def test_said(self) -> None:
        """The keyword is passed on, in any spelling and list, and nothing else of TE."""
        for value in (b"trailers", b"Trailers", b"gzip, trailers", b"trailers, deflate;q=0.5"):
            head = request(HOST + b"TE: " + value + b"\r\n")
            self.assertEqual(accepting(head), [(b"Connection", b"TE"), (b"TE", b"trailers")], value)

    def test_unsaid(self) -> None:
        """Without the keyword, and over HTTP/1.0, nothing is sent."""
        for lines in (b"", b"TE:\r\n", b"TE: gzip\r\n", b"TE: trailersx\r\n", b"TE: trailers;q=1\r\n"):
            self.assertEqual(accepting(request(HOST + lines)), [], lines)
        self.assertEqual(accepting(request(HOST + b"TE: trailers\r\n", b"GET / HTTP/1.0")), [])
