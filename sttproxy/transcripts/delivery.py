"""
What was asked for, whatever the server sent: a transcript in another format.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from .document import CannotRender, Document
from .layout import WIDTH, Cue, cues_of
from .model import Segment, Transcript
from .sniff import Kind
from .times import timestamp

#: The values of ``response_format`` for which each kind of response leaves in the form in which it came.
_AS_IT_CAME = {
    Kind.JSON: frozenset({"verbose_json", "diarized_json"}),
    Kind.TEXT: frozenset({"text"}),
    Kind.SRT: frozenset({"srt"}),
    Kind.VTT: frozenset({"vtt"}),
}
_JSON = b"application/json"
_PLAIN = b"text/plain; charset=utf-8"


@attrs.frozen
class Delivery:
    """
    A response as the client gets it.

    :ivar disposition: the header Content-Disposition; None: the response has none.
    """

    body: bytes
    content_type: bytes
    disposition: bytes | None = None


def is_as_requested(kind: Kind, requested: str) -> bool:
    """
    Whether a kind of response is what the client asked for, so that it may leave while it is read.

    :param requested: the client's ``response_format``; ``json`` if it has none.
    """
    return kind is Kind.EVENTS or requested in _AS_IT_CAME.get(kind, frozenset())


def deliver(
    document: Document,
    kind: Kind,
    segments: Sequence[Segment],
    requested: str,
    *,
    words: bool = False,
    width: int = WIDTH,
) -> Delivery:
    """
    Render a response that was read to its end.

    A client that asked for JSON gets subtitles as they are, in ``{"text": …}``.

    :param document: of which nothing is written yet.
    :param segments: all of them, as the rules left them.
    :param requested: the client's ``response_format``; ``json`` if it has none.
    :param words: whether the client asked for the times of words.
    :param width: most columns of a line of subtitles.
    :raises CannotRender: when the response lacks the times that the format needs, or the format is unknown; write the
        document instead.
    """
    if requested == "json" and kind in (Kind.SRT, Kind.VTT):
        return _json({"text": (document.write(segments) + document.end()).decode()})
    if requested == "json" and kind is Kind.JSON and all(segment.start_s is None for segment in segments):
        return Delivery(document.write(segments) + document.end(), _JSON)
    return render(document.transcript(segments), requested, words=words, width=width)


def render(transcript: Transcript, requested: str, *, words: bool = False, width: int = WIDTH) -> Delivery:
    """
    Render a transcript.

    :param requested: ``json``, ``text``, ``srt``, ``vtt`` or ``verbose_json``.
    :param words: whether ``verbose_json`` has the words.
    :param width: most columns of a line of subtitles.
    :raises CannotRender: when the transcript lacks the times that the format needs, or the format is unknown.
    """
    if requested == "json":
        return _json({"text": transcript.text})
    if requested == "text":
        return Delivery(f"{transcript.text}\n".encode(), _PLAIN)
    if requested == "verbose_json":
        return _json(_verbose(transcript, words))
    if requested in _SUBTITLES:
        body = _SUBTITLES[requested](_timed(transcript), width)
        disposition = f'attachment; filename="transcription.{requested}"'
        return Delivery(body.encode(), _PLAIN, disposition.encode())
    raise CannotRender(f"no format is named {requested}")


def _json(value: dict[str, Any]) -> Delivery:
    return Delivery(json.dumps(value, ensure_ascii=False).encode(), _JSON)


def _timed(transcript: Transcript) -> list[Segment]:
    """
    The segments with times; those of words where the segments have none.

    :raises CannotRender: when a segment with a text has no times.
    """
    timed: list[Segment] = []
    for segment in transcript.segments:
        start_s, end_s = segment.start_s, segment.end_s
        if segment.words:
            start_s = segment.words[0].start_s if start_s is None else start_s
            end_s = segment.words[-1].end_s if end_s is None else end_s
        if start_s is not None and end_s is not None:
            timed.append(attrs.evolve(segment, start_s=max(start_s, 0), end_s=max(start_s, end_s, 0)))
        elif segment.text.strip():
            raise CannotRender("the response has no times")
    if not timed and transcript.text.strip():
        raise CannotRender("the response has no times")
    return timed


def _verbose(transcript: Transcript, words: bool) -> dict[str, Any]:
    segments = _timed(transcript)
    duration_s = transcript.duration_s
    if duration_s is None:
        duration_s = max((segment.end_s or 0 for segment in segments), default=0)
    response: dict[str, Any] = {
        "task": "transcribe",
        "language": transcript.language or "",
        "duration": duration_s,
        "text": transcript.text,
        "segments": [_verbose_segment(number, segment) for number, segment in enumerate(segments)],
    }
    if words:
        response["words"] = [
            {"word": word.text.strip(), "start": word.start_s, "end": word.end_s}
            for segment in segments
            for word in segment.words
        ]
    return response


def _verbose_segment(number: int, segment: Segment) -> dict[str, Any]:
    known = {
        "avg_logprob": segment.avg_logprob,
        "no_speech_prob": segment.no_speech_prob,
        "speaker": segment.speaker,
    }
    return {
        "id": number,
        "start": segment.start_s,
        "end": segment.end_s,
        "text": segment.text,
        **{name: value for name, value in known.items() if value is not None},
    }


def _srt(segments: Sequence[Segment], width: int) -> str:
    out: list[str] = []
    for segment in segments:
        for cue in cues_of(segment, width):
            # An arrow in a text would be read as the times of another cue.
            text = "\n".join(cue.lines).replace("-->", "->")
            out.append(f"{len(out) + 1}\n{_times(cue, ',')}\n{text}\n")
    return "\n".join(out)


def _vtt(segments: Sequence[Segment], width: int) -> str:
    out = ["WEBVTT\n"]
    for segment in segments:
        name = (segment.speaker or "").translate(_NOT_IN_NAMES)
        voice = f"<v {name}>" if name.strip() else ""
        for cue in cues_of(segment, width):
            text = "\n".join(cue.lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            out.append(f"{_times(cue, '.')}\n{voice}{text}\n")
    return "\n".join(out)


def _times(cue: Cue, point: str) -> str:
    return f"{timestamp(cue.start_s, point)} --> {timestamp(cue.end_s, point)}"


_SUBTITLES: dict[str, Callable[[Sequence[Segment], int], str]] = {"srt": _srt, "vtt": _vtt}
_NOT_IN_NAMES = str.maketrans(dict.fromkeys("<>&\r\n", " "))
