"""
Vectors around the parts: boundaries, preamble and epilogue, and the form's Content-Type.
"""

from __future__ import annotations

import attrs

from .vector import (
    BOUNDARY,
    CD,
    MULTIPART,
    OTHER,
    PROMPT,
    Reads,
    Vector,
    Verdict,
    form,
    malformed,
    part,
    text,
    unsupported,
)

OTHERS = Reads((text("other"),))
_END = b"--" + BOUNDARY + b"--\r\n"
_OPEN = b"--" + BOUNDARY + b"\r\n"


def row(name: str, reason: str, body: bytes, verdict: Verdict) -> Vector:
    """A form with the usual Content-Type."""
    return Vector(name, reason, body, verdict)


def unity(name: str, reason: str, body: bytes, verdict: Verdict) -> Vector:
    """A form as Unity sends it, with its own header field."""
    return attrs.evolve(row(name, reason, body, verdict), headers=(b"X-Unity-Version: 2022.3.1f1",))


def announced(
    name: str, reason: str, content_type: bytes | None, verdict: Verdict, body: bytes = form(OTHER), *headers: bytes
) -> Vector:
    """A form with another Content-Type."""
    return Vector(name, reason, body, verdict, content_type, headers=headers)


#: Lines that may be delimiters.
BOUNDARIES = (
    row(
        "blanks behind the boundary",
        "RFC 2046 allows them, half of the readers do not",
        form(OTHER).replace(BOUNDARY + b"\r\n", BOUNDARY + b"  \r\n"),
        malformed("Boundary 1"),
    ),
    row(
        "a tab behind the boundary",
        "the same",
        form(OTHER).replace(BOUNDARY + b"\r\n", BOUNDARY + b"\t\r\n"),
        malformed("Boundary 1"),
    ),
    row(
        "blanks behind an inner boundary",
        "a part ends there or goes on",
        _OPEN + OTHER + b"\r\n--" + BOUNDARY + b" \r\n" + PROMPT + b"\r\n" + _END,
        malformed("Boundary 2"),
    ),
    row(
        "a longer boundary",
        "readers that compare a prefix take it",
        _OPEN + OTHER + b"\r\n--" + BOUNDARY + b"x\r\n" + PROMPT + b"\r\n" + _END,
        malformed("Boundary 2"),
    ),
    row(
        "one dash behind the boundary",
        "a delimiter or not",
        _OPEN + OTHER + b"\r\n--" + BOUNDARY + b"-\r\n" + PROMPT + b"\r\n" + _END,
        malformed("Boundary 2"),
    ),
    row("text behind the last boundary", "RFC 2046 says it is the epilogue", form(OTHER, end=b"garbage\r\n"), OTHERS),
    row(
        "a boundary with one dash",
        "not a delimiter",
        form(part(CD + b'name="other"', b"1\r\n-" + BOUNDARY)),
        Reads((text("other", b"1\r\n-" + BOUNDARY),)),
    ),
    row(
        "a boundary with three dashes",
        "a delimiter to readers that search for it",
        form(part(CD + b'name="other"', b"1\r\n---" + BOUNDARY)),
        Reads((text("other", b"1\r\n---" + BOUNDARY),)),
    ),
    row(
        "a boundary in mid-line",
        "a delimiter to readers that search for it",
        form(part(CD + b'name="other"', b"1--" + BOUNDARY + b"\r\n" + PROMPT)),
        Reads((text("other", b"1--" + BOUNDARY + b"\r\n" + PROMPT),)),
    ),
    row(
        "a boundary behind bare LF",
        "a delimiter to Werkzeug and email",
        form(part(CD + b'name="other"', b"1\n--" + BOUNDARY + b"\n" + PROMPT)),
        Reads((text("other", b"1\n--" + BOUNDARY + b"\n" + PROMPT),)),
    ),
    row(
        "a boundary behind bare CR",
        "a delimiter to email",
        form(part(CD + b'name="other"', b"1\r--" + BOUNDARY + b"\r" + PROMPT)),
        Reads((text("other", b"1\r--" + BOUNDARY + b"\r" + PROMPT),)),
    ),
    row(
        "a boundary in other case",
        "another one",
        form(part(CD + b'name="other"', b"1\r\n--" + BOUNDARY.upper() + b"\r\n" + PROMPT)),
        Reads((text("other", b"1\r\n--" + BOUNDARY.upper() + b"\r\n" + PROMPT),)),
    ),
    row(
        "a boundary behind blanks",
        "a folded line to some",
        form(part(CD + b'name="other"', b"1\r\n --" + BOUNDARY + b"\r\n" + PROMPT)),
        Reads((text("other", b"1\r\n --" + BOUNDARY + b"\r\n" + PROMPT),)),
    ),
    row(
        "a boundary in a part's head",
        "the end of the part to some",
        _OPEN + b"X: y\r\n" + form(PROMPT),
        malformed("header field"),
    ),
    row(
        "a part without its empty line",
        "a field or a part of the head",
        _OPEN + CD + b'name="prompt"\r\n' + _END,
        malformed(""),
    ),
    row(
        "LF only",
        "accepted by email, Django and Werkzeug",
        form(OTHER, PROMPT).replace(b"\r\n", b"\n"),
        malformed("Boundary 1"),
    ),
    row("CR only", "accepted by email", form(OTHER, PROMPT).replace(b"\r\n", b"\r"), malformed("Boundary 1")),
    row(
        "LF in the last part only",
        "its head ends there to some",
        form(OTHER, PROMPT.replace(b"\r\n", b"\n")),
        malformed(""),
    ),
    row("an empty part", "skipped by some", _OPEN + b"\r\n" + form(OTHER), malformed("")),
    row("nothing between two boundaries", "skipped by some", _OPEN + form(OTHER), malformed("header field")),
)

#: Bytes before the first boundary.
PREAMBLES = (
    row(
        "a preamble",
        "read by nobody who knows RFC 2046, and by some who search",
        b"preamble\r\n" + form(OTHER),
        malformed("begin"),
    ),
    row(
        "a form in the preamble",
        "readers that search for another boundary's dashes find it",
        form(PROMPT, boundary=b"x") + form(OTHER),
        malformed("begin"),
    ),
    row("a part before the first boundary", "some begin in a head", PROMPT + b"\r\n" + form(OTHER), malformed("begin")),
    row("an empty line in front", "old clients send it", b"\r\n" + form(OTHER), OTHERS),
    row("a bare LF in front", "an empty line, or none", b"\n" + form(OTHER), OTHERS),
    row("a bare CR in front", "a line break to some", b"\r" + form(OTHER), malformed("begin")),
    row("a blank in front", "stripped by some", b" " + form(OTHER), malformed("begin")),
    row("a byte order mark in front", "stripped by some", b"\xef\xbb\xbf" + form(OTHER), malformed("begin")),
    row("a dash too many in front", "found by a search", b"-" + form(OTHER), malformed("begin")),
    row("the first boundary without dashes", "completed by some", form(OTHER)[2:], malformed("begin")),
    row("JSON under a form's type", "readers that sniff", b'{"prompt": "evil"}', malformed("begin")),
    row("pairs under a form's type", "readers that sniff", b"prompt=evil", malformed("begin")),
    row("an empty body in chunks or none", "no fields, or a broken form", b"", malformed("")),
)

#: Bytes after the last boundary, or forms without it.
ENDS = (
    unity("no last boundary", "Django, Werkzeug and PHP take what there is; Unity sends it", _OPEN + PROMPT, Reads()),
    unity("no last boundary behind a field", "the same", _OPEN + OTHER, OTHERS),
    unity("half a boundary at the end", "the same", _OPEN + OTHER + b"\r\n--", malformed("closing boundary")),
    row("no last boundary, a line break", "the same", _OPEN + OTHER + b"\r\n", malformed("closing boundary")),
    unity("an inner boundary at the end", "the same", _OPEN + OTHER + b"\r\n" + _OPEN, OTHERS),
    row("half of the last boundary's dashes", "the same", form(OTHER, end=b"")[:-1], malformed("closing boundary")),
    row("only the last boundary", "a form without fields", form(), Reads()),
    row("no line break at the end", "several clients leave it out", form(OTHER, end=b""), OTHERS),
    row("an epilogue", "ignored, as RFC 2046 has it", form(OTHER, end=b"\r\nepilogue\r\n"), OTHERS),
    row("a field in the epilogue", "readers that do not stop find it", form(OTHER, end=b"\r\n" + form(PROMPT)), OTHERS),
    row("a field behind the epilogue's text", "the same", form(OTHER, end=b"\r\nx\r\n" + form(PROMPT)), OTHERS),
    row(
        "a second form with bare LF", "the same", form(OTHER, end=b"\n" + form(PROMPT).replace(b"\r\n", b"\n")), OTHERS
    ),
    row(
        "another form's boundary in the epilogue",
        "the same",
        form(OTHER, end=b"\r\n" + form(PROMPT, boundary=b"x")),
        OTHERS,
    ),
    row("a last boundary in mid-form", "what follows is epilogue", form(end=b"\r\n" + form(PROMPT)), Reads()),
    row("NUL bytes at the end", "padding", form(OTHER, end=b"\r\n\0\0\0"), OTHERS),
)

_BASE = b"multipart/form-data; boundary="
_FOUND = announced("the same form, announced as usual", "what the others differ from", MULTIPART, OTHERS)

#: Content-Type fields of forms.
TYPES = (
    _FOUND,
    announced("a quoted boundary", "legal", _BASE + b'"' + BOUNDARY + b'"', OTHERS),
    announced(
        "a quoted pair in the boundary",
        "undone or not; what leaves has another",
        _BASE + b'"AaB03x-bound\\ary-17"',
        OTHERS,
    ),
    announced(
        "single quotes around the boundary", "part of it, or not", _BASE + b"'" + BOUNDARY + b"'", malformed("begin")
    ),
    announced("an open quote", "PHP takes the rest", _BASE + b'"' + BOUNDARY, unsupported("well-formed")),
    announced(
        "two boundaries", "the first or the last", _BASE + BOUNDARY + b"; boundary=other", unsupported("more than one")
    ),
    announced(
        "two boundaries in different case",
        "seen as one by some",
        _BASE + b"other; BOUNDARY=" + BOUNDARY,
        unsupported("more than one"),
    ),
    announced(
        "an extended boundary beside it", "email prefers it", _BASE + BOUNDARY + b"; boundary*=utf-8''other", OTHERS
    ),
    announced(
        "a boundary in continuations",
        "email joins them",
        b"multipart/form-data; boundary*0=AaB03x; boundary*1=-boundary-17",
        unsupported("boundary"),
    ),
    announced("no boundary", "guessed from the body by some", b"multipart/form-data", unsupported("boundary")),
    announced(
        "an empty boundary",
        "two dashes are a delimiter",
        b'multipart/form-data; boundary=""',
        unsupported("boundary"),
        form(OTHER, boundary=b""),
    ),
    announced(
        "a boundary of a blank",
        "RFC 2046 has it not end so",
        b'multipart/form-data; boundary=" "',
        unsupported("boundary"),
    ),
    announced(
        "a boundary with a blank behind",
        "stripped by some",
        _BASE + b'"' + BOUNDARY + b' "',
        unsupported("boundary"),
        form(OTHER, boundary=BOUNDARY + b" "),
    ),
    announced(
        "a boundary past 70 characters",
        "cut by some",
        _BASE + b"x" * 71,
        unsupported("boundary"),
        form(OTHER, boundary=b"x" * 71),
    ),
    announced("a boundary of 70 characters", "legal", _BASE + b"x" * 70, OTHERS, form(OTHER, boundary=b"x" * 70)),
    announced(
        "a semicolon in a quoted boundary",
        "cut there by some",
        _BASE + b'"a;boundary=b"',
        OTHERS,
        form(OTHER, boundary=b"a;boundary=b"),
    ),
    announced(
        "a comma in a boundary",
        "PHP cuts there",
        _BASE + b'"AaB03x,boundary-17"',
        OTHERS,
        form(OTHER, boundary=b"AaB03x,boundary-17"),
    ),
    announced(
        "a bare comma", "PHP cuts there, others see two values", _BASE + BOUNDARY + b",x", unsupported("well-formed")
    ),
    announced(
        "an equals sign in a boundary",
        "cut there by some; Java writes it",
        _BASE + b"=_AaB03x=boundary",
        OTHERS,
        form(OTHER, boundary=b"=_AaB03x=boundary"),
    ),
    announced(
        "a bare blank in the boundary", "cut there, or not", _BASE + b"AaB03x boundary", unsupported("well-formed")
    ),
    announced(
        "a blank before the equals sign",
        "no boundary to some",
        b"multipart/form-data; boundary =" + BOUNDARY,
        unsupported("well-formed"),
    ),
    announced(
        "a slash for the semicolon", "found by a search", b"multipart/form-data/ boundary=" + BOUNDARY, unsupported("")
    ),
    announced(
        "a type with a tail",
        "a prefix to some",
        b"multipart/form-data-x; boundary=" + BOUNDARY,
        unsupported("multipart/form-data"),
    ),
    announced(
        "mixed",
        "the same syntax, other rules",
        b"multipart/mixed; boundary=" + BOUNDARY,
        unsupported("multipart/form-data"),
    ),
    announced(
        "a type in capitals",
        "types have no case",
        MULTIPART.replace(b"multipart/form-data", b"Multipart/FORM-data"),
        OTHERS,
    ),
    announced(
        "charset UTF-7",
        "Starlette decodes names by it",
        MULTIPART + b"; charset=utf-7",
        unsupported("UTF-8"),
        form(part(CD + b'name="+AHA-rompt"')),
    ),
    announced("charset UTF-16", "Starlette decodes names by it", MULTIPART + b"; charset=utf-16", unsupported("UTF-8")),
    announced(
        "charset GBK", "old Chinese clients: names and values in it", MULTIPART + b"; charset=GBK", unsupported("UTF-8")
    ),
    announced("charset UTF-8", "what is read anyway", MULTIPART + b'; charset="UTF-8"', OTHERS),
    announced("charset US-ASCII", "a part of what is read anyway", MULTIPART + b"; charset=us-ascii", OTHERS),
    announced(
        "an EBCDIC charset",
        "the known way round application firewalls",
        MULTIPART + b"; charset=ibm037",
        unsupported("UTF-8"),
    ),
    announced("no type", "sniffed by some", None, unsupported("Content-Type")),
    announced(
        "two types",
        "the first or the last",
        MULTIPART,
        unsupported("exactly one"),
        form(OTHER),
        b"content-type: application/json",
    ),
    announced("two equal types", "the same twice", MULTIPART, OTHERS, form(OTHER), b"Content-Type: " + MULTIPART),
    announced("two types in a line", "the same", MULTIPART + b", application/json", unsupported("well-formed")),
    announced(
        "gzip", "the form is inside", MULTIPART, unsupported("Content-Encoding"), form(OTHER), b"Content-Encoding: gzip"
    ),
    announced(
        "identity",
        "nothing is inside",
        MULTIPART,
        OTHERS,
        form(OTHER),
        b"content-encoding: Identity",
    ),
    announced(
        "identity and gzip",
        "the form is inside",
        MULTIPART,
        unsupported("Content-Encoding"),
        form(OTHER),
        b"Content-Encoding: identity, gzip",
    ),
    announced(
        "plain text",
        "read as JSON or pairs by some",
        b"text/plain",
        unsupported("multipart/form-data"),
        b'{"prompt": "evil"}',
    ),
    announced(
        "XML",
        "read by frameworks with converters",
        b"application/xml",
        unsupported("multipart/form-data"),
        b"<prompt>evil</prompt>",
    ),
    announced(
        "bytes", "an upload without a form", b"application/octet-stream", unsupported("multipart/form-data"), b"RIFF"
    ),
)

ROWS = (*BOUNDARIES, *PREAMBLES, *ENDS, *TYPES)
