"""
Tests for :mod:`sttproxy.embedded.form` and :mod:`sttproxy.embedded.task`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.embedded import form
from sttproxy.embedded.form import Form, TooLarge
from sttproxy.embedded.task import FIELDS, Task, read_task
from sttproxy.embedded.transcript import Format
from sttproxy.errors import BadRequest, MalformedForm

HEAD = "multipart/form-data; boundary=B"


def part(disposition: str, value: bytes) -> bytes:
    """A part with the delimiter before it."""
    return b"--B\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + value + b"\r\n"


FILE = part('name="file"; filename="a.wav"', b"RIFF\r\n--A")
END = b"--B--\r\n"


def read(*parts: bytes, content_type: str = HEAD) -> Task:
    """The task of a form with these parts."""
    reader = Form(content_type)
    reader.feed(b"".join(parts) + END)
    return reader.finish()


class TaskTests(SynchronousTestCase):
    """Fields become a task, or an error that says what would be right."""

    def test_all(self) -> None:
        """Each field is read in its own type."""
        fields = {
            "language": ["en"],
            "prompt": ["Katharine"],
            "temperature": ["0.25"],
            "response_format": ["verbose_json"],
            "timestamp_granularities[]": ["segment", "word"],
        }
        self.assertEqual(read_task(b"x", fields), Task(b"x", "en", "Katharine", 0.25, Format.VERBOSE_JSON, True))

    def test_none(self) -> None:
        """Missing and empty fields have their defaults."""
        self.assertEqual(read_task(b"x", {}), Task(b"x"))
        empty = {name: [""] for name in FIELDS}
        self.assertEqual(read_task(b"x", empty), Task(b"x"))

    def test_last(self) -> None:
        """The last value of a repeated field counts."""
        self.assertEqual(read_task(b"x", {"language": ["de", "en"]}).language, "en")

    def test_refused(self) -> None:
        """An unknown value is refused, and the error names the field."""
        for name, value in (
            ("temperature", "1.01"),
            ("temperature", "-0.1"),
            ("temperature", "nan"),
            ("temperature", "warm"),
            ("response_format", "xml"),
            ("timestamp_granularities[]", "letter"),
            ("timestamp_granularities[]", "word"),
        ):
            error = self.assertRaises(BadRequest, read_task, b"x", {name: [value]})
            self.assertEqual((error.status, error.param), (400, name))


class FormTests(SynchronousTestCase):
    """Multipart bytes become a task."""

    def test_any_cut(self) -> None:
        """The task does not depend on where the network cuts the upload, or on an epilogue."""
        body = FILE + part('name="language"', b"en") + part('name="unknown"', b"?") + END + b"  \r\n"
        cuts = [[body[:cut], body[cut:]] for cut in range(1, len(body))]
        for pieces in [*cuts, [bytes([byte]) for byte in body]]:
            reader = Form(HEAD)
            for piece in pieces:
                reader.feed(piece)
            self.assertEqual(reader.finish(), Task(b"RIFF\r\n--A", language="en"))

    def test_repeated(self) -> None:
        """The last of repeated files and fields counts; of granularities all count."""
        granularity = 'name="timestamp_granularities[]"'
        task = read(
            FILE,
            part('name="response_format"', b"srt"),
            part('name="file"; filename="b"', b"second"),
            part('name="response_format"', b"verbose_json"),
            part(granularity, b"word"),
            part(granularity, b"segment"),
        )
        self.assertEqual(task, Task(b"second", response_format=Format.VERBOSE_JSON, words=True))

    def test_parts_refused(self) -> None:
        """A missing file, and a part of the wrong kind or encoding, are refused by name."""
        for param, parts in (
            ("file", [part('name="prompt"', b"x")]),
            ("file", [part('name="file"', b"x")]),
            ("language", [FILE, part('name="language"; filename="a"', b"en")]),
            ("prompt", [FILE, part('name="prompt"', b"\xff")]),
        ):
            error = self.assertRaises(BadRequest, read, *parts)
            self.assertEqual((error.status, error.param), (400, param))

    def test_not_a_form(self) -> None:
        """Bodies of another type and incomplete multipart bodies are malformed."""
        for content_type in ("", "application/x-www-form-urlencoded", "multipart/form-data", "application/json"):
            self.assertRaises(MalformedForm, read, FILE, content_type=content_type)
        for body in (b"", FILE, b"junk"):
            reader = Form(HEAD)
            reader.feed(body)
            self.assertRaises(MalformedForm, reader.finish)

    def test_limits(self) -> None:
        """Over a limit the rest of the upload is dropped, and the response is 413."""
        self.patch(form, "MAX_FIELD", 10)
        self.assertRaises(TooLarge, read, FILE, part('name="prompt"', b"x" * 11))
        self.patch(form, "MAX_FORM", len(FILE))
        reader = Form(HEAD)
        reader.feed(FILE)
        reader.feed(END)
        reader.feed(FILE * 1000)
        self.assertEqual(self.assertRaises(TooLarge, reader.finish).status, 413)
