"""
Forms for the tests of the multipart rewriter: forms that pass unchanged, forms that rules change, and refused forms.
"""

from __future__ import annotations

from typing import Any

import attrs

from .rewriting import BOUNDARY, field, form, upload

DELIMITER = b"\r\n--" + BOUNDARY
#: The bytes that the promise adds to the length of a form whose closing boundary may be missing.
SPARE = len(DELIMITER + b"--")
WAV = upload("file", b"a.wav", b"audio/wav", b"RIFF\x00\xff\r\n")
A = field("a", b"1")
B = field("b", b"2")


@attrs.frozen
class Case:
    """
    A form, the fields that the configuration sets, and the parts that are sent on.

    :ivar open_ended: whether it comes from a client that omits the closing boundary.
    """

    body: bytes
    kept: tuple[bytes, ...]
    fields: dict[str, Any] = attrs.field(factory=dict)
    forced: tuple[bytes, ...] = ()
    open_ended: bool = False

    def expected(self, counted: bool) -> bytes:
        """The rewritten form, with a boundary of ``=`` that is as long as the client's."""
        ours = b"=" * len(BOUNDARY)
        rewritten = form(*self.forced, *self.kept, boundary=ours, end=b"")
        if not counted:
            return rewritten + b"\r\n"
        room = len(self.body) + len(form(*self.forced)) - len(form()) - len(rewritten) + SPARE * self.open_ended
        return rewritten + (b"\r\n".ljust(room) if room >= 2 else b" " * room)


def spelled(head: bytes, value: bytes = b"1") -> bytes:
    """A part with exactly this head."""
    return head + b"\r\n\r\n" + value


#: Forms that pass with all their parts.
PASSING = {
    "one field": Case(form(A), (A,)),
    "one file": Case(form(WAV), (WAV,)),
    "file first": Case(form(WAV, A, B), (WAV, A, B)),
    "file last": Case(form(A, B, WAV), (A, B, WAV)),
    "repeated fields": Case(form(A, B, A, A), (A, B, A, A)),
    "two files": Case(form(WAV, upload("file", b"b", b"a/b", b"")), (WAV, upload("file", b"b", b"a/b", b""))),
    "no parts": Case(form(), ()),
    "no parts, no line break": Case(form(end=b""), ()),
    "no final line break": Case(form(A, end=b""), (A,)),
    "half a final line break": Case(form(A, end=b"\r"), (A,)),
    "line feed at the end": Case(form(A, end=b"\n"), (A,)),
    "an epilogue": Case(form(A, end=b"\r\nnobody reads this\r\n"), (A,)),
    "an epilogue in the same line": Case(form(A, end=b"x"), (A,)),
    "an epilogue that looks like parts": Case(form(A, end=b"\r\n" + form(B)), (A,)),
    "an epilogue of dashes": Case(form(A, end=b"----"), (A,)),
    "line feeds in front": Case(b"\n\r\n\n" + form(A), (A,)),
    "an empty line in front": Case(b"\r\n" + form(A), (A,)),
    "three empty lines in front": Case(b"\r\n\r\n\r\n" + form(A), (A,)),
    "only an empty line in front": Case(b"\r\n" + form(), ()),
    "shorter head": Case(form(spelled(b'content-disposition:form-data;  name="a"')), (A,)),
    "unquoted name": Case(form(spelled(b"Content-Disposition: form-data;   name=a")), (A,)),
    "type first": Case(
        form(spelled(b'Content-Type: a/b\r\nContent-Disposition: form-data; name="a"')),
        (spelled(b'Content-Disposition: form-data; name="a"\r\nContent-Type: a/b'),),
    ),
    "further fields": Case(
        form(spelled(b'X: y\r\nContent-Disposition: form-data; name="a"\r\nContent-Length: 1')), (A,)
    ),
    "filename*": Case(
        form(spelled(b"Content-Disposition: form-data; name=\"a\"; filename*=UTF-8''%E4%BC%9A")),
        (spelled('Content-Disposition: form-data; name="a"; filename="会"'.encode()),),
    ),
}

#: Forms without a closing boundary, from a client that omits it.
OPEN_ENDED = {
    "as Unity sends it": Case(form(WAV, A, end=b"").removesuffix(DELIMITER + b"--"), (WAV, A), open_ended=True),
    "no dashes behind the last boundary": Case(form(A, end=b"").removesuffix(b"--"), (A,), open_ended=True),
    "a line break for them": Case(form(A, end=b"").removesuffix(b"--") + b"\r\n", (A,), open_ended=True),
    "nothing behind a head": Case(
        form(field("a", b""), end=b"").removesuffix(DELIMITER + b"--"), (field("a", b""),), open_ended=True
    ),
    "the last one dropped": Case(
        form(A, field("prompt", b"mine"), end=b"").removesuffix(DELIMITER + b"--"),
        (A,),
        {"prompt": None},
        open_ended=True,
    ),
    "a closing boundary all the same": Case(form(WAV, A), (WAV, A), open_ended=True),
}

#: Values that resemble a delimiter but must not be read as one.
VALUES = (
    b"",
    b"\r\n",
    b"\r\n\r\n",
    b"\r",
    b"\n",
    b"\r\r\n\n",
    b"x\r",
    b"x\r\n",
    b"-",
    b"\r\n-",
    b"\r\n--",
    b"\r\n--\r\n",
    b"\r\n----",
    BOUNDARY,
    b"--" + BOUNDARY,
    b"--" + BOUNDARY + b"--",
    b"--" + BOUNDARY + b"--\r\nx",
    b"x--" + BOUNDARY + b"\r\n",
    b"\n--" + BOUNDARY + b"--\r\n",
    b"\r--" + BOUNDARY + b"--\r\n",
    b"\n\r--" + BOUNDARY,
    b"\r\n" + BOUNDARY,
    b"\r\n-" + BOUNDARY,
    b"\r\n --" + BOUNDARY,
    b"\r\n---" + BOUNDARY,
    b"\r\r\n--" + BOUNDARY[:-1],
    DELIMITER[:-1],
    DELIMITER[:-1] + DELIMITER[:-1],
    DELIMITER[:-1] + b"x",
    DELIMITER.replace(b"d", b"D"),
    DELIMITER[:8] + DELIMITER[:12] + b"\r",
    bytes(range(256)),
)

#: Forms from which the rules drop parts, or to which they add parts.
PROMPT = field("prompt", b"mine")
RULED: dict[str, Case] = {
    "added to nothing": Case(form(), (), {"prompt": "x"}, (field("prompt", b"x"),)),
    "added": Case(form(A, WAV), (A, WAV), {"prompt": "x"}, (field("prompt", b"x"),)),
    "added in order": Case(
        form(A), (A,), {"z": "1", "b": ["2", "3"]}, (field("z", b"1"), field("b[]", b"2"), field("b[]", b"3"))
    ),
    "the only one": Case(form(PROMPT), (), {"prompt": "x"}, (field("prompt", b"x"),)),
    "the only one, removed": Case(form(PROMPT), (), {"prompt": None}),
    "the first": Case(form(PROMPT, A), (A,), {"prompt": "x"}, (field("prompt", b"x"),)),
    "the last": Case(form(A, PROMPT), (A,), {"prompt": "x"}, (field("prompt", b"x"),)),
    "in the middle": Case(form(A, PROMPT, WAV), (A, WAV), {"prompt": None}),
    "all": Case(form(PROMPT, A, PROMPT, B), (), {"prompt": None, "a": None, "b": [], "c": "3"}, (field("c", b"3"),)),
    "repeated": Case(form(PROMPT, PROMPT, A, PROMPT, WAV, PROMPT), (A, WAV), {"prompt": "x"}, (field("prompt", b"x"),)),
    "as a file": Case(form(upload("prompt", b"p", b"a/b", b"x"), A), (A,), {"prompt": None}),
    "in other spellings": Case(
        form(
            *(field(name, b"x") for name in ("PROMPT", "prompt[]", "prompt[0]", "ｐrompt", " prompt ", "Prompt[x][y]")),
            A,
        ),
        (A,),
        {"prompt": None},
    ),
    "not quite": Case(
        form(field("prompts", b"x"), field("prom[pt]", b"y")),
        (field("prompts", b"x"), field("prom[pt]", b"y")),
        {"prompt": None},
    ),
    "with everything around": Case(
        b"\r\n" + form(PROMPT, A, PROMPT, end=b"\r\nepilogue"), (A,), {"prompt": "x"}, (field("prompt", b"x"),)
    ),
    "no line break at the end": Case(form(A, PROMPT, end=b""), (A,), {"prompt": "x"}, (field("prompt", b"x"),)),
    "holding what looks like a delimiter": Case(
        form(*(field("prompt", value) for value in VALUES), A), (A,), {"prompt": None}
    ),
    "_charset_": Case(form(field("_charset_", b"utf-7"), A), (A,)),
}

#: Refused forms, each with a part of the error message.
REFUSED: tuple[tuple[str, bytes], ...] = (
    ("closing boundary is missing", b""),
    ("closing boundary is missing", b"\r\n"),
    ("closing boundary is missing", b"\r"),
    ("closing boundary is missing", b"--" + BOUNDARY),
    ("closing boundary is missing", b"--" + BOUNDARY[:-1]),
    ("closing boundary is missing", form(A, end=b"")[:-1]),
    ("closing boundary is missing", form(A, end=b"")[: -2 - len(BOUNDARY)]),
    ("closing boundary is missing", form(A, end=b"").removesuffix(b"--" + BOUNDARY + b"--")),
    ("closing boundary is missing", form(A, end=b"").removesuffix(b"\n--" + BOUNDARY + b"--")),
    ("closing boundary is missing", form(A, end=b"").removesuffix(b"--") + b"\r"),
    ("closing boundary is missing", form(A, end=b"").removesuffix(b"--") + b"\r\nC"),
    ("closing boundary is missing", form(A, end=b"").removesuffix(b"\r\n\r\n1" + DELIMITER + b"--")),
    ("closing boundary is missing", b"--" + BOUNDARY + b"\r\n"),
    ("closing boundary is missing", form(A)[:-5] + b"\r\n"),
    ("does not begin with the boundary", b"x" + form(A)),
    ("does not begin with the boundary", b" \r\n" + form(A)),
    ("does not begin with the boundary", b"\r" + form(A)),
    ("does not begin with the boundary", b"preamble\r\n" + form(A)),
    ("does not begin with the boundary", b"-" + form(A)),
    ("does not begin with the boundary", form(A)[2:]),
    ("does not begin with the boundary", form(A, boundary=b"other-boundary-0123456789")),
    ("does not begin with the boundary", b"prompt=x"),
    ("does not begin with the boundary", b'{"prompt": "x"}'),
    ("Boundary 1 of the form is followed by", form(A).replace(b"\r\n", b"\n")),
    ("Boundary 1 of the form is followed by", form(A).replace(BOUNDARY + b"\r\n", BOUNDARY + b" \r\n")),
    ("Boundary 1 of the form is followed by", form(A).replace(BOUNDARY + b"\r\n", BOUNDARY + b"\t\r\n")),
    ("Boundary 1 of the form is followed by", form(A, boundary=BOUNDARY + b"x")),
    ("Boundary 1 of the form is followed by", b"--" + BOUNDARY + b"-\r\n"),
    ("Boundary 1 of the form is followed by", b"--" + BOUNDARY + b"\r\r\n"),
    ("Boundary 2 of the form is followed by", form(A, end=b"").replace(BOUNDARY + b"--", BOUNDARY + b"x--")),
    ("Boundary 2 of the form is followed by", form(A, end=b"").replace(BOUNDARY + b"--", BOUNDARY + b"-\r\n")),
    ("Boundary 2 of the form is followed by", form(A, end=b"").replace(BOUNDARY + b"--", BOUNDARY + b" --")),
    ("Boundary 3 of the form is followed by", form(A, field("b", b"x" + DELIMITER + b"y"))),
    ("Part 1 of the form cannot be accepted: it has no Content-Disposition", form(b"\r\n1")),
    ("Part 1 of the form cannot be accepted: it has no Content-Disposition", form(b"X: y\r\n\r\n1")),
    ("Part 2 of the form cannot be accepted: it has no Content-Disposition", form(A, b"\r\n\r\n1")),
    (
        "Part 2 of the form cannot be accepted: its head repeats",
        form(A, spelled(A.partition(b"\r\n")[0] + b"\r\nX:\r\nX:")),
    ),
    (
        "Part 3 of the form cannot be accepted: its name",
        form(A, A, spelled(b'Content-Disposition: form-data; name="\\""')),
    ),
    (
        "Part 1 of the form cannot be accepted: its head has a line",
        form(b"Content-Disposition: form-data; name=a\n\r\n\r\n1"),
    ),
    ("Part 1 of the form cannot be accepted: its head has a line", form(b"\r" + A)),
    ("Part 1 of the form cannot be accepted: its head has a line", form(b"X: y" + DELIMITER + b"\r\n\r\n1")),
    ("Part 1 of the form cannot be accepted: its head has a folded", form(b" " + A)),
    ("Part 1 of the form cannot be accepted: its Content-Disposition names", form(A.replace(b"; name=", b"; nam="))),
    (
        "Part 2 of the form cannot be accepted: its Content-Type is a multipart",
        form(A, upload("b", b"b", b"multipart/mixed; boundary=x", b"")),
    ),
)
