"""
A configuration that is ready to be applied: sets of rules, profiles.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import attrs

from ..errors import printable
from .choice import Choice
from .names import FORMAT, GRANULARITIES, STREAM, fold
from .reach import Reach
from .rules import Default, Field, Joined, Map, Rename, TranscriptRules, json_members, multipart_parts

#: What the configuration says of one field.
Rule = Field | Joined | Map | Default | Rename


@attrs.frozen
class Finding:
    """
    An error or a warning about a file.

    :ivar message: what is wrong and what would be right.
    :ivar file: the path of the file.
    :ivar line: the line, counted from 1; 0 if the finding is about the whole file.
    :ivar column: the column, in characters, counted from 1; 0 if the finding is about the whole file.
    :ivar where: the path within the file, ``$.prompt`` or ``$.profiles.medical.prompt``; empty if the finding has none.
    """

    message: str
    file: str
    line: int = 0
    column: int = 0
    where: str = ""

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line else ""
        return f"{printable(self.file)}{place}: " + (f"{self.where}: " if self.where else "") + self.message


#: The fields of a form that a realtime session has, too; the rules for other fields are not for sessions.
SESSION_FIELDS = ("language", "prompt", "model")


@attrs.frozen(slots=False)
class Rules:
    """
    The rules for a transcription form: those of one profile, or those of requests without a profile.

    :ivar forced: fields that the proxy drops where the client sends them, and sends with its own values.  They are in
        the file's order, except that names which differ in case only are together.
    :ivar joined: fields whose values from the client the proxy joins to texts.
    :ivar maps: tables that the proxy applies to the values that the client sent.
    :ivar defaults: fields that the proxy adds last.
    :ivar renames: other names for the client's fields, which come into force before all other rules.
    :ivar translations: whether the rules are for translations too.  If not, translations pass unchanged.
    :ivar transcript: the rules for transcripts; None if there are none.
    """

    forced: tuple[Field, ...] = ()
    joined: tuple[Joined, ...] = ()
    maps: tuple[Map, ...] = ()
    defaults: tuple[Default, ...] = ()
    renames: tuple[Rename, ...] = ()
    translations: bool = True
    transcript: TranscriptRules | None = None

    @functools.cached_property
    def plans(self) -> dict[str, Any]:
        """What `forms.evaluation` has found out about names of fields, by the name."""
        return {}

    @functools.cached_property
    def forced_by_name(self) -> dict[str, Field]:
        """The forced fields by folded name; where names differ in case only, the last one."""
        return {fold(field.name): field for field in self.forced}

    @functools.cached_property
    def forced_names(self) -> tuple[str, ...]:
        """The names of the fields that the proxy sends with its own values."""
        return tuple(dict.fromkeys(field.name for field in self.forced if field.parts))

    @functools.cached_property
    def joined_by_name(self) -> dict[str, Joined]:
        """The joined fields by folded name."""
        return {fold(rule.name): rule for rule in self.joined}

    @functools.cached_property
    def maps_by_name(self) -> dict[str, Map]:
        """The tables by folded name, without those of forced and joined fields."""
        return {fold(rule.name): rule for rule in self.maps if fold(rule.name) not in self.set_by_name}

    @functools.cached_property
    def defaults_by_name(self) -> dict[str, Default]:
        """The defaults by folded name, without those of forced and joined fields."""
        return {fold(rule.name): rule for rule in self.defaults if fold(rule.name) not in self.set_by_name}

    @functools.cached_property
    def renames_by_name(self) -> dict[str, Rename]:
        """The renames by the folded old name."""
        return {fold(rule.name): rule for rule in self.renames}

    @functools.cached_property
    def set_by_name(self) -> frozenset[str]:
        """The folded names of the fields that the proxy sets in each form: the forced and the joined ones."""
        return frozenset(self.forced_by_name) | frozenset(self.joined_by_name)

    @functools.cached_property
    def names_change(self) -> bool:
        """Whether fields of the client may be sent under another name than the client's."""
        return bool(self.renames or self.joined)

    @functools.cached_property
    def read(self) -> frozenset[str]:
        """The folded names of the fields whose rules depend on the client's value."""
        empty = (name for name, rule in self.defaults_by_name.items() if rule.when_empty)
        return frozenset((*self.joined_by_name, *self.maps_by_name, *empty))

    @functools.cached_property
    def watched(self) -> frozenset[str]:
        """The folded names of the fields whose values are read because they say what the response is to be."""
        return frozenset((FORMAT, STREAM, GRANULARITIES)) if self.transcript else frozenset()

    @functools.cached_property
    def renamed_to(self) -> frozenset[str]:
        """The folded new names of all renames, without those of forced fields, which are dropped in any number."""
        return frozenset(fold(rule.new) for rule in self.renames) - frozenset(self.forced_by_name)

    @functools.cached_property
    def forced_form(self) -> tuple[bytes, ...]:
        """The forced fields as `multipart_parts`."""
        return multipart_parts(self.forced)

    @functools.cached_property
    def defaults_form(self) -> tuple[bytes, ...]:
        """All defaults as `multipart_parts`."""
        return multipart_parts(rule.field for rule in self.defaults_by_name.values())

    def growth(self, boundary: int) -> dict[str, int]:
        """
        By folded name, the bytes by which a multipart form may become longer: `Map.growth` of each table, and the
        lengths of the parts of joined fields.

        :param boundary: the length of the boundary in front of each part.
        """
        if boundary not in self._growth:
            alone = {name: sum(map(len, rule.alone.form)) for name, rule in self.joined_by_name.items()}
            maps = {name: rule.growth for name, rule in self.maps_by_name.items()}
            self._growth[boundary] = maps | {name: boundary + size for name, size in alone.items()}
        return self._growth[boundary]

    @functools.cached_property
    def _growth(self) -> dict[int, dict[str, int]]:
        """The results of `growth`."""
        return {}

    @functools.cached_property
    def json_growth(self) -> dict[str, int]:
        """
        By folded name, the bytes by which a JSON body may become longer: `Map.json_growth` of each table, and the
        lengths of the members of joined fields.
        """
        maps = {name: rule.json_growth for name, rule in self.maps_by_name.items()}
        alone = {name: json_members([rule.alone]) for name, rule in self.joined_by_name.items()}
        return maps | {name: len(b",") + len(member) for name, (member,) in alone.items()}

    @functools.cached_property
    def name_growth(self) -> dict[str, list[int]]:
        """`Rename.growth` of each rename, by the folded old name."""
        return {name: rule.growth for name, rule in self.renames_by_name.items()}

    @functools.cached_property
    def json_name_growth(self) -> dict[str, list[int]]:
        """`Rename.json_growth` of each rename, by the folded old name."""
        return {name: [rule.json_growth] for name, rule in self.renames_by_name.items()}

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The folded names of all fields that have a rule."""
        by_name = (self.set_by_name, self.maps_by_name, self.defaults_by_name, self.renames_by_name)
        return frozenset(name for names in by_name for name in names)

    @functools.cached_property
    def of_sessions(self) -> Rules:
        """The rules for `SESSION_FIELDS` only."""
        return attrs.evolve(
            self,
            forced=tuple(field for field in self.forced if fold(field.name) in SESSION_FIELDS),
            joined=tuple(rule for rule in self.joined if fold(rule.name) in SESSION_FIELDS),
            maps=tuple(rule for rule in self.maps if fold(rule.name) in SESSION_FIELDS),
            defaults=tuple(rule for rule in self.defaults if fold(rule.name) in SESSION_FIELDS),
            renames=tuple(rule for rule in self.renames if fold(rule.new) in SESSION_FIELDS),
        )

    def of(self, name: str) -> tuple[Rule, ...]:
        """The rules for a folded name.  Several of them can be forced fields, whose names differ in case."""
        groups: tuple[Iterable[Rule], ...] = (
            self.forced,
            self.joined,
            self.maps_by_name.values(),
            self.defaults_by_name.values(),
            self.renames,
        )
        return tuple(rule for group in groups for rule in group if fold(rule.name) == name)

    def changes(self, newer: Rules) -> set[str]:
        """
        The names of the fields whose rules differ from the newer ones, as the files spell them, and the names of the
        sections that are not about fields.
        """
        sections = {
            "$translations": self.translations != newer.translations,
            "$transcript": self.transcript != newer.transcript,
        }
        return {name for name, differs in sections.items() if differs} | {
            newer.spelling(name) or self.spelling(name)
            for name in self.names | newer.names
            if self.of(name) != newer.of(name)
        }

    def spellings(self) -> list[str]:
        """The names of all fields that have a rule, as the file spells them."""
        groups: tuple[Iterable[Rule], ...] = (self.forced, self.joined, self.maps, self.defaults, self.renames)
        return list(dict.fromkeys(rule.name for group in groups for rule in group))

    def spelling(self, name: str) -> str:
        """A folded name as the file spells it; empty if the field has no rule."""
        return next((rule.name for rule in self.of(name)), "")


@attrs.frozen(eq=False)
class Config:
    """
    A configuration.  Two configurations are equal only if they are the same object.

    :ivar base: the rules of requests without a profile.
    :ivar profiles: by name, the rules of each profile together with those that it keeps from the base.
    :ivar keys: names of profiles by the SHA-256 of the API key, in hexadecimal digits.
    :ivar reach: which requests the rules are for.
    :ivar choices: choose the profile of requests whose URL and API key choose none; the first that fits.
    :ivar generation: the number of configurations that have come into force, including this one.
    :ivar digest: the first 16 hexadecimal digits of the SHA-256 of the bytes of all its files.
    :ivar warnings: what is legal and probably a mistake.
    """

    base: Rules = attrs.field(factory=Rules)
    profiles: dict[str, Rules] = attrs.field(factory=dict)
    keys: dict[str, str] = attrs.field(factory=dict)
    generation: int = 0
    digest: str = ""
    warnings: tuple[Finding, ...] = ()
    reach: Reach = attrs.field(factory=Reach)
    choices: tuple[Choice, ...] = ()

    def rules(self, profile: str) -> Rules:
        """
        The rules of a profile; those of the base if the name is empty.

        :raises KeyError: when no profile has that name.
        """
        return self.profiles[profile] if profile else self.base

    def changes(self, newer: Config) -> list[str]:
        """
        What differs in a newer configuration.

        :return: ``field`` if the field's rules differ in the base, ``NAME: field`` if they differ only in a profile,
            ``profile NAME`` for a profile that one of the two does not have, and ``$paths``, ``$realtime``,
            ``$choose`` and ``keys``.
        """
        common = self.base.changes(newer.base)
        found = sorted(common)
        for name in sorted(self.profiles.keys() | newer.profiles.keys()):
            old, new = self.profiles.get(name), newer.profiles.get(name)
            if old is None or new is None:
                found.append(f"profile {name}")
            else:
                found += [f"{name}: {field}" for field in sorted(old.changes(new) - common)]
        wholes = {
            "$paths": self.reach.listed != newer.reach.listed,
            "$realtime": self.reach.realtime != newer.reach.realtime,
            "$choose": self.choices != newer.choices,
            "keys": self.keys != newer.keys,
        }
        return found + [name for name, differs in wholes.items() if differs]
