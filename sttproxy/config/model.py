"""
What a configuration says, ready to be applied.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import attrs

from ..errors import printable
from .names import fold


@attrs.frozen
class Finding:
    """
    Something about a file that a person should know.

    :ivar message: what is wrong and what would be right.
    :ivar file: its path.
    :ivar line: where, counted from 1; 0 where the whole file is meant.
    :ivar column: likewise, in characters.
    :ivar where: the path within the file, ``$.prompt`` or ``$.profiles.medical.prompt``; empty where there is none.
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
    A value without parts.

    :ivar text: as it goes into a form.
    :ivar json: as it goes into a JSON body.
    """

    text: str
    json: str


@attrs.frozen(slots=False)
class Field:
    """
    A field and its value.

    :ivar name: the member's name in the file.
    :ivar parts: names and values as they go into a form; empty where the field is only removed.
    :ivar json: the value as it goes into a JSON body; None where the field is only removed.
    """

    name: str
    parts: tuple[tuple[str, str], ...]
    json: str | None

    def encoded(self) -> list[tuple[bytes, bytes]]:
        """The parts in UTF-8."""
        return [(name.encode(), value.encode()) for name, value in self.parts]

    @functools.cached_property
    def form(self) -> tuple[bytes, ...]:
        """The parts as they stand in a multipart form, each behind its boundary and up to the next one (RFC 7578)."""
        return tuple(b'\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % part for part in self.encoded())

    @property
    def json_name(self) -> str:
        """The name that it has in a JSON body: a list needs no brackets there."""
        return self.name.removesuffix("[]")


def multipart_parts(fields: Iterable[Field]) -> tuple[bytes, ...]:
    """
    Fields as the parts of a multipart form.

    :return: pieces that two dashes and the boundary are to join; the first is empty.
    """
    return (b"", *(part for field in fields for part in field.form))


@attrs.frozen
class Default:
    """
    A field that is written where the client sends none.

    :ivar when_empty: whether one without a value counts as none; it is dropped then.
    """

    field: Field
    when_empty: bool

    @property
    def name(self) -> str:
        return self.field.name


@attrs.frozen(slots=False)
class Map:
    """
    What becomes of the values that clients give a field.

    :ivar table: by the client's value.
    :ivar other: for any value that is not in the table; None: it passes.
    """

    name: str
    table: dict[str, Text]
    other: Text | None

    def replacement(self, value: bytes) -> Text | None:
        """What a value is replaced by; None: it passes."""
        try:
            found = self.table.get(value.decode())
        except UnicodeDecodeError:
            found = None
        return found or self.other

    @functools.cached_property
    def json_growth(self) -> int:
        """The most bytes that a value of the table has in a JSON body."""
        news = (*self.table.values(), *([self.other] if self.other else ()))
        return max((len(new.json.encode()) for new in news), default=0)

    @functools.cached_property
    def growth(self) -> int:
        """The most bytes by which a value can become longer."""
        grown = [len(new.text.encode()) - len(old.encode()) for old, new in self.table.items()]
        return max(0, *grown, len(self.other.text.encode()) if self.other else 0)


@attrs.frozen(slots=False)
class Rules:
    """
    What is done to a transcription's form: the rules of one profile, or those without one.

    :ivar forced: fields whose client copies are dropped, and what is written instead, in the file's order but
        for names that differ in case only, which stand together.
    :ivar maps: applied to what the client sent.
    :ivar defaults: applied last.
    """

    forced: tuple[Field, ...] = ()
    maps: tuple[Map, ...] = ()
    defaults: tuple[Default, ...] = ()

    @functools.cached_property
    def forced_by_name(self) -> dict[str, Field]:
        """By folded name, as the other two."""
        return {fold(field.name): field for field in self.forced}

    @functools.cached_property
    def maps_by_name(self) -> dict[str, Map]:
        return {fold(rule.name): rule for rule in self.maps if fold(rule.name) not in self.forced_by_name}

    @functools.cached_property
    def defaults_by_name(self) -> dict[str, Default]:
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
        """By folded name, the most bytes by which a table can make a value longer."""
        return {name: rule.growth for name, rule in self.maps_by_name.items()}

    @functools.cached_property
    def json_growth(self) -> dict[str, int]:
        """The same for a JSON body."""
        return {name: rule.json_growth for name, rule in self.maps_by_name.items()}

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """The folded names of all fields that a rule speaks of."""
        return frozenset(self.forced_by_name) | frozenset(self.maps_by_name) | frozenset(self.defaults_by_name)

    def of(self, name: str) -> tuple[Field | Map | Default, ...]:
        """The rules for a folded name; there may be several forced fields, in different case."""
        groups: tuple[Iterable[Field | Map | Default], ...] = (
            self.forced,
            self.maps_by_name.values(),
            self.defaults_by_name.values(),
        )
        return tuple(rule for group in groups for rule in group if fold(rule.name) == name)

    def changes(self, newer: Rules) -> set[str]:
        """Names of the fields that other rules speak of in newer ones, as the files spell them."""
        return {
            newer.spelling(name) or self.spelling(name)
            for name in self.names | newer.names
            if self.of(name) != newer.of(name)
        }

    def spellings(self) -> list[str]:
        """The names of all fields that a rule speaks of, as the file spells them."""
        groups: tuple[Iterable[Field | Map | Default], ...] = (self.forced, self.maps, self.defaults)
        return list(dict.fromkeys(rule.name for group in groups for rule in group))

    def spelling(self, name: str) -> str:
        """How the file spells a folded name; empty where no rule speaks of it."""
        return next((rule.name for rule in self.of(name)), "")


@attrs.frozen(eq=False)
class Config:
    """
    A configuration in force; two are the same only if they are one object.

    :ivar base: the rules of requests without a profile.
    :ivar profiles: by name, the rules of each laid over the base's.
    :ivar keys: names of profiles by the SHA-256 of the API key they belong to, in hexadecimal digits.
    :ivar generation: counts those that came into force.
    :ivar digest: of the bytes of all its files, the first 16 hexadecimal digits of their SHA-256.
    :ivar warnings: what is legal and probably wrong.
    """

    base: Rules = attrs.field(factory=Rules)
    profiles: dict[str, Rules] = attrs.field(factory=dict)
    keys: dict[str, str] = attrs.field(factory=dict)
    generation: int = 0
    digest: str = ""
    warnings: tuple[Finding, ...] = ()

    def rules(self, profile: str) -> Rules:
        """
        The rules of a profile; the base's where it has no name.

        :raises KeyError: when there is none of that name.
        """
        return self.profiles[profile] if profile else self.base

    def changes(self, newer: Config) -> list[str]:
        """What differs in a newer configuration: fields, and ``profile: field`` where only a profile's differ."""
        common = self.base.changes(newer.base)
        found = sorted(common)
        for name in sorted(self.profiles.keys() | newer.profiles.keys()):
            old, new = self.profiles.get(name), newer.profiles.get(name)
            if old is None or new is None:
                found.append(f"profile {name}")
            else:
                found += [f"{name}: {field}" for field in sorted(old.changes(new) - common)]
        return found + ["keys"] * (self.keys != newer.keys)
