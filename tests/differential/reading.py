"""
What a parser reads of a form, in a shape in which parsers can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from ..forms.rewriting import Item, Rewritten


@attrs.frozen
class Reading:
    """
    Fields and files by their names, those of a name in their order; parsers keep no order between names.

    :ivar fields: the values of text fields.
    :ivar files: name and contents of each file.
    """

    fields: dict[str, list[bytes]]
    files: dict[str, list[tuple[str, bytes]]]


#: Reads a form; raises whatever it likes where it refuses one.
Reader = Callable[[Rewritten], Reading]


def reading_of(items: Iterable[Item]) -> Reading:
    """A reading of items."""
    reading = Reading({}, {})
    for item in items:
        if item.filename is None:
            reading.fields.setdefault(item.name, []).append(item.value)
        else:
            reading.files.setdefault(item.name, []).append((named(item.filename), item.value))
    return reading


def named(filename: bytes | str) -> str:
    """A file name; each parser has its own idea of browsers' escapes, of blanks, and of what is no UTF-8."""
    text = filename.decode("utf-8", "replace") if isinstance(filename, bytes) else filename
    return text.replace("%22", '"').replace("%0D%0A", "\r\n").strip()
