"""
Times of cues.
"""

from __future__ import annotations


def timestamp(seconds: float, point: str) -> str:
    """``HH:MM:SS.mmm`` with the given decimal point; hours have more than two digits if necessary."""
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
