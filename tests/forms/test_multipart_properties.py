"""
Tests for :mod:`sttproxy.forms.multipart` with generated forms: well-formed and mutated ones.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import Rules, parse
from sttproxy.errors import MalformedForm

from .oracle import Oracle, RefusedError
from .rewriting import (
    Item,
    Rewritten,
    as_starlette,
    by_multipart,
    by_starlette,
    bytewise,
    drops,
    forced_parts,
    rewrite,
    stable_fields,
)
from .strategies import Form, configurations, cuts, forms, mutated


def outcome(rules: Rules, boundary: bytes, pieces: list[bytes], counted: bool) -> bytes | str:
    """The result with a constant boundary, or the message of the error."""
    try:
        return rewrite(rules, boundary, pieces, counted).comparable
    except MalformedForm as error:
        return error.message


def forced(rules: Rules) -> list[Item]:
    """The fields that the rules write."""
    return [Item(name.decode(), None, None, value) for name, value in forced_parts(rules)]


def sent(form: Form) -> list[Item]:
    """The fields that a client sends in a well-formed form."""
    return [Item(part.name, part.filename, part.content_type, part.value) for part in form.parts]


def refused(oracle: Oracle, items: list[Item]) -> bool:
    """Whether a form with these fields must be refused, by the configuration."""
    try:
        oracle.items(items)
    except RefusedError:
        return True
    return False


class WellFormedTests(SynchronousTestCase):
    """Well-formed forms."""

    @settings(max_examples=200)
    @given(forms(min_boundary=16), configurations(), st.booleans(), st.data())
    def test_rewritten(self, form: Form, configuration: bytes, counted: bool, data: st.DataObject) -> None:
        """
        For any form, configuration and cuts, the result has the forced fields, the client's fields after the tables,
        and the defaults for missing fields, in the promised length.  Only a form that repeats a replaced field may lack
        room for that.
        """
        oracle = Oracle.of(configuration)
        try:
            output = rewrite(parse(configuration).base, form.boundary, data.draw(cuts(form.body)), counted)
        except MalformedForm as error:
            if not refused(oracle, sent(form)):
                self.assertTrue(counted and oracle.repeats(sent(form)), error.message)
                self.assertIn("repeat no field", error.message)
            return
        expected = oracle.items(sent(form))
        self.assertEqual(output.length, len(output.body) if counted else None)
        self.assertEqual(by_multipart(output), expected)
        self.assertEqual(by_starlette(output), as_starlette(expected))

    @settings(max_examples=150)
    @given(forms(terse=True), configurations(), st.booleans(), st.data())
    def test_short(self, form: Form, configuration: bytes, counted: bool, data: st.DataObject) -> None:
        """The same with short boundaries and terse heads, or the error says how to make room."""
        try:
            output = rewrite(parse(configuration).base, form.boundary, data.draw(cuts(form.body)), counted)
        except MalformedForm as error:
            if not refused(Oracle.of(configuration), sent(form)):
                self.assertTrue(counted and "double quotes" in error.message, error.message)
            return
        self.assertEqual(output.length, len(output.body) if counted else None)
        self.assertEqual(by_multipart(output), Oracle.of(configuration).items(sent(form)))

    @given(forms(), configurations(), st.booleans(), st.data())
    def test_cuts(self, form: Form, configuration: bytes, counted: bool, data: st.DataObject) -> None:
        """The result does not depend on the cuts."""
        rules = parse(configuration).base
        whole = outcome(rules, form.boundary, [form.body], counted)
        self.assertEqual(outcome(rules, form.boundary, data.draw(cuts(form.body)), counted), whole)
        self.assertEqual(outcome(rules, form.boundary, bytewise(form.body), counted), whole)

    @given(forms(min_boundary=16), configurations(once=False), st.booleans())
    def test_twice(self, form: Form, configuration: bytes, counted: bool) -> None:
        """The result is a form too: rewritten by the same rules, it contains the same fields."""
        rules = parse(configuration).base
        try:
            once = rewrite(rules, form.boundary, [form.body], counted)
        except MalformedForm as error:
            self.assertIn("would both be sent as", error.message)
            return
        again = rewrite(rules, once.boundary, [once.body], counted)
        self.assertEqual(stable_fields(rules, by_multipart(again)), stable_fields(rules, by_multipart(once)))


class MutatedTests(SynchronousTestCase):
    """Mutated forms and arbitrary bytes."""

    def judged(self, rules: Rules, output: Rewritten) -> None:
        """Assert that readers agree on an accepted form, and find only the forced values for configured fields."""
        items = by_multipart(output)
        of_rules = forced(rules)
        self.assertEqual(items[: len(of_rules)], of_rules)
        ruled = [item for item in items[len(of_rules) :] if drops(rules, item.name)]
        self.assertEqual(ruled, [])
        seen = [(item.name, item.filename is None, item.value) for item in as_starlette(items)]
        self.assertEqual([(item.name, item.filename is None, item.value) for item in by_starlette(output)], seen)

    @settings(max_examples=250)
    @given(
        forms(min_boundary=16).flatmap(lambda form: st.tuples(st.just(form), mutated(form))),
        configurations(),
        st.data(),
    )
    def test_bent(self, pair: tuple[Form, bytes], configuration: bytes, data: st.DataObject) -> None:
        """A mutated form is refused or made canonical, for every cut alike, without the client's configured fields."""
        form, body = pair
        rules = parse(configuration).base
        counted = data.draw(st.booleans())
        whole = outcome(rules, form.boundary, [body], counted)
        self.assertEqual(outcome(rules, form.boundary, data.draw(cuts(body)), counted), whole)
        self.assertEqual(outcome(rules, form.boundary, bytewise(body), counted), whole)
        if isinstance(whole, bytes):
            output = rewrite(rules, form.boundary, [body], counted)
            self.assertEqual(output.length, len(output.body) if counted else None)
            self.judged(rules, output)

    @settings(max_examples=150)
    @given(st.data(), configurations())
    def test_any_bytes(self, data: st.DataObject, configuration: bytes) -> None:
        """Any bytes are refused or become a form that readers agree on."""
        pieces = st.sampled_from(
            (b"--B", b"--", b"\r\n", b"\r", b"Content-Disposition: form-data; name=", b'"a"', b"prompt", b"x")
        )
        body = b"".join(data.draw(st.lists(pieces | st.binary(max_size=3), max_size=20)))
        rules = parse(configuration).base
        try:
            output = rewrite(rules, b"B", data.draw(cuts(body)), False)
        except MalformedForm as error:
            self.assertTrue(error.message.endswith("."), error.message)
        else:
            self.judged(rules, output)
