"""
Hypothesis strategies for forms: well-formed forms in many spellings, mutated ones, and cuts by the network.

They generate data for any test or fuzzer of forms.  They contain no expected results.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import attrs
from hypothesis import strategies as st

TOKEN_CHARS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
BOUNDARY_CHARS = "0123456789abcXYZ'()+_,-./:=?"
#: Fields that configurations set and clients send, in some of their spellings.
COMMON = ("language", "prompt", "temperature", "response_format", "model", "timestamp_granularities")
#: Old names of fields that configurations rename.
OLD = ("lang", "audio", "initial_prompt", "granularities")
#: Values that clients send and that tables of values contain.
WORDS = ("", "en", "whisper-1", "0.2", "会", "-", "\r\n", "x" * 300)
#: More values that clients send, and that tables match without regard to case or by their beginning.
ALIKE = ("EN", "en-US", "Whisper-2", "会议 会议 会议", "one two three four five", "zh\0")
SPELLINGS = ("{}", "{}[]", "{}[0]", "{}[x]", " {} ")

#: Text that needs no escapes between the quotes of a name or a file name.
plain_text = st.text(
    st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S", "Zs"), exclude_characters='"\\'), max_size=8
)
#: Names that every parser reads unchanged.
names = (
    st.sampled_from(COMMON)
    | st.builds(str.format, st.sampled_from(SPELLINGS), st.sampled_from(COMMON))
    | st.sampled_from((*COMMON, *OLD)).map(str.upper)
    | st.builds(str.format, st.sampled_from(SPELLINGS), st.sampled_from(OLD))
    | plain_text
).filter(lambda name: not any(escape in name.lower() for escape in (";", "%22", "%0a", "%0d")) and name != "_charset_")
file_names = plain_text.map(str.encode)
content_types = st.sampled_from(
    (b"audio/wav", b"text/plain; charset=utf-8", b"application/octet-stream", b'a/b; c="d;e"')
)
space = st.text(" \t", max_size=2).map(str.encode)


@attrs.frozen
class TypedPart:
    """
    A part as a client writes it, with its meaning.

    :ivar head: its lines, without the empty line that ends the head.
    """

    name: str
    filename: bytes | None
    content_type: bytes | None
    head: bytes
    value: bytes = b""


@attrs.frozen
class Form:
    """A complete form with its meaning."""

    boundary: bytes
    parts: tuple[TypedPart, ...]
    body: bytes


@st.composite
def boundaries(draw: st.DrawFn, min_size: int = 1) -> bytes:
    """Boundaries that RFC 2046 allows."""
    boundary = draw(st.text(BOUNDARY_CHARS, min_size=min_size, max_size=70))
    if draw(st.booleans()):
        boundary = (boundary[:1] + " " + boundary[2:])[:70] if len(boundary) > 2 else boundary
    return boundary.encode()


@st.composite
def typed_parts(draw: st.DrawFn, terse: bool = False) -> TypedPart:
    """
    Parts without values; their heads have many spellings.

    :param terse: whether to generate heads that are shorter than the shortest canonical one too.
    """
    name = draw(names)
    filename = draw(st.none() | file_names)
    content_type = draw(st.none() | content_types)
    wire = name.encode()
    bare = draw(st.booleans()) and name.isascii() and name and all(char in TOKEN_CHARS for char in name)
    gap = b"" if terse and draw(st.booleans()) else b" "
    parameters = [(b"name=" if draw(st.booleans()) else b"NAME=") + (wire if bare else b'"%b"' % wire)]
    if filename is not None:
        extended = draw(st.booleans())
        quoted = b"".join(b"%%%02X" % code for code in filename)
        parameters.append(b"filename*=UTF-8''%b" % quoted if extended else b'filename="%b"' % filename)
    if draw(st.booleans()):
        parameters.append(b"size=3")
    parameters = draw(st.permutations(parameters))
    disposition = b"form-data" + b"".join(b"%b;%b%b" % (draw(space), gap, each) for each in parameters)
    lines = [draw(st.sampled_from((b"Content-Disposition:", b"content-disposition:"))) + gap + disposition]
    if content_type is not None:
        lines.append(draw(st.sampled_from((b"Content-Type:", b"CONTENT-TYPE:"))) + gap + content_type)
    if draw(st.booleans()):
        lines.append(b"Content-Transfer-Encoding: binary")
    lines += draw(
        st.lists(st.sampled_from((b"X-A: b", b"Content-Length: 3", b"Content-ID: <x>")), unique=True, max_size=2)
    )
    return TypedPart(name, filename, content_type, b"\r\n".join(draw(st.permutations(lines))))


@st.composite
def values(draw: st.DrawFn, boundary: bytes) -> bytes:
    """Values of parts: common words, or any bytes without the form's delimiter, often similar to it."""
    if draw(st.booleans()):
        return draw(st.sampled_from((*WORDS, *ALIKE))).encode()
    delimiter = b"\r\n--" + boundary
    alike = (
        b"\r",
        b"\n",
        b"\r\n",
        b"-",
        b"--",
        b"\r\n--",
        delimiter[:-1],
        delimiter[1:],
        delimiter[2:],
        b"\r" + delimiter[2:],
        b"\n" + delimiter[2:],
        delimiter.replace(b"\r\n", b"\n\r"),
        delimiter[:-1] + b"\x00",
        delimiter[2:] + b"--\r\n",
        b"\r\n\r\n",
        b"\x00\xff",
        "会😀".encode(),
    )
    value = b"".join(draw(st.lists(st.sampled_from(alike) | st.binary(max_size=6), max_size=6)))
    while (at := (value + delimiter).find(delimiter)) < len(value):
        value = value[:at] + value[at + 1 :]
    return value


@st.composite
def forms(draw: st.DrawFn, min_boundary: int = 1, terse: bool = False) -> Form:
    """Well-formed forms."""
    boundary = draw(boundaries(min_boundary))
    parts = tuple(
        attrs.evolve(part, value=draw(values(boundary))) for part in draw(st.lists(typed_parts(terse), max_size=5))
    )
    body = b"\r\n" * draw(st.integers(0, 2))
    for part in parts:
        body += b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, part.head, part.value)
    body += b"--%b--" % boundary
    body += draw(
        st.sampled_from((b"", b"\r\n", b"\r", b"\r\n\r\n", b"  ", b"epilogue", b"\r\n--" + boundary + b"--\r\n"))
    )
    return Form(boundary, parts, body)


def _members(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    keys = st.sampled_from(("type", "threshold", "a b", "名"))
    return st.dictionaries(keys, inner, max_size=2)


@st.composite
def configurations(draw: st.DrawFn, once: bool = True) -> bytes:
    """
    Configuration files, some with values that could break a form.

    :param once: whether the files may contain rules that change their own results again.
    """
    boundary = b"client-boundary"
    text = st.sampled_from(
        (
            "",
            "zh",
            '"; filename="x',
            "\r\n--" + boundary.decode() + "--\r\n",
            "\r\n\r\n",
            '\r\nContent-Disposition: form-data; name="file"\r\n\r\n',
            "以下是普通话的会议记录。😀",
            "\\",
            "x" * 3000,
        )
    ) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
    scalars = text | st.booleans() | st.integers(-99, 99) | st.sampled_from((0.2, 1e-7, -1.5))
    values = scalars | st.lists(scalars, max_size=3) | _members(scalars)
    named = st.sampled_from((*COMMON, "naïve", "a:b,c", "x[y]"))
    fields: dict[str, Any] = draw(st.dictionaries(named, st.none() | values, max_size=4))
    if draw(st.booleans()):
        long = st.fixed_dictionaries({"value": values}, optional={"when_empty": st.booleans()})
        fields["$default"] = draw(st.dictionaries(named, values | long, max_size=4))
    if once and draw(st.booleans()):
        keys = st.sampled_from((*WORDS, "*", "En-*", "WHISPER-*", "会*", "x*"))
        tables = st.dictionaries(keys, st.none() | scalars, max_size=4)
        fields["$map"] = draw(st.dictionaries(named, tables, max_size=4))
    if once and draw(st.booleans()):
        texts = st.fixed_dictionaries({}, optional={"$prepend": text, "$append": text, "max_tokens": st.integers(1, 9)})
        joined = texts.filter(lambda value: not {"$prepend", "$append"}.isdisjoint(value))
        fields |= draw(st.dictionaries(st.sampled_from(("prompt", "language", "naïve")), joined, max_size=2))
    if draw(st.booleans()):
        new = st.sampled_from(("file", "language", "prompt", "timestamp_granularities[]", "名", "naïve"))
        fields["$rename"] = draw(st.dictionaries(st.sampled_from(OLD), new, max_size=3))
    return json.dumps(fields, ensure_ascii=draw(st.booleans())).encode()


#: Fragments that mutations insert into forms.
fragments = st.sampled_from(
    (
        *(bytes((code,)) for code in (0, 9, 10, 13, 32, 34, 39, 42, 44, 45, 58, 59, 61, 92, 127, 128, 255)),
        b"\r\n",
        b"\r\n\r\n",
        b"\n\n",
        b"--",
        b"\r\n--",
        b'\r\nContent-Disposition: form-data; name="prompt"',
        b'; name="prompt"',
        b"; name=prompt",
        b"; name*=utf-8''prompt",
        b'; filename="x"',
        b"; filename*=utf-8''x",
        b"; filename*0=x",
        b"\r\n ",
        b"\r\n\t",
        b'\\"',
        b"\\",
        b"%22",
        b"%0a",
        b"\r\nContent-Transfer-Encoding: base64",
        b"\r\nContent-Type: multipart/mixed",
        b"prompt",
        b"PROMPT[]",
        "ｐrompt".encode(),
        b"_charset_",
        b"form-data",
        b"attachment",
    )
)


@st.composite
def mutated(draw: st.DrawFn, form: Form) -> bytes:
    """The body of a form, mutated: slices are dropped, duplicated, moved, or replaced by fragments."""
    body = form.body
    delimiter = b"--" + form.boundary
    marks = [at for at in range(len(body)) if body.startswith((delimiter, b"\r\n", b'"', b";", b":", b"="), at)] or [0]
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.sampled_from(marks) | st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 4) | st.just(len(delimiter))))
        middle = draw(
            fragments
            | st.sampled_from(
                (b"", body[start:end] * 2, delimiter, b"\r\n" + delimiter, delimiter + b"\r\n", delimiter[:-1])
            )
        )
        body = body[:start] + middle + body[end:]
    return body


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The bytes cut into non-empty pieces, as a network may deliver them; often cut at line breaks."""
    breaks = [at + shift for at in range(len(data)) if data[at] == 13 for shift in (0, 1, 2)]
    offset = st.sampled_from(breaks) if breaks else st.just(0)
    offsets = draw(st.sets(offset | st.integers(0, len(data)), max_size=8))
    edges = sorted({0, len(data), *(at for at in offsets if at < len(data))})
    return [data[start:end] for start, end in itertools.pairwise(edges)]
