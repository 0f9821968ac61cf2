"""
The duration of a recording, where the response to a transcription tells it.
"""

from __future__ import annotations

import re

#: How many of the first bytes of a response are kept, and how many of the last.
KEPT = 4096

#: A member of a JSON object.  In a string, the quotes would be escaped.
_DURATION = re.compile(rb'(?<!\\)"duration"\s*:\s*"?([0-9]{1,7}(?:\.[0-9]{1,20})?)"?\s*[,}]')
#: A time in SRT or WebVTT, and the times of a cue, which begin a line.
_TIME = rb"(?:[0-9]{2,4}:)?[0-9]{2}:[0-9]{2}[.,][0-9]{3}"
_CUE = re.compile(rb"^%b +--> +(%b)" % (_TIME, _TIME), re.MULTILINE)


class Sample:
    """
    The beginning and the end of a response's body.

    verbose_json has a `duration`: near the beginning at OpenAI, and near the end at some servers.  SRT and WebVTT have
    cues; the end of the last one is about that of the recording.
    """

    __slots__ = ("_first", "_last", "_size")

    def __init__(self) -> None:
        self._first = self._last = b""
        self._size = 0

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        room = KEPT - self._size
        self._size += len(data)
        if room > 0:
            self._first += data[:room]
            data = data[room:]
        if data:
            self._last = data[-KEPT:] if len(data) >= KEPT else (self._last + data)[-KEPT:]

    def seconds(self) -> float | None:
        """The duration of the recording; None if the response does not tell it."""
        # What was left out stands as a byte that neither a number nor space can have.
        gap = b"" if self._size == len(self._first) + len(self._last) else b"\0"
        text = self._first + gap + self._last
        if text.lstrip().startswith(b"{"):
            duration = _DURATION.search(text) if b'"duration"' in text else None
            return None if duration is None else float(duration[1])
        cues = _CUE.findall(text) if b"-->" in text else []
        if not cues:
            return None
        seconds = 0.0
        for part in cues[-1].replace(b",", b".").split(b":"):
            seconds = 60 * seconds + float(part)
        return seconds
