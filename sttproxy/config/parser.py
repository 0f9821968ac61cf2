"""
Reads and checks a configuration file.

One reading finds all errors, each with its file, line and column.  What is legal and probably a mistake becomes a
warning.  The caller gives a function that reads included files, so this package does no I/O.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TypeVar

import attrs

from .. import jsontext
from ..errors import ConfigError
from . import lint, renames
from .choice import Choice
from .choosing import Choosing
from .files import Files, Reader
from .keys import read_keys
from .members import Members, within
from .model import SESSION_FIELDS, Config, Finding, Rules
from .names import PROFILE, fold, names_of
from .paths import read_paths
from .reach import Reach
from .rules import Default, Field, Joined, Map, Rename, TranscriptRules
from .transcript import read_transcript

_SECTIONS = ("$default", "$map", "$rename")
_IN_BASE = ("$schema", *_SECTIONS, "$profiles", "$translations", "$transcript", "$paths", "$realtime", "$choose")
_IN_PROFILE = (*_SECTIONS, "$unset", "$translations", "$transcript")
_R = TypeVar("_R")


def parse(
    data: bytes,
    *,
    file: str = "stt_config.json",
    read: Reader = lambda _: "it cannot be read",
    keys: str = "",
    profile: str = "",
) -> Config:
    """
    Read and check a configuration.

    :param data: the file's bytes: UTF-8, with or without a byte order mark.
    :param file: its path; paths of included files are relative to its folder.
    :param read: reads included files and the file of keys.
    :param keys: the path of the file that gives API keys their profiles; empty if keys have no profiles.
    :param profile: the profile of requests that name no profile; empty for the base.
    :raises ConfigError: when the configuration cannot be used; it has all errors.
    """
    files = Files(file, read)
    config = _Parser(files).config(data)
    if keys:
        config = attrs.evolve(config, keys=read_keys(files, keys, None if files.errors else config))
    if profile and profile not in config.profiles and not files.errors:
        files.errors.add(Finding(f"--profile asks for {profile!r}; {names_of(config.profiles)}", file))
    if files.errors:
        raise ConfigError(files.errors.sorted("errors"))
    warnings = files.warnings.sorted("warnings")
    return attrs.evolve(config, digest=files.digest.hexdigest()[:16], warnings=warnings)


@attrs.define
class _Draft:
    """
    Rules while they are read, by folded name.

    A folded name can have several forced fields, because field names may differ in case only.

    :ivar set: the forced and the joined fields, of which a profile replaces each by any other one.
    """

    set: dict[str, list[Field | Joined]] = attrs.field(factory=dict)
    maps: dict[str, Map] = attrs.field(factory=dict)
    defaults: dict[str, Default] = attrs.field(factory=dict)
    renames: dict[str, Rename] = attrs.field(factory=dict)
    unset: list[str] = attrs.field(factory=list)
    #: None: as in the base.
    translations: bool | None = None
    #: None: as in the base.
    transcript: TranscriptRules | None = None

    def over(self, base: _Draft) -> _Draft:
        """The base's rules, without those that these rules unset or replace, and these rules."""

        def kept(rules: dict[str, _R]) -> dict[str, _R]:
            return {name: rule for name, rule in rules.items() if name not in self.unset}

        return _Draft(
            {**kept(base.set), **self.set},
            {**kept(base.maps), **self.maps},
            {**kept(base.defaults), **self.defaults},
            {**kept(base.renames), **self.renames},
            translations=base.translations if self.translations is None else self.translations,
            transcript=base.transcript if self.transcript is None else self.transcript,
        )

    def rules(self) -> Rules:
        fields = [field for fields in self.set.values() for field in fields]
        return Rules(
            tuple(field for field in fields if isinstance(field, Field)),
            tuple(field for field in fields if isinstance(field, Joined)),
            tuple(self.maps.values()),
            tuple(self.defaults.values()),
            tuple(self.renames.values()),
            self.translations is not False,
            self.transcript,
        )


class _Parser:
    """Reads the configuration file itself, with the texts that it includes."""

    def __init__(self, files: Files) -> None:
        """
        :param files: reads the files and collects the errors and the warnings.
        """
        self._files = files
        self._members = Members(files)
        self._reach = Reach()

    def config(self, data: bytes) -> Config:
        """
        Read the configuration.

        :param data: the file's bytes.
        :return: the rules that could be read; they count only if there are no errors.
        """
        root = self._files.document(data)
        if root is None:
            return Config()
        realtime = any(member.value.data is True for member in _members(root, "$realtime"))
        self._reach = Reach(realtime=realtime)
        for member in _members(root, "$paths"):
            self._reach = Reach(read_paths(self._files, member.value, realtime), realtime)
        base = self._draft(root, "$", _IN_BASE)
        rules = self._combined(base, None, root, 0, "$")
        profiles: dict[str, Rules] = {}
        for member in _members(root, "$profiles"):
            for each in self._members.objects(member, "$.profiles", "a profile by its name"):
                where = within("$.profiles", each.key)
                if not PROFILE.fullmatch(each.key):
                    self._files.error(
                        f"the profile name {each.key!r} must begin with a letter or a digit, continue with letters, "
                        "digits, '.', '_', '~' or '-', and have at most 64 characters, because it is part of URLs",
                        each.key_at,
                        where,
                    )
                body = self._members.object(each.value, where, "the rules of a profile")
                if body is not None:
                    draft = self._draft(body, where, _IN_PROFILE)
                    self._check_unset(body, base, where)
                    profiles[each.key] = self._combined(draft.over(base), rules, body, each.key_at, where)
        choices: tuple[Choice, ...] = ()
        for member in _members(root, "$choose"):
            choices = Choosing(self._files, profiles, self._reach.paths).choices(member.value)
        for member in _members(root, "$realtime"):
            if realtime and not any(each.of_sessions.names for each in (rules, *profiles.values())):
                message = f"this has no effect, because no rule is for {', '.join(SESSION_FIELDS)}"
                self._files.warn(message, member.key_at, "$.realtime")
        return Config(rules, profiles, reach=self._reach, choices=choices)

    def _draft(self, object_: jsontext.Object, where: str, reserved: tuple[str, ...]) -> _Draft:
        """
        Read the rules of the base or of one profile.

        :param reserved: the names with a dollar sign that are allowed here.
        """
        draft = _Draft()
        for member in object_.members:
            name = member.key
            if name in reserved:
                self._section(draft, member, where)
            elif name.startswith("$"):
                self._unknown_section(member, where, reserved)
            else:
                path = within(where, name)
                field = self._members.field(member, path)
                if field is not None:
                    self._add(draft.set, field, member, path)
        return draft

    def _section(self, draft: _Draft, member: jsontext.Member, where: str) -> None:
        """Read a member whose name begins with a dollar sign, into the draft."""
        path = f"{where}.{member.key[1:]}"
        if member.key == "$default":
            for each in self._members.objects(member, path, "a default by the field's name"):
                default = self._members.default(each, within(path, each.key))
                if default is not None:
                    self._put(draft.defaults, default, each, within(path, each.key))
        elif member.key == "$map":
            for each in self._members.objects(member, path, "a table of values by the field's name"):
                rule = self._members.map(each, within(path, each.key))
                if rule is not None:
                    self._put(draft.maps, rule, each, within(path, each.key))
        elif member.key == "$rename":
            for each in self._members.objects(member, path, "the new name of a field by its old one"):
                rename = self._members.rename(each, within(path, each.key))
                if rename is not None:
                    self._put(draft.renames, rename, each, within(path, each.key))
        elif member.key == "$unset":
            data = member.value.data
            if not isinstance(data, tuple) or not all(isinstance(item.data, str) for item in data):
                self._files.error('this must be a list of field names, like ["language"]', member.value.start, path)
                return
            draft.unset = [fold(str(item.data)) for item in data]
        elif member.key in ("$translations", "$realtime"):
            if not isinstance(member.value.data, bool):
                self._files.error("this must be true or false", member.value.start, path)
            elif member.key == "$translations":
                draft.translations = member.value.data
        elif member.key == "$transcript":
            draft.transcript = read_transcript(self._files, member, path)
        elif member.key == "$schema" and not isinstance(member.value.data, str):
            self._files.error("this must be the address of a JSON Schema, a string", member.value.start, path)

    def _unknown_section(self, member: jsontext.Member, where: str, reserved: tuple[str, ...]) -> None:
        if self._files.errors.full:
            self._files.errors.count()
            return
        close = difflib.get_close_matches(member.key, reserved, 1, 0.5)
        self._files.error(
            f"{member.key!r} is not known: names that begin with '$' are reserved; the names allowed here are "
            + ", ".join(reserved)
            + (f"; did you mean {close[0]}?" if close else ""),
            member.key_at,
            within(where, member.key),
        )

    def _check_unset(self, body: jsontext.Object, base: _Draft, where: str) -> None:
        """Warn of each name in ``$unset`` for which the base has no rule."""
        ruled = {*base.set, *base.maps, *base.defaults, *base.renames}
        for member in _members(body, "$unset"):
            for item in member.value.data if isinstance(member.value.data, tuple) else ():
                if isinstance(item.data, str) and fold(item.data) not in ruled:
                    self._files.warn(f"the base has no rule for {item.data!r}", item.start, f"{where}.unset")

    def _add(
        self, fields: dict[str, list[Field | Joined]], field: Field | Joined, member: jsontext.Member, where: str
    ) -> None:
        """Add a forced or joined field.  If a forced one is there in another case, both are sent."""
        others = fields.setdefault(fold(field.name), [])
        for other in others:
            message = f"{field.name!r} and {other.name!r} are the same field to a server"
            forced = isinstance(field, Field) and isinstance(other, Field)
            if forced and field.name.casefold() == other.name.casefold():
                self._files.warn(f"{message} that ignores case; both are sent", member.key_at, where)
            else:
                self._files.error(message, member.key_at, where)
        others.append(field)
        self._lint(lint.of_field(field), member, where)

    def _put(self, rules: dict[str, lint.T], rule: lint.T, member: jsontext.Member, where: str) -> None:
        """Add a default, a table or a rename; a field can have only one of each."""
        other = rules.get(fold(rule.name))
        if other is not None:
            self._files.error(f"{rule.name!r} and {other.name!r} are the same field to a server", member.key_at, where)
        rules[fold(rule.name)] = rule
        self._lint(lint.of_rule(rule), member, where)

    def _lint(self, messages: Iterator[lint.LintWarning], member: jsontext.Member, where: str) -> None:
        for message in messages:
            if not isinstance(message, lint.Ignored) or message.counts(self._reach.form_paths):
                self._files.warn(message, member.key_at, where)

    def _combined(self, draft: _Draft, base: Rules | None, source: jsontext.Object, at: int, where: str) -> Rules:
        """
        Finish a draft, and warn of rules that do not go together.

        :param base: the base's rules if the draft is a profile's.  Their own warnings are not repeated.
        :param source: the source of the draft.
        :param at: its offset in the document.
        :param where: its path within the document.
        """
        rules = draft.rules()
        known = set(lint.of_rules(base)) if base else set()
        for name, section, message in lint.of_rules(rules):
            if section or (name, section, message) not in known:
                found = list(_mentions(source, name, section, where))
                for place, path in found if found or section else [(at, where)]:
                    self._files.warn(message, place, path)
        chains = set(renames.chains(base)) if base else set()
        for name, message in renames.chains(rules):
            if (name, message) not in chains:
                for place, path in list(_mentions(source, name, "$rename", where)) or [(at, where)]:
                    self._files.error(message, place, path)
        return rules


def _members(source: jsontext.Object, name: str) -> Iterator[jsontext.Member]:
    """The member with a name; empty if the object has no such member."""
    return (member for member in source.members if member.key == name)


def _mentions(source: jsontext.Object, name: str, section: str, where: str) -> Iterator[tuple[int, str]]:
    """
    The offset and the path of each member of the base or of a profile that is about a field.

    :param name: the field's folded name.
    :param section: the section to look in; empty to look everywhere.
    """
    for member in source.members:
        if member.key in _SECTIONS and isinstance(member.value.data, jsontext.Object):
            if section in ("", member.key):
                yield from _mentions(member.value.data, name, "", f"{where}.{member.key[1:]}")
        elif not section and fold(member.key) == name:
            yield member.key_at, within(where, member.key)
