"""
What must hold of the rewriter, and of the readers of what leaves it, whatever came.
"""

from __future__ import annotations

import importlib.util
from collections import Counter

from sttproxy.config import Rules
from sttproxy.errors import MalformedForm

from ..differential.pythons import READERS
from ..differential.reading import Reader, Reading
from ..forms.rewriting import Rewritten, by_multipart, bytewise, drops, rewrite

#: The parsers of this Python that are installed.
INSTALLED: dict[str, Reader] = {
    name: read for name, (package, read) in READERS.items() if importlib.util.find_spec(package) is not None
}


def outcome(rules: Rules, boundary: bytes, pieces: list[bytes], counted: bool) -> Rewritten | str:
    """What leaves, or the words of the refusal."""
    try:
        return rewrite(rules, boundary, pieces, counted)
    except MalformedForm as error:
        return error.message


def comparable(result: Rewritten | str) -> bytes | str:
    """An outcome that is the same in every run."""
    return result if isinstance(result, str) else result.comparable


def check_rewriter(rules: Rules, boundary: bytes, pieces: list[bytes], counted: bool) -> Rewritten | None:
    """
    Hold what concerns the rewriter alone; return what leaves, if anything does.

    The verdict and the bytes do not depend on the cuts, the promised length is met, and what leaves is a form of the
    forced fields and of others.
    """
    body = b"".join(pieces)
    whole = outcome(rules, boundary, [body], counted)
    assert comparable(outcome(rules, boundary, pieces, counted)) == comparable(whole), "it depends on the cuts"
    assert comparable(outcome(rules, boundary, bytewise(body), counted)) == comparable(whole), "bytewise is different"
    if isinstance(whole, str):
        return None
    assert whole.length == (len(whole.body) if counted else None), "the promise is not met"
    items = by_multipart(whole)
    found = [(item.name.encode(), item.value) for item in items[: len(rules.forced_parts)]]
    assert found == list(rules.forced_parts), "it does not begin with the forced fields"
    assert not any(drops(rules, item.name) for item in items[len(rules.forced_parts) :]), "a ruled field is left"
    again = rewrite(rules, whole.boundary, [whole.body], counted)
    assert by_multipart(again) == items, "rewritten once more, it says something else"
    return whole


def check_readers(rules: Rules, left: Rewritten, refused: Counter[str]) -> None:
    """
    Hold that every reader finds the configured values under the names of ruled fields, and nothing else.

    :param refused: counts the readers that refuse a form: nothing gets past the rules that way.
    """
    expected = forced(rules)
    for reader, read in INSTALLED.items():
        try:
            reading = read(left)
        except Exception:
            refused[reader] += 1
            continue
        found, files = ruled(rules, reading)
        assert found == expected, f"{reader} reads {found} and not {expected}"
        assert not files, f"{reader} reads files {files}"


def forced(rules: Rules) -> dict[str, list[bytes]]:
    """What the rules write, by names."""
    fields: dict[str, list[bytes]] = {}
    for name, value in rules.forced_parts:
        fields.setdefault(name.decode(), []).append(value)
    return fields


def ruled(rules: Rules, reading: Reading) -> tuple[dict[str, list[bytes]], list[str]]:
    """Of a reading, the fields and the names of files that are ruled, in any spelling."""
    fields = {name: values for name, values in reading.fields.items() if _rules(rules, name)}
    return fields, [name for name in reading.files if _rules(rules, name)]


def _rules(rules: Rules, name: str) -> bool:
    """Whether a name that a reader has found is ruled; one that would be refused is none of a configuration's."""
    try:
        return drops(rules, name)
    except MalformedForm:
        return False
