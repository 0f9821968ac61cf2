"""
What rules say of a client's field by its name alone.

Servers read one name in many spellings, so finding the rules of a name costs time.  Clients repeat the same few names,
so the results are kept with the rules.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Container

import attrs

from ..config import ALWAYS_DROPPED, Default, Joined, Map, Rename, Rules, Text, fold, may_repeat
from ..errors import MalformedForm

#: Most names of which the plans are kept, and the longest one, in characters: clients choose the names, and must not
#: fill the memory.
MOST_KEPT, LONGEST_KEPT = 1024, 64


class Decision(enum.Enum):
    """What the proxy does with a client's field."""

    PASSES = enum.auto()
    DROPPED = enum.auto()
    #: The name alone does not decide; call `Evaluation.settle` with the value.
    DEPENDS = enum.auto()


#: Module-level aliases: CPython 3.11 takes twenty times as long to look up a member through its class.
PASSES, DROPPED, DEPENDS = Decision

#: A decision about a value: a new value, or a `Decision`.
Settled = Text | Decision


@attrs.frozen
class Plan:
    """
    What rules say of a client's field by its name.

    :ivar key: the folded name under which the rules for the field are stored.
    :ivar forced: the name of the field that the proxy sends in its place; else empty.
    :ivar removed: the name of the field in the configuration if it is removed in any form; else empty.
    :ivar joined: the rule that joins the field's value to texts.
    :ivar table: the table of the field's values.
    :ivar default: the default of the field.
    :ivar rename: the rename of the field.
    :ivar sent_as: the name under which the field is sent; the other rules are those of this name's plan.
    :ivar meets: that name, folded, if a rename leads to it, so that another field may end under it; else empty.
    :ivar repeats: whether it is the name of an element of a list.
    """

    key: str
    decision: Decision
    forced: str
    removed: str
    joined: Joined | None
    table: Map | None
    default: Default | None
    rename: Rename | None
    sent_as: str
    meets: str
    repeats: bool


def plan_of(rules: Rules, name: str) -> Plan:
    """
    Find the plan for a name, and keep it in ``rules.plans``.

    :raises MalformedForm: when the name contains a control character; some parsers would truncate the name there.
    """
    plan = _made(rules, name)
    if len(rules.plans) >= MOST_KEPT:
        rules.plans.clear()
    if len(name) <= LONGEST_KEPT:
        rules.plans[name] = plan
    return plan


def _made(rules: Rules, name: str) -> Plan:
    key = _key(rules, name)
    rename = rules.renames_by_name.get(key) if key not in ALWAYS_DROPPED else None
    new = name if rename is None else rename.applied(name)
    end = key if rename is None else fold(new)
    if end in rules.joined_by_name:
        new = rules.joined_by_name[end].name
    forced = rules.forced_by_name.get(key)
    decision = PASSES
    if key in rules.watched:
        decision = DEPENDS
    elif forced is not None or key in ALWAYS_DROPPED:
        decision = DROPPED
    elif key in rules.read:
        decision = DEPENDS
    return Plan(
        key=key,
        decision=decision,
        forced=forced.name if forced is not None and forced.parts else "",
        removed=forced.name if forced is not None and not forced.parts else "",
        joined=rules.joined_by_name.get(key),
        table=rules.maps_by_name.get(key),
        default=rules.defaults_by_name.get(key),
        rename=rename,
        sent_as=new,
        meets=end if end in rules.renamed_to else "",
        repeats=may_repeat(new),
    )


def _key(rules: Rules, name: str) -> str:
    """The folded name under which the rules for a client's field are stored."""
    keys = _keys(name)
    if len(keys) == 1:
        return keys[0]
    # Servers may read the name in two ways: the stricter rule of the two applies.
    tables: tuple[Container[str], ...] = (
        ALWAYS_DROPPED,
        rules.forced_by_name,
        rules.joined_by_name,
        rules.maps_by_name,
        rules.renames_by_name,
        rules.defaults_by_name,
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
