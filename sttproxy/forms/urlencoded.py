"""
application/x-www-form-urlencoded, rewritten whole (WHATWG URL §5).

Such a body holds no recording, so it is small.  What parsers differ on is refused: semicolons between pairs, raw
characters that every encoder escapes, broken escapes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from urllib.parse import quote_plus, unquote_plus, unquote_to_bytes

from ..config import MAX_KEY, Field, Text
from ..errors import MalformedForm
from .evaluation import PASSES, Evaluation

#: Most pairs; the same as parts of a multipart form.
MAX_PAIRS = 1000

#: What encoders leave as it is.
_LEFT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-._+~!'()/:@,$?"
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
#: Longest value, as it is written, that can be one of a table: each byte escaped.
_MAX_VALUE = 3 * MAX_KEY


def rewrite(evaluation: Evaluation, body: bytes) -> bytes:
    """
    The body with the rules applied: forced fields first, then the client's, then defaults.

    :raises MalformedForm: when parsers would read it differently.
    """
    if body.count(b"&") >= MAX_PAIRS:
        raise MalformedForm(f"The form has more than {MAX_PAIRS} fields.")
    pairs = [pair for pair in body.strip(b"\r\n").split(b"&") if pair]
    kept = []
    for number, pair in enumerate(pairs, 1):
        name = _name(pair, number)
        settled = evaluation.evaluate(name, functools.partial(_value, pair))
        if isinstance(settled, Text):
            kept.append(_pair(name, settled.text))
        elif settled is PASSES:
            kept.append(pair)
    return b"&".join([*_written(evaluation.rules.forced), *kept, *_written(evaluation.missing())])


def strip_query(evaluation: Evaluation, query: bytes) -> bytes:
    """
    The query of a transcription without ruled fields; the rest of it to the byte.

    Some frameworks look for a field in the query too, or even first.

    :raises MalformedForm: when a name cannot be judged.
    """
    if not query:
        return query
    return b"&".join(pair for pair in query.split(b"&") if not any(map(evaluation.governs, _query_names(pair))))


def _written(fields: Iterable[Field]) -> list[bytes]:
    """Fields of ours."""
    return [_pair(name, value) for field in fields for name, value in field.parts]


def _pair(name: str, value: str) -> bytes:
    return quote_plus(name).encode() + b"=" + quote_plus(value).encode()


def _value(pair: bytes) -> bytes | None:
    """The value of a pair, decoded; None for one that is longer than any in a table."""
    value = pair.partition(b"=")[2]
    return unquote_to_bytes(value.replace(b"+", b" ")) if len(value) <= _MAX_VALUE else None


def _query_names(pair: bytes) -> list[str]:
    """The names that servers may find in one pair of a query; old ones take a semicolon for an ampersand."""
    return [unquote_plus(part.partition(b"=")[0].decode("utf-8", "replace")) for part in pair.split(b";")]


def _name(pair: bytes, number: int) -> str:
    """The name of a pair's field, decoded."""
    name, _, value = pair.partition(b"=")
    if pair.translate(None, _LEFT).strip(b"%=") or b"=" in value or _BROKEN_ESCAPE.search(pair):
        raise MalformedForm(f"Field {number} of the form holds characters that must be percent-encoded.")
    try:
        return unquote_plus(name.decode("ascii"), errors="strict")
    except UnicodeDecodeError:
        raise MalformedForm(f"The name of field {number} of the form is not UTF-8.") from None
