"""
A parser's reading of a form, in a form that can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from ..forms.rewriting import Item, Rewritten


@attrs.frozen
class Reading:
    """
    Fields and files by name, in order within a name; parsers keep no order between names.

    :ivar fields: the values of text fields.
    :ivar files: name and contents of each file.
    """

    fields: dict[str, list[bytes]]
    files: dict[str, list[tuple[str, bytes]]]


#: Reads a form; raises any exception to refuse it.
Reader = Callable[[Rewritten], Reading]


def reading_of(items: Iterable[Item]) -> Reading:
    """Return the reading of items."""
    reading = Reading({}, {})
    for item in items:
        if item.filename is None:
            reading.fields.setdefault(item.name, []).append(item.value)
        else:
            reading.files.setdefault(item.name, []).append((named(item.filename), item.value))
    return reading


def named(filename: bytes | str) -> str:
    """A normalised file name; parsers differ on browsers' escapes, on blanks, and on bytes that are not UTF-8."""
    text = filename.decode("utf-8", "replace") if isinstance(filename, bytes) else filename
    return text.replace("%22", '"').replace("%0D%0A", "\r\n").strip()
