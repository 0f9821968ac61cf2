"""
The rules of the configuration, applied to one form field by field, whatever kind of form it is.
"""

from __future__ import annotations

import enum
import functools
import unicodedata
from collections.abc import Callable, Container
from urllib.parse import quote

from ..config import Field, Rules, Text, fold
from ..errors import MalformedForm

#: Always dropped: a parser that obeys it (RFC 7578 §4.6) would decode our fields by it.
_ALWAYS_DROPPED = frozenset({"_charset_"})


class Decision(enum.Enum):
    """What becomes of a client's field."""

    PASSES = enum.auto()
    DROPPED = enum.auto()
    #: It depends on the value.
    DEPENDS = enum.auto()


#: CPython 3.11 takes twenty times as long to look a member up through its class.
PASSES, DROPPED, DEPENDS = Decision


class Act(enum.Enum):
    """What a rule has done, as the header of `Evaluation.summary` calls it."""

    FORCED = "forced"
    DEFAULTED = "defaulted"
    MAPPED = "mapped"
    REMOVED = "removed"


class Evaluation:
    """
    One form's way through the rules.

    :ivar rules: those that are applied.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._sent: set[str] = set()
        self._done: dict[Act, dict[str, None]] = {}

    def decide(self, name: str) -> Decision:
        """
        Judge a client's field by its name, in any spelling.

        :raises MalformedForm: as `key` does.
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
        Judge a field that came whole.

        :param value: gives its value, if that matters; see `settle`, as for what is returned.
        :raises MalformedForm: as `key` does.
        """
        decision = self.decide(name)
        return self.settle(name, value()) if decision is DEPENDS else decision

    def settle(self, name: str, value: bytes | None) -> Text | Decision:
        """
        Judge a field whose value matters.

        :param value: None for one that is longer than any in a table.
        :return: what replaces the value; or whether the field passes as it is or is dropped.
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
        """The defaults of the fields that the client has not sent, once all of its fields are judged."""
        fields = [default.field for key, default in self.rules.defaults_by_name.items() if key not in self._sent]
        for field in fields:
            if field.parts:
                self._note(Act.DEFAULTED, field.name)
        return fields

    def governs(self, name: str) -> bool:
        """Whether a field that came another way than in the form, say in the query, gets round a rule."""
        key = self.key(name)
        return key in self.rules.forced_by_name or key in self.rules.maps_by_name or key in _ALWAYS_DROPPED

    def summary(self) -> str:
        """What was done so far, by the names of fields, in ASCII: ``forced=language,prompt; mapped=model``."""
        forced = dict.fromkeys(field.name for field in self.rules.forced if field.parts)
        done = {Act.FORCED: forced, **self._done}
        return "; ".join(
            f"{act.value}={','.join(quote(name, safe='[]') for name in done[act])}" for act in Act if done.get(act)
        )

    def _note(self, act: Act, name: str) -> None:
        self._done.setdefault(act, {})[name] = None

    def key(self, name: str) -> str:
        """
        The folded name by which the rules for a client's field are found.

        :raises MalformedForm: when the name holds a control character, at which some parsers would cut it off.
        """
        keys = _keys_often(name) if len(name) <= 64 else _keys(name)
        if len(keys) == 1:
            return keys[0]
        # Of the two readings the stricter rule counts.
        tables: tuple[Container[str], ...] = (
            _ALWAYS_DROPPED,
            self.rules.forced_by_name,
            self.rules.maps_by_name,
            self.rules.defaults_by_name,
        )
        return next((found for table in tables for found in keys if found in table), keys[0])


def _keys(name: str) -> tuple[str, ...]:
    """
    The folded names that servers may read in one name of a client.

    :raises MalformedForm: as `Evaluation.key` does.
    """
    if not name.isprintable() and any(unicodedata.category(char) == "Cc" for char in name):
        raise MalformedForm("The name of a field holds a control character.")
    if "[" not in name or "]" in name:
        return (fold(name),)
    # PHP makes an underscore of a bracket that is never closed.
    return fold(name), fold(name.replace("[", "_"))


#: Clients choose the names; long ones must not fill the memory.
_keys_often = functools.lru_cache(maxsize=1024)(_keys)
