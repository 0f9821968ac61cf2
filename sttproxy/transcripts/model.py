"""
The model between readers and writers: segments with their words.

Times are seconds from the start of the recording; None where the format has no times.  Texts are as the server wrote
them, with the blanks that Whisper puts before a segment and before a word.  A cue of two lines has a line break in its
text.  A format without segments has one segment for each line of its text.

The rules get segments in order, and return segments in order.  A rule may

- assign another text to a segment or to a word,
- leave out segments, or words of a segment,
- replace neighbours by `merged_segments` or `merged_words`, which keep the outer times.

It may do nothing else: no other times, no other order, no segment without an ``origin``.  The words of a segment are to
say what its text says; writers do not derive one from the other.  What follows from the segments, such as the text of
the whole recording, is written by the document.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs


@attrs.define
class Word:
    """
    A word of a segment.

    :ivar origin: the numbers of the words that the document read and of which this one consists.
    """

    text: str
    start_s: float | None = None
    end_s: float | None = None
    origin: tuple[int, ...] = ()


@attrs.define
class Segment:
    """
    A segment, a cue, a line of plain text, or a sentence of a stream.

    :ivar words: empty where the response has none.
    :ivar no_speech_prob: Whisper's probability of silence, 0 to 1.
    :ivar avg_logprob: Whisper's mean log probability of the tokens, at most 0.
    :ivar whole: this is the text of the whole recording, beside the segments, because it is not their texts joined.  It
        has no times and is no neighbour of another segment; the rules that change texts apply to it.
    :ivar origin: the numbers of the segments that the document read and of which this one consists.
    """

    text: str
    start_s: float | None = None
    end_s: float | None = None
    words: list[Word] = attrs.field(factory=list)
    no_speech_prob: float | None = None
    avg_logprob: float | None = None
    speaker: str | None = None
    whole: bool = False
    origin: tuple[int, ...] = ()


@attrs.define
class Transcript:
    """
    A complete transcript, as it is rendered.

    :ivar segments: in their order.
    :ivar text: the text of the whole recording.
    :ivar language: as the server names it: a code or an English name.
    :ivar duration_s: length of the recording in seconds.
    """

    segments: list[Segment]
    text: str
    language: str | None = None
    duration_s: float | None = None


def merged_words(words: Sequence[Word], text: str) -> Word:
    """
    Merge neighbours into one word with the outer times.

    :param words: at least one, in their order.
    """
    return Word(text, words[0].start_s, words[-1].end_s, tuple(number for word in words for number in word.origin))


def merged_segments(segments: Sequence[Segment]) -> Segment:
    """
    Merge neighbours into the first one, which gets the outer times and keeps its own text and words.

    :param segments: at least one, in their order.
    """
    origin = tuple(number for segment in segments for number in segment.origin)
    return attrs.evolve(segments[0], end_s=segments[-1].end_s, origin=origin)
