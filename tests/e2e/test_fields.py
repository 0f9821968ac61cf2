"""
The upstream reads what the configuration says, whatever the client sends.
"""

from __future__ import annotations

from .case import EchoTestCase
from .forms import File, Part, echoed, noise
from .message import counted, request

AUDIO = File(noise(20_000))
FORCED: list[Part] = [("language", "zh"), ("prompt", "以下是普通话的会议记录。"), ("temperature", "0.2")]


class ForcedFields(EchoTestCase):
    """Three plain fields are forced."""

    config = '{"language": "zh", "prompt": "以下是普通话的会议记录。", "temperature": 0.2}'

    def assert_read(self, sent: list[Part], left: list[Part]) -> None:
        """
        Check that the upstream reads the forced fields and then the client's other fields, in order, in both
        framings.
        """
        expected = echoed(FORCED + left)
        for chunks in (0, 1, 7):
            with self.naming(f"{chunks} chunks"):
                self.assertEqual(self.transcribe(sent, chunks)["form"], expected)

    def test_absent(self) -> None:
        """Fields that the client did not send are added."""
        self.assert_read([("file", AUDIO)], [("file", AUDIO)])

    def test_no_part_but_a_dropped_one(self) -> None:
        """A form whose parts are all dropped still gets the forced fields."""
        self.assert_read([("language", "en")], [])

    def test_before_the_file(self) -> None:
        """A copy that the client sends before the file is dropped."""
        self.assert_read([("language", "en"), ("model", "m"), ("file", AUDIO)], [("model", "m"), ("file", AUDIO)])

    def test_behind_the_file(self) -> None:
        """A copy that the client sends after the file is dropped, although the file is already being forwarded."""
        self.assert_read(
            [("file", AUDIO), ("temperature", "1"), ("model", "m"), ("prompt", "")], [("file", AUDIO), ("model", "m")]
        )

    def test_repeated(self) -> None:
        """All copies are dropped: servers differ on which of them counts."""
        sent: list[Part] = [("language", "en"), ("language", "de"), ("file", AUDIO), ("language", "zh")]
        self.assert_read(sent, [("file", AUDIO)])

    def test_other_spellings(self) -> None:
        """Names that some server reads as a forced field are dropped, too."""
        for spelling in "Language", "LANGUAGE", "language[]", "language[0]", "language[x]", " language ", "ｌanguage":
            self.assert_read([(spelling, "en"), ("file", AUDIO)], [("file", AUDIO)])

    def test_near_spellings(self) -> None:
        """Names that only resemble a forced one are other fields, and pass."""
        others: list[Part] = [("languages", "a"), ("lang", "b"), ("x-language", "c"), ("language_", "d"), ("语言", "e")]
        self.assert_read([*others, ("file", AUDIO)], [*others, ("file", AUDIO)])

    def test_sent_as_a_file(self) -> None:
        """A forced field that the client sends as a file is dropped, even a large one."""
        prompt = File(noise(200_000), "prompt.txt", "text/plain")
        self.assert_read([("prompt", prompt), ("file", AUDIO)], [("file", AUDIO)])
        self.assert_read([("file", AUDIO), ("Prompt[]", prompt)], [("file", AUDIO)])

    def test_everything_else(self) -> None:
        """Fields that are not forced, repeated ones, empty ones and further files all pass, in order."""
        sent: list[Part] = [
            ("model", "whisper-1"),
            ("include[]", "logprobs"),
            ("file", AUDIO),
            ("include[]", "other"),
            ("hotwords", ""),
            ("hotwords", "  会议，\r\n记录 🎤 "),
            ("file", File(noise(3000, 1), "zweite Aufnahme ä.mp3", "audio/mpeg")),
            ("attachment", File(b"", "empty.bin", "application/octet-stream")),
            ("vad_config[threshold]", "0.5"),
        ]
        self.assert_read(sent, sent)

    def test_each_path(self) -> None:
        """The endpoint is recognised with and without /v1, behind any prefix, and with a query."""
        for path in ("/audio/transcriptions", "/v1/audio/transcriptions?a=b", "/openai/v1/audio/transcriptions"):
            answer = self.transcribe([("language", "en"), ("file", AUDIO)], path=path)
            self.assertEqual(answer["form"], echoed([*FORCED, ("file", AUDIO)]))
            self.assertEqual(answer["path"], path.partition("?")[0])

    def test_urlencoded(self) -> None:
        """The rules apply to a urlencoded body, too, because Starlette reads fields from it."""
        body = b"prompt=x&model=m&Language=en&%70rompt%5B%5D=y"
        client = self.connect()
        kind = (b"Content-Type", b"application/x-www-form-urlencoded")
        client.send(request("POST", "/v1/audio/transcriptions", kind, counted(body)) + body)
        self.assertEqual(sorted(client.read_message().json()["form"]), sorted(echoed([*FORCED, ("model", "m")])))


TYPED: list[Part] = [
    ("language", "zh"),
    ("prompt", 'one\r\n"two" 三 🎙 --'),
    ("empty", ""),
    ("temperature", "0.20"),
    ("big", "1E+5"),
    ("minus", "-0"),
    ("stream", "false"),
    ("condition", "true"),
    ("timestamp_granularities[]", "word"),
    ("timestamp_granularities[]", "segment"),
    ("spelled[]", "x"),
    ("spelled[]", "1.50"),
    ("spelled[]", "true"),
    ("chunking_strategy[type]", "server_vad"),
    ("chunking_strategy[threshold]", "0.50"),
]


class ValuesOfEachType(EchoTestCase):
    """Values of every JSON type are forced."""

    config = """\
        {"language": "zh", "prompt": "one\\r\\n\\"two\\" 三 \\ud83c\\udf99 --", "empty": "", "temperature": 0.20,
         "big": 1E+5, "minus": -0, "stream": false, "condition": true, "timestamp_granularities": ["word", "segment"],
         "spelled[]": ["x", 1.50, true], "none": [], "chunking_strategy": {"type": "server_vad", "threshold": 0.50},
         "user": null}"""

    def test_written(self) -> None:
        """
        Strings and numbers are sent as written, truth values in lower case, lists as name[], objects as name[key].
        """
        self.assertEqual(self.transcribe([("file", AUDIO)])["form"], echoed([*TYPED, ("file", AUDIO)]))

    def test_replaced(self) -> None:
        """For each type the client's own copies are dropped; null only removes them."""
        names = ["language", "Empty", "stream", "timestamp_granularities", "timestamp_granularities[]", "none[]"]
        names += ["spelled", "chunking_strategy", "chunking_strategy[type]", "chunking_strategy[x]", "user", "user[id]"]
        sent: list[Part] = [*[(name, "client") for name in names], ("file", AUDIO), ("seed", "1")]
        for chunks in (0, 3):
            read = self.transcribe(sent, chunks)["form"]
            self.assertEqual(read, echoed([*TYPED, ("file", AUDIO), ("seed", "1")]))


class NothingForced(EchoTestCase):
    """The configuration is empty."""

    config = "{}"

    def test_unchanged(self) -> None:
        """A form passes unchanged."""
        sent: list[Part] = [("language", "en"), ("file", AUDIO), ("language", "de"), ("response_format", "srt")]
        for chunks in (0, 5):
            self.assertEqual(self.transcribe(sent, chunks)["form"], echoed(sent))
