"""
Scripts: which of them put spaces between words, and how texts are compared.
"""

from __future__ import annotations

import functools
import re
import unicodedata

#: Scripts without spaces between words, as ranges of a character class: Han, kana, Bopomofo, Thai, Lao, Tibetan,
#: Myanmar, Khmer.
_UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u303c"
    "\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3"
#: The letters and digits that count as two in the length of a text: a syllable or a word each.
_DENSE = re.compile(f"[{_UNSPACED}{_HANGUL}]")


def _marks() -> str:
    """Combining marks outside of scripts without spaces, without variation selectors; ``re`` has no class for them."""
    unspaced = re.compile(f"[{_UNSPACED}]")
    marks = (chr(code) for code in (*range(0x300, 0x2100), *range(0xA600, 0xAC00)))
    return "".join(char for char in marks if unicodedata.category(char)[0] == "M" and not unspaced.match(char))


_MARKS = _marks()
#: A letter, a digit or a mark of a script with spaces between words.
SPACED = f"(?:[^\\W{_UNSPACED}]|[{_MARKS}])"
#: Units of repetition: words, and single letters in scripts without spaces.
TOKEN = re.compile(f"[{_UNSPACED}]|(?:[^\\W{_UNSPACED}_]|[{_MARKS}])+")
_NOISE = re.compile(f"(?:(?![{_MARKS}]|[{_UNSPACED}])\\W|_)+")
_SPACES = re.compile(r"\s+")
_FIRST = re.compile(SPACED)
_KOREAN = re.compile(f"[{_HANGUL}]")


def begins_with_word(text: str) -> bool:
    """Whether a text begins with a word of a script that has spaces between words."""
    return bool(_FIRST.match(text))


def ends_with_word(text: str) -> bool:
    """
    Whether a text ends with a word of a script that has spaces between words, and a letter behind it would be part of
    the same word.  In Korean the letters behind a word can be a particle.
    """
    return bool(text and _FIRST.match(text[-1]) and not _KOREAN.match(text[-1]))


@functools.lru_cache(maxsize=4)  # several rules fold the same text one after the other
def fold(text: str) -> str:
    """
    What is compared of a text: letters and digits, without case, width, spaces and punctuation.

    A text without letters and digits, such as notes of music, is compared by its symbols.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _NOISE.sub("", plain) or _SPACES.sub("", plain)


def length(text: str) -> int:
    """The number of letters, digits and marks; an ideograph, a kana or a Korean syllable counts as two."""
    core = _NOISE.sub("", text)
    return len(core) + len(_DENSE.findall(core))
