"""
Tests for :mod:`sttproxy.forms.evaluation`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import Config, Rules, Text, parse
from sttproxy.errors import MalformedForm
from sttproxy.forms.evaluation import Evaluation
from sttproxy.forms.plans import Decision

from .rewriting import drops, forced_json, forced_parts, rules_for

PASSES, DROPPED = Decision.PASSES, Decision.DROPPED


class RulesTests(SynchronousTestCase):
    """Tests for the rules of a parsed configuration: forced and removed fields."""

    def test_forced(self) -> None:
        """All parts of all forced fields are written in the order of the file, in UTF-8."""
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
        """Each field of the file, forced or removed, is dropped from the client's form; other fields are not."""
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
        """In a JSON object each value has the JSON text of the file, under the name without its brackets."""
        rules = parse('{"prompt": "会\\n", "g[]": ["a", 0.20], "v": {"k": true}, "x": null, "y": []}'.encode()).base
        self.assertEqual(
            forced_json(rules),
            [("prompt", '"会\\n"'), ("g", '["a", 0.20]'), ("v", '{"k": true}'), ("y", "[]")],
        )

    def test_charset(self) -> None:
        """Every configuration drops ``_charset_``, in any spelling: parsers would decode the other fields by it."""
        for config in (Config(), parse(b'{"a": "1"}')):
            for name in ("_charset_", "_CHARSET_", " _charset_[]", "＿charset＿", "_charset["):
                self.assertTrue(drops(config.base, name), name)

    def test_nothing(self) -> None:
        """An empty configuration drops and writes nothing."""
        for config in (Config(), parse(b"{}")):
            rules = config.base
            self.assertEqual(forced_parts(rules), ())
            for name in ("prompt", "", "file"):
                self.assertFalse(drops(rules, name))


def act(rules: Rules, *sent: tuple[str, bytes | None]) -> tuple[list[object], list[str], str]:
    """The decision about each field that is sent, the names of the added defaults, and the summary."""
    evaluation = Evaluation(rules)
    results: list[object] = []
    for name, value in sent:
        result: Text | Decision = evaluation.decide(name)
        if result is Decision.DEPENDS:
            result = evaluation.settle(name, value)
        results.append(result.text if isinstance(result, Text) else result)
    return results, [field.name for field in evaluation.missing()], evaluation.summary()


class DefaultTests(SynchronousTestCase):
    """Tests for defaults."""

    def test_missing(self) -> None:
        """If the client sends a field in any spelling, even empty, it passes; if not, its default is added."""
        rules = rules_for(**{"$default": {"language": "zh", "Prompt[]": ["a"], "temperature": 0}})
        self.assertEqual(
            act(rules), ([], ["language", "Prompt[]", "temperature"], "defaulted=language,Prompt[],temperature")
        )
        for name in ("language", "LANGUAGE", " language ", "language[]", "language[0]", "ｌanguage", "[language]"):
            for value in (b"en", b""):
                results, missing, summary = act(rules, (name, value))
                self.assertEqual((results, missing), ([PASSES], ["Prompt[]", "temperature"]), name)
                self.assertEqual(summary, "defaulted=Prompt[],temperature")
        self.assertEqual(
            act(rules, ("prompt", b"")), ([PASSES], ["language", "temperature"], "defaulted=language,temperature")
        )
        self.assertEqual(act(rules, ("languages", b"en"))[1], ["language", "Prompt[]", "temperature"])

    def test_when_empty(self) -> None:
        """With ``when_empty`` all empty fields are dropped; the default is added unless another copy has a value."""
        rules = rules_for(**{"$default": {"language": {"value": "zh", "when_empty": True}}})
        for values, results, missing in (
            ([b""], [DROPPED], ["language"]),
            ([b"", b""], [DROPPED] * 2, ["language"]),
            ([b"en"], [PASSES], []),
            ([b" "], [PASSES], []),
            ([b"\0"], [PASSES], []),
            ([b"", b"en", b""], [DROPPED, PASSES, DROPPED], []),
            ([None], [PASSES], []),
        ):
            self.assertEqual(act(rules, *(("language", value) for value in values))[:2], (results, missing), values)

    def test_long_form(self) -> None:
        """The long form without the flag, or with the flag false, equals the short form."""
        for long in ({"value": "zh"}, {"value": "zh", "when_empty": False}):
            rules = rules_for(**{"$default": {"language": long}})
            self.assertEqual(act(rules, ("language", b""))[:2], ([PASSES], []), long)
            self.assertEqual(act(rules)[1], ["language"], long)

    def test_forced(self) -> None:
        """The default of a forced or removed field is not used."""
        for forced in ("x", None, [], {"k": 1}):
            rules = rules_for(**{"Language": forced, "$default": {"language": "zh"}})
            self.assertEqual(act(rules, ("language", b"en"))[:2], ([DROPPED], []), forced)
            self.assertEqual(act(rules)[1], [], forced)

    def test_charset(self) -> None:
        """``_charset_`` is dropped even if it has a default and a table of values."""
        rules = rules_for(**{"$default": {"_charset_": "x"}, "$map": {"_charset_": {"*": "y"}}})
        self.assertEqual(act(rules, ("_charset_", b"utf-7"))[0], [DROPPED])

    def test_each_form(self) -> None:
        """The fields of one form do not affect the next form."""
        rules = rules_for(**{"$default": {"language": "zh"}})
        self.assertEqual(act(rules, ("language", b"en"))[1], [])
        self.assertEqual(act(rules)[1], ["language"])


class MapTests(SynchronousTestCase):
    """Tests for tables of values."""

    def test_table(self) -> None:
        """A value that equals a key, whatever its case, is replaced; any other value passes."""
        rules = rules_for(**{"$map": {"model": {"a": "b", "": "none", "会": "c", "b": "c", "n": 1, "t": True}}})
        for value, result in (
            (b"a", "b"),
            (b"b", "c"),
            (b"", "none"),
            ("会".encode(), "c"),
            (b"n", "1"),
            (b"t", "true"),
            (b"A", "b"),
            (b"T", "true"),
            (b"a ", PASSES),
            (b"a\n", PASSES),
            (b"*", PASSES),
            (b"\xff", PASSES),
            (None, PASSES),
        ):
            for name in ("model", "Model[]", "ｍodel"):
                results, _, summary = act(rules, (name, value))
                self.assertEqual(results, [result], (name, value))
                self.assertEqual(summary, "" if result is PASSES else "mapped=model", value)

    def test_any_other(self) -> None:
        """A star matches any value that is not in the table, even one that is too long to compare or not UTF-8."""
        rules = rules_for(**{"$map": {"model": {"a": "b", "*": "other"}}})
        for value, result in ((b"a", "b"), (b"x", "other"), (b"", "other"), (b"*", "other"), (b"\xff", "other")):
            self.assertEqual(act(rules, ("model", value))[0], [result], value)
        self.assertEqual(act(rules, ("model", None))[0], ["other"])

    def test_once(self) -> None:
        """A replacement is not looked up again."""
        rules = rules_for(**{"$map": {"model": {"a": "b", "b": "a"}}})
        self.assertEqual(act(rules, ("model", b"a"), ("model", b"b"))[0], ["b", "a"])

    def test_forced(self) -> None:
        """The table of a forced or removed field is not used."""
        for forced in ("x", None):
            rules = rules_for(**{"Model": forced, "$map": {"model": {"*": "b"}}})
            self.assertEqual(act(rules, ("model", b"a"))[0], [DROPPED], forced)

    def test_before_defaults(self) -> None:
        """Tables apply to the client's values, not to defaults; a default replaces a value that a table made empty."""
        rules = rules_for(
            **{
                "$default": {"a": {"value": "x", "when_empty": True}, "b": "x"},
                "$map": {"a": {"drop": "", "": "none", "x": "never"}, "b": {"drop": "", "x": "never"}},
            }
        )
        for sent, results, missing in (
            ([("a", b"drop"), ("b", b"drop")], [DROPPED, ""], ["a"]),
            ([("a", b""), ("b", b"")], ["none", PASSES], []),
            ([], [], ["a", "b"]),
        ):
            self.assertEqual(act(rules, *sent)[:2], (results, missing), sent)


class GovernsTests(SynchronousTestCase):
    """Tests for fields outside the form, for example in the query."""

    def test_governs(self) -> None:
        """Rules govern all fields in any spelling, except those that have only a default, and new names of renames."""
        rules = rules_for(
            **{
                "f": "1",
                "r": None,
                "j": {"$append": "x"},
                "$rename": {"o": "n"},
                "$default": {"d": "1", "f": "2"},
                "$map": {"m": {"a": "b"}},
            }
        )
        evaluation = Evaluation(rules)
        for name in ("f", "F[]", "r", "r[0]", "m", "ｍ", "_charset_", "j", "J[x]", "o", "O"):
            self.assertTrue(evaluation.governs(name), name)
        for name in ("d", "x", "n", ""):
            self.assertFalse(evaluation.governs(name), name)

    def test_bracket_never_closed(self) -> None:
        """An unclosed bracket counts as an underscore too, as in PHP; the stricter rule of both readings applies."""
        for sections in ({}, {"$default": {"a": "d"}}, {"$map": {"a": {"x": "d"}}}):
            rules = rules_for(a_b="forced", **sections)
            evaluation = Evaluation(rules)
            self.assertIs(evaluation.decide("a[b"), DROPPED, sections)
            self.assertTrue(evaluation.governs("a[b"), sections)
        rules = rules_for(**{"$rename": {"a_b": "c"}})
        self.assertEqual((Evaluation(rules).sent_as("a[b"), Evaluation(rules).sent_as("a")), ("c", "a"))
        rules = rules_for(**{"$map": {"a_b": {"x": "y"}}, "$default": {"a_b": "z"}})
        self.assertEqual(act(rules, ("a[b", b"x"))[:2], (["y"], []))

    def test_control(self) -> None:
        """A name with a control character is refused."""
        evaluation = Evaluation(rules_for(**{"$map": {"m": {"a": "b"}}}))
        for name in ("m\0", "m\n", "\x7fm"):
            self.assertRaises(MalformedForm, evaluation.decide, name)
            self.assertRaises(MalformedForm, evaluation.governs, name)


class SummaryTests(SynchronousTestCase):
    """Tests for the summary."""

    def test_summary(self) -> None:
        """Each act lists the names once, as the file spells them; the acts have a fixed order."""
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

    def test_joined_and_renamed(self) -> None:
        """Joined fields, cut ones, renames by their old name, and values that were removed."""
        rules = rules_for(
            **{
                "p": {"$append": "x", "max_tokens": 1},
                "q": {"$append": "x"},
                "$rename": {"Lang": "language"},
                "$map": {"language": {"auto": None}},
            }
        )
        evaluation = Evaluation(rules)
        for name, value in (("p", b"one two"), ("lang", b"auto")):
            name = evaluation.sent_as(name)
            self.assertIs(evaluation.decide(name), Decision.DEPENDS)
            evaluation.settle(name, value)
        evaluation.missing()
        self.assertEqual(evaluation.summary(), "removed=language; joined=p,q; cut=p; renamed=Lang")

    def test_nothing(self) -> None:
        """The summary is empty if nothing was done; a field without parts is not listed."""
        self.assertEqual(act(rules_for())[2], "")
        self.assertEqual(act(rules_for(a=[]))[2], "")
        self.assertEqual(act(rules_for(**{"$default": {"a": []}}))[2], "")


class ValuesTests(SynchronousTestCase):
    """What is shown for debugging."""

    def test_values(self) -> None:
        """Each act shows names and values, cut to a length; what the client sent is shown where it was replaced."""
        evaluation = Evaluation(
            parse(
                b'{"language": "zh", "g": ["a", "b"], "prompt": "' + b"x" * 300 + b'", "seed": null, '
                b'"$default": {"temperature": 0}, "$map": {"model": {"a": "whisper-1", "*": "other"}}}'
            ).base
        )
        for name, value in (("seed", b"1"), ("model", b"a\xff"), ("language", b"secret")):
            evaluation.evaluate(name, lambda value=value: value)
        evaluation.missing()
        self.assertEqual(
            evaluation.values(),
            f"forced language='zh'; forced g[]='a', g[]='b'; forced prompt='{'x' * 200}…'; defaulted temperature='0'; "
            "mapped model='a\\\\xff' to 'other'; removed seed",
        )

    def test_long(self) -> None:
        """A value that is too long for any table is not shown."""
        evaluation = Evaluation(parse(b'{"$map": {"model": {"*": "other"}}}').base)
        evaluation.settle("model", None)
        self.assertEqual(evaluation.values(), "mapped model=… to 'other'")
