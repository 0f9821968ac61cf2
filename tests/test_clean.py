"""
Tests for :mod:`sttproxy.clean`: the output and the exit statuses of ``sttproxy clean``.
"""

from __future__ import annotations

import io
import os
import sys

from sttproxy import commands

from .test_commands import CommandTestCase

RULES = {
    "drop": {"phrases": "known", "also": [{"$file": "phrases.txt"}]},
    "collapse_repeats": 2,
    "replace": {"open a i": "OpenAI", "/\\bum+\\b,? ?/i": ""},
    "trim": True,
}
SRT = """1\r
00:00:01,000 --> 00:00:02,000\r
um, I like open a i\r
\r
2\r
00:01:03,000 --> 00:01:09,500\r
Thank you for watching!\r
\r
3\r
01:00:10,000 --> 01:00:12,000 X1:5\r
Nothing to do\r
"""
CLEAN = """1\r
00:00:01,000 --> 00:00:02,000\r
I like OpenAI\r
\r
3\r
01:00:10,000 --> 01:00:12,000 X1:5\r
Nothing to do\r
"""
DIFF = """00:00:01.000  replace: "open a i", replace: "/\\\\bum+\\\\b,? ?/i"
- um, I like open a i
+ I like OpenAI
00:01:03.000  drop: known phrase %d
- Thank you for watching!
"""


class CleanTests(CommandTestCase):
    """``sttproxy clean``."""

    def setUp(self) -> None:
        super().setUp()
        self.write("See you!\n", "phrases.txt")
        self.write({"$transcript": RULES, "$profiles": {"same": {}, "off": {"$transcript": {}}}})

    def write_bytes(self, name: str, data: bytes) -> str:
        """Write a file; returns its name."""
        with open(name, "wb") as file:
            file.write(data)
        return name

    def clean(self, name: str, text: str, *options: str) -> str:
        """Clean a text that is in a file; returns the output, after checking that all is well."""
        status, out, err = self.run_command("clean", *options, self.write_bytes(name, text.encode()))
        self.assertEqual((status, err), (commands.GOOD, ""), name)
        return out

    def test_printed(self) -> None:
        """The clean transcript is printed; what no rule touches is the same byte for byte."""
        self.assertEqual(self.clean("a.srt", SRT), CLEAN)
        self.assertEqual(self.clean("a.srt", CLEAN), CLEAN)

    def test_profile(self) -> None:
        """The rules are those of the profile; a missing profile is an error."""
        self.assertEqual(self.clean("a.srt", SRT, "--profile=same"), CLEAN)
        self.assertEqual(self.clean("a.srt", SRT, "--profile", "off"), SRT)
        status, out, err = self.run_command("clean", "--profile", "gone", "a.srt")
        self.assertEqual((status, out), (commands.ERRORS, ""))
        self.assertIn("--profile asks for 'gone'; the profiles are: same, off (error)\n", err)

    def test_standard_input(self) -> None:
        """The file - is the standard input; its bytes tell the format."""
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(SRT.encode())))
        self.assertEqual(self.run_command("clean", "-"), (commands.GOOD, CLEAN, ""))

    def test_formats(self) -> None:
        """Each format is read and written."""
        for name, text in (
            ("a.vtt", "WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000 line:0\num, hi\n"),
            ("a.json", '{"text": "um, hi", "x": 1.50}'),
            ("verbose.json", '{"segments": [{"text": "um, hi", "start": 0, "end": 1.0}],\n"text": "um, hi"}'),
            ("a.ndjson", '{"text": "um, hi", "start": 0}\n{"text": "um, ho", "start": 1}\n'),
            ("lines.json", '{"text": "um, hi", "start": 0}\n\n{"text": "um, ho", "start": 1}'),
            ("events", 'data: {"type":"transcript.text.delta","delta":"um, hi"}\r\n\r\ndata: [DONE]\r\n\r\n'),
            ("a.txt", "um, hi\n\nho\n"),
            ("empty.txt", ""),
            ("empty.SRT", ""),
        ):
            self.assertEqual(self.clean(name, text), text.replace("um, ", ""), name)

    def test_diff(self) -> None:
        """With --diff, each change is printed with its time, its rules, the old text and the new one."""
        out = self.clean("a.srt", SRT, "--diff")
        number = int(out.partition("known phrase ")[2].partition("\n")[0])
        self.assertEqual(out, DIFF % number)
        self.assertEqual(self.clean("a.srt", CLEAN, "--diff"), "")

    def test_diff_rules(self) -> None:
        """Each rule has its name; a file without times has none, and control characters are escaped."""
        self.assertEqual(self.clean("a.txt", "See  you\n", "--diff"), "drop: phrase 1 of also\n- See  you\n")
        self.assertEqual(self.clean("a.txt", "This again\nThis again\n", "--diff"), "collapse_repeats\n- This again\n")
        self.assertEqual(self.clean("a.txt", "a  b\u202e\n", "--diff"), "trim\n- a  b\\u202e\n+ a b\\u202e\n")
        self.write({"$transcript": {"drop": {"no_speech_prob": 0.5}}})
        segment = (
            '{"segments": [{"text": "x", "start": 0, "end": 1, "no_speech_prob": 0.9, "avg_logprob": -2}], "text": "x"}'
        )
        self.assertEqual(self.clean("a.json", segment, "--diff"), "00:00:00.000  drop: no_speech_prob\n- x\n")

    def test_not_a_transcript(self) -> None:
        """What is not surely a transcript is an error; nothing is printed."""
        for name, data in (
            ("a.wav", b"RIFF\x24\0\0\0WAVEfmt \x10\xff"),
            ("zeros", bytes(100)),
            ("page.txt", b"<html></html>"),
            ("list.json", b"[1]"),
            ("error.json", b'{"error": {"message": "x"}}'),
            ("text.json", b"hello"),
            ("text.srt", b"hello\n"),
            ("broken.srt", SRT.encode() + b"\r\nx\r\ny\r\n"),
            ("latin.txt", b"caf\xe9\n"),
        ):
            status, out, err = self.run_command("clean", self.write_bytes(name, data))
            self.assertEqual((status, out), (commands.ERRORS, ""), name)
            self.assertTrue(err.startswith(f"{name}: this is not surely a transcript: "), err)
            self.assertEqual(err.count("\n"), 1)

    def test_missing(self) -> None:
        """A file that cannot be read is an error."""
        status, out, err = self.run_command("clean", "gone.srt")
        self.assertEqual((status, out), (commands.ERRORS, ""))
        self.assertEqual(err, "gone.srt: it cannot be read: No such file or directory\n")

    def test_no_rules(self) -> None:
        """Without rules the transcript is printed as it is, and a note says so."""
        os.remove("stt_config.json")
        status, out, err = self.run_command("clean", self.write_bytes("a.srt", SRT.encode()))
        self.assertEqual((status, out), (commands.GOOD, SRT))
        self.assertEqual(err, "There are no rules for transcripts ($transcript), so nothing changes.\n")

    def test_config(self) -> None:
        """Errors of the configuration go to standard error, so that no file has them."""
        self.write('{"$transcript": {"trim": 1}}', "other.json")
        status, out, err = self.run_command("clean", "--config=other.json", "a.srt")
        self.assertEqual((status, out), (commands.ERRORS, ""))
        self.assertIn("other.json:1:26: $.transcript.trim: this must be true or false (error)\n", err)

    def test_left_alone(self) -> None:
        """Patterns whose search took too long, and texts that come to no rest, are named."""
        self.write({"$transcript": {"replace": {"/a(b*)c/": "c\\1a"}}})
        text = "abc" * 20
        status, out, err = self.run_command("clean", self.write_bytes("a.txt", text.encode()))
        self.assertEqual((status, out), (commands.GOOD, text))
        self.assertEqual(err, "a.txt: texts left alone, because each pass of the rules changed them again: 1\n")

    def test_usage(self) -> None:
        """A wrong command line gives 64, and one line on standard error."""
        for arguments in ((), ("a", "b"), ("--diffs", "a")):
            status, out, err = self.run_command("clean", *arguments)
            self.assertEqual((status, out), (64, ""), arguments)
            self.assertTrue(err.startswith("sttproxy clean: "), err)

    def test_check(self) -> None:
        """``check`` names the rules of each profile, and says that they hold for this command only."""
        status, out, _ = self.run_command("check")
        self.assertEqual(status, commands.GOOD)
        self.assertEqual(out.count("  rules for transcripts: drop, collapse_repeats, replace, trim\n"), 2)
