"""
What is legal in a configuration and probably wrong.

The messages go into logs and statistics, so they hold no values.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

import attrs

from . import known
from .model import Default, Field, Map, Rules
from .names import LISTS, fold

#: A rule of which there is one for a field.
T = TypeVar("T", bound="Default | Map")

#: What MLX Omni Server reads of a transcription's form; it ignores the rest in silence.
READ_BY_MLX = ("model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]")
#: Tokens of a prompt that Whisper reads: half its context of 448; of a longer one it reads the end.
PROMPT_TOKENS = 224
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
#: Members that are meant as comments in files where JSON has none.
_COMMENTS = frozenset({"//", "#", "_comment", "__comment", "comment"})
#: Fields that other servers call otherwise than MLX Omni Server, beside those whose names are alike.
_OTHER_NAMES = {"initial_prompt": "prompt", "lang": "language", "format": "response_format", "model_name": "model"}


def of_field(field: Field) -> Iterator[LintWarning]:
    """What may be wrong with a forced field."""
    if field.json is None:
        return
    yield from _of_value(field)
    if fold(field.name) == "response_format":
        yield (
            "clients get this format whatever they ask for, and those that expect another one, mostly JSON, will "
            "break; under $default it is only for those that ask for none"
        )


def of_rule(rule: Default | Map) -> Iterator[LintWarning]:
    """What may be wrong with a default or with a table of values."""
    if isinstance(rule, Default):
        yield from _of_value(rule.field)
        return
    if fold(rule.name) not in map(fold, READ_BY_MLX):  # what it maps keeps the client's name
        yield from _of_name(rule.name)
    for new in (*rule.table.values(), *([rule.other] if rule.other else ())):
        yield from _of_text(fold(rule.name), new.text)


@attrs.frozen
class Ignored:
    """
    That a field is ignored; a suggestion takes a while to find, and many such warnings are only counted.

    :ivar wire: the field's name, as it goes on the wire.
    """

    wire: str

    def __str__(self) -> str:
        folded = fold(self.wire)
        if self.wire in _COMMENTS:
            return f"this is sent to the server as the field {self.wire!r}; a comment is a member named '$comment'"
        close = difflib.get_close_matches(folded, READ_BY_MLX, 1, 0.7)
        close = [_OTHER_NAMES[folded]] if folded in _OTHER_NAMES else close
        return f"MLX Omni Server ignores {self.wire!r}" + (f"; did you mean {close[0]!r}?" if close else "")


#: A warning, or what becomes one.
LintWarning = str | Ignored


def of_rules(rules: Rules) -> Iterator[tuple[str, str, str]]:
    """
    What may be wrong with how rules go together.

    :return: the folded name of a field, the section to blame, empty for any, and the message.
    """
    for section, names in (("$map", [*map(_name, rules.maps)]), ("$default", [*map(_name, rules.defaults)])):
        for name in names:
            if name in rules.forced_by_name:
                yield name, section, f"this {section} has no effect, for the field is forced or removed"
    written = [*rules.forced, *(default.field for default in rules.defaults_by_name.values())]
    words = any(fold(field.name) == "timestamp_granularities" and "word" in _texts(field) for field in written)
    formats = {text for field in written if fold(field.name) == "response_format" for text in _texts(field)}
    if words and formats != {"verbose_json"}:
        yield (
            "timestamp_granularities",
            "",
            "'word' needs the response_format verbose_json; with another one MLX Omni Server answers 500",
        )
    granular = {*rules.forced_by_name, *rules.maps_by_name}.intersection({"timestamp_granularities"})
    if "response_format" in rules.forced_by_name and not formats <= {"verbose_json"} and not granular:
        yield (
            "response_format",
            "",
            "MLX Omni Server answers 500 to clients that ask for the granularity 'word' then; "
            '"timestamp_granularities": null takes that away',
        )


def _name(rule: Default | Map) -> str:
    return fold(rule.name)


def _of_value(field: Field) -> Iterator[LintWarning]:
    """What may be wrong with a field that is written."""
    for wire in dict.fromkeys(name for name, _ in field.parts):
        yield from _of_name(wire)
    for text in _texts(field):
        yield from _of_text(fold(field.name), text)
    if field.name in LISTS:
        yield f"servers read this as {field.name}[]; it is written so"


def _of_name(wire: str) -> Iterator[LintWarning]:
    """What may be wrong with a name, as it goes on the wire."""
    if wire not in READ_BY_MLX:
        yield Ignored(wire)


def _of_text(name: str, text: str) -> Iterator[str]:
    """What may be wrong with a value."""
    if name == "language":
        if text not in known.LANGUAGES:
            hint = _hint(known.meant_language(text), known.LANGUAGES)
            yield f"this is not a language that Whisper's servers know, and they fail on it{hint}"
        elif len(text) != 2:
            yield "Whisper knows this language; MLX Omni Server takes those of two letters only, and fails on it"
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
    """What would be right."""
    return (f"; did you mean {meant!r}?" if meant else ";") + " known are " + ", ".join(values)


def estimated_tokens(text: str) -> int:
    """
    About how many tokens Whisper makes of a text: one of four ASCII characters, one of any other.

    The true number is known only to the model's tokenizer, which is the upstream's.
    """
    plain = sum(char.isascii() for char in text)
    return len(text) - plain + round(plain / 4)


def _between(text: str, least: float, most: float) -> bool:
    return bool(_NUMBER.fullmatch(text)) and least <= float(text) <= most


def _texts(field: Field) -> list[str]:
    return [text for _, text in field.parts]
