"""
The part of a promised length that is kept for what the rules may still add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Reserve:
    """
    Bytes that are promised in addition to those of the client.  Each rule has a share, which is released when the rule
    is applied: what it does not need becomes padding.

    :ivar size: the bytes that are still kept.
    """

    def __init__(self, size: int, values: Mapping[str, int], names: Mapping[str, Sequence[int]]) -> None:
        """
        :param size: what is kept to the end of the body: for defaults.
        :param values: the shares for new values, by the field's folded name.
        :param names: the shares for longer names, one for each copy, by the folded old name.
        """
        self.size = size
        self._values = values
        self._names = names
        self._released_values: set[str] = set()
        self._released_names: dict[str, int] = {}
        if values:
            self.size += sum(values.values())
        for shares in names.values():
            self.size += sum(shares)

    def release_value(self, name: str) -> None:
        """The field of this folded name gets a new value; only the first one has a share."""
        if name not in self._released_values:
            self._released_values.add(name)
            self.size -= self._values.get(name, 0)

    def release_name(self, name: str) -> None:
        """A copy of the field of this folded name gets its new name."""
        copies = self._released_names.get(name, 0)
        self._released_names[name] = copies + 1
        shares = self._names.get(name, ())
        if copies < len(shares):
            self.size -= shares[copies]
