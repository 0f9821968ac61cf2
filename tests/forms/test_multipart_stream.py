"""
Tests for :mod:`sttproxy.forms.multipart`: streaming, and what independent readers find in the result.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.forms.evaluation import Evaluation
from sttproxy.forms.multipart import MIN_BOUNDARY, MultipartRewriter

from .cases import DELIMITER, PASSING, RULED, VALUES, WAV, A
from .rewriting import (
    BOUNDARY,
    NOTHING,
    Item,
    as_starlette,
    by_email,
    by_multipart,
    by_starlette,
    form,
    items_of,
    rewrite,
    rules_for,
    upload,
)


class StreamTests(SynchronousTestCase):
    """Tests for streaming."""

    def test_prompt(self) -> None:
        """At most a delimiter's length of a file is buffered; bytes that cannot begin a delimiter are sent at once."""
        rewriter = MultipartRewriter(Evaluation(NOTHING), BOUNDARY, None)
        rewriter.feed(form(upload("file", b"a", b"a/b", b""), end=b"").removesuffix(DELIMITER + b"--"))
        fed = output = 0
        for piece in (b"abc", b"\r", b"x", DELIMITER[:-1], b"y", b"\r\r\r", b"\r\n", b"--", b"z", DELIMITER[:9] * 20):
            fed += len(piece)
            output += sum(map(len, rewriter.feed(piece)))
            self.assertTrue(fed - output < len(DELIMITER), (piece, fed, output))
            if piece in (b"abc", b"x", b"y", b"z"):
                self.assertEqual(output, fed, piece)

    def test_uncopied(self) -> None:
        """A piece of a file is sent on as the same object, without a copy."""
        rewriter = MultipartRewriter(Evaluation(NOTHING), BOUNDARY, None)
        rewriter.feed(form(upload("file", b"a", b"a/b", b""), end=b"").removesuffix(DELIMITER + b"--"))
        for data in (b"x" * 65536, b"\n--" * 1000, b"\r\r" + b"y" * 100):
            output = rewriter.feed(data)
            self.assertTrue(len(output) == 1 and output[0] is data)

    def test_forced_at_once(self) -> None:
        """Forced fields are sent after the first boundary has come, before any part has."""
        rewriter = MultipartRewriter(Evaluation(rules_for(prompt="x")), BOUNDARY, None)
        self.assertEqual(b"".join(rewriter.feed(b"--" + BOUNDARY[:-1])), b"")
        self.assertIn(b'name="prompt"\r\n\r\nx\r\n', b"".join(rewriter.feed(BOUNDARY[-1:])))

    def test_hostile_data(self) -> None:
        """Megabytes of almost-delimiters take about as long as other bytes."""
        for unit in (b"\r", b"\r\n--", DELIMITER[:-1], DELIMITER[2:], b"\r\n" * 3 + b"-"):
            part = upload("file", b"a", b"a/b", unit * (1_000_000 // len(unit)))
            body = form(part)
            pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
            self.assertEqual(len(rewrite(NOTHING, BOUNDARY, pieces, True).body), len(body), unit)


class BoundaryTests(SynchronousTestCase):
    """Tests for the boundary that the proxy chooses."""

    def test_content_type(self) -> None:
        """The new Content-Type has only a boundary parameter, and no charset that parsers could decode names with."""
        for boundary in (BOUNDARY, b"x", b"a b", b"'()+_,-./:=?", b"y" * 70):
            output = rewrite(NOTHING, boundary, [form(A, boundary=boundary)], True)
            self.assertEqual(output.content_type, b"multipart/form-data; boundary=" + output.boundary)
            self.assertTrue(output.boundary.replace(b"-", b"").replace(b"_", b"").isalnum(), output.boundary)
            self.assertEqual(len(output.boundary), max(len(boundary), MIN_BOUNDARY))

    def test_unpredictable(self) -> None:
        """Two forms have different boundaries."""
        seen = {rewrite(NOTHING, b"x", [form(boundary=b"x")], False).boundary for _ in range(100)}
        self.assertEqual(len(seen), 100)

    def test_values_do_not_break_it(self) -> None:
        """A configured value with delimiters, quotes and line breaks does not end its part early."""
        for value in (*VALUES[:-1], b'"; filename="x', b'\r\nContent-Disposition: form-data; name="file"\r\n\r\n'):
            output = rewrite(rules_for(prompt=value.decode()), BOUNDARY, [form(A, WAV)], True)
            expected = [
                Item("prompt", None, None, value),
                Item("a", None, None, b"1"),
                Item("file", b"a.wav", b"audio/wav", b"RIFF\x00\xff\r\n"),
            ]
            self.assertEqual(by_multipart(output), expected, value)
            self.assertEqual(by_starlette(output), expected, value)


class ReaderTests(SynchronousTestCase):
    """Independent readers find the expected fields."""

    def test_readers(self) -> None:
        """Three parsers read the forced and the kept parts from the result of each case."""
        for name, case in {**PASSING, **RULED}.items():
            expected = items_of(*case.forced, *case.kept)
            for counted in (True, False):
                output = rewrite(rules_for(**case.fields), BOUNDARY, [case.body], counted)
                self.assertEqual(by_multipart(output), expected, name)
                self.assertEqual(by_starlette(output), as_starlette(expected), name)
                if expected:
                    names = [(item.name, item.filename) for item in expected]
                    self.assertEqual([(item.name, item.filename) for item in by_email(output)], names, name)

    def test_strict(self) -> None:
        """A result without padding is accepted by a strict reader too."""
        for name in ("one field", "one file", "file first", "repeated fields", "no final line break", "no parts"):
            output = rewrite(NOTHING, BOUNDARY, [PASSING[name].body], True)
            self.assertEqual(len(by_multipart(output, strict=True)), len(PASSING[name].kept), name)
