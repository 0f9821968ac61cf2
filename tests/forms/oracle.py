"""
A slow and simple second implementation of the rules, which reads only the text of the configuration.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs

from sttproxy.config import MAX_VALUE, fold

from .rewriting import Item

#: How many copies of a list may get a longer name in a form with a length.
COPIES = 4


class RefusedError(Exception):
    """The form must be refused."""


@attrs.frozen
class Oracle:
    """
    A configuration as `json` reads it.  Numbers are kept as text.

    :ivar forced: the members that are not sections.
    :ivar joined: the members among them that are joined to the client's value.
    :ivar defaults: by name, the value and whether it replaces empty fields too.
    :ivar maps: the tables of values, by name.
    :ivar renames: the new names by the old ones.
    """

    forced: dict[str, Any]
    joined: dict[str, dict[str, Any]]
    defaults: dict[str, tuple[Any, bool]]
    maps: dict[str, dict[str, Any]]
    renames: dict[str, str]

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
        renames = fields.pop("$rename", {})
        joined = {name: value for name, value in fields.items() if is_joined(value)}
        forced = {name: value for name, value in fields.items() if name not in joined}
        return cls(forced, joined, defaults, maps, renames)

    def items(self, sent: list[Item]) -> list[Item]:
        """
        The fields that a reader of the rewritten form must find, for the fields that a client sends.

        :raises RefusedError: when the form must be refused.
        """
        forced = {fold(name) for name in self.forced} | {"_charset_"}
        sent = self.renamed(sent)
        kept = [self._settled(item) for item in sent if fold(item.name) not in forced]
        there = {fold(item.name) for item in kept if item is not None}
        joined = {fold(name) for name in self.joined}
        if any(count > 1 for key, count in Counter(fold(item.name) for item in sent).items() if key in joined):
            raise RefusedError
        alone = [
            Item(name, None, None, joined_text(value, b"").encode())
            for name, value in self.joined.items()
            if fold(name) not in there
        ]
        missing = [
            (name, value)
            for name, (value, _) in self.defaults.items()
            if fold(name) not in forced | joined and fold(name) not in there
        ]
        written = [each for name, value in self.forced.items() for each in _written(name, value)]
        defaults = [each for name, value in missing for each in _written(name, value)]
        return [*written, *(item for item in kept if item is not None), *alone, *defaults]

    def renamed(self, sent: list[Item], lists: bool = True) -> list[Item]:
        """
        The client's fields under their new names.

        :param lists: whether a name may be repeated for the elements of a list.
        :raises RefusedError: when two fields end under one name.
        """
        ends: dict[str, list[tuple[bool, bool]]] = {}
        items = []
        for item in sent:
            new = self._new_name(item.name)
            name = item.name if new is None else new
            repeats = lists and (name.endswith("]") or name == "timestamp_granularities")
            ends.setdefault(fold(name), []).append((new is not None, repeats))
            items.append(attrs.evolve(item, name=name))
        for name, each in ends.items():
            one_only = name not in {fold(forced) for forced in self.forced}
            first, *others = each
            for other in others:
                if one_only and (first[0] or other[0]) and not (first[1] and other[1]):
                    raise RefusedError
        return items

    def _new_name(self, name: str) -> str | None:
        """The new name of a field; None if it has no rename."""
        for old, new in self.renames.items():
            if fold(old) == fold(name):
                brackets = re.search(r"(\[[A-Za-z0-9_.-]*\])+", name)
                keeps = brackets is not None and "[" not in new and not name.lstrip().startswith("[")
                return new + brackets.group() if brackets is not None and keeps else new
        return None

    def repeats(self, sent: list[Item]) -> bool:
        """Whether a field is replaced or renamed more than once; the promised length may have no room for that."""
        news = [fold(item.name) for item in sent if self._new_name(item.name) is not None]
        if any(count > 1 for count in Counter(news).values()):
            return True
        replaced = Counter(
            fold(item.name) for item in self.renamed(sent) if (new := self._replaced(item)) is not None and new != item
        )
        return any(count > 1 for count in replaced.values())

    def _replaced(self, item: Item) -> Item | None:
        """The field after its table of values is applied; None if it is removed."""
        table: dict[str, Any] = next((table for name, table in self.maps.items() if fold(name) == fold(item.name)), {})
        key = key_of(table, item.value)
        if key is None:
            return item
        return None if table[key] is None else Item(item.name, None, None, text_of(table[key]))

    def _settled(self, item: Item) -> Item | None:
        """
        The client's field after the rules; None: it counts as not sent.

        :raises RefusedError: when it cannot be joined to a text.
        """
        for name, value in self.joined.items():
            if fold(name) == fold(item.name):
                if item.filename is not None:
                    raise RefusedError
                return Item(name, None, None, joined_text(value, item.value).encode())
        new = self._replaced(item)
        when_empty = any(fold(name) == fold(item.name) and flag for name, (_, flag) in self.defaults.items())
        return None if new is None or (when_empty and not new.value) else new


def is_joined(value: Any) -> bool:
    """Whether a configured value is joined to the client's."""
    return isinstance(value, dict) and not {"$prepend", "$append"}.isdisjoint(value)


def joined_text(rule: dict[str, Any], value: bytes) -> str:
    """
    A client's value with the texts of a rule.

    :raises RefusedError: when it is not text that all servers read as this.
    """
    before, after, most = rule.get("$prepend", ""), rule.get("$append", ""), rule.get("max_tokens")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise RefusedError from None
    if len(value) > MAX_VALUE or "\0" in text:
        raise RefusedError
    starts = [0]
    for at in range(1, len(text)):
        last, char = text[at - 1], text[at]
        begins = last.isspace() and not char.isspace()
        if begins or "一" <= char <= "龥" or ("一" <= last <= "龥" and (char.isalnum() or char == "_")):
            starts.append(at)
    for start in (*starts, len(text)):
        if most is None or tokens(before + text[start:] + after) <= most:
            return before + text[start:] + after
    return before + after


def tokens(text: str) -> int:
    """The estimate of Whisper's tokens."""
    plain = sum(char.isascii() for char in text)
    return len(text) - plain + round(plain / 4)


def key_of(table: Iterable[str], value: bytes) -> str | None:
    """The key of a table of values that a client's value has; None if it has none."""
    try:
        readings = [value.decode()]
    except UnicodeDecodeError:
        readings = [value.decode("latin-1"), value.decode("utf-8", "replace")]
    readings += [text.split("\0")[0] for text in readings]
    folded = [text.casefold() for text in readings]
    plain = [key for key in table if not key.endswith("*")]
    for key in plain if len(value) <= MAX_VALUE else ():
        if key.casefold() in folded:
            return key
    starred = sorted((key for key in table if key.endswith("*")), key=len, reverse=True)
    for key in starred:
        if any(text.startswith(key[:-1].casefold()) for text in folded):
            return key
    return None


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
