"""
The command ``sttproxy clean``: applies the rules for transcripts to a file.
"""

from __future__ import annotations

import os
import sys
from typing import Any, ClassVar, TextIO

from twisted.python import usage

from .errors import printable
from .options import BY_NAME
from .outcome import ERRORS, GOOD, read_config
from .settings import Sources, source_of
from .usage import HelpfulOptions, parameter

#: The ``response_format`` that files with these endings hold; others hold text.
_FORMATS = {".json": "json", ".jsonl": "json", ".ndjson": "json", ".srt": "srt", ".vtt": "vtt"}


class CleanOptions(HelpfulOptions):
    """``sttproxy clean``."""

    synopsis = "sttproxy clean [options] FILE"
    longdesc = (
        "Applies the rules for transcripts ($transcript) to a file and prints the result in the same format: SRT, VTT, "
        "JSON, lines of JSON, server-sent events or text. The file - is the standard input. The exit status is "
        f"{GOOD}, or {ERRORS} for a configuration with errors and for a file that is not surely a transcript; nothing "
        "is printed then."
    )
    example = "sttproxy clean --profile meeting --diff answer.srt"
    optParameters: ClassVar[list[list[Any]]] = [
        parameter(BY_NAME[name]) for name in ("config", "profile", "profile-by-key")
    ]
    optFlags: ClassVar[list[list[Any]]] = [
        ["diff", None, "Print what changes, and by which rule, instead of the result."]
    ]

    def parseArgs(self, file: str = "") -> None:
        if not file:
            raise usage.UsageError("name a file, or - for the standard input")
        self["file"] = file


def clean(options: CleanOptions, out: TextIO) -> int:
    """
    Clean a transcript and print it, or what changes.

    :param out: text for the changes; the transcript goes to its buffer as bytes.
    :return: the exit status.
    """
    # This import is slow, and the daemon imports this module.
    from .transcripts import offline

    source = source_of(Sources(options, os.environ))
    config = read_config(source, sys.stderr)
    if config is None:
        return ERRORS
    rules = config.rules(source.profile).transcript
    if rules is None:
        sys.stderr.write("There are no rules for transcripts ($transcript), so nothing changes.\n")
    file = options["file"]
    try:
        data = _read(file)
        expected = _FORMATS.get(os.path.splitext(file)[1].lower(), "text")
        cleaned = offline.cleaned(data, expected, rules.cleaning if rules else None)
    except OSError as error:
        sys.stderr.write(f"{printable(file)}: it cannot be read: {error.strerror}\n")
        return ERRORS
    except offline.NotATranscript as error:
        sys.stderr.write(f"{printable(file)}: this is not surely a transcript: {error}\n")
        return ERRORS
    values = rules.values if rules else {}
    sys.stderr.writelines(f"{printable(file)}: {line}\n" for line in offline.left_alone(cleaned.counts, values))
    if options["diff"]:
        out.writelines(f"{line}\n" for line in offline.differences(cleaned.changes, values))
    else:
        out.flush()
        out.buffer.write(cleaned.data)
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
