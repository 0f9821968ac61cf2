"""
A configuration as an outline for people: which rule each field has, by profile.
"""

from __future__ import annotations

from typing import Any

from .model import Config, Rules
from .rules import Field, Joined, Map, Text

#: What a rule does.
FORCED, REMOVED, JOINED, MAPPED, DEFAULT, RENAMED = "forced", "removed", "joined", "mapped", "default", "renamed"


def outline(config: Config, *, values: bool = False) -> list[dict[str, Any]]:
    """
    The rules in force, ready for JSON: those without a profile first (its name is empty), then each profile's.

    :param values: whether the outline has the values too, each as JSON text.
    """
    named = [("", config.base), *config.profiles.items()]
    return [
        {"profile": name, "translations": rules.translations, "rules": _rules(rules, values)} for name, rules in named
    ]


def _rules(rules: Rules, values: bool) -> list[dict[str, Any]]:
    return [
        *({"field": rule.name, "rule": RENAMED, "new_name": rule.new} for rule in rules.renames),
        *(_field(field, FORCED if field.parts else REMOVED, values) for field in rules.forced),
        *(_joined(rule, values) for rule in rules.joined),
        *(_map(rule, values) for rule in rules.maps_by_name.values()),
        *(
            _field(rule.field, DEFAULT, values) | {"when_empty": rule.when_empty}
            for rule in rules.defaults_by_name.values()
        ),
    ]


def _field(field: Field, rule: str, values: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"field": field.name, "rule": rule}
    if values and field.json is not None:
        shown["value"] = field.json
    return shown


def _joined(rule: Joined, values: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"field": rule.name, "rule": JOINED, "max_tokens": rule.max_tokens}
    if values:
        shown |= {"before": Text(rule.before).json, "after": Text(rule.after).json}
    return shown


def _map(rule: Map, values: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"field": rule.name, "rule": MAPPED}
    if values:
        shown["table"] = {old: new.json if isinstance(new, Text) else None for old, new in rule.table.items()}
    return shown
