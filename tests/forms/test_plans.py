"""
Tests for :mod:`sttproxy.forms.plans`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import Rename
from sttproxy.forms.plans import DEPENDS, DROPPED, LONGEST_KEPT, MOST_KEPT, PASSES, plan_of

from .rewriting import rules_for

RULES = {
    "f": 1,
    "R": None,
    "Joined": {"$append": "x"},
    "$map": {"m": {"a": "b"}},
    "$default": {"e": {"value": 1, "when_empty": True}, "d": 1},
    "$rename": {"lang": "language", "j": "JOINED", "g": "g[]", "_charset_": "y"},
}


class PlanTests(SynchronousTestCase):
    """What rules say of a name."""

    def test_plans(self) -> None:
        """The name decides about the rule, and about the name that is sent."""
        lang, renamed, listed = Rename("lang", "language"), Rename("j", "JOINED"), Rename("g", "g[]")
        rules = rules_for(**RULES)
        (table,), (joined,), (empty, default) = rules.maps, rules.joined, rules.defaults
        for name, key, decision, rule, sent_as, meets, repeats in (
            ("x", "x", PASSES, None, "x", "", False),
            ("F[]", "f", DROPPED, None, "F[]", "", True),
            ("r", "r", DROPPED, "R", "r", "", False),
            ("_Charset_", "_charset_", DROPPED, None, "_Charset_", "", False),
            ("m", "m", DEPENDS, table, "m", "", False),
            ("e", "e", DEPENDS, empty, "e", "", False),
            ("d", "d", PASSES, default, "d", "", False),
            ("joined[x]", "joined", DEPENDS, joined, "Joined", "joined", False),
            ("Language", "language", PASSES, None, "Language", "language", False),
            ("LANG", "lang", PASSES, lang, "language", "language", False),
            ("lang[]", "lang", PASSES, lang, "language[]", "language", True),
            ("j", "j", PASSES, renamed, "Joined", "joined", False),
            ("g", "g", PASSES, listed, "g[]", "g", True),
        ):
            plan = plan_of(rules, name)
            self.assertEqual((plan.key, plan.decision, plan.sent_as), (key, decision, sent_as), name)
            self.assertEqual((plan.meets, plan.repeats), (meets, repeats), name)
            found = [each for each in (plan.removed, plan.joined, plan.table, plan.default, plan.rename) if each]
            self.assertEqual(found, [rule] if rule else [], name)

    def test_bounded(self) -> None:
        """Only short names are kept, and not many."""
        rules = rules_for()
        plan_of(rules, "x" * LONGEST_KEPT)
        plan_of(rules, "x" * (LONGEST_KEPT + 1))
        self.assertEqual([*rules.plans], ["x" * LONGEST_KEPT])
        for number in range(2 * MOST_KEPT):
            plan_of(rules, str(number))
            self.assertLessEqual(len(rules.plans), MOST_KEPT)
        self.assertIn(str(2 * MOST_KEPT - 1), rules.plans)
