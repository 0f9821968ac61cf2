"""
The rules applied to whole files, and what they changed, for people to read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from ..errors import printable
from .cleaning import Change, Cleaner, Cleaning, Counts
from .document import NotATranscript
from .sniff import Kind, document_of, kind_by_look
from .times import timestamp

__all__ = ["Cleaned", "NotATranscript", "cleaned", "differences", "left_alone"]

_FIELD_OF_EVENT = re.compile(rb"(?:data|event|id|retry)?:")


@attrs.frozen
class Cleaned:
    """
    A clean transcript.

    :ivar changes: the segments that changed.
    :ivar counts: what was done.
    """

    data: bytes
    changes: list[Change]
    counts: Counts


def cleaned(data: bytes, expected: str, cleaning: Cleaning | None) -> Cleaned:
    """
    Clean a transcript.

    :param data: the transcript, with no Content-Type.
    :param expected: the ``response_format`` that it should have.
    :param cleaning: the rules; None for no rule.
    :raises NotATranscript: when it is not surely a transcript.
    """
    kind = _kind(data, expected)
    document = document_of(kind, expected, len(data))
    cleaner = Cleaner(cleaning or Cleaning(), trace=True)
    segments = cleaner.feed([*document.feed(data), *document.finish()]) + cleaner.finish()
    if document.failure is not None:
        raise document.failure
    return Cleaned(document.write(segments) + document.end(), cleaner.changes, cleaner.counts)


def _kind(data: bytes, expected: str) -> Kind:
    """
    The kind of a file.  Lines of JSON and events are told by their Content-Type in a response, and by a look here.

    :raises NotATranscript: when it is none of the kinds.
    """
    lines = [line for line in map(bytes.strip, data.splitlines()) if line]
    # One JSON object cannot look like this: behind a line that ends with a brace come a comma, a bracket or a brace.
    if len(lines) > 1 and all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        return Kind.NDJSON
    if lines and expected == "text" and all(map(_FIELD_OF_EVENT.match, lines)):
        return Kind.EVENTS
    kind = kind_by_look(expected, data, True)
    assert kind is not None, "the look saw all of the file"
    return kind


def differences(changes: Iterable[Change], values: Mapping[str, Any]) -> Iterator[str]:
    """
    The changes, each with its rules, the old lines and the new ones.

    :param values: the rules as the configuration has them.
    """
    for change in changes:
        at = "" if change.start_s is None else timestamp(change.start_s, ".") + "  "
        yield at + ", ".join(_named(rule, number, values) for rule, number in change.rules)
        yield from (f"- {printable(line)}" for line in change.before.splitlines())
        yield from (f"+ {printable(line)}" for line in (change.after or "").splitlines())


def _named(rule: str, number: int, values: Mapping[str, Any]) -> str:
    """A rule as the configuration names it; see `transcripts.cleaning.Counts`."""
    if rule == "replace":
        return f"replace: {_key(number, values)}"
    return {
        "known": f"drop: known phrase {number}",
        "also": f"drop: phrase {number} of also",
        "no_speech": "drop: no_speech_prob",
        "repeats": "collapse_repeats",
        "chinese": f"chinese: {values.get('chinese')}",
        "trim": "trim",
    }[rule]


def _key(number: int, values: Mapping[str, Any]) -> str:
    """A key of ``replace`` by its number."""
    return json.dumps([*values["replace"]][number - 1], ensure_ascii=False)


def left_alone(counts: Counts, values: Mapping[str, Any]) -> Iterator[str]:
    """What the rules left alone, though they are for it."""
    for rule, number in sorted(counts):
        if rule == "exceeded":
            yield f"replace: {_key(number, values)} was given up, because the search for it took too long"
    if restless := counts["restless", 0]:
        yield f"texts left alone, because each pass of the rules changed them again: {restless}"
