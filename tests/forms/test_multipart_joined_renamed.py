"""
Tests for :mod:`sttproxy.forms.multipart`: texts joined to the client's value, removed values, and renames.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import MAX_VALUE
from sttproxy.config.rules import RENAMED_COPIES
from sttproxy.errors import MalformedForm
from sttproxy.forms.evaluation import Evaluation
from sttproxy.forms.multipart import MIN_BOUNDARY, MultipartRewriter

from .cases import DELIMITER, VALUES, A, B
from .rewriting import BOUNDARY, Item, by_multipart, by_starlette, bytewise, field, form, rewrite, rules_for, upload
from .rows import Row, RowsTestCase

JOINED = {"prompt": {"$prepend": "MLX, ", "$append": " End."}}
CUT = {"prompt": {"$prepend": "MLX, ", "max_tokens": 4}}
FOLD = {"$map": {"language": {"auto": None, "": None, "zh-*": "zh", "zh-TW": "tw"}}}
RENAME = {"$rename": {"audio": "file", "lang": "language", "g": "timestamp_granularities[]", "long_name": "x"}}
WAV = upload("audio", b"a.wav", b"audio/wav", b"RIFF")
FILE = upload("file", b"a.wav", b"audio/wav", b"RIFF")


def prompt(text: str) -> bytes:
    """The part of the prompt."""
    return field("prompt", text.encode())


ROWS = {
    "joined, not sent": Row(JOINED, (A,), (A, prompt("MLX,  End."))),
    "joined, nothing sent": Row(JOINED, (), (prompt("MLX,  End."),)),
    "joined": Row(JOINED, (A, prompt("a 会\r\nb"), B), (A, prompt("MLX, a 会\r\nb End."), B)),
    "joined, empty": Row(JOINED, (prompt(""), A), (prompt("MLX,  End."), A)),
    "joined, the last": Row(JOINED, (A, prompt("a")), (A, prompt("MLX, a End."))),
    "joined, in another spelling": Row(JOINED, (field(" Prompt[x]", b"a"),), (prompt("MLX, a End."),)),
    "joined, with a type": Row(
        JOINED,
        (b'Content-Disposition: form-data; name="prompt"\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\na',),
        (prompt("MLX, a End."),),
    ),
    "joined, like a delimiter": Row(
        JOINED,
        (field("prompt", DELIMITER[:-1] + b"\r\n--"),),
        (field("prompt", b"MLX, %b\r\n-- End." % DELIMITER[:-1]),),
    ),
    "cut, short": Row(CUT, (prompt("one two"),), (prompt("MLX, one two"),)),
    "cut": Row(CUT, (prompt("one two three four"), A), (prompt("MLX, three four"), A)),
    "cut to nothing": Row(CUT, (prompt("incomprehensibilities"), A), (prompt("MLX, "), A)),
    "cut, not sent": Row(CUT, (A,), (A, prompt("MLX, "))),
    "joined after others": Row(
        {"f": 1, **JOINED, "$default": {"d": 2}}, (A,), (field("f", b"1"), A, prompt("MLX,  End."), field("d", b"2"))
    ),
    "removed": Row(FOLD, (field("language", b"AUTO"), A), (A,)),
    "removed, empty": Row(FOLD, (A, field("Language[]", b"")), (A,)),
    "removed, a file": Row(FOLD, (upload("language", b"l", b"a/b", b"auto"), A), (A,)),
    "removed, then the default": Row(
        {**FOLD, "$default": {"language": "en"}}, (field("language", b"auto"), A), (A, field("language", b"en"))
    ),
    "removed, one of two": Row(
        {**FOLD, "$default": {"language": "en"}},
        (field("language", b"auto"), field("language", b"fr")),
        (field("language", b"fr"),),
    ),
    "folded": Row(
        FOLD,
        (field("language", b"ZH-cn"), field("language", b"zh-tw"), field("language", b"zh")),
        (field("language", b"zh"), field("language", b"tw"), field("language", b"zh")),
    ),
    "renamed": Row(RENAME, (A, WAV, field("lang", b"en")), (A, FILE, field("language", b"en"))),
    "renamed, shorter": Row(RENAME, (field("Long_Name", b"1"), A), (field("x", b"1"), A)),
    "renamed, a list": Row(RENAME, (field("LANG[]", b"en"), A), (field("language[]", b"en"), A)),
    "renamed, in another spelling": Row(RENAME, (field("[ｌang]", b"en"), A), (field("language", b"en"), A)),
    "renamed to a list": Row(
        RENAME,
        (field("g", b"word"), field("g[]", b"segment"), field("timestamp_granularities[]", b"word")),
        tuple(field("timestamp_granularities[]", value) for value in (b"word", b"segment", b"word")),
    ),
    "renamed to a forced field": Row(
        {**RENAME, "language": "zh"},
        (field("lang", b"en"), field("language", b"fr"), A),
        (field("language", b"zh"), A),
    ),
    "renamed, then mapped": Row(
        {**RENAME, **FOLD}, (field("lang", b"zh-CN"), A, WAV), (field("language", b"zh"), A, FILE)
    ),
    "renamed, then removed": Row({**RENAME, **FOLD}, (field("lang", b"auto"), WAV), (FILE,)),
    "renamed, then joined": Row(
        {"$rename": {"initial_prompt": "prompt"}, **JOINED}, (field("initial_prompt", b"a"),), (prompt("MLX, a End."),)
    ),
    "renamed, no default": Row(
        {**RENAME, "$default": {"language": "en"}}, (field("lang", b"fr"),), (field("language", b"fr"),)
    ),
    "renamed to nothing of ours": Row({"$rename": {"lang": "_charset_"}}, (field("lang", b"utf-7"), A), (A,)),
    "the same rules twice": Row(
        {**RENAME, "lang": "zh"}, (field("lang", b"en"), A), (field("lang", b"zh"), field("language", b"en"), A)
    ),
    "everything": Row(
        {**RENAME, **FOLD, **JOINED, "temperature": 0, "$default": {"model": "m"}},
        (WAV, field("lang", b"ZH-HK"), prompt("a"), field("g", b"word"), field("temperature", b"1")),
        (
            *(field("temperature", b"0"), FILE, field("language", b"zh"), prompt("MLX, a End.")),
            *(field("timestamp_granularities[]", b"word"), field("model", b"m")),
        ),
    ),
}

#: Configurations, parts that are refused with them, and a part of the message.
REFUSED: tuple[tuple[dict[str, Any], tuple[bytes, ...], str], ...] = (
    (JOINED, (prompt("a"), prompt("b")), "The field 'prompt' is sent twice: send it once."),
    (JOINED, (prompt(""), A, field("PROMPT[]", b"")), "The field 'prompt' is sent twice: send it once."),
    (JOINED, (upload("prompt", b"p.txt", b"text/plain", b"a"),), "Part 1 of the form cannot be accepted: it is a file"),
    (JOINED, (A, prompt("a\0b")), "contains a NUL character"),
    (JOINED, (field("prompt", b"a\xff"),), "is not UTF-8"),
    (JOINED, (field("prompt", b"\xed\xa0\x80"),), "is not UTF-8"),
    (JOINED, (prompt("x" * (MAX_VALUE + 1)),), f"longer than {MAX_VALUE} bytes"),
    (CUT, (prompt("x " * MAX_VALUE),), f"longer than {MAX_VALUE} bytes"),
    *(
        (
            fields,
            (A, b'Content-Disposition: form-data; name="%b"\r\nContent-Type: %b\r\n\r\na' % (name, content_type)),
            "Part 2 of the form cannot be accepted: its Content-Type names another charset",
        )
        for fields, name in ((JOINED, b"prompt"), (FOLD, b"language"), ({**FOLD, **RENAME}, b"lang"))
        for content_type in (
            b"text/plain; charset=utf-16le",
            b"text/plain;charset=iso-8859-1",
            b'text/plain; charset="utf-7"',
            b"text/plain; CHARSET=utf-8; charset=utf-16",
            b"text/plain; charset*0=utf-; charset*1=16",
            b'text/plain; a="; charset=utf-16"',
        )
    ),
    (RENAME, (field("lang", b"a"), field("language", b"b")), "'lang' and 'language' would both be sent as 'language'"),
    (RENAME, (field("language", b"a"), field("LANG", b"b")), "'language' and 'LANG' would both be sent as 'language'"),
    (RENAME, (field("lang", b"a"), field("lang", b"a")), "'lang' and 'lang' would both be sent as 'language'"),
    (RENAME, (field("lang[]", b"a"), field("language", b"a")), "'lang[]' and 'language' would both be sent as"),
    (RENAME, (WAV, A, FILE), "'audio' and 'file' would both be sent as 'file': send one of them"),
    (RENAME, (FILE, WAV), "'file' and 'audio' would both be sent as 'file'"),
    ({**RENAME, **FOLD}, (field("lang", b"auto"), field("language", b"b")), "would both be sent"),
    ({"$rename": {"x": "prompt"}, **JOINED}, (prompt("a"), field("x", b"b")), "would both be sent as 'prompt'"),
    ({"$rename": {"a": "x", "b": "x"}}, (A, B), "'a' and 'b' would both be sent as 'x'"),
)


class TableTests(RowsTestCase):
    """The result, for every cut."""

    def test_rows(self) -> None:
        """Each row has its result."""
        self.hold(ROWS)

    def test_refused(self) -> None:
        """What servers could read in another way is refused, with the same message for every cut."""
        for fields, sent, message in REFUSED:
            body = form(*sent)
            for counted in (True, False):
                for pieces in ([body], bytewise(body) if len(body) < MAX_VALUE else [body[:-9], body[-9:]]):
                    error = self.assertRaises(MalformedForm, rewrite, rules_for(**fields), BOUNDARY, pieces, counted)
                    self.assertIn(message, error.message, sent)

    def test_values(self) -> None:
        """Any text is joined as it is; readers find the texts of both sides around it."""
        for value in VALUES:
            try:
                meant = b"MLX, %b End." % value.decode().encode()
            except UnicodeDecodeError:
                continue
            if b"\0" in value:
                continue
            body = form(field("prompt", value), A)
            for pieces in ([body], bytewise(body)):
                for counted in (True, False):
                    output = rewrite(rules_for(**JOINED), BOUNDARY, pieces, counted)
                    expected = [Item("prompt", None, None, meant), Item("a", None, None, b"1")]
                    self.assertEqual(by_multipart(output), expected)
                    self.assertEqual(by_starlette(output), expected)


class LengthTests(SynchronousTestCase):
    """The promised length."""

    def test_promised(self) -> None:
        """The promise has room for a joined field that is not sent, and for one copy of a renamed field, or some."""
        part = len(b"--" + BOUNDARY + b"\r\n" + field("", b"") + b"\r\n")
        for fields, more in (
            (JOINED, part + len("promptMLX,  End.")),
            (CUT, part + len("promptMLX, ")),
            (FOLD, 0),
            ({"$map": {"a": {"zh-*": "longer", "x": None}}}, 3),
            ({"$rename": {"audio": "file"}}, 0),
            ({"$rename": {"lang": "language", "a": "会"}}, 4 + 2),
            ({"$rename": {"lang": "language[]"}}, 6 * RENAMED_COPIES),
        ):
            rewriter = MultipartRewriter(Evaluation(rules_for(**fields)), BOUNDARY, 1000)
            self.assertEqual(rewriter.length, 1000 + more, fields)

    def test_no_padding(self) -> None:
        """There is no padding if a joined field is not sent, and if a renamed one is."""
        for fields, sent in ((JOINED, (A,)), (RENAME, (field("lang", b"x"), *[field("g", b"")] * RENAMED_COPIES))):
            output = rewrite(rules_for(**fields), BOUNDARY, [form(*sent)], True)
            self.assertTrue(output.body.endswith(b"--\r\n"), fields)

    def test_first_always_fits(self) -> None:
        """A joined field, and the first renamed one, have room after heads that use all other room."""
        fields = {**JOINED, **FOLD, **RENAME, "$default": {"model": "m"}}
        for size in range(1, MIN_BOUNDARY + 2):
            boundary = b"x" * size
            for first in ((), (A,), (A, B), (WAV,)):
                for sent in (
                    (),
                    (prompt(""),),
                    (field("lang", b""),),
                    (prompt("x" * 999), field("lang", b"zh-x"), WAV),
                ):
                    if WAV in first and WAV in sent:
                        continue
                    for end in (b"", b"\r\n"):
                        body = form(*first, *sent, boundary=boundary, end=end)
                        for pieces in ([body], bytewise(body), [body[:-3], body[-3:]]):
                            output = rewrite(rules_for(**fields), boundary, pieces, True)
                            self.assertEqual(output.length, len(output.body), (size, first, sent))

    def test_more_copies(self) -> None:
        """A list of which more copies become longer than there is room for is refused, unless it comes chunked."""
        body = form(*[field("g", b"word")] * (RENAMED_COPIES + 1))
        output = rewrite(rules_for(**RENAME), BOUNDARY, [body], False)
        self.assertEqual(len(by_multipart(output)), RENAMED_COPIES + 1)
        error = self.assertRaises(MalformedForm, rewrite, rules_for(**RENAME), BOUNDARY, [body], True)
        self.assertIn("or send the form chunked", error.message)

    def test_shorter_spelling(self) -> None:
        """A spelling that is shorter than the configured old name never breaks the promise: it is refused."""
        fields = {"$rename": {"株式会社": "株式会社の言語"}}
        body = form(field("㍿", b"en"))
        self.assertEqual(by_multipart(rewrite(rules_for(**fields), BOUNDARY, [body], False))[0].name, "株式会社の言語")
        self.assertRaises(MalformedForm, rewrite, rules_for(**fields), BOUNDARY, [body], True)

    def test_missing_end(self) -> None:
        """A form without a closing boundary gets its joined fields, too."""
        for sent, expected in (((A,), [b"1", b"MLX,  End."]), ((A, prompt("a")), [b"1", b"MLX, a End."])):
            body = form(*sent, end=b"").removesuffix(DELIMITER + b"--")
            for pieces in ([body], bytewise(body)):
                output = rewrite(rules_for(**JOINED), BOUNDARY, pieces, True, open_ended=True)
                self.assertEqual(len(output.body), output.length)
                self.assertEqual([item.value for item in by_multipart(output)], expected)


class StreamTests(SynchronousTestCase):
    """What is buffered, and for how long."""

    def test_bounded(self) -> None:
        """At most `MAX_VALUE` bytes of a value that is joined to a text are buffered; more are refused at once."""
        rewriter = MultipartRewriter(Evaluation(rules_for(**JOINED)), BOUNDARY, None)
        rewriter.feed(form(prompt(""), end=b"").removesuffix(DELIMITER + b"--"))
        self.assertEqual(b"".join(rewriter.feed(b"x" * (MAX_VALUE + len(DELIMITER) - 1))), b"")
        self.assertRaises(MalformedForm, rewriter.feed, b"x")

    def test_longest(self) -> None:
        """A value of exactly `MAX_VALUE` bytes is joined."""
        for fields, length in ((JOINED, MAX_VALUE + 10), (CUT, 16)):
            body = form(prompt("word " * (MAX_VALUE // 5) + "x"), A)
            for pieces in ([body], [body[at : at + 5000] for at in range(0, len(body), 5000)]):
                output = rewrite(rules_for(**fields), BOUNDARY, pieces, True)
                self.assertEqual(len(output.body), output.length)
                self.assertEqual(len(by_multipart(output)[0].value), length)

    def test_renamed_streams(self) -> None:
        """A renamed file is sent on as it arrives."""
        rewriter = MultipartRewriter(Evaluation(rules_for(**RENAME, **FOLD)), BOUNDARY, None)
        opening = b"".join(rewriter.feed(form(WAV, end=b"").removesuffix(DELIMITER + b"--")))
        self.assertIn(b'name="file"; filename="a.wav"', opening)
        data = b"y" * 65536
        self.assertEqual(rewriter.feed(data), [data])
