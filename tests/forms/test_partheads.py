"""
Tests for :mod:`sttproxy.forms.partheads`.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from multipart import parse_options_header
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import MalformedForm
from sttproxy.forms.partheads import MAX_FIELDS, PartHead, parse

from .heads import ACCEPTED, FORM, REFUSED
from .strategies import TypedPart, typed_parts


def lines(head: PartHead, tight: bool) -> bytes:
    """The written head, from its first line on."""
    written = head.tight if tight else head.usual
    assert written.startswith(b"\r\n"), written
    return written[2:]


class ParseTests(SynchronousTestCase):
    """Tests for parsing."""

    def test_accepted(self) -> None:
        """All accepted spellings of a head have the same meaning."""
        for said, heads in ACCEPTED:
            for head in heads:
                self.assertEqual(parse(head), PartHead(*said), head)

    def test_most_fields(self) -> None:
        """A head with `MAX_FIELDS` header fields is accepted."""
        self.assertEqual(parse(FORM + b"name=a" + b"".join(b"\r\nX%d: y" % n for n in range(MAX_FIELDS - 1))).name, "a")

    def test_refused(self) -> None:
        """A head that parsers read differently is refused, with a specific reason."""
        for reason, heads in REFUSED.items():
            for head in heads:
                try:
                    accepted = parse(head)
                except MalformedForm as error:
                    self.assertIn(reason, error.message, head)
                else:
                    self.fail(f"accepted {head!r}: {accepted}")

    def test_linear(self) -> None:
        """Parsing takes linear time, even for the longest heads that are made to cause backtracking."""
        for filler in (
            b"; " * 2000,
            b'; a="' + b"\\" * 3999,
            b"; a=" + b"a" * 4000,
            b' ;"' * 1300,
            b"\t" * 4000 + b"x",
        ):
            self.assertRaises(MalformedForm, parse, b"Content-Disposition: form-data" + filler)


class WriteTests(SynchronousTestCase):
    """Tests for writing."""

    def test_written(self) -> None:
        """Heads are written as browsers and curl write them, or the same without optional white space."""
        for head, loose, tight in (
            (
                PartHead("a", None, None),
                b'Content-Disposition: form-data; name="a"\r\n\r\n',
                b'Content-Disposition:form-data;name="a"\r\n\r\n',
            ),
            (
                PartHead("会", b"a b", b"a/b"),
                'Content-Disposition: form-data; name="会"; filename="a b"\r\nContent-Type: a/b\r\n\r\n'.encode(),
                'Content-Disposition:form-data;name="会";filename="a b"\r\nContent-Type:a/b\r\n\r\n'.encode(),
            ),
            (
                PartHead("", b"", None),
                b'Content-Disposition: form-data; name=""; filename=""\r\n\r\n',
                b'Content-Disposition:form-data;name="";filename=""\r\n\r\n',
            ),
            (
                PartHead("a", None, b""),
                b'Content-Disposition: form-data; name="a"\r\nContent-Type: \r\n\r\n',
                b'Content-Disposition:form-data;name="a"\r\nContent-Type:\r\n\r\n',
            ),
        ):
            self.assertEqual((lines(head, False), lines(head, True)), (loose, tight), head)

    def test_read_back(self) -> None:
        """Every accepted head, written in either spelling, is parsed to the same head again."""
        for _, heads in ACCEPTED:
            for head in heads:
                said = parse(head)
                for tight in (False, True):
                    self.assertEqual(parse(lines(said, tight)[: -len(b"\r\n\r\n")]), said, head)

    @given(typed_parts())
    def test_any(self, part: TypedPart) -> None:
        """All spellings of a head are parsed to the same head, and so are both ways of writing it."""
        said = parse(part.head)
        self.assertEqual(said, PartHead(part.name, part.filename, part.content_type))
        for tight in (False, True):
            written = lines(said, tight)
            self.assertTrue(written.endswith(b"\r\n\r\n"))
            self.assertEqual(written.count(b"\r\n"), 2 + (part.content_type is not None))
            self.assertEqual(parse(written[:-4]), said)

    @given(typed_parts(), st.booleans())
    def test_oracle(self, part: TypedPart, tight: bool) -> None:
        """The multipart package reads the same field name as `parse`."""
        line = (
            lines(parse(part.head), tight).partition(b"\r\n")[0].partition(b":")[2].decode("utf-8", "surrogateescape")
        )
        kind, options = parse_options_header(line.strip())
        self.assertEqual((kind, options["name"]), ("form-data", part.name))
        self.assertEqual("filename" in options, part.filename is not None)
