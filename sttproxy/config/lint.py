"""
Lint warnings: what is legal in a configuration and probably a mistake.

The messages go into logs and statistics, so they contain no values.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

import attrs

from . import known, renames
from .model import Rules
from .names import LISTS, fold
from .rules import Default, Field, Joined, Map, Rename
from .tokens import PROMPT_TOKENS, estimated_tokens

#: A kind of rule that a field can have once.
T = TypeVar("T", bound="Default | Map | Rename")

#: The fields that MLX Omni Server reads from a transcription form.  It ignores other fields without an error.
READ_BY_MLX = ("model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
#: Member names that people use for comments, because JSON has no comments.
_COMMENTS = frozenset({"//", "#", "_comment", "__comment", "comment"})
#: Names that other servers have for fields of MLX Omni Server.  Names that are spelled alike need no entry.
_OTHER_NAMES = {"initial_prompt": "prompt", "lang": "language", "format": "response_format", "model_name": "model"}


def of_field(field: Field | Joined) -> Iterator[LintWarning]:
    """Warnings about a forced or joined field."""
    if isinstance(field, Joined):
        yield from _of_value(field.alone)
        yield from _of_joined(field)
        return
    if field.json is None:
        return
    yield from _of_value(field)


def _of_joined(rule: Joined) -> Iterator[str]:
    """Warnings about the texts of a joined field."""
    tokens = estimated_tokens(rule.before + rule.after)
    if not rule.before + rule.after:
        yield "the text is empty, so nothing is joined to the client's value"
    if _runs_into(rule.before[-1:], ".,;:!?") or _runs_into(rule.after[:1], ""):
        yield "there is no white space between the text and the client's value"
    if rule.max_tokens is not None and tokens >= rule.max_tokens:
        yield f"the text alone has about {tokens} tokens (estimated); max_tokens leaves no room for the client's value"
    elif rule.max_tokens is not None and rule.max_tokens > PROMPT_TOKENS and fold(rule.name) == "prompt":
        yield f"max_tokens is {rule.max_tokens}; Whisper reads only the last {PROMPT_TOKENS}"


def _runs_into(char: str, marks: str) -> bool:
    """Whether a text that begins or ends with this character needs white space there."""
    return char.isascii() and (char.isalnum() or (char != "" and char in marks))


def of_rule(rule: Default | Map | Rename) -> Iterator[LintWarning]:
    """Warnings about a default, a table of values or a rename."""
    if isinstance(rule, Rename):
        if fold(rule.new) != "file":
            yield from _of_name(rule.new)
        return
    if isinstance(rule, Default):
        yield from _of_value(rule.field)
        return
    if fold(rule.name) not in map(fold, READ_BY_MLX):  # a mapped field keeps the name that the client sent
        yield from _of_name(rule.name)
    for new in rule.texts:
        yield from _of_text(fold(rule.name), new.text)
    if any("*" in key[:-1] for key in rule.table):
        yield "a star stands for any characters only at the end of a key; elsewhere it stands for itself"


@attrs.frozen
class Ignored:
    """
    The warning that the server ignores a field.

    The message is made on demand, because the search for a suggestion is slow and many warnings are only counted.

    :ivar wire: the field's name as it goes on the wire.
    """

    wire: str

    def counts(self, paths: Iterable[str]) -> bool:
        """Whether to warn: not of a field that the server of a listed path may read.  A comment is never meant so."""
        return self.wire in _COMMENTS or not any(known.may_read(path, self.wire) for path in paths)

    def __str__(self) -> str:
        folded = fold(self.wire)
        if self.wire in _COMMENTS:
            return f"this is sent to the server as the field {self.wire!r}; a comment needs the member name '$comment'"
        close = difflib.get_close_matches(folded, READ_BY_MLX, 1, 0.7)
        close = [_OTHER_NAMES[folded]] if folded in _OTHER_NAMES else close
        return f"MLX Omni Server ignores {self.wire!r}" + (f"; did you mean {close[0]!r}?" if close else "")


#: A message, or an object whose ``str`` is the message.
LintWarning = str | Ignored


def of_rules(rules: Rules) -> Iterator[tuple[str, str, str]]:
    """
    Warnings about rules that do not go together.

    :return: the folded name of a field, the section that the warning is about (empty for all), and the message.
    """
    for section, names in (("$map", [*map(_name, rules.maps)]), ("$default", [*map(_name, rules.defaults)])):
        for name in names:
            if name in rules.forced_by_name:
                yield name, section, f"this {section} has no effect, because the field is forced or removed"
            elif name in rules.joined_by_name:
                yield name, section, f"this {section} has no effect, because a text is joined to the field"
    yield from renames.warnings(rules)
    written = [*rules.forced, *(default.field for default in rules.defaults_by_name.values())]
    words = any(fold(field.name) == "timestamp_granularities" and "word" in _texts(field) for field in written)
    formats = {text for field in written if fold(field.name) == "response_format" for text in _texts(field)}
    if words and formats != {"verbose_json"}:
        yield (
            "timestamp_granularities",
            "",
            "'word' needs the response_format verbose_json; with another format MLX Omni Server responds with 500",
        )
    forced = rules.forced_by_name.get("response_format")
    if forced is not None and forced.parts and not (rules.transcript and rules.transcript.as_asked):
        yield (
            "response_format",
            "",
            "all clients get this format, also those that expect another one (mostly JSON) and fail on this one; "
            'with "deliver": "as-asked" in $transcript they get the one that they asked for, and under $default only '
            "clients that ask for no format get this one",
        )
    granular = {*rules.set_by_name, *rules.maps_by_name}.intersection({"timestamp_granularities"})
    if forced is not None and not formats <= {"verbose_json"} and not granular:
        yield (
            "response_format",
            "",
            "with this format MLX Omni Server responds with 500 to clients that ask for the granularity 'word'; "
            '"timestamp_granularities": null removes that field',
        )


def _name(rule: Default | Map) -> str:
    return fold(rule.name)


def _of_value(field: Field) -> Iterator[LintWarning]:
    """Warnings about a field that the proxy sends."""
    for wire in dict.fromkeys(name for name, _ in field.parts):
        yield from _of_name(wire)
    for text in _texts(field):
        yield from _of_text(fold(field.name), text)
    if field.name in LISTS:
        yield f"servers read this field as {field.name}[]; it is sent under that name"


def _of_name(wire: str) -> Iterator[LintWarning]:
    """Warnings about a field name as it goes on the wire."""
    if wire not in READ_BY_MLX:
        yield Ignored(wire)


def _of_text(name: str, text: str) -> Iterator[str]:
    """
    Warnings about a value.

    :param name: the field's folded name.
    """
    if name == "language":
        if text not in known.LANGUAGES:
            hint = _hint(known.meant_language(text), known.LANGUAGES)
            yield f"this is not a language that Whisper's servers know, and they fail on it{hint}"
        elif len(text) != 2:
            yield "Whisper knows this language, but MLX Omni Server accepts only two-letter codes and fails on this one"
    elif name == "response_format" and text not in known.FORMATS:
        hint = _hint(known.meant(text, known.FORMATS), known.FORMATS)
        yield f"this is not a response_format that servers know{hint}"
    elif name == "timestamp_granularities" and text not in known.GRANULARITIES:
        hint = _hint(known.meant(text, known.GRANULARITIES), known.GRANULARITIES)
        yield f"this is not a granularity that servers know{hint}"
    elif name == "temperature" and not _between(text, 0, 1):
        yield "the temperature is not a number from 0 to 1"
    elif name == "prompt":
        tokens = estimated_tokens(text)
        if tokens > PROMPT_TOKENS:
            yield f"the prompt has about {tokens} tokens (estimated); Whisper reads only the last {PROMPT_TOKENS}"


def _hint(meant: str, values: Iterable[str]) -> str:
    """The end of a message about an unknown value: the value that is probably meant, and the known values."""
    return (f"; did you mean {meant!r}?" if meant else ";") + " known values: " + ", ".join(values)


def _between(text: str, least: float, most: float) -> bool:
    return bool(_NUMBER.fullmatch(text)) and least <= float(text) <= most


def _texts(field: Field) -> list[str]:
    return [text for _, text in field.parts]
