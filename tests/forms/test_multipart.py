"""
Tests for :mod:`sttproxy.forms.multipart`: which forms pass, and how they are rewritten.

Every case runs whole, byte by byte, and cut in two at every place, with a length and without.
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
    """The pieces of a body: whole, byte by byte, and cut in two at every place."""
    yield [body]
    yield bytewise(body)
    for cut in range(1, len(body)):
        yield [body[:cut], body[cut:]]


class PassingTests(SynchronousTestCase):
    """The result is the canonical form, for every cut."""

    def held(self, name: object, case: Case) -> None:
        """Assert that a case is rewritten as expected, for every cut, with a length and without."""
        rules = rules_for(**case.fields)
        for counted in (True, False):
            expected = case.expected(counted)
            for pieces in ways(case.body):
                output = rewrite(rules, BOUNDARY, pieces, counted, case.open_ended)
                if output.comparable != expected:
                    first = [len(piece) for piece in pieces[:1]]
                    self.fail(f"{name}, {counted=}, cut at {first}: {output.comparable[:2000]!r} is not {expected!r}")
                self.assertEqual(output.length, len(output.body) if counted else None, name)

    def test_passing(self) -> None:
        """Without rules a form keeps all its parts; the promised length is met to the byte."""
        for name, case in PASSING.items():
            self.held(name, case)

    def test_values(self) -> None:
        """The bytes of a file do not change, even bytes similar to a delimiter at its beginning, middle or end."""
        for value in VALUES:
            for body in (value, b"x" + value + b"y"):
                part = upload("file", b"a", b"a/b", body)
                self.held(body, Case(form(part, A), (part, A)))

    def test_ruled(self) -> None:
        """Configured fields come first, once each; the client's copies are dropped and padding replaces their bytes."""
        for name, case in RULED.items():
            self.held(name, case)

    def test_open_ended(self) -> None:
        """If a form ends after a part and its length is reached, the rewriter adds the missing closing boundary."""
        for name, case in OPEN_ENDED.items():
            self.held(name, case)

    def test_open_ended_without_room(self) -> None:
        """If no room was promised for that, dropped bytes provide it; without them the error says what helps."""
        for name, case in OPEN_ENDED.items():
            rules = rules_for(**case.fields)
            try:
                output = rewrite(rules, BOUNDARY, [case.body], True)
            except MalformedForm as error:
                self.assertIn("closing boundary is missing: add it, or send the form chunked", error.message)
                self.assertFalse(case.fields or case.body.endswith(b"--\r\n"), name)
            else:
                self.assertEqual(len(output.body), output.length)
                self.assertTrue(case.fields or case.body.endswith((b"--\r\n", BOUNDARY + b"\r\n")), name)

    def test_every_two_cuts(self) -> None:
        """In a small form no pair of cuts changes the result."""
        case = Case(form(PROMPT, A, end=b"\r\n\r\n"), (A,), {"prompt": "x"}, (field("prompt", b"x"),))
        rules, expected = rules_for(**case.fields), case.expected(True)
        for first in range(1, len(case.body), 2):
            for second in range(first + 1, len(case.body)):
                pieces = [case.body[:first], case.body[first:second], case.body[second:]]
                if rewrite(rules, BOUNDARY, pieces, True).comparable != expected:
                    self.fail(f"cut at {first} and {second}")

    def test_empty_pieces(self) -> None:
        """Empty reads do not change the result."""
        case = RULED["with everything around"]
        pieces = [piece for byte in bytewise(case.body) for piece in (b"", byte, b"")]
        self.assertEqual(rewrite(rules_for(**case.fields), BOUNDARY, pieces, True).comparable, case.expected(True))


class RefusedTests(SynchronousTestCase):
    """Malformed forms get the right error message, for every cut."""

    def test_refused(self) -> None:
        """The error message is the same for every cut, with a length and without, with rules and without."""
        for message, body in REFUSED:
            for rules in (NOTHING, rules_for(prompt="x", a=None)):
                for counted in (True, False):
                    for pieces in ways(body) if body else iter([[b""], []]):
                        error = self.assertRaises(MalformedForm, rewrite, rules, BOUNDARY, pieces, counted)
                        self.assertIn(message, error.message, body)
                        self.assertEqual(error.status, 400)

    def test_early(self) -> None:
        """A mistake is reported when it arrives, not at the end of the form."""
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
        """If a form is refused late, readers do not accept the bytes sent before as a complete form."""
        for message, body in REFUSED:
            rewriter = MultipartRewriter(Evaluation(rules_for(c="3")), BOUNDARY, None)
            output = b""
            with contextlib.suppress(MalformedForm):
                for piece in bytewise(body):
                    output += b"".join(rewriter.feed(piece))
            ours = boundary_of(parse_content_type(rewriter.content_type)[1])
            self.assertNotIn(ours + b"--", output, (message, body))
