"""
What SRT and VTT have in common: cues with times, and text that may have markup.

Tags around the whole text of a cue (``<i>…</i>``, ``<v Ann>``, ``{\\an8}``) are not part of its segment's text.  Tags
inside of it are, and a text whose tags a rule has changed is not written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from .document import MAX_TRANSCRIPT, NotATranscript
from .model import Segment, Transcript
from .pieces import Piece, Pieces
from .tiles import joined

#: Most bytes of a cue.  A minute of the fastest speech has 2 KiB.
MAX_CUE = 64 * 1024

_TAG = re.compile(r"<[^<>\n]*>|\{\\[^{}\n]*\}")
_OPENING = re.compile(rf"(?:{_TAG.pattern})*")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]+([^<>\n]+)>")
_LINE_BREAKS = re.compile(r"[\r\n]+")


class Cue(Piece):
    """
    A cue as it came, in parts.

    :ivar block: the whole of it.
    :ivar times: matches up to the end time.
    :ivar begin: the offset of its text, with the tags around it.
    :ivar text: without these tags, its lines end with line feeds.
    :ivar opening: the tags before the text.
    :ivar closing: the tags behind the text, and the line breaks.
    """

    __slots__ = ("begin", "block", "closing", "document", "opening", "text", "times")

    def __init__(self, source: bytes, document: Cues, block: str, times: re.Match[str]) -> None:
        """
        :raises NotATranscript: when its text has an arrow, because an empty line is missing before the next cue.
        """
        self.source = source
        self.document = document
        self.block = block
        self.times = times
        end = times.end()
        if block.find("-->", end) >= 0:
            raise NotATranscript("a cue has two lines with times")
        self.begin = begin = block.find("\n", end) + 1 or len(block)
        self.text = text = block[begin:].rstrip("\r\n")
        self.opening = ""
        self.closing = block[begin + len(text) :]
        if "\r" in text:
            self.text = text.replace("\r\n", "\n")

    def read_markup(self) -> str | None:
        """Move the tags around the text out of it; return the speaker that a voice tag names."""
        opening = _OPENING.match(self.text)
        assert opening is not None, "the pattern matches the empty string"
        self.opening, self.text = opening.group(), self.text[opening.end() :]
        end = _closing_at(self.text)
        self.closing = self.text[end:] + self.closing
        self.text = self.text[:end]
        voice = _VOICE.search(self.opening)
        return voice.group(1) if voice else None

    def write(self, segments: Sequence[Segment]) -> bytes:
        if not segments:
            return b""
        (segment,) = segments
        text = self.text
        if segment.text != text:
            text = "\n".join(filter(str.strip, _LINE_BREAKS.split(segment.text))).replace("-->", "->")
            if _TAG.findall(text) != _TAG.findall(self.text):
                text = self.text
            elif not text.strip() and self.text.strip():
                return b""
        end_time = self.document.end_times[segment.origin[-1]]
        if text == self.text and len(segment.origin) == 1:
            return self.source
        block, times = self.block, self.times
        if "\r\n" in block:
            text = text.replace("\n", "\r\n")
        head, tail = block[: times.start("end")], block[times.end() : self.begin]
        return f"{head}{end_time}{tail}{self.opening}{text}{self.closing}".encode()


class Cues(Pieces):
    """
    A document that consists of cues.

    :ivar end_times: of all cues, as written.
    """

    def __init__(self, limit: int = MAX_TRANSCRIPT) -> None:
        super().__init__(min(limit, MAX_CUE))
        self.end_times: list[str] = []

    def add_cue(self, unit: bytes, block: str, times: re.Match[str]) -> list[Segment]:
        """
        Add a cue, and return its segment.

        :param times: ends behind the times, and has the groups ``start`` and ``end``.
        :raises NotATranscript: when its text has an arrow, because an empty line is missing before the next cue.
        """
        cue = Cue(unit, self, block, times)
        speaker = cue.read_markup() if "<" in cue.text or "{" in cue.text else None
        start_time, end_time = times.group("start", "end")
        self.end_times.append(end_time)
        segment = Segment(cue.text, seconds(start_time), seconds(end_time), speaker=speaker)
        self.add(cue, [segment])
        return [segment]

    def transcript(self, segments: Sequence[Segment]) -> Transcript:
        """The transcript without the tags in its texts."""
        plain = [attrs.evolve(segment, text=self.plain(segment.text)) for segment in segments]
        text = joined([line for segment in plain for line in segment.text.split("\n")])
        return Transcript(plain, text)

    def plain(self, text: str) -> str:
        """A cue's text without markup."""
        return _TAG.sub("", text) if "<" in text or "{" in text else text


def _closing_at(text: str) -> int:
    """Where the closing tags at the end of a text begin."""
    at = len(text)
    while text.endswith(">", 0, at):
        tag = text.rfind("<", 0, at)
        if not text.startswith("</", tag) or not _TAG.fullmatch(text, tag, at):
            break
        at = tag
    return at


def seconds(time: str) -> float:
    """
    A time in seconds.

    :param time: hours may be missing; the last three digits are milliseconds.
    """
    minutes = 60 * int(time[:-10] or 0) + int(time[-9:-7])
    return (60_000 * minutes + 1000 * int(time[-6:-4]) + int(time[-3:])) / 1000
