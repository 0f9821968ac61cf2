"""
Tests for :mod:`sttproxy.config.model`: profiles over the base, lookups of rules, and differences between
configurations.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import REMOVED, Config, Default, Field, Joined, Map, Rename, Rules, Text, parse

from ..forms.rewriting import forced_parts

#: Rules as pairs: forced, mapped and default fields, each with its values.
Said = tuple[list[tuple[str, Any]], list[tuple[str, Any]], list[tuple[str, Any]]]

BASE = {
    "language": "zh",
    "prompt": "base",
    "stream": None,
    "$default": {"model": "m", "temperature": 0},
    "$map": {"model": {"a": "b", "*": "c"}},
}
#: Profiles over that base, and the resulting rules.
OVERLAYS: tuple[tuple[dict[str, Any], Said], ...] = (
    (
        {},
        (
            [("language", "zh"), ("prompt", "base"), ("stream", None)],
            [("model", {"a": "b", "*": "c"})],
            [("model", "m"), ("temperature", "0")],
        ),
    ),
    (
        {"language": "en", "prompt": None, "stream": True, "seed": 1},
        (
            [("language", "en"), ("prompt", None), ("stream", "true"), ("seed", "1")],
            [("model", {"a": "b", "*": "c"})],
            [("model", "m"), ("temperature", "0")],
        ),
    ),
    (
        {"Language[]": "en"},
        (
            [("Language[]", "en"), ("prompt", "base"), ("stream", None)],
            [("model", {"a": "b", "*": "c"})],
            [("model", "m"), ("temperature", "0")],
        ),
    ),
    (
        {"$default": {"Model": "n", "language": "en"}, "$map": {"model": {"x": "y"}, "language": {"*": "de"}}},
        (
            [("language", "zh"), ("prompt", "base"), ("stream", None)],
            [("model", {"x": "y"}), ("language", {"*": "de"})],
            [("Model", "n"), ("temperature", "0"), ("language", "en")],
        ),
    ),
    (
        {"$unset": ["LANGUAGE", "model[]", "nothing"]},
        ([("prompt", "base"), ("stream", None)], [], [("temperature", "0")]),
    ),
    (
        {"$unset": ["language", "model"], "language": "en", "$default": {"model": "n"}},
        ([("prompt", "base"), ("stream", None), ("language", "en")], [], [("temperature", "0"), ("model", "n")]),
    ),
    (
        {"$unset": ["prompt", "language", "stream", "model", "temperature"]},
        ([], [], []),
    ),
    (
        {"$default": {}, "$map": {}},
        (
            [("language", "zh"), ("prompt", "base"), ("stream", None)],
            [("model", {"a": "b", "*": "c"})],
            [("model", "m"), ("temperature", "0")],
        ),
    ),
)


def config(value: Any) -> Config:
    """The configuration in a JSON object."""
    return parse(json.dumps(value).encode())


def said(rules: Rules) -> Said:
    """Rules as pairs, for comparison."""

    def table(rule: Map) -> dict[str, str]:
        return {old: new.text for old, new in rule.table.items() if isinstance(new, Text)}

    def value(field: Field) -> str | None:
        return field.parts[0][1] if field.parts else None

    return (
        [(field.name, value(field)) for field in rules.forced],
        [(rule.name, table(rule)) for rule in rules.maps],
        [(rule.name, value(rule.field)) for rule in rules.defaults],
    )


class OverlayTests(SynchronousTestCase):
    """A profile over the base."""

    def test_overlays(self) -> None:
        """A member replaces the base's of the same field in the same section; the others stay, in their order."""
        for profile, expected in OVERLAYS:
            both = config({**BASE, "$profiles": {"p": profile}})
            self.assertEqual(said(both.rules("p")), expected, profile)
            self.assertEqual(said(both.rules("")), OVERLAYS[0][1], profile)

    def test_order_of_members(self) -> None:
        """The profiles can be before or after the base's members in the file; the result is the same."""
        for profile, expected in OVERLAYS:
            self.assertEqual(said(config({"$profiles": {"p": profile}, **BASE}).rules("p")), expected, profile)

    def test_apart(self) -> None:
        """Profiles do not affect each other."""
        both = config({"a": 1, "$profiles": {"p": {"$unset": ["a"], "b": 2}, "q": {"c": 3}}})
        self.assertEqual(said(both.rules("p"))[0], [("b", "2")])
        self.assertEqual(said(both.rules("q"))[0], [("a", "1"), ("c", "3")])

    def test_both_cases(self) -> None:
        """If the base has a field in two cases, a profile replaces or removes both."""
        base = {"a": 1, "A": 2, "b": 3}
        both = config({**base, "$profiles": {"p": {"a": 4}, "q": {"$unset": ["A"]}, "r": {"c": 5}}})
        self.assertEqual(said(both.rules("p"))[0], [("a", "4"), ("b", "3")])
        self.assertEqual(said(both.rules("q"))[0], [("b", "3")])
        self.assertEqual(said(both.rules("r"))[0], [("a", "1"), ("A", "2"), ("b", "3"), ("c", "5")])

    def test_unknown(self) -> None:
        """A profile that does not exist raises KeyError."""
        self.assertRaises(KeyError, config({"$profiles": {"p": {}}}).rules, "q")


class RulesTests(SynchronousTestCase):
    """Lookups in rules."""

    def test_precedence(self) -> None:
        """A forced or removed field hides its table and its default.  A table and a default work together."""
        for value in ("x", None, []):
            rules = config({"A[]": value, "$map": {"a": {"*": 1}}, "$default": {"a[x]": 2}}).base
            self.assertEqual(
                (list(rules.forced_by_name), rules.maps_by_name, rules.defaults_by_name), (["a"], {}, {}), value
            )
            self.assertEqual(rules.names, {"a"})
        rules = config({"b": 1, "$map": {"a": {"*": 1}}, "$default": {"A": 2}}).base
        self.assertEqual((list(rules.maps_by_name), list(rules.defaults_by_name)), (["a"], ["a"]))
        self.assertEqual(rules.names, {"a", "b"})

    def test_forced_parts(self) -> None:
        """The forced fields are encoded in the file's order, in UTF-8."""
        rules = config({"名": "会", "a": None, "t": [1, 2], "x": {"k": True}, "$default": {"d": 1}}).base
        self.assertEqual(
            forced_parts(rules),
            (("名".encode(), "会".encode()), (b"t[]", b"1"), (b"t[]", b"2"), (b"x[k]", b"true")),
        )

    def test_spellings(self) -> None:
        """Names are listed as the file spells them, each once."""
        rules = config({"B[]": 1, "a": None, "$map": {"C": {}, "a": {}}, "$default": {"d": 1, "C": 2}}).base
        self.assertEqual(rules.spellings(), ["B[]", "a", "C", "d"])
        for folded, spelled in (("b", "B[]"), ("a", "a"), ("c", "C"), ("d", "d"), ("e", "")):
            self.assertEqual(rules.spelling(folded), spelled)

    def test_when_empty(self) -> None:
        """A default counts an empty field as sent unless it says otherwise."""
        for value, expected in (
            ("x", False),
            ({"value": "x"}, False),
            ({"value": "x", "when_empty": False}, False),
            ({"when_empty": True, "value": "x"}, True),
        ):
            (rule,) = config({"$default": {"a": value}}).base.defaults
            self.assertEqual(rule, Default(Field("a", (("a", "x"),), '"x"'), expected), value)

    def test_long_form(self) -> None:
        """An object is the long form of a default if it has a member of that form.  Each kind of value can have it."""
        for value, parts in (
            ({"type": "x"}, (("a[type]", "x"),)),
            ({"value": {"type": "x"}}, (("a[type]", "x"),)),
            ({"value": {"value": "x"}}, (("a[value]", "x"),)),
            ({"value": [1, "x"]}, (("a[]", "1"), ("a[]", "x"))),
            ({}, ()),
        ):
            (rule,) = config({"$default": {"a": value}}).base.defaults
            self.assertEqual(rule.field.parts, parts, value)
        (field,) = config({"a": {"value": "x", "when_empty": True}}).base.forced
        self.assertEqual(field.parts, (("a[value]", "x"), ("a[when_empty]", "true")))

    def test_replacement(self) -> None:
        """A table's own entry has priority over ``*``; a value that is not UTF-8 gets only ``*``."""
        table = {"whisper-1": "new", "": "filled", "会": 0.5, "x": ""}
        for more, other in (({}, None), ({"*": "rest"}, "rest")):
            (rule,) = config({"$map": {"model": {**more, **table}}}).base.maps
            for value, expected in (
                (b"whisper-1", "new"),
                (b"", "filled"),
                ("会".encode(), "0.5"),
                (b"x", ""),
                (b"Whisper-1", "new"),
                (b"X", ""),
                (b"whisper-1 ", other),
                (b"*", other),
                (b"\xff", other),
            ):
                found = rule.replacement(value)
                self.assertEqual(found.text if isinstance(found, Text) else found, expected, value)

    def test_priority(self) -> None:
        """An equal key has priority, then the longest beginning, then the star; null removes the field."""
        table = {"zh-*": "zh", "zh-TW": "tw", "ZH-H*": None, "z*": "z", "": None, "É*": "e", "*": "rest"}
        (rule,) = config({"$map": {"language": table}}).base.maps
        for value, expected in (
            ("zh-CN", "zh"),
            ("ZH-cn", "zh"),
            ("zh-", "zh"),
            ("zh", "z"),
            ("Zh_CN", "z"),
            ("zh-tw", "tw"),
            ("zh-tw2", "zh"),
            ("zh-Hans", REMOVED),
            ("", REMOVED),
            ("é", "e"),
            ("e\u0301", "rest"),
            ("en", "rest"),
            (" zh-CN", "rest"),
        ):
            found = rule.replacement(value.encode())
            self.assertEqual(found.text if isinstance(found, Text) else found, expected, value)
        self.assertEqual(rule.replacement(None), Text("rest", '"rest"'))

    def test_many_values(self) -> None:
        """Results do not depend on the values before, however many there are."""
        (rule,) = config({"$map": {"a": {"1*": "x", "2": None}}}).base.maps
        for _ in range(2):
            for number in range(1000):
                found = rule.replacement(b"%d" % number)
                expected = REMOVED if number == 2 else Text("x", '"x"') if str(number)[0] == "1" else None
                self.assertEqual(found, expected, number)

    def test_readings(self) -> None:
        """A value that servers may read in several ways is replaced if the table has one of the readings."""
        (rule,) = config({"$map": {"a": {"auto": None, "é": None, "zh-*": None}}}).base.maps
        for value, whole, removed in (
            (b"auto\0x", True, True),
            (b"auto\0" + b"x" * 99, False, True),
            (b"auto", False, False),
            (b"auto ", True, False),
            (b"\xe9", True, True),
            (b"zh-\xff", True, True),
            (b"zh-" + b"x" * 99, False, True),
            (b"\xffzh-", True, False),
            (b"x\0auto", True, False),
        ):
            self.assertIs(rule.replacement(value, whole), REMOVED if removed else None, value)

    def test_renamed(self) -> None:
        """Brackets are kept behind a new name that has none, but nothing that could end the name."""
        for new, name, expected in (
            ("language", "lang", "language"),
            ("language", "LANG", "language"),
            ("language", "lang[]", "language[]"),
            ("language", "lang[0][a-b]", "language[0][a-b]"),
            ("language", "[lang]", "language"),
            ("language", "[lang][]", "language"),
            ("language", "lang[", "language"),
            ("language", "lang[\uff02; filename=\uff02x]", "language"),
            ("language", "lang[a;b]", "language"),
            ("language", "lang\uff3b\uff3d", "language"),
            ("l[]", "lang", "l[]"),
            ("l[]", "lang[]", "l[]"),
            ("l[]", "lang[x]", "l[]"),
        ):
            self.assertEqual(Rename("lang", new).applied(name), expected, name)

    def test_joined(self) -> None:
        """The texts are around the client's value, of which as many of the last words are left as max_tokens allows."""
        rule = Joined("prompt", "a ", " z", 3)
        self.assertEqual(rule.alone, Field("prompt", (("prompt", "a  z"),), '"a  z"'))
        self.assertEqual((rule.to("\n").text, rule.to("\n").json), ("a \n z", '"a \\n z"'))
        self.assertEqual(rule.fitting("one two three four"), "four")
        self.assertEqual(Joined("prompt", "", "", None).fitting("one two three"), "one two three")

    def test_set(self) -> None:
        """A joined field hides its table and its default, and a profile replaces it like a forced one."""
        fields = {"A": {"$append": "x"}, "$map": {"a": {"*": 1}}, "$default": {"a": 2}, "b": 1}
        both = config({**fields, "$profiles": {"p": {"a": 1, "b": {"$prepend": "y"}}, "q": {"$unset": ["a"]}}})
        rules = both.base
        self.assertEqual((list(rules.joined_by_name), rules.maps_by_name, rules.defaults_by_name), (["a"], {}, {}))
        self.assertEqual(rules.spellings(), ["b", "A", "a"])
        self.assertEqual([rule.name for rule in both.rules("p").forced], ["a"])
        self.assertEqual([rule.name for rule in both.rules("p").joined], ["b"])
        self.assertEqual(([*both.rules("q").joined], [*both.rules("q").maps_by_name]), ([], []))

    def test_renames_of_profiles(self) -> None:
        """A profile adds, replaces and unsets renames by their old name."""
        both = config({"$rename": {"a": "x", "b": "y"}, "$profiles": {"p": {"$rename": {"A": "z"}, "$unset": ["b"]}}})
        self.assertEqual(both.base.renames, (Rename("a", "x"), Rename("b", "y")))
        self.assertEqual(both.rules("p").renames, (Rename("A", "z"),))

    def test_growth(self) -> None:
        """The growth is the largest number of bytes by which a table can make a value longer."""
        for table, growth in (
            ({}, 0),
            ({"abc": "x"}, 0),
            ({"abc": "abcde"}, 2),
            ({"abc": "abcde", "a": "会会"}, 5),
            ({"会": "abcd"}, 1),
            ({"abc": "abcde", "*": "会"}, 3),
            ({"abc*": "abcde", "x": None}, 2),
            ({"*": ""}, 0),
        ):
            (rule,) = config({"$map": {"a": table}}).base.maps
            self.assertEqual(rule.growth, growth, table)


class ChangesTests(SynchronousTestCase):
    """The description of a change."""

    def test_changes(self) -> None:
        """It names the fields whose rules differ, for a profile only those not named for the base, and no values."""
        for old, new, names in (
            ({"$default": {"a": 1}}, {"$default": {"a": 2}}, ["a"]),
            ({"$default": {"a": 1}}, {"$default": {"a": {"value": 1}}}, []),
            ({"$default": {"a": 1}}, {"$default": {"a": {"value": 1, "when_empty": True}}}, ["a"]),
            ({"$default": {"a": 1}}, {"a": 1}, ["a"]),
            ({"$map": {"a": {"x": 1}}}, {"$map": {"a": {"x": 2}}}, ["a"]),
            ({"$map": {"a": {"x": 1}}}, {"$map": {"a": {"x": 1, "*": 2}}}, ["a"]),
            ({"$map": {"a": {"x": 1, "y": 2}}}, {"$map": {"a": {"y": 2, "x": 1}}}, []),
            ({"$map": {"a": {"x": None}}}, {"$map": {"a": {}}}, ["a"]),
            ({"a": "x"}, {"a": {"$prepend": "x"}}, ["a"]),
            ({"a": {"$append": "x"}}, {"a": {"$prepend": "x"}}, ["a"]),
            ({"a": {"$append": "x"}}, {"a": {"$append": "x", "max_tokens": 9}}, ["a"]),
            ({"$rename": {"a": "b"}}, {"$rename": {"a": "c"}}, ["a"]),
            ({"a": 1, "$map": {"a": {}}, "$default": {"a": 2}}, {"a": 1}, []),
            ({"$schema": "x"}, {}, []),
            ({"a": 1}, {"A[]": 1}, ["A[]"]),
            ({"A": 1}, {}, ["A"]),
            ({"a": 1, "A": 1}, {"a": 2, "A": 1}, ["a"]),
            ({"a": 1, "A": 1}, {"a": 1, "A": 2}, ["a"]),
            ({"a": 1, "A": 1}, {"A": 1}, ["A"]),
            ({}, {"$profiles": {"q": {}, "p": {}}}, ["profile p", "profile q"]),
            ({"$profiles": {"p": {"a": 1}}}, {}, ["profile p"]),
            ({"$profiles": {"p": {"b": 1, "a": 1}}}, {"$profiles": {"p": {"b": 2}}}, ["p: a", "p: b"]),
            ({"a": 1, "$profiles": {"p": {}}}, {"a": 2, "$profiles": {"p": {}}}, ["a"]),
            ({"a": 1, "$profiles": {"p": {"a": 0}}}, {"a": 2, "$profiles": {"p": {"a": 0}}}, ["a"]),
            ({"a": 1, "$profiles": {"p": {}}}, {"a": 1, "$profiles": {"p": {"$unset": ["a"]}}}, ["p: a"]),
            ({"b": 1, "$profiles": {"p": {"c": 1}}}, {"b": 2, "$profiles": {"p": {"c": 2}}}, ["b", "p: c"]),
        ):
            self.assertEqual(config(old).changes(config(new)), names, (old, new))

    def test_keys(self) -> None:
        """A change of API keys is named ``keys``, without details."""
        rules = b'{"$profiles": {"p": {}, "q": {}}}'

        def keyed(text: str) -> Config:
            return parse(rules, keys="keys", read=lambda path: text.encode())

        one, other = ('{{"sha256:{}": "{}"}}'.format("0" * 64, profile) for profile in "pq")
        self.assertEqual(keyed(one).changes(keyed(one + "\n")), [])
        self.assertEqual(keyed(one).changes(keyed(other)), ["keys"])
        self.assertEqual(keyed("{}").changes(keyed(one)), ["keys"])
