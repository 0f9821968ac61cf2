"""
Tests for :mod:`sttproxy.monitor.audio`.
"""

from __future__ import annotations

import json
import random

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.monitor.audio import KEPT, Sample


def _seconds(*pieces: bytes) -> float | None:
    """Return the duration in a response that arrives in pieces."""
    sample = Sample()
    for piece in pieces:
        sample.add(piece)
    return sample.seconds()


def _cues(line: str, mark: str, count: int) -> bytes:
    """
    Return subtitles with a cue every second.

    :param line: with ``{}`` where the mark of decimals stands.
    """
    times = [f"{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}{mark}500" for at in range(count + 1)]
    return "\n\n".join(f"{line}{times[at]} --> {times[at + 1]}\nWords" for at in range(count)).encode()


class SpokenTests(SynchronousTestCase):
    """A transcript whose words look like times."""

    def test_json(self) -> None:
        """Words of a transcript in JSON are not taken for a cue."""
        self.assertIsNone(_seconds(b'{"text": "00:00:00,000 --> 00:00:01,000"}'))
        self.assertIsNone(_seconds(b' {"text": "\\n00:00:00,000 --> 00:00:01,000"}'))

    def test_cue(self) -> None:
        """Words of a cue are not taken for the times of another one."""
        for mark in (",", "."):
            times = f"00:00:00{mark}000 --> 00:00:04{mark}500"
            self.assertEqual(_seconds(f"1\n{times}\nhe wrote --> 00:00:01{mark}000\n".encode()), 4.5)


class VerboseTests(SynchronousTestCase):
    """verbose_json."""

    def test_first(self) -> None:
        """`duration` is near the beginning, as OpenAI writes it; those of segments do not matter."""
        segments = [{"id": number, "text": "word " * 20, "duration": 1.5} for number in range(500)]
        body = {"task": "transcribe", "duration": 8.47, "text": "word " * 5000, "segments": segments}
        self.assertEqual(_seconds(json.dumps(body).encode()), 8.47)
        self.assertEqual(_seconds(json.dumps(body, separators=(",", ":")).encode()), 8.47)

    def test_last(self) -> None:
        """`duration` is near the end."""
        body = {"text": "word " * 5000, "duration": 3600}
        self.assertEqual(_seconds(json.dumps(body).encode()), 3600.0)
        self.assertEqual(_seconds(json.dumps(body, indent=2).encode()), 3600.0)

    def test_text(self) -> None:
        """Some servers write it as a string."""
        self.assertEqual(_seconds(b'{"duration": "12.50", "text": ""}'), 12.5)

    def test_cuts(self) -> None:
        """It does not depend on where the network cuts the response."""
        for padding in (0, KEPT - 20, KEPT * 3):
            body = json.dumps({"text": "x" * padding, "duration": 62.25, "language": "en"}).encode()
            for cut in range(max(0, len(body) - 80), len(body) + 1):
                self.assertEqual(_seconds(body[:cut], body[cut:]), 62.25)
            self.assertEqual(_seconds(*(bytes([byte]) for byte in body)), 62.25)

    def test_quoted(self) -> None:
        """A text that contains such a member is not taken for one."""
        for text in ('"duration": 5,', '\\"duration": 5,', 'He said "duration": 5, and left'):
            self.assertIsNone(_seconds(json.dumps({"text": text}).encode()))
            self.assertEqual(_seconds(json.dumps({"text": text, "duration": 7}).encode()), 7.0)
        self.assertIsNone(_seconds(json.dumps({'a"duration': 5, "text": ""}).encode()))

    def test_left_out(self) -> None:
        """A number is not put together of what stands before and behind the part that was left out."""
        head = b'{"text": "' + b"x" * (KEPT - 24) + b'","duration":1'
        head = head[:10] + b"x" * (KEPT - len(head)) + head[10:]
        self.assertEqual(len(head), KEPT)
        for end in (b"}", b" }", b", 1]}", b'"}'):
            self.assertIsNone(_seconds(head, b"2345" * KEPT, end.rjust(KEPT)))

    def test_none(self) -> None:
        """Other responses tell none."""
        usage = b'{"text": "", "usage": {"type": "duration", "seconds": 9}}'
        for body in (b"", b"Hello", b'{"text": "Hello"}', usage, b'{"duration": null}', b'{"duration": -1}'):
            self.assertIsNone(_seconds(body))


class CueTests(SynchronousTestCase):
    """Subtitles."""

    def test_srt(self) -> None:
        """The last cue's end counts, after any number of cues."""
        for count in (1, 20, 5000):
            self.assertEqual(_seconds(_cues("1\n", ",", count)), count + 0.5)

    def test_vtt(self) -> None:
        """So it does in WebVTT, where hours may be left out and settings may follow."""
        for count in (1, 20, 5000):
            self.assertEqual(_seconds(b"WEBVTT\n\n" + _cues("", ".", count) + b"\n"), count + 0.5)
        self.assertEqual(_seconds(b"WEBVTT\n\n00:00.000 --> 01:02.250 align:start\nWords\n"), 62.25)

    def test_cuts(self) -> None:
        """It does not depend on where the network cuts the response."""
        body = _cues("1\n", ",", 400)
        for cut in (*range(60), *range(KEPT - 60, KEPT + 60), *range(len(body) - 60, len(body) + 1)):
            self.assertEqual(_seconds(body[:cut], body[cut:]), 400.5)


class HostileTests(SynchronousTestCase):
    """Any bytes."""

    def test_any(self) -> None:
        """No response raises, and a duration is a number of seconds that can be shown."""
        chance = random.Random(1)
        pieces = (
            b'"duration"', b":", b" ", b"9" * 400, b"1e999", b"-", b"NaN", b".", b"5", b",", b"}", b"\\", b'"',
            b"-->", b"00:", b"99:99:99,999", b"9999:59:59.999", b"\n", b"\xff\xfe", b"\0", b"x" * KEPT,
        )  # fmt: skip
        for _ in range(3000):
            seconds = _seconds(*chance.choices(pieces, k=chance.randrange(12)))
            if seconds is not None:
                self.assertTrue(0 <= seconds < 1e8, seconds)
        for repeated in (b'"duration"' + b" " * 50, b"--> ", b'"duration":', b"--> 00:00:00"):
            self.assertIsNone(_seconds(repeated * 5000))

    def test_memory(self) -> None:
        """Only the beginning and the end of a response are kept."""
        sample = Sample()
        for _ in range(1000):
            sample.add(b"x" * 1000)
        self.assertLessEqual(len(sample._first) + len(sample._last), 2 * KEPT)
