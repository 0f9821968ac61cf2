"""
Parsers in their own processes: they read forms as lines of JSON, and write one line for each.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from ..e2e.process import environment
from ..forms.rewriting import Rewritten
from .reading import Reading, named

#: Seconds that a parser may take for all forms.
LIMIT_S = 60


class Refused(Exception):
    """The parser refused the form."""


def ask(
    argv: Sequence[str], forms: Sequence[Rewritten], env: Mapping[str, str] | None = None
) -> list[Reading | Refused]:
    """Return a program's readings of forms."""
    lines = "".join(
        json.dumps({"type": left.content_type.decode(), "body": base64.b64encode(left.body).decode()}) + "\n"
        for left in forms
    )
    done = subprocess.run(
        argv, input=lines.encode(), capture_output=True, timeout=LIMIT_S, env=environment(env), check=False
    )
    answers = done.stdout.splitlines()
    if done.returncode or len(answers) != len(forms):
        raise AssertionError(f"{argv[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
    return [_reading(json.loads(answer)) for answer in answers]


def _reading(answer: Any) -> Reading | Refused:
    """Parse a line: a list of name, file name or null, and contents in base64; or the reason of a refusal."""
    if isinstance(answer, str):
        return Refused(answer)
    reading = Reading({}, {})
    for said, filename, data in answer:
        name, value = said or "", base64.b64decode(data)  # busboy does not support empty names
        if filename is None:
            reading.fields.setdefault(name, []).append(value)
        else:
            reading.files.setdefault(name, []).append((named(filename), value))
    return reading
