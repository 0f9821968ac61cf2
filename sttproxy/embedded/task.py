"""
What a form requests, checked.

The fields are those that MLX Omni Server reads, under the same names, so a form that works here works there.  Other
fields are ignored without an error, as MLX Omni Server does.  The last value of a repeated field counts, as with
FastAPI.  An empty value counts as not sent, because SDKs send an unset ``prompt`` as an empty part.
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
    One transcription to do.

    :ivar audio: the recording, a whole file in one of the usual containers.
    :ivar language: the spoken language; None to detect it.  The model checks later whether it knows the language.
    :ivar prompt: a text whose style and spelling the transcript continues.
    :ivar temperature: 0 to 1.  With None and 0 the engine raises it by itself if its first try looks wrong.
    :ivar words: whether the transcript has the times of single words.
    """

    audio: bytes = field(repr=False)
    language: str | None = None
    prompt: str | None = None
    temperature: float | None = None
    response_format: Format = Format.JSON
    words: bool = False


def read_task(audio: bytes, fields: Mapping[str, Sequence[str]]) -> Task:
    """
    The task that a form describes.

    :param audio: the recording.
    :param fields: the values of each text field, in the order of arrival.
    :raises BadRequest: when a field does not allow its value.
    """
    last = {name: values[-1] for name, values in fields.items() if values and values[-1]}
    response_format = _format(last.get("response_format", Format.JSON.value))
    words = _wants_words(fields.get(GRANULARITIES, ()))
    if words and response_format is not Format.VERBOSE_JSON:
        raise BadRequest(
            f"word timestamps need response_format verbose_json, not {response_format.value}",
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
