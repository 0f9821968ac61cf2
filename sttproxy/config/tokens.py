"""
Whisper's tokens, estimated: only the model's tokenizer knows their true number, and the upstream has that.
"""

from __future__ import annotations

import bisect
import re

#: Largest number of prompt tokens that Whisper reads: half of its context of 448.  It reads the end of a longer prompt.
PROMPT_TOKENS = 224

#: Han characters and kana, without marks; Chinese and Japanese have no spaces between words.
_IDEOGRAPH = r"[\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
#: The beginning of a word.
_WORD = re.compile(rf"(?<!\S)\S|{_IDEOGRAPH}|(?<={_IDEOGRAPH})\w")


def estimated_tokens(text: str) -> int:
    """
    An estimate of the tokens that Whisper makes of a text: one for four ASCII characters, one for any other character.
    """
    plain = len(text.encode("ascii", "ignore"))
    return len(text) - plain + round(plain / 4)


def last_words(text: str, around: str, most: int) -> str:
    """
    The end of a text, from the beginning of a word on, that has together with the text around it at most that many
    tokens.  It is the end, because Whisper reads the end of a prompt; it may be empty.
    """

    def fits(start: int) -> bool:
        return estimated_tokens(around + text[start:]) <= most

    # No character is more than one token.
    if len(around) + len(text) <= most or fits(0):
        return text
    start = bisect.bisect_left(range(len(text)), True, key=fits)
    word = _WORD.search(text, start)
    return text[word.start() :] if word else ""
