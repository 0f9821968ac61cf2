"""
Tests for :mod:`sttproxy.forms.multipart`: the length that is promised before the first byte, and met exactly.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import MalformedForm
from sttproxy.forms.boundary import MIN_BOUNDARY
from sttproxy.forms.evaluation import Evaluation
from sttproxy.forms.multipart import MAX_PARTS, MultipartRewriter

from .rewriting import (
    BOUNDARY,
    NOTHING,
    Item,
    by_multipart,
    by_starlette,
    bytewise,
    field,
    form,
    rewrite,
    rules_for,
    upload,
)

#: The shortest possible head of a part.
LEAST = b"Content-Disposition:form-data;name="


def least(count: int) -> list[bytes]:
    """This number of the shortest possible parts."""
    return [LEAST + b"abcdefghij"[number % 10 : number % 10 + 1] + b"\r\n\r\n" for number in range(count)]


class PromiseTests(SynchronousTestCase):
    """Tests for the length that is promised before the first byte."""

    def test_promised(self) -> None:
        """The promised length is the original length plus the forced fields."""
        for fields, forced in (({}, 0), ({"a": None}, 0), ({"a": "x" * 999, "g": [1, 2]}, 3)):
            parts = sum(map(len, ("x" * 999, "1", "2"))) if forced else 0
            each = len(b"--" + BOUNDARY + b"\r\n" + field("", b"") + b"\r\n")
            names = len("a" + "g[]" * 2) if forced else 0
            rewriter = MultipartRewriter(Evaluation(rules_for(**fields)), BOUNDARY, 12345)
            self.assertEqual(rewriter.length, 12345 + forced * each + parts + names)

    def test_unknown(self) -> None:
        """A form without a length is sent without a length and without padding."""
        output = rewrite(rules_for(a="x"), BOUNDARY, [form(field("a", b"y" * 999))], False)
        self.assertIsNone(output.length)
        self.assertTrue(output.body.endswith(b"--\r\n"))

    def test_short_boundary(self) -> None:
        """If the client's boundary is shorter than `MIN_BOUNDARY`, the promise includes room for all possible parts."""
        for size in (1, MIN_BOUNDARY - 1, MIN_BOUNDARY, MIN_BOUNDARY + 1, 70):
            for length in (0, 5, 1000, 10**9):
                rewriter = MultipartRewriter(Evaluation(NOTHING), b"x" * size, length)
                assert rewriter.length is not None
                more = rewriter.length - length
                if size >= MIN_BOUNDARY:
                    self.assertEqual(more, 0)
                else:
                    self.assertTrue(0 < more <= MIN_BOUNDARY * (MAX_PARTS + 1), (size, length, more))


class EarlyTests(SynchronousTestCase):
    """The rewritten form is complete only when the original is."""

    def test_bytewise(self) -> None:
        """Byte by byte, something of the promised length is missing until the last byte has come."""
        for tail in (b"", b"\r\n", b"\r\n\r\n", b"\n", b" " * 5):
            for fields in ({}, {"a": None}, {"a": "x"}, {"$default": {"z": "1"}}):
                body = form(field("a", b"1"), field("file", b"RIFF")).removesuffix(b"\r\n") + tail
                rewriter = MultipartRewriter(Evaluation(rules_for(**fields)), BOUNDARY, len(body))
                assert rewriter.length is not None
                sent = 0
                for at in range(len(body) - 1):
                    sent += sum(map(len, rewriter.feed(body[at : at + 1])))
                    self.assertLess(sent, rewriter.length, (tail, fields, at))
                sent += sum(map(len, [*rewriter.feed(body[-1:]), *rewriter.finish()]))
                self.assertEqual(sent, rewriter.length, (tail, fields))


class KeptTests(SynchronousTestCase):
    """The promise is met to the byte."""

    def kept(self, body: bytes, boundary: bytes = BOUNDARY, **fields: object) -> list[bytes]:
        """Assert that the result has the promised length for every cut; return the results."""
        output = [
            rewrite(rules_for(**fields), boundary, pieces, True)
            for pieces in ([body], bytewise(body), [body[:-1], body[-1:]], [body[:-3], body[-3:]])
        ]
        for each in output:
            self.assertEqual(len(each.body), each.length, (body, boundary))
        return [each.comparable for each in output]

    def test_no_padding(self) -> None:
        """Without rules all bytes of a canonical form stay the same, except the boundary."""
        parts = field("a", b"1"), upload("file", b"a.wav", b"audio/wav", b"RIFF" * 99)
        for size in (MIN_BOUNDARY, 40, 70):
            boundary = b"B" * size
            for end in (b"", b"\r\n"):
                body = form(*parts, boundary=boundary, end=end)
                same = body.replace(b"--" + boundary, b"--" + b"=" * size)
                self.assertEqual(self.kept(body, boundary), [same] * 4)

    def test_forced_without_padding(self) -> None:
        """If fields are only added, there is no padding."""
        for output in self.kept(form(field("a", b"1")), prompt="x" * 500):
            self.assertTrue(output.endswith(b"--\r\n"))

    def test_padding(self) -> None:
        """Dropped bytes become spaces after the line of the closing boundary, and only there."""
        dropped = form(field("prompt", b"y" * 100), end=b"").removesuffix(b"--" + BOUNDARY + b"--")
        for end, line in ((b"\r\n", b"\r\n"), (b"", b"\r\n")):
            for output in self.kept(form(field("prompt", b"y" * 100), field("a", b"1"), end=end), prompt=None):
                tail = output.partition(b"--" + b"=" * len(BOUNDARY) + b"--")[2]
                self.assertEqual(tail, line + b" " * (len(dropped) + len(end) - len(line)))

    def test_little_room(self) -> None:
        """One spare byte becomes a space; two become a line break."""
        tight = form(field("a", b"1"), end=b"")
        for more, tail in ((b"", b""), (b"\r", b" "), (b"x", b" "), (b"\r\n", b"\r\n"), (b"xyz", b"\r\n ")):
            for output in self.kept(tight + more):
                self.assertEqual(
                    output.removeprefix(tight.replace(b"--" + BOUNDARY, b"--" + b"=" * len(BOUNDARY))), tail
                )

    def test_epilogue(self) -> None:
        """An epilogue of any length is replaced by the same number of spaces."""
        for size in (1, 2, 3, 65535, 65536, 65537, 200_000):
            body = form(field("a", b"1")) + b"e" * size
            output = rewrite(NOTHING, BOUNDARY, [body[at : at + 50_000] for at in range(0, len(body), 50_000)], True)
            self.assertEqual(len(output.body), output.length)
            self.assertTrue(output.body.endswith(b"--\r\n" + b" " * size))

    def test_preamble(self) -> None:
        """Empty lines before the form become padding."""
        for count in (1, 2, 100):
            for output in self.kept(b"\r\n" * count + form(field("a", b"1"))):
                self.assertTrue(output.endswith(b"--\r\n" + b"  " * count))

    def test_heads(self) -> None:
        """A head that becomes shorter adds padding; one that would become too long loses its optional white space."""
        for head, written, padding in (
            (b'Content-Disposition: form-data; name="a"', b'Content-Disposition: form-data; name="a"', 0),
            (b'Content-Disposition:  form-data;   name="a"', b'Content-Disposition: form-data; name="a"', 3),
            (b'Content-Disposition: form-data; name="a"\r\nX: y', b'Content-Disposition: form-data; name="a"', 6),
            (b"Content-Disposition: form-data; name=a", b'Content-Disposition:form-data;name="a"', 0),
            (b'Content-Disposition:form-data; name="a"', b'Content-Disposition:form-data;name="a"', 1),
            (b'Content-Disposition:form-data;name="a"', b'Content-Disposition:form-data;name="a"', 0),
            (
                b"Content-Type:a/b\r\nContent-Disposition:form-data;name=a ; filename=b ;",
                b'Content-Disposition:form-data;name="a";filename="b"\r\nContent-Type:a/b',
                0,
            ),
            (
                b'Content-Disposition: form-data; name="a"; filename="b\\"c\\"d"',
                b'Content-Disposition:form-data;name="a";filename="b%22c%22d"',
                1,
            ),
        ):
            body = form(head + b"\r\n\r\n1")
            expected = form(written + b"\r\n\r\n1", boundary=b"=" * len(BOUNDARY)) + b" " * padding
            self.assertEqual(self.kept(body), [expected] * 4, head)

    def test_earlier_room(self) -> None:
        """A part may grow by the number of bytes that earlier parts became shorter by."""
        for first in (field("prompt", b""), b"X: y\r\n" + field("a", b"1")):
            for output in self.kept(form(first, LEAST + b"b\r\n\r\n2"), prompt=None):
                self.assertIn(b'name="b"', output)


class TerseTests(SynchronousTestCase):
    """Clients whose part heads are shorter than the shortest canonical one."""

    def test_refused(self) -> None:
        """With a long boundary and a length there is no room for such a head; the error says what helps."""
        for head in (LEAST + b"a", LEAST + b"a;filename=b", b"Content-Disposition: form-data;name=a"):
            body = form(head + b"\r\n\r\n1")
            for pieces in ([body], bytewise(body)):
                error = self.assertRaises(MalformedForm, rewrite, NOTHING, BOUNDARY, pieces, True)
                self.assertIn("double quotes", error.message)
                self.assertIn("Part 1 ", error.message)

    def test_without_length(self) -> None:
        """Without a length there is always room, and the usual spelling is written."""
        output = rewrite(NOTHING, BOUNDARY, [form(LEAST + b"a\r\n\r\n1")], False)
        self.assertIn(b'Content-Disposition: form-data; name="a"', output.body)

    def test_promise_never_broken(self) -> None:
        """With a short boundary and terse heads, a form either gets its promised length or is refused."""
        for size in range(1, MIN_BOUNDARY + 2):
            boundary = b"x" * size
            for count in range(40):
                for end in (b"", b"\r", b"\r\n", b"\r\n\r\n"):
                    body = form(*least(count), boundary=boundary, end=end)
                    for pieces in ([body], [body[:-3], body[-3:]]):
                        try:
                            output = rewrite(NOTHING, boundary, pieces, True)
                        except MalformedForm as error:
                            self.assertIn("double quotes", error.message)
                            continue
                        self.assertEqual(len(output.body), output.length, (size, count, end))


class ShortBoundaryTests(SynchronousTestCase):
    """Boundaries of clients that are shorter than `MIN_BOUNDARY`."""

    def test_any_size(self) -> None:
        """Boundaries from one character on are accepted with any number of parts, and readers find all parts."""
        for size in (1, 2, 8, MIN_BOUNDARY - 1):
            boundary = b"x" * size
            for count in (0, 1, 2, 10, 100, MAX_PARTS):
                body = form(*(field(str(number), b"") for number in range(count)), boundary=boundary)
                output = rewrite(NOTHING, boundary, [body], True)
                self.assertEqual(len(output.body), output.length, (size, count))
                expected = [Item(str(number), None, None, b"") for number in range(count)]
                self.assertEqual(by_multipart(output), expected, (size, count))
                if count < 100:
                    self.assertEqual(by_starlette(output), expected, (size, count))

    def test_inside_data(self) -> None:
        """A boundary of one character counts only after a line break and two dashes."""
        value = b"x\r\n-x\n--x--x\r--x\r\nx"
        output = rewrite(NOTHING, b"x", [form(upload("file", b"f", b"a/b", value), boundary=b"x")], True)
        self.assertEqual(by_multipart(output), [Item("file", b"f", b"a/b", value)])
