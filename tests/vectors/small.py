"""
Vectors in urlencoded and JSON bodies.
"""

from __future__ import annotations

from .vector import JSON, URLENCODED, Reads, ReadsJSON, Vector, Verdict, malformed, text, unsupported

OTHERS = Reads((text("other"),))


def pairs(name: str, reason: str, body: bytes, verdict: Verdict, content_type: bytes = URLENCODED) -> Vector:
    """A urlencoded form."""
    return Vector(name, reason, body, verdict, content_type)


def json(name: str, reason: str, body: bytes, verdict: Verdict, content_type: bytes = JSON) -> Vector:
    """A JSON body."""
    return Vector(name, reason, body, verdict, content_type)


#: application/x-www-form-urlencoded.
PAIRS = (
    pairs("pairs", "nothing odd", b"prompt=evil&other=1&language=en", OTHERS),
    pairs("a line break at the end", "curl sends a file's", b"other=1\r\n", OTHERS),
    pairs(
        "a semicolon between",
        "Python did split there, and PHP and Ruby can",
        b"other=1;prompt=evil",
        malformed("Field 1"),
    ),
    pairs("a semicolon in a name", "the same", b"other;prompt=evil", malformed("Field 1")),
    pairs(
        "an escaped semicolon", "split by nobody", b"other=1%3Bprompt%3Devil", Reads((text("other", b"1;prompt=evil"),))
    ),
    pairs("an escaped name", "decoded by everybody", b"%70rom%70t=evil&other=1", OTHERS),
    pairs("a name escaped twice", "decoded twice by nobody", b"%2570rompt=1", Reads((text("%70rompt"),))),
    pairs("a plus for a blank", "Django strips it", b"+prompt+=evil&other=1", OTHERS),
    pairs("escaped brackets", "a list", b"prompt%5B%5D=evil&prompt%5b0%5d=evil&other=1", OTHERS),
    pairs("raw brackets", "decoders take them, the standard has them escaped", b"prompt[]=evil", malformed("Field 1")),
    pairs("a half escape", "kept, dropped, or an error", b"pro%6=evil", malformed("Field 1")),
    pairs("an escape of other letters", "kept, dropped, or an error", b"%zzprompt=evil", malformed("Field 1")),
    pairs("an escape of IIS", "decoded by ASP and old PHP", b"%u0070rompt=evil", malformed("Field 1")),
    pairs(
        "a broken escape in a value",
        "readers that give up at it lose what follows",
        b"other=%&prompt=evil",
        malformed("Field 1"),
    ),
    pairs("an overlong name", "lenient decoders: prompt", b"%c1%b0rompt=evil", malformed("UTF-8")),
    pairs("a name in Latin-1", "replaced or decoded", b"prompt%a0=evil", malformed("UTF-8")),
    pairs("a raw byte beyond ASCII", "an error, or decoded", b"other\xff=1", malformed("Field 1")),
    pairs("full width, escaped", "readers that normalize", b"%EF%BD%90rompt=evil&other=1", OTHERS),
    pairs("raw white space", "stripped or kept", b"other=1\n&prompt=evil", malformed("Field 1")),
    pairs("a tab in front", "stripped or kept", b"\tprompt=evil", malformed("Field 1")),
    pairs("raw NUL", "C readers stop there", b"prompt\0=evil", malformed("Field 1")),
    pairs("NUL in a name", "PHP stops there: prompt", b"prompt%00=evil", malformed("")),
    pairs("NUL and more in a name", "PHP stops there: prompt", b"prompt%00x=evil", malformed("")),
    pairs("no value", "empty, or no field", b"prompt&other=1", OTHERS),
    pairs("no name", "dropped by some", b"=evil&other=1", Reads((text("", b"evil"), text("other")))),
    pairs("empty pairs", "skipped", b"&&other=1&&", OTHERS),
    pairs("two equals signs", "the first one counts, to most", b"other=prompt=evil", malformed("Field 1")),
    pairs("a question mark in front", "taken off by some", b"?prompt=evil", Reads((text("?prompt", b"evil"),))),
    pairs("more than a thousand", "readers stop at some number", b"a=1&" * 1001, malformed("1000")),
    pairs("a charset field", "HTML: it names the charset of all", b"_charset_=utf-7&other=1", OTHERS),
    pairs("charset UTF-16", "decoded by it", b"other=1", unsupported("UTF-8"), URLENCODED + b"; charset=utf-16"),
    pairs(
        "an EBCDIC charset",
        "the known way round application firewalls",
        b"%97%99%96%94%97%a3=evil",
        unsupported("UTF-8"),
        URLENCODED + b"; charset=ibm037",
    ),
    pairs("charset UTF-8", "what it is anyway", b"other=1", OTHERS, URLENCODED + b"; charset=UTF-8"),
    pairs(
        "a multipart form under this type",
        "readers that sniff",
        b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nevil\r\n--x--',
        malformed("Field 1"),
    ),
)

#: application/json.
OBJECTS = (
    json("an object", "nothing odd", b'{"prompt": "evil", "other": 1, "language": "en"}', ReadsJSON((("other", "1"),))),
    json("an empty object", "nothing of the client's", b" {} ", ReadsJSON()),
    json("a repeated member", "the first or the last", b'{"prompt": "a", "prompt": "b"}', malformed("twice")),
    json("a repeated other member", "the first or the last", b'{"other": 1, "other": 2}', malformed("twice")),
    json("a member repeated by an escape", "the same name", b'{"other": 1, "oth\\u0065r": 2}', malformed("twice")),
    json("a repeated member deep inside", "the first or the last", b'{"other": {"a": 1, "a": 2}}', malformed("twice")),
    json(
        "an escaped name", "decoded by everybody", b'{"\\u0070rompt": "evil", "other": 1}', ReadsJSON((("other", "1"),))
    ),
    json("a name in capitals", "Go compares without case", b'{"PROMPT": "evil", "pRompT": 1}', ReadsJSON()),
    json("the long s", "Go folds it", '{"timeſtamp_granularities": 1}'.encode(), ReadsJSON()),
    json("full width", "readers that normalize", '{"ｐrompt": "evil"}'.encode(), ReadsJSON()),
    json("brackets in a name", "Rails and PHP: a list", b'{"prompt[]": ["evil"]}', ReadsJSON()),
    json("NUL in a name", "cJSON stops there: prompt", b'{"prompt\\u0000": "evil"}', malformed("")),
    json("NUL and more in a name", "cJSON stops there: prompt", b'{"prompt\\u0000x": "evil"}', malformed("")),
    json(
        "half a surrogate pair in a name",
        "replaced, dropped or kept: names collide",
        b'{"prompt\\ud800": 1}',
        malformed("surrogate"),
    ),
    json("a surrogate pair in a name", "one character", b'{"\\ud83d\\ude00": 1}', ReadsJSON((("😀", "1"),))),
    json("a raw control character", "strict readers refuse", b'{"other": "a\nb"}', malformed("control")),
    json(
        "numbers as they are",
        "64-bit readers round them",
        b'{"a": 12345678901234567890, "b": 1.10, "c": 1E400, "d": -0}',
        ReadsJSON((("a", "12345678901234567890"), ("b", "1.10"), ("c", "1E400"), ("d", "-0"))),
    ),
    json("a leading zero", "octal to some", b'{"other": 010}', malformed("")),
    json("a plus sign", "JSON5", b'{"other": +1}', malformed("")),
    json("NaN", "Python reads it", b'{"other": NaN}', malformed("")),
    json("hexadecimal", "JSON5", b'{"other": 0x1}', malformed("")),
    json("single quotes", "JSON5", b"{'prompt': 'evil'}", malformed("")),
    json("no quotes", "JSON5", b'{prompt: "evil"}', malformed("")),
    json("a comma at the end", "JSON5", b'{"other": 1,}', malformed("comma")),
    json("two commas", "lenient readers", b'{"other": 1,, "prompt": 1}', malformed("")),
    json("a comment", "JSON5; a member hides in it", b'{"other": 1 /*, "prompt": "evil" */}', malformed("")),
    json("a comment to the line's end", "the same", b'{"other": 1 // "\n}', malformed("")),
    json("an escape that is none", "kept or dropped", b'{"pro\\mpt": "evil"}', malformed("escape")),
    json(
        "an escaped quote",
        "the string goes on",
        b'{"other": "\\", \\"prompt\\": \\"evil"}',
        ReadsJSON((("other", '", "prompt": "evil'),)),
    ),
    json("two objects", "the first, or an error", b'{"other": 1}{"prompt": "evil"}', malformed("more text")),
    json(
        "a line behind the object", "readers of JSON lines", b'{"other": 1}\n{"prompt": "evil"}', malformed("more text")
    ),
    json("NUL behind the object", "C readers stop there", b'{"other": 1}\0', malformed("more text")),
    json("an array of pairs", "no object", b'[["prompt", "evil"]]', malformed("object")),
    json("an object in an array", "some take the first", b'[{"prompt": "evil"}]', malformed("object")),
    json("null", "no object", b"null", malformed("object")),
    json("a byte order mark", "skipped or refused", b'\xef\xbb\xbf{"prompt": "evil"}', ReadsJSON()),
    json("two byte order marks", "refused, or one skipped", b"\xef\xbb\xbf" * 2 + b"{}", malformed("object")),
    json("a byte order mark behind a space", "refused", b" \xef\xbb\xbf{}", malformed("object")),
    json("UTF-16", "readers that guess the coding", '{"prompt": "evil"}'.encode("utf-16"), malformed("UTF-8")),
    json(
        "UTF-16 without its mark",
        "readers that guess the coding",
        '{"prompt": "evil"}'.encode("utf-16-le"),
        malformed(""),
    ),
    json("UTF-32", "readers that guess the coding", '{"prompt": "evil"}'.encode("utf-32-be"), malformed("")),
    json("an overlong name", "lenient decoders: prompt", b'{"\xc1\xb0rompt": 1}', malformed("UTF-8")),
    json("charset UTF-16", "decoded by it", b'{"other": 1}', unsupported("UTF-8"), JSON + b"; charset=utf-16"),
    json("charset UTF-7", "decoded by it", b'{"+AHA-rompt": 1}', unsupported("UTF-8"), JSON + b'; charset="utf-7"'),
    json(
        "another JSON type",
        "read as JSON by frameworks",
        b'{"prompt": "evil"}',
        unsupported("multipart/form-data"),
        b"application/vnd.api+json",
    ),
    json(
        "JSON as text", "read as JSON by some", b'{"prompt": "evil"}', unsupported("multipart/form-data"), b"text/json"
    ),
    json("deep nesting", "readers overflow", b'{"other": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", malformed("")),
    json("pairs under this type", "readers that sniff", b"prompt=evil", malformed("")),
    json("nothing", "no object", b" ", malformed("")),
    json("an open end", "readers that close it themselves", b'{"prompt": "evil"', malformed("")),
    json(
        "a field of the same name inside",
        "it is another's",
        b'{"other": {"prompt": "x"}}',
        ReadsJSON((("other", {"prompt": "x"}),)),
    ),
)

ROWS = (*PAIRS, *OBJECTS)
