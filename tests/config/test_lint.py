"""
Tests for :mod:`sttproxy.config.lint`: which legal configurations get warnings, and which do not.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import parse
from sttproxy.config.tokens import PROMPT_TOKENS

FORCED = "all clients get this format, also those that expect another one"
LANGUAGE = "not a language that Whisper's servers know"
GRANULAR = "responds with 500 to clients that ask for the granularity 'word'"
TEMPERATURE = "not a number from 0 to 1"
TOKENS = "tokens (estimated); Whisper reads only the last 224"
WORD = "'word' needs the response_format verbose_json"
BRACKETS = "servers read this field as timestamp_granularities[]; it is sent under that name"
RENAMED = "this $map has no effect, because what clients send as 'lang' is renamed first; the rules see 'language'"
NO_MAP, NO_DEFAULT = "this $map has no effect", "this $default has no effect"
T, F = "timestamp_granularities[]", "response_format"
WORDS, VERBOSE = {T: ["word"]}, {F: "verbose_json"}
T_PATH = f'["{T}"]'

#: Files that get no warning.
QUIET: tuple[Any, ...] = (
    {},
    {"$schema": "x", "$default": {}, "$map": {}, "$profiles": {}},
    {"model": "x", "language": "zh", "prompt": "p", "temperature": 0.2, T: ["segment"]},
    {"$default": {"model": "x", "language": "en", F: "json", "temperature": 1}},
    {"$map": {"model": {"a": "b"}, "language": {"english": "en", "": "en", "*": "zh"}, F: {"x": "srt"}}},
    *({name: None} for name in ("stream", F, "initial_prompt", "timestamp_granularities", "Language")),
    *({"temperature": value} for value in (0, 1, 0.0, "0.5", 1e-3)),
    {"prompt": "x" * 4 * PROMPT_TOKENS},
    {"prompt": "会" * PROMPT_TOKENS},
    {"$default": {**WORDS, **VERBOSE}},
    {**WORDS, "$default": {**VERBOSE}},
    {T: None, "$profiles": {"p": {"$unset": [T]}}},
    {"$default": {F: "json"}, "$profiles": {"p": {"$default": {**WORDS, **VERBOSE}}}},
    {"language": "zh", "$profiles": {"p": {"language": "en"}, "q": {"language": None}}},
    {"$default": {"model": "x"}, "$map": {"model": {"a": "b"}}, "$profiles": {"p": {"model": "y"}}},
    {"model": "x", "$profiles": {"p": {"$unset": ["Model[]"], "$default": {"model": "y"}}}},
    {"$default": {"model": "x"}, "$profiles": {"p": {"$unset": ["model"]}}},
    {"$map": {"model": {}}, "$profiles": {"p": {"$unset": ["model"], "language": "en"}}},
    {"prompt": {"$prepend": "Katharine, MLX. ", "$append": " End.", "max_tokens": PROMPT_TOKENS}},
    {"prompt": {"$prepend": "会议"}, "$profiles": {"p": {"prompt": "x"}, "q": {"$unset": ["prompt"]}}},
    {"$map": {"language": {"auto": None, "": None, "zh-*": "zh", "en_*": "en"}}},
    {"$rename": {"audio": "file", "lang": "language", "timestamp_granularities": T}},
    {"$rename": {"lang": "language"}, "prompt": {"$prepend": "会"}, "$profiles": {"p": {"$unset": ["lang"]}}},
    {"lang": None, "$rename": {"lang": "language"}},
)

#: Files and their warnings: for each its path and a part of its message, in the order of the file.
WARNED: tuple[tuple[Any, tuple[tuple[str, str], ...]], ...] = (
    # Fields that are ignored.
    ({"initial_prompt": "x"}, (("$.initial_prompt", "ignores 'initial_prompt'; did you mean 'prompt'?"),)),
    ({"lang": "zh"}, (("$.lang", "did you mean 'language'?"),)),
    ({"format": "srt"}, (("$.format", "did you mean 'response_format'?"),)),
    ({"promt": "x"}, (("$.promt", "did you mean 'prompt'?"),)),
    ({"top_p": 1}, (("$.top_p", "MLX Omni Server ignores 'top_p'"),)),
    ({"$default": {"temprature": 7}}, (("$.default.temprature", "did you mean 'temperature'?"),)),
    ({"$map": {"modell": {"a": "b"}}}, (("$.map.modell", "did you mean 'model'?"),)),
    ({"$profiles": {"p": {"lang": "x"}}}, (("$.profiles.p.lang", "did you mean 'language'?"),)),
    ({"Model": "x"}, (("$.Model", "ignores 'Model'; did you mean 'model'?"),)),
    ({"model": ["x", "y"]}, (("$.model", "ignores 'model[]'; did you mean 'model'?"),)),
    ({"prompt": {"a": "b"}}, (("$.prompt", "ignores 'prompt[a]'; did you mean 'prompt'?"),)),
    # Languages.
    *(({"language": value}, (("$.language", LANGUAGE),)) for value in ("chinese", "ZH", "z", "", "zh\n", "zh-CN", 12)),
    ({"$default": {"language": "english"}}, (("$.default.language", LANGUAGE),)),
    ({"$map": {"language": {"a": "x", "b": "y"}}}, (("$.map.language", LANGUAGE),)),
    ({"$map": {"language": {"a": "en", "*": "y"}}}, (("$.map.language", LANGUAGE),)),
    ({"language": "en", "$profiles": {"p": {"language": "eng"}}}, (("$.profiles.p.language", LANGUAGE),)),
    *(({"language": value}, (("$.language", "accepts only two-letter codes"),)) for value in ("yue", "haw")),
    *(
        ({"language": value}, (("$.language", f"did you mean {meant!r}? known values: af, am,"),))
        for value, meant in (
            *(("cn", "zh"), ("jp", "ja"), ("kr", "ko"), ("zh-CN", "zh"), ("en_US", "en"), ("EN", "en")),
            *(("Chinese", "zh"), ("germn", "de"), ("zho-Hans", "zh"), ("mandarin", "zh"), (" fr ", "fr")),
        )
    ),
    ({"language": "auto"}, (("$.language", "fail on it; known values: af, am,"),)),
    # Temperatures.
    *(
        ({"temperature": value}, (("$.temperature", TEMPERATURE),))
        for value in (3, -0.1, 1.01, "hot", "", True, "nan", "0_1", "１", " 0")
    ),
    ({"$default": {"temperature": {"value": 2}}}, (("$.default.temperature", TEMPERATURE),)),
    ({"$map": {"temperature": {"0": 2}}}, (("$.map.temperature", TEMPERATURE),)),
    # Prompts.
    ({"prompt": "会" * 225}, (("$.prompt", f"has about 225 {TOKENS}"),)),
    ({"prompt": "x" * 4 * 225}, (("$.prompt", f"has about 225 {TOKENS}"),)),
    ({"$default": {"prompt": "会" * 300}}, (("$.default.prompt", f"has about 300 {TOKENS}"),)),
    ({"$map": {"prompt": {"": "会" * 300}}}, (("$.map.prompt", f"has about 300 {TOKENS}"),)),
    ({"prompt": {"$file": "x"}}, (("$.prompt", f"has about 250 {TOKENS}"),)),
    # Formats and timestamps.
    ({F: "json"}, ((f"$.{F}", FORCED), (f"$.{F}", GRANULAR))),
    ({F: "json", T: None}, ((f"$.{F}", FORCED),)),
    ({F: "json", T: ["segment"]}, ((f"$.{F}", FORCED),)),
    ({F: "json", "$map": {"timestamp_granularities": {"*": "segment"}}}, ((f"$.{F}", FORCED),)),
    ({F: "verbose_json"}, ((f"$.{F}", FORCED),)),
    ({F: "verbose_json", "$transcript": {"deliver": "as-asked"}}, ()),
    *(
        ({"$default": {F: value}}, ((f"$.default.{F}", f"did you mean {meant!r}? known values: json, text,"),))
        for value, meant in (
            ("SRT", "srt"),
            ("webvtt", "vtt"),
            ("verbose", "verbose_json"),
            ("jsn", "json"),
            ("txt", "text"),
        )
    ),
    ({"$default": {F: "xml"}}, ((f"$.default.{F}", "servers know; known values: json, text, srt"),)),
    (
        {"$default": {T: ["words", "segment"], **VERBOSE}},
        ((f"$.default{T_PATH}", "did you mean 'word'? known values: word, segment"),),
    ),
    ({"//": "x"}, (('$["//"]', "sent to the server as the field '//'; a comment needs the member name '$comment'"),)),
    ({"_comment": "x"}, (("$._comment", "the member name '$comment'"),)),
    ({"$profiles": {"p": {F: "srt"}}}, ((f"$.profiles.p.{F}", FORCED), (f"$.profiles.p.{F}", GRANULAR))),
    ({F: "srt", "$profiles": {"p": {"model": "x"}}}, ((f"$.{F}", FORCED), (f"$.{F}", GRANULAR))),
    ({"timestamp_granularities": ["segment"]}, (("$.timestamp_granularities", BRACKETS),)),
    ({"timestamp_granularities": "segment"}, (("$.timestamp_granularities", BRACKETS),)),
    ({"$default": {"timestamp_granularities": "segment"}}, (("$.default.timestamp_granularities", BRACKETS),)),
    (WORDS, ((f"${T_PATH}", WORD),)),
    ({T: ["segment", "word"]}, ((f"${T_PATH}", WORD),)),
    ({**WORDS, F: "json"}, ((f"${T_PATH}", WORD), (f"$.{F}", FORCED))),
    ({**WORDS, F: None}, ((f"${T_PATH}", WORD),)),
    ({**WORDS, **VERBOSE}, ((f"$.{F}", FORCED),)),
    ({"$default": WORDS}, ((f"$.default{T_PATH}", WORD),)),
    ({"$profiles": {"p": WORDS}}, ((f"$.profiles.p{T_PATH}", WORD),)),
    ({**WORDS, "$profiles": {"p": {"language": "en"}}}, ((f"${T_PATH}", WORD),)),
    (
        {**WORDS, "$default": VERBOSE, "$profiles": {"p": {F: "json"}}},
        (("$.profiles.p", WORD), (f"$.profiles.p.{F}", FORCED)),
    ),
    ({**WORDS, "$default": VERBOSE, "$profiles": {"p": {"$unset": [F]}}}, (("$.profiles.p", WORD),)),
    ({"$default": {F: "json"}, "$profiles": {"p": {**WORDS, **VERBOSE}}}, ((f"$.profiles.p.{F}", FORCED),)),
    ({T: None, "$default": WORDS}, ((f"$.default{T_PATH}", NO_DEFAULT),)),
    # Rules that do not go together.
    ({"model": "x", "$map": {"model": {"*": "y"}}}, (("$.map.model", NO_MAP),)),
    ({"$map": {"model": {}}, "Model[]": None}, (("$.map.model", NO_MAP),)),
    ({"model": "x", "$default": {"model": "y"}}, (("$.default.model", NO_DEFAULT),)),
    ({"model": "x", "$profiles": {"p": {"$default": {"model": "y"}}}}, (("$.profiles.p.default.model", NO_DEFAULT),)),
    ({"$profiles": {"p": {"model": "x", "$map": {"model": {}}}}}, (("$.profiles.p.map.model", NO_MAP),)),
    (
        {"model": 1, "$map": {"model": {}}, "$default": {"model": 2}},
        (("$.map.model", NO_MAP), ("$.default.model", NO_DEFAULT)),
    ),
    # Texts that are joined to the client's value.
    ({"prompt": {"$prepend": ""}}, (("$.prompt", "the text is empty"),)),
    ({"prompt": {"$prepend": "MLX."}}, (("$.prompt", "no white space between the text and the client's value"),)),
    ({"prompt": {"$append": "MLX"}}, (("$.prompt", "no white space"),)),
    (
        {"prompt": {"$append": "会" * 9, "max_tokens": 9}},
        (("$.prompt", "about 9 tokens (estimated); max_tokens leaves"),),
    ),
    ({"prompt": {"$append": "会", "max_tokens": 225}}, (("$.prompt", "max_tokens is 225; Whisper reads only the"),)),
    ({"prompt": {"$append": "会" * 225}}, (("$.prompt", f"has about 225 {TOKENS}"),)),
    ({"initial_prompt": {"$append": "会"}}, (("$.initial_prompt", "did you mean 'prompt'?"),)),
    (
        {"prompt": {"$append": "会"}, "$map": {"prompt": {"a": "b"}}, "$default": {"Prompt": "会"}},
        (
            ("$.map.prompt", "this $map has no effect, because a text is joined"),
            ("$.default.Prompt", "ignores"),
            ("$.default.Prompt", "this $default has no effect, because a text is joined"),
        ),
    ),
    # Tables.
    ({"$map": {"language": {"*-cn": "zh"}}}, (("$.map.language", "only at the end of a key"),)),
    ({"$map": {"language": {"zh-*": "cn"}}}, (("$.map.language", LANGUAGE),)),
    # Renames.
    ({"$rename": {"_charset_": "language"}}, (("$.rename._charset_", "this rename has no effect"),)),
    ({"$rename": {"lang": "langage"}}, (("$.rename.lang", "ignores 'langage'; did you mean 'language'?"),)),
    ({"$rename": {"lang": "language"}, "$map": {"lang": {}}}, (("$.map.lang", "ignores"), ("$.map.lang", RENAMED))),
    (
        {"$rename": {"lang": "language"}, "$default": {"Lang": "en"}},
        (("$.default.Lang", "ignores"), ("$.default.Lang", "is always added, because what clients send as 'lang'")),
    ),
    (
        {"$rename": {"prompt": "file"}, "prompt": {"$append": "会"}},
        (("$.rename.prompt", "the text for 'prompt' is joined to no value, because what clients send as 'prompt'"),),
    ),
    (
        {"$rename": {"lang": "language"}, "language": "en"},
        (("$.rename.lang", "'lang' is always dropped, because 'language' is forced or removed"),),
    ),
    (
        {"$rename": {"lang": "language"}, "$profiles": {"p": {"language": "en", "$rename": {"lang": "Language[]"}}}},
        (("$.profiles.p.rename.lang", "ignores 'Language[]'"), ("$.profiles.p.rename.lang", "always dropped")),
    ),
    # The same field in another case.
    (
        {"prompt": None, "PROMPT": None},
        (("$.PROMPT", "'PROMPT' and 'prompt' are the same field to a server that ignores"),),
    ),
    (
        {"a": None, "A": None, "$profiles": {"p": {"b": None, "B": None}}},
        (("$.A", "both are sent"), ("$.profiles.p.B", "'B' and 'b'")),
    ),
    ({"a[]": None, "A[]": None}, (('$["A[]"]', "both are sent"),)),
    # Needless $unset.
    ({"$profiles": {"p": {"$unset": ["model"]}}}, (("$.profiles.p.unset", "the base has no rule for 'model'"),)),
    (
        {"language": "en", "$profiles": {"p": {"$unset": ["Language", "model", "$x"], "model": "y"}}},
        (("$.profiles.p.unset", "no rule for 'model'"), ("$.profiles.p.unset", "no rule for '$x'")),
    ),
)


def warnings(file: Any) -> list[tuple[str, str]]:
    """The path and the message of each warning."""
    config = parse(json.dumps(file).encode(), read=lambda path: "会".encode() * 250)
    return [(warning.where, warning.message) for warning in config.warnings]


class LintTests(SynchronousTestCase):
    """Warnings."""

    def test_quiet(self) -> None:
        """A correct file gets no warning."""
        for file in QUIET:
            self.assertEqual(warnings(file), [], file)

    def test_warned(self) -> None:
        """Each warning is given once, with its path."""
        for file, expected in WARNED:
            found = warnings(file)
            told = "".join(f"\n{where}: {message}" for where, message in found)
            self.assertEqual([where for where, _ in found], [where for where, _ in expected], f"{file}{told}")
            for (_, message), (_, part) in zip(found, expected, strict=True):
                self.assertIn(part, message, file)

    def test_no_suggestion(self) -> None:
        """A name that is not similar to a known name gets no suggestion."""
        for name in ("top_p", "stream", "x"):
            ((_, message),) = warnings({name: 1})
            self.assertNotIn("did you mean", message)

    def test_places(self) -> None:
        """Warnings have the file, the line and the column of the member's name, or of the name in a list."""
        text = '{\n "lang": 1,\n "$default": {"temperature": 7},\n "$profiles": {"p": {"$unset": ["a",\n  "b"]}}}'
        config = parse(text.encode(), file="f")
        self.assertEqual(
            [(each.file, each.line, each.column) for each in config.warnings],
            [("f", 2, 2), ("f", 3, 15), ("f", 4, 33), ("f", 5, 3)],
        )

    def test_no_values(self) -> None:
        """No message contains a value, neither the configuration's nor a client's."""
        secrets = {
            "language": "s3cret",
            "temperature": "s3cret",
            "prompt": "s3cret" * 500,
            F: "s3cret",
            "lang": "s3cret",
        }
        tables = {name: {"s3cret": "s3cret", "*": "s3cret"} for name in ("language", "temperature", "prompted")}
        for file in (
            {**secrets, "timestamp_granularities": ["word", "s3cret"]},
            {"$default": secrets},
            {"$map": tables},
            {**secrets, "$map": tables, "$default": secrets, "$profiles": {"p": {**secrets, "$map": tables}}},
        ):
            found = warnings(file)
            self.assertGreater(len(found), 2)
            self.assertNotIn("s3cret", str(found))
