"""
Tests for :mod:`sttproxy.forms.evaluation`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import Config, Rules, Text, parse
from sttproxy.errors import MalformedForm
from sttproxy.forms.evaluation import Decision, Evaluation

from .rewriting import drops, forced_json, forced_parts, rules_for

PASSES, DROPPED = Decision.PASSES, Decision.DROPPED


class RulesTests(SynchronousTestCase):
    """A configuration in bytes, ready to be applied."""

    def test_forced(self) -> None:
        """All parts of all fields are written in the order of the file, in UTF-8."""
        rules = parse('{"prompt": "会议\\n", "g": ["a", "b"], "temperature": 0.20, "v": {"k": true}}'.encode()).base
        self.assertEqual(
            forced_parts(rules),
            (
                (b"prompt", "会议\n".encode()),
                (b"g[]", b"a"),
                (b"g[]", b"b"),
                (b"temperature", b"0.20"),
                (b"v[k]", b"true"),
            ),
        )

    def test_ruled(self) -> None:
        """Every field of the file is ruled, also one that is only removed; nothing else is."""
        rules = parse(b'{"prompt": null, "Gran[]": ["a"], "v": {}}').base
        self.assertEqual(forced_parts(rules), ((b"Gran[]", b"a"),))
        for name in (
            "prompt",
            "Prompt",
            "prompt[]",
            " prompt ",
            "[prompt]",
            "gran",
            "GRAN[0]",
            "ｇran［］",
            "v[k]",
            "V",
        ):
            self.assertTrue(drops(rules, name), name)
        for name in ("prompts", "", "file", "model", "initial_prompt", "k"):
            self.assertFalse(drops(rules, name), name)

    def test_forced_json(self) -> None:
        """A JSON object gets each value as it stands in the file, under the name without its brackets."""
        rules = parse('{"prompt": "会\\n", "g[]": ["a", 0.20], "v": {"k": true}, "x": null, "y": []}'.encode()).base
        self.assertEqual(
            forced_json(rules),
            [("prompt", '"会\\n"'), ("g", '["a", 0.20]'), ("v", '{"k": true}'), ("y", "[]")],
        )

    def test_charset(self) -> None:
        """A field that tells parsers how to decode the others is ruled by every configuration, in every spelling."""
        for config in (Config(), parse(b'{"a": "1"}')):
            for name in ("_charset_", "_CHARSET_", " _charset_[]", "＿charset＿", "_charset["):
                self.assertTrue(drops(config.base, name), name)

    def test_nothing(self) -> None:
        """An empty configuration rules and writes nothing."""
        for config in (Config(), parse(b"{}")):
            rules = config.base
            self.assertEqual(forced_parts(rules), ())
            for name in ("prompt", "", "file"):
                self.assertFalse(drops(rules, name))


def act(rules: Rules, *sent: tuple[str, bytes | None]) -> tuple[list[object], list[str], str]:
    """What becomes of each field that is sent, which defaults are added, and the summary."""
    evaluation = Evaluation(rules)
    fates: list[object] = []
    for name, value in sent:
        fate: Text | Decision = evaluation.decide(name)
        if fate is Decision.DEPENDS:
            fate = evaluation.settle(name, value)
        fates.append(fate.text if isinstance(fate, Text) else fate)
    return fates, [field.name for field in evaluation.missing()], evaluation.summary()


class DefaultTests(SynchronousTestCase):
    """What is added where the client sends none."""

    def test_missing(self) -> None:
        """A field that the client sends in any spelling passes, an empty one too; another one is added."""
        rules = rules_for(**{"$default": {"language": "zh", "Prompt[]": ["a"], "temperature": 0}})
        self.assertEqual(
            act(rules), ([], ["language", "Prompt[]", "temperature"], "defaulted=language,Prompt[],temperature")
        )
        for name in ("language", "LANGUAGE", " language ", "language[]", "language[0]", "ｌanguage", "[language]"):
            for value in (b"en", b""):
                fates, missing, summary = act(rules, (name, value))
                self.assertEqual((fates, missing), ([PASSES], ["Prompt[]", "temperature"]), name)
                self.assertEqual(summary, "defaulted=Prompt[],temperature")
        self.assertEqual(
            act(rules, ("prompt", b"")), ([PASSES], ["language", "temperature"], "defaulted=language,temperature")
        )
        self.assertEqual(act(rules, ("languages", b"en"))[1], ["language", "Prompt[]", "temperature"])

    def test_when_empty(self) -> None:
        """One that is for empty fields too has these dropped, however many, unless another one has a value."""
        rules = rules_for(**{"$default": {"language": {"value": "zh", "when_empty": True}}})
        for values, fates, missing in (
            ([b""], [DROPPED], ["language"]),
            ([b"", b""], [DROPPED] * 2, ["language"]),
            ([b"en"], [PASSES], []),
            ([b" "], [PASSES], []),
            ([b"\0"], [PASSES], []),
            ([b"", b"en", b""], [DROPPED, PASSES, DROPPED], []),
            ([None], [PASSES], []),
        ):
            self.assertEqual(act(rules, *(("language", value) for value in values))[:2], (fates, missing), values)

    def test_long_form(self) -> None:
        """The long form without the flag, or with it off, is the short one."""
        for long in ({"value": "zh"}, {"value": "zh", "when_empty": False}):
            rules = rules_for(**{"$default": {"language": long}})
            self.assertEqual(act(rules, ("language", b""))[:2], ([PASSES], []), long)
            self.assertEqual(act(rules)[1], ["language"], long)

    def test_forced(self) -> None:
        """A forced or removed field has no default."""
        for forced in ("x", None, [], {"k": 1}):
            rules = rules_for(**{"Language": forced, "$default": {"language": "zh"}})
            self.assertEqual(act(rules, ("language", b"en"))[:2], ([DROPPED], []), forced)
            self.assertEqual(act(rules)[1], [], forced)

    def test_charset(self) -> None:
        """The field that tells parsers how to decode is dropped, with defaults and maps of it too."""
        rules = rules_for(**{"$default": {"_charset_": "x"}, "$map": {"_charset_": {"*": "y"}}})
        self.assertEqual(act(rules, ("_charset_", b"utf-7"))[0], [DROPPED])

    def test_each_form(self) -> None:
        """What one form had is nothing to the next one."""
        rules = rules_for(**{"$default": {"language": "zh"}})
        self.assertEqual(act(rules, ("language", b"en"))[1], [])
        self.assertEqual(act(rules)[1], ["language"])


class MapTests(SynchronousTestCase):
    """What replaces a client's value."""

    def test_table(self) -> None:
        """A value that equals a key, to the byte, is replaced; another one passes."""
        rules = rules_for(**{"$map": {"model": {"a": "b", "": "none", "会": "c", "b": "c", "n": 1, "t": True}}})
        for value, fate in (
            (b"a", "b"),
            (b"b", "c"),
            (b"", "none"),
            ("会".encode(), "c"),
            (b"n", "1"),
            (b"t", "true"),
            (b"A", PASSES),
            (b"a ", PASSES),
            (b"a\n", PASSES),
            (b"*", PASSES),
            (b"\xff", PASSES),
            (None, PASSES),
        ):
            for name in ("model", "Model[]", "ｍodel"):
                fates, _, summary = act(rules, (name, value))
                self.assertEqual(fates, [fate], (name, value))
                self.assertEqual(summary, "" if fate is PASSES else "mapped=model", value)

    def test_any_other(self) -> None:
        """A star is any value that is not in the table: one too long to compare and one that is no text too."""
        rules = rules_for(**{"$map": {"model": {"a": "b", "*": "other"}}})
        for value, fate in ((b"a", "b"), (b"x", "other"), (b"", "other"), (b"*", "other"), (b"\xff", "other")):
            self.assertEqual(act(rules, ("model", value))[0], [fate], value)
        self.assertEqual(act(rules, ("model", None))[0], ["other"])

    def test_once(self) -> None:
        """What a value is replaced by is not looked up again."""
        rules = rules_for(**{"$map": {"model": {"a": "b", "b": "a"}}})
        self.assertEqual(act(rules, ("model", b"a"), ("model", b"b"))[0], ["b", "a"])

    def test_forced(self) -> None:
        """A forced or removed field has no table."""
        for forced in ("x", None):
            rules = rules_for(**{"Model": forced, "$map": {"model": {"*": "b"}}})
            self.assertEqual(act(rules, ("model", b"a"))[0], [DROPPED], forced)

    def test_before_defaults(self) -> None:
        """A table is for what the client sent: not for a default, which is for what the table left empty."""
        rules = rules_for(
            **{
                "$default": {"a": {"value": "x", "when_empty": True}, "b": "x"},
                "$map": {"a": {"drop": "", "": "none", "x": "never"}, "b": {"drop": "", "x": "never"}},
            }
        )
        for sent, fates, missing in (
            ([("a", b"drop"), ("b", b"drop")], [DROPPED, ""], ["a"]),
            ([("a", b""), ("b", b"")], ["none", PASSES], []),
            ([], [], ["a", "b"]),
        ):
            self.assertEqual(act(rules, *sent)[:2], (fates, missing), sent)


class GovernsTests(SynchronousTestCase):
    """What must not come another way than in the form."""

    def test_governs(self) -> None:
        """Forced, removed and mapped fields, in any spelling; not those that have but a default."""
        rules = rules_for(**{"f": "1", "r": None, "$default": {"d": "1", "f": "2"}, "$map": {"m": {"a": "b"}}})
        evaluation = Evaluation(rules)
        for name in ("f", "F[]", "r", "r[0]", "m", "ｍ", "_charset_"):
            self.assertTrue(evaluation.governs(name), name)
        for name in ("d", "x", ""):
            self.assertFalse(evaluation.governs(name), name)

    def test_bracket_never_closed(self) -> None:
        """What PHP makes an underscore of names the field with it, whatever rule the rest would be under."""
        for sections in ({}, {"$default": {"a": "d"}}, {"$map": {"a": {"x": "d"}}}):
            rules = rules_for(a_b="forced", **sections)
            evaluation = Evaluation(rules)
            self.assertIs(evaluation.decide("a[b"), DROPPED, sections)
            self.assertTrue(evaluation.governs("a[b"), sections)
        rules = rules_for(**{"$map": {"a_b": {"x": "y"}}, "$default": {"a_b": "z"}})
        self.assertEqual(act(rules, ("a[b", b"x"))[:2], (["y"], []))

    def test_control(self) -> None:
        """A name with a control character is judged by nobody."""
        evaluation = Evaluation(rules_for(**{"$map": {"m": {"a": "b"}}}))
        for name in ("m\0", "m\n", "\x7fm"):
            self.assertRaises(MalformedForm, evaluation.decide, name)
            self.assertRaises(MalformedForm, evaluation.governs, name)


class SummaryTests(SynchronousTestCase):
    """What is told of it."""

    def test_summary(self) -> None:
        """Each act with the names as the file spells them, once, in the order of the acts."""
        rules = rules_for(
            **{
                "Forced[]": ["1", "2"],
                "none": None,
                "other_none": None,
                "$default": {"Dé,f": "1", "sent": "2"},
                "$map": {"Map": {"a": "b"}, "unmapped": {"a": "b"}},
            }
        )
        sent = [("forced", b""), ("NONE", b""), ("sent", b""), ("map", b"a"), ("MAP", b"a"), ("unmapped", b"x")]
        self.assertEqual(act(rules, *sent)[2], "forced=Forced[]; defaulted=D%C3%A9%2Cf; mapped=Map; removed=none")

    def test_nothing(self) -> None:
        """Nothing done is nothing told; a field without parts is not told to be written."""
        self.assertEqual(act(rules_for())[2], "")
        self.assertEqual(act(rules_for(a=[]))[2], "")
        self.assertEqual(act(rules_for(**{"$default": {"a": []}}))[2], "")
