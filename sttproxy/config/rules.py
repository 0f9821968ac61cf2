"""
The rules for single fields, and those for transcripts.
"""

from __future__ import annotations

import enum
import functools
import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs

from .names import LISTS
from .tokens import last_words

if TYPE_CHECKING:
    from ..transcripts.cleaning import Cleaning

#: Longest value, in bytes, for which a table keeps the result, and the number of such values.
_SHORT, _MOST_OFTEN = 64, 256
#: Longest value of a client that a rule reads, in bytes; the proxy buffers a value up to this length.  Values that
#: servers use are much shorter: Whisper reads 224 tokens of a prompt, about 900 bytes.
MAX_VALUE = 64 * 1024


@attrs.frozen
class Text:
    """
    A single value.

    :ivar text: the value in a form.
    """

    text: str
    _json: str | None = None

    @property
    def json(self) -> str:
        """The value in a JSON body: as the configuration has it, or a string."""
        return json.dumps(self.text, ensure_ascii=False) if self._json is None else self._json


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


def json_members(fields: Iterable[Field]) -> list[bytes]:
    """Encode fields as members of a JSON object.  A field that is only removed has no value and no text."""
    return [f"{json.dumps(field.json_name)}:{field.json}".encode() for field in fields if field.json is not None]


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


@attrs.frozen
class Joined:
    """
    A field whose value is the client's, joined to configured texts; they stand alone where the client sends no value.

    :ivar before: the text before the client's value.
    :ivar after: the text after it.
    :ivar max_tokens: most tokens, estimated, of the joined value: the first words of the client's value are left out.
        None: any number.
    """

    name: str
    before: str
    after: str
    max_tokens: int | None

    @property
    def alone(self) -> Field:
        """The field if the client sends no value."""
        text = Text(self.before + self.after)
        return Field(self.name, ((self.name, text.text),), text.json)

    def fitting(self, value: str) -> str:
        """The part of a client's value that is joined."""
        if self.max_tokens is None:
            return value
        return last_words(value, self.before + self.after, self.max_tokens)

    def to(self, value: str) -> Text:
        """The joined value, of a value of the client that fits."""
        return Text(self.before + value + self.after)


class Removed(enum.Enum):
    """Stands for no value, in place of a `Text`."""

    REMOVED = enum.auto()


REMOVED = Removed.REMOVED


@attrs.frozen(slots=False)
class Map:
    """
    A table of what becomes of the values that clients send for a field.  Values are compared without regard to case.

    :ivar table: the value or `REMOVED`, by the client's value.  A key that ends in ``*`` is for all values that begin
        with the characters before.
    """

    name: str
    table: dict[str, Text | Removed]

    def replacement(self, value: bytes | None, whole: bool = True) -> Text | Removed | None:
        """
        What becomes of a client's value.

        An equal key has priority over keys with a star, and of these the longest one.

        :param value: None for a list or an object in a JSON body; only the key ``*`` applies to it.
        :param whole: whether this is the whole value, and not only its first `MAX_VALUE` bytes.
        :return: None if the value passes unchanged.
        """
        if value is None:
            return self._prefixes.get("")
        if not whole or len(value) > _SHORT:
            return self._found(value, whole)
        if value not in self._often:
            if len(self._often) >= _MOST_OFTEN:
                self._often.clear()
            self._often[value] = self._found(value, whole)
        return self._often[value]

    def _found(self, value: bytes, whole: bool) -> Text | Removed | None:
        texts, ends = _readings(value)
        for text in (*texts, *ends) if whole else ends:
            if text in self._exact:
                return self._exact[text]
        for length in self._lengths:
            for text in (*texts, *ends):
                if text[:length] in self._prefixes:
                    return self._prefixes[text[:length]]
        return self._prefixes.get("")

    @functools.cached_property
    def _often(self) -> dict[bytes, Text | Removed | None]:
        """Results for short values, because clients repeat the same few."""
        return {}

    @functools.cached_property
    def _exact(self) -> dict[str, Text | Removed]:
        return {key.casefold(): new for key, new in self.table.items() if not key.endswith("*")}

    @functools.cached_property
    def _prefixes(self) -> dict[str, Text | Removed]:
        """The keys with a star, without it."""
        return {key[:-1].casefold(): new for key, new in self.table.items() if key.endswith("*")}

    @functools.cached_property
    def _lengths(self) -> list[int]:
        """The lengths of prefixes in characters, longest first, without that of the empty one."""
        return sorted({len(prefix) for prefix in self._prefixes if prefix}, reverse=True)

    @property
    def texts(self) -> list[Text]:
        """The values that the table gives."""
        return [new for new in self.table.values() if isinstance(new, Text)]

    @functools.cached_property
    def json_growth(self) -> int:
        """The length of the longest replacement in a JSON body, in bytes."""
        return max((len(new.json.encode()) for new in self.texts), default=0)

    @functools.cached_property
    def growth(self) -> int:
        """The largest number of bytes by which a replacement is longer than the value that it replaces."""
        pairs = [(old.removesuffix("*"), new) for old, new in self.table.items() if isinstance(new, Text)]
        return max([0, *(len(new.text.encode()) - len(old.encode()) for old, new in pairs)])


def _readings(value: bytes) -> tuple[list[str], list[str]]:
    """
    The texts that servers may read from a value that a client sent, without regard to case.

    :return: what is read from the whole value: bytes that are not UTF-8 become replacement characters or are read as
        Latin-1; and what is read from a value with a NUL, where C strings end.
    """
    try:
        texts = [value.decode().casefold()]
    except UnicodeDecodeError:
        texts = [value.decode("utf-8", "replace").casefold(), value.decode("latin-1").casefold()]
    return texts, [text.partition("\0")[0] for text in texts if "\0" in text]


#: Copies of a list that may become longer by a rename in a form that comes with a length.  Each promises some bytes,
#: which become padding if the copy does not come.
RENAMED_COPIES = 4

#: Brackets behind a name that are sent on behind its new one.
_BRACKETS = re.compile(r"(?:\[[A-Za-z0-9_.\-]*\])+")


@attrs.frozen
class Rename:
    """
    Another name for a client's field.  All other rules see the new name only.

    :ivar name: the field's name as clients send it.
    :ivar new: the name under which it is sent, and the name to which the rules apply.
    """

    name: str
    new: str

    def applied(self, name: str) -> str:
        """
        The new name for one spelling of the old one.

        Brackets are kept, as in ``lang[]``, unless the new name has brackets itself.
        """
        brackets = _BRACKETS.search(name) if "[" in name and not name.lstrip().startswith("[") else None
        return self.new if brackets is None or "[" in self.new else self.new + brackets.group()

    @property
    def growth(self) -> list[int]:
        """The number of bytes by which a name becomes longer, for each copy that a promised length has room for."""
        growth = len(self.new.encode()) - len(self.name.encode())
        return [max(0, growth)] * (RENAMED_COPIES if may_repeat(self.new) else 1)

    @property
    def json_growth(self) -> int:
        """The number of bytes by which a name in a JSON body becomes longer."""
        names = (self.name, self.new.removesuffix("[]"))
        old, new = (len(json.dumps(name, ensure_ascii=False).encode()) for name in names)
        return max(0, new - old)


def may_repeat(name: str) -> bool:
    """Whether a field of this name is an element of a list or of an object, of which a form has several."""
    return name.endswith("]") or name in LISTS


@attrs.frozen
class TranscriptRules:
    """
    The rules for the texts of transcripts.

    :ivar values: the rules as `transcripts.compiling` takes them.  Rules with equal values are equal.
    :ivar cleaning: the compiled rules.
    :ivar as_asked: whether a response is delivered in the format that the client asked for.
    """

    values: dict[str, Any]
    cleaning: Cleaning = attrs.field(eq=False)
    as_asked: bool = attrs.field(eq=False)

    def __bool__(self) -> bool:
        """Whether there is anything to be done to a response."""
        return bool(self.cleaning) or self.as_asked
