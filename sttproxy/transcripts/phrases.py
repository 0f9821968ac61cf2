"""
Sentences that Whisper writes where nobody speaks, and when a segment is dropped.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources

import attrs

from .model import Segment
from .scripts import fold

#: Whisper takes a segment for silence if its mean log probability is not above this number, too.
LOGPROB = -1.0


@attrs.frozen
class Phrase:
    """
    A sentence of the data file.

    :ivar number: never given to another sentence.
    :ivar language: code of the language.
    :ivar report: address of the public report of it.
    """

    number: int
    language: str
    text: str
    report: str


@functools.cache
def known() -> tuple[Phrase, ...]:
    """The sentences of the data file that is part of this package."""
    lines = resources.files(__package__).joinpath("phrases.tsv").read_text(encoding="utf-8").splitlines()
    fields = (line.split("\t") for line in lines if not line.startswith("#"))
    return tuple(Phrase(int(number), language, text, report) for number, language, text, report in fields)


@attrs.frozen(eq=False)
class Drop:
    """
    Which segments are dropped.

    :ivar phrases: by folded text: the rule, ``known`` or ``also``, and the number of the phrase.
    :ivar no_speech_prob: segments above this probability of silence are dropped if their text is improbable, too; None
        if no segment is dropped for that.
    """

    phrases: Mapping[str, tuple[str, int]]
    no_speech_prob: float | None = None

    def reason(self, segment: Segment, text: str) -> tuple[str, int] | None:
        """
        The rule that drops a segment, and the number of the phrase; None if the segment stays.

        :param text: the segment's text as the other rules left it.
        """
        if self.phrases and (found := self.phrases.get(fold(text))):
            return found
        silence, logprob = segment.no_speech_prob, segment.avg_logprob
        if self.no_speech_prob is None or silence is None or logprob is None:
            return None
        return ("no_speech", 0) if silence > self.no_speech_prob and logprob <= LOGPROB else None
