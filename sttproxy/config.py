"""
The configuration: the form fields that every transcription request will carry.

`parse` is the one place that judges a file.  What it returns is frozen and ready to be written into forms: names as
they go on the wire, values as text.
"""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata

import attrs

from . import jsontext
from .errors import ConfigError

#: Largest configuration, in bytes; what a Kubernetes ConfigMap can hold.
MAX_BYTES = 1024 * 1024


@attrs.frozen
class Field:
    """
    One rule: the client's fields of this name are dropped, and these are written instead.

    :ivar name: the member's name in the file.
    :ivar parts: names and values as they go into a form; empty where the field is only removed.
    :ivar json: the value as it goes into a JSON body; None where the field is only removed.
    """

    name: str
    parts: tuple[tuple[str, str], ...]
    json: str | None


@attrs.frozen(eq=False)
class Config:
    """
    A configuration in force; two are the same only if they are one object.

    :ivar fields: by folded name (see `fold`), in the file's order.
    :ivar digest: of the file's bytes, the first 16 hexadecimal digits of their SHA-256.
    """

    fields: dict[str, Field] = attrs.field(factory=dict)
    digest: str = ""

    def changes(self, newer: Config) -> list[str]:
        """Names of the fields that differ in a newer configuration, sorted."""
        keys = self.fields.keys() | newer.fields.keys()
        names = {
            (newer.fields.get(key) or self.fields[key]).name
            for key in keys
            if newer.fields.get(key) != self.fields.get(key)
        }
        return sorted(names)


def fold(name: str) -> str:
    """
    The form in which two spellings of a field's name are the same.

    Brackets come off (``x[]``, ``x[0]``, ``x[key]``, ``[x]`` all speak of ``x``), then width, case and outer white
    space, and what PHP makes an underscore of is one, so that no spelling which some upstream takes for the field
    passes for another one.
    """
    # Clients choose the names; long ones must not fill the memory.
    return _fold_often(name) if len(name) <= 64 else _fold(name)


def _fold(name: str) -> str:
    base = re.split(r"[\[\]]", unicodedata.normalize("NFKC", name).strip().lstrip("["))[0]
    return re.sub(r"[. ]", "_", unicodedata.normalize("NFKC", base.casefold()).strip())


_fold_often = functools.lru_cache(maxsize=1024)(_fold)


def parse(data: bytes) -> Config:
    """
    Judge a configuration file.

    :param data: the file's bytes: UTF-8, a byte order mark allowed.
    :raises ConfigError: when it is not a JSON object of form fields, with the place of what is wrong.
    """
    if len(data) > MAX_BYTES:
        raise ConfigError(f"the file is larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        raise ConfigError("the file is not UTF-8", *jsontext.place(before, len(before))) from None
    try:
        root = jsontext.parse(text)
    except jsontext.JSONError as error:
        raise ConfigError(error.message, *jsontext.place(text, error.at)) from None
    if not isinstance(root.data, jsontext.Object):
        where = jsontext.place(text, root.start)
        raise ConfigError('the file must hold a JSON object, like {"language": "zh"}', *where)
    fields: dict[str, Field] = {}
    for member in root.data.members:
        try:
            field = Field(member.key, _parts(member), _json(member.value, text))
            if fold(member.key) in fields:
                other = fields[fold(member.key)].name
                raise jsontext.JSONError(f"{member.key!r} and {other!r} are the same field to a server", member.key_at)
        except jsontext.JSONError as error:
            raise ConfigError(error.message, *jsontext.place(text, error.at)) from None
        fields[fold(member.key)] = field
    return Config(fields, hashlib.sha256(data).hexdigest()[:16])


def _parts(member: jsontext.Member) -> tuple[tuple[str, str], ...]:
    """The names and values that a form carries for a member."""
    name, value = member.key, member.value
    _check_name(name, member.key_at)
    data = value.data
    if data is None:
        return ()
    if isinstance(data, tuple):
        wire = name if name.endswith("[]") else name + "[]"
        return tuple((wire, _text(item, name)) for item in data)
    if isinstance(data, jsontext.Object):
        for inner in data.members:
            _check_spelling(inner.key, inner.key_at)
        return tuple((f"{name}[{inner.key}]", _text(inner.value, name)) for inner in data.members)
    return ((name, _text(value, name)),)


def _json(value: jsontext.Value, text: str) -> str | None:
    """The value as it stands in the file."""
    return None if value.data is None else text[value.start : value.end]


def _check_name(name: str, at: int) -> None:
    """A name that a configured field may have."""
    if not fold(name):
        raise jsontext.JSONError("a field's name must not be empty", at)
    if fold(name) == "file":
        raise jsontext.JSONError("'file' is the recording itself and cannot be configured", at)
    _check_spelling(name, at)


def _check_spelling(name: str, at: int) -> None:
    """A name that every form parser reads as itself, with nothing to escape."""
    if name.startswith("$"):
        raise jsontext.JSONError(f"{name!r}: names that begin with '$' are reserved", at)
    if not name:
        raise jsontext.JSONError("a name must not be empty", at)
    if name != name.strip() or any(char in '"\\%;=' or not char.isprintable() for char in name):
        raise jsontext.JSONError(
            f"the field name {name!r} must not hold quotes, backslashes, '%', ';', '=', control characters or "
            "outer white space",
            at,
        )


def _text(value: jsontext.Value, name: str) -> str:
    """The text that a form carries for a string, a number or a truth value."""
    data = value.data
    if isinstance(data, str):
        if "\0" in data:
            raise jsontext.JSONError(f"the value of {name!r} holds a NUL character", value.start)
        return data
    if isinstance(data, jsontext.Number):
        return data.literal
    if isinstance(data, bool):
        return "true" if data else "false"
    raise jsontext.JSONError(f"inside {name!r} there may only be strings, numbers, true and false", value.start)
