"""
Tests for :mod:`sttproxy.transcripts.json`, and for the records that it reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.json import JSON
from sttproxy.transcripts.model import Segment, Word, merged_segments, merged_words
from sttproxy.transcripts.record import MAX_LINES

from .reading import passed, read, rewritten, shouted

#: Numbers, blanks and the order of members as no library writes them.
VERBOSE = """\
{
  "x": [1.50, {"text": "keep"}, 1E+2],
  "text" : "One. Two. Three.",
  "segments":[
    {"id":0, "start": 0.00, "end":1.50, "text":" One.", "no_speech_prob": 1.0e-3, "avg_logprob": -0.20, "y": null},
    {"id":1, "start": 1.50, "end":2.250, "text":" Two.", "tokens":[ 1,2 ]},
    {"id":2, "start": 2.250, "end":3, "text":" Three."}
  ],
  "language":"en" , "duration": 3.00
}
"""


def dropping(*numbers: int) -> object:
    """The rule that drops segments."""
    return lambda segments: [segment for number, segment in enumerate(segments) if number not in numbers]


class ReadTests(SynchronousTestCase):
    """What is read."""

    def test_segments(self) -> None:
        """Segments have their texts, times and probabilities."""
        document = JSON()
        segments = read(document, VERBOSE.encode())
        self.assertEqual(
            segments,
            [
                Segment(" One.", 0.0, 1.5, no_speech_prob=0.001, avg_logprob=-0.2, origin=(0,)),
                Segment(" Two.", 1.5, 2.25, origin=(1,)),
                Segment(" Three.", 2.25, 3.0, origin=(2,)),
            ],
        )
        transcript = document.transcript(segments[1:])
        self.assertEqual((transcript.text, transcript.language, transcript.duration_s), ("Two. Three.", "en", 3.0))

    def test_lines(self) -> None:
        """A text without segments has a segment for each line."""
        self.assertEqual(
            read(JSON(), b'{"text":" One.\\n Two.\\n"}'), [Segment(" One.", origin=(0,)), Segment(" Two.", origin=(1,))]
        )

    def test_duration(self) -> None:
        """A duration may be a string; what is none is not known."""
        for value, duration_s in (("5.0", 5.0), (3, 3.0), ("x", None), ("nan", None), (True, None), (None, None)):
            document = JSON()
            segments = read(document, json.dumps({"text": "a", "duration": value}).encode())
            self.assertEqual((document.transcript(segments).duration_s, document.flush()), (duration_s, []))

    def test_no_text(self) -> None:
        """Segments need no text beside them."""
        document = JSON()
        segments = read(document, b'{"segments":[{"text":"a"},{"text":"b"}]}')
        self.assertEqual(document.transcript(segments).text, "a b")

    def test_whole(self) -> None:
        """A text that does not consist of the segments is a segment of its own, without times."""
        segments = read(JSON(), b'{"text":"Number five.","segments":[{"text":"Number 5.","start":0,"end":1}]}')
        self.assertEqual(segments[1:], [Segment("Number five.", whole=True, origin=(1,))])

    def test_other(self) -> None:
        """Everything that is not surely a transcript passes as it is."""
        for body in (
            "",
            " ",
            "{",
            "[]",
            '"text"',
            "null",
            "{}",
            '{"text":null}',
            '{"text":["a"]}',
            '{"text":1}',
            '{"error":{"message":"no"}}',
            '{"text":"a","error":"no"}',
            '{"detail":"Not Found"}',
            '{"text":"a"} {"text":"b"}',
            '{"text":"a","text":"b"}',
            '{"text":"a","x":{"y":1,"y":2}}',
            '{"text":"a","x":NaN}',
            '{"text":"a","x":' + "[" * 100_000,
            '{"text":"a","x":' + "9" * 5000 + "}",
            "{'text':'a'}",
            '{"text":"a",}',
            '{"text":"a\n"}',
            '{"text":"\\ud83d"}',
            '{"text":"a","segments":{}}',
            '{"text":"a","segments":["a"]}',
            '{"text":"a","segments":[{"start":0,"end":1}]}',
            '{"text":"a","segments":[{"text":"a","start":"0"}]}',
            '{"text":"a","segments":[{"text":"a","start":true}]}',
            '{"text":"a","segments":[{"text":"a","start":1e999}]}',
            '{"text":"a","segments":[{"text":"a","start":' + "9" * 400 + "}]}",
            '{"text":"a","segments":[{"text":"a","words":"a"}]}',
            '{"text":"a","segments":[{"text":"a","words":[{"start":0}]}]}',
            '{"text":"a","segments":[{"text":"\\udc00"}]}',
            '{"text":"a","words":[1]}',
            '{"text":"a","words":[{"word":"\\ud800"}]}',
        ):
            document = JSON()
            self.assertEqual(passed(document, [body.encode()], shouted).decode(), body)
            self.assertIsNotNone(document.failure, body[:80])

    def test_not_utf8(self) -> None:
        """JSON in another encoding stays as it is."""
        body = '{"text":"é"}'.encode("utf-16")
        self.assertEqual(passed(JSON(), [body], shouted), body)

    def test_limit(self) -> None:
        """An object that is too long is given up when it is."""
        document = JSON(10)
        document.feed(b'{"text":"a')
        self.assertIsNone(document.failure)
        document.feed(b'"')
        self.assertIn("longer than 10 bytes", str(document.failure))
        self.assertEqual(document.end(), b'{"text":"a"')

    def test_many_lines(self) -> None:
        """A text of too many lines is no speech."""
        for lines, failed in ((MAX_LINES, False), (MAX_LINES + 1, True)):
            document = JSON()
            read(document, json.dumps({"text": "a\n" * lines}).encode())
            self.assertIs(document.failure is not None, failed)

    def test_mark(self) -> None:
        """A byte order mark and blanks around the object stay."""
        body = '\ufeff \n{"text":"a"}\n '.encode()
        self.assertEqual(rewritten(JSON(), body, shouted), body.replace(b"a", b"A"))


class WriteTests(SynchronousTestCase):
    """Only what the rules changed is changed."""

    def written(self, rule: object, body: str = VERBOSE) -> str:
        """What is written after a rule."""
        out = rewritten(JSON(), body.encode(), rule).decode()  # type: ignore[arg-type]
        json.loads(out)
        return out

    def test_text(self) -> None:
        """A new text is written in the segment and in the text of all."""

        def rule(segments: list[Segment]) -> Sequence[Segment]:
            segments[1].text = ' "2"'
            return segments

        expected = VERBOSE.replace('" Two."', '" \\"2\\""').replace("One. Two.", 'One. \\"2\\"')
        self.assertEqual(self.written(rule), expected)

    def test_blanks(self) -> None:
        """The text of all has its own blanks; those of a segment may go."""

        def rule(segments: list[Segment]) -> Sequence[Segment]:
            for segment in segments:
                segment.text = segment.text.strip()
            return segments

        self.assertEqual(self.written(rule), VERBOSE.replace('" One', '"One').replace('" T', '"T'))

    def test_dropped(self) -> None:
        """A dropped segment goes with its comma and its part of the text of all."""
        first, second, third = VERBOSE.splitlines(keepends=True)[4:7]
        self.assertEqual(self.written(dropping(1)), VERBOSE.replace(second, "").replace("One. Two.", "One."))
        self.assertEqual(self.written(dropping(0)), VERBOSE.replace(first, "").replace("One. Two.", "Two."))
        self.assertEqual(
            self.written(dropping(2)),
            VERBOSE.replace(third, third[third.index("}") + 1 :]).replace("},\n\n", "}\n").replace(" Three.", ""),
        )
        self.assertEqual(
            self.written(dropping(0, 1, 2)),
            VERBOSE.replace(VERBOSE[VERBOSE.index("[\n") : VERBOSE.index('],\n  "l') + 1], "[]").replace(
                "One. Two. Three.", ""
            ),
        )

    def test_merged(self) -> None:
        """Merged segments have the end of the last one, as it was written."""
        second = VERBOSE.splitlines(keepends=True)[5]
        self.assertEqual(
            self.written(lambda segments: [merged_segments(segments[:2]), segments[2]]),
            VERBOSE.replace(second, "").replace('0.00, "end":1.50', '0.00, "end":2.250').replace(" Two.", "", 1),
        )

    def test_escapes(self) -> None:
        """Other characters are escaped where the server escapes them."""

        def rule(segments: list[Segment]) -> Sequence[Segment]:
            segments[0].text = "é"
            return segments

        self.assertEqual(self.written(rule, '{"text":"\\u00c9","x":"\\/"}'), '{"text":"\\u00e9","x":"\\/"}')
        self.assertEqual(self.written(rule, '{"text":"É"}'), '{"text":"é"}')
        self.assertEqual(self.written(rule, '{"text":"E"}'), '{"text":"é"}')

    def test_lines(self) -> None:
        """A dropped line goes with its line break."""
        self.assertEqual(self.written(dropping(1), '{"text": " a\\n b\\n c\\n"}'), '{"text": " a\\n c\\n"}')
        self.assertEqual(self.written(dropping(0), '{"text": "a"}'), '{"text": ""}')

    def test_whole(self) -> None:
        """A text of its own is changed on its own."""
        body = '{"text":"five","segments":[{"text":"5","start":0,"end":1}]}'
        self.assertEqual(self.written(shouted, body), body.replace("five", "FIVE"))


def word(number: int, text: str) -> dict[str, object]:
    """A word of one second."""
    return {"word": text, "start": float(number), "end": number + 0.9, "probability": 0.5}


INNER = [word(0, " Open"), word(1, " AI"), word(2, " is"), word(3, " here.")]
LISTED = [{**each, "word": str(each["word"]).strip()} for each in INNER]
SEGMENTS = [
    {"start": 0.0, "end": 1.9, "text": " Open AI"},
    {"start": 2.0, "end": 3.9, "text": " is here."},
]
TEXT = {"text": "Open AI is here."}
IN_SEGMENTS = [{**SEGMENTS[0], "words": INNER[:2]}, {**SEGMENTS[1], "words": INNER[2:]}]


def merging(segments: list[Segment]) -> Sequence[Segment]:
    """The rule that makes "Open AI" one word."""
    for segment in segments:
        if segment.text.strip() == "Open AI":
            segment.text = segment.text.replace("Open AI", "OpenAI")
            text = segment.words[0].text.replace("Open", "OpenAI")
            segment.words = [merged_words(segment.words, text)]
    return segments


class WordTests(SynchronousTestCase):
    """Words in the segments, in one list, or in both."""

    def value(self, body: object, rule: object) -> object:
        """The JSON value that is written after a rule."""
        data = json.dumps(body).encode()
        self.assertEqual(rewritten(JSON(), data, lambda segments: segments), data)
        return json.loads(rewritten(JSON(), data, rule))  # type: ignore[arg-type]

    def test_read(self) -> None:
        """Each segment gets its words, wherever they are."""
        for body in ({**TEXT, "segments": IN_SEGMENTS}, {**TEXT, "segments": SEGMENTS, "words": LISTED}):
            segments = read(JSON(), json.dumps(body).encode())
            self.assertEqual(
                [[each.text.strip() for each in segment.words] for segment in segments],
                [["Open", "AI"], ["is", "here."]],
            )
        self.assertEqual(segments[0].words[0], Word("Open", 0.0, 0.9, (0,)))

    def test_both(self) -> None:
        """A change is made in both places."""
        body = {**TEXT, "segments": IN_SEGMENTS, "words": LISTED}
        merged = {**INNER[0], "word": " OpenAI", "end": 1.9}
        self.assertEqual(
            self.value(body, merging),
            {
                "text": "OpenAI is here.",
                "segments": [{**SEGMENTS[0], "text": " OpenAI", "words": [merged]}, IN_SEGMENTS[1]],
                "words": [{**merged, "word": "OpenAI"}, *LISTED[2:]],
            },
        )
        self.assertEqual(
            self.value(body, dropping(0)), {"text": "is here.", "segments": IN_SEGMENTS[1:], "words": LISTED[2:]}
        )

    def test_listed(self) -> None:
        """Words of one list follow the segments that they belong to."""
        body = {**TEXT, "segments": SEGMENTS, "words": LISTED}
        self.assertEqual(
            self.value(body, merging),
            {
                "text": "OpenAI is here.",
                "segments": [{**SEGMENTS[0], "text": " OpenAI"}, SEGMENTS[1]],
                "words": [{**LISTED[0], "word": "OpenAI", "end": 1.9}, *LISTED[2:]],
            },
        )
        self.assertEqual(
            self.value(body, dropping(1)), {"text": "Open AI", "segments": SEGMENTS[:1], "words": LISTED[:2]}
        )

    def test_only_listed(self) -> None:
        """Without segments, the words belong to the text."""
        body = {**TEXT, "words": LISTED}
        changed = [{**each, "word": str(each["word"]).upper()} for each in LISTED]
        self.assertEqual(self.value(body, shouted), {"text": "OPEN AI IS HERE.", "words": changed})
        self.assertEqual(self.value(body, dropping(0)), {"text": "", "words": []})

    def test_by_time(self) -> None:
        """Listed words in another spelling belong to segments by their times."""
        listed = [word(0, "open"), word(1, "a.i."), word(2, "was"), word(3, "there")]
        body = {**TEXT, "segments": SEGMENTS, "words": listed}
        value = self.value(body, dropping(0))
        self.assertEqual(value, {"text": "is here.", "segments": SEGMENTS[1:], "words": listed[2:]})

    def test_unknown(self) -> None:
        """Listed words that are in no segment stay, unless their time is in a segment that was dropped."""
        listed = [*LISTED, word(0, "um"), word(9, "end"), {"word": "now"}]
        body = {**TEXT, "segments": IN_SEGMENTS, "words": listed}
        value = self.value(body, dropping(0))
        self.assertEqual(value, {"text": "is here.", "segments": IN_SEGMENTS[1:], "words": [*LISTED[2:], *listed[5:]]})

    def test_not_assigned(self) -> None:
        """Listed words that can be assigned in no way stay."""
        body = {"text": "a\nb", "words": [word(0, "x")]}
        self.assertEqual(self.value(body, dropping(0)), {"text": "b", "words": [word(0, "x")]})

    def test_removed(self) -> None:
        """A word can be removed from its segment."""

        def rule(segments: list[Segment]) -> Sequence[Segment]:
            segments[0].text = " AI"
            segments[0].words = segments[0].words[1:]
            return segments

        body = {**TEXT, "segments": IN_SEGMENTS, "words": LISTED}
        self.assertEqual(
            self.value(body, rule),
            {
                "text": "AI is here.",
                "segments": [{**SEGMENTS[0], "text": " AI", "words": INNER[1:2]}, IN_SEGMENTS[1]],
                "words": LISTED[1:],
            },
        )
