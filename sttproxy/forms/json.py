"""
A JSON object in place of a form, rewritten whole (RFC 8259).

What the client wrote stays as it was written, to the last digit of its numbers; forced members have the types that they
have in the configuration.
"""

from __future__ import annotations

import json

from .. import jsontext
from ..errors import MalformedForm
from .rules import Rules

#: Most members; the same as parts of a multipart form.
MAX_MEMBERS = 1000


def rewrite(rules: Rules, body: bytes) -> bytes:
    """
    The object with the client's ruled members dropped and the forced ones written first.

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
    kept = [text[member.key_at : member.value.end] for member in members if not rules.rules(member.key)]
    forced = [f"{json.dumps(name)}:{value}" for name, value in rules.forced_json]
    return ("{" + ",".join(forced + kept) + "}").encode()
