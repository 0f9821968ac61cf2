"""
Tests for :mod:`sttproxy.transcripts.events`, :mod:`sttproxy.transcripts.ndjson` and what they share.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.deltas import MAX_SENTENCE
from sttproxy.transcripts.events import Events
from sttproxy.transcripts.model import Segment, merged_segments
from sttproxy.transcripts.ndjson import NDJSON

from .answers import ascii_only, chunk, compact, delta, event
from .reading import passed, read, rewritten, shouted


def deltas(*texts: str) -> str:
    """OpenAI's events for these texts."""
    return "".join(event(delta(text)) for text in texts)


def done(text: str) -> str:
    """OpenAI's event with the text of all."""
    return event({"type": "transcript.text.done", "text": text, "usage": {"seconds": 1.50}})


def without(text: str) -> object:
    """The rule that drops the segments with a text."""
    return lambda segments: [segment for segment in segments if segment.text.strip() != text]


class DeltaTests(SynchronousTestCase):
    """Deltas are gathered to sentences."""

    def sentences(self, *texts: str) -> list[str]:
        """The texts of the segments that deltas become."""
        return [segment.text for segment in read(Events(), deltas(*texts).encode())]

    def test_sentences(self) -> None:
        """A sentence ends with a full stop before a blank, and at once in scripts without blanks."""
        for texts, expected in (
            (["One", ".", " Two", ".", " "], ["One.", "Two."]),
            (["One. ", "Two."], ["One.", "Two."]),
            (["One.", " ", " ", "Two."], ["One.", "Two."]),
            (["One.", "Two."], ["One.Two."]),
            (["It is 3", ".", "14", "."], ["It is 3.14."]),
            (["“One", "?", "”", " Two"], ["“One?”", "Two"]),
            (["你好", "。", "再见", "！"], ["你好。", "再见！"]),
            (["「你好", "。", "」", "再见"], ["「你好。」", "再见"]),
            (["One. Two. Three"], ["One. Two. Three"]),
            ([], []),
        ):
            self.assertEqual(self.sentences(*texts), expected)

    def test_long(self) -> None:
        """A sentence that does not end is cut."""
        texts = self.sentences(*["word "] * 200)
        self.assertEqual(" ".join(texts), ("word " * 200).strip())
        self.assertLess(max(map(len, texts)), MAX_SENTENCE + 5)

    def test_flush(self) -> None:
        """A sentence need not wait for its end."""
        document = Events()
        self.assertEqual(document.feed(deltas("Hel", "lo").encode()), [])
        self.assertEqual(document.flush(), [Segment("Hello", origin=(0,))])
        self.assertEqual(document.flush(), [])
        self.assertEqual([each.text for each in document.feed(deltas(", you.", " ").encode())], [])
        self.assertEqual(document.finish(), [Segment(", you.", origin=(1,))])
        transcript = document.transcript([Segment("HELLO", origin=(0,)), Segment(", you.", origin=(1,))])
        self.assertEqual(transcript.text, "HELLO, you.")

    def test_blanks(self) -> None:
        """Blanks around a sentence stay, because clients join the deltas; blanks alone are no sentence."""
        body = deltas(" ") + deltas(" One", ".", " ", " Two", ". ")
        document = Events()
        self.assertEqual((document.feed(deltas(" ").encode()), document.flush()), ([], []))
        self.assertEqual(document.write([]), deltas(" ").encode())
        self.assertEqual(rewritten(Events(), body.encode(), shouted).decode(), deltas("  ONE. ") + deltas(" TWO. "))

    def test_changed(self) -> None:
        """The first delta has all of a sentence that was changed; the others go, and the text of all follows."""
        body = deltas("I", " see", ".") + ": ping\n\n" + deltas(" You", " see", ".") + done("I see. You see.")

        def rule(segments: list[Segment]) -> Sequence[Segment]:
            segments[1].text = "You saw."
            return segments

        self.assertEqual(
            rewritten(Events(), body.encode(), rule).decode(),
            deltas("I", " see", ".") + ": ping\n\n" + deltas(" You saw.") + done("I see. You saw."),
        )

    def test_dropped(self) -> None:
        """A sentence that is dropped is in no event; events that are no part of it stay."""
        body = deltas("I see.", " Thank", ": you") + ": ping\n\n" + deltas(".") + done("I see. Thank: you.")
        self.assertEqual(
            rewritten(Events(), body.encode(), without("Thank: you.")).decode(),  # type: ignore[arg-type]
            deltas("I see.") + ": ping\n\n" + done("I see."),
        )

    def test_finish_reason(self) -> None:
        """A chunk that says why the text ends stays, without a text if that was dropped or moved."""
        body = event(chunk("Thank")) + event(chunk(" you.", "stop")) + "data: [DONE]\n\n"
        self.assertEqual(
            rewritten(Events(), body.encode(), lambda _: []).decode(), event(chunk("", "stop")) + "data: [DONE]\n\n"
        )
        self.assertEqual(
            rewritten(Events(), body.encode(), shouted).decode(),
            event(chunk("THANK YOU.")) + event(chunk("", "stop")) + "data: [DONE]\n\n",
        )

    def test_whole(self) -> None:
        """A text of all in other words is a segment of its own."""
        segments = read(Events(), (deltas("Number five.") + done("Number 5.")).encode())
        self.assertEqual([segment.whole for segment in segments], [False, True])
        body = deltas("five") + done("5 a")
        self.assertEqual(rewritten(Events(), body.encode(), shouted).decode(), deltas("FIVE") + done("5 A"))

    def test_two_texts(self) -> None:
        """Behind the text of all, another one may begin."""
        body = deltas("One.") + done("One.") + deltas("Two.") + done("Two.")
        self.assertEqual(rewritten(Events(), body.encode(), shouted).decode().count("TWO."), 2)


class EventTests(SynchronousTestCase):
    """Server-sent events."""

    def test_other(self) -> None:
        """Comments, fields, other events and an event without an end pass in their places."""
        other = ': ok\nretry: 10\n\nid: 7\nevent: x\ndata: {"type":"speech.started","text":"Hi"}\n\n\n'
        error = event({"error": {"message": "no", "text": "no"}}) + event({"x": 1})
        body = other + deltas("One.") + error + 'data: {"text":"Two."}'
        self.assertEqual(
            rewritten(Events(), body.encode(), shouted).decode(),
            other + deltas("ONE.") + error + 'data: {"text":"Two."}',
        )

    def test_lines(self) -> None:
        """Data of several lines, without a blank behind the colon, or with carriage returns are one text."""
        body = 'event: x\r\ndata:{"text":\r\ndata:"One."}\r\nid: 1\r\n\r\n'
        self.assertEqual(rewritten(Events(), body.encode(), shouted).decode(), body.replace("One", "ONE"))

    def test_segments(self) -> None:
        """Events with one segment keep what the rules do not change; the text of all follows."""
        one = {"type": "transcript.text.segment", "id": "1", "start": 0.0, "end": 1.50, "text": "One.", "speaker": "A"}
        two = {**one, "start": 1.50, "end": 2, "text": "Two.", "speaker": "B"}
        body = event(one) + event(two) + done("A: One.\nB: Two.")
        self.assertEqual(
            rewritten(Events(), body.encode(), without("One.")).decode(),  # type: ignore[arg-type]
            event(two) + done("B: Two."),
        )
        self.assertEqual(
            rewritten(Events(), body.encode(), lambda segments: [merged_segments(segments)]).decode(),
            event({**one, "end": 2.0}) + done("A: One."),
        )

    def test_plain(self) -> None:
        """Only where text was asked for, data may be a text."""
        body = b"data: One.\n\ndata:  \n\ndata: Two.\n\n"
        self.assertEqual(rewritten(Events(plain=True), body, shouted), body.upper().replace(b"DATA", b"data"))
        self.assertEqual(rewritten(Events(plain=True), body, lambda segments: segments[1:]), body[12:])
        document = Events()
        self.assertEqual(passed(document, [body], shouted), body)
        self.assertIsNotNone(document.failure)

    def test_failures(self) -> None:
        """From what is no event of a transcript on, everything passes as it is; a sentence before it can be changed."""
        for bad in (
            "data: {\n\n",
            "data: 1\n\n",
            "data: []\n\n",
            'data: {"text":"a"} x\n\n',
            'data: {"a":1,"a":2}\n\n',
            'data: {"type":"transcript.text.delta","delta":"\\ud800"}\n\n',
            'data: {"text":"a","start":"0"}\n\n',
            "data: a\rdata: b\n\n",
        ):
            document = Events()
            body = deltas("One") + bad + deltas(" two.")
            self.assertEqual(
                rewritten(document, body.encode(), shouted).decode(), deltas("ONE") + bad + deltas(" two."), bad
            )
            self.assertIsNotNone(document.failure, bad)

    def test_merged_transcripts(self) -> None:
        """Merged segments of several transcripts have the end of the last one."""
        one = {"text": "Yes.", "segments": [{"text": "Yes.", "start": 0, "end": 1.50}]}
        two = {"text": "Yes.", "segments": [{"text": "Yes.", "start": 1.50, "end": 3}]}
        self.assertEqual(
            rewritten(
                Events(), (event(one) + event(two)).encode(), lambda segments: [merged_segments(segments)]
            ).decode(),
            event({"text": "Yes.", "segments": [{"text": "Yes.", "start": 0, "end": 3.0}]}),
        )

    def test_choices(self) -> None:
        """Chunks with several choices, or without a text, are no deltas."""
        body = event({"choices": []}) + event({"choices": [{"delta": None}]}) + event({"choices": [{"delta": {}}]})
        document = Events()
        self.assertEqual(passed(document, [body.encode()], shouted).decode(), body)
        self.assertIsNone(document.failure)


class NDJSONTests(SynchronousTestCase):
    """Lines of JSON."""

    def test_segments(self) -> None:
        """Each line is a segment, with the escapes of the server."""
        lines = [{"text": text, "start": 1.50, "end": None, "is_final": True} for text in (" Café.", " Bye.")]
        body = "".join(ascii_only(line) + "\r\n" for line in lines)
        segments = read(NDJSON(), body.encode())
        self.assertEqual(segments[0], Segment(" Café.", 1.5, None, origin=(0,)))
        self.assertEqual(
            rewritten(NDJSON(), body.encode(), shouted).decode(),
            body.replace("Caf\\u00e9.", "CAF\\u00c9.").replace("Bye", "BYE"),
        )
        self.assertEqual(
            rewritten(NDJSON(), body.encode(), lambda segments: segments[1:]).decode(), ascii_only(lines[1]) + "\r\n"
        )

    def accumulated(self, *texts: str) -> str:
        """Lines with the text up to each."""
        lines = [{"text": text, "accumulated": "".join(texts[: at + 1])} for at, text in enumerate(texts)]
        return "".join(compact(line) + "\n" for line in lines)

    def test_accumulated(self) -> None:
        """The text up to a line follows from the changes before it."""
        body = self.accumulated("One", ".", " Two", ".", " Three", ".")

        def rule(segments: list[Segment]) -> Sequence[Segment]:
            segments[0].text = "1."
            return [segments[0], segments[2]]

        self.assertEqual(rewritten(NDJSON(), body.encode(), rule).decode(), self.accumulated("1.", " Three", "."))

    def test_not_accumulated(self) -> None:
        """A text that is not that of all lines is not understood."""
        body = b'{"text":"a","accumulated":"b"}\n'
        document = NDJSON()
        self.assertEqual(passed(document, [body], shouted), body)
        self.assertIsNotNone(document.failure)

    def test_last_line(self) -> None:
        """The last line needs no line break; empty lines stay."""
        body = b'\n{"text":"a","segments":[{"text":"a","start":0,"end":1}]}\n\n{"text":"b"}'
        document = NDJSON()
        segments = read(document, body)
        self.assertEqual([segment.text for segment in segments], ["a", "b"])
        self.assertEqual(document.transcript(segments).text, "a b")
        self.assertEqual(rewritten(NDJSON(), body, shouted), body.replace(b'"a"', b'"A"').replace(b'"b"', b'"B"'))

    def test_values(self) -> None:
        """Texts of lines that are changed are still JSON."""
        body = self.accumulated('"', ".", ' \\"', ".")
        for line in rewritten(NDJSON(), body.encode(), shouted).decode().splitlines():
            json.loads(line)
