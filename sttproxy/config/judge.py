"""
The one place that judges a configuration file.

Everything that is wrong is found in one reading, each with its place; what is legal and probably wrong becomes a
warning.  Included files are read through a function, so that this room does no I/O.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os.path
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import attrs

from .. import jsontext
from ..errors import ConfigError, printable
from . import advice
from .model import Config, Default, Field, Finding, Map, Rules, Text
from .names import LISTS, PROFILE, fault_of_field, fault_of_spelling, fold, names_of

#: Largest configuration and largest included file, in bytes; what a Kubernetes ConfigMap can hold.
MAX_BYTES = 1024 * 1024
#: Longest value that `$map` compares, in bytes; a client's value is held back to that length.
MAX_KEY = 64 * 1024

#: Gives the bytes of a file, or why there are none.
Reader = Callable[[str], "bytes | str"]

_SECTIONS = ("$default", "$map")
#: Largest number of errors, and of warnings, that are told in full.
MAX_FINDINGS = 100

_IN_BASE = ("$schema", *_SECTIONS, "$profiles")
_IN_PROFILE = (*_SECTIONS, "$unset")
_COMMENT = "$comment"
#: The beginning of a text in UTF-16 or UTF-32: a byte order mark, or ASCII in it.
_WIDE = re.compile(rb"\xff\xfe|\xfe\xff|[^\0]\0[^\0]\0|\0[^\0]\0[^\0]|[^\0]\0\0\0|\0\0\0?[^\0]", re.DOTALL)
_YAML = re.compile(r"(?:#.*\n\s*)*[\w.\-$]+[ \t]*:(?:[ \t\n]|$)")
_LONG_DEFAULT = frozenset({"value", "when_empty"})
_R = TypeVar("_R")
_HASH = re.compile(r"sha256:([0-9a-fA-F]{64})")


def parse(
    data: bytes,
    *,
    file: str = "stt_config.json",
    read: Reader = lambda _: "it cannot be read",
    keys: str = "",
    profile: str = "",
) -> Config:
    """
    Judge a configuration.

    :param data: the file's bytes: UTF-8, a byte order mark allowed.
    :param file: its path; included ones are relative to its folder.
    :param read: gives the bytes of included files.
    :param keys: the path of the file that gives API keys their profiles; empty: there is none.
    :param profile: the one that is used where a request names none; empty: the base.
    :raises ConfigError: with everything that is wrong.
    """
    judge = _Judge(file, read)
    config = judge.config(data)
    if keys:
        config = attrs.evolve(config, keys=judge.keys(keys, None if judge.errors else config))
    if profile and profile not in config.profiles and not judge.errors:
        judge.errors.add(Finding(f"--profile asks for {profile!r}; {names_of(config.profiles)}", file))
    if judge.errors:
        raise ConfigError(judge.errors.sorted("errors"))
    warnings = judge.warnings.sorted("warnings")
    return attrs.evolve(config, digest=judge.digest.hexdigest()[:16], warnings=warnings)


class _Findings:
    """
    What was found, the first `MAX_FINDINGS` of it in full; of a large file with the same fault everywhere, more would
    only fill logs.
    """

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def full(self) -> bool:
        """Whether further ones are only counted."""
        return len(self._found) == MAX_FINDINGS

    def add(self, finding: Finding) -> None:
        """Keep one; the same one is kept once."""
        self._found[finding] = None

    def count(self) -> None:
        """One more than are kept."""
        self._more += 1

    def sorted(self, what: str) -> tuple[Finding, ...]:
        """
        Those that were kept, in the order of their places, and how many more there are.

        :param what: their plural, for that.
        """
        found = tuple(sorted(self._found, key=_place))
        return (*found, Finding(f"and {self._more} more {what}", found[0].file)) if self._more else found


@attrs.define
class _Draft:
    """Rules while they are read, by folded name; forced fields may differ in case and are lists therefore."""

    forced: dict[str, list[Field]] = attrs.field(factory=dict)
    maps: dict[str, Map] = attrs.field(factory=dict)
    defaults: dict[str, Default] = attrs.field(factory=dict)
    unset: list[str] = attrs.field(factory=list)

    def over(self, base: _Draft) -> _Draft:
        """These rules laid over others."""

        def kept(rules: dict[str, _R]) -> dict[str, _R]:
            return {name: rule for name, rule in rules.items() if name not in self.unset}

        return _Draft(
            {**kept(base.forced), **self.forced},
            {**kept(base.maps), **self.maps},
            {**kept(base.defaults), **self.defaults},
        )

    def rules(self) -> Rules:
        return Rules(
            tuple(field for fields in self.forced.values() for field in fields),
            tuple(self.maps.values()),
            tuple(self.defaults.values()),
        )


class _Judge:
    """
    One judgement.

    :ivar errors: what is wrong.
    :ivar warnings: what is legal and probably wrong.
    :ivar digest: of all that was read.
    """

    def __init__(self, file: str, read: Reader) -> None:
        self.errors = _Findings()
        self.warnings = _Findings()
        self.digest = hashlib.sha256()
        self._file = file
        self._read = read
        self._json = ""
        self._places = jsontext.Places("")

    # Reading files.

    def _document(self, data: bytes, message: str = "") -> jsontext.Object | None:
        """
        The object that a file holds.

        :param message: what to say of a file that is not JSON; empty: what is wrong, with names out of it.
        """
        text = self._decoded(data)
        if text is None:
            return None
        self._json, self._places = text, jsontext.Places(text)
        if not message and (fault := _other_format(text)):
            self._error(fault, 0, "")
            return None
        try:
            root = jsontext.parse(text)
        except jsontext.JSONError as error:
            self._error(message or error.message, error.at, "")
            return None
        if not isinstance(root.data, jsontext.Object):
            self._error('the file must hold a JSON object, like {"language": "zh"}', root.start, "")
            return None
        return _without_comments(root.data)

    def _decoded(self, data: bytes) -> str | None:
        """The text of the file that is read now."""
        self.digest.update(data)
        if len(data) > MAX_BYTES:
            self.errors.add(Finding(f"the file is larger than {MAX_BYTES} bytes", self._file))
            return None
        if _WIDE.match(data):
            self.errors.add(Finding("the file is UTF-16 or UTF-32; save it as UTF-8", self._file))
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode()
            place = jsontext.Places(before).of(len(before))
            self.errors.add(Finding("the file is not UTF-8; save it as UTF-8", self._file, *place))
            return None

    def _error(self, message: str, at: int, where: str) -> None:
        self._find(self.errors, message, at, where)

    def _warn(self, message: advice.Advice, at: int, where: str) -> None:
        self._find(self.warnings, message, at, where)

    def _find(self, findings: _Findings, message: advice.Advice, at: int, where: str) -> None:
        if findings.full:
            findings.count()
        else:
            findings.add(Finding(str(message), self._file, *self._places.of(at), where))

    # The configuration.

    def config(self, data: bytes) -> Config:
        """Judge the file itself."""
        root = self._document(data)
        if root is None:
            return Config()
        base = self._draft(root, "$", _IN_BASE)
        rules = self._combined(base, None, root, 0, "$")
        profiles: dict[str, Rules] = {}
        for member in _members(root, "$profiles"):
            for each in self._objects(member, "$.profiles", "a profile by its name"):
                where = _within("$.profiles", each.key)
                if not PROFILE.fullmatch(each.key):
                    self._error(
                        f"the profile name {each.key!r} must begin with a letter or a digit, go on with those and "
                        "'.', '_', '~', '-', and have at most 64 characters, for it stands in URLs",
                        each.key_at,
                        where,
                    )
                body = self._object(each.value, where, "the rules of a profile")
                if body is not None:
                    draft = self._draft(body, where, _IN_PROFILE)
                    self._check_unset(body, base, where)
                    profiles[each.key] = self._combined(draft.over(base), rules, body, each.key_at, where)
        return Config(rules, profiles)

    def keys(self, file: str, config: Config | None) -> dict[str, str]:
        """
        Judge the file that gives API keys their profiles.

        No message of it shows a member's name: that may be a key that somebody forgot to hash.

        :param config: has the profiles; None where it is wrong itself.
        """
        data = self._read(file)
        self._file = file
        if isinstance(data, str):
            self.errors.add(Finding(data, file))
            return {}
        self.digest.update(b"\0")
        root = self._document(data, "this is not JSON, or a member is there twice")
        found: dict[str, str] = {}
        for member in root.members if root else ():
            profile = member.value.data
            digest = _HASH.fullmatch(member.key)
            if digest is None:
                message = "an API key is given as 'sha256:' and the 64 hexadecimal digits of its SHA-256"
                self._error(message, member.key_at, "")
            elif digest.group(1).lower() in found:
                self._error("the same key is there twice", member.key_at, "")
            elif not isinstance(profile, str) or (config and profile not in config.profiles):
                names = f"; {names_of(config.profiles)}" if config else ""
                self._error(f"this must be the name of a profile{names}", member.value.start, "")
            else:
                found[digest.group(1).lower()] = profile
        return found

    def _draft(self, object_: jsontext.Object, where: str, reserved: tuple[str, ...]) -> _Draft:
        """The rules of the base or of one profile."""
        draft = _Draft()
        for member in object_.members:
            name = member.key
            if name in reserved:
                self._section(draft, member, where)
            elif name.startswith("$"):
                self._unknown_section(member, where, reserved)
            else:
                path = _within(where, name)
                field = self._field(member, path)
                if field is not None:
                    self._add(draft.forced, field, member, path)
        return draft

    def _section(self, draft: _Draft, member: jsontext.Member, where: str) -> None:
        """A member that begins with a dollar sign."""
        path = f"{where}.{member.key[1:]}"
        if member.key == "$default":
            for each in self._objects(member, path, "a default by the field's name"):
                default = self._default(each, _within(path, each.key))
                if default is not None:
                    self._put(draft.defaults, default, each, _within(path, each.key))
        elif member.key == "$map":
            for each in self._objects(member, path, "a table of values by the field's name"):
                rule = self._map(each, _within(path, each.key))
                if rule is not None:
                    self._put(draft.maps, rule, each, _within(path, each.key))
        elif member.key == "$unset":
            data = member.value.data
            if not isinstance(data, tuple) or not all(isinstance(item.data, str) for item in data):
                self._error('this must be a list of field names, like ["language"]', member.value.start, path)
                return
            draft.unset = [fold(str(item.data)) for item in data]
        elif member.key == "$schema" and not isinstance(member.value.data, str):
            self._error("this must be the address of a JSON Schema, a string", member.value.start, path)

    def _unknown_section(self, member: jsontext.Member, where: str, reserved: tuple[str, ...]) -> None:
        if self.errors.full:
            self.errors.count()
            return
        close = difflib.get_close_matches(member.key, reserved, 1, 0.5)
        self._error(
            f"{member.key!r} is not known: names that begin with '$' are reserved, and here there may be "
            + ", ".join(reserved)
            + (f"; did you mean {close[0]}?" if close else ""),
            member.key_at,
            _within(where, member.key),
        )

    def _check_unset(self, body: jsontext.Object, base: _Draft, where: str) -> None:
        """Names that a profile frees without need."""
        ruled = {*base.forced, *base.maps, *base.defaults}
        for member in _members(body, "$unset"):
            for item in member.value.data if isinstance(member.value.data, tuple) else ():
                if isinstance(item.data, str) and fold(item.data) not in ruled:
                    self._warn(f"the base has no rule for {item.data!r}", item.start, f"{where}.unset")

    def _add(self, forced: dict[str, list[Field]], field: Field, member: jsontext.Member, where: str) -> None:
        """Add a forced field; one that is there in another case is written too."""
        others = forced.setdefault(fold(field.name), [])
        for other in others:
            message = f"{field.name!r} and {other.name!r} are the same field to a server"
            if field.name.casefold() == other.name.casefold():
                self._warn(f"{message} that ignores case; both are written", member.key_at, where)
            else:
                self._error(message, member.key_at, where)
        others.append(field)
        self._advise(advice.of_field(field), member, where)

    def _put(self, rules: dict[str, advice.T], rule: advice.T, member: jsontext.Member, where: str) -> None:
        """Add a rule of which there can be one for a field."""
        other = rules.get(fold(rule.name))
        if other is not None:
            self._error(f"{rule.name!r} and {other.name!r} are the same field to a server", member.key_at, where)
        rules[fold(rule.name)] = rule
        self._advise(advice.of_rule(rule), member, where)

    def _advise(self, messages: Iterator[advice.Advice], member: jsontext.Member, where: str) -> None:
        for message in messages:
            self._warn(message, member.key_at, where)

    def _combined(self, draft: _Draft, base: Rules | None, object_: jsontext.Object, at: int, where: str) -> Rules:
        """
        The rules that come of it, warned of where they get into each other's way.

        :param base: what a profile is laid over; it was warned of itself.
        :param at: where the object begins.
        """
        rules = draft.rules()
        known = set(advice.of_rules(base)) if base else set()
        for name, section, message in advice.of_rules(rules):
            if section or (name, section, message) not in known:
                found = list(_mentions(object_, name, section, where))
                for place, path in found if found or section else [(at, where)]:
                    self._warn(message, place, path)
        return rules

    # Values.

    def _objects(self, member: jsontext.Member, where: str, what: str) -> tuple[jsontext.Member, ...]:
        """The members of an object that must be one."""
        found = self._object(member.value, where, what)
        return found.members if found else ()

    def _object(self, value: jsontext.Value, where: str, what: str) -> jsontext.Object | None:
        if isinstance(value.data, jsontext.Object):
            return value.data
        self._error(f"this must be an object: {what}", value.start, where)
        return None

    def _named(self, member: jsontext.Member, where: str) -> bool:
        """Whether a member's name can be a field's."""
        fault = fault_of_field(member.key)
        if fault:
            self._error(fault, member.key_at, where)
        return not fault

    def _field(self, member: jsontext.Member, where: str) -> Field | None:
        """The field that a member asks for."""
        named = self._named(member, where)
        field = self._valued(member.key, member.value, where)
        return field if named else None

    def _valued(self, name: str, value: jsontext.Value, where: str) -> Field | None:
        """A field with a value; None where that is wrong."""
        data = value.data
        if data is None:
            return Field(name, (), None)
        listed = name if name.endswith("[]") else name + "[]"
        if isinstance(data, tuple):
            items = [self._text(item, f"{where}[{index}]", name) for index, item in enumerate(data)]
            texts = [item for item in items if item is not None]
            parts = tuple((listed, item.text) for item in texts)
            return Field(name, parts, "[" + ", ".join(item.json for item in texts) + "]")
        if isinstance(data, jsontext.Object) and not _includes(data):
            members: list[tuple[str, Text]] = []
            for inner in data.members:
                path = _within(where, inner.key)
                fault = fault_of_spelling(inner.key)
                if fault:
                    self._error(fault, inner.key_at, path)
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
        """A string, a number, a truth value or an included text."""
        data = value.data
        if isinstance(data, str):
            if "\0" in data:
                self._error(f"the value of {name!r} holds a NUL character", value.start, where)
                return None
            return Text(data, self._source(value))
        if isinstance(data, jsontext.Number):
            return Text(data.literal, data.literal)
        if isinstance(data, bool):
            return Text(self._source(value), self._source(value))
        if isinstance(data, jsontext.Object) and _includes(data):
            return self._included(data, value.start, where)
        self._error(
            f'inside {name!r} there may only be strings, numbers, true, false and {{"$file": "path"}}',
            value.start,
            where,
        )
        return None

    def _source(self, value: jsontext.Value) -> str:
        return self._json[value.start : value.end]

    def _included(self, object_: jsontext.Object, at: int, where: str) -> Text | None:
        """The text of a file, without the line break at its end that editors put there."""
        path = object_.members[0].value.data
        if len(object_.members) > 1 or not isinstance(path, str) or not path or "\0" in path:
            self._error('an included text is {"$file": "path"}, with nothing beside it', at, where)
            return None
        path = os.path.join(os.path.dirname(self._file), path)
        data = self._read(path)
        if isinstance(data, str):
            self._error(f"the file {printable(path)}: {data}", at, where)
            return None
        # No file that can be used holds a NUL, so it parts them.
        self.digest.update(b"\0")
        here, self._file = self._file, path
        text = self._decoded(data)
        self._file = here
        if text is None:
            return None
        if "\0" in text:
            self._error(f"the file {printable(path)} holds a NUL character", at, where)
            return None
        text = text.removesuffix("\n").removesuffix("\r")
        return Text(text, json.dumps(text, ensure_ascii=False))

    def _default(self, member: jsontext.Member, where: str) -> Default | None:
        """A member of ``$default``: a value, or an object of the value and when it is for."""
        named, value, when_empty = self._named(member, where), member.value, False
        if isinstance(value.data, jsontext.Object) and any(each.key in _LONG_DEFAULT for each in value.data.members):
            inner = {each.key: each for each in value.data.members}
            flag = inner.get("when_empty")
            if "value" not in inner or inner.keys() - _LONG_DEFAULT or (flag and not isinstance(flag.value.data, bool)):
                self._error('the long form is {"value": …, "when_empty": true}', value.start, where)
                return None
            when_empty = flag is not None and flag.value.data is True
            value, where = inner["value"].value, f"{where}.value"
        if value.data is None:
            self._error("a default needs a value; null is none", value.start, where)
            return None
        field = self._valued(member.key, value, where)
        return Default(field, when_empty) if field and named else None

    def _map(self, member: jsontext.Member, where: str) -> Map | None:
        """A member of ``$map``: a table of values."""
        named = self._named(member, where)
        table: dict[str, Text] = {}
        entries = self._objects(member, where, 'values and what replaces them; "*" is any other value')
        for entry in entries:
            if "\0" in entry.key or len(entry.key.encode()) > MAX_KEY:
                self._error(
                    f"a value to be replaced has at most {MAX_KEY} bytes and no NUL character", entry.key_at, where
                )
            text = self._text(entry.value, where, member.key)
            if text is not None:
                table[entry.key] = text
        return Map(member.key, table, table.pop("*", None)) if named else None


def _place(finding: Finding) -> tuple[str, int, int]:
    return finding.file, finding.line, finding.column


def _other_format(text: str) -> str:
    """Which other format than JSON a file is in, and what to do; empty where that cannot be seen."""
    start = text.lstrip()
    if not start:
        return "the file is empty; a configuration without fields is {}"
    if start.startswith("{\\rtf"):
        return "this is RTF; save it as plain text"
    if start.startswith("---") or _YAML.match(start):
        return 'this is YAML; the file must hold a JSON object, like {"language": "zh"}'
    return ""


def _without_comments(object_: jsontext.Object) -> jsontext.Object:
    """An object without the members named ``$comment``, at any depth."""
    members = [
        attrs.evolve(member, value=_uncommented(member.value)) for member in object_.members if member.key != _COMMENT
    ]
    return jsontext.Object(tuple(members))


def _uncommented(value: jsontext.Value) -> jsontext.Value:
    if isinstance(value.data, jsontext.Object):
        return attrs.evolve(value, data=_without_comments(value.data))
    if isinstance(value.data, tuple):
        return attrs.evolve(value, data=tuple(map(_uncommented, value.data)))
    return value


def _within(where: str, key: str) -> str:
    """The path of a member, whose name may be long."""
    key = key if len(key) <= 80 else key[:80] + "…"
    if re.fullmatch(r"[\w$]+", key):
        return f"{where}.{key}"
    return f"{where}[{json.dumps(key, ensure_ascii=not key.isprintable())}]"


def _includes(object_: jsontext.Object) -> bool:
    """Whether an object is an included text."""
    return any(member.key == "$file" for member in object_.members)


def _members(object_: jsontext.Object, name: str) -> Iterator[jsontext.Member]:
    """The member of a name, if there is one."""
    return (member for member in object_.members if member.key == name)


def _mentions(object_: jsontext.Object, name: str, section: str, where: str) -> Iterator[tuple[int, str]]:
    """
    Where the base or a profile itself speaks of a field.

    :param name: folded.
    :param section: the only one to look in; empty: everywhere.
    """
    for member in object_.members:
        if member.key in _SECTIONS and isinstance(member.value.data, jsontext.Object):
            if section in ("", member.key):
                yield from _mentions(member.value.data, name, "", f"{where}.{member.key[1:]}")
        elif not section and fold(member.key) == name:
            yield member.key_at, _within(where, member.key)
