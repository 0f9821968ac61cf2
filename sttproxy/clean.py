"""
The command ``sttproxy clean``: applies the rules for transcripts to a file.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, TextIO

from .config import TranscriptRules
from .errors import printable
from .options import BY_NAME
from .outcome import ERRORS, GOOD, read_config
from .settings import Sources, source_of
from .transcripts.cleaning import Change, Cleaner, Cleaning, Counts
from .transcripts.document import NotATranscript
from .transcripts.sniff import Kind, document_of, kind_by_look
from .transcripts.times import timestamp
from .usage import HelpfulOptions, parameter

#: The ``response_format`` that files with these endings hold.
_FORMATS = {".json": "json", ".jsonl": "json", ".ndjson": "json", ".srt": "srt", ".vtt": "vtt"}
_FIELD_OF_EVENT = re.compile(rb"(?:data|event|id|retry)?:")


class CleanOptions(HelpfulOptions):
    """``sttproxy clean``."""

    synopsis = "sttproxy clean [options] FILE"
    longdesc = (
        "Applies the rules for transcripts ($transcript) to a file and prints the result in the same format: SRT, VTT, "
        "JSON, lines of JSON, server-sent events or text. The file - is the standard input. The exit status is "
        f"{GOOD}, or {ERRORS} for a configuration with errors and for a file that is not surely a transcript; nothing "
        "is printed then."
    )
    example = "sttproxy clean --profile meeting answer.srt > clean.srt"
    optParameters: ClassVar[list[list[Any]]] = [
        parameter(BY_NAME[name]) for name in ("config", "profile", "profile-by-key")
    ]
    optFlags: ClassVar[list[list[Any]]] = [
        ["diff", None, "Print what changes, and by which rule, instead of the result."]
    ]

    def parseArgs(self, file: str) -> None:
        self["file"] = file


def clean(options: CleanOptions, out: TextIO) -> int:
    """
    Clean a transcript and print it, or what changes.

    :param out: text for the changes; the transcript goes to its buffer as bytes.
    :return: the exit status.
    """
    source = source_of(Sources(options, os.environ))
    config = read_config(source, sys.stderr)
    if config is None:
        return ERRORS
    rules = config.rules(source.profile).transcript
    if rules is None:
        sys.stderr.write("There are no rules for transcripts ($transcript), so nothing changes.\n")
        rules = TranscriptRules({}, Cleaning())
    file = options["file"]
    try:
        data = _read(file)
        expected = _FORMATS.get(os.path.splitext(file)[1].lower(), "text")
        cleaned, cleaner = _cleaned(data, expected, rules.cleaning)
    except OSError as error:
        sys.stderr.write(f"{printable(file)}: it cannot be read: {error.strerror}\n")
        return ERRORS
    except NotATranscript as error:
        sys.stderr.write(f"{printable(file)}: this is not surely a transcript: {error}\n")
        return ERRORS
    sys.stderr.writelines(f"{printable(file)}: {line}\n" for line in _given_up(cleaner.counts, rules.values))
    if options["diff"]:
        out.writelines(f"{line}\n" for line in _differences(cleaner.changes, rules.values))
    else:
        out.flush()
        out.buffer.write(cleaned)
        out.buffer.flush()
    return GOOD


def _read(file: str) -> bytes:
    """
    The bytes of a file, or of the standard input.

    :raises OSError: when it cannot be read.
    """
    if file == "-":
        return sys.stdin.buffer.read()
    with open(file, "rb") as opened:
        return opened.read()


def _cleaned(data: bytes, expected: str, cleaning: Cleaning) -> tuple[bytes, Cleaner]:
    """
    Clean a transcript.

    :param expected: the ``response_format`` that its name promises.
    :return: the clean one, and the cleaner, which knows what it did.
    :raises NotATranscript: when it is not surely a transcript.
    """
    kind = _kind(data, expected)
    document = document_of(kind, expected, len(data))
    cleaner = Cleaner(cleaning, trace=True)
    segments = cleaner.feed([*document.feed(data), *document.finish()]) + cleaner.finish()
    if document.failure is not None:
        raise document.failure
    return document.write(segments) + document.end(), cleaner


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


def _differences(changes: Iterable[Change], values: Mapping[str, Any]) -> Iterator[str]:
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


def _given_up(counts: Counts, values: Mapping[str, Any]) -> Iterator[str]:
    """What the rules left alone, though they are for it."""
    for rule, number in sorted(counts):
        if rule == "exceeded":
            yield f"replace: {_key(number, values)} was given up, because the search for it took too long"
    if restless := counts["restless", 0]:
        yield f"texts left alone, because each pass of the rules changed them again: {restless}"
