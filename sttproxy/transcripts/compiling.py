"""
Compiles the rules from the values of a configuration, and says what is wrong with them.

The values are plain ones: dict, list, str, bool, int, float.  A fault has the path of its value within them, so that
the caller can point at the member in its file.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

import attrs

from .chinese import CONVERSIONS, Conversion, NotInstalled, Unsupported
from .cleaning import Cleaning
from .patterns import Refused, is_slow, parsed
from .phrases import Drop, known
from .replacing import Pattern, Replacement, Replacing
from .scripts import fold

#: The members of the configuration that are compiled here.
MEMBERS = ("deliver", "drop", "collapse_repeats", "chinese", "replace", "trim")

#: The values of ``deliver``: the response leaves as the server made it, or in the format that the client asked for.
AS_IS, AS_ASKED = "as-is", "as-asked"

_IN_DROP = ("phrases", "also", "no_speech_prob")
_Path = tuple[str | int, ...]


@attrs.frozen
class Fault:
    """
    What is wrong with a value.

    :ivar path: names and indices that lead to the value.
    :ivar message: what is wrong and what would be right.
    :ivar at_name: whether the name of the member is at fault, and not its value.
    :ivar warning: whether the value is legal and probably a mistake.
    """

    path: _Path
    message: str
    at_name: bool = False
    warning: bool = False


def compiled(values: object) -> tuple[Cleaning, tuple[Fault, ...]]:
    """
    Compile rules.

    In the list ``also``, a list of texts stands for the lines of a file.

    :param values: the rules by their names, `MEMBERS`.
    :return: the rules that could be compiled, which count only if there are no errors; the errors and the warnings.
    """
    compiler = _Compiler()
    return compiler.cleaning(values), tuple(compiler.faults)


def phrases_in(text: str) -> list[str]:
    """The phrases in a file: its lines, without blank ones and those that begin with ``#``."""
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]


class _Compiler:
    """
    Compiles rules; its methods return nothing for what cannot be used.

    :ivar faults: the errors and the warnings.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def cleaning(self, values: object) -> Cleaning:
        members = self._members(values, (), MEMBERS, "the rules for transcripts")
        if members.get("deliver", AS_IS) not in (AS_IS, AS_ASKED):
            self._error(("deliver",), f'this must be "{AS_IS}" or "{AS_ASKED}"')
        chinese = self._chinese(members["chinese"]) if "chinese" in members else None
        replacing = self._replacing(members["replace"], chinese) if "replace" in members else None
        texts = Cleaning(chinese, replacing)
        repeats = self._repeats(members["collapse_repeats"]) if "collapse_repeats" in members else 0
        trim = self._boolean(members["trim"], ("trim",)) if "trim" in members else False
        drop = self._drop(members["drop"], texts) if "drop" in members else None
        return Cleaning(chinese, replacing, repeats, drop, trim)

    def _error(self, path: _Path, message: str, *, at_name: bool = False) -> None:
        self.faults.append(Fault(path, message, at_name))

    def _warn(self, path: _Path, message: str, *, at_name: bool = False) -> None:
        self.faults.append(Fault(path, message, at_name, warning=True))

    def _members(self, values: object, path: _Path, names: Collection[str], what: str) -> dict[str, object]:
        """The known members of an object; empty if it is none."""
        if not isinstance(values, Mapping):
            self._error(path, f"this must be an object: {what}")
            return {}
        for name in values:
            if name not in names:
                message = f"{name!r} is not known; the names allowed here are {', '.join(names)}"
                self._error((*path, name), message + _hint(name, names), at_name=True)
        return {name: values[name] for name in names if name in values}

    def _boolean(self, value: object, path: _Path) -> bool:
        if not isinstance(value, bool):
            self._error(path, "this must be true or false")
        return value is True

    def _repeats(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 2:
            return value
        message = "this must be a whole number of at least 2, like 3: how often a phrase is repeated that becomes one"
        self._error(("collapse_repeats",), message)
        return 0

    def _chinese(self, value: object) -> Conversion | None:
        path = ("chinese",)
        if not isinstance(value, str) or value not in CONVERSIONS:
            hint = _hint(value, CONVERSIONS) if isinstance(value, str) else ""
            self._error(path, f"this must be one of OpenCC's conversions: {', '.join(CONVERSIONS)}{hint}")
            return None
        try:
            return Conversion(value)
        except NotInstalled:
            self._error(path, 'this needs the package opencc: pip install "sttproxy[chinese]"')
        except Unsupported:
            message = "the installed package opencc lacks this conversion: pip install --upgrade opencc"
            self._error(path, message)
        return None

    def _replacing(self, value: object, chinese: Conversion | None) -> Replacing | None:
        path: _Path = ("replace",)
        if not isinstance(value, Mapping):
            self._error(path, 'this must be an object: texts and what replaces them, like {"open a i": "OpenAI"}')
            return None
        literals: dict[str, Replacement] = {}
        patterns: list[Pattern] = []
        for number, (key, new) in enumerate(value.items(), 1):
            where = (*path, key)
            if not isinstance(new, str):
                self._error(where, 'this must be a text; "" removes what is found')
                continue
            try:
                pattern = parsed(number, key, new)
            except Refused as refused:
                self._error(where, refused.message, at_name=refused.at_name)
                continue
            if pattern is not None:
                if is_slow(pattern):
                    message = "a search for this pattern can take too long; it is given up where it does"
                    self._warn(where, message, at_name=True)
                patterns.append(pattern)
            elif (same := " ".join(key.split())) in literals:
                message = f"this is the same text as key {literals[same].number}, apart from blanks"
                self._error(where, message, at_name=True)
            else:
                literals[same] = Replacement(number, key, new)
        replacements = [*literals.values(), *_converted(literals, chinese)]
        replacing = Replacing.of(replacements, patterns)
        rules = Cleaning(chinese, replacing)
        for replacement in [*literals.values(), *(pattern.replacement for pattern in patterns)]:
            if rules.result(replacement.value) is None:
                key = list(value)[replacement.number - 1]
                message = "the keys find something in this text again and again, so that it never comes to rest"
                self._error((*path, key), message)
        return replacing if value else None

    def _drop(self, value: object, texts: Cleaning) -> Drop | None:
        """
        :param texts: the rules that change texts before they are compared with phrases.
        """
        path: _Path = ("drop",)
        members = self._members(value, path, _IN_DROP, 'like {"phrases": "known", "no_speech_prob": 0.8}')
        if isinstance(value, Mapping) and not value:
            self._error(path, f"this needs one of {', '.join(_IN_DROP)}")
        phrases: dict[str, tuple[str, int]] = {}
        if "phrases" in members:
            if members["phrases"] == "known":
                self._known(phrases, texts)
            else:
                self._error((*path, "phrases"), 'this must be "known"; phrases of your own go into "also"')
        self._also(members.get("also", []), phrases, texts)
        limit = members.get("no_speech_prob")
        usable = isinstance(limit, int | float) and not isinstance(limit, bool) and 0 <= limit < 1
        if "no_speech_prob" in members and not usable:
            self._error((*path, "no_speech_prob"), "this must be a number from 0 to less than 1, such as 0.8")
        return Drop(phrases, float(limit) if isinstance(limit, int | float) and usable else None)

    def _known(self, phrases: dict[str, tuple[str, int]], texts: Cleaning) -> None:
        for phrase in known():
            for folded in _spellings(phrase.text, texts.chinese):
                phrases.setdefault(folded, ("known", phrase.number))
        lost = sum(_is_changed(phrase.text, phrases, texts) for phrase in known())
        if lost:
            message = f"{lost} of the known phrases never match, because replace changes them first"
            self._warn(("drop", "phrases"), message)

    def _also(self, value: object, phrases: dict[str, tuple[str, int]], texts: Cleaning) -> None:
        path: _Path = ("drop", "also")
        if not isinstance(value, list | tuple):
            self._error(path, "this must be a list of texts")
            return
        own: list[tuple[_Path, str]] = []
        for index, item in enumerate(value):
            for text in item if isinstance(item, list | tuple) else (item,):
                if not isinstance(text, str) or not fold(text):
                    self._error((*path, index), "this must be a text that is not blank")
                    continue
                own.append(((*path, index), text))
        for number, (where, text) in enumerate(own, 1):
            if fold(text) in phrases:
                rule, first = phrases[fold(text)]
                message = f"this has no effect: phrase {first} of {rule!r} is the same text"
                self._warn(where, message)
            for folded in _spellings(text, texts.chinese):
                phrases.setdefault(folded, ("also", number))
        for where, text in own:
            if _is_changed(text, phrases, texts):
                message = "this never matches, because replace changes it first; write it as replace leaves it"
                self._warn(where, message)


def _converted(literals: Mapping[str, Replacement], chinese: Conversion | None) -> list[Replacement]:
    """Replacements for the keys as they are after the conversion, which comes first."""
    found: dict[str, Replacement] = {}
    for replacement in literals.values():
        key = chinese.converted(replacement.key) if chinese else replacement.key
        if " ".join(key.split()) not in literals:
            found.setdefault(key, attrs.evolve(replacement, key=key))
    return list(found.values())


def _spellings(phrase: str, chinese: Conversion | None) -> list[str]:
    """A phrase folded, and folded after the conversion."""
    return [fold(phrase), fold(chinese.converted(phrase))] if chinese else [fold(phrase)]


def _is_changed(phrase: str, phrases: Collection[str], texts: Cleaning) -> bool:
    """Whether the rules for texts make another text of a phrase, and that one is not dropped."""
    result = texts.result(phrase)
    return result is not None and fold(result) not in phrases


def _hint(name: object, names: Collection[str]) -> str:
    close = difflib.get_close_matches(str(name).strip().casefold(), names, 1, 0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
