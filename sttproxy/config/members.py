"""
Readers for single members of a configuration: a field, a default, a table of values.

A reader returns None for a member that cannot be used, and adds the errors to the `Files`.
"""

from __future__ import annotations

import json
import re

from .. import jsontext
from .files import Files
from .names import LISTS, fault_of_field, fault_of_name, fault_of_spelling
from .rules import MAX_VALUE, REMOVED, Default, Field, Joined, Map, Removed, Rename, Text, may_repeat

_LONG_DEFAULT = frozenset({"value", "when_empty"})
_TEXTS = frozenset({"$prepend", "$append"})
_JOINED = _TEXTS | {"max_tokens"}


class Members:
    """
    Reads members of the current document.

    The parameter `where` of its methods is the path of a member within the file: ``$.profiles.medical.prompt``.
    """

    def __init__(self, files: Files) -> None:
        """
        :param files: has the document and collects the errors.
        """
        self._files = files

    def objects(self, member: jsontext.Member, where: str, what: str) -> tuple[jsontext.Member, ...]:
        """
        The members of a member's value, which must be an object; empty if it is not.

        :param what: describes the contents of the object, for the error message.
        """
        found = self.object(member.value, where, what)
        return found.members if found else ()

    def object(self, value: jsontext.Value, where: str, what: str) -> jsontext.Object | None:
        """A value that must be an object; None if it is not."""
        if isinstance(value.data, jsontext.Object):
            return value.data
        self._files.error(f"this must be an object: {what}", value.start, where)
        return None

    def field(self, member: jsontext.Member, where: str) -> Field | Joined | None:
        """Read a member outside of all sections: a forced field, or one that is joined to the client's value."""
        named = self._named(member, where)
        read = self._joined if _joins(member.value) else self._valued
        field = read(member.key, member.value, where)
        return field if named else None

    def _joined(self, name: str, value: jsontext.Value, where: str) -> Joined | None:
        """A field whose value is an object with ``$prepend`` or ``$append``."""
        assert isinstance(value.data, jsontext.Object)
        inner = {each.key: each.value for each in value.data.members}
        texts: dict[str, str] = {}
        for key in _TEXTS & inner.keys():
            text = inner[key]
            if not isinstance(text.data, str) and not (isinstance(text.data, jsontext.Object) and includes(text.data)):
                self._files.error('this must be a text or {"$file": "path"}', text.start, within(where, key))
                continue
            found = self._text(text, within(where, key), name)
            if found is not None:
                texts[key] = found.text
        most = _max_tokens(inner.get("max_tokens"))
        if most == 0:
            message = f"this must be a whole number from 1 to {MAX_VALUE}, like 224"
            self._files.error(message, inner["max_tokens"].start, f"{where}.max_tokens")
        if inner.keys() - _JOINED:
            self._files.error(
                'a text is joined with {"$prepend": …, "$append": …, "max_tokens": …}, without other members',
                value.start,
                where,
            )
        if may_repeat(name):
            message = f"{name!r} is a list or a part of an object; a text can be joined to a single value only"
            self._files.error(message, value.start, where)
        return Joined(name, texts.get("$prepend", ""), texts.get("$append", ""), most)

    def default(self, member: jsontext.Member, where: str) -> Default | None:
        """Read a member of ``$default``: a value, or the long form, an object with ``value`` and ``when_empty``."""
        named, value, when_empty = self._named(member, where), member.value, False
        if isinstance(value.data, jsontext.Object) and any(each.key in _LONG_DEFAULT for each in value.data.members):
            inner = {each.key: each for each in value.data.members}
            flag = inner.get("when_empty")
            if "value" not in inner or inner.keys() - _LONG_DEFAULT or (flag and not isinstance(flag.value.data, bool)):
                self._files.error('the long form is {"value": …, "when_empty": true}', value.start, where)
                return None
            when_empty = flag is not None and flag.value.data is True
            value, where = inner["value"].value, f"{where}.value"
        if value.data is None:
            self._files.error("a default needs a value; null is not a value", value.start, where)
            return None
        if _joins(value):
            message = "a default is for clients that send no value; write $prepend and $append outside of $default"
            self._files.error(message, value.start, where)
            return None
        field = self._valued(member.key, value, where)
        return Default(field, when_empty) if field and named else None

    def map(self, member: jsontext.Member, where: str) -> Map | None:
        """Read a member of ``$map``: a table of values."""
        named = self._named(member, where)
        table: dict[str, Text | Removed] = {}
        folded: dict[str, str] = {}
        entries = self.objects(member, where, 'values and what replaces them; "*" is any other value')
        for entry in entries:
            if "\0" in entry.key or len(entry.key.encode()) > MAX_VALUE:
                self._files.error(
                    f"a value to be replaced must have at most {MAX_VALUE} bytes and no NUL character",
                    entry.key_at,
                    where,
                )
            twin = folded.setdefault(entry.key.casefold(), entry.key)
            if twin != entry.key:
                message = f"{entry.key!r} and {twin!r} are the same value, because case does not count; leave one out"
                self._files.error(message, entry.key_at, where)
            text = REMOVED if entry.value.data is None else self._text(entry.value, where, member.key)
            if text is not None:
                table[entry.key] = text
        return Map(member.key, table) if named else None

    def rename(self, member: jsontext.Member, where: str) -> Rename | None:
        """Read a member of ``$rename``: the new name of a client's field."""
        fault, new = fault_of_name(member.key), member.value.data
        if fault:
            self._files.error(fault, member.key_at, where)
        if not isinstance(new, str):
            self._files.error('this must be the field\'s new name, like "language"', member.value.start, where)
            return None
        wrong = fault_of_name(new)
        if new == member.key:
            wrong = f"{new!r} is the old name, too; write the name that the server expects"
        if wrong:
            self._files.error(wrong, member.value.start, where)
        return None if fault or wrong else Rename(member.key, new)

    def _named(self, member: jsontext.Member, where: str) -> bool:
        """Whether a member's name can be the name of a field; if not, that is added to the errors."""
        fault = fault_of_field(member.key)
        if fault:
            self._files.error(fault, member.key_at, where)
        return not fault

    def _valued(self, name: str, value: jsontext.Value, where: str) -> Field | None:
        """A field with the given value; None if the value cannot be used."""
        data = value.data
        if data is None:
            return Field(name, (), None)
        listed = name if name.endswith("[]") else name + "[]"
        if isinstance(data, tuple):
            items = [self._text(item, f"{where}[{index}]", name) for index, item in enumerate(data)]
            texts = [item for item in items if item is not None]
            parts = tuple((listed, item.text) for item in texts)
            return Field(name, parts, "[" + ", ".join(item.json for item in texts) + "]")
        if isinstance(data, jsontext.Object) and not includes(data):
            members: list[tuple[str, Text]] = []
            for inner in data.members:
                path = within(where, inner.key)
                fault = fault_of_spelling(inner.key)
                if fault:
                    self._files.error(fault, inner.key_at, path)
                text = self._text(inner.value, path, name)
                if text is not None:
                    members.append((inner.key, text))
            values = ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {text.json}" for key, text in members)
            return Field(name, tuple((f"{name}[{key}]", text.text) for key, text in members), "{" + values + "}")
        text = self._text(value, where, name)
        if text is None:
            return None
        if name in LISTS:
            return Field(name, ((listed, text.text),), f"[{text.json}]")
        return Field(name, ((name, text.text),), text.json)

    def _text(self, value: jsontext.Value, where: str, name: str) -> Text | None:
        """A string, a number, a boolean or an included text; None if the value is something else."""
        data = value.data
        if isinstance(data, str):
            if "\0" in data:
                self._files.error(f"the value of {name!r} holds a NUL character", value.start, where)
                return None
            return Text(data, self._files.source(value))
        if isinstance(data, jsontext.Number):
            return Text(data.literal, data.literal)
        if isinstance(data, bool):
            return Text(self._files.source(value), self._files.source(value))
        if isinstance(data, jsontext.Object) and includes(data):
            return self.included(data, value.start, where)
        self._files.error(
            f'{name!r} may contain only strings, numbers, true, false and {{"$file": "path"}}',
            value.start,
            where,
        )
        return None

    def included(self, object_: jsontext.Object, at: int, where: str) -> Text | None:
        """The text of the file that an object names; None if it cannot be used."""
        path = object_.members[0].value.data
        if len(object_.members) > 1 or not isinstance(path, str) or not path or "\0" in path:
            self._files.error('an included text must be {"$file": "path"}, without other members', at, where)
            return None
        text = self._files.included(path, at, where)
        return None if text is None else Text(text)


def within(where: str, key: str) -> str:
    """The path of a member within its object's path.  Of a long name it has the first 80 characters."""
    key = key if len(key) <= 80 else key[:80] + "…"
    if re.fullmatch(r"[\w$]+", key):
        return f"{where}.{key}"
    return f"{where}[{json.dumps(key, ensure_ascii=not key.isprintable())}]"


def _max_tokens(value: jsontext.Value | None) -> int | None:
    """The number of tokens in a member; None if there is no member, 0 if it is not a number that can be used."""
    if value is None:
        return None
    number = float(value.data.literal) if isinstance(value.data, jsontext.Number) else 0.0
    return int(number) if number.is_integer() and 1 <= number <= MAX_VALUE else 0


def _joins(value: jsontext.Value) -> bool:
    """Whether a value is joined to the client's."""
    return isinstance(value.data, jsontext.Object) and any(member.key in _TEXTS for member in value.data.members)


def includes(object_: jsontext.Object) -> bool:
    """Whether an object stands for an included text."""
    return any(member.key == "$file" for member in object_.members)
