"""
Invariants of the rewriter, and of the readers of its output, for any input.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable

from sttproxy.config import Rules, fold
from sttproxy.errors import MalformedForm

from ..differential.pythons import READERS
from ..differential.reading import Reader, Reading
from ..forms.rewriting import Rewritten, by_multipart, bytewise, drops, forced_parts, rewrite, stable_fields

#: The installed parsers of this Python.
INSTALLED: dict[str, Reader] = {
    name: read for name, (package, read) in READERS.items() if importlib.util.find_spec(package) is not None
}


def outcome(rules: Rules, boundary: bytes, pieces: list[bytes], counted: bool) -> Rewritten | str:
    """Return the output, or the error message."""
    try:
        return rewrite(rules, boundary, pieces, counted)
    except MalformedForm as error:
        return error.message


def comparable(result: Rewritten | str) -> bytes | str:
    """Return an outcome that is the same in every run."""
    return result if isinstance(result, str) else result.comparable


def check_rewriter(rules: Rules, boundary: bytes, pieces: list[bytes], counted: bool) -> Rewritten | None:
    """
    Check the invariants of the rewriter alone; return its output, if any.

    The verdict and the bytes do not depend on the cuts, the promised length is met, and the output is a form of the
    forced fields and of others, after tables and defaults.
    """
    body = b"".join(pieces)
    whole = outcome(rules, boundary, [body], counted)
    assert comparable(outcome(rules, boundary, pieces, counted)) == comparable(whole), "it depends on the cuts"
    assert comparable(outcome(rules, boundary, bytewise(body), counted)) == comparable(whole), "bytewise is different"
    if isinstance(whole, str):
        return None
    assert whole.length == (len(whole.body) if counted else None), "the promise is not met"
    items = by_multipart(whole)
    found = [(item.name.encode(), item.value) for item in items[: len(forced_parts(rules))]]
    assert found == list(forced_parts(rules)), "it does not begin with the forced fields"
    assert not any(drops(rules, item.name) for item in items[len(forced_parts(rules)) :]), "a ruled field is left"
    check_settled(rules, [(item.name, item.value) for item in items])
    if not rules.maps:  # a table may replace its own results again
        again = rewrite(rules, whole.boundary, [whole.body], counted)
        assert stable_fields(rules, by_multipart(again)) == stable_fields(rules, items), "a second rewrite differs"
    return whole


def check_settled(rules: Rules, items: Iterable[tuple[str, bytes | None]]) -> None:
    """
    Check that the fields are possible results of tables and defaults.

    :param items: names and values in the output; None for a value that is not text.
    """
    values: dict[str, list[bytes | None]] = {}
    sent: set[str] = set()
    for name, value in items:
        values.setdefault(fold(name), []).append(value)
        # PHP turns an unclosed bracket into an underscore.
        sent |= {fold(name), fold(name if "]" in name else name.replace("[", "_"))}
    for key, default in rules.defaults_by_name.items():
        written = [text.encode() for _, text in default.field.parts]
        found = values.get(key, [])
        assert key in sent or not written, f"{key} was not sent, and has no default"
        if default.when_empty:
            assert b"" not in found or b"" in written, f"{key} is empty"
    for key, table in rules.maps_by_name.items():
        news = {text.text.encode() for text in (*table.table.values(), *([table.other] if table.other else ()))}
        default_of = rules.defaults_by_name.get(key)
        written = [text.encode() for _, text in default_of.field.parts] if default_of else []
        found = values.get(key, [])
        if table.other is not None:
            strange = {value for value in found if value is not None} - {*news, *written}
            assert not strange, f"{key} has the values {strange} that no rule gives it"
        left = {old.encode() for old in table.table}.intersection(value for value in found if value is not None)
        assert not left - news - {*written}, f"{key} has values that should have been replaced: {left}"


def check_readers(rules: Rules, left: Rewritten, refused: Counter[str]) -> None:
    """
    Check that every reader finds only the configured values under the names of ruled fields.

    :param refused: counts the readers that refuse a form, which is safe.
    """
    expected = forced(rules)
    # Some readers drop files without a name that they accept.
    texts = {fold(item.name) for item in by_multipart(left) if item.filename is None}
    for reader, read in INSTALLED.items():
        try:
            reading = read(left)
        except Exception:
            refused[reader] += 1
            continue
        found, files = ruled(rules, reading)
        assert found == expected, f"{reader} reads {found} and not {expected}"
        assert not files, f"{reader} reads files {files}"
        check_read(rules, reading, reader, texts)


def check_read(rules: Rules, reading: Reading, reader: str, texts: set[str]) -> None:
    """
    Check that a reader finds only a table's results in fields whose table has a star, and each default.

    :param texts: the folded names of the text fields.
    """
    names = {fold(name) for name in (*reading.fields, *reading.files)}
    for key in rules.defaults_by_name:
        assert key in names or key not in texts, f"{reader} reads no {key}"
    for key, table in rules.maps_by_name.items():
        if table.other is None:
            continue
        default_of = rules.defaults_by_name.get(key)
        given = {text.text.encode() for text in (*table.table.values(), table.other)}
        given.update(text.encode() for _, text in (default_of.field.parts if default_of else ()))
        found = {value for name, values in reading.fields.items() if fold(name) == key for value in values}
        assert found <= given, f"{reader} reads {found - given} as {key}"
        assert not any(fold(name) == key for name in reading.files), f"{reader} reads a file {key}"


def forced(rules: Rules) -> dict[str, list[bytes]]:
    """Return the values that the rules write, by name."""
    fields: dict[str, list[bytes]] = {}
    for name, value in forced_parts(rules):
        fields.setdefault(name.decode(), []).append(value)
    return fields


def ruled(rules: Rules, reading: Reading) -> tuple[dict[str, list[bytes]], list[str]]:
    """Return the ruled fields and file names of a reading, in any spelling."""
    fields = {name: values for name, values in reading.fields.items() if _rules(rules, name)}
    return fields, [name for name in reading.files if _rules(rules, name)]


def _rules(rules: Rules, name: str) -> bool:
    """Return whether a name that a reader found is ruled; a name that would be refused is not."""
    try:
        return drops(rules, name)
    except MalformedForm:
        return False
