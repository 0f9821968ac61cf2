"""
Invariants of the rewriter, and of the readers of its output, for any input.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterable

import attrs

from sttproxy.config import Rules, fold
from sttproxy.config.tokens import estimated_tokens
from sttproxy.errors import MalformedForm

from ..differential.pythons import READERS
from ..differential.reading import Reader, Reading
from ..forms.oracle import key_of
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
    if not rules.maps and not rules.joined:  # these rules may change their own results again
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
    for key in rules.maps_by_name:
        check_table(rules, key, [value for value in values.get(key, []) if value is not None])
    for key in rules.joined_by_name:
        check_joined(rules, key, values.get(key, []))


def check_table(rules: Rules, key: str, found: list[bytes]) -> None:
    """
    Check that a field has only values of its table or its default, and values that the table does not change.

    :param key: the field's folded name.
    :param found: its values in the output.
    """
    table = rules.maps_by_name[key]
    default = rules.defaults_by_name.get(key)
    given = {text.text.encode() for text in table.texts}
    given.update(text.encode() for _, text in (default.field.parts if default else ()))
    for value in {*found} - given:
        assert key_of(table.table, value) is None, f"{key} has the value {value!r}, which its table changes"


def check_joined(rules: Rules, key: str, found: list[bytes | None]) -> None:
    """
    Check that a joined field has one value, with the configured texts.

    :param key: the field's folded name.
    :param found: its values in the output.
    """
    rule = rules.joined_by_name[key]
    (value,) = found
    assert value is not None and value.startswith(rule.before.encode()), f"{key} does not begin with its text"
    assert value.endswith(rule.after.encode()), f"{key} does not end with its text"
    if rule.max_tokens is not None and len(value) > len((rule.before + rule.after).encode()):
        assert estimated_tokens(value.decode()) <= rule.max_tokens, f"{key} has too many tokens"


def check_readers(rules: Rules, left: Rewritten, refused: Counter[str]) -> None:
    """
    Check that every reader of this Python finds only the configured values under the names of ruled fields.

    :param refused: counts the readers that refuse a form, which is safe.
    """
    meaning = Meaning.of(rules, left)
    for reader, read in INSTALLED.items():
        try:
            reading = read(left)
        except Exception:
            refused[reader] += 1
        else:
            meaning.check(reader, reading)


@attrs.frozen
class Meaning:
    """
    What readers must find in an output.

    :ivar texts: the folded names of the text fields.
    :ivar joined: the values of the joined fields, by name.
    """

    rules: Rules
    texts: set[str]
    joined: dict[str, list[bytes]]

    @classmethod
    def of(cls, rules: Rules, left: Rewritten) -> Meaning:
        """The meaning of an output."""
        items = by_multipart(left)
        joined = {rule.name: [item.value for item in items if item.name == rule.name] for rule in rules.joined}
        # Some readers drop files without a name that they accept.
        return cls(rules, {fold(item.name) for item in items if item.filename is None}, joined)

    def check(self, reader: str, reading: Reading) -> None:
        """
        Check that a reader finds the forced values and no others, each default, no old name of a rename, in fields with
        a table no value that the table changes, and of each joined field the one value.
        """
        rules = self.rules
        ruled_fields, ruled_files = ruled(rules, reading)
        assert ruled_fields == forced(rules), f"{reader} reads {ruled_fields} and not {forced(rules)}"
        assert not ruled_files, f"{reader} reads files {ruled_files}"
        names = {fold(name) for name in (*reading.fields, *reading.files)}
        for key in rules.defaults_by_name:
            assert key in names or key not in self.texts, f"{reader} reads no {key}"
        for key, rename in rules.renames_by_name.items():
            assert key not in names or key == fold(rename.new), f"{reader} reads the old name {key}"
        for key, table in rules.maps_by_name.items():
            fields = [value for name, values in reading.fields.items() if fold(name) == key for value in values]
            files = [value for name, values in reading.files.items() if fold(name) == key for _, value in values]
            check_table(rules, key, fields + files)
            assert not files or "*" not in table.table, f"{reader} reads a file {key}"
        for key, rule in rules.joined_by_name.items():
            found = {name: values for name, values in reading.fields.items() if fold(name) == key}
            assert found == {rule.name: self.joined[rule.name]}, f"{reader} reads {found} as {key}"
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
