"""
The forms for all parsers: the tables of other tests, and forms for complete parsers only.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

from sttproxy.config import Rules, parse
from sttproxy.headers import boundary_of, parse_content_type

from ..forms.cases import PASSING, RULED, VALUES, WAV
from ..forms.rewriting import BOUNDARY, Item, Rewritten, field, forced_parts, form, items_of, rewrite, upload
from ..vectors import envelopes, parameters, parts, spellings
from ..vectors.vector import CONFIG, FORCED, Reads


@attrs.frozen
class Case:
    """
    A form in the rewriter's output.

    :ivar expected: the expected reading.
    """

    name: str
    output: Rewritten
    expected: tuple[Item, ...]

    @property
    def behind(self) -> bytes:
        """Return the bytes after its closing boundary."""
        return self.output.body.rpartition(b"--" + self.output.boundary + b"--")[2]


def _case(name: str, rules: Rules, boundary: bytes, body: bytes, counted: bool, expected: tuple[Item, ...]) -> Case:
    open_ended = not body.rstrip(b"\r\n").endswith(b"--")
    output = rewrite(rules, boundary, [body], counted, open_ended)
    return Case(f"{name}, {'counted' if counted else 'chunked'}", output, expected)


def from_vectors() -> list[Case]:
    """The accepted vectors."""
    rules = parse(CONFIG).base
    cases = []
    for vector in (*parameters.ROWS, *parts.ROWS, *envelopes.ROWS, *spellings.ROWS):
        kind = vector.content_type or b""
        if isinstance(vector.verdict, Reads) and kind.lower().startswith(b"multipart/"):
            boundary = boundary_of(parse_content_type(kind)[1])
            expected = (*FORCED, *vector.verdict.kept)
            cases += [_case(vector.name, rules, boundary, vector.body, counted, expected) for counted in (True, False)]
    return cases


def from_forms() -> list[Case]:
    """The forms of the rewriter's own tests."""
    cases = []
    for name, case in {**PASSING, **RULED}.items():
        rules = parse(json.dumps(case.fields).encode()).base
        expected = tuple(items_of(*case.forced, *case.kept))
        cases += [_case(name, rules, BOUNDARY, case.body, counted, expected) for counted in (True, False)]
    return cases


def _own(name: str, fields: dict[str, Any], *sent: bytes, kept: tuple[bytes, ...] | None = None) -> list[Case]:
    """A form, in both framings; the client parts in ``kept`` pass, by default all of them."""
    rules = parse(json.dumps(fields).encode()).base
    forced = [Item(key.decode(), None, None, value) for key, value in forced_parts(rules)]
    expected = (*forced, *items_of(*(sent if kept is None else kept)))
    return [_case(name, rules, BOUNDARY, form(*sent), counted, expected) for counted in (True, False)]


def own() -> list[Case]:
    """Padding of 200 KB, big files, and values that try to break the form."""
    noise = bytes(range(256)) * 2000
    text = field("text", "会议\r\n😀".encode())
    return [
        *_own("200 KB of padding", {"prompt": "x"}, field("prompt", b"y" * 200_000), WAV, text, kept=(WAV, text)),
        *_own("200 KB of padding behind a file", {"prompt": None}, WAV, field("prompt", b"y" * 200_000), kept=(WAV,)),
        *_own("a big file", {"prompt": "x"}, upload("file", b"a.wav", b"audio/wav", noise), text),
        *_own("an empty file", {"prompt": "x"}, upload("file", b"a.wav", b"audio/wav", b"")),
        *_own("a long prompt", {"prompt": "以下是普通话的会议记录。😀" * 3000}, WAV),
        *_own(
            "values that look like a form",
            {
                "a": '"; filename="x',
                "b": "\r\n--" + BOUNDARY.decode() + "--\r\n",
                "c": '\r\nContent-Disposition: form-data; name="file"\r\n\r\n',
                "d": "\r\n\r\n",
                "e": "--",
                "f": "",
                "g": "\r",
                "h": "\n",
                "i": "=?utf-8?q?x?=",
                "j": "%0d%0a%22",
            },
            WAV,
        ),
        *_own("a list and an object", {"l": ["a", "b", "a"], "o": {"k": True, "n": 0.20}, "n": None}, WAV),
        *_own("files that look like a form", {"prompt": "x"}, *(upload("file", b"a", b"a/b", each) for each in VALUES)),
        *_own("five hundred fields", {"prompt": "x"}, *(field(f"f{number}", b"1") for number in range(500)), WAV),
    ]


def all_cases() -> list[Case]:
    """All cases."""
    return [*from_vectors(), *from_forms(), *own()]
