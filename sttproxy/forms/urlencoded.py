"""
application/x-www-form-urlencoded, rewritten whole (WHATWG URL §5).

Such a body holds no recording, so it is small.  What parsers differ on is refused: semicolons between pairs, raw
characters that every encoder escapes, broken escapes.
"""

from __future__ import annotations

import re
from urllib.parse import quote_plus, unquote_plus

from ..errors import MalformedForm
from .rules import Rules

#: Most pairs; the same as parts of a multipart form.
MAX_PAIRS = 1000

#: What encoders leave as it is, and well-formed escapes.
_ENCODED = re.compile(rb"(?:[A-Za-z0-9*\-._+~!'()/:@,$?]|%[0-9A-Fa-f]{2})*")


def rewrite(rules: Rules, body: bytes) -> bytes:
    """
    The body with the client's ruled fields dropped and the forced ones written.

    :raises MalformedForm: when parsers would read it differently.
    """
    forced = [quote_plus(name).encode() + b"=" + quote_plus(value).encode() for name, value in rules.forced]
    pairs = [pair for pair in body.strip(b"\r\n").split(b"&") if pair]
    if len(pairs) > MAX_PAIRS:
        raise MalformedForm(f"The form has more than {MAX_PAIRS} fields.")
    kept = [pair for number, pair in enumerate(pairs, 1) if not rules.rules(_name(pair, number))]
    return b"&".join(forced + kept)


def strip_query(rules: Rules, query: bytes) -> bytes:
    """
    The query of a transcription without ruled fields; the rest of it to the byte.

    Some frameworks look for a field in the query too, or even first.

    :raises MalformedForm: when a name cannot be judged.
    """
    return b"&".join(pair for pair in query.split(b"&") if not any(map(rules.rules, _query_names(pair))))


def _query_names(pair: bytes) -> list[str]:
    """The names that servers may find in one pair of a query; old ones take a semicolon for an ampersand."""
    return [unquote_plus(part.partition(b"=")[0].decode("utf-8", "replace")) for part in pair.split(b";")]


def _name(pair: bytes, number: int) -> str:
    """The name of a pair's field, decoded."""
    name, _, value = pair.partition(b"=")
    if not (_ENCODED.fullmatch(name) and _ENCODED.fullmatch(value)):
        raise MalformedForm(f"Field {number} of the form holds characters that must be percent-encoded.")
    try:
        return unquote_plus(name.decode("ascii"), errors="strict")
    except UnicodeDecodeError:
        raise MalformedForm(f"The name of field {number} of the form is not UTF-8.") from None
