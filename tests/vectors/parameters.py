"""
Vectors in the parameters of parts: which one counts, and where its value begins and ends.
"""

from __future__ import annotations

from .parts import OTHERS, row
from .vector import CD, Reads, file, malformed, text

#: Two parameters that could name the field.
DOUBLED = (
    row(
        "two dispositions, the ruled one last",
        "PHP and busboy take the last, Werkzeug and email the first",
        CD + b'name="other"\r\n' + CD + b'name="prompt"',
        malformed("repeats content-disposition"),
    ),
    row(
        "two dispositions, the ruled one first",
        "the same, the other way round",
        CD + b'name="prompt"\r\n' + CD + b'name="other"',
        malformed("repeats content-disposition"),
    ),
    row(
        "two dispositions in different case",
        "a filter that compares names by case sees one",
        CD + b'name="other"\r\ncontent-disposition: form-data; name="prompt"',
        malformed("repeats content-disposition"),
    ),
    row(
        "two dispositions, one an attachment",
        "some readers skip what is not form-data, others take its name",
        CD + b'name="other"\r\nContent-Disposition: attachment; name="prompt"',
        malformed("repeats content-disposition"),
    ),
    row(
        "two names",
        "Go refuses, PHP takes the last, cpp-httplib and Starlette differ by version",
        CD + b'name="other"; name="prompt"',
        malformed("repeats name"),
    ),
    row(
        "two names in different case",
        "parameter names are compared without case by some readers only",
        CD + b'name="other"; NAME="prompt"',
        malformed("repeats name"),
    ),
    row(
        "two names, the second unquoted",
        "patterns for quoted values find one, tokenizers two",
        CD + b'name="other"; name=prompt',
        malformed("repeats name"),
    ),
    row(
        "two file names",
        "the first or the last; with an empty one it is a field to some",
        CD + b'name="other"; filename=""; filename="a"',
        malformed("repeats filename"),
    ),
    row(
        "two content types",
        "one might be a multipart type",
        CD + b'name="other"\r\nContent-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=x',
        malformed("repeats content-type"),
    ),
)

#: Parameters in the extended notation of RFC 2231 and RFC 8187.
EXTENDED = (
    row(
        "an extended name beside a plain one",
        "Werkzeug and email prefer name*, others know only name",
        CD + b"name=\"other\"; name*=utf-8''prompt",
        malformed("name*"),
    ),
    row(
        "an extended name alone",
        "to most readers the part has no name",
        CD + b"name*=utf-8''prompt",
        malformed("name*"),
    ),
    row(
        "an extended name, first",
        "readers that stop at the first find it",
        CD + b"name*=utf-8''prompt; name=\"other\"",
        malformed("name*"),
    ),
    row(
        "a name in continuations",
        "email and Django join name*0 and name*1",
        CD + b'name*0="pro"; name*1="mpt"',
        malformed("name*0"),
    ),
    row(
        "a name in encoded continuations",
        "the same, decoded on top",
        CD + b"name*0*=utf-8''pro; name*1*=mpt; name=\"other\"",
        malformed("name*0*"),
    ),
    row(
        "a file name in continuations",
        "a text field to those who do not join them",
        CD + b'name="other"; filename*0="a"; filename*1="b"',
        malformed("filename*0"),
    ),
    row(
        "an unknown extended parameter",
        "nobody needs it",
        CD + b"name=\"other\"; x*=utf-8''y",
        malformed("x*"),
    ),
    row(
        "a lone extended file name",
        "httpx and Java write it; some upstreams know only the plain one",
        CD + b"name=\"file\"; filename*=UTF-8''%E4%BC%9A.wav",
        Reads((file(filename="会.wav".encode()),)),
    ),
    row(
        "both file names",
        "RFC 6266: the extended one counts; .NET quotes it twice, so the plain one does",
        CD + b'name="file"; filename="a.wav"; filename*=UTF-8\'\'%22a.wav%22',
        Reads((file(),)),
    ),
    row(
        "an extended file name in UTF-7",
        "decoders know it, and what it hides",
        CD + b"name=\"file\"; filename*=utf-7''+ACI-",
        malformed("filename*"),
    ),
    row(
        "a quote in an extended file name",
        "decoded, it ends the plain one: name could be injected",
        CD + b"name=\"file\"; filename*=UTF-8''a%22%3B%20name%3D%22prompt",
        Reads((file(filename=b"a%22%3B name=%22prompt"),)),
    ),
    row(
        "a line break in an extended file name",
        "decoded, it would begin a header",
        CD + b"name=\"file\"; filename*=UTF-8''a%0d%0aContent-Type%3A%20x",
        Reads((file(filename=b"a%0D%0AContent-Type: x"),)),
    ),
    row(
        "parentheses in an extended file name",
        "RFC 8187 has them escaped, libsoup does not",
        CD + b"name=\"file\"; filename*=UTF-8''%E5%BD%95%20(1).wav",
        Reads((file(filename="录 (1).wav".encode()),)),
    ),
    row(
        "an encoded word for a file name",
        "mail software decodes it; .NET writes it",
        CD + b'name="file"; filename="=?utf-8?B?5b2VLndhdg==?="',
        Reads((file(filename="录.wav".encode()),)),
    ),
    row(
        "a name in an encoded word",
        "decoded, it ends the file's name",
        CD + b'name="file"; filename="=?utf-8?B?IjsgbmFtZT0icHJvbXB0?="',
        Reads((file(filename=b"%22%3B name=%22prompt"),)),
    ),
    row(
        "a file name without quotes",
        "up to the blank, or to the semicolon",
        CD + b"name=file; filename=my rec.wav; size=1",
        Reads((file(filename=b"my rec.wav"),)),
    ),
    row(
        "a raw control character in a file name",
        "C readers stop at NUL",
        CD + b'name="file"; filename="a\x00\x0b\t.wav"\r\nContent-Transfer-Encoding: binary',
        Reads((file(filename=b"a%00%0B%09.wav"),)),
    ),
    row(
        "a quote in a file name",
        "the name ends there, or at the last one",
        CD + b'name="file"; filename="a"b.wav"',
        malformed("send it as %22"),
    ),
)

#: Where a value begins and ends.
QUOTES = (
    row("no quotes", "legal; aiohttp and others write tokens", CD + b"name=other", OTHERS),
    row("a ruled name without quotes", "patterns for quotes miss it", CD + b"name=prompt", Reads()),
    row("an open quote", "the rest of the line, or nothing", CD + b'name="prompt', malformed("not well-formed")),
    row("a quote only at the end", 'prompt or prompt"', CD + b'name=prompt"', malformed("not well-formed")),
    row("single quotes", "PHP takes them for quotes", CD + b"name='prompt'", Reads((text("'prompt'"),))),
    row("single quotes and a blank", "a token ends at the blank", CD + b"name='a b'", malformed("not well-formed")),
    row("text behind the quotes", "cut or joined", CD + b'name="prompt"x', malformed("not well-formed")),
    row("a quoted pair", "undone by some: prompt", CD + b'name="pro\\mpt"', malformed("backslash")),
    row("an escaped quote", "the value ends there to some", CD + b'name="x\\"; name=prompt; y="', malformed("quote")),
    row(
        "a backslash at the end",
        "escapes the closing quote to some",
        CD + b'name="other\\"',
        malformed("not well-formed"),
    ),
    row("a double backslash", "one backslash or two", CD + b'name="prompt\\\\"', malformed("backslash")),
    row(
        "a backslash at a file name's end",
        "escapes the closing quote to some: what follows is inside",
        CD + b'filename="x\\\\"; name="file"',
        Reads((file(filename=b"x\\%5C"),)),
    ),
    row(
        "an escaped quote in a file name",
        "browsers wrote it before they wrote %22",
        CD + b'name="file"; filename="a\\"b.wav"',
        Reads((file(filename=b"a%22b.wav"),)),
    ),
    row(
        "a Windows path",
        "old browsers send it, its backslashes escape nothing",
        CD + b'name="file"; filename="C:\\x\\a.wav"',
        Reads((file(filename=b"C:\\x\\a.wav"),)),
    ),
    row(
        "parameters inside a file name",
        "readers that split at semicolons see a name there",
        CD + b'name="file"; filename="x; name=prompt; y"',
        Reads((file(filename=b"x%3B name=prompt; y"),)),
    ),
    row(
        "a blank before the equals sign",
        "ignored or part of the name",
        CD + b'name ="prompt"',
        malformed("well-formed"),
    ),
    row("a blank behind the equals sign", "an empty value to some", CD + b'name= "prompt"', malformed("well-formed")),
    row("no semicolon between", "one value or two", CD + b'name="other" filename="a"', malformed("well-formed")),
    row("a comma between", "some split there", CD + b'name="other", name="prompt"', malformed("well-formed")),
    row("a comma in a token", "some split there", CD + b"name=other,name=prompt", malformed("well-formed")),
    row("no value", "empty, or no parameter", CD + b"name", malformed("well-formed")),
    row("semicolons without parameters", "legal to lenient readers, and harmless", CD + b'; ;name="other";', OTHERS),
    row(
        "a ruled name in another parameter",
        "a search for name= finds it",
        CD + b'x="; name=prompt"; name="other"',
        OTHERS,
    ),
    row("a parameter that ends in name", "a search for name= finds it", CD + b'xname="prompt"; name="other"', OTHERS),
    row("an equals sign in the name", "some cut there", CD + b'name="other=prompt"', Reads((text("other=prompt"),))),
)

ROWS = (*DOUBLED, *EXTENDED, *QUOTES)
