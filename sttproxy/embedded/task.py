"""
What a client asks for, checked.

The fields are those that MLX Omni Server reads, under the same names: what works here works there.  Other fields are
ignored in silence, as they are there.  Of a repeated field the last value counts, as with FastAPI; an empty value is no
value (SDKs send an unset ``prompt`` as an empty part).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from sttproxy.embedded.transcript import Format
from sttproxy.errors import BadRequest

GRANULARITIES = "timestamp_granularities[]"

#: The text fields that are read.
FIELDS = frozenset({"language", "prompt", "temperature", "response_format", GRANULARITIES})


@frozen
class Task:
    """
    One transcription to make.

    :ivar audio: the recording, a whole file in any of the usual containers.
    :ivar language: the language spoken; None to have it detected.  Whether the model knows it is not checked here.
    :ivar prompt: text in whose style and spelling the transcript is to continue.
    :ivar temperature: 0 to 1; None and 0 let the engine raise it by itself where its first try looks wrong.
    :ivar words: whether the times of single words are wanted.
    """

    audio: bytes = field(repr=False)
    language: str | None = None
    prompt: str | None = None
    temperature: float | None = None
    response_format: Format = Format.JSON
    words: bool = False


def read_task(audio: bytes, fields: Mapping[str, Sequence[str]]) -> Task:
    """
    The task that these text fields describe; each maps to its values in the order they came.

    :raises BadRequest: when a value is not one of those the field can have.
    """
    last = {name: values[-1] for name, values in fields.items() if values and values[-1]}
    response_format = _format(last.get("response_format", Format.JSON.value))
    words = _wants_words(fields.get(GRANULARITIES, ()))
    if words and response_format is not Format.VERBOSE_JSON:
        raise BadRequest(
            f"word timestamps come only with response_format verbose_json, not {response_format.value}",
            param=GRANULARITIES,
        )
    temperature = last.get("temperature")
    return Task(
        audio=audio,
        language=last.get("language"),
        prompt=last.get("prompt"),
        temperature=None if temperature is None else _temperature(temperature),
        response_format=response_format,
        words=words,
    )


def _format(value: str) -> Format:
    try:
        return Format(value)
    except ValueError:
        known = ", ".join(form.value for form in Format)
        raise BadRequest(f"response_format {value!r} is not one of {known}", param="response_format") from None


def _wants_words(values: Sequence[str]) -> bool:
    for value in values:
        if value not in ("", "segment", "word"):
            raise BadRequest(f"timestamp granularity {value!r} is neither segment nor word", param=GRANULARITIES)
    return "word" in values


def _temperature(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:  # NaN compares false, too
        raise BadRequest(f"temperature {value!r} is not a number from 0 to 1", param="temperature")
    return number
