"""
Responses in the shapes in which real servers send them, written anew.

Each has the format that the server was asked for, the Content-Type, and what it is to be read as.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

from sttproxy.transcripts.sniff import Kind

JSON = b"application/json"
JSON_UTF8 = b"application/json; charset=utf-8"
PLAIN = b"text/plain; charset=utf-8"


@attrs.frozen
class Answer:
    """
    A response.

    :ivar asked: the ``response_format`` that the server got; None if it got none.
    :ivar texts: of the segments that are read.
    """

    name: str
    asked: str | None
    content_type: bytes | None
    body: bytes
    kind: Kind
    texts: tuple[str, ...]


def compact(value: Any) -> str:
    """JSON as Starlette and nlohmann's library write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def ascii_only(value: Any) -> str:
    """JSON as Python's library writes it."""
    return json.dumps(value)


def spaced(value: Any) -> str:
    """JSON with blanks."""
    return json.dumps(value, ensure_ascii=False)


def indented(value: Any) -> str:
    """JSON as documentation shows it."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def whisper(number: int, start: float, end: float, text: str, **more: Any) -> dict[str, Any]:
    """A segment with the members that Whisper's own code writes."""
    return {
        "id": number,
        "seek": 0,
        "start": start,
        "end": end,
        "text": text,
        "tokens": [50364, 1301, 440, 50464],
        "temperature": 0.0,
        "avg_logprob": -0.2860786020755768,
        "compression_ratio": 1.2363636493682861,
        "no_speech_prob": 0.00985979475080967,
        **more,
    }


def words(*texts: str, name: str = "word", **more: Any) -> list[dict[str, Any]]:
    """Words of half a second each."""
    return [
        {name: text, "start": number * 0.5, "end": number * 0.5 + 0.48, **more} for number, text in enumerate(texts)
    ]


def event(value: Any, dumps: Any = compact, kind: str = "") -> str:
    """An event with JSON."""
    return f"event: {kind}\ndata: {dumps(value)}\n\n" if kind else f"data: {dumps(value)}\n\n"


def delta(text: str, **more: Any) -> dict[str, Any]:
    """OpenAI's event with a part of the text."""
    return {"type": "transcript.text.delta", "delta": text, **more}


def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    """A chunk of vLLM."""
    choice = {"delta": {"content": text, "reasoning_content": None}, "finish_reason": finish, "stop_reason": None}
    return {
        "id": "trsc-9f0c",
        "object": "transcription.chunk",
        "created": 1760000000,
        "model": "openai/whisper-small",
        "choices": [choice],
    }


def _json(name: str, asked: str | None, body: str, *texts: str, media: bytes = JSON) -> Answer:
    return Answer(name, asked, media, body.encode(), Kind.JSON, texts)


def _plain(name: str, kind: Kind, body: str, *texts: str, media: bytes | None = PLAIN) -> Answer:
    return Answer(name, kind.value, media, body.encode(), kind, texts)


def _events(name: str, asked: str | None, body: str, *texts: str) -> Answer:
    return Answer(name, asked, b"text/event-stream; charset=utf-8", body.encode(), Kind.EVENTS, texts)


_HELLO = " Good morning, everyone."
_BYE = " Thank you for watching!"
_MLX_SEGMENTS = [whisper(0, 0.0, 3.2, _HELLO), whisper(1, 3.2, 5.0, _BYE)]
_MLX_WORDS = [
    whisper(0, 0.0, 1.4, _HELLO, words=words(" Good", " morning,", " everyone.", probability=0.98)),
]
_CPP_WORDS = [
    {"word": "[_BEG_]", "start": 0.0, "end": 0.0, "t_dtw": -1, "probability": 0.9},
    {"word": " Good", "start": 0.0, "end": 0.4, "t_dtw": -1, "probability": 0.81},
    {"word": " mor", "start": 0.4, "end": 0.6, "t_dtw": -1, "probability": 0.73},
    {"word": "ning", "start": 0.6, "end": 0.9, "t_dtw": -1, "probability": 0.73},
    {"word": ".", "start": 0.9, "end": 1.0, "t_dtw": -1, "probability": 0.73},
]
_SRT = (
    "1\n00:00:00,000 --> 00:00:03,200\nGood morning, everyone.\n\n"
    "2\n00:00:03,200 --> 00:00:05,000\nThank you for watching!\n\n"
)
_SPEACHES = {
    "task": "transcribe",
    "language": "en",
    "duration": 5.0,
    "text": "Good morning, everyone. Thank you for watching!",
    "words": None,
    "segments": [
        {**whisper(1, 0.0, 3.2, _HELLO), "words": None},
        {**whisper(2, 3.2, 5.0, _BYE), "words": None},
    ],
}
_TWO = ("Good morning, everyone.", "Thank you for watching!")

ANSWERS: tuple[Answer, ...] = (
    # MLX Omni Server: Starlette's JSON of what mlx-whisper returns.
    _json("mlx json", "json", compact({"text": _HELLO + _BYE}), _HELLO + _BYE),
    _json("mlx json, asked for nothing", None, compact({"text": _HELLO}), _HELLO),
    _json("mlx json, Chinese", "json", compact({"text": "大家早上好,请不吝点赞 订阅"}), "大家早上好,请不吝点赞 订阅"),
    _json(
        "mlx verbose_json",
        "verbose_json",
        compact({"text": _HELLO + _BYE, "segments": _MLX_SEGMENTS, "language": "en"}),
        _HELLO,
        _BYE,
    ),
    _json(
        "mlx verbose_json with words",
        "verbose_json",
        compact({"text": _HELLO, "segments": _MLX_WORDS, "language": "en"}),
        _HELLO,
    ),
    _json(
        "mlx verbose_json, Japanese",
        "verbose_json",
        compact(
            {
                "text": "おはようございます。ご視聴ありがとうございました",
                "segments": [
                    whisper(0, 0.0, 2.0, "おはようございます。"),
                    whisper(1, 2.0, 30.0, "ご視聴ありがとうございました", no_speech_prob=0.93),
                ],
                "language": "ja",
            }
        ),
        "おはようございます。",
        "ご視聴ありがとうございました",
    ),
    _json("mlx verbose_json of silence", "verbose_json", compact({"text": "", "segments": [], "language": "en"})),
    _plain("mlx text", Kind.TEXT, _HELLO + _BYE, _HELLO + _BYE),
    _plain("mlx srt", Kind.SRT, _SRT, *_TWO),
    _plain(
        "mlx vtt",
        Kind.VTT,
        "WEBVTT\n\n00:00.000 --> 00:03.200\nGood morning, everyone.\n\n"
        "00:03.200 --> 00:05.000\nThank you for watching!\n\n",
        *_TWO,
    ),
    _plain("mlx srt of silence", Kind.SRT, ""),
    _plain("mlx vtt of silence", Kind.VTT, "WEBVTT\n\n"),
    # speaches and faster-whisper-server.
    _json("speaches json", "json", compact({"text": _SPEACHES["text"]}), str(_SPEACHES["text"])),
    _json("speaches verbose_json", "verbose_json", compact(_SPEACHES), _HELLO, _BYE),
    _json(
        "speaches verbose_json with words",
        "verbose_json",
        compact(
            {
                **_SPEACHES,
                "text": _HELLO.strip(),
                "words": words(" Good", " morning,", " everyone.", probability=0.99),
                "segments": [{**_MLX_WORDS[0], "id": 1}],
            }
        ),
        _HELLO,
    ),
    _plain("speaches text", Kind.TEXT, "Good morning, everyone. Thank you for watching!", " ".join(_TWO)),
    _plain(
        "speaches srt",
        Kind.SRT,
        "0\n00:00:00,000 --> 00:00:03,200\n Good morning, everyone.\n\n"
        "1\n00:00:03,200 --> 00:00:05,000\n Thank you for watching!\n\n",
        _HELLO,
        _BYE,
    ),
    _plain(
        "speaches vtt",
        Kind.VTT,
        "WEBVTT\n\n0\n00:00:00.000 --> 00:00:03.200\nGood morning, everyone.\n\n"
        "1\n00:00:03.200 --> 00:00:05.000\nThank you for watching!\n\n",
        *_TWO,
        media=b"text/vtt; charset=utf-8",
    ),
    _events("speaches stream of json", "json", "".join(event({"text": text}) for text in _TWO), *_TWO),
    _events("speaches stream of text", "text", f"data: {_HELLO}\n\ndata: {_BYE}\n\n", _HELLO, _BYE),
    _events(
        "speaches stream of verbose_json",
        "verbose_json",
        "".join(
            event({**_SPEACHES, "text": segment["text"], "segments": [segment]}) for segment in _SPEACHES["segments"]
        ),
        _HELLO,
        _BYE,
    ),
    _events(
        "speaches stream of deltas",
        "json",
        event(delta("Good morning, everyone."))
        + event(delta(" Thank you for watching!"))
        + event({"type": "transcript.text.done", "text": " ".join(_TWO)}),
        *_TWO,
    ),
    _json(
        "faster-whisper-server verbose_json",
        "verbose_json",
        compact(
            {
                "task": "transcribe",
                "language": "de",
                "duration": 4.0,
                "text": "Guten Morgen. Untertitel der Amara.org-Community",
                "words": [],
                "segments": [
                    whisper(1, 0.0, 2.0, " Guten Morgen."),
                    whisper(2, 2.0, 4.0, " Untertitel der Amara.org-Community"),
                ],
            }
        ),
        " Guten Morgen.",
        " Untertitel der Amara.org-Community",
    ),
    # whisper.cpp's server.
    _json(
        "whisper.cpp json",
        "json",
        compact({"text": " Good morning.\n How are you?\n"}),
        " Good morning.",
        " How are you?",
    ),
    Answer(
        "whisper.cpp text",
        "text",
        b"text/html; charset=utf-8",
        b" Good morning.\n How are you?\n\n",
        Kind.TEXT,
        (" Good morning.", " How are you?"),
    ),
    _plain(
        "whisper.cpp srt",
        Kind.SRT,
        "1\n00:00:00,000 --> 00:00:03,200\n Good morning.\n\n2\n00:00:03,200 --> 00:00:05,000\n How are you?\n\n",
        " Good morning.",
        " How are you?",
        media=b"application/x-subrip",
    ),
    _plain(
        "whisper.cpp srt of two channels",
        Kind.SRT,
        "1\n00:00:00,000 --> 00:00:03,200\n(speaker 0) Good morning.\n\n",
        "(speaker 0) Good morning.",
        media=b"application/x-subrip",
    ),
    _plain(
        "whisper.cpp vtt of two channels",
        Kind.VTT,
        "WEBVTT\n\n00:00:00.000 --> 00:00:03.200\n<v Speaker0> Good morning.\n\n"
        "00:00:03.200 --> 00:00:04.000\n<v Speaker1> Hi.\n\n",
        " Good morning.",
        " Hi.",
        media=b"text/vtt",
    ),
    _json(
        "whisper.cpp verbose_json",
        "verbose_json",
        compact(
            {
                "task": "transcribe",
                "language": "english",
                "duration": 1.0,
                "text": " Good morning.\n",
                "segments": [
                    {
                        "id": 0,
                        "text": " Good morning.",
                        "start": 0.0,
                        "end": 1.0,
                        "tokens": [4599, 2446, 13],
                        "words": _CPP_WORDS,
                        "temperature": 0.0,
                        "avg_logprob": -0.28,
                    }
                ],
            }
        ),
        " Good morning.",
    ),
    _json(
        "whisper.cpp verbose_json, characters cut into tokens",
        "verbose_json",
        compact(
            {
                "task": "transcribe",
                "language": "chinese",
                "duration": 1.0,
                "text": "您好\n",
                "segments": [
                    {
                        "id": 0,
                        "text": "您好",
                        "start": 0.0,
                        "end": 1.0,
                        "words": words("\ufffd", "\ufffd", "好", t_dtw=-1),
                    }
                ],
            }
        ),
        "您好",
    ),
    _json(
        "whisper.cpp verbose_json without times",
        "verbose_json",
        compact({"task": "transcribe", "text": " Hi.\n", "segments": [{"id": 0, "text": " Hi.", "tokens": [1]}]}),
        " Hi.",
    ),
    # OpenAI, after the documentation.
    _json(
        "openai json",
        "json",
        indented(
            {
                "text": "Imagine the wildest idea that you've ever had.",
                "usage": {"type": "tokens", "input_tokens": 14, "input_token_details": {"text_tokens": 0}},
            }
        ),
        "Imagine the wildest idea that you've ever had.",
    ),
    _json(
        "openai json with logprobs",
        "json",
        compact(
            {
                "text": "Hey, my knee is hurting.",
                "logprobs": [{"token": "Hey", "logprob": -1.0415299, "bytes": [72, 101, 121]}],
                "usage": {"type": "duration", "seconds": 2},
            }
        ),
        "Hey, my knee is hurting.",
    ),
    _json(
        "openai verbose_json",
        "verbose_json",
        indented(
            {
                "task": "transcribe",
                "language": "english",
                "duration": 8.470000267028809,
                "text": "The beach was popular. People were swimming.",
                "segments": [
                    whisper(0, 0.0, 3.319999933242798, " The beach was popular."),
                    whisper(1, 3.319999933242798, 8.0, " People were swimming."),
                ],
                "usage": {"type": "duration", "seconds": 9},
            }
        ),
        " The beach was popular.",
        " People were swimming.",
    ),
    _json(
        "openai verbose_json with words only",
        "verbose_json",
        indented(
            {
                "task": "transcribe",
                "language": "english",
                "duration": 8.470000267028809,
                "text": "The beach was popular.",
                "words": words("The", "beach", "was", "popular"),
                "usage": {"type": "duration", "seconds": 9},
            }
        ),
        "The beach was popular.",
    ),
    _json(
        "openai verbose_json with words and segments",
        "verbose_json",
        indented(
            {
                "task": "transcribe",
                "language": "english",
                "duration": 3.0,
                "text": "The beach was popular. Yes.",
                "segments": [whisper(0, 0.0, 2.0, " The beach was popular."), whisper(1, 2.0, 3.0, " Yes.")],
                "words": words("The", "beach", "was", "popular", "Yes"),
            }
        ),
        " The beach was popular.",
        " Yes.",
    ),
    _json(
        "openai diarized_json",
        "diarized_json",
        indented(
            {
                "task": "transcribe",
                "duration": 27.4,
                "text": "Agent: Thanks for calling.\nA: Hi, I'm trying to enable it.\nAgent: Happy to help.",
                "segments": [
                    {
                        "type": "transcript.text.segment",
                        "id": "seg_001",
                        "start": 0.0,
                        "end": 4.7,
                        "text": "Thanks for calling.",
                        "speaker": "agent",
                    },
                    {
                        "type": "transcript.text.segment",
                        "id": "seg_002",
                        "start": 4.7,
                        "end": 11.8,
                        "text": "Hi, I'm trying to enable it.",
                        "speaker": "A",
                    },
                    {
                        "type": "transcript.text.segment",
                        "id": "seg_003",
                        "start": 12.1,
                        "end": 18.5,
                        "text": "Happy to help.",
                        "speaker": "agent",
                    },
                ],
                "usage": {"type": "duration", "seconds": 27},
            }
        ),
        "Thanks for calling.",
        "Hi, I'm trying to enable it.",
        "Happy to help.",
    ),
    _json(
        "openai diarized_json of which the text is other words",
        "diarized_json",
        compact(
            {
                "text": "Number five.",
                "segments": [{"id": "seg_1", "start": 0, "end": 1, "text": "Number 5.", "speaker": "A"}],
            }
        ),
        "Number 5.",
        "Number five.",
    ),
    _plain("openai text", Kind.TEXT, "Good morning, everyone.\n", "Good morning, everyone."),
    _plain("openai srt", Kind.SRT, _SRT.rstrip("\n") + "\n\n\n", *_TWO),
    _plain("openai vtt", Kind.VTT, "WEBVTT\n\n00:00:00.000 --> 00:00:03.200\nGood morning, everyone.\n\n", _TWO[0]),
    _events(
        "openai stream",
        "json",
        "".join(
            event(delta(text, logprobs=[{"token": text, "logprob": -1.5}]))
            for text in ("I", " see", " skies", " of", " blue", ".", " And", " clouds", " of", " white", ".")
        )
        + event(
            {
                "type": "transcript.text.done",
                "text": "I see skies of blue. And clouds of white.",
                "usage": {"type": "tokens", "input_tokens": 14},
            }
        ),
        "I see skies of blue.",
        "And clouds of white.",
    ),
    _events(
        "openai stream with names of events",
        "text",
        event(delta("Good morning."), kind="transcript.text.delta")
        + ": keep-alive\n\n"
        + event({"type": "transcript.text.done", "text": "Good morning."}, kind="transcript.text.done"),
        "Good morning.",
    ),
    _events(
        "openai stream of diarized_json",
        "diarized_json",
        event(
            {
                "type": "transcript.text.segment",
                "id": "seg_001",
                "start": 0.0,
                "end": 4.7,
                "text": "Thanks for calling.",
                "speaker": "A",
            }
        )
        + event(
            {
                "type": "transcript.text.segment",
                "id": "seg_002",
                "start": 4.7,
                "end": 5.5,
                "text": "Hi.",
                "speaker": "B",
            }
        )
        + event({"type": "transcript.text.done", "text": "Thanks for calling. Hi."}),
        "Thanks for calling.",
        "Hi.",
    ),
    _events(
        "openai stream of diarized_json with deltas",
        "diarized_json",
        event(delta("Thanks for calling.", segment_id="seg_001"))
        + event(
            {
                "type": "transcript.text.segment",
                "id": "seg_001",
                "start": 0.0,
                "end": 4.7,
                "text": "Thanks for calling.",
                "speaker": "A",
            }
        )
        + event({"type": "transcript.text.done", "text": "Thanks for calling."}),
        "Thanks for calling.",
        "Thanks for calling.",
    ),
    _events(
        "openai stream of which the text is other words",
        "json",
        event(delta("Number five.")) + event({"type": "transcript.text.done", "text": "Number 5."}),
        "Number five.",
        "Number 5.",
    ),
    # vLLM.
    _json(
        "vllm json",
        "json",
        compact({"text": " Good morning.", "usage": {"type": "duration", "seconds": 3}}),
        " Good morning.",
    ),
    _json("vllm json to text", "text", compact({"text": " Good morning."}), " Good morning."),
    _json(
        "vllm verbose_json",
        "verbose_json",
        compact(
            {
                "duration": "5.0",
                "language": "en",
                "text": " Good morning. Bye.",
                "segments": [
                    {
                        "id": 0,
                        "avg_logprob": -0.1,
                        "compression_ratio": 1.0,
                        "end": 3.0,
                        "no_speech_prob": None,
                        "seek": 0,
                        "start": 0.0,
                        "temperature": 0.0,
                        "text": " Good morning.",
                        "tokens": [1],
                    },
                    {
                        "id": 1,
                        "avg_logprob": -0.1,
                        "compression_ratio": 1.0,
                        "end": 5.0,
                        "no_speech_prob": None,
                        "seek": 0,
                        "start": 3.0,
                        "temperature": 0.0,
                        "text": " Bye.",
                        "tokens": [2],
                    },
                ],
                "words": None,
            }
        ),
        " Good morning.",
        " Bye.",
    ),
    _events(
        "vllm stream",
        "json",
        "".join(event(chunk(text)) for text in ("", " Good", " morning", ".", " Bye", "."))
        + event(chunk("", "stop"))
        + "data: [DONE]\n\n",
        "Good morning.",
        "Bye.",
    ),
    _events(
        "vllm stream of which the last text ends it",
        "json",
        event(chunk("你好。")) + event(chunk("再见。", "stop")) + "data: [DONE]\n\n",
        "你好。",
        "再见。",
    ),
    # mlx-audio.
    Answer(
        "mlx-audio, whole",
        "json",
        b"application/x-ndjson",
        (
            ascii_only(
                {
                    "text": " Good morning.",
                    "segments": [whisper(0, 0.0, 3.0, " Good morning.")],
                    "language": "en",
                    "prompt_tokens": 0,
                    "total_time": 0.5,
                }
            )
            + "\n"
        ).encode(),
        Kind.NDJSON,
        (" Good morning.",),
    ),
    Answer(
        "mlx-audio, whole without segments",
        "text",
        b"application/x-ndjson",
        (ascii_only({"text": "大家好", "segments": None, "language": None}) + "\n").encode(),
        Kind.NDJSON,
        ("大家好",),
    ),
    Answer(
        "mlx-audio, segments",
        None,
        b"application/x-ndjson",
        "".join(
            ascii_only({"text": text, "start": start, "end": start + 2.5, "is_final": True, "language": "en"}) + "\n"
            for start, text in ((0.0, " Good morning."), (2.5, " Caf\u00e9."))
        ).encode(),
        Kind.NDJSON,
        (" Good morning.", " Caf\u00e9."),
    ),
    Answer(
        "mlx-audio, tokens",
        "json",
        b"application/x-ndjson",
        "".join(
            ascii_only({"text": text, "accumulated": " Good morning. Bye."[:end]}) + "\n"
            for text, end in ((" Good", 5), (" morning.", 14), (" Bye", 18), (".", 19))
        ).encode(),
        Kind.NDJSON,
        ("Good morning.", "Bye."),
    ),
    # Groq.
    _json(
        "groq json",
        "json",
        compact({"text": " Your transcribed text.", "x_groq": {"id": "req_unique_id"}}),
        " Your transcribed text.",
    ),
    _json(
        "groq verbose_json",
        "verbose_json",
        compact(
            {
                "task": "transcribe",
                "language": "English",
                "duration": 12.4,
                "text": " This is how it goes.",
                "words": words("This", "is", "how", "it", "goes."),
                "segments": [whisper(0, 0, 12.4, " This is how it goes.", no_speech_prob=1.04e-12)],
                "x_groq": {"id": "req_unique_id"},
            }
        ),
        " This is how it goes.",
    ),
    _json(
        "groq verbose_json with words only",
        "verbose_json",
        compact(
            {
                "task": "transcribe",
                "language": "English",
                "duration": 2,
                "text": " So far.",
                "words": words("So", "far."),
                "segments": None,
                "x_groq": {"id": "req_unique_id"},
            }
        ),
        " So far.",
        media=JSON_UTF8,
    ),
    _plain("groq text", Kind.TEXT, " Your transcribed text.", " Your transcribed text."),
    # Servers of other families.
    _json(
        "whisperx, a number has no times",
        "verbose_json",
        spaced(
            {
                "text": "In 2014.",
                "segments": [
                    {
                        "start": 0.1,
                        "end": 1.2,
                        "text": " In 2014.",
                        "words": [{"word": "In", "start": 0.1, "end": 0.3, "score": 0.8}, {"word": "2014."}],
                    }
                ],
                "language": "en",
            }
        ),
        " In 2014.",
    ),
    _json("escaped JSON of Flask", "json", ascii_only({"text": "Caf\u00e9 😀"}) + "\n", "Caf\u00e9 😀"),
    _plain(
        "srt with carriage returns and a byte order mark",
        Kind.SRT,
        "\ufeff" + _SRT.replace("\n", "\r\n"),
        *_TWO,
    ),
    _plain(
        "srt of two lines, italic, without a last line break",
        Kind.SRT,
        "7\n00:00:00,000 --> 00:00:03,200\n<i>Good morning,\neveryone.</i>",
        "Good morning,\neveryone.",
        media=b"text/srt",
    ),
    _plain(
        "vtt with all kinds of blocks",
        Kind.VTT,
        "\ufeffWEBVTT - a talk\nKind: captions\nLanguage: en\n\nSTYLE\n::cue { color: lime }\n\nREGION\nid:fred\n\n"
        "NOTE by hand\n\n"
        "intro\n00:00.000 --> 00:03.200 line:0 align:start\n<v.loud Ann>Good <b>morning</b> &amp; hi.</v>\n\n"
        "NOTE\nthe end\n",
        "Good <b>morning</b> &amp; hi.",
        media=b"text/vtt",
    ),
    _plain(
        "text without a type", Kind.TEXT, "Guten Tag.\nAuf Wiedersehen.", "Guten Tag.", "Auf Wiedersehen.", media=None
    ),
)
