"""
Keys of replacements as the configuration writes them: literal texts, or patterns between slashes.
"""

from __future__ import annotations

import warnings
from typing import Any

import regex

from .replacing import SEARCH_S, Pattern, Replacement

#: What the letters behind a pattern mean.
FLAGS = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL, "x": regex.VERBOSE}

#: Texts of several scripts.  A pattern that leaves none of their letters matches every text.
_SAMPLES = (
    "a",
    "The quick fox, 42 times!",
    "你好，世界。",
    "Привет, мир?",
    "ひらがなとカタカナ",
    "안녕 1.5",
    "مرحبا",
)
#: Texts on which careless patterns take long.
_HARD = ("a" * 40 + "!", "1" * 40 + "!", " " * 40 + "!", "a " * 40 + "!", "啊" * 40 + "!")


class Refused(Exception):
    """
    A key or its value cannot be used.

    :ivar message: what is wrong and what would be right.
    :ivar at_name: whether the key is at fault, and not the value.
    """

    def __init__(self, message: str, at_name: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.at_name = at_name


def parsed(number: int, key: str, value: str) -> Pattern | None:
    """
    Read a key.

    :param number: the number of the key, counted from 1.
    :param value: what replaces it.
    :return: the pattern; None if the key is a literal text.
    :raises Refused: when the key or its value cannot be used.
    """
    if not key.strip():
        raise Refused("a key must have a character that is not blank")
    source, slash, flags = key[1:].rpartition("/")
    if not key.startswith("/") or not slash:
        return None
    if unknown := sorted(set(flags) - FLAGS.keys()):
        raise Refused(
            f"the flag {unknown[0]!r} is not known: a pattern is /pattern/ with flags of {', '.join(FLAGS)} behind it"
            + ("; all matches are replaced without 'g'" if "g" in unknown else "")
        )
    if len(set(flags)) < len(flags):
        raise Refused("a flag is there twice")
    compiled = _compiled(source, sum(FLAGS[flag] for flag in flags))
    _check_template(compiled, value)
    _check_reach(compiled)
    return Pattern(Replacement(number, source, value), compiled)


def is_slow(pattern: Pattern) -> bool:
    """Whether a search for a pattern takes too long on short texts."""
    try:
        for text in _HARD:
            pattern.compiled.search(text, timeout=SEARCH_S)
    except TimeoutError:
        return True
    return False


def _compiled(source: str, flags: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return regex.compile(source, flags)
        except regex.error as error:
            place = f" at character {error.pos + 1} of the pattern" if error.pos is not None else ""
            raise Refused(f"this is not a pattern: {error.msg}{place}") from None
        except Exception as error:
            raise Refused(f"this is not a pattern: {type(error).__name__}") from None


def _check_template(compiled: Any, value: str) -> None:
    """
    Expand the value for a pattern with the same groups that matches nothing but an empty text.

    :raises Refused: when the value names a group that the pattern lacks, or ends within an escape.
    """
    names = {index: name for name, index in compiled.groupindex.items()}
    groups = (f"(?P<{names[index]}>)" if index in names else "()" for index in range(1, compiled.groups + 1))
    try:
        regex.sub("".join(groups), value, "")
    except Exception as error:
        message = "the value of a pattern may name its groups as \\1 or \\g<name>, and a backslash is written \\\\"
        raise Refused(f"{message}: {error}", False) from None


def _check_reach(compiled: Any) -> None:
    """
    :raises Refused: when the pattern matches nothing at all, or everything.
    """
    try:
        found = [[match.span() for match in compiled.finditer(text, timeout=SEARCH_S)] for text in ("", *_SAMPLES)]
        left = [compiled.sub("", text, timeout=SEARCH_S) for text in _SAMPLES]
    except TimeoutError:
        raise Refused("a search for this pattern takes too long, even in a short text") from None
    if any(start == end for spans in found for start, end in spans):
        raise Refused("this can match an empty text, so it matches everywhere; use + instead of *, or no ? at the end")
    if not any(char.isalnum() for text in left for char in text):
        raise Refused("this matches every text")
