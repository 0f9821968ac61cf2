"""
Tests for request heads that :mod:`sttproxy.http1.requests` rejects, because HTTP implementations could read them
differently.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import (
    BadRequest,
    ExpectationFailed,
    HeadTooLarge,
    NotImplementedHere,
    TargetTooLong,
    VersionNotSupported,
)
from sttproxy.http1.heads import MAX_FIELDS, parse_fields
from sttproxy.http1.requests import MAX_REQUEST_LINE, parse_request

from .reading import HOST

#: Request lines that get 400.
REQUEST_LINES = {
    "nothing": b"",
    "a space": b" ",
    "no version (HTTP/0.9)": b"GET /",
    "no version, a space": b"GET / ",
    "no target": b"GET HTTP/1.1",
    "an empty target": b"GET  HTTP/1.1",
    "two spaces after the method": b"GET  / HTTP/1.1",
    "two spaces after the target": b"GET /  HTTP/1.1",
    "a space at the beginning": b" GET / HTTP/1.1",
    "a space at the end": b"GET / HTTP/1.1 ",
    "a tab instead of a space": b"GET\t/ HTTP/1.1",
    "a tab after the target": b"GET /\tHTTP/1.1",
    "a space in the target": b"GET /a b HTTP/1.1",
    "two requests in one line": b"GET / HTTP/1.1 GET / HTTP/1.1",
    "a line feed at the beginning": b"\nGET / HTTP/1.1",
    "a carriage return at the beginning": b"\rGET / HTTP/1.1",
    "a line feed in the target": b"GET /a\nb HTTP/1.1",
    "a bare line feed at the end": b"GET / HTTP/1.1\nHost: x",
    "a bare carriage return at the end": b"GET / HTTP/1.1\r",
    "a NUL in the target": b"GET /\x00 HTTP/1.1",
    "a DEL in the target": b"GET /\x7f HTTP/1.1",
    "a form feed instead of a space": b"GET\x0c/ HTTP/1.1",
    "a no-break space": b"GET\xa0/ HTTP/1.1",
    "an at sign in the method": b"G@T / HTTP/1.1",
    "a colon in the method": b"GET: / HTTP/1.1",
    "a NUL in the method": b"GE\x00T / HTTP/1.1",
    "HTTP/1.10": b"GET / HTTP/1.10",
    "HTTP/1": b"GET / HTTP/1",
    "HTTP/1.": b"GET / HTTP/1.",
    "HTTP/01.1": b"GET / HTTP/01.1",
    "HTTP/1,1": b"GET / HTTP/1,1",
    "a lower-case protocol": b"GET / http/1.1",
    "another protocol": b"GET / RTSP/1.0",
    "TLS": b"\x16\x03\x01\x02\x00\x01",
    "an asterisk with GET": b"GET * HTTP/1.1",
    "an asterisk and more": b"OPTIONS *x HTTP/1.1",
    "a relative target": b"GET a/b HTTP/1.1",
    "a fragment": b"GET /a#b HTTP/1.1",
    "an empty fragment": b"GET /a# HTTP/1.1",
    "a fragment in a query": b"GET /a?b#c HTTP/1.1",
    "a fragment in an absolute target": b"GET http://h/a#b HTTP/1.1",
    "a fragment after an authority": b"GET http://h#b HTTP/1.1",
    "a fragment after an asterisk": b"OPTIONS *# HTTP/1.1",
    "a byte that is no character": b"GET /\xff HTTP/1.1",
    "half a character": b"GET /\xe4\xbc HTTP/1.1",
    "Latin-1": b"GET /caf\xe9?a HTTP/1.1",
    "an overlong character": b"GET /\xc1\xa1 HTTP/1.1",
    "half of a surrogate pair": b"GET /\xed\xa0\x80 HTTP/1.1",
    "a query alone": b"GET ?a HTTP/1.1",
    "an authority with GET": b"GET h:80 HTTP/1.1",
    "another scheme": b"GET ftp://h/ HTTP/1.1",
    "a scheme without slashes": b"GET http:/a HTTP/1.1",
    "no authority": b"GET http:///a HTTP/1.1",
    "no authority at all": b"GET http:// HTTP/1.1",
    "an authority with only a port": b"GET http://:80/ HTTP/1.1",
    "user information": b"GET http://user@h/ HTTP/1.1",
    "user information and a password": b"GET http://u:p@h/ HTTP/1.1",
    "an authority with a backslash": b"GET http://h\\@x/ HTTP/1.1",
    "an authority with a bad port": b"GET http://h:8x/ HTTP/1.1",
    "an open bracket in the authority": b"GET http://[::1/ HTTP/1.1",
}

#: Request lines that get 505.
VERSIONS = {
    "HTTP/2.0": b"GET / HTTP/2.0",
    "the preface of HTTP/2": b"PRI * HTTP/2.0",
    "HTTP/3.0": b"GET /a#b HTTP/3.0",
    "HTTP/1.2": b"GET / HTTP/1.2",
    "HTTP/0.9": b"GET / HTTP/0.9",
}

#: Field lines that get 400, together with a valid Host.
FIELD_LINES = {
    "a space before the colon": b"A : b\r\n",
    "a tab before the colon": b"A\t: b\r\n",
    "a space before the colon of a length": b"Content-Length : 5\r\n",
    "a space before the colon of a coding": b"Transfer-Encoding : chunked\r\n",
    "a space in a name": b"A B: c\r\n",
    "no name": b": b\r\n",
    "no colon": b"A\r\n",
    "no colon, two words": b"A b\r\n",
    "an at sign in a name": b"A@: b\r\n",
    "parentheses in a name": b"(A): b\r\n",
    "quotes in a name": b'"A": b\r\n',
    "a slash in a name": b"A/B: c\r\n",
    "a NUL in a name": b"A\x00: b\r\n",
    "a byte beyond ASCII in a name": b"\xc3\x89: b\r\n",
    "a soft hyphen in a name": b"Content\xadLength: 5\r\n",
    "a NUL in a value": b"A: b\x00c\r\n",
    "a vertical tab in a value": b"A: b\x0bc\r\n",
    "a form feed in a value": b"A: b\x0cc\r\n",
    "an escape in a value": b"A: \x1b[31m\r\n",
    "a DEL in a value": b"A: b\x7f\r\n",
    "a bare carriage return in a value": b"A: b\rc\r\n",
    "a bare carriage return before a coding": b"A: b\rTransfer-Encoding: chunked\r\n",
    "a bare carriage return at the end": b"A: b\r\r\n",
    "a bare line feed": b"A: b\nB: c\r\n",
    "a bare line feed before a coding": b"A: b\nTransfer-Encoding: chunked\r\n",
    "a line of a bare line feed": b"A: b\r\n\nB: c\r\n",
    "a line of a bare carriage return": b"A: b\r\n\rB: c\r\n",
    "an obsolete fold": b"A: b\r\n c\r\n",
    "an obsolete fold by a tab": b"A: b\r\n\tc\r\n",
    "an empty fold": b"A: b\r\n \r\n",
    "a folded coding": b"Transfer-Encoding:\r\n chunked\r\n",
    "a line that begins with a space": b" A: b\r\nB: c\r\n",
    "two equal lengths": b"Content-Length: 5\r\nContent-Length: 5\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n",
    "two spellings of length": b"Content-Length: 5\r\ncontent-length: 5\r\n",
    "two lengths in a line": b"Content-Length: 5, 5\r\n",
    "two lengths apart": b"Content-Length: 5\r\nA: b\r\nContent-Length: 5\r\n",
    "two lengths in an upgrade": b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
    "an empty length": b"Content-Length:\r\n",
    "a length of spaces": b"Content-Length:   \r\n",
    "a length with a sign": b"Content-Length: +5\r\n",
    "a negative length": b"Content-Length: -5\r\n",
    "a hexadecimal length": b"Content-Length: 0x5\r\n",
    "a length with an underscore": b"Content-Length: 1_0\r\n",
    "a length with a point": b"Content-Length: 5.0\r\n",
    "a length with an exponent": b"Content-Length: 1e1\r\n",
    "a length with a space inside": b"Content-Length: 1 0\r\n",
    "a length in quotes": b'Content-Length: "5"\r\n',
    "a length in other digits": b"Content-Length: \xd9\xa5\r\n",
    "a length of 19 digits": b"Content-Length: 1000000000000000000\r\n",
    "a length of 19 digits, most of them zeros": b"Content-Length: 0000000000000000005\r\n",
    "a length past 64 bits": b"Content-Length: 18446744073709551621\r\n",
    "a length and a coding": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "a coding and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "a coding and no bytes": b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    "a length and identity": b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n",
    "a length with an underscore in its name": b"Content_Length: 5\r\n",
    "a coding with an underscore in its name": b"transfer_ENCODING: chunked\r\n",
    "an underscored coding beside a length": b"Content-Length: 5\r\nTransfer_Encoding: chunked\r\n",
    "a second Host": b"Host: h\r\n",
    "another Host": b"host: other\r\n",
    "an empty second Host": b"HOST:\r\n",
}

#: Transfer codings that get 400 as malformed, or 501 as unsupported.
CODINGS = {
    "identity": b"Transfer-Encoding: identity\r\n",
    "an empty coding": b"Transfer-Encoding:\r\n",
    "a coding in quotes": b'Transfer-Encoding: "chunked"\r\n',
    "a coding with a parameter": b"Transfer-Encoding: chunked;q=1\r\n",
    "a coding after a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "a coding before a NUL": b"Transfer-Encoding: chunked\x00\r\n",
    "a coding with a prefix": b"Transfer-Encoding: xchunked\r\n",
    "a coding with a suffix": b"Transfer-Encoding: chunkedx\r\n",
    "an abbreviated coding": b"Transfer-Encoding: chunk\r\n",
    "chunked and then another": b"Transfer-Encoding: chunked, gzip\r\n",
    "chunked and then identity": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "chunked twice in two lines": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "chunked and an empty line": b"Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
    "chunked and a comma": b"Transfer-Encoding: chunked,\r\n",
}

#: Values of Host that get 400.
HOSTS = (
    b"a b",
    b"a/b",
    b"a?b",
    b"a#b",
    b"a@b",
    b"user@h",
    b"a\\b",
    b'a"b',
    b"a<b>",
    b"a\tb",
    b"http://a",
    b"a:b",
    b"a:80:80",
    b"a:-1",
    b"a:+80",
    b"a:999999",
    b"a: 80",
    b"[::1",
    b"::1]",
    b"::1",
    b"[]",
    b"[::1]x",
    b"x[::1]",
    b"[::1]:x",
    b"[::1/]",
    b"\xc3\xa9",
    b"{h}",
    b"a|b",
    b"a^b",
)


class RejectedTests(SynchronousTestCase):
    """Malformed and ambiguous heads, which get 400."""

    def assert_rejected(self, head: bytes, row: object, *statuses: int) -> None:
        """Assert that a head gets 400, or one of the given statuses, and a message."""
        try:
            accepted = parse_request(head)
        except BadRequest as error:
            self.assertIn(error.status, statuses or (400,), (row, error.message))
            self.assertTrue(error.message.endswith("."), error.message)
        else:
            self.fail(f"accepted {row!r}: {accepted}")

    def test_request_lines(self) -> None:
        """A malformed request line, or one with a target that is not for a reverse proxy, is rejected."""
        for row, line in REQUEST_LINES.items():
            self.assert_rejected(line + b"\r\n" + HOST + b"\r\n", row)

    def test_versions(self) -> None:
        """Another version of HTTP gets 505; the message names the supported versions."""
        for row, line in VERSIONS.items():
            error = self.assertRaises(VersionNotSupported, parse_request, line + b"\r\n" + HOST + b"\r\n")
            self.assertIn("supports HTTP/1.1 and HTTP/1.0", error.message, row)

    def test_words(self) -> None:
        """The message says how to correct the target."""
        for target, words in ((b"/a#b", "write %23"), (b"/\xff", "percent-encode them")):
            error = self.assertRaises(BadRequest, parse_request, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            self.assertIn(words, error.message)

    def test_field_lines(self) -> None:
        """A field line that servers could read differently is rejected at every position in the head."""
        for row, lines in FIELD_LINES.items():
            for fields in (HOST + lines, HOST + lines + b"Z: 1\r\n", HOST + b"Y: 1\r\n" + lines):
                self.assert_rejected(b"POST / HTTP/1.1\r\n" + fields + b"\r\n", row)
        for row, lines in FIELD_LINES.items():
            self.assert_rejected(b"POST / HTTP/1.1\r\n" + lines + HOST + b"\r\n", f"{row}, first")

    def test_codings(self) -> None:
        """A transfer coding other than a single chunked is rejected at every position in the head."""
        for row, lines in CODINGS.items():
            for fields in (HOST + lines, lines + HOST, HOST + lines + b"Z: 1\r\n"):
                self.assert_rejected(b"POST / HTTP/1.1\r\n" + fields + b"\r\n", row, 400, 501)

    def test_hosts(self) -> None:
        """A Host that is not a name or an address with an optional port is rejected."""
        for host in HOSTS:
            self.assert_rejected(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", host)

    def test_no_host(self) -> None:
        """An HTTP/1.1 request without Host is rejected, also if its target is absolute (RFC 9112 §3.2)."""
        for target in (b"/", b"http://h/"):
            self.assert_rejected(b"GET " + target + b" HTTP/1.1\r\nA: b\r\n\r\n", target)
        self.assert_rejected(b"OPTIONS * HTTP/1.1\r\n\r\n", "*")

    def test_two_hosts(self) -> None:
        """An HTTP/1.0 request with two Host fields is rejected."""
        self.assert_rejected(b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "two hosts")

    def test_coding_in_old_version(self) -> None:
        """A transfer coding in an HTTP/1.0 request is rejected."""
        for lines in (b"", HOST, b"Connection: keep-alive\r\n"):
            self.assert_rejected(b"POST / HTTP/1.0\r\n" + lines + b"Transfer-Encoding: chunked\r\n\r\n", lines)


class UnsupportedTests(SynchronousTestCase):
    """Valid requests for unsupported features."""

    def test_connect(self) -> None:
        """CONNECT gets 501 with every target: a successful response to it is framed differently."""
        for target in (b"h:443", b"/", b"/v1/models", b"http://h/", b"*"):
            head = b"CONNECT " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n"
            error = self.assertRaises(NotImplementedHere, parse_request, head)
            self.assertEqual(error.status, 501, target)

    def test_codings(self) -> None:
        """Another coding before chunked gets 501."""
        for coding in (b"gzip, chunked", b"gzip,\tchunked", b", chunked", b"gzip\r\nTransfer-Encoding: chunked"):
            head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: " + coding + b"\r\n\r\n"
            self.assertRaises(NotImplementedHere, parse_request, head)

    def test_expectations(self) -> None:
        """An expectation other than 100-continue gets 417."""
        for lines in (
            b"Expect: tea\r\n",
            b"Expect: 100-continue, tea\r\n",
            b"Expect: 100-continue\r\nExpect: tea\r\n",
            b"Expect: 100-continue;q=1\r\n",
            b"Expect: 100\r\n",
        ):
            head = b"POST / HTTP/1.1\r\n" + HOST + lines + b"\r\n"
            self.assertEqual(self.assertRaises(ExpectationFailed, parse_request, head).status, 417, lines)


class LimitTests(SynchronousTestCase):
    """Heads that exceed the limits."""

    def test_request_line(self) -> None:
        """A request line longer than the limit gets 414."""
        target = b"/".ljust(MAX_REQUEST_LINE + 1 - len(b"GET  HTTP/1.1"), b"a")
        error = self.assertRaises(TargetTooLong, parse_request, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        self.assertEqual(error.status, 414)

    def test_fields(self) -> None:
        """One field more than the limit gets 431; the same limit applies to a trailer section."""
        lines = b"A: b\r\n" * MAX_FIELDS
        head = b"GET / HTTP/1.1\r\n" + HOST + lines + b"\r\n"
        self.assertEqual(self.assertRaises(HeadTooLarge, parse_request, head).status, 431)
        self.assertRaises(HeadTooLarge, parse_fields, b"\r\n" + HOST + lines + b"\r\n")
