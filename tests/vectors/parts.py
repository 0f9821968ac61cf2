"""
Vectors in the heads of parts: escapes and encodings, lines, and nested parts.
"""

from __future__ import annotations

from .vector import CD, OTHER, PROMPT, Reads, Vector, Verdict, form, malformed, part, text


def row(name: str, reason: str, head: bytes, verdict: Verdict, value: bytes = b"1") -> Vector:
    """A form of one part with this head."""
    return Vector(name, reason, form(part(head, value)), verdict)


OTHERS = Reads((text("other"),))

#: Escapes and encodings that readers may decode.
ESCAPES = (
    row("a percent-encoded ruled name", "no reader decodes names", CD + b'name="%70rompt"', Reads((text("%70rompt"),))),
    row("%22 in a name", "undici and Werkzeug make a quote of it", CD + b'name="a%22b"', malformed("quote")),
    row("%0D%0A in a name", "undici makes a line break of it", CD + b'name="prompt%0D%0A"', malformed("line break")),
    row(
        "encoded-word name, Q",
        "email and Commons FileUpload decode RFC 2047 words in parameters",
        CD + b'name="=?utf-8?q?prompt?="',
        malformed("name"),
    ),
    row(
        "encoded-word name, B",
        "the same in base64",
        CD + b'name="=?UTF-8?B?cHJvbXB0?="',
        malformed("name"),
    ),
    row(
        "encoded-word name without quotes",
        "a token may hold one",
        CD + b"name==?utf-8?q?prompt?=",
        malformed(""),
    ),
    row(
        "encoded word within a name",
        "decoders join it to what is around",
        CD + b'name="=?utf-8?q?prom?= =?utf-8?q?pt?="',
        malformed("name"),
    ),
    row("a name in Latin-1", "replaced, refused or decoded", CD + b'name="prompt\xa0"', malformed("UTF-8")),
    row(
        "a name in UTF-7",
        "Starlette decodes names with the outer charset",
        CD + b'name="+AHA-rompt"',
        Reads((text("+AHA-rompt"),)),
    ),
    row("an overlong name", "lenient decoders: prompt", CD + b'name="\xc1\xb0rompt"', malformed("UTF-8")),
    row("a surrogate in a name", "CESU-8 decoders", CD + b'name="\xed\xa0\xbd\xed\xb8\x80"', malformed("UTF-8")),
    row("NUL in a name", "C readers stop there", CD + b'name="prompt\x00"', malformed("well-formed")),
    row("NUL behind the name", "C readers stop there", CD + b'name="prompt"\x00', malformed("well-formed")),
    row("a tab in a name", "blank or tab", CD + b'name="prompt\t"', malformed("tab")),
    row(
        "base64",
        "decoded by Django only",
        CD + b'name="other"\r\nContent-Transfer-Encoding: base64',
        malformed("Encoding"),
    ),
    row(
        "quoted-printable",
        "decoded by email only",
        CD + b'name="other"\r\nContent-Transfer-Encoding: quoted-printable',
        malformed("Encoding"),
    ),
    row(
        "an encoding that leaves bytes alone",
        "Java and .NET clients write it",
        CD + b'name="other"\r\nContent-Transfer-Encoding: 8bit',
        OTHERS,
    ),
)

#: Header lines of parts.
LINES = (
    row(
        "a folded name",
        "unfolded by email, dropped by others",
        b"Content-Disposition: form-data;\r\n name=prompt",
        malformed("folded"),
    ),
    row("a folded second name", "the same", CD + b'name="other";\r\n\tname="prompt"', malformed("folded")),
    row("a folded first line", "belongs to nothing", b" " + CD + b'name="prompt"', malformed("folded")),
    row(
        "a blank before the colon",
        "PHP strips it",
        b'Content-Disposition : form-data; name="prompt"',
        malformed("header field"),
    ),
    row("no colon", "skipped or refused", b'Content-Disposition form-data; name="prompt"', malformed("header field")),
    row(
        "bare LF between lines",
        "a line break to most",
        CD + b'name="other"\n' + CD + b'name="prompt"',
        malformed("header field"),
    ),
    row(
        "bare CR between lines",
        "a line break to email",
        CD + b'name="other"\r' + CD + b'name="prompt"',
        malformed("header field"),
    ),
    row(
        "vertical tab between parameters",
        "white space to Python's strip",
        CD + b'\x0bname="prompt"',
        malformed("well-formed"),
    ),
    row(
        "a line that is no header",
        "skipped, or the end of the head",
        CD + b'name="other"\r\nprompt',
        malformed("header field"),
    ),
    row(
        "NEL between lines",
        "a line break to str.splitlines",
        CD + b'name="other\xc2\x85x"',
        malformed("control"),
    ),
    row(
        "a line separator in the name",
        "a line break to str.splitlines",
        CD + 'name="a\u2028b"'.encode(),
        Reads((text("a\u2028b"),)),
    ),
    row("no disposition", "a default name to some", b"Content-Type: text/plain", malformed("no Content-Disposition")),
    row("no head at all", "the same", b"", malformed("")),
    row(
        "another disposition",
        "kept by readers that look at the name only",
        b'Content-Disposition: attachment; name="prompt"',
        malformed("form-data"),
    ),
    row("disposition file", "the same", b'Content-Disposition: file; name="prompt"', malformed("form-data")),
    row("a quoted disposition", "the same", b'Content-Disposition: "form-data"; name="prompt"', malformed("form-data")),
    row("an empty disposition", "the same", b'Content-Disposition: ;name="prompt"', malformed("form-data")),
    row(
        "a disposition with a tail",
        "a prefix to some",
        b'Content-Disposition: form-datax; name="prompt"',
        malformed("form-data"),
    ),
    row("no name", "a default one to some", CD + b'filename="prompt"', malformed("names no field")),
    row(
        "another header's name",
        "readers that search for a suffix",
        b"X-" + CD + b'name="prompt"',
        malformed("no Content-Disposition"),
    ),
    row(
        "type before disposition",
        "aiohttp writes this",
        b"Content-Type: text/plain\r\n" + CD + b'name="other"',
        Reads((text("other", b"1", b"text/plain"),)),
    ),
    row(
        "a length in the part",
        "axios writes this; a reader that obeyed a false one would lose count",
        CD + b'name="other"\r\nContent-Length: 9',
        OTHERS,
    ),
    row(
        "more than 8 headers",
        "nobody needs them",
        CD + b'name="other"' + b"".join(b"\r\nX%d: y" % n for n in range(8)),
        malformed("more than 8"),
    ),
    row("a head of 4 KiB", "limits differ", CD + b'name="other"\r\nX: ' + b"y" * 4096, malformed("longer than 4096")),
)

#: Nested parts.
_INNER = form(PROMPT, boundary=b"inner")
NESTED = (
    row(
        "a form in a part",
        "Django and email look inside",
        CD + b'name="other"\r\nContent-Type: multipart/form-data; boundary=inner',
        malformed("is a multipart or message type"),
        _INNER,
    ),
    row(
        "files in a part",
        "RFC 2388 had several files this way",
        CD + b'name="other"\r\nContent-Type: multipart/mixed; boundary=inner',
        malformed("is a multipart or message type"),
        _INNER,
    ),
    row(
        "an inner form with the outer boundary",
        "its parts are the outer form's",
        CD + b'name="other"\r\nContent-Type: MULTIPART/mixed',
        malformed("is a multipart or message type"),
        form(PROMPT),
    ),
    row(
        "a message in a part",
        "email's walk goes into it",
        CD + b'name="other"\r\nContent-Type: message/rfc822',
        malformed("is a multipart or message type"),
        PROMPT,
    ),
    row(
        "an encoded word for a type",
        "email decodes it, and looks inside",
        CD + b'name="other"\r\nContent-Type: =?utf-8?q?multipart/mixed?=; boundary=inner',
        malformed(""),
        _INNER,
    ),
    row(
        "an encoded word within a type",
        "email decodes it, and looks inside",
        CD + b'name="other"\r\nContent-Type: multi=?utf-8?q?part?=/mixed; boundary=inner',
        malformed(""),
        _INNER,
    ),
    row(
        "an encoded word for a message",
        "email decodes it, and looks inside",
        CD + b'name="other"\r\nContent-Type: =?utf-8?B?bWVzc2FnZS9yZmM4MjI=?=',
        malformed(""),
        PROMPT,
    ),
    row("a form in a plain part", "text is text", CD + b'name="other"', Reads((text("other", _INNER),)), _INNER),
)

ROWS = (
    *ESCAPES,
    *LINES,
    *NESTED,
    Vector("two parts", "nothing odd", form(OTHER, PROMPT), OTHERS),
)
