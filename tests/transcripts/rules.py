"""
Helpers for tests of the rules for transcripts.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from sttproxy.transcripts.cleaning import Cleaner, Cleaning
from sttproxy.transcripts.compiling import compiled
from sttproxy.transcripts.model import Segment, Word
from sttproxy.transcripts.replacing import Clock

#: Why tests of conversions are skipped; None if they are not.
NO_OPENCC = None if find_spec("opencc") else "the package opencc is not installed"


def frozen_clock() -> Clock:
    """A clock that stands still, so that no test depends on how fast this machine is."""
    return Clock(lambda: 0.0)


def rules(**values: Any) -> Cleaning:
    """Compile rules that have no errors."""
    cleaning, faults = compiled(values)
    errors = [fault for fault in faults if not fault.warning]
    assert not errors, errors
    return cleaning


def clean(cleaning: Cleaning, segments: Iterable[Segment]) -> list[Segment]:
    """Clean all segments of a transcript."""
    cleaner = Cleaner(cleaning, clock=frozen_clock())
    return [*cleaner.feed(segments), *cleaner.finish()]


def texts(cleaning: Cleaning, *given: str) -> list[str]:
    """The texts of the segments that are left of segments with these texts."""
    return [segment.text for segment in clean(cleaning, map(Segment, given))]


def spoken(*words: str) -> list[Word]:
    """Words of one second each."""
    return [Word(word, float(number), number + 1.0, (number,)) for number, word in enumerate(words)]
