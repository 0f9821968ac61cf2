"""
Ambiguous requests are refused, the connection is closed, and nothing is forwarded.
"""

from __future__ import annotations

import json

from ...e2e.message import CHUNKED, Message, head, request
from ...e2e.raw import Peer
from .tools import FaultTestCase


def lines(*fields: bytes, start: bytes = b"POST /v1/files HTTP/1.1", host: bytes = b"Host: x") -> bytes:
    """A head of these lines, with a valid Host."""
    return b"\r\n".join([start, host, *fields]) + b"\r\n\r\n"


def start(line: bytes) -> bytes:
    """A head with this request line."""
    return line + b"\r\nHost: x\r\n\r\n"


def bare(*fields: bytes, start: bytes = b"GET / HTTP/1.1") -> bytes:
    """A head of exactly these lines."""
    return b"\r\n".join([start, *fields]) + b"\r\n\r\n"


LENGTH = b"Content-Length: 5"
TE = b"Transfer-Encoding: chunked"
SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

#: Heads that get 400, by what is wrong with them.
REFUSED = {
    # Framing fields.
    "length and chunks": lines(LENGTH, TE) + SMUGGLED,
    "chunks and length": lines(TE, LENGTH) + SMUGGLED,
    "two lengths": lines(LENGTH, b"Content-Length: 6") + b"hello!",
    "the same length twice": lines(LENGTH, LENGTH) + b"hello",
    "a list of lengths": lines(b"Content-Length: 5, 5") + b"hello",
    "a list of two lengths": lines(b"Content-Length: 5, 6") + b"hello!",
    "empty length": lines(b"Content-Length:") + b"hello",
    "negative length": lines(b"Content-Length: -5"),
    "signed length": lines(b"Content-Length: +5") + b"hello",
    "hexadecimal length": lines(b"Content-Length: 0x5") + b"hello",
    "fractional length": lines(b"Content-Length: 5.0") + b"hello",
    "length with a space": lines(b"Content-Length: 5 5") + b"hello",
    "length with an underscore": lines(b"Content-Length: 1_0") + b"hello",
    "length of 19 digits": lines(b"Content-Length: 1000000000000000000"),
    "length beyond 64 bits": lines(b"Content-Length: 18446744073709551621") + b"hello",
    "length in other digits": lines("Content-Length: ５".encode()) + b"hello",
    "TE in HTTP/1.0": lines(TE, start=b"POST / HTTP/1.0") + SMUGGLED,
    "an underscore in the length": lines(b"Content_Length: 5") + b"hello",
    "an underscore in the coding": lines(b"Transfer_Encoding: chunked") + SMUGGLED,
    "underscores in any case": lines(b"TRANSFER_encoding: chunked") + SMUGGLED,
    "chunked twice": lines(b"Transfer-Encoding: chunked, chunked") + SMUGGLED,
    "chunked in two lines": lines(TE, TE) + SMUGGLED,
    "something behind chunked": lines(b"Transfer-Encoding: chunked, gzip") + SMUGGLED,
    "no coding": lines(b"Transfer-Encoding: identity") + b"hello",
    "vertical tab before chunked": lines(b"Transfer-Encoding: \x0bchunked") + SMUGGLED,
    "NUL in the coding": lines(b"Transfer-Encoding: chunked\0") + SMUGGLED,
    # Field lines.
    "folding": lines(b"A: b", b" c"),
    "folding by a tab": lines(b"A: b", b"\tc"),
    "folded coding": lines(b"Transfer-Encoding:", b" chunked") + SMUGGLED,
    "folded first line": lines(b" A: b", host=b"Host: x"),
    "white space before the first line": start(b"GET / HTTP/1.1").replace(b"Host", b" Host"),
    "space before the colon": lines(b"A : b"),
    "tab before the colon": lines(b"A\t: b"),
    "space before the length's colon": lines(b"Content-Length : 5") + b"hello",
    "space before the coding's colon": lines(b"Transfer-Encoding : chunked") + SMUGGLED,
    "space in a name": lines(b"A b: c"),
    "no colon": lines(b"nonsense"),
    "no name": lines(b": value"),
    "quotes in a name": lines(b'"A": b'),
    "a name beyond ASCII": lines("Ä: b".encode()),
    "NUL in a name": lines(b"A\0: b"),
    "NUL in a value": lines(b"A: b\0c"),
    "BEL in a value": lines(b"A: b\x07c"),
    "escape in a value": lines(b"A: \x1b[31m"),
    "DEL in a value": lines(b"A: b\x7f"),
    "bare CR in a value": lines(b"A: b\rC: d"),
    "bare CR at a value's end": lines(b"A: b\r"),
    "bare LF between lines": lines(b"A: b\nC: d"),
    "bare LF after the request line": b"GET / HTTP/1.1\nHost: x\r\n\r\n",
    "bare LF at the head's end": b"GET / HTTP/1.1\r\nHost: x\r\n\n",
    "bare LF before the head's end": b"GET / HTTP/1.1\r\nHost: x\n\r\n",
    "bare LF everywhere": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare CR everywhere": b"GET / HTTP/1.1\rHost: x\r\r",
    # Host.
    "no Host": bare(),
    "two Hosts": bare(b"Host: x", b"Host: y"),
    "the same Host twice": bare(b"Host: x", b"Host: x"),
    "two Hosts in HTTP/1.0": bare(b"Host: x", b"Host: y", start=b"GET / HTTP/1.0"),
    "Host with a path": bare(b"Host: x/y"),
    "Host with a user": bare(b"Host: user@x"),
    "Host with a space": bare(b"Host: x y"),
    "a list of Hosts": bare(b"Host: x, y"),
    "Host with a bad port": bare(b"Host: x:http"),
    "Host with two ports": bare(b"Host: x:1:2"),
    "Host with an open bracket": bare(b"Host: [::1"),
    "Host with a fragment": bare(b"Host: x#y"),
    "Host with a question mark": bare(b"Host: x?y"),
    "Host with a backslash": bare(b"Host: x\\y"),
    # The request line.
    "no version": start(b"GET /"),
    "two spaces": start(b"GET  / HTTP/1.1"),
    "two spaces before the version": start(b"GET /  HTTP/1.1"),
    "a tab": start(b"GET\t/ HTTP/1.1"),
    "a space at the end": start(b"GET / HTTP/1.1 "),
    "a space at the beginning": start(b" GET / HTTP/1.1"),
    "a space in the target": start(b"GET /a b HTTP/1.1"),
    "a lower-case version": start(b"GET / http/1.1"),
    "a long version": start(b"GET / HTTP/1.10"),
    "another protocol": start(b"GET / RTSP/1.0"),
    "a method with a colon": start(b"GE:T / HTTP/1.1"),
    "a target that is a name": start(b"GET x HTTP/1.1"),
    "an absolute target of another scheme": start(b"GET ftp://x/ HTTP/1.1"),
    "an absolute target without a host": start(b"GET http:///x HTTP/1.1"),
    "an absolute target with a user": start(b"GET http://a@b/x HTTP/1.1"),
    "a star": start(b"GET * HTTP/1.1"),
    "NUL in the target": start(b"GET /\0 HTTP/1.1"),
    "LF in the target": start(b"GET /a\nb HTTP/1.1"),
    "CR in the target": start(b"GET /a\rb HTTP/1.1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40) + b"\r\n\r\n",
}

#: Chunks that get 400 in the middle of a request.
CHUNKS = {
    "no size": b"\r\nhello\r\n",
    "size in other digits": b"xyz\r\n",
    "size with 0x": b"0x5\r\nhello\r\n",
    "signed size": b"+5\r\nhello\r\n",
    "negative size": b"-5\r\n",
    "size with an underscore": b"1_0\r\n",
    "space before the size": b" 5\r\nhello\r\n",
    "space behind the size": b"5 \r\nhello\r\n",
    "size beyond 64 bits": b"10000000000000005\r\nhello\r\n",
    "bare LF": b"5\nhello\r\n",
    "bare CR": b"5\rhello\r\n",
    "bare CR in an extension": b"5;a\rb\r\nhello\r\n",
    "bare LF behind the data": b"5\r\nhello\n0\r\n\r\n",
    "more data than said": b"5\r\nhello!\r\n",
    "NUL in an extension": b"5;a=\0\r\nhello\r\n",
    "an endless extension": b"5;" + b"a" * 10_000,
    "trailer without a colon": b"0\r\nnonsense\r\n\r\n",
    "length in a trailer": b"0\r\nContent-Length: 5\r\n\r\n",
    "coding in a trailer": b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "bare LF in the trailers": b"0\r\nA: b\n",
}


class Refusals(FaultTestCase):
    """Each refused request, whole and byte by byte."""

    def refused(self, sent: bytes, bytewise: bool) -> Message:
        """Return the only response to a request; the connection must then be closed in order."""
        client = self.connect()
        client.send_while_taken([sent[at : at + 1] for at in range(len(sent))] if bytewise else [sent])
        return self.read_refusal(client)

    def read_refusal(self, client: Peer) -> Message:
        answer = client.read_message()
        self.assertEqual(answer.values(b"Connection"), [b"close"])
        self.assertIn("message", json.loads(answer.body)["error"])
        self.assert_closed(client)
        return answer

    def test_heads(self) -> None:
        """An ambiguous head gets 400, however it was cut, and is not forwarded."""
        for name, sent in REFUSED.items():
            for bytewise in (False, True):
                try:
                    self.assertEqual(self.refused(sent, bytewise).status, 400)
                    self.assert_nothing_forwarded()
                except (AssertionError, EOFError, TimeoutError) as error:
                    raise AssertionError(f"{name}, bytewise: {bytewise}: {error}") from error

    def test_heads_in_the_pipeline(self) -> None:
        """The same holds after a valid request, which is answered first."""
        for name, sent in REFUSED.items():
            client = self.connect()
            client.send(request("GET", "/health") + sent)
            try:
                self.assertEqual(client.read_message().status, 200)
                self.assertEqual(self.read_refusal(client).status, 400)
            except (AssertionError, EOFError, TimeoutError) as error:
                raise AssertionError(f"{name}: {error}") from error

    def test_chunks(self) -> None:
        """Malformed chunks get 400, however they were cut, and the upstream never sees a complete request."""
        for name, sent in CHUNKS.items():
            for bytewise in (False, True):
                whole = request("POST", "/v1/files", CHUNKED) + sent
                try:
                    self.assertEqual(self.refused(whole, bytewise and len(whole) < 1000).status, 400)
                except (AssertionError, EOFError, TimeoutError) as error:
                    raise AssertionError(f"{name}, bytewise: {bytewise}: {error}") from error
                upstream = self.listener.accept()
                self.assert_ends(upstream)
                self.assert_incomplete(upstream.received, None)

    def test_trailer_limits(self) -> None:
        """Too many trailers get 431, and the upstream never sees a complete request."""
        for section in (b"A: b\r\n" * 101 + b"\r\n", b"A: b\r\n" * 11_000):
            self.assertEqual(
                self.refused(request("POST", "/v1/files", CHUNKED) + b"0\r\n" + section, False).status, 431
            )
            upstream = self.listener.accept()
            self.assert_ends(upstream)
            self.assert_incomplete(upstream.received, None)

    def test_limits(self) -> None:
        """Each limit is exact and has its own status."""
        line = b"GET /%b HTTP/1.1"
        short = b"a" * (8192 - len(line) + 2)
        rows = [
            (414, start(line % (short + b"a"))),
            (414, b"GET /" + b"a" * 9000),
            (431, lines(*[b"A: b"] * 100)),
            (431, lines(b"A: " + b"b" * 65_536)),
            (431, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 11_000),
            (505, start(b"GET / HTTP/2.0")),
            (505, b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n"),
            (501, start(b"CONNECT stt.test:443 HTTP/1.1")),
            (501, lines(b"Transfer-Encoding: gzip, chunked")),
            (417, lines(b"Expect: 200-ok")),
            (417, lines(b"Expect: 100-continue, more", LENGTH)),
        ]
        for status, sent in rows:
            self.assertEqual(self.refused(sent, False).status, status, sent[:60])
            self.assert_nothing_forwarded()
        padding = b"A: " + b"b" * (65_536 - len(lines(b"A: ")))
        for sent in (start(line % short), lines(*[b"A: b"] * 99), lines(padding)):
            client = self.connect()
            client.send(sent)
            upstream = self.listener.accept()
            upstream.read_head()
            upstream.send(head(b"HTTP/1.1 204 No Content", [(b"Connection", b"close")]))
            self.assertEqual(client.read_message().status, 204)
            self.assert_ends(upstream)

    def test_counted(self) -> None:
        """Refused heads are counted as such and not as requests."""
        before = self.daemon.stats()
        self.refused(bare(), False)
        after = self.daemon.stats()
        self.assertEqual(after["refused_requests"], before["refused_requests"] + 1)
        self.assertEqual(after["total_requests"], before["total_requests"] + 1)  # this request itself


class MaxBody(FaultTestCase):
    """A body may have at most a thousand bytes."""

    options = ("--max-body", "1000")

    def test_length(self) -> None:
        """A length over the limit gets 413 before any byte of the body, with and without ``Expect: 100-continue``."""
        for path in ("/v1/files", "/v1/audio/transcriptions"):
            for headers in ([], [(b"Expect", b"100-continue")]):
                client = self.connect()
                client.send(request("POST", path, (b"Content-Length", b"1001"), *headers))
                self.assertEqual(client.read_message().status, 413)
                self.assert_closed(client)
                self.assert_nothing_forwarded()

    def test_chunks(self) -> None:
        """Chunks get 413 when they exceed the limit; the upstream never sees a complete request."""
        client = self.connect()
        client.send(request("POST", "/v1/files", CHUNKED) + b"3e8\r\n" + b"a" * 1000 + b"\r\n")
        upstream = self.listener.accept()
        upstream.read_until(b"a" * 1000)
        client.send(b"1\r\nb\r\n0\r\n\r\n")
        self.assertEqual(client.read_message().status, 413)
        self.assert_closed(client)
        self.assert_ends(upstream)
        self.assert_incomplete(upstream.received, None)

    def test_at_the_limit(self) -> None:
        """A body of exactly the limit passes, in both framings."""
        body = b"a" * 1000
        for headers, sent in (((b"Content-Length", b"1000"), body), (CHUNKED, b"3e8\r\n" + body + b"\r\n0\r\n\r\n")):
            client = self.connect()
            client.send(request("POST", "/v1/files", headers) + sent)
            upstream = self.listener.accept()
            self.assertEqual(upstream.read_message().body, body)
            upstream.send(head(b"HTTP/1.1 204 No Content", [(b"Connection", b"close")]))
            self.assertEqual(client.read_message().status, 204)
            self.assert_ends(upstream)
