"""
Tests for :mod:`sttproxy.forms.multipart` over generated forms: honest ones, and those that others bend.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import Rules, parse
from sttproxy.errors import MalformedForm

from .oracle import Oracle
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
    said_again,
)
from .strategies import Form, bent, configurations, cuts, forms


def outcome(rules: Rules, boundary: bytes, pieces: list[bytes], counted: bool) -> bytes | str:
    """What leaves, under a boundary that is always the same, or the words of the refusal."""
    try:
        return rewrite(rules, boundary, pieces, counted).comparable
    except MalformedForm as error:
        return error.message


def forced(rules: Rules) -> list[Item]:
    """What the rules write."""
    return [Item(name.decode(), None, None, value) for name, value in forced_parts(rules)]


def sent(form: Form) -> list[Item]:
    """What a client says with a well-formed form."""
    return [Item(part.name, part.filename, part.content_type, part.value) for part in form.parts]


class HonestTests(SynchronousTestCase):
    """Well-formed forms."""

    @settings(max_examples=200)
    @given(forms(min_boundary=16), configurations(), st.booleans(), st.data())
    def test_rewritten(self, form: Form, configuration: bytes, counted: bool, data: st.DataObject) -> None:
        """
        Any form under any configuration, cut anywhere, is read as the forced fields, the client's as the tables have
        them, and the defaults of what it did not send, in its length; only one that repeats what is replaced may have
        no room for that.
        """
        oracle = Oracle.of(configuration)
        try:
            left = rewrite(parse(configuration).base, form.boundary, data.draw(cuts(form.body)), counted)
        except MalformedForm as error:
            self.assertTrue(counted and oracle.repeats(sent(form)), error.message)
            self.assertIn("repeat no field", error.message)
            return
        expected = oracle.items(sent(form))
        self.assertEqual(left.length, len(left.body) if counted else None)
        self.assertEqual(by_multipart(left), expected)
        self.assertEqual(by_starlette(left), as_starlette(expected))

    @settings(max_examples=150)
    @given(forms(terse=True), configurations(), st.booleans(), st.data())
    def test_short(self, form: Form, configuration: bytes, counted: bool, data: st.DataObject) -> None:
        """With short boundaries and terse heads too, or the client is told how to make room."""
        try:
            left = rewrite(parse(configuration).base, form.boundary, data.draw(cuts(form.body)), counted)
        except MalformedForm as error:
            self.assertTrue(counted and "double quotes" in error.message, error.message)
            return
        self.assertEqual(left.length, len(left.body) if counted else None)
        self.assertEqual(by_multipart(left), Oracle.of(configuration).items(sent(form)))

    @given(forms(), configurations(), st.booleans(), st.data())
    def test_cuts(self, form: Form, configuration: bytes, counted: bool, data: st.DataObject) -> None:
        """What leaves does not depend on the cuts."""
        rules = parse(configuration).base
        whole = outcome(rules, form.boundary, [form.body], counted)
        self.assertEqual(outcome(rules, form.boundary, data.draw(cuts(form.body)), counted), whole)
        self.assertEqual(outcome(rules, form.boundary, bytewise(form.body), counted), whole)

    @given(forms(min_boundary=16), configurations(maps=False), st.booleans())
    def test_twice(self, form: Form, configuration: bytes, counted: bool) -> None:
        """What left is itself a form: rewritten by the same rules, it says the same."""
        rules = parse(configuration).base
        once = rewrite(rules, form.boundary, [form.body], counted)
        again = rewrite(rules, once.boundary, [once.body], counted)
        self.assertEqual(said_again(rules, by_multipart(again)), said_again(rules, by_multipart(once)))


class BentTests(SynchronousTestCase):
    """Forms that somebody has bent."""

    def judged(self, rules: Rules, left: Rewritten) -> None:
        """Hold that readers agree on a form that was let through, and find of ruled fields only the forced values."""
        items = by_multipart(left)
        of_rules = forced(rules)
        self.assertEqual(items[: len(of_rules)], of_rules)
        ruled = [item for item in items[len(of_rules) :] if drops(rules, item.name)]
        self.assertEqual(ruled, [])
        seen = [(item.name, item.filename is None, item.value) for item in as_starlette(items)]
        self.assertEqual([(item.name, item.filename is None, item.value) for item in by_starlette(left)], seen)

    @settings(max_examples=250)
    @given(
        forms(min_boundary=16).flatmap(lambda form: st.tuples(st.just(form), bent(form))), configurations(), st.data()
    )
    def test_bent(self, pair: tuple[Form, bytes], configuration: bytes, data: st.DataObject) -> None:
        """A bent form is refused or made canonical: the same every way it is cut, and no ruled field of it is left."""
        form, body = pair
        rules = parse(configuration).base
        counted = data.draw(st.booleans())
        whole = outcome(rules, form.boundary, [body], counted)
        self.assertEqual(outcome(rules, form.boundary, data.draw(cuts(body)), counted), whole)
        self.assertEqual(outcome(rules, form.boundary, bytewise(body), counted), whole)
        if isinstance(whole, bytes):
            left = rewrite(rules, form.boundary, [body], counted)
            self.assertEqual(left.length, len(left.body) if counted else None)
            self.judged(rules, left)

    @settings(max_examples=150)
    @given(st.data(), configurations())
    def test_any_bytes(self, data: st.DataObject, configuration: bytes) -> None:
        """Bytes of any kind are refused, or become a form that readers agree on."""
        pieces = st.sampled_from(
            (b"--B", b"--", b"\r\n", b"\r", b"Content-Disposition: form-data; name=", b'"a"', b"prompt", b"x")
        )
        body = b"".join(data.draw(st.lists(pieces | st.binary(max_size=3), max_size=20)))
        rules = parse(configuration).base
        try:
            left = rewrite(rules, b"B", data.draw(cuts(body)), False)
        except MalformedForm as error:
            self.assertTrue(error.message.endswith("."), error.message)
        else:
            self.judged(rules, left)
