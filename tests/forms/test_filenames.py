"""
Tests for :mod:`sttproxy.forms.filenames`: shortening and escaping.  The tests of the part heads cover decoding.
"""

from __future__ import annotations

from urllib.parse import quote_from_bytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.forms.filenames import read, shortened

from .rewriting import BOUNDARY, by_multipart, form, rewrite, rules_for


class ShortenedTests(SynchronousTestCase):
    """Tests for `shortened`."""

    def test_table(self) -> None:
        """The stem becomes shorter, without cutting a character or an escape in two; the extension stays."""
        for name, excess, output in (
            (b"recording.wav", 1, b"recordin.wav"),
            (b"recording.wav", 8, b"r.wav"),
            (b"recording.wav", 9, None),
            (b"recording", 4, b"recor"),
            (b".wav", 1, None),
            ("录音.m4a".encode(), 1, "录.m4a".encode()),
            ("录音.m4a".encode(), 3, "录.m4a".encode()),
            (b"a%22b%22c.wav", 2, b"a%22b.wav"),
            (b"a%22b%22c.wav", 3, b"a%22b.wav"),
            (b"a.b.c.wav", 2, b"a.b.wav"),
        ):
            self.assertEqual(shortened(name, excess), output, (name, excess))

    @given(st.binary(max_size=40), st.integers(1, 20))
    def test_any(self, name: bytes, excess: int) -> None:
        """The result is short enough, or None."""
        output = shortened(name, excess)
        assert output is None or len(output) <= len(name) - excess


class WrittenTests(SynchronousTestCase):
    """Tests for names as they are written."""

    @given(st.binary(max_size=60))
    def test_harmless(self, name: bytes) -> None:
        """For any input, the written name cannot end the value, the header or the parameter."""
        for written in (read(name, None), read(None, b"iso-8859-1''" + quote_from_bytes(name).encode())):
            assert written is not None
            self.assertNotRegex(written, rb'[\x00-\x1f\x7f"]|\\$|=\?|;\s*name\s*\*?=')

    def test_fits(self) -> None:
        """If escapes make a name longer, its stem becomes shorter, and the form keeps its promised length."""
        head = b'Content-Disposition: form-data; name="file"; filename="%b.wav"\r\n\r\nRIFF'
        for name in (b"a long name\tof a recording", b"\t" * 40, b"x" * 60 + b"; name=; name=; name="):
            for boundary in (BOUNDARY, b"b"):
                body = form(head % name, boundary=boundary)
                output = rewrite(rules_for(), boundary, [body], True)
                self.assertEqual(len(output.body), output.length)
                (item,) = by_multipart(output)
                self.assertEqual((item.name, item.value), ("file", b"RIFF"))
                assert item.filename is not None
                self.assertTrue(item.filename.endswith(b".wav"), item.filename)
