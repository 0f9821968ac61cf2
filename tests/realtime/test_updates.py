"""
Tests for :mod:`sttproxy.realtime.updates`.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import config
from sttproxy.http1.requests import parse_request
from sttproxy.realtime.refusal import Refusal
from sttproxy.realtime.updates import Dialect, Updates, dialect_of

from .wire import CONFIG, FIELDS

BETA, CURRENT = Dialect(beta=True), Dialect()
SESSION = '{"type":"session.update","session":%s}'
TRANSCRIPTION = '{"type":"transcription_session.update","session":%s}'
MADE = '{"language":"zh","model":"small"}'
NESTED = f'{{"input":{{"transcription":{MADE}}}}}'
FLAT = f'"input_audio_transcription":{MADE}'

#: Updates of clients: the dialect, the text, and the text that the server gets; None for the same one.
EDITED: tuple[tuple[Dialect, str, str | None], ...] = (
    # The transcription is there.
    (CURRENT, SESSION % '{"audio":{"input":{"transcription":{}}}}', SESSION % f'{{"audio":{NESTED}}}'),
    (
        CURRENT,
        SESSION % '{ "audio" :{"input":{"transcription": {"language":"en"} }}}',
        SESSION % f'{{ "audio" :{{"input":{{"transcription": {MADE} }}}}}}',
    ),
    (CURRENT, SESSION % '{"input_audio_transcription":{"language":"en"}}', SESSION % f"{{{FLAT}}}"),
    (BETA, TRANSCRIPTION % '{"input_audio_transcription":{"language":"en"}}', TRANSCRIPTION % f"{{{FLAT}}}"),
    # Spellings of a forced field are dropped, other fields are kept as they are.
    (
        BETA,
        SESSION % '{"input_audio_transcription":{"LANGUAGE":"en","l\\u0061nguage":"de","x":1.50,"model":"whisper-1"}}',
        SESSION % '{"input_audio_transcription":{"language":"zh","x":1.50,"model":"large"}}',
    ),
    (BETA, SESSION % '{"input_audio_transcription":{"language":"zh", "model":"m"}}', None),
    # The transcription is missing.
    (CURRENT, SESSION % '{"type":"realtime","x":0.10}', SESSION % f'{{"audio":{NESTED},"type":"realtime","x":0.10}}'),
    (
        CURRENT,
        SESSION % '{"audio":{"output":{"voice":"a"}}}',
        SESSION % f'{{"audio":{{{NESTED[1:-1]},"output":{{"voice":"a"}}}}}}',
    ),
    (CURRENT, SESSION % '{"audio":{"input":null}}', SESSION % f'{{"audio":{NESTED}}}'),
    (CURRENT, SESSION % '{"audio":{"input":{}}}', SESSION % f'{{"audio":{NESTED}}}'),
    (CURRENT, SESSION % '{"audio":null}', SESSION % f'{{"audio":{NESTED}}}'),
    (CURRENT, SESSION % "{}", SESSION % f'{{"audio":{NESTED}}}'),
    (CURRENT, SESSION % '{"voice":"a"}', SESSION % f'{{{FLAT},"voice":"a"}}'),
    (CURRENT, SESSION % "null", SESSION % f'{{"type":"realtime","audio":{NESTED}}}'),
    (BETA, SESSION % '{"voice":"a"}', SESSION % f'{{{FLAT},"voice":"a"}}'),
    (BETA, SESSION % "null", SESSION % f"{{{FLAT}}}"),
    (CURRENT, TRANSCRIPTION % "{}", TRANSCRIPTION % f"{{{FLAT}}}"),
    (
        CURRENT,
        '{"type":"session.update"}',
        f'{{"session":{{"type":"realtime","audio":{NESTED}}},"type":"session.update"}}',
    ),
    (
        Dialect(transcribes=True),
        '{"type":"session.update"}',
        f'{{"session":{{"type":"transcription","audio":{NESTED}}},"type":"session.update"}}',
    ),
    # The client switches the transcription off.
    (CURRENT, SESSION % '{"audio":{"input":{"transcription":null}}}', SESSION % f'{{"audio":{NESTED}}}'),
    # Both schemas, and places where only some servers look.
    (
        CURRENT,
        SESSION % '{"type":"realtime","input_audio_transcription":{}}',
        SESSION % f'{{"audio":{NESTED},"type":"realtime",{FLAT}}}',
    ),
    (BETA, SESSION % '{"audio":{"input":{"transcription":{}}}}', SESSION % f'{{{FLAT},"audio":{NESTED}}}'),
    (
        BETA,
        '{"type":"session.update","input_audio_transcription":{"language":"en"}}',
        f'{{"session":{{{FLAT}}},"type":"session.update",{FLAT}}}',
    ),
)

#: Updates that are refused: the text and a part of the reason.
REFUSED: tuple[tuple[str, str], ...] = (
    *((SESSION % value, "must be an object") for value in ("1", '"x"', "[]", "true")),
    *((SESSION % f'{{"audio":{value}}}', "'input' must be an object") for value in ("1", '"x"', "[]")),
    *((SESSION % f'{{"audio":{{"input":{value}}}}}', "'transcription' must be an object") for value in ("1", "[]")),
    *((SESSION % f'{{"audio":{{"input":{{"transcription":{value}}}}}}}', "must be an object") for value in ("1", "[]")),
    *((SESSION % f'{{"input_audio_transcription":{value}}}', "must be an object") for value in ("false", '"zh"')),
    ('{"type":"session.update","Session":{}}', "spelled like 'session'"),
    ('{"type":"session.update","\\u017fession":{}}', "spelled like 'session'"),
    ('{"type":"session.update","session":{},"session ":{}}', "spelled like 'session'"),
    (SESSION % '{"Audio":{}}', "spelled like 'audio'"),
    (SESSION % '{"audio":{"INPUT":{}}}', "spelled like 'input'"),
    (SESSION % '{"audio":{"input":{"Transcription":{}}}}', "spelled like 'transcription'"),
    (SESSION % '{"input_audio_transcription":{},"input_audio_Transcription":{}}', "spelled like 'input_audio_"),
    (SESSION % '{"input.audio.transcription":{}}', "spelled like 'input_audio_transcription'"),
    ('{"type":"session.update","Input_Audio_Transcription":{}}', "spelled like 'input_audio_transcription'"),
    (SESSION % '{"x":"\\ud800"}', "half of a surrogate pair"),
    (SESSION % '{"input_audio_transcription":{"\\u0000":1}}', "control character"),
)


def updates(fields: Any = CONFIG, dialect: Dialect = CURRENT) -> Updates:
    """The updates of a session with the rules of a configuration."""
    return Updates(config.parse(json.dumps(fields).encode()).base, dialect)


class EditTests(SynchronousTestCase):
    """Updates of clients."""

    def test_edited(self) -> None:
        """The fields are where a server looks, and the rest of the text is as the client wrote it."""
        for dialect, text, expected in EDITED:
            self.assertEqual(updates(dialect=dialect).edited(text), text if expected is None else expected)

    def test_refused(self) -> None:
        """What servers may read in different ways is refused."""
        for text, reason in REFUSED:
            refusal = self.assertRaises(Refusal, updates().edited, text)
            self.assertIn(reason, refusal.close.reason, text)
            self.assertIn(refusal.close.status, (1007, 1008))

    def test_only_defaults(self) -> None:
        """Without forced fields, a client can switch the transcription off."""
        off = SESSION % '{"audio":{"input":{"transcription":null}}}'
        self.assertEqual(updates({"$default": {"language": "zh"}}).edited(off), off)
        self.assertEqual(updates({"language": None}).edited(off), off)

    def test_removed(self) -> None:
        """A removed field is dropped, and nothing is added for it."""
        removing = updates({"language": None})
        self.assertEqual(removing.edited(SESSION % "{}"), SESSION % "{}")
        text = SESSION % '{"input_audio_transcription":{"language":"en","model":"m"}}'
        self.assertEqual(removing.edited(text), SESSION % '{"input_audio_transcription":{"model":"m"}}')

    def test_defaults(self) -> None:
        """A default is added until the client has sent the field, and then no more."""
        each = updates({"$default": {"model": "small", "language": {"value": "zh", "when_empty": True}}})
        for sent, expected in (
            ({}, {"model": "small", "language": "zh"}),
            ({"model": "m", "language": ""}, {"model": "m", "language": "zh"}),
            ({}, {"language": "zh"}),
            ({"Language": "en"}, {"Language": "en"}),
            ({"prompt": "x"}, {"prompt": "x"}),
        ):
            text = SESSION % json.dumps({"input_audio_transcription": sent})
            self.assertEqual(json.loads(each.edited(text))["session"]["input_audio_transcription"], expected)
        self.assertEqual(each.edited(SESSION % "{}"), SESSION % "{}")

    def test_joined(self) -> None:
        """Texts are joined to each value of the client; alone they are sent until there is one, or it is removed."""
        each = updates({"prompt": {"$prepend": "MLX, ", "max_tokens": 4}, "$rename": {"hint": "prompt", "x": "y"}})
        self.assertEqual(
            json.loads(each.first())["session"]["audio"]["input"]["transcription"],
            {"prompt": "MLX, "},
        )
        for sent, expected in (
            ({}, {"prompt": "MLX, "}),
            ({"Prompt": "one two three four"}, {"prompt": "MLX, three four"}),
            ({"x": 1}, {"x": 1}),
            ({"hint": "a"}, {"prompt": "MLX, a"}),
            (None, {"prompt": "MLX, "}),
        ):
            text = SESSION % json.dumps({"input_audio_transcription": sent})
            self.assertEqual(json.loads(each.edited(text))["session"]["input_audio_transcription"], expected)
        for refused in ('{"prompt":"a","hint":"b"}', '{"prompt":["a"]}', '{"prompt":"a","PROMPT":"b"}'):
            text = SESSION % f'{{"input_audio_transcription":{refused}}}'
            self.assertRaises(
                Refusal, updates({"prompt": {"$append": "x"}, "$rename": {"hint": "prompt"}}).edited, text
            )

    def test_folded(self) -> None:
        """A value is removed or replaced by its beginning, in any letter case."""
        folding = updates({"$map": {"language": {"auto": None, "zh-*": "zh"}}})
        for sent, expected in (("AUTO", {}), ("ZH-cn", {"language": "zh"}), ("en", {"language": "en"})):
            text = SESSION % json.dumps({"input_audio_transcription": {"language": sent}})
            self.assertEqual(json.loads(folding.edited(text))["session"]["input_audio_transcription"], expected)

    def test_other_fields(self) -> None:
        """Rules for other fields are not applied."""
        text = SESSION % '{"input_audio_transcription":{"temperature":1,"languages":["en"]}}'
        rules = {"temperature": 0, "languages": "zh", "$default": {"response_format": "json"}}
        self.assertEqual(updates(rules).edited(text), text)


class FirstTests(SynchronousTestCase):
    """The update that is sent first."""

    def test_schemas(self) -> None:
        """It has the schema of the dialect."""
        for dialect, expected in (
            (CURRENT, SESSION % f'{{"type":"realtime","audio":{NESTED}}}'),
            (Dialect(transcribes=True), SESSION % f'{{"type":"transcription","audio":{NESTED}}}'),
            (BETA, SESSION % f"{{{FLAT}}}"),
            (Dialect(beta=True, transcribes=True), TRANSCRIPTION % f"{{{FLAT}}}"),
        ):
            self.assertEqual(updates(dialect=dialect).first(), expected)
            self.assertEqual(updates(dialect=dialect).edited(expected), expected)

    def test_nothing(self) -> None:
        """Without a field to send there is none."""
        for fields in ({}, {"language": None}, {"$map": {"model": {"*": "m"}}}, {"temperature": 0}):
            self.assertEqual(updates(fields).first(), "")

    def test_values(self) -> None:
        """Texts are sent as JSON, also those of included files."""
        made = updates({"prompt": 'a "b"\n\u4e2d', "model": "m"}).first()
        self.assertEqual(
            json.loads(made)["session"]["audio"]["input"]["transcription"], {"prompt": 'a "b"\n\u4e2d', "model": "m"}
        )


class DialectTests(SynchronousTestCase):
    """What the head of a request shows."""

    def test_table(self) -> None:
        """The header, a browser's subprotocol, and the query."""
        for lines, query, expected in (
            ((), b"", CURRENT),
            (("OpenAI-Beta: realtime=v1",), b"", BETA),
            (("openai-beta: assistants=v2, Realtime = v1",), b"model=x", BETA),
            (("OpenAI-Beta: assistants=v2",), b"", CURRENT),
            (("Sec-WebSocket-Protocol: realtime, openai-beta.realtime-v1",), b"", BETA),
            (("Sec-WebSocket-Protocol: realtime", "Sec-WebSocket-Protocol: openai-beta.realtime-v1"), b"", BETA),
            ((), b"model=x&intent=transcription", Dialect(transcribes=True)),
            ((), b"%69ntent=transcription", Dialect(transcribes=True)),
            ((), b"intent=conversation", CURRENT),
            ((), b"\xff%ff&=", CURRENT),
        ):
            head = parse_request("\r\n".join(["GET /v1/realtime HTTP/1.1", "Host: h", *lines, "", ""]).encode())
            self.assertEqual(dialect_of(head, query), expected, (lines, query))

    def test_fields(self) -> None:
        """The texts of this module have the fields of the configuration."""
        self.assertEqual(json.loads(MADE), FIELDS)
