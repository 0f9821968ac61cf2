"""
Values of JSON transcripts, as servers write them.
"""

from __future__ import annotations

import math
from typing import Any

from .document import NotATranscript


def seconds(value: Any) -> float | None:
    """
    A time; None if it is missing.

    :raises NotATranscript: when it is not a finite number.
    """
    if value is None or (type(value) is float and math.isfinite(value)):
        return value
    found = number(value)
    if found is None:
        raise NotATranscript("a time is not a number")
    return found


def number(value: Any) -> float | None:
    """A finite number; None if it is something else, also a number written as a string."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            return None
        return found if math.isfinite(found) else None
    return None


def duration(value: Any) -> float | None:
    """A duration in seconds, also one that is written as a string; None if it is something else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return number(value)


def string(value: Any) -> str | None:
    """A string that is not empty; None if it is something else."""
    return value if isinstance(value, str) and value else None
