"""
A configuration as an outline for people: which rule each field has, by profile.
"""

from __future__ import annotations

from typing import Any

from .model import Config, Rules
from .rules import Field, Removed

#: What a rule does, by the words that the page and ``sttproxy explain`` use.
FORCED, REMOVED, JOINED, MAPPED, RENAMED, DEFAULT = "forced", "removed", "joined", "mapped", "renamed", "default"


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
    found = [_rule(field, FORCED if field.parts else REMOVED, values) for field in rules.forced]
    found += [_rule(rule.alone, JOINED, values) for rule in rules.joined]
    for rule in rules.maps_by_name.values():
        table = {old: "null" if isinstance(new, Removed) else new.json for old, new in rule.table.items()}
        found.append({"field": rule.name, "rule": MAPPED} | ({"table": table} if values else {}))
    # The new name is no value.
    found += [{"field": rule.name, "rule": RENAMED, "value": rule.new} for rule in rules.renames]
    for default in rules.defaults_by_name.values():
        found.append(_rule(default.field, DEFAULT, values) | {"when_empty": default.when_empty})
    return found


def _rule(field: Field, rule: str, values: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"field": field.name, "rule": rule}
    if values and field.json is not None:
        shown["value"] = field.json
    return shown
