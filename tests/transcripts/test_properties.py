"""
Properties that hold for any transcript, any rules and any cuts by the network.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.delivery import render
from sttproxy.transcripts.model import Segment, merged_segments
from sttproxy.transcripts.sniff import Kind, document_of
from sttproxy.transcripts.times import timestamp

from .answers import delta, event
from .reading import Rule, cuts, passed, read, rewritten

TEXTS = st.text(st.sampled_from('ab .,!?é我。"\\/&😀'), min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
#: What a rule does with a segment: keep it, drop it, give it another text, or merge it with the next one.
ACTIONS = st.lists(st.sampled_from(("keep", "keep", "drop", "text", "merge")), min_size=8, max_size=8)
CUTS = st.lists(st.integers(0, 2000), max_size=10)


@attrs.frozen
class Speech:
    """Texts with the times in milliseconds at which each begins, and the last one ends."""

    texts: list[str]
    times: list[int]

    @property
    def cues(self) -> list[tuple[str, int, int]]:
        """Text, start and end."""
        return list(zip(self.texts, self.times, self.times[1:], strict=False))


speeches = st.lists(st.tuples(TEXTS, st.integers(0, 9999)), max_size=6).map(
    lambda drawn: Speech([text for text, _ in drawn], sorted([0, *(at for _, at in drawn)]))
)


def body_of(speech: Speech, kind: Kind, words: bool, indent: int | None) -> bytes:
    """A response of this kind."""
    cues = speech.cues
    if kind is Kind.SRT:
        return "".join(
            f"{number}\n{timestamp(start / 1000, ',')} --> {timestamp(end / 1000, ',')}\n{text}\n\n"
            for number, (text, start, end) in enumerate(cues, 1)
        ).encode()
    if kind is Kind.VTT:
        lines = (
            f"{timestamp(start / 1000, '.')} --> {timestamp(end / 1000, '.')} align:start\n{text}\n\nNOTE {number}\n\n"
            for number, (text, start, end) in enumerate(cues)
        )
        return ("WEBVTT\n\n" + "".join(lines)).encode()
    if kind is Kind.TEXT:
        return "".join(text + "\n" for text in speech.texts).encode()
    segments: list[dict[str, Any]] = [
        {"id": number, "start": start / 1000, "end": end / 1000, "text": f" {text}"}
        for number, (text, start, end) in enumerate(cues)
    ]
    if words:
        for segment in segments:
            segment["words"] = [
                {"word": word, "start": segment["start"], "end": segment["end"]} for word in segment["text"].split(" ")
            ]
    if kind is Kind.NDJSON:
        return "".join(json.dumps(segment) + "\n" for segment in segments).encode()
    text = "".join(f" {text}" for text in speech.texts)
    if kind is Kind.EVENTS:
        done = event({"type": "transcript.text.done", "text": text})
        return ("".join(event(delta(f" {text}")) for text in speech.texts) + done).encode()
    value: dict[str, Any] = {"text": text, "segments": segments, "duration": 1}
    return json.dumps(value, indent=indent, ensure_ascii=False).encode()


def rule_of(actions: Sequence[str]) -> Rule:
    """A rule that treats segments by their numbers, so that it does the same for any cuts; it merges nothing."""

    def rule(segments: list[Segment]) -> Sequence[Segment]:
        left = []
        for segment in segments:
            action = actions[segment.origin[0] % len(actions)]
            if action == "text":
                segment.text = segment.text.replace("a", "xyz") + "!"
            if action != "drop" or segment.whole:
                left.append(segment)
        return left

    return rule


def merging(actions: Sequence[str]) -> Rule:
    """A rule that also merges neighbours."""

    def rule(segments: list[Segment]) -> Sequence[Segment]:
        left: list[Segment] = []
        for segment in rule_of(actions)(segments):
            if left and not segment.whole and actions[segment.origin[0] % len(actions)] == "merge":
                left[-1] = merged_segments([left[-1], segment])
            else:
                left.append(segment)
        return left

    return rule


def times(segments: Sequence[Segment]) -> list[tuple[float | None, float | None]]:
    """The times of segments."""
    return [(segment.start_s, segment.end_s) for segment in segments if not segment.whole]


class PropertyTests(SynchronousTestCase):
    """Any transcript."""

    @given(speeches, st.sampled_from(Kind), st.booleans(), st.sampled_from((None, 1)), ACTIONS, CUTS)
    @settings(max_examples=400)
    def test_cuts(
        self, speech: Speech, kind: Kind, words: bool, indent: int | None, actions: list[str], at: list[int]
    ) -> None:
        """Nothing changes without a rule, and what changes does not depend on the cuts by the network."""
        body = body_of(speech, kind, words, indent)
        pieces = cuts(body, (min(each, len(body)) for each in at))
        self.assertEqual(passed(document_of(kind, None), pieces), body)
        rule = rule_of(actions)
        self.assertEqual(passed(document_of(kind, None), pieces, rule), rewritten(document_of(kind, None), body, rule))

    @given(speeches, st.sampled_from(Kind), st.booleans(), ACTIONS)
    @settings(max_examples=400)
    def test_times(self, speech: Speech, kind: Kind, words: bool, actions: list[str]) -> None:
        """What is written is read as what the rules left, so no time changes but by dropping and merging."""
        body = body_of(speech, kind, words, None)
        left: list[Segment] = []

        def rule(segments: list[Segment]) -> Sequence[Segment]:
            left.extend(merging(actions)(segments))
            return left

        out = rewritten(document_of(kind, None), body, rule)
        again = document_of(kind, None)
        segments = read(again, out)
        self.assertIsNone(again.failure)
        if kind is not Kind.EVENTS:
            self.assertEqual(times(segments), times(left))
            self.assertEqual(
                [segment.text.strip() for segment in segments if not segment.whole],
                [segment.text.strip() for segment in left if not segment.whole],
            )

    @given(speeches, st.integers(2, 42))
    def test_rendered(self, speech: Speech, width: int) -> None:
        """Subtitles that are rendered can be read, and do not overlap, because the segments do not."""
        document = document_of(Kind.JSON, None)
        transcript = document.transcript(read(document, body_of(speech, Kind.JSON, True, None)))
        for form, kind in (("srt", Kind.SRT), ("vtt", Kind.VTT)):
            reader = document_of(kind, None)
            cues = read(reader, render(transcript, form, width=width).body)
            self.assertIsNone(reader.failure)
            shown = [time for pair in times(cues) for time in pair]
            self.assertEqual(shown, sorted(shown, key=lambda time: time or 0.0))
            plain = "".join(reader.transcript(cues).text.split())
            self.assertEqual(plain, "".join("".join(speech.texts).split()).replace("-->", "->"))
