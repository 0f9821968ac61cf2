"""
Checks of the renames of one set of rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from .model import Rules
from .names import ALWAYS_DROPPED, fold


def chains(rules: Rules) -> Iterator[tuple[str, str]]:
    """
    Errors about renames whose new name is renamed again.  A field is renamed once, so that names cannot go in circles.

    :return: the folded old name, and the message.
    """
    for name, rename in rules.renames_by_name.items():
        after = rules.renames_by_name.get(fold(rename.new))
        if after is None or after is rename:
            continue
        message = f"{rename.new!r} is renamed itself, to {after.new!r}, and a field is renamed only once"
        if fold(after.new) == name:
            yield name, f"{message}; leave one of the two out"
        else:
            yield name, f"{message}; write {after.new!r} here"


def warnings(rules: Rules) -> Iterator[tuple[str, str, str]]:
    """
    Warnings about renames and other rules that do not go together.

    :return: as `lint.of_rules` returns them.
    """
    tables = (("$map", rules.maps_by_name, "has no effect"), ("$default", rules.defaults_by_name, "is always added"))
    for name, rename in rules.renames_by_name.items():
        new = fold(rename.new)
        if new == name:
            continue
        hint = f"what clients send as {rename.name!r} is renamed first; the rules see {rename.new!r}"
        for section, ruled, effect in tables:
            if name in ruled:
                yield name, section, f"this {section} {effect}, because {hint}"
        if name in rules.joined_by_name:
            yield name, "$rename", f"the text for {rename.name!r} is joined to no value, because {hint}"
        if not ALWAYS_DROPPED.isdisjoint((name, new)):
            yield name, "$rename", "this rename has no effect, because '_charset_' is dropped under any configuration"
        elif new in rules.forced_by_name:
            yield (
                name,
                "$rename",
                f"what clients send as {rename.name!r} is always dropped, because {rename.new!r} is forced or removed",
            )
