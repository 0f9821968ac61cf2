"""
Transcripts, and the formats that a client can request.

Times are seconds from the start of the recording.  The formats have OpenAI's shapes.  Texts in records keep the blanks
that Whisper puts before the words of a segment; rendering removes blanks at the start of a text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum

from attrs import frozen

from sttproxy.transcripts.times import timestamp


class Format(Enum):
    """The values of ``response_format``."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VERBOSE_JSON = "verbose_json"
    VTT = "vtt"


@frozen
class Word:
    """One word and its times."""

    text: str
    start: float
    end: float


@frozen
class Segment:
    """A part of the speech, about one sentence, with Whisper's values about its own certainty."""

    text: str
    start: float
    end: float
    seek: int = 0
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    words: tuple[Word, ...] = ()


@frozen
class Transcript:
    """
    The transcript of one recording.

    :ivar language: ISO 639-1 code, as requested or as detected.
    :ivar duration: length of the recording in seconds.
    """

    language: str
    duration: float
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """The whole text.  Whisper's segments begin with a space where their script has spaces."""
        return "".join(segment.text for segment in self.segments).strip()


def render(transcript: Transcript, form: Format, words: bool = False) -> tuple[bytes, bytes]:
    """
    The content type and the body of the response, in UTF-8.

    :param words: whether to add the words with their times; only ``verbose_json`` can have them.
    """
    if form is Format.JSON:
        return _json({"text": transcript.text})
    if form is Format.VERBOSE_JSON:
        return _json(_verbose(transcript, words))
    return b"text/plain; charset=utf-8", _PLAIN[form](transcript).encode()


def _json(value: object) -> tuple[bytes, bytes]:
    return b"application/json", json.dumps(value, ensure_ascii=False).encode()


def _verbose(transcript: Transcript, words: bool) -> dict[str, object]:
    segments = [
        {
            "id": number,
            "seek": segment.seek,
            "start": round(segment.start, 3),
            "end": round(segment.end, 3),
            "text": segment.text,
            "tokens": list(segment.tokens),
            "temperature": segment.temperature,
            "avg_logprob": segment.avg_logprob,
            "compression_ratio": segment.compression_ratio,
            "no_speech_prob": segment.no_speech_prob,
        }
        for number, segment in enumerate(transcript.segments)
    ]
    response: dict[str, object] = {
        "task": "transcribe",
        "language": transcript.language,
        "duration": round(transcript.duration, 3),
        "text": transcript.text,
        "segments": segments,
    }
    if words:
        response["words"] = [
            {"word": word.text.strip(), "start": round(word.start, 3), "end": round(word.end, 3)}
            for segment in transcript.segments
            for word in segment.words
        ]
    return response


def _text(transcript: Transcript) -> str:
    return transcript.text + "\n"


def _srt(transcript: Transcript) -> str:
    return "\n".join(f"{number}\n{cue}" for number, cue in enumerate(_cues(transcript, ","), 1))


def _vtt(transcript: Transcript) -> str:
    return "\n".join(["WEBVTT\n", *_cues(transcript, ".")])


def _cues(transcript: Transcript, point: str) -> list[str]:
    """The times and the text of each segment.  An arrow in a text would be read as the times of another cue."""
    return [
        f"{timestamp(segment.start, point)} --> {timestamp(segment.end, point)}\n"
        f"{segment.text.strip().replace('-->', '->')}\n"
        for segment in transcript.segments
    ]


_PLAIN: dict[Format, Callable[[Transcript], str]] = {Format.TEXT: _text, Format.SRT: _srt, Format.VTT: _vtt}
