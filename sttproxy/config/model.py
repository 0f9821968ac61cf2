"""
A configuration that is ready to be applied: fields, rules, profiles.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import attrs

from ..errors import printable
from .choice import Choice
from .names import fold
from .reach import Reach


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


@attrs.frozen
class Text:
    """
    A single value.

    :ivar text: the value in a form.
    :ivar json: the value in a JSON body.
    """

    text: str
    json: str


@attrs.frozen(slots=False)
class Field:
    """
    A field and its value.

    :ivar name: the name of the member in the file.
    :ivar parts: names and values in a form; empty if the field is only removed.
    :ivar json: the value in a JSON body; None if the field is only removed.
    """

    name: str
    parts: tuple[tuple[str, str], ...]
    json: str | None

    def encoded(self) -> list[tuple[bytes, bytes]]:
        """The parts in UTF-8."""
        return [(name.encode(), value.encode()) for name, value in self.parts]

    @functools.cached_property
    def form(self) -> tuple[bytes, ...]:
        """The parts in a multipart form (RFC 7578): for each the bytes between two delimiters."""
        return tuple(b'\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % part for part in self.encoded())

    @property
    def json_name(self) -> str:
        """The name in a JSON body, where a list needs no brackets."""
        return self.name.removesuffix("[]")


def multipart_parts(fields: Iterable[Field]) -> tuple[bytes, ...]:
    """
    Encode fields as the parts of a multipart form.

    :return: pieces to join with two dashes and the boundary; the first piece is empty.
    """
    return (b"", *(part for field in fields for part in field.form))


@attrs.frozen
class Default:
    """
    A field that the proxy adds if the client does not send it.

    :ivar when_empty: whether the default also replaces a field that the client sends empty.
    """

    field: Field
    when_empty: bool

    @property
    def name(self) -> str:
        return self.field.name


@attrs.frozen(slots=False)
class Map:
    """
    A table that replaces the values that clients send for a field.

    :ivar table: replacements by the client's value.
    :ivar other: the replacement of values that are not in the table; None if they pass unchanged.
    """

    name: str
    table: dict[str, Text]
    other: Text | None

    def replacement(self, value: bytes) -> Text | None:
        """The replacement of a value; None if the value passes unchanged."""
        try:
            found = self.table.get(value.decode())
        except UnicodeDecodeError:
            found = None
        return found or self.other

    @functools.cached_property
    def json_growth(self) -> int:
        """The length of the longest replacement in a JSON body, in bytes."""
        news = (*self.table.values(), *([self.other] if self.other else ()))
        return max((len(new.json.encode()) for new in news), default=0)

    @functools.cached_property
    def growth(self) -> int:
        """The largest number of bytes by which a replacement is longer than the value that it replaces."""
        grown = [len(new.text.encode()) - len(old.encode()) for old, new in self.table.items()]
        return max(0, *grown, len(self.other.text.encode()) if self.other else 0)


#: The fields of a form that a realtime session has, too; the rules for other fields are not for sessions.
SESSION_FIELDS = ("language", "prompt", "model")


@attrs.frozen(slots=False)
class Rules:
    """
    The rules for a transcription form: those of one profile, or those of requests without a profile.

    :ivar forced: fields that the proxy drops where the client sends them, and sends with its own values.  They are in
        the file's order, except that names which differ in case only are together.
    :ivar maps: tables that the proxy applies to the values that the client sent.
    :ivar defaults: fields that the proxy adds last.
    :ivar translations: whether the rules are for translations too.  If not, translations pass unchanged.
    """

    forced: tuple[Field, ...] = ()
    maps: tuple[Map, ...] = ()
    defaults: tuple[Default, ...] = ()
    translations: bool = True

    @functools.cached_property
    def forced_by_name(self) -> dict[str, Field]:
        """The forced fields by folded name; where names differ in case only, the last one."""
        return {fold(field.name): field for field in self.forced}

    @functools.cached_property
    def maps_by_name(self) -> dict[str, Map]:
        """The tables by folded name, without those of forced fields."""
        return {fold(rule.name): rule for rule in self.maps if fold(rule.name) not in self.forced_by_name}

    @functools.cached_property
    def defaults_by_name(self) -> dict[str, Default]:
        """The defaults by folded name, without those of forced fields."""
        return {fold(rule.name): rule for rule in self.defaults if fold(rule.name) not in self.forced_by_name}

    @functools.cached_property
    def forced_form(self) -> tuple[bytes, ...]:
        """The forced fields as `multipart_parts`."""
        return multipart_parts(self.forced)

    @functools.cached_property
    def defaults_form(self) -> tuple[bytes, ...]:
        """All defaults as `multipart_parts`."""
        return multipart_parts(rule.field for rule in self.defaults_by_name.values())

    @functools.cached_property
    def growth(self) -> dict[str, int]:
        """`Map.growth` of each table, by folded name."""
        return {name: rule.growth for name, rule in self.maps_by_name.items()}

    @functools.cached_property
    def json_growth(self) -> dict[str, int]:
        """`Map.json_growth` of each table, by folded name."""
        return {name: rule.json_growth for name, rule in self.maps_by_name.items()}

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The folded names of all fields that have a rule."""
        return frozenset(self.forced_by_name) | frozenset(self.maps_by_name) | frozenset(self.defaults_by_name)

    @functools.cached_property
    def of_sessions(self) -> Rules:
        """The rules for `SESSION_FIELDS` only."""
        return attrs.evolve(
            self,
            forced=tuple(field for field in self.forced if fold(field.name) in SESSION_FIELDS),
            maps=tuple(rule for rule in self.maps if fold(rule.name) in SESSION_FIELDS),
            defaults=tuple(rule for rule in self.defaults if fold(rule.name) in SESSION_FIELDS),
        )

    def of(self, name: str) -> tuple[Field | Map | Default, ...]:
        """The rules for a folded name.  Several of them can be forced fields, whose names differ in case."""
        groups: tuple[Iterable[Field | Map | Default], ...] = (
            self.forced,
            self.maps_by_name.values(),
            self.defaults_by_name.values(),
        )
        return tuple(rule for group in groups for rule in group if fold(rule.name) == name)

    def changes(self, newer: Rules) -> set[str]:
        """
        The names of the fields whose rules differ from the newer ones, as the files spell them, and the name of the
        switch for translations.
        """
        switched = {"$translations"} if self.translations != newer.translations else set()
        return switched | {
            newer.spelling(name) or self.spelling(name)
            for name in self.names | newer.names
            if self.of(name) != newer.of(name)
        }

    def spellings(self) -> list[str]:
        """The names of all fields that have a rule, as the file spells them."""
        groups: tuple[Iterable[Field | Map | Default], ...] = (self.forced, self.maps, self.defaults)
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
