"""
Tests for :mod:`sttproxy.forms.multipart`: which forms pass, and as what they leave.

Every case runs whole, byte by byte, and at every cut, with a length and without.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import MalformedForm
from sttproxy.forms.evaluation import Evaluation
from sttproxy.forms.multipart import MultipartRewriter
from sttproxy.headers import boundary_of, parse_content_type

from .cases import OPEN_ENDED, PASSING, PROMPT, REFUSED, RULED, VALUES, A, Case
from .rewriting import BOUNDARY, NOTHING, bytewise, field, form, rewrite, rules_for, upload


def ways(body: bytes) -> Iterator[list[bytes]]:
    """Every way of cutting a body that is tried: whole, byte by byte, and in two anywhere."""
    yield [body]
    yield bytewise(body)
    for cut in range(1, len(body)):
        yield [body[:cut], body[cut:]]


class PassingTests(SynchronousTestCase):
    """What leaves is the canonical form, whatever the cut."""

    def held(self, name: object, case: Case) -> None:
        """Hold that a case leaves as expected, every way, counted and not."""
        rules = rules_for(**case.fields)
        for counted in (True, False):
            expected = case.expected(counted)
            for pieces in ways(case.body):
                left = rewrite(rules, BOUNDARY, pieces, counted, case.open_ended)
                if left.comparable != expected:
                    first = [len(piece) for piece in pieces[:1]]
                    self.fail(f"{name}, {counted=}, cut at {first}: {left.comparable[:2000]!r} is not {expected!r}")
                self.assertEqual(left.length, len(left.body) if counted else None, name)

    def test_passing(self) -> None:
        """Forms of which nothing is dropped leave with the same parts; a length is kept to the byte."""
        for name, case in PASSING.items():
            self.held(name, case)

    def test_values(self) -> None:
        """What a file holds leaves as it came, also where it looks like a delimiter, first, in the middle and last."""
        for value in VALUES:
            for body in (value, b"x" + value + b"y"):
                part = upload("file", b"a", b"a/b", body)
                self.held(body, Case(form(part, A), (part, A)))

    def test_ruled(self) -> None:
        """Fields of the configuration come first, and once; the client's are dropped and made up for in the end."""
        for name, case in RULED.items():
            self.held(name, case)

    def test_open_ended(self) -> None:
        """A form that is complete by its length and ends behind a part is closed."""
        for name, case in OPEN_ENDED.items():
            self.held(name, case)

    def test_open_ended_without_room(self) -> None:
        """Where no room was promised for that, what was dropped may give it; else the client is told what helps."""
        for name, case in OPEN_ENDED.items():
            rules = rules_for(**case.fields)
            try:
                left = rewrite(rules, BOUNDARY, [case.body], True)
            except MalformedForm as error:
                self.assertIn("closing boundary is missing: add it, or send the form chunked", error.message)
                self.assertFalse(case.fields or case.body.endswith(b"--\r\n"), name)
            else:
                self.assertEqual(len(left.body), left.length)
                self.assertTrue(case.fields or case.body.endswith((b"--\r\n", BOUNDARY + b"\r\n")), name)

    def test_every_two_cuts(self) -> None:
        """In a small form every two cuts make no difference."""
        case = Case(form(PROMPT, A, end=b"\r\n\r\n"), (A,), {"prompt": "x"}, (field("prompt", b"x"),))
        rules, expected = rules_for(**case.fields), case.expected(True)
        for first in range(1, len(case.body), 2):
            for second in range(first + 1, len(case.body)):
                pieces = [case.body[:first], case.body[first:second], case.body[second:]]
                if rewrite(rules, BOUNDARY, pieces, True).comparable != expected:
                    self.fail(f"cut at {first} and {second}")

    def test_empty_pieces(self) -> None:
        """A read of nothing changes nothing."""
        case = RULED["with everything around"]
        pieces = [piece for byte in bytewise(case.body) for piece in (b"", byte, b"")]
        self.assertEqual(rewrite(rules_for(**case.fields), BOUNDARY, pieces, True).comparable, case.expected(True))


class RefusedTests(SynchronousTestCase):
    """What is not a form gets its message, whatever the cut."""

    def test_refused(self) -> None:
        """The verdict and its words are the same every way, with a length and without, with rules and without."""
        for message, body in REFUSED:
            for rules in (NOTHING, rules_for(prompt="x", a=None)):
                for counted in (True, False):
                    for pieces in ways(body) if body else iter([[b""], []]):
                        error = self.assertRaises(MalformedForm, rewrite, rules, BOUNDARY, pieces, counted)
                        self.assertIn(message, error.message, body)
                        self.assertEqual(error.status, 400)

    def test_early(self) -> None:
        """What is wrong is told when it has arrived, not in the end."""
        for message, body in REFUSED:
            if "closing boundary is missing" not in message:
                rewriter = MultipartRewriter(Evaluation(NOTHING), BOUNDARY, None)
                try:
                    rewriter.feed(body)
                except MalformedForm as error:
                    self.assertIn(message, error.message)
                else:
                    self.fail(f"taken without a word: {body!r}")

    def test_nothing_complete(self) -> None:
        """What has left a form that is refused later is nothing that a reader takes for a whole one."""
        for message, body in REFUSED:
            rewriter = MultipartRewriter(Evaluation(rules_for(c="3")), BOUNDARY, None)
            left = b""
            with contextlib.suppress(MalformedForm):
                for piece in bytewise(body):
                    left += b"".join(rewriter.feed(piece))
            ours = boundary_of(parse_content_type(rewriter.content_type)[1])
            self.assertNotIn(ours + b"--", left, (message, body))
