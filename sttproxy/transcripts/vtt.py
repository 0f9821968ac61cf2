"""
WebVTT: a header, and cues between notes, styles and regions.
"""

from __future__ import annotations

import html
import re

from .cues import Cues
from .document import MAX_TRANSCRIPT, NotATranscript
from .model import Segment
from .pieces import Piece, decoded

_HEADER = re.compile(r"\ufeff?WEBVTT(?:[ \t\r\n]|\Z)")
_OTHER = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t\r\n]|\Z)")
_TIME = r"(?:[0-9]{2,4}:)?[0-5][0-9]:[0-5][0-9]\.[0-9]{3}"
_TIMES = re.compile(rf"(?:[^\n]*\n)?(?P<start>{_TIME})[ \t]+-->[ \t]+(?P<end>{_TIME})(?=[ \t\r\n]|\Z)")


class VTT(Cues):
    """A WebVTT file; see `document.Document`.  Everything but the cues passes as it is."""

    def __init__(self, limit: int = MAX_TRANSCRIPT) -> None:
        super().__init__(limit)
        self._begun = False

    def read(self, unit: bytes) -> list[Segment]:
        block = decoded(unit)
        if not self._begun:
            if not _HEADER.match(block) or "-->" in block:
                raise NotATranscript("the response does not begin with the header of WebVTT")
            self._begun = True
            self.add(Piece(unit))
            return []
        arrow = block.find("-->")
        if arrow < 0:
            if block.strip("\r\n") and not _OTHER.match(block):
                raise NotATranscript("a block is neither a cue, a note, a style nor a region")
            self.add(Piece(unit))
            return []
        times = _TIMES.match(block)
        if times is None or arrow < times.start("start") or _OTHER.match(block):
            raise NotATranscript("a cue does not begin with its times")
        return self.add_cue(unit, block, times)

    def plain(self, text: str) -> str:
        return html.unescape(super().plain(text))
