"""
Rewriting of application/x-www-form-urlencoded bodies, as a whole (WHATWG URL §5).

Such a body contains no recording, so it is small.  Input that parsers read differently is rejected: semicolons between
pairs, unescaped characters that every encoder escapes, invalid percent escapes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from urllib.parse import quote_plus, unquote_plus, unquote_to_bytes

from ..config import Field, Text
from ..errors import MalformedForm
from .evaluation import Evaluation
from .plans import PASSES

#: Most pairs in one body; the same limit as for the parts of a multipart form.
MAX_PAIRS = 1000

#: The bytes that encoders do not escape.
_LEFT = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-._+~!'()/:@,$?"
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def rewrite(evaluation: Evaluation, body: bytes) -> bytes:
    """
    Apply the rules to a body and return the new one: forced fields first, then the client's, then defaults.

    :raises MalformedForm: when parsers would read the body differently, or when it has more than `MAX_PAIRS` fields.
    """
    if body.count(b"&") >= MAX_PAIRS:
        raise MalformedForm(f"The form has more than {MAX_PAIRS} fields.")
    pairs = [pair for pair in body.strip(b"\r\n").split(b"&") if pair]
    kept = []
    for number, pair in enumerate(pairs, 1):
        sent = _name(pair, number)
        name = evaluation.sent_as(sent)
        settled = evaluation.evaluate(name, functools.partial(_value, pair))
        if isinstance(settled, Text):
            kept.append(_pair(name, settled.text))
        elif settled is PASSES:
            kept.append(pair if name == sent else _renamed(pair, name))
    return b"&".join([*_written(evaluation.rules.forced), *kept, *_written(evaluation.missing())])


def strip_query(evaluation: Evaluation, query: bytes) -> bytes:
    """
    Remove the fields that rules govern from the query of a transcription request; the other bytes do not change.

    Some frameworks look for a field in the query too, or even first.

    :raises MalformedForm: when a field name contains a control character.
    """
    if not query:
        return query
    return b"&".join(pair for pair in query.split(b"&") if not any(map(evaluation.governs, _query_names(pair))))


def _written(fields: Iterable[Field]) -> list[bytes]:
    """The encoded pairs of configured fields."""
    return [_pair(name, value) for field in fields for name, value in field.parts]


def _pair(name: str, value: str) -> bytes:
    return quote_plus(name).encode() + b"=" + quote_plus(value).encode()


def _renamed(pair: bytes, name: str) -> bytes:
    """A pair with another name."""
    return quote_plus(name).encode() + b"=" + pair.partition(b"=")[2]


def _value(pair: bytes) -> bytes:
    """The decoded value of a pair."""
    return unquote_to_bytes(pair.partition(b"=")[2].replace(b"+", b" "))


def _query_names(pair: bytes) -> list[str]:
    """The names that servers may find in one pair of a query; old servers split at semicolons too."""
    return [unquote_plus(part.partition(b"=")[0].decode("utf-8", "replace")) for part in pair.split(b";")]


def _name(pair: bytes, number: int) -> str:
    """The decoded name of a pair."""
    name, _, value = pair.partition(b"=")
    if pair.translate(None, _LEFT).strip(b"%=") or b"=" in value or _BROKEN_ESCAPE.search(pair):
        raise MalformedForm(f"Field {number} of the form contains characters that must be percent-encoded.")
    try:
        return unquote_plus(name.decode("ascii"), errors="strict")
    except UnicodeDecodeError:
        raise MalformedForm(f"The name of field {number} of the form is not UTF-8.") from None
