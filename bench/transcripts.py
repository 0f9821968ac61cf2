"""
Measures the rules for transcripts on their own: ``python -m bench.transcripts``.

The transcripts are those of an hour of speech; in every twentieth segment there is something to be cleaned.
"""

from __future__ import annotations

import json
import statistics
import time
import tracemalloc
from collections.abc import Callable

import attrs

from sttproxy.transcripts.compiling import compiled
from sttproxy.transcripts.rendition import Rendition, Wanted

RULES = {
    "drop": {"phrases": "known", "also": ["So."], "no_speech_prob": 0.8},
    "collapse_repeats": 3,
    "replace": {"open a i": "OpenAI", "kathrin": "Katharine", "/\\bum+\\b,? ?/i": ""},
    "trim": True,
}
CLEANING, _ = compiled(RULES)
#: Bytes of each piece in which a response comes.
PIECE = 64 * 1024
ROUNDS = 15

_SENTENCES = (
    " The meeting has been moved to Monday afternoon,",
    " and Catherine will take the notes for all of us.",
    " We should look at the figures of the last quarter",
    " before anybody writes to the customers about it.",
)


def segments(count: int) -> list[dict[str, object]]:
    """Segments of verbose JSON with words, as faster-whisper's servers make them."""
    made: list[dict[str, object]] = []
    for number in range(count):
        text = _SENTENCES[number % 4] if number % 20 else " um, that is what open a i said to kathrin"
        start_s = 3.0 * number
        words = [
            {
                "word": f" {word}",
                "start": round(start_s + 0.3 * at, 2),
                "end": round(start_s + 0.3 * at + 0.3, 2),
                "probability": 0.9876543,
            }
            for at, word in enumerate(text.split())
        ]
        made.append(
            {
                "id": number,
                "seek": 300 * number,
                "start": start_s,
                "end": start_s + 3.0,
                "text": text,
                "tokens": list(range(50364, 50384)),
                "temperature": 0.0,
                "avg_logprob": -0.2345678,
                "compression_ratio": 1.4567,
                "no_speech_prob": 0.0123456,
                "words": words,
            }
        )
    return made


def verbose_json() -> bytes:
    """An hour with words, about 2 MB."""
    made = segments(1200)
    text = "".join(str(segment["text"]) for segment in made)
    whole = {"task": "transcribe", "language": "english", "duration": 3600.0, "text": text, "segments": made}
    return json.dumps(whole, indent=1).encode()


def srt() -> bytes:
    """Subtitles of about 60 KB."""

    def at(seconds: int) -> str:
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},000"

    cues = [
        f"{number + 1}\n{at(3 * number)} --> {at(3 * number + 3)}\n{str(segment['text']).strip()}\n\n"
        for number, segment in enumerate(segments(720))
    ]
    return "".join(cues).encode()


@attrs.frozen
class Work:
    """
    What is measured.

    :ivar sent: the format of the response.
    :ivar requested: the format that is delivered; None: the same.
    """

    name: str
    body: bytes
    sent: str
    content_type: bytes
    requested: str | None = None

    def done(self) -> int:
        """Do it; return the size of the result."""
        rendition = Rendition(CLEANING, Wanted(self.sent, self.requested), self.content_type)
        pieces = [self.body[at : at + PIECE] for at in range(0, len(self.body), PIECE)]
        return sum(len(rendition.feed(piece)) for piece in pieces) + len(rendition.finish())


def milliseconds(call: Callable[[], object]) -> tuple[float, float]:
    """The median and the smallest processor time of a call."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        call()
        times.append(1000 * (time.process_time() - began))
    return statistics.median(times), min(times)


def peak(call: Callable[[], object]) -> float:
    """The most memory that a call needs beyond its beginning, in MB of Python's objects."""
    tracemalloc.start()
    call()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


def main() -> None:
    """Print a table."""
    hour, subtitles = verbose_json(), srt()
    works = (
        Work("verbose_json", hour, "verbose_json", b"application/json"),
        Work("verbose_json as srt", hour, "verbose_json", b"application/json", "srt"),
        Work("verbose_json as json", hour, "verbose_json", b"application/json", "json"),
        Work("srt", subtitles, "srt", b"text/plain"),
        Work("srt as json", subtitles, "srt", b"text/plain", "json"),
    )
    print(f"| {'response':20} | {'KB':>5} | {'ms, median':>10} | {'ms, least':>9} | {'peak, MB':>8} |")
    print(f"|{'-' * 22}|{'-' * 7}|{'-' * 12}|{'-' * 11}|{'-' * 10}|")
    for work in works:
        median, least = milliseconds(work.done)
        size, most = len(work.body) / 1e3, peak(work.done)
        print(f"| {work.name:20} | {size:5.0f} | {median:10.1f} | {least:9.1f} | {most:8.1f} |")


if __name__ == "__main__":
    main()
