"""
Tests for :mod:`sttproxy.transcripts.srt` and for what it shares with VTT, :mod:`sttproxy.transcripts.cues`.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.cues import MAX_CUE
from sttproxy.transcripts.model import Segment, merged_segments
from sttproxy.transcripts.srt import SRT

from .reading import passed, read, rewritten, unchanged

FIRST = "1\n00:00:00,000 --> 00:00:01,250\nGood morning.\n\n"
SECOND = "2\n00:00:01,250 --> 00:00:02,500\nThank you.\nBye.\n\n"
THIRD = "3\n01:02:03,004 --> 100:00:00,000 X1:10 Y1:20\n<i>Again</i>\n\n"


def texts(*new: str | None) -> object:
    """The rule that gives segments these texts; None drops a segment."""

    def rule(segments: list[Segment]) -> Sequence[Segment]:
        for segment, text in zip(segments, new, strict=True):
            segment.text = text or ""
        return [segment for segment, text in zip(segments, new, strict=True) if text is not None]

    return rule


class ReadTests(SynchronousTestCase):
    """Cues become segments."""

    def test_segments(self) -> None:
        """A segment has the text of a cue without the tags around it, and its times."""
        self.assertEqual(
            read(SRT(), (FIRST + SECOND + THIRD).encode()),
            [
                Segment("Good morning.", 0.0, 1.25, origin=(0,)),
                Segment("Thank you.\nBye.", 1.25, 2.5, origin=(1,)),
                Segment("Again", 3723.004, 360_000.0, origin=(2,)),
            ],
        )

    def test_cue_by_cue(self) -> None:
        """A cue is read when its empty line arrives, and sent on when it is written."""
        document = SRT()
        self.assertEqual(document.feed(FIRST[:-1].encode()), [])
        segments = document.feed(b"\n" + SECOND[:20].encode())
        self.assertEqual([segment.text for segment in segments], ["Good morning."])
        self.assertEqual(document.write([]), b"")
        self.assertEqual(document.write(segments), FIRST.encode())

    def test_empty(self) -> None:
        """A cue without a text is a segment; empty lines are none."""
        body = b"\n\n1\n00:00:00,000 --> 00:00:01,000\n\n\n\n" + FIRST.encode()
        document = SRT()
        self.assertEqual([segment.text for segment in read(document, body)], ["", "Good morning."])
        self.assertIsNone(document.failure)

    def test_failures(self) -> None:
        """From what is not a cue on, the rest is not read and stays as it is; cues before it can be changed."""
        for bad in (
            "Hello.\n\n",
            "x\n00:00:00,000 --> 00:00:01,000\nHi\n\n",
            "00:00:00,000 --> 00:00:01,000\nHi\n\n",
            "2\n00:00:00,000 -> 00:00:01,000\nHi\n\n",
            "2\n00:00:00,00 --> 00:00:01,000\nHi\n\n",
            "2\n00:00:60,000 --> 00:00:01,000\nHi\n\n",
            "2\n00:00:00,000 --> 00:00:01,0000\nHi\n\n",
            "2\n00:00:00,000 --> 00:00:01,000\nHi\n3\n00:00:01,000 --> 00:00:02,000\nHo\n\n",
            "2\n00:00:00,000 --> 00:00:01,000\rHi\n\n",
            "\ufeff2\n00:00:00,000 --> 00:00:01,000\nHi\n\n",
            "2\n٠٠:00:00,000 --> 00:00:01,000\nHi\n\n",
        ):
            document = SRT()
            out = rewritten(document, (FIRST + bad + SECOND).encode(), texts("HELLO"))
            self.assertEqual(out.decode(), FIRST.replace("Good morning.", "HELLO") + bad + SECOND)
            self.assertIsNotNone(document.failure, bad)

    def test_not_utf8(self) -> None:
        """A response in another encoding stays as it is."""
        body = "1\n00:00:00,000 --> 00:00:01,000\nCafé\n\n".encode("latin-1")
        self.assertEqual(passed(SRT(), [body]), body)

    def test_limit(self) -> None:
        """A cue that is too long is not read, whether or not it is complete; nothing is held any more."""
        for end in ("", "\n\n"):
            long = "2\n00:00:01,250 --> 00:00:02,500\n" + "x" * MAX_CUE + end
            document = SRT()
            self.assertEqual(rewritten(document, (FIRST + long).encode(), unchanged), (FIRST + long).encode())
            self.assertIn("longer than", str(document.failure))


class WriteTests(SynchronousTestCase):
    """Only what the rules changed is changed."""

    def written(self, body: str, *new: str | None) -> str:
        """What is written after a rule gave the segments these texts."""
        return rewritten(SRT(), body.encode(), texts(*new)).decode()  # type: ignore[arg-type]

    def test_text(self) -> None:
        """Another text keeps number, times, position and tags."""
        self.assertEqual(
            self.written(FIRST + THIRD, "Good morning.", "Once more"), FIRST + THIRD.replace("Again", "Once more")
        )

    def test_line_ends(self) -> None:
        """Lines of a new text end as those of the file."""
        body = SECOND.replace("\n", "\r\n")
        self.assertEqual(self.written(body, "A\nB\nC"), body.replace("Thank you.\r\nBye.", "A\r\nB\r\nC"))

    def test_dropped(self) -> None:
        """A dropped cue goes with its empty line; the numbers of the others stay."""
        self.assertEqual(self.written(FIRST + SECOND + THIRD, "Good morning.", None, "Again"), FIRST + THIRD)
        self.assertEqual(self.written(FIRST + SECOND, "Good morning.", None), FIRST)
        self.assertEqual(self.written(FIRST, None), "")

    def test_emptied(self) -> None:
        """A cue whose text a rule has emptied is dropped, because an empty cue shows nothing."""
        self.assertEqual(self.written(FIRST + SECOND, " ", "Thank you.\nBye."), SECOND)

    def test_structure(self) -> None:
        """A new text cannot end the cue or begin another one."""
        self.assertEqual(self.written(FIRST, "\n\na\n \n\nb --> c\n"), FIRST.replace("Good morning.", "a\nb -> c"))

    def test_tags(self) -> None:
        """A text is not written if its inner tags were changed."""
        body = FIRST.replace("morning", "<b>morning</b>")
        self.assertEqual(self.written(body, "GOOD <b>MORNING</b>."), body.replace("Good <b>morning", "GOOD <b>MORNING"))
        self.assertEqual(self.written(body, "Good <B>morning</B>."), body)

    def test_merged(self) -> None:
        """Merged cues have the end of the last one, as it was written."""
        body = FIRST + SECOND + THIRD.replace(",", ".")

        def rule(segments: list[Segment]) -> Sequence[Segment]:
            return [merged_segments(segments)]

        self.assertEqual(rewritten(SRT(), body.encode(), rule).decode(), FIRST.replace("00:00:01,250", "100:00:00.000"))
