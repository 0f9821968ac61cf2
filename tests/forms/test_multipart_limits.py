"""
Tests for :mod:`sttproxy.forms.multipart`: its limits.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import Rules
from sttproxy.errors import MalformedForm
from sttproxy.forms.evaluation import Evaluation
from sttproxy.forms.multipart import MAX_DROPPED, MAX_PART_HEAD, MAX_PARTS, MultipartRewriter
from sttproxy.forms.partheads import MAX_FIELDS

from .rewriting import BOUNDARY, NOTHING, by_multipart, bytewise, field, form, rewrite, rules_for, upload

DISPOSITION = b'Content-Disposition: form-data; name="a"'


def reads(body: bytes) -> Iterator[list[bytes]]:
    """Pieces of a larger body: whole, in reads of 64 KiB, and byte by byte near its end."""
    yield [body]
    yield [body[at : at + 65536] for at in range(0, len(body), 65536)]
    yield [body[:-300], *bytewise(body[-300:])]


class LimitTests(SynchronousTestCase):
    """Each limit is exact, and its error does not depend on how the body is cut."""

    def verdict(self, body: bytes, rules: Rules, message: str) -> None:
        """Assert that a body is refused with this message, or accepted if the message is empty, for every cut."""
        for pieces in reads(body):
            for counted in (True, False):
                row = f"{len(pieces)} pieces, {counted=}"
                try:
                    output = rewrite(rules, BOUNDARY, pieces, counted)
                except MalformedForm as error:
                    self.assertTrue(message, f"{row}: {error.message}")
                    self.assertIn(message, error.message, row)
                else:
                    self.assertFalse(message, f"{row}: accepted")
                    self.assertEqual(output.length, len(output.body) if counted else None, row)

    def test_parts(self) -> None:
        """A form may have `MAX_PARTS` parts and not one more; dropped parts count."""
        for rules in (NOTHING, rules_for(a=None)):
            self.verdict(form(*[field("a", b"1")] * MAX_PARTS), rules, "")
            self.verdict(form(*[field("a", b"1")] * (MAX_PARTS + 1)), rules, f"more than {MAX_PARTS} parts")

    def test_forced_parts(self) -> None:
        """Parts that the configuration adds do not count."""
        rules = rules_for(b=["x"] * 100)
        output = rewrite(rules, BOUNDARY, [form(*[field("a", b"1")] * MAX_PARTS)], True)
        self.assertEqual(len(by_multipart(output)), MAX_PARTS + 100)

    def test_part_head(self) -> None:
        """A part's head, with its line breaks, may be as long as the limit and not one byte longer."""
        most = MAX_PART_HEAD - len(b"\r\n" + DISPOSITION + b"\r\nX: " + b"\r\n\r\n")
        for more, message in (
            (0, ""),
            (1, f"Part 2 of the form cannot be accepted: its head is longer than {MAX_PART_HEAD}"),
        ):
            head = DISPOSITION + b"\r\nX: " + b"y" * (most + more)
            for rules in (NOTHING, rules_for(a=None)):
                self.verdict(form(field("b", b"1"), head + b"\r\n\r\n1"), rules, message)

    def test_endless_head(self) -> None:
        """A head without an end is refused as soon as it exceeds the limit, not at the end of the body."""
        rewriter = MultipartRewriter(Evaluation(NOTHING), BOUNDARY, None)
        rewriter.feed(b"--" + BOUNDARY)
        for byte in bytewise(b"\r\n" + b"x" * (MAX_PART_HEAD - 3)):
            rewriter.feed(byte)
        self.assertRaises(MalformedForm, rewriter.feed, b"x")

    def test_head_fields(self) -> None:
        """A part's head may have `MAX_FIELDS` header fields and not one more."""
        for count, message in ((MAX_FIELDS, ""), (MAX_FIELDS + 1, f"more than {MAX_FIELDS} header fields")):
            lines = b"".join(b"\r\nX%d: y" % number for number in range(count - 1))
            self.verdict(form(DISPOSITION + lines + b"\r\n\r\n1"), NOTHING, message)

    def test_dropped(self) -> None:
        """The proxy drops as many bytes of a form as the limit, and not one more."""
        frame = len(form(field("prompt", b""))) - len(form())
        for more in (0, 1, 2, 3, 70_000):
            message = "drop more than" if more else ""
            body = form(field("prompt", b"x" * (MAX_DROPPED - frame + more)), field("a", b"1"))
            self.verdict(body, rules_for(prompt="y"), message)

    def test_dropped_at_the_end(self) -> None:
        """The limit is the same if the dropped part is the last one, with an epilogue and without."""
        frame = len(form(field("prompt", b""))) - len(form())
        for more in (0, 1, 2, 3, 70_000):
            for end in (b"", b"\r\n", b"\r\nepilogue"):
                body = form(field("a", b"1"), field("prompt", b"x" * (MAX_DROPPED - frame + more)), end=end)
                self.verdict(body, rules_for(prompt=None), "drop more than" if more else "")

    def test_dropped_in_many(self) -> None:
        """The limit applies to all dropped bytes of one form together."""
        frame = len(form(field("prompt", b""))) - len(form())
        values = [b"x" * (MAX_DROPPED // 4 - frame)] * 4
        self.verdict(form(*(field("prompt", value) for value in values)), rules_for(prompt=None), "")
        refused = form(*(field("prompt", value + b"x") for value in values))
        self.verdict(refused, rules_for(prompt=None), "drop more than")

    def test_heads_of_kept_parts(self) -> None:
        """Bytes that are removed from the heads of passing parts count as dropped."""
        part = b'Content-Disposition: form-data; name="x"\r\nX-Y: ' + b"z" * 4000 + b"\r\n\r\n1"
        parts = [part] * (MAX_DROPPED // 4000 + 10)
        self.verdict(form(*parts), rules_for(prompt=None), "drop more than")

    def test_dropped_before(self) -> None:
        """Empty lines before the form count as dropped."""
        for more, message in ((0, ""), (1, "drop more than")):
            lines = b"\r\n" * (MAX_DROPPED // 2 + more)
            self.verdict(lines + form(field("a", b"1")), rules_for(prompt="y"), message)

    def test_kept(self) -> None:
        """There is no limit on parts that pass."""
        body = form(upload("file", b"a", b"a/b", b"x" * (3 * MAX_DROPPED)), field("b", b"y" * (2 * MAX_DROPPED)))
        self.verdict(body, rules_for(prompt="z"), "")

    def test_epilogue(self) -> None:
        """An epilogue does not count as dropped and has no limit."""
        self.verdict(form(field("a", b"1")) + b"e" * (2 * MAX_DROPPED), rules_for(prompt="z"), "")

    def test_told_early(self) -> None:
        """A dropped field that exceeds the limit is refused while it arrives."""
        rewriter = MultipartRewriter(Evaluation(rules_for(prompt="y")), BOUNDARY, None)
        rewriter.feed(form(field("prompt", b""), end=b"").removesuffix(b"\r\n--" + BOUNDARY + b"--"))
        with self.assertRaises(MalformedForm):
            for _ in range(MAX_DROPPED // 65536 + 1):
                rewriter.feed(b"x" * 65536)
