"""
SRT: numbered cues.

Each cue has a number, a line with both times and any number of lines of text, and ends with an empty line.
"""

from __future__ import annotations

import re

from .cues import Cues
from .document import NotATranscript
from .model import Segment
from .pieces import Piece, decoded

_TIME = "[0-9]{2,4}:[0-5][0-9]:[0-5][0-9][,.][0-9]{3}"
_TIMES = re.compile(rf"\ufeff?[0-9]{{1,9}}[ \t]*\r?\n(?P<start>{_TIME})[ \t]*-->[ \t]*(?P<end>{_TIME})(?=[ \t\r\n]|\Z)")


class SRT(Cues):
    """An SRT file; see `document.Document`.  Numbers of cues are kept, also where a cue is dropped."""

    def read(self, unit: bytes) -> list[Segment]:
        block = decoded(unit)
        times = _TIMES.match(block)
        if times is None:
            if block.strip("\ufeff\r\n"):
                raise NotATranscript("a cue does not begin with its number and its times")
            self.add(Piece(unit))
            return []
        if self.end_times and block.startswith("\ufeff"):
            raise NotATranscript("there is a byte order mark inside of the text")
        return self.add_cue(unit, block, times)
