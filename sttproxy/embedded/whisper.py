"""
Loads a model with faster-whisper, and transcribes.

All functions here block and must run in the engine's thread.  So must the import of faster-whisper, which takes a
second.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Protocol

from sttproxy.embedded.audio import SAMPLE_RATE, decode, pieces
from sttproxy.embedded.model import EmbeddedError, check_installed, find_model
from sttproxy.embedded.task import Task
from sttproxy.embedded.transcript import Segment, Transcript, Word
from sttproxy.errors import BadRequest, printable

#: Frames of ten milliseconds, in which Whisper counts ``seek``.
FRAMES_PER_SECOND = 100


class Transcriber(Protocol):
    """A loaded model."""

    def transcribe(self, task: Task, abandoned: Callable[[], bool]) -> Transcript:
        """
        Do a task; this blocks.

        :param abandoned: called between segments.  If it returns true, the result is not needed, and the transcription
            may stop early.
        :raises BadRequest: when the model cannot use the audio or the language.
        """


def load_model(name: str) -> Transcriber:
    """
    Load a model; this takes seconds to minutes.

    :param name: its folder or its name.  A named model is downloaded from the hub if it is not in the cache.
    :raises EmbeddedError: when the model cannot be loaded.
    """
    check_installed()
    try:
        faster_whisper = import_module("faster_whisper")
    except ImportError as error:
        raise EmbeddedError(f"faster-whisper is installed but cannot be imported: {_line(error)}") from error
    # One core is left for the reactor.  More than four threads help little on a CPU.
    threads = max(1, min(4, (os.cpu_count() or 2) - 1))
    try:
        model = faster_whisper.WhisperModel(find_model(name), device="cpu", compute_type="int8", cpu_threads=threads)
    except Exception as error:  # four libraries and the hub raise exceptions of their own
        raise EmbeddedError(
            f"the speech model {name!r} cannot be loaded ({_line(error)}); "
            "name one that faster-whisper knows, or a folder"
        ) from error
    return Whisper(name, model)


class Whisper:
    """
    A model of faster-whisper.

    :param model: a ``faster_whisper.WhisperModel``.
    """

    def __init__(self, name: str, model: Any) -> None:
        self._name = name
        self._model = model

    def transcribe(self, task: Task, abandoned: Callable[[], bool]) -> Transcript:
        language = check_language(task.language, self._model.supported_languages, printable(self._name))
        options: dict[str, Any] = {"temperature": task.temperature} if task.temperature else {}
        samples = decode(task.audio)
        segments: list[Segment] = []
        for offset, piece in pieces(samples):
            found, info = self._model.transcribe(
                piece, language=language, initial_prompt=task.prompt, word_timestamps=task.words, **options
            )
            language = info.language  # the language detected first is used for the rest
            for segment in found:  # each iteration computes the next half minute
                if abandoned():
                    break
                segments.append(_segment(segment, offset, info.duration))
            if abandoned():
                break
        assert language is not None  # there is at least one piece
        return Transcript(language=language, duration=len(samples) / SAMPLE_RATE, segments=tuple(segments))


def check_language(language: str | None, known: Sequence[str], model: str) -> str | None:
    """
    The code of a language in Whisper's spelling; None, which means detection, stays None.

    :param known: the codes that the model knows.
    :param model: the model's name or folder, for the message.
    :raises BadRequest: when the model does not know the language.
    """
    if language is None or language.lower() in known:
        return language and language.lower()
    if len(known) == 1:
        right = f"the embedded model {os.path.basename(model)} knows English only; --embedded-model tiny knows others"
    else:
        right = "use a code such as en, de or zh, or leave the field out to have the language detected"
    raise BadRequest(f"language {language!r} cannot be transcribed: {right}", param="language")


def _line(error: Exception) -> str:
    """The error's message on one line."""
    return printable(" ".join(str(error).split())) or type(error).__name__


def _segment(segment: Any, offset: float, duration: float) -> Segment:
    """
    A segment of faster-whisper with its times in the whole recording.

    :param offset: the second at which its piece begins.
    :param duration: the seconds of its piece.  Whisper pads half minutes with silence, so a segment can end after its
        piece.
    """

    def place(seconds: float) -> float:
        return offset + min(float(seconds), duration)

    return Segment(
        text=segment.text,
        start=place(segment.start),
        end=place(segment.end),
        seek=segment.seek + round(offset * FRAMES_PER_SECOND),
        tokens=tuple(segment.tokens),
        temperature=float(segment.temperature or 0.0),
        avg_logprob=segment.avg_logprob,
        compression_ratio=segment.compression_ratio,
        no_speech_prob=segment.no_speech_prob,
        words=tuple(Word(word.word, place(word.start), place(word.end)) for word in segment.words or ()),
    )
