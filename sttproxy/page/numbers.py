"""
Numbers as HTML tables, for browsers without JavaScript.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any


def tables(numbers: Mapping[str, Any]) -> str:
    """
    Names and values as HTML: one table for the plain ones, and one for each that has parts.

    :param numbers: what JSON can express.
    """
    plain = {name: value for name, value in numbers.items() if not _has_parts(value)}
    parts = [_table(name, list(_rows("", value))) for name, value in numbers.items() if _has_parts(value)]
    return "\n".join([_table("", list(_rows("", plain))), *parts])


def _has_parts(value: Any) -> bool:
    return isinstance(value, Mapping | list) and bool(value)


def _rows(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """The paths of all plain values in a value, and the values."""
    if not _has_parts(value):
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return
    for name, part in value.items() if isinstance(value, Mapping) else enumerate(value, 1):
        shown = str(name) or "–"
        yield from _rows(f"{path} › {shown}" if path else shown, part)


def _table(name: str, rows: list[tuple[str, str]]) -> str:
    caption = f"<caption>{escape(name)}</caption>" if name else ""
    lines = [f'<tr><th scope="row">{escape(path)}</th><td>{escape(value)}</td></tr>' for path, value in rows]
    return f"<table>{caption}\n" + "\n".join(lines) + "\n</table>"
