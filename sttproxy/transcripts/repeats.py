"""
Phrases that are repeated in a row, within one text.

Whisper repeats a phrase over and over when it loses its way.  People do so too, with short ones: a short phrase is left
alone until its repetitions are long together.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence

from .edits import Edit
from .scripts import TOKEN, length

#: A phrase with fewer letters, and a phrase of digits only, is short.  `scripts.length` says how letters count.
SHORT = 6
#: The letters that the repetitions of a short phrase must have together to become one.
LONG_RUN = 100
#: The largest number of words in a phrase, or of letters in a script without spaces.
MAX_PHRASE = 100

_MARK = re.compile(r"\S+")

#: Makes blanks of the ASCII characters between words.
_SEPARATORS = {code: " " for code in range(128) if not chr(code).isalnum()}


def is_loop(phrase: str, times: int, least: int) -> bool:
    """
    Whether a phrase that stands several times in a row is to become one.

    :param times: how often it stands there.
    :param least: the least number of times.
    """
    if times < least:
        return False
    size = length(phrase)
    short = size < SHORT or not any(char.isalpha() for char in phrase)
    return not short or size * times >= LONG_RUN


def repeats(text: str, least: int) -> tuple[list[Edit], int]:
    """
    Find phrases that are repeated in a row.

    The punctuation mark of the last repetition is kept.  A part of the phrase that ends the text goes too, because
    Whisper's window ends anywhere.

    :param least: the least number of times; at least 2.
    :return: edits that leave one of each, and the number of the phrases.
    """
    # In ASCII, what is no letter and no digit separates words; this way they are found in half the time.
    words = text.translate(_SEPARATORS).split() if text.isascii() else TOKEN.findall(text)
    if len(words) - len(set(map(str.casefold, words))) < least - 1 and len(max(words, key=len, default="")) < LONG_RUN:
        return [], 0  # the usual case, in a third of the time
    spans = list(_tokens(text))
    names: dict[str, int] = {}
    tokens = [names.setdefault(text[start:end].casefold(), len(names)) for start, end in spans]
    if len(tokens) - len(names) < least - 1:
        return [], 0
    edits: list[Edit] = []
    done = count = 0
    for start, period, end in _runs(tokens, least):
        times = (end - start) // period
        first_end = spans[start + period - 1][1]
        if start < done or not is_loop(text[spans[start][0] : first_end], times, least):
            continue
        count += 1
        done = start + times * period
        mark_end = first_end + _mark(text, first_end, spans[start + period][0])
        if end == len(tokens) > done:
            # What follows the last repetition is a part of one.
            done = end
            edits.append(Edit(mark_end, len(text.rstrip()), ""))
            continue
        last_end = spans[done - 1][1]
        mark = _mark(text, last_end, spans[done][0] if done < len(spans) else len(text))
        last_mark = text[last_end : last_end + mark]
        if last_mark and last_mark != text[first_end:mark_end]:
            edits.append(Edit(first_end, mark_end, last_mark))
        edits.append(Edit(mark_end, last_end + mark, ""))
    return edits, count


def _mark(text: str, start: int, end: int) -> int:
    """The length of the punctuation mark with which a part of a text begins; 0 if it begins with a blank."""
    found = _MARK.match(text, start, end)
    return len(found.group()) if found else 0


def _tokens(text: str) -> Iterator[tuple[int, int]]:
    """Where words are in a text.  Of a word that is as long as a long run, each letter is one."""
    for match in TOKEN.finditer(text):
        start, end = match.span()
        if end - start < LONG_RUN:
            yield start, end
        else:
            yield from ((at, at + 1) for at in range(start, end))


def _runs(tokens: Sequence[int], least: int) -> list[tuple[int, int, int]]:
    """
    Runs of a repeated phrase: where one begins, the number of tokens of the phrase, and where the run ends.

    Sorted by the beginning.  A phrase that consists of repetitions of a shorter one is left out.
    """
    size = len(tokens)
    packed = int.from_bytes(array("I", tokens).tobytes(), "little")
    found = []
    for period in range(1, min(MAX_PHRASE, size // least) + 1):
        need = period * (least - 1)
        differs = (packed ^ packed >> 32 * period).to_bytes(4 * size, "little")
        if bytes(4 * need) in differs[: 4 * (size - period)]:
            found += [
                (start, period, end)
                for start, end in _stretches(tokens, period, need)
                if not _is_repetition(tokens[start : start + period])
            ]
    return sorted(found)


def _stretches(tokens: Sequence[int], period: int, need: int) -> Iterator[tuple[int, int]]:
    """The stretches in which each token equals the one a period before it, if they have that many such tokens."""
    start = 0
    for at in range(period, len(tokens)):
        if tokens[at] != tokens[at - period]:
            if at - period - start >= need:
                yield start, at
            start = at - period + 1
    if len(tokens) - period - start >= need:
        yield start, len(tokens)


def _is_repetition(phrase: Sequence[int]) -> bool:
    size = len(phrase)
    return any(size % part == 0 and phrase[part:] == phrase[:-part] for part in range(1, size // 2 + 1))
