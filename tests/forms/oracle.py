"""
A slow and simple second implementation of the rules, which reads only the text of the configuration.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import attrs

from sttproxy.config import MAX_KEY, fold

from .rewriting import Item


@attrs.frozen
class Oracle:
    """
    A configuration as `json` reads it.  Numbers are kept as text.

    :ivar forced: the members that are not sections.
    :ivar defaults: by name, the value and whether it replaces empty fields too.
    :ivar maps: the tables of values, by name.
    """

    forced: dict[str, Any]
    defaults: dict[str, tuple[Any, bool]]
    maps: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, configuration: bytes) -> Oracle:
        """Parse a configuration file."""
        fields = json.loads(configuration)
        defaults = {
            name: (value["value"], value.get("when_empty", False))
            if isinstance(value, dict) and "value" in value
            else (value, False)
            for name, value in fields.pop("$default", {}).items()
        }
        maps = fields.pop("$map", {})
        return cls(fields, defaults, maps)

    def items(self, sent: list[Item]) -> list[Item]:
        """The fields that a reader of the rewritten form must find, for the fields that a client sends."""
        forced = {fold(name) for name in self.forced} | {"_charset_"}
        kept = [self._settled(item) for item in sent if fold(item.name) not in forced]
        there = {fold(item.name) for item in kept if item is not None}
        missing = [
            (name, value)
            for name, (value, _) in self.defaults.items()
            if fold(name) not in forced and fold(name) not in there
        ]
        written = [each for name, value in self.forced.items() for each in _written(name, value)]
        defaults = [each for name, value in missing for each in _written(name, value)]
        return [*written, *(item for item in kept if item is not None), *defaults]

    def repeats(self, sent: list[Item]) -> bool:
        """Whether a field is replaced more than once; the promised length may have no room for that."""
        replaced = Counter(
            fold(item.name) for item in sent if self._table(item) and self._replaced(item, self._table(item)) != item
        )
        return any(count > 1 for count in replaced.values())

    def _table(self, item: Item) -> dict[str, Any]:
        return next((table for name, table in self.maps.items() if fold(name) == fold(item.name)), {})

    def _replaced(self, item: Item, table: dict[str, Any]) -> Item:
        """The field after its table of values is applied."""
        value = item.value.decode("utf-8", "surrogateescape") if len(item.value) <= MAX_KEY else None
        if value is not None and value != "*" and value in table:
            return Item(item.name, None, None, text_of(table[value]))
        return Item(item.name, None, None, text_of(table["*"])) if "*" in table else item

    def _settled(self, item: Item) -> Item | None:
        """The client's field after the rules; None: it counts as not sent."""
        item = self._replaced(item, self._table(item))
        when_empty = any(fold(name) == fold(item.name) and flag for name, (_, flag) in self.defaults.items())
        return None if when_empty and not item.value else item


def text_of(value: Any) -> bytes:
    """A scalar as a form carries it."""
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def _written(name: str, value: Any) -> list[Item]:
    """The parts of a configured field."""
    if value is None:
        return []
    if isinstance(value, list):
        return [Item(name + "[]", None, None, text_of(each)) for each in value]
    if isinstance(value, dict):
        return [Item(f"{name}[{key}]", None, None, text_of(each)) for key, each in value.items()]
    # MLX Omni Server accepts this field only as a list.
    return [Item(name + "[]" * (name == "timestamp_granularities"), None, None, text_of(value))]
