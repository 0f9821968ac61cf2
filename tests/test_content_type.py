"""
Tests for the parsing of Content-Type in :mod:`sttproxy.headers`.
"""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import UnsupportedBody
from sttproxy.headers import boundary_of, parse_content_type

TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12).map(str.encode)


class ContentTypeTests(SynchronousTestCase):
    """Media types and parameters."""

    FORM = b"multipart/form-data"

    def test_read(self) -> None:
        """Each valid spelling is parsed to its media type and parameters."""
        for value, media, parameters in (
            (b"text/plain", b"text/plain", {}),
            (b"Text/PLAIN", b"text/plain", {}),
            (b"text/plain;", b"text/plain", {}),
            (b"text/plain; ;\t; ", b"text/plain", {}),
            (b"application/vnd.a+json", b"application/vnd.a+json", {}),
            (self.FORM + b"; boundary=x", self.FORM, {b"boundary": b"x"}),
            (self.FORM + b";boundary=x", self.FORM, {b"boundary": b"x"}),
            (self.FORM + b" \t;\t boundary=x \t", self.FORM, {b"boundary": b"x"}),
            (self.FORM + b"; BOUNDARY=X", self.FORM, {b"boundary": b"X"}),
            (self.FORM + b'; boundary="x"', self.FORM, {b"boundary": b"x"}),
            (self.FORM + b'; boundary="a b:c,d;e"', self.FORM, {b"boundary": b"a b:c,d;e"}),
            (self.FORM + rb'; boundary="a\"b\\\c"', self.FORM, {b"boundary": rb'a"b\c'}),
            (self.FORM + b'; boundary=""', self.FORM, {b"boundary": b""}),
            (self.FORM + b"; boundary=a=b/c:d?e", self.FORM, {b"boundary": b"a=b/c:d?e"}),
            (
                self.FORM + b"; charset=utf-8; boundary=x; ",
                self.FORM,
                {b"charset": b"utf-8", b"boundary": b"x"},
            ),
            (self.FORM + b'; a="\xc3\xa9"', self.FORM, {b"a": b"\xc3\xa9"}),
        ):
            self.assertEqual(parse_content_type(value), (media, parameters), value)

    def test_refused(self) -> None:
        """A value that receivers could read differently is rejected; the message shows it."""
        for value in (
            b"",
            b"multipart",
            b"multipart/",
            b"/form-data",
            b" multipart/form-data",
            b"multipart /form-data",
            b"multipart/form-data boundary=x",
            b"multipart/form-data, text/plain",
            b"multipart/form-data; boundary=x, text/plain",
            b"multipart/form-data; boundary",
            b"multipart/form-data; boundary=",
            b"multipart/form-data; =x",
            b"multipart/form-data; boundary =x",
            b"multipart/form-data; boundary= x",
            b"multipart/form-data; boundary=a b",
            b'multipart/form-data; boundary="x',
            b'multipart/form-data; boundary=x"',
            b'multipart/form-data; boundary="x"y',
            b'multipart/form-data; boundary="x" y',
            b'multipart/form-data; boundary="x\\"',
            b'multipart/form-data; boundary="x\ny"',
            b'multipart/form-data; boundary="x\x00y"',
            b"multipart/form-data; boundary=x\x00",
            b"multipart/form-data; boundary=\xff",
            b"multipart/form-data; boundary=a\\b",
            b"multipart/form-data\n; boundary=x",
        ):
            error = self.assertRaises(UnsupportedBody, parse_content_type, value)
            self.assertIn(repr(value.decode("utf-8", "backslashreplace")), error.message)

    def test_repeated(self) -> None:
        """A repeated parameter is rejected, in any spelling of its name."""
        for value in (b"a/b; x=1; x=1", b"a/b; x=1; X=2", b'a/b; boundary=x; y=1; boundary="x"'):
            error = self.assertRaises(UnsupportedBody, parse_content_type, value)
            self.assertIn("more than one parameter", error.message)

    def test_bounded_message(self) -> None:
        """The message shows a limited part of a rejected value, and escapes line breaks."""
        for value in (b"\xff" * 9000, b"x" * 9000, b"a/b; " + b"\n" * 9000, "会".encode() * 9000):
            error = self.assertRaises(UnsupportedBody, parse_content_type, value)
            self.assertTrue(len(error.message) < 600, len(error.message))
            self.assertNotIn("\n", error.message)

    @given(TOKENS, TOKENS, st.dictionaries(TOKENS.map(bytes.lower), st.text(st.characters(codec="ascii"), max_size=9)))
    def test_written(self, kind: bytes, subtype: bytes, parameters: dict[bytes, str]) -> None:
        """Random media types and parameters, quoted as in RFC 9110 §5.6.4, are parsed correctly."""
        printable = {name: re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", "", text) for name, text in parameters.items()}
        value = kind + b"/" + subtype
        for name, text in printable.items():
            value += b'; %b="%b"' % (name, re.sub(r'(["\\])', r"\\\1", text).encode())
        expected = {name: text.encode() for name, text in printable.items()}
        self.assertEqual(parse_content_type(value), ((kind + b"/" + subtype).lower(), expected))

    @given(st.binary(max_size=60) | st.text(' \t;="\\ab/', max_size=30).map(str.encode))
    def test_any_bytes(self, value: bytes) -> None:
        """Random bytes are either parsed or rejected."""
        try:
            media, _ = parse_content_type(value)
        except UnsupportedBody:
            return
        self.assertTrue(value.lower().startswith(media))

    def test_linear(self) -> None:
        """A long malformed value takes one pass."""
        for filler in (b'; a="' + b"\\" * 60000, b"; " * 30000 + b"=", b'; a="' + b"x" * 60000, b" " * 60000 + b"x"):
            self.assertRaises(UnsupportedBody, parse_content_type, b"a/b" + filler)


class BoundaryTests(SynchronousTestCase):
    """The boundaries that a form may have."""

    def test_allowed(self) -> None:
        """Boundaries that RFC 2046 §5.1.1 allows, and others that clients use."""
        for boundary in (
            b"x",
            b"x" * 70,
            b"a b",
            b" b",
            b"'()+_,-./:=?",
            b"----WebKitFormBoundary7MA4YWxkTrZu0gW",
            b"------------------------d74496d66958873e",
            b"--",
            b"==_=_",
            b"*****",
            b"{8f2c}",
            b'a"b\\',
            b"a;b",
            b"#<a@b>[c]",
            b"!%&'^`|~$",
        ):
            self.assertEqual(boundary_of({b"boundary": boundary}), boundary)

    def test_refused(self) -> None:
        """Other boundaries are rejected; the message says what is allowed."""
        for boundary in (
            b"",
            b"x" * 71,
            b"a ",
            b" ",
            b"a\tb",
            b"a\r\nb",
            b"a\n",
            b"\xc3\xa9",
            b"\x00",
        ):
            error = self.assertRaises(UnsupportedBody, boundary_of, {b"boundary": boundary})
            self.assertIn("1 to 70 printable", error.message)

    def test_missing(self) -> None:
        """A form without a boundary is rejected; the message names the parameter."""
        error = self.assertRaises(UnsupportedBody, boundary_of, {b"charset": b"utf-8"})
        self.assertIn("boundary", error.message)
