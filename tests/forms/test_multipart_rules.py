"""
Tests for :mod:`sttproxy.forms.multipart`: defaults and tables of values, and the promised length with them.

Every case runs whole, byte by byte and cut in two at every place, with a length and without; the length is exact.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import MAX_VALUE
from sttproxy.errors import MalformedForm
from sttproxy.forms.evaluation import Evaluation
from sttproxy.forms.multipart import MAX_DROPPED, MAX_PARTS, MIN_BOUNDARY, MultipartRewriter

from .cases import DELIMITER, VALUES, WAV, A, B
from .rewriting import (
    BOUNDARY,
    Item,
    Rewritten,
    by_multipart,
    by_starlette,
    bytewise,
    field,
    form,
    rewrite,
    rules_for,
    upload,
)
from .rows import Row, RowsTestCase

EMPTY = {"value": "zh", "when_empty": True}
MODEL = {"$map": {"model": {"a": "longer", "long name": "b", "same": "emas", "": "filled", "gone": ""}}}
ANY = {"$map": {"model": {"a": "b", "*": "other"}}}
DEFAULT = {"$default": {"language": "zh"}}
ZH = field("language", b"zh")
FILE = upload("file", b"a", b"a/b", b"x" * 100)


def spelled(parameters: bytes, value: bytes) -> bytes:
    """A part with exactly these parameters of its Content-Disposition."""
    return b"Content-Disposition: form-data; " + parameters + b"\r\n\r\n" + value


ROWS = {
    "default of nothing": Row(DEFAULT, (), (ZH,)),
    "default, not sent": Row(DEFAULT, (A, WAV), (A, WAV, ZH)),
    "default, sent first": Row(DEFAULT, (field("language", b"en"), A), (field("language", b"en"), A)),
    "default, sent last": Row(DEFAULT, (A, field("language", b"en")), (A, field("language", b"en"))),
    "default, sent empty": Row(DEFAULT, (field("language", b""), A), (field("language", b""), A)),
    "default, sent in another spelling": Row(DEFAULT, (field("Language[]", b"x"),), (field("Language[]", b"x"),)),
    "default, sent as a file": Row(
        DEFAULT, (upload("language", b"l", b"a/b", b""),), (upload("language", b"l", b"a/b", b""),)
    ),
    "default, something alike sent": Row(DEFAULT, (field("languages", b""),), (field("languages", b""), ZH)),
    "defaults in order": Row(
        {"$default": {"z": "1", "b": [2, "3"], "o": {"k": True}, "none": []}, "f": "0"},
        (A,),
        (field("f", b"0"), A, field("z", b"1"), field("b[]", b"2"), field("b[]", b"3"), field("o[k]", b"true")),
    ),
    "some defaults": Row({"$default": {"b": "x", "c": "y", "a": "z"}}, (A, B), (A, B, field("c", b"y"))),
    "default that looks like an end": Row(
        {"$default": {"c": (DELIMITER + b"--\r\n").decode()}}, (A,), (A, field("c", DELIMITER + b"--\r\n"))
    ),
    "default of a forced field": Row(
        {"language": "fr", **DEFAULT}, (field("language", b"en"),), (field("language", b"fr"),)
    ),
    "default of a removed field": Row({"language": None, **DEFAULT}, (field("language", b"en"), A), (A,)),
    "when empty, not sent": Row({"$default": {"language": EMPTY}}, (A,), (A, ZH)),
    "when empty, empty": Row({"$default": {"language": EMPTY}}, (field("language", b""), A), (A, ZH)),
    "when empty, empty and last": Row({"$default": {"language": EMPTY}}, (A, field("language", b"")), (A, ZH)),
    "when empty, empty twice": Row({"$default": {"language": EMPTY}}, (field("language", b""),) * 2, (ZH,)),
    "when empty, an empty file": Row(
        {"$default": {"language": EMPTY}}, (upload("LANGUAGE", b"l", b"a/b", b""), A), (A, ZH)
    ),
    "when empty, a line break": Row(
        {"$default": {"language": EMPTY}}, (field("language", b"\r\n"), A), (field("language", b"\r\n"), A)
    ),
    "when empty, one of two": Row(
        {"$default": {"language": EMPTY}},
        (field("language", b""), field("language", b"en"), A),
        (field("language", b"en"), A),
    ),
    "longer": Row(MODEL, (field("model", b"a"), A), (field("model", b"longer"), A)),
    "longer, the last": Row(MODEL, (A, field("model", b"a")), (A, field("model", b"longer"))),
    "shorter": Row(MODEL, (field("model", b"long name"), A), (field("model", b"b"), A)),
    "as long": Row(MODEL, (field("model", b"same"), FILE), (field("model", b"emas"), FILE)),
    "empty to full": Row(MODEL, (field("model", b""), A), (field("model", b"filled"), A)),
    "full to empty": Row(MODEL, (field("model", b"gone"), A), (field("model", b""), A)),
    "not in the table": Row(MODEL, (field("model", b"x"), A), (field("model", b"x"), A)),
    "almost in the table": Row(
        MODEL,
        (field("model", b"same\r"), field("model", b"same\r\n"), field("model", b" same"), field("model", b"sam")),
        (field("model", b"same\r"), field("model", b"same\r\n"), field("model", b" same"), field("model", b"sam")),
    ),
    "a star that somebody sends": Row(MODEL, (field("model", b"*"),), (field("model", b"*"),)),
    "not text": Row(MODEL, (field("model", b"\xff\xfe"),), (field("model", b"\xff\xfe"),)),
    "other spelling": Row(MODEL, (field("MODEL[]", b"a"), A), (field("MODEL[]", b"longer"), A)),
    "unquoted": Row({"$map": {"model": {"aaaa": "bb"}}}, (spelled(b"name=model", b"aaaa"),), (field("model", b"bb"),)),
    "repeated, shorter": Row(
        MODEL,
        (field("model", b"long name"), A, field("model", b"gone"), B, field("model", b"same")),
        (field("model", b"b"), A, field("model", b""), B, field("model", b"emas")),
    ),
    "a file becomes text": Row(MODEL, (upload("model", b"m", b"a/b", b"a"), A), (field("model", b"longer"), A)),
    "a file that is not in the table": Row(
        MODEL, (upload("model", b"m", b"a/b", b"z"), A), (upload("model", b"m", b"a/b", b"z"), A)
    ),
    "any": Row(ANY, (field("model", b"z"), A), (field("model", b"other"), A)),
    "any, in the table": Row(ANY, (field("model", b"a"), A), (field("model", b"b"), A)),
    "any, empty": Row(ANY, (field("model", b""), A), (field("model", b"other"), A)),
    "any, not text": Row(ANY, (field("model", b"\xff" * 9), A), (field("model", b"other"), A)),
    "any file": Row(ANY, (upload("model", b"m", b"a/b", b"\0" * 50), A), (field("model", b"other"), A)),
    "a table and a default, not sent": Row({**MODEL, "$default": {"model": "a"}}, (A,), (A, field("model", b"a"))),
    "a table and a default, sent": Row(
        {**MODEL, "$default": {"model": "z"}}, (field("model", b"a"),), (field("model", b"longer"),)
    ),
    "mapped to nothing, default when empty": Row(
        {**MODEL, "$default": {"model": {"value": "a", "when_empty": True}}},
        (field("model", b"gone"), A),
        (A, field("model", b"a")),
    ),
    "mapped from nothing, default when empty": Row(
        {**MODEL, "$default": {"model": {"value": "z", "when_empty": True}}},
        (field("model", b""), A),
        (field("model", b"filled"), A),
    ),
    "everything": Row(
        {"prompt": "p", "x": None, "$default": {"language": EMPTY, "t": 0.20}, **MODEL},
        (field("prompt", b"q"), field("model", b"a"), field("x", b"x"), WAV, field("language", b""), A),
        (field("prompt", b"p"), field("model", b"longer"), WAV, A, ZH, field("t", b"0.2")),
    ),
}


class TableTests(RowsTestCase):
    """The result, for every cut."""

    def test_rows(self) -> None:
        """The result of each row has exactly the expected parts and then padding, in the promised length."""
        self.hold(ROWS)

    def test_values(self) -> None:
        """A value that passes or is replaced may contain any bytes, even bytes similar to a delimiter."""
        for value in VALUES:
            for fields, leaves in (
                ({"$map": {"model": {"no such": "x"}}}, value),
                ({"$map": {"model": {"*": "x"}}}, b"x"),
                ({"$default": {"model": {"value": "x", "when_empty": True}}}, value),
            ):
                if not value and "$default" in fields:
                    continue
                body = form(field("model", value), A)
                for pieces in ([body], bytewise(body)):
                    for counted in (True, False):
                        output = rewrite(rules_for(**fields), BOUNDARY, pieces, counted)
                        expected = [Item("model", None, None, leaves), Item("a", None, None, b"1")]
                        self.assertEqual(by_multipart(output), expected, (value, fields))
                        self.assertEqual(output.length, len(output.body) if counted else None)

    def test_two_cuts(self) -> None:
        """No pair of cuts around a buffered value changes the result."""
        rules = rules_for(**MODEL, **DEFAULT)
        body = form(field("model", b"a"), b'Content-Disposition: form-data; name="b"\r\n\r\n')
        whole = rewrite(rules, BOUNDARY, [body], True).comparable
        start = body.index(b"\r\n\r\na") - 2
        for first in range(start, start + len(DELIMITER) + 12):
            for second in range(first + 1, start + len(DELIMITER) + 14):
                pieces = [body[:first], body[first:second], body[second:]]
                if rewrite(rules, BOUNDARY, pieces, True).comparable != whole:
                    self.fail(f"cut at {first} and {second}")


class StreamTests(SynchronousTestCase):
    """Tests for what is buffered and for how long."""

    def rewriter(self, **fields: Any) -> MultipartRewriter:
        """A rewriter of a form without a length."""
        return MultipartRewriter(Evaluation(rules_for(**fields)), BOUNDARY, None)

    def test_only_its_own_part(self) -> None:
        """A value that rules name is buffered until its part ends; the bytes after it are sent at once."""
        rewriter = self.rewriter(**ANY)
        opening = form(field("model", b"x"), end=b"").removesuffix(b"x" + DELIMITER + b"--")
        self.assertEqual(b"".join(rewriter.feed(opening + b"x" * 1000)), b"")
        self.assertEqual(b"".join(rewriter.feed(DELIMITER[:-1])), b"")
        self.assertTrue(b"".join(rewriter.feed(DELIMITER[-1:])).endswith(b"\r\n\r\nother\r\n"))
        head = form(FILE, end=b"").partition(BOUNDARY)[2].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        rewriter.feed(head)
        data = b"y" * 65536
        self.assertEqual(rewriter.feed(data), [data])

    def test_others_not_held(self) -> None:
        """A field that has only a default is not buffered, and neither is a file without a rule."""
        rewriter = self.rewriter(**DEFAULT, **ANY)
        for name in ("language", "file"):
            rewriter.feed(form(field(name, b""), end=b"").removesuffix(DELIMITER + b"--"))
            self.assertEqual(b"".join(rewriter.feed(b"abc")), b"abc", name)
            rewriter = self.rewriter(**DEFAULT, **ANY)

    def test_longer_than_any_key(self) -> None:
        """A value is sent on as soon as it is longer than `MAX_VALUE`, and from then on as it arrives."""
        rewriter = self.rewriter(**MODEL)
        rewriter.feed(form(field("model", b""), end=b"").removesuffix(DELIMITER + b"--"))
        self.assertEqual(b"".join(rewriter.feed(b"x" * (MAX_VALUE + len(DELIMITER) - 1))), b"")
        self.assertTrue(b"".join(rewriter.feed(b"x")).endswith(b"x" * MAX_VALUE))
        self.assertEqual(b"".join(rewriter.feed(b"y" * 9)), b"y" * 9)

    def test_defaults_last(self) -> None:
        """Defaults are sent when the closing boundary has come, not with the delimiter before it."""
        rewriter = self.rewriter(**DEFAULT)
        body = form(A, end=b"")
        self.assertNotIn(b"\r\nzh\r\n", b"".join(rewriter.feed(body[:-1])))
        self.assertIn(b"\r\n\r\nzh\r\n--", b"".join(rewriter.feed(body[-1:])))


class LongTests(SynchronousTestCase):
    """Values of about `MAX_VALUE` bytes."""

    def output(self, value: bytes, **fields: Any) -> bytes:
        """The model in the result, which must be the same for every cut and have the promised length."""
        body = form(field("model", value), A)
        found = set()
        for counted in (True, False):
            for pieces in (
                [body],
                [body[at : at + 5000] for at in range(0, len(body), 5000)],
                [body[:-200], *bytewise(body[-200:])],
                [body[:150], body[150 : 150 + MAX_VALUE], body[150 + MAX_VALUE :]],
            ):
                output = rewrite(rules_for(**fields), BOUNDARY, pieces, counted)
                self.assertEqual(output.length, len(output.body) if counted else None, len(value))
                model, other = by_multipart(output)
                self.assertEqual(other, Item("a", None, None, b"1"))
                found.add(model.value)
        (model_value,) = found
        return model_value

    def test_passing(self) -> None:
        """Without a star, a value longer than `MAX_VALUE` passes; a value of exactly that length is matched."""
        for more in (-1, 0, 1, 2, 100):
            value = b"x" * (MAX_VALUE + more)
            self.assertEqual(self.output(value, **MODEL), value, more)
        longest = "x" * MAX_VALUE
        table = {"$map": {"model": {longest: "found", longest[1:]: "shorter"}}}
        for more, expected in ((-1, b"shorter"), (0, b"found"), (1, longest.encode() + b"x")):
            self.assertEqual(self.output(b"x" * (MAX_VALUE + more), **table), expected, more)

    def test_any(self) -> None:
        """With a star a long value is replaced, even by another long one."""
        for more in (-1, 0, 1, 2, 100, MAX_VALUE):
            for other in ("o", "o" * 200_000):
                value = b"x" * (MAX_VALUE + more)
                self.assertEqual(self.output(value, **{"$map": {"model": {"*": other}}}), other.encode(), more)

    def test_any_again(self) -> None:
        """The bytes of long values provide room for their replacements; the first replacement always has room."""
        rules = rules_for(**{"$map": {"model": {"*": "o" * 5000}}})
        long = b"x" * (MAX_VALUE + 1)
        for parts in ([field("model", long)] * 5, [spelled(b"name=model", long)], [spelled(b"name=model", b"")]):
            body = form(*parts, end=b"")
            for pieces in ([body], [body[at : at + 5000] for at in range(0, len(body), 5000)]):
                output = rewrite(rules, BOUNDARY, pieces, True)
                self.assertEqual(len(output.body), output.length)
                self.assertEqual([item.value for item in by_multipart(output)], [b"o" * 5000] * len(parts))

    def test_ends_like_a_delimiter(self) -> None:
        """If a value's last bytes could begin a delimiter, only the bytes of the value count for its length."""
        for more in (-1, 0, 1):
            value = b"x" * (MAX_VALUE + more - len(DELIMITER) + 1) + DELIMITER[:-1]
            self.assertEqual(self.output(value, **MODEL), value, more)
            self.assertEqual(self.output(value, **ANY), b"other", more)

    def test_when_empty(self) -> None:
        """A long value does not count as empty."""
        value = b"x" * (MAX_VALUE + 1)
        self.assertEqual(self.output(value, **{"$default": {"model": {"value": "d", "when_empty": True}}}), value)

    def test_too_much(self) -> None:
        """Replaced values count as dropped and are limited by `MAX_DROPPED`."""
        rules = rules_for(**ANY)
        for counted in (True, False):
            for size, good in ((MAX_DROPPED - 1000, True), (MAX_DROPPED + 1000, False)):
                body = form(field("model", b"x" * size), A)
                for pieces in ([body], [body[at : at + 50_000] for at in range(0, len(body), 50_000)]):
                    if good:
                        self.assertEqual(by_multipart(rewrite(rules, BOUNDARY, pieces, counted))[0].value, b"other")
                    else:
                        self.assertRaises(MalformedForm, rewrite, rules, BOUNDARY, pieces, counted)


class LengthTests(SynchronousTestCase):
    """Tests for the promised length."""

    def tried(self, body: bytes, boundary: bytes, **fields: Any) -> Rewritten | str:
        """The result with a length, or the error message, which must be the same for every cut."""
        found: list[Rewritten | str] = []
        for pieces in ([body], bytewise(body), [body[:-3], body[-3:]]):
            try:
                output = rewrite(rules_for(**fields), boundary, pieces, True)
            except MalformedForm as error:
                found.append(error.message)
            else:
                self.assertEqual(len(output.body), output.length, (body, fields))
                found.append(output)
        outcomes = {each if isinstance(each, str) else each.comparable for each in found}
        self.assertEqual(len(outcomes), 1, (body, fields))
        return found[0]

    def test_promised(self) -> None:
        """The promise: original, forced fields, defaults, and the largest growth of one value of each mapped field."""
        part = len(b"--" + BOUNDARY + b"\r\n" + field("", b"") + b"\r\n")
        for fields, more in (
            (DEFAULT, part + len("languagezh")),
            ({"$default": {"b": ["1", "22"], "o": {"k": ""}}}, 3 * part + len("b[]1b[]22o[k]")),
            ({"$default": {"b": []}}, 0),
            (MODEL, len("filled")),
            ({"$map": {"m": {"aaa": "b"}}}, 0),
            ({"$map": {"m": {"a": "会", "*": "x" * 10}}}, 10),
            ({"$map": {"m": {"会": "1234567", "x" * 50: "y" * 52}}}, 4),
            ({"$map": {"m": {"a": "bb"}, "n": {"a": "bbb"}}, **DEFAULT}, 1 + 2 + part + len("languagezh")),
            ({"m": None, "$map": {"m": {"a": "bb"}}, "$default": {"m": "x"}}, 0),
        ):
            rewriter = MultipartRewriter(Evaluation(rules_for(**fields)), BOUNDARY, 1000)
            self.assertEqual(rewriter.length, 1000 + more, fields)

    def test_sent_is_padding(self) -> None:
        """If the client sends a field, the room for its default becomes padding."""
        output = self.tried(form(field("language", b"en")), BOUNDARY, **DEFAULT)
        assert isinstance(output, Rewritten)
        part = len(b"--" + BOUNDARY + b"\r\n" + ZH + b"\r\n")
        self.assertTrue(output.body.endswith(b"--\r\n" + b" " * part))
        self.assertFalse(output.body.endswith(b"--\r\n" + b" " * (part + 1)))

    def test_first_always_fits(self) -> None:
        """The replacement of a field's first value always has room, even after heads that use all other room."""
        for name in ("model", "a_b"):
            for spelling in (name, name.upper(), name.replace("_", "["), name.replace("_", ".")):
                for new in ("", "b", "y" * 5000):
                    fields = {"$map": {name: {"": new, "*": new}}, "$default": {"language": "zh", name: "d"}}
                    for first in ((), (A,), (field(spelling + "x", b"1"), WAV)):
                        for end in (b"", b"\r\n"):
                            body = form(*first, field(spelling, b""), A, end=end)
                            output = self.tried(body, BOUNDARY, **fields)
                            assert isinstance(output, Rewritten), (spelling, output)
                            values = [item.value for item in by_multipart(output) if item.name == spelling]
                            self.assertEqual(values, [new.encode()], spelling)

    def test_unquoted(self) -> None:
        """With unquoted names, heads lose their optional white space, whether the field is mapped or not."""
        for count in range(4):
            parts = [spelled(b"name=model", b"a"), *[spelled(b"name=f%d" % n, b"1") for n in range(count)]]
            for order in (parts, parts[::-1]):
                for end in (b"", b"\r\n"):
                    output = self.tried(form(*order, end=end), BOUNDARY, **MODEL, **DEFAULT)
                    assert isinstance(output, Rewritten), output
                    self.assertIn(Item("model", None, None, b"longer"), by_multipart(output))
                    self.assertEqual(by_multipart(output)[-1], Item("language", None, None, b"zh"))

    def test_repeated(self) -> None:
        """
        With a length, one value of a repeated field may grow, and further values as far as others became shorter; else
        the error says what helps.  Without a length there is always room.
        """
        grows = field("model", b"a")
        for before, counts in (((), (1,)), ((field("model", b"long name"),), (1, 2))):
            for count in (1, 2, 3, 50):
                body = form(*before, *[grows] * count, A)
                output = self.tried(body, BOUNDARY, **{"$map": {"model": {"a": "longer", "long name": "b123"}}})
                if count in counts:
                    assert isinstance(output, Rewritten), output
                    values = [item.value for item in by_multipart(output)]
                    self.assertEqual(values, [b"b123"] * len(before) + [b"longer"] * count + [b"1"])
                else:
                    assert isinstance(output, str)
                    self.assertIn("repeat no field", output)
                free = rewrite(rules_for(**MODEL), BOUNDARY, [body], False)
                self.assertEqual([item.value for item in by_multipart(free)].count(b"longer"), count)

    def test_many(self) -> None:
        """A form of `MAX_PARTS` mapped fields that do not grow keeps its promised length."""
        parts = [field("model", b"same"), field("Model[]", b"long name")] * (MAX_PARTS // 2)
        output = rewrite(rules_for(**MODEL, **DEFAULT), BOUNDARY, [form(*parts)], True)
        self.assertEqual(len(output.body), output.length)
        values = [item.value for item in by_multipart(output)]
        self.assertEqual(values, [b"emas", b"b"] * (MAX_PARTS // 2) + [b"zh"])

    def test_room_is_not_lent(self) -> None:
        """Room that is reserved for a default is not used for a terse head."""
        terse = b"Content-Disposition:form-data;name="
        for count in range(1, 12):
            for sent in ((), (field("language", b"en"),)):
                body = form(*[terse + b"a\r\n\r\n1"] * count, *sent)
                output = self.tried(body, BOUNDARY, **{"$default": {"language": "z" * 300}})
                self.assertIsInstance(output, str)

    def test_short_boundaries(self) -> None:
        """With any boundary and terse heads, a form gets its promised length, or the error says what helps."""
        fields = {"p": "q", "$default": {"language": EMPTY, "t": "1"}, **MODEL}
        terse = b"Content-Disposition:form-data;name="
        left_some = 0
        for size in range(1, MIN_BOUNDARY + 2):
            boundary = b"x" * size
            for parts in (
                (),
                (terse + b"model\r\n\r\na",),
                (terse + b"a\r\n\r\n",) * 9,
                (terse + b"language\r\n\r\n", terse + b"model\r\n\r\n", terse + b"p\r\n\r\n"),
                (field("model", b""), field("model", b""), field("language", b"")),
                (field("model", b"long name"), field("t", b"")) * 20,
            ):
                for end in (b"", b"\r", b"\r\n", b"\r\n\r\n"):
                    output = self.tried(form(*parts, boundary=boundary, end=end), boundary, **fields)
                    if isinstance(output, str):
                        self.assertIn("double quotes", output)
                        continue
                    left_some += 1
                    names = [item.name for item in by_starlette(output)]
                    self.assertEqual(names[0], "p")
                    self.assertEqual((names.count("language"), names.count("t") > 0), (1, True), (size, parts))
        self.assertGreater(left_some, 200)
