"""
Evaluation of the configured rules for the fields of one form.  It does not depend on the body format.
"""

from __future__ import annotations

import enum
import functools
import unicodedata
from collections.abc import Callable, Container
from urllib.parse import quote

from ..config import Field, Rules, Text, fold
from ..errors import MalformedForm

#: Always dropped: a parser that obeys it (RFC 7578 §4.6) would decode the proxy's fields with the client's charset.
_ALWAYS_DROPPED = frozenset({"_charset_"})


class Decision(enum.Enum):
    """What the proxy does with a client's field."""

    PASSES = enum.auto()
    DROPPED = enum.auto()
    #: The name alone does not decide; call `Evaluation.settle` with the value.
    DEPENDS = enum.auto()


#: Module-level aliases: CPython 3.11 takes twenty times as long to look up a member through its class.
PASSES, DROPPED, DEPENDS = Decision


class Act(enum.Enum):
    """What a rule has done to a field, by the word that `Evaluation.summary` uses."""

    FORCED = "forced"
    DEFAULTED = "defaulted"
    MAPPED = "mapped"
    REMOVED = "removed"


class Evaluation:
    """
    The rules applied to one form; remembers which fields the client sent and what was done to them.

    :ivar rules: the rules to apply.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._sent: set[str] = set()
        self._done: dict[Act, dict[str, None]] = {}

    def decide(self, name: str) -> Decision:
        """
        Decide about a client's field by its name, in any spelling.

        :raises MalformedForm: when `key` raises it.
        """
        key = self.key(name)
        if key in self.rules.forced_by_name:
            if not self.rules.forced_by_name[key].parts:
                self._note(Act.REMOVED, self.rules.forced_by_name[key].name)
            return DROPPED
        if key in _ALWAYS_DROPPED:
            return DROPPED
        default = self.rules.defaults_by_name.get(key)
        if key in self.rules.maps_by_name or (default is not None and default.when_empty):
            return DEPENDS
        if default is not None:
            self._sent.add(key)
        return PASSES

    def evaluate(self, name: str, value: Callable[[], bytes | None]) -> Text | Decision:
        """
        Decide about a field whose value is complete.

        :param value: returns the field's value for `settle`; it is called only where the decision depends on the value.
        :return: as `settle` returns.
        :raises MalformedForm: when `key` raises it.
        """
        decision = self.decide(name)
        return self.settle(name, value()) if decision is DEPENDS else decision

    def settle(self, name: str, value: bytes | None) -> Text | Decision:
        """
        Decide about a field by its value, after `decide` has returned `DEPENDS`.

        :param value: the value; None for one that is longer than any value in a table.
        :return: the text that replaces the value; or `PASSES` or `DROPPED`.
        """
        key = self.key(name)
        rule = self.rules.maps_by_name.get(key)
        new = None
        if rule is not None:
            new = rule.other if value is None else rule.replacement(value)
            if new is not None:
                self._note(Act.MAPPED, rule.name)
        default = self.rules.defaults_by_name.get(key)
        if default is not None:
            if default.when_empty and (value == b"" if new is None else not new.text):
                return DROPPED
            self._sent.add(key)
        return new or PASSES

    def missing(self) -> list[Field]:
        """The defaults of the fields that the client did not send.  Call it after all of the client's fields."""
        fields = [default.field for key, default in self.rules.defaults_by_name.items() if key not in self._sent]
        for field in fields:
            if field.parts:
                self._note(Act.DEFAULTED, field.name)
        return fields

    def governs(self, name: str) -> bool:
        """Whether a field outside the form, for example in the query, would bypass a rule."""
        key = self.key(name)
        return key in self.rules.forced_by_name or key in self.rules.maps_by_name or key in _ALWAYS_DROPPED

    def summary(self) -> str:
        """What was done so far, with the names of the fields, in ASCII: ``forced=language,prompt; mapped=model``."""
        forced = dict.fromkeys(field.name for field in self.rules.forced if field.parts)
        done = {Act.FORCED: forced, **self._done}
        return "; ".join(
            f"{act.value}={','.join(quote(name, safe='[]') for name in done[act])}" for act in Act if done.get(act)
        )

    def _note(self, act: Act, name: str) -> None:
        self._done.setdefault(act, {})[name] = None

    def key(self, name: str) -> str:
        """
        The folded name under which the rules for a client's field are stored.

        :raises MalformedForm: when the name contains a control character; some parsers would truncate the name there.
        """
        keys = _keys_often(name) if len(name) <= 64 else _keys(name)
        if len(keys) == 1:
            return keys[0]
        # Servers may read the name in two ways: the stricter rule of the two applies.
        tables: tuple[Container[str], ...] = (
            _ALWAYS_DROPPED,
            self.rules.forced_by_name,
            self.rules.maps_by_name,
            self.rules.defaults_by_name,
        )
        return next((found for table in tables for found in keys if found in table), keys[0])


def _keys(name: str) -> tuple[str, ...]:
    """
    The folded names that servers may read from one name that a client sent.

    :raises MalformedForm: when the name contains a control character.
    """
    if not name.isprintable() and any(unicodedata.category(char) == "Cc" for char in name):
        raise MalformedForm("The name of a field contains a control character.")
    if "[" not in name or "]" in name:
        return (fold(name),)
    # PHP replaces an opening bracket that is never closed by an underscore.
    return fold(name), fold(name.replace("[", "_"))


#: Cached for short names only (see `Evaluation.key`): clients choose the names, and long ones must not fill the memory.
_keys_often = functools.lru_cache(maxsize=1024)(_keys)
