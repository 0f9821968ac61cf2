"""
A JSON object in place of a form, rewritten whole (RFC 8259).

What the client wrote stays as it was written, to the last digit of its numbers; configured members have the types that
they have in the configuration.
"""

from __future__ import annotations

import functools
import json

from .. import jsontext
from ..config import Text
from ..errors import MalformedForm
from .treatment import PASSES, Treatment

#: Most members; the same as parts of a multipart form.
MAX_MEMBERS = 1000


def rewrite(treatment: Treatment, body: bytes) -> bytes:
    """
    The object with the rules applied: forced members first, then the client's, then defaults.

    :raises MalformedForm: when it is not a JSON object in UTF-8, or repeats a member.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise MalformedForm("The JSON body is not UTF-8.") from None
    try:
        members = jsontext.members(text, MAX_MEMBERS)
    except jsontext.JSONError as error:
        line, column = jsontext.place(text, error.at)
        raise MalformedForm(f"The JSON body, line {line}, column {column}: {error.message}.") from None
    written = [(field.json_name, field.json) for field in treatment.rules.forced]
    kept = []
    for member in members:
        source = text[member.value.start : member.value.end]
        settled = treatment.treat(member.key, functools.partial(_value, source))
        if isinstance(settled, Text):
            kept.append(f"{text[member.key_at : member.key_end]}:{settled.json}")
        elif settled is PASSES:
            kept.append(text[member.key_at : member.value.end])
    defaults = [(field.json_name, field.json) for field in treatment.missing()]
    return ("{" + ",".join([*_members(written), *kept, *_members(defaults)]) + "}").encode()


def _members(written: list[tuple[str, str | None]]) -> list[str]:
    """Members of ours; a field that is only removed has no value."""
    return [f"{json.dumps(name)}:{value}" for name, value in written if value is not None]


def _value(source: str) -> bytes | None:
    """A value as a form would carry it, null as an empty one; None for an array or an object."""
    if source.startswith('"'):
        string: str = json.loads(source)
        return string.encode("utf-8", "surrogatepass")
    return None if source[0] in "[{" else b"" if source == "null" else source.encode()
