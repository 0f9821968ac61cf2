"""
How an upstream reads urlencoded and JSON bodies.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

import attrs

from ..forms.rewriting import Item, as_starlette


def by_pairs(body: bytes) -> list[Item]:
    """The pairs that the standard library reads."""
    return [
        Item(name, None, None, value.encode("utf-8", "surrogateescape"))
        for name, value in parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="surrogateescape")
    ]


def by_json(body: bytes) -> list[tuple[str, Any]]:
    """The members of an object in order, with numbers as they are written."""
    members: list[tuple[str, Any]] = json.JSONDecoder(
        object_pairs_hook=_Members, parse_int=str, parse_float=str
    ).decode(body.decode())
    assert isinstance(members, _Members)
    return [(name, dict(value) if isinstance(value, _Members) else value) for name, value in members]


class _Members(list[tuple[str, Any]]):
    """An object's members; a plain list of pairs could be an array."""


def shown_by_multipart(items: list[Item]) -> list[Item]:
    """Items as the multipart package returns them: file names without escapes and without Windows folders."""
    return [
        attrs.evolve(
            each,
            filename=each.filename and _without_folder(each.filename).replace(b"%22", b'"').replace(b"%0D%0A", b"\r\n"),
        )
        for each in items
    ]


def shown_by_starlette(items: list[Item]) -> list[Item]:
    """Items as Starlette returns them: text fields without types, file names without Windows folders."""
    return [
        attrs.evolve(each, filename=each.filename and _without_folder(each.filename)) for each in as_starlette(items)
    ]


def _without_folder(filename: bytes) -> bytes:
    return filename.rpartition(b"\\")[2] if re.match(rb"[A-Za-z]:\\", filename) else filename
